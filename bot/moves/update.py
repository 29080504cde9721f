"""The modal of a progress update. Pure."""

from datetime import timedelta

from bot.moves.form import FormContext, Submitted
from bot.render.blockkit import Block
from bot.render.form_state import FormState
from bot.render.inputs import Choice, select, words
from escalation.engine.state_machine import statuses_ahead
from escalation.incident.events import MoveEvent, PostUpdate
from escalation.incident.model import Incident, Status
from escalation.times import parse_duration, spoken_duration

CADENCE = "cadence"
PROMISES = ("15m", "30m", "1h", "2h", "4h", "8h", "24h")


def update_blocks(context: FormContext) -> list[Block]:
    """Nothing of a security incident is ever worded for the public."""
    incident = context.incident
    statuses = [Choice(s.value, s.value.capitalize()) for s in statuses_ahead(incident.status)]
    return [
        select("status", "Status", statuses, initial=incident.status),
        words("progress", "Progress", placeholder="What happened since the last update?"),
        words("next_steps", "Next steps", optional=True),
        words(
            "eta",
            "ETA to resolution",
            initial=incident.eta,
            lines=False,
            optional=True,
            placeholder="16:30, or unknown",
        ),
        words("impact", "Impact", initial=incident.facts.impact, optional=True),
        select("next_in", "Next update in", _promises(incident), initial=CADENCE),
        *([] if incident.private else [public_wording(incident)]),
    ]


def public_wording(incident: Incident) -> Block:
    """What those outside read of it, in its own field."""
    return words(
        "public_wording",
        "Wording for the public",
        initial=incident.facts.public_wording,
        optional=True,
        hint="What customers may read. While it is empty, the policy's own text is used.",
    )


def _promises(incident: Incident) -> list[Choice]:
    cadence = incident.policy.updates
    usual = f"As the policy says: {cadence.every.spoken()}" if cadence else "No promise: the policy asks none"
    return [Choice(CADENCE, usual), *(Choice(p, spoken_duration(parse_duration(p))) for p in PROMISES)]


def update_event(submitted: Submitted) -> MoveEvent:
    """The update, with the move that its status implies."""
    answers = submitted.values
    return PostUpdate(
        by=submitted.by,
        key=submitted.key,
        progress=answers.text("progress"),
        next_steps=answers.text("next_steps"),
        eta=answers.text("eta"),
        impact=answers.text("impact"),
        status=_new_status(answers.choice("status"), submitted.state),
        next_in=_promised(answers.choice("next_in")),
        public_wording=answers.text("public_wording"),
    )


def _new_status(chosen: str, state: FormState) -> Status | None:
    """A status that was left as the modal showed it says nothing: the incident may have moved on meanwhile."""
    return None if chosen in ("", state.status) else Status(chosen)


def _promised(choice: str) -> timedelta | None:
    return None if choice in ("", CADENCE) else parse_duration(choice)
