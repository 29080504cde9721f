"""Buttons: under a card the moves that are legal now, the likeliest first; under a message those it asks for."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.render.blockkit import BUTTON, CONFIRM, OPTION, Block, plain_text
from bot.render.button_value import MORE, ButtonValue
from bot.render.mrkdwn import cut, escape
from bot.vocabulary import LABELS
from escalation.config.policy import PhaseStart
from escalation.engine.paging import next_tier
from escalation.engine.state_machine import legal_moves
from escalation.incident.events import Answer, Move
from escalation.incident.model import Entry, EntryKind, Incident, Lead, OwedState, Status

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
_BESIDE_THE_DETAILS = (Move.LEAD, Move.EDIT, Move.SECURITY)
_UNDER_ITS_MESSAGE = (Move.COMMUNICATE,)
_LIKELIEST: dict[Status, tuple[Move, ...]] = {
    Status.INVESTIGATING: (Move.ROOT_CAUSE, Move.START_FIX, Move.UPDATE, Move.ESCALATE),
    Status.IDENTIFIED: (Move.START_FIX, Move.FIX_APPLIED, Move.UPDATE, Move.ESCALATE),
    Status.FIXING: (Move.FIX_APPLIED, Move.FIX_FAILED, Move.UPDATE, Move.ESCALATE),
    Status.MONITORING: (Move.RESOLVE, Move.FIX_FAILED, Move.UPDATE, Move.PAGE),
    Status.RESOLVED: (Move.REOPEN, Move.REVIEWED),
    Status.CANCELLED: (Move.REOPEN,),
}
# A ticket waits for a place in somebody's plan, and its fix for somebody who looks at it.
_TICKETS: dict[Status, tuple[Move, ...]] = {
    Status.INVESTIGATING: (Move.SCHEDULE, Move.ROOT_CAUSE, Move.START_FIX, Move.UPDATE),
    Status.IDENTIFIED: (Move.SCHEDULE, Move.START_FIX, Move.FIX_APPLIED, Move.UPDATE),
    Status.MONITORING: (Move.VERIFY, Move.RESOLVE, Move.FIX_FAILED, Move.UPDATE),
}
_VISIBLE = 4
_MENU_HOLDS = 5  # https://docs.slack.dev/reference/block-kit/block-elements/overflow-menu-element


def offered(incident: Incident, person: str = "") -> tuple[Move, ...]:
    """The legal moves that make sense now, the likeliest first.

    Left out: what would be refused for certain, or says again what is known: acknowledging what somebody acknowledged
    (except for a person whose own page is open), marking as security what is that already, escalating when every tier
    was paged, scheduling what is no ticket or is fixed, verifying twice, and a review that nobody asked for.
    """
    order = dict.fromkeys((Move.ACKNOWLEDGE, *_likeliest(incident), *LABELS))
    legal = legal_moves(incident)
    return tuple(m for m in order if m in legal and m not in _UNDER_ITS_MESSAGE and not _pointless(m, incident, person))


def _likeliest(incident: Incident) -> tuple[Move, ...]:
    """Where no tier is left, paging by name stands in for escalating. What is scheduled may be so again, but later."""
    usual = _LIKELIEST[incident.status]
    first = _TICKETS.get(incident.status, usual) if incident.policy.ticket else usual
    instead = {Move.ESCALATE: Move.PAGE} if next_tier(incident) is None else {}
    done = {Move.SCHEDULE} if incident.schedule else set()
    return tuple(instead.get(move, move) for move in first if move not in done)


def _pointless(move: Move, incident: Incident, person: str = "") -> bool:
    ticket, watched = incident.policy.ticket is not None, incident.status is Status.MONITORING
    match move:
        case Move.ACKNOWLEDGE:
            return incident.acknowledgement is not None and incident.open_page_of(person) is None
        case Move.SECURITY:
            return incident.private
        case Move.ESCALATE:
            return next_tier(incident) is None
        case Move.WORKAROUND:
            return watched
        case Move.SCHEDULE:
            return watched or not ticket
        case Move.VERIFY:
            return not ticket or incident.verified is not None
        case Move.REVIEWED:
            return incident.review_by is None or incident.reviewed is not None
        case _:
            return False


def controls(incident: Incident, block_id: str, person: str = "") -> list[Block]:
    """The row of buttons on a card; `person` is whose copy it is."""
    moves = tuple(m for m in offered(incident, person) if m not in _BESIDE_THE_DETAILS)
    shown = max(_VISIBLE, len(moves) - _MENU_HOLDS)
    if len(moves) == shown + 1:  # a menu of one is a button that hides
        shown += 1
    menu = [_menu(moves[shown:], incident)] if moves[shown:] else []
    elements = [*(_button(Ask(move), incident) for move in moves[:shown]), *menu]
    return [{"type": "actions", "block_id": block_id, "elements": elements}] if elements else []


def corrections(incident: Incident) -> Block | None:
    """The menu beside the details: what changes the record rather than the work. None when there is nothing to do."""
    moves = tuple(m for m in offered(incident) if m in _BESIDE_THE_DETAILS)
    return _menu(moves, incident) if moves else None


def asked(incident: Incident, asks: tuple[Ask, ...], block_id: str) -> list[Block]:
    """The buttons under a message that asks for something; those that make no sense any more are left away."""
    legal = legal_moves(incident)
    elements = [_button(a, incident) for a in asks if a.move in legal and not _pointless(a.move, incident)]
    return [{"type": "actions", "block_id": block_id, "elements": elements}] if elements else []


def _button(ask: Ask, incident: Incident) -> Block:
    move = ask.move
    button: Block = {
        "type": "button",
        "action_id": ask.action_id,
        "text": plain_text(ask.label or LABELS[move], BUTTON),
        "value": ButtonValue.of(move, incident, ask.about).encode(),
    }
    if move is Move.ACKNOWLEDGE or (move is Move.RESOLVE and incident.status is Status.MONITORING):
        button["style"] = "primary"
    if move is Move.ESCALATE:
        button["confirm"] = _confirm_escalation(incident)
    return button


def _confirm_escalation(incident: Incident) -> Block:
    question = cut(f"Page {escape(_tier_ahead(incident))} now?", CONFIRM)
    return {
        "title": plain_text("Escalate", 100),
        "text": {"type": "mrkdwn", "text": question},
        "confirm": plain_text("Page them", 30),
        "deny": plain_text("Not yet", 30),
    }


def _tier_ahead(incident: Incident) -> str:
    tier = next_tier(incident)
    return f"tier {tier} ({incident.policy.tiers[tier - 1].name})" if tier else "the next tier"


def _menu(moves: tuple[Move, ...], incident: Incident) -> Block:
    return {"type": "overflow", "action_id": MORE, "options": [_option(move, incident) for move in moves]}


def _option(move: Move, incident: Incident) -> Block:
    option: Block = {"text": plain_text(LABELS[move], OPTION), "value": ButtonValue.of(move, incident).encode()}
    if move is Move.ESCALATE:
        option["description"] = plain_text(f"Pages {_tier_ahead(incident)}", OPTION)
    return option
