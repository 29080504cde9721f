"""The form of a progress update. Pure."""

from datetime import timedelta

from bot.moves.form import FormContext, Submission
from bot.moves.form_state import FormState
from bot.render.blockkit import Block
from bot.render.inputs import Choice, select, text_field
from escalation.engine.state_machine import reachable_statuses
from escalation.incident.events.moves import MoveEvent, PostUpdate
from escalation.incident.model import Incident
from escalation.incident.state.facts import Status
from escalation.times import parse_duration, spoken_duration

CADENCE = "cadence"
INTERVALS = ("15m", "30m", "1h", "2h", "4h", "8h", "24h")


def update_blocks(context: FormContext) -> list[Block]:
    """Blocks of the update form; without public wording for a private incident."""
    incident = context.incident
    statuses = [Choice(s.value, s.value.capitalize()) for s in reachable_statuses(incident.status)]
    return [
        select("status", "Status", statuses, initial=incident.status),
        text_field("progress", "Progress", placeholder="What has changed since the last update?"),
        text_field("next_steps", "Next steps", optional=True),
        text_field(
            "eta",
            "ETA to resolution",
            initial=incident.eta,
            multiline=False,
            optional=True,
            placeholder="16:30, or in half an hour",
            hint="A time or a length is shown as a time, and as passed once it is. Other words stay as they are.",
        ),
        text_field("impact", "Impact", initial=incident.facts.impact, optional=True),
        select("next_in", "Next update in", _next_update_choices(incident), initial=CADENCE),
        *([] if incident.private else [public_wording(incident)]),
    ]


def public_wording(incident: Incident) -> Block:
    """Field for the wording that customers may read."""
    return text_field(
        "public_wording",
        "Public message",
        initial=incident.facts.public_wording,
        optional=True,
        hint="What customers may read. If empty, the text of the policy is used.",
    )


def _next_update_choices(incident: Incident) -> list[Choice]:
    cadence = incident.policy.updates
    default = f"As in the policy: {cadence.every.spoken()}" if cadence else "No update promised"
    return [Choice(CADENCE, default), *(Choice(p, spoken_duration(parse_duration(p))) for p in INTERVALS)]


def update_event(submission: Submission) -> MoveEvent:
    """Build the event of an update, with the move that its status implies."""
    values = submission.values
    return PostUpdate(
        by=submission.by,
        key=submission.key,
        progress=values.text("progress"),
        next_steps=values.text("next_steps"),
        eta=values.text("eta"),
        impact=values.text("impact"),
        status=_new_status(values.choice("status"), submission.state),
        next_in=_next_update_in(values.choice("next_in")),
        public_wording=values.text("public_wording"),
    )


def _new_status(chosen: str, state: FormState) -> Status | None:
    """Return the status if it was changed in the form: the incident may have moved on meanwhile."""
    return None if chosen in ("", state.status) else Status(chosen)


def _next_update_in(choice: str) -> timedelta | None:
    return None if choice in ("", CADENCE) else parse_duration(choice)
