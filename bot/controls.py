"""The buttons under a card: the moves that are legal now, the likeliest first, the rest in an overflow menu."""

from bot.kit import BUTTON, CONFIRM, OPTION, plain_text
from bot.message import Block
from bot.mrkdwn import cut, escape
from bot.press import MORE, Press
from escalation.events import Move
from escalation.incident import Incident, Status
from escalation.paging import next_tier
from escalation.transitions import legal_moves

LABELS: dict[Move, str] = {
    Move.ACKNOWLEDGE: "Acknowledge",
    Move.ROOT_CAUSE: "Root cause found",
    Move.START_FIX: "Start fix",
    Move.FIX_APPLIED: "Fix applied",
    Move.FIX_FAILED: "Fix did not hold",
    Move.UPDATE: "Post update",
    Move.ESCALATE: "Escalate",
    Move.PAGE: "Page someone",
    Move.SEVERITY: "Change severity",
    Move.RESOLVE: "Resolve",
    Move.REOPEN: "Reopen",
    Move.SECURITY: "Mark as security",
    Move.CANCEL: "False alarm",
}
_LIKELIEST: dict[Status, tuple[Move, ...]] = {
    Status.INVESTIGATING: (Move.ROOT_CAUSE, Move.START_FIX, Move.UPDATE, Move.ESCALATE),
    Status.IDENTIFIED: (Move.START_FIX, Move.FIX_APPLIED, Move.UPDATE, Move.ESCALATE),
    Status.FIXING: (Move.FIX_APPLIED, Move.FIX_FAILED, Move.UPDATE, Move.ESCALATE),
    Status.MONITORING: (Move.RESOLVE, Move.FIX_FAILED, Move.UPDATE, Move.PAGE),
    Status.RESOLVED: (Move.REOPEN,),
    Status.CANCELLED: (Move.REOPEN,),
}
_VISIBLE = 4
_MENU_HOLDS = 5  # https://docs.slack.dev/reference/block-kit/block-elements/overflow-menu-element


def offered(incident: Incident, person: str = "") -> tuple[Move, ...]:
    """The legal moves that would not be refused for certain, the likeliest first.

    Left out: acknowledging what somebody acknowledged (except for a person whose own page is open), marking as
    security what is that already, and escalating when every tier was paged.
    """
    order = dict.fromkeys((Move.ACKNOWLEDGE, *_likeliest(incident), *LABELS))
    legal = legal_moves(incident)
    return tuple(move for move in order if move in legal and not _pointless(move, incident, person))


def _likeliest(incident: Incident) -> tuple[Move, ...]:
    """Where no tier is left, paging by name stands in for escalating."""
    instead = {Move.ESCALATE: Move.PAGE} if next_tier(incident) is None else {}
    return tuple(instead.get(move, move) for move in _LIKELIEST[incident.status])


def _pointless(move: Move, incident: Incident, person: str) -> bool:
    match move:
        case Move.ACKNOWLEDGE:
            return incident.acknowledgement is not None and incident.open_page_of(person) is None
        case Move.SECURITY:
            return incident.private
        case Move.ESCALATE:
            return next_tier(incident) is None
        case _:
            return False


def controls(incident: Incident, block_id: str, person: str = "") -> list[Block]:
    """The row of buttons on a card; `person` is whose copy it is."""
    moves = offered(incident, person)
    shown = max(_VISIBLE, len(moves) - _MENU_HOLDS)
    if len(moves) == shown + 1:  # a menu of one is a button that hides
        shown += 1
    menu = [_menu(moves[shown:], incident)] if moves[shown:] else []
    elements = [*(_button(move, incident) for move in moves[:shown]), *menu]
    return [{"type": "actions", "block_id": block_id, "elements": elements}] if elements else []


def asked(incident: Incident, moves: tuple[Move, ...], block_id: str) -> list[Block]:
    """The buttons under a message that asks for something; those that are not legal any more are left away."""
    elements = [_button(move, incident) for move in moves if move in legal_moves(incident)]
    return [{"type": "actions", "block_id": block_id, "elements": elements}] if elements else []


def _button(move: Move, incident: Incident) -> Block:
    button: Block = {
        "type": "button",
        "action_id": move.value,
        "text": plain_text(LABELS[move], BUTTON),
        "value": Press.of(move, incident).encode(),
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
    option: Block = {"text": plain_text(LABELS[move], OPTION), "value": Press.of(move, incident).encode()}
    if move is Move.ESCALATE:
        option["description"] = plain_text(f"Pages {_tier_ahead(incident)}", OPTION)
    return option
