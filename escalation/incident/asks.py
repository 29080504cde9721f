"""What a timeline entry asks its readers to do: the buttons under its message, while they make sense. Pure.

Reminders and the list of communications are messages of their own, with buttons of their own.
"""

from collections.abc import Callable
from typing import NamedTuple

from escalation.config.rules.rooms import PhaseStart
from escalation.incident.events.moves import Move
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.leads import Lead

FALSE_ALARM = "false-alarm"  # the argument of a cancellation that asks for no words
SAME = "same:"  # … of one as a duplicate: the original's id follows


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


def _checkpoint(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    return tuple(Ask(Move(name)) for name in dict.fromkeys(entry.fields.get("offer", "").split(",")) if name)


def _open_roles(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    """Roles of the response that nobody has, under the phase that begins as the war room opens."""
    number = int(entry.fields.get("number") or 0)
    phases = incident.policy.phases[:number][-1:]
    if not phases or len(incident.policy.phases) < number or phases[0].begins is not PhaseStart.OPENED:
        return ()
    return tuple(Ask(Move.LEAD, lead) for lead in Lead if lead not in incident.leads)


def _offered_role(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    """Acceptance of an offered role or its refusal, while the offer stands."""
    lead = Lead(entry.fields["lead"])
    offered_to = incident.offers.get(lead, "")
    if entry.fields["what"] != "offered" or offered_to not in entry.people:
        return ()
    return (Ask(Move.LEAD, f"{lead}:{offered_to}"), Ask(Move.LEAD, f"{lead}:{offered_to}:declined"))


def _alerts_ended(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    """Resolve, or call it a false alarm, while nothing fires again."""
    return () if incident.alerts.firing else (Ask(Move.RESOLVE), Ask(Move.CANCEL, FALSE_ALARM))


def _closed_there(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    """Resolve, while the ticket is closed there."""
    return (Ask(Move.RESOLVE),) if incident.issue and not incident.issue.open else ()


def _alike(incident: Incident, entry: Entry) -> tuple[Ask, ...]:
    """Cancel it as a duplicate of an open incident that is like it, and as bad or worse."""
    return (Ask(Move.CANCEL, f"{SAME}{entry.fields['join']}"),) if entry.fields.get("join") else ()


_RULES: dict[EntryKind, tuple[Move, ...] | Callable[[Incident, Entry], tuple[Ask, ...]]] = {
    EntryKind.CHECKPOINT: _checkpoint,
    EntryKind.TICKET: (Move.ACKNOWLEDGE, Move.SCHEDULE),
    EntryKind.ALERTS_ENDED: _alerts_ended,
    EntryKind.RESOLVED_THERE: (Move.RESOLVE,),
    EntryKind.ISSUE_CLOSED: _closed_there,
    EntryKind.ISSUE_REOPENED: (Move.REOPEN,),
    EntryKind.NOBODY_LEFT: (Move.PAGE,),
    EntryKind.PHASE: _open_roles,
    EntryKind.ALIKE: _alike,
    EntryKind.LEADING: _offered_role,
}
