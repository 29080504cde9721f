"""Roles of the response (commander, communications lead, scribe): the form, and the words of the command. Pure."""

import re
from collections.abc import Mapping

from bot.errors import InvalidForm
from bot.moves.form import FormContext, Submission
from bot.parsing.command import parse_targets
from bot.render.blockkit import Block
from bot.render.inputs import Choice, people_select, select
from escalation.errors import Refused
from escalation.incident.events.moves import MoveEvent, TakeLead
from escalation.incident.model import Incident
from escalation.incident.state.leads import Lead
from escalation.messages.entries.rooms import LEADS

_ROLES = {
    "commander": Lead.COMMANDER,
    "incident-commander": Lead.COMMANDER,
    "command": Lead.COMMANDER,
    "communications": Lead.COMMUNICATIONS,
    "communications-lead": Lead.COMMUNICATIONS,
    "comms": Lead.COMMUNICATIONS,
    "scribe": Lead.SCRIBE,
    "notes": Lead.SCRIBE,
}
_TWO_WORDS = re.compile(r"^(incident commander|communications lead)\b", re.IGNORECASE)


def lead_blocks(context: FormContext) -> list[Block]:
    """Blocks of the role form: which role, and whom to hand it to."""
    choices = [Choice(role, name.capitalize(), _holder_note(context.incident, role)) for role, name in LEADS.items()]
    return [
        select("lead", "Role", choices),
        people_select(
            "to", "Assign to", most=1, hint="Leave empty to take it yourself. Takes effect when they accept."
        ),
    ]


def _holder_note(incident: Incident, role: Lead) -> str:
    return "assigned" if role in incident.leads else "not assigned"


def lead_event(submission: Submission) -> MoveEvent:
    """Build the event that takes or offers a role. Raises InvalidForm when none was chosen."""
    chosen, to = submission.values.choice("lead"), submission.values.people("to")
    if chosen not in list(Lead):
        raise InvalidForm({"lead": "Choose one from the list."})
    return TakeLead(by=submission.by, key=submission.key, lead=Lead(chosen), to="".join(to[:1]))


def typed_lead(text: str, by: str, key: str, member_ids: Mapping[str, str]) -> TakeLead:
    """Parse `commander` or `scribe @dana`. Raises Refused for an unknown role or person.

    `member_ids` maps a person's key in the configuration to their member id.
    """
    word, _, rest = _TWO_WORDS.sub(lambda match: match[0].replace(" ", "-"), text.strip()).partition(" ")
    role = _ROLES.get(word.lower())
    if role is None:
        raise Refused(f"There is no incident role '{word}'. Use commander, communications or scribe.")
    if not rest.strip():
        return TakeLead(by=by, key=key, lead=role)
    if rest.strip().lower() in ("decline", "declined", "no"):
        return TakeLead(by=by, key=key, lead=role, declined=True)
    targets = parse_targets(rest, {}, member_ids)
    if not targets.people:
        raise Refused("Who should take it? Mention them with @.")
    if len(targets.people) > 1 or targets.groups or targets.unknown:
        raise Refused("Offer a role to one person, with @.")
    return TakeLead(by=by, key=key, lead=role, to=targets.people[0])
