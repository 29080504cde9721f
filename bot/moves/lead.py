"""Taking, offering and accepting a role of the response: the modal, and the words of the command. Pure."""

import re
from collections.abc import Mapping

from bot.errors import InvalidForm
from bot.moves.form import FormContext, Submitted
from bot.parsing.command import who
from bot.render.blockkit import Block
from bot.render.inputs import Choice, members, select
from escalation.errors import Refused
from escalation.incident.events import MoveEvent, TakeLead
from escalation.incident.model import Incident, Lead
from escalation.messages.timeline import LEADS

_WORDS = {
    "commander": Lead.COMMANDER,
    "incident-commander": Lead.COMMANDER,
    "command": Lead.COMMANDER,
    "communications": Lead.COMMUNICATIONS,
    "communications-lead": Lead.COMMUNICATIONS,
    "comms": Lead.COMMUNICATIONS,
    "scribe": Lead.SCRIBE,
    "notes": Lead.SCRIBE,
}
_LONG = re.compile(r"^(incident commander|communications lead)\b", re.IGNORECASE)


def lead_blocks(context: FormContext) -> list[Block]:
    """Which role, and for whom."""
    choices = [Choice(lead, name.capitalize(), _standing(context.incident, lead)) for lead, name in LEADS.items()]
    return [
        select("lead", "Role", choices),
        members(
            "to", "Hand it over to", most=1, hint="Leave it empty to take it yourself. An offer counts once taken."
        ),
    ]


def _standing(incident: Incident, lead: Lead) -> str:
    return "somebody has it" if lead in incident.leads else "nobody has it yet"


def lead_event(submitted: Submitted) -> MoveEvent:
    """InvalidForm when no role was chosen."""
    chosen, to = submitted.values.choice("lead"), submitted.values.people("to")
    if chosen not in list(Lead):
        raise InvalidForm({"lead": "Choose one from the list."})
    return TakeLead(by=submitted.by, key=submitted.key, lead=Lead(chosen), to="".join(to[:1]))


def typed_lead(text: str, by: str, key: str, keys: Mapping[str, str]) -> TakeLead:
    """`commander`, `scribe @dana`; `keys` maps a person's key to the member id. Refused for words nobody knows."""
    word, _, rest = _LONG.sub(lambda match: match[0].replace(" ", "-"), text.strip()).partition(" ")
    lead = _WORDS.get(word.lower())
    if lead is None:
        raise Refused(f"There is no role '{word}' in a response: say commander, communications or scribe.")
    named = who(rest, {}, keys) if rest.strip() else None
    if named and not named.people:
        raise Refused("Say who is to take it, with @.")
    return TakeLead(by=by, key=key, lead=lead, to=named.people[0] if named else "")
