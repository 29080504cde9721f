"""What a line of the timeline asks of its readers: the buttons that stand under it. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from escalation.config.plans import PhaseStart
from escalation.incident.events import Answer, Move
from escalation.incident.model import Incident
from escalation.incident.records import Entry, EntryKind, Lead, OwedState

_ANSWERS: dict[OwedState, tuple[tuple[Answer, str], ...]] = {
    OwedState.WAITING: ((Answer.APPROVED, "Approve"), (Answer.DECLINED, "Not needed")),
    OwedState.OWED: ((Answer.PUBLISHED, "Published"), (Answer.DECLINED, "Not needed")),
}
_TAKE = {Lead.COMMANDER: "Take command", Lead.COMMUNICATIONS: "Take communications", Lead.SCRIBE: "Take notes"}


@dataclass(frozen=True)
class Ask:
    """One button: its move, and what the press is about; `name` tells apart several of one move in a row."""

    move: Move
    label: str = ""
    about: str = ""
    name: str = ""

    @property
    def action_id(self) -> str:
        return f"{self.move}-{self.name}" if self.name else self.move.value


def asks(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    """The buttons under an entry, as the incident stands now."""
    found = _ASKS.get(entry.kind, ())
    return found(incident, entry) if callable(found) else tuple(Ask(move) for move in found)


def _checkpoint(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    return tuple(Ask(Move(name)) for name in dict.fromkeys(entry.fields.get("offer", "").split(",")) if name)


def _communication(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    """By where it stands now: what was answered already asks for nothing."""
    n = int(entry.fields.get("n") or 0)
    if not 1 <= n <= len(incident.communications):
        return ()
    answers = _ANSWERS.get(incident.owed(n).state, ())
    return tuple(Ask(Move.COMMUNICATE, label, f"{n}:{answer}", answer) for answer, label in answers)


def _phase(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    """As the room opens, its roles are to be taken."""
    begun = int(entry.fields.get("number") or 0)
    phases = incident.policy.phases[:begun][-1:]
    if not phases or len(incident.policy.phases) < begun or phases[0].begins is not PhaseStart.OPENED:
        return ()
    return tuple(Ask(Move.LEAD, label, lead, lead) for lead, label in _TAKE.items() if lead not in incident.leads)


def _leading(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    """An offer is accepted by the one to whom it was made, while it stands."""
    lead = Lead(entry.fields["lead"])
    offered_to = incident.offers.get(lead, "")
    if entry.fields["what"] != "offered" or offered_to not in entry.people:
        return ()
    return (Ask(Move.LEAD, "Accept", f"{lead}:{offered_to}", lead),)


def _watched(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    verify = (Ask(Move.VERIFY),) if incident.policy.ticket else ()
    return (*verify, Ask(Move.RESOLVE), Ask(Move.FIX_FAILED))


_ASKS: dict[EntryKind, tuple[Move, ...] | Callable[[Incident, Entry], tuple[Ask, ...]]] = {
    EntryKind.CHECKPOINT: _checkpoint,
    EntryKind.TICKET: (Move.ACKNOWLEDGE, Move.SCHEDULE),
    EntryKind.UPDATE_DUE: (Move.UPDATE,),
    EntryKind.SILENCE: (Move.UPDATE,),
    EntryKind.MONITORED: _watched,
    EntryKind.NOBODY_LEFT: (Move.PAGE,),
    EntryKind.COMMUNICATION: _communication,
    EntryKind.COMMUNICATED: _communication,
    EntryKind.OVERDUE: _communication,
    EntryKind.PHASE: _phase,
    EntryKind.LEADING: _leading,
}
