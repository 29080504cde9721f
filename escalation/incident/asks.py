"""What a timeline entry asks its readers to do: the buttons under its message, while they make sense. Pure."""

from collections.abc import Callable
from typing import NamedTuple

from escalation.config.policy import PhaseStart
from escalation.incident.events import Answer, Move
from escalation.incident.model import Entry, EntryKind, Incident, Lead, OwedState


class Ask(NamedTuple):
    """A move that an entry asks for, with its argument."""

    move: Move
    about: str = ""

    @property
    def key(self) -> str:
        """The ask as it is stored: what two messages ask alike has one key."""
        return f"{self.move}|{self.about}"


def asks(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    """Return what an entry asks for as the incident stands now; whether those moves are legal is not its matter."""
    rule = _RULES.get(entry.kind, ())
    return rule(incident, entry) if callable(rule) else tuple(Ask(move) for move in rule)


def may_ask(entry: Entry) -> bool:
    """True if entries of that kind ask for anything at all."""
    return entry.kind in _RULES


_ANSWERS: dict[OwedState, tuple[Answer, ...]] = {
    OwedState.WAITING: (Answer.APPROVED, Answer.DECLINED),
    OwedState.OWED: (Answer.PUBLISHED, Answer.DECLINED),
}


def _checkpoint(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    return tuple(Ask(Move(name)) for name in dict.fromkeys(entry.fields.get("offer", "").split(",")) if name)


def _communication(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    """Answers to a communication; none once it was answered."""
    n = int(entry.fields.get("n") or 0)
    if not 1 <= n <= len(incident.communications):
        return ()
    return tuple(Ask(Move.COMMUNICATE, f"{n}:{answer}") for answer in _ANSWERS.get(incident.owed(n).state, ()))


def _open_roles(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    """Roles of the response that nobody has, under the phase that begins as the war room opens."""
    number = int(entry.fields.get("number") or 0)
    phases = incident.policy.phases[:number][-1:]
    if not phases or len(incident.policy.phases) < number or phases[0].begins is not PhaseStart.OPENED:
        return ()
    return tuple(Ask(Move.LEAD, lead) for lead in Lead if lead not in incident.leads)


def _offered_role(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    """Acceptance of an offered role, while the offer stands."""
    lead = Lead(entry.fields["lead"])
    offered_to = incident.offers.get(lead, "")
    if entry.fields["what"] != "offered" or offered_to not in entry.people:
        return ()
    return (Ask(Move.LEAD, f"{lead}:{offered_to}"),)


def _fix_checks(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    verify = (Ask(Move.VERIFY),) if incident.policy.ticket else ()
    return (*verify, Ask(Move.RESOLVE), Ask(Move.FIX_FAILED))


_RULES: dict[EntryKind, tuple[Move, ...] | Callable[[Incident, Entry], tuple[Ask, ...]]] = {
    EntryKind.CHECKPOINT: _checkpoint,
    EntryKind.TICKET: (Move.ACKNOWLEDGE, Move.SCHEDULE),
    EntryKind.UPDATE_DUE: (Move.UPDATE,),
    EntryKind.SILENCE: (Move.UPDATE,),
    EntryKind.MONITORED: _fix_checks,
    EntryKind.NOBODY_LEFT: (Move.PAGE,),
    EntryKind.COMMUNICATION: _communication,
    EntryKind.COMMUNICATED: _communication,
    EntryKind.OVERDUE: _communication,
    EntryKind.PHASE: _open_roles,
    EntryKind.LEADING: _offered_role,
}
