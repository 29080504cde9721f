"""Buttons: on a card the moves that are legal now, the likeliest first; under a message those that it asks for."""

from collections.abc import Container
from dataclasses import dataclass

from bot.render.blockkit import BUTTON, CONFIRM, OPTION, Block, plain_text
from bot.render.button_value import MORE, ButtonValue
from bot.render.mrkdwn import cut, escape
from bot.vocabulary import LABELS
from escalation.engine.paging import next_tier
from escalation.engine.state_machine import is_redundant, legal_moves, useful_moves
from escalation.incident.asks import Ask, asks
from escalation.incident.events import Answer, Move
from escalation.incident.model import Entry, Incident, Lead, Status

_ANSWERS = {Answer.APPROVED: "Approve", Answer.PUBLISHED: "Published", Answer.DECLINED: "Not needed"}
_TAKE = {Lead.COMMANDER: "Take command", Lead.COMMUNICATIONS: "Take communications", Lead.SCRIBE: "Take notes"}


@dataclass(frozen=True)
class Button:
    """One button: its move and the move's argument; `name` tells apart several of one move in a row."""

    move: Move
    label: str = ""
    about: str = ""
    name: str = ""

    @property
    def action_id(self) -> str:
        """Slack's action id: unique in its row."""
        return f"{self.move}-{self.name}" if self.name else self.move.value


def entry_buttons(incident: Incident, entry: Entry) -> tuple[Button, ...]:
    """Choose the buttons under a timeline entry, as the incident stands now."""
    return tuple(map(_of_ask, asks(incident, entry)))


def _of_ask(ask: Ask) -> Button:
    first, _, second = ask.about.partition(":")
    match ask.move:
        case Move.COMMUNICATE:
            return Button(ask.move, _ANSWERS[Answer(second)], ask.about, second)
        case Move.LEAD:
            return Button(ask.move, "Accept" if second else _TAKE[Lead(first)], ask.about, first)
        case _:
            return Button(ask.move, about=ask.about)


_DETAILS_MENU = (Move.LEAD, Move.EDIT, Move.SECURITY)
_MESSAGE_ONLY = (Move.COMMUNICATE,)
_SUGGESTED: dict[Status, tuple[Move, ...]] = {
    Status.INVESTIGATING: (Move.ROOT_CAUSE, Move.START_FIX, Move.UPDATE, Move.ESCALATE),
    Status.IDENTIFIED: (Move.START_FIX, Move.FIX_APPLIED, Move.UPDATE, Move.ESCALATE),
    Status.FIXING: (Move.FIX_APPLIED, Move.FIX_FAILED, Move.UPDATE, Move.ESCALATE),
    Status.MONITORING: (Move.RESOLVE, Move.FIX_FAILED, Move.UPDATE, Move.PAGE),
    Status.RESOLVED: (Move.REOPEN, Move.REVIEWED),
    Status.CANCELLED: (Move.REOPEN,),
}
# A ticket has to be scheduled, and its fix verified.
_TICKET_SUGGESTED: dict[Status, tuple[Move, ...]] = {
    Status.INVESTIGATING: (Move.SCHEDULE, Move.ROOT_CAUSE, Move.START_FIX, Move.UPDATE),
    Status.IDENTIFIED: (Move.SCHEDULE, Move.START_FIX, Move.FIX_APPLIED, Move.UPDATE),
    Status.MONITORING: (Move.VERIFY, Move.RESOLVE, Move.FIX_FAILED, Move.UPDATE),
}
_MIN_BUTTONS = 4
_MENU_LIMIT = 5  # https://docs.slack.dev/reference/block-kit/block-elements/overflow-menu-element


def offered_moves(incident: Incident, person: str = "") -> tuple[Move, ...]:
    """List the legal moves that make sense now, the likeliest first.

    Left out are moves that would be refused or change nothing: acknowledging twice (except for a person whose own page
    is open), marking as security twice, escalating when every tier was paged, scheduling what is no ticket or is fixed,
    verifying twice, and a review that is not required.
    """
    order = dict.fromkeys((Move.ACKNOWLEDGE, *_suggested(incident), *LABELS))
    legal = legal_moves(incident)
    return tuple(m for m in order if m in legal and m not in _MESSAGE_ONLY and not is_redundant(m, incident, person))


def _suggested(incident: Incident) -> tuple[Move, ...]:
    """Suggested moves. Paging by name replaces escalating when no tier is left; a scheduled ticket drops Schedule."""
    default = _SUGGESTED[incident.status]
    first = _TICKET_SUGGESTED.get(incident.status, default) if incident.policy.ticket else default
    replacement = {Move.ESCALATE: Move.PAGE} if next_tier(incident) is None else {}
    excluded = {Move.SCHEDULE} if incident.schedule else set()
    return tuple(replacement.get(move, move) for move in first if move not in excluded)


def card_buttons(incident: Incident, block_id: str, person: str = "") -> list[Block]:
    """Row of buttons on a card; `person` is whose copy it is."""
    moves = tuple(m for m in offered_moves(incident, person) if m not in _DETAILS_MENU)
    visible = max(_MIN_BUTTONS, len(moves) - _MENU_LIMIT)
    if len(moves) == visible + 1:  # a menu of one would only hide a button
        visible += 1
    menu = [_menu(moves[visible:], incident)] if moves[visible:] else []
    elements = [*(_button(Button(move), incident) for move in moves[:visible]), *menu]
    return [{"type": "actions", "block_id": block_id, "elements": elements}] if elements else []


def details_menu(incident: Incident) -> Block | None:
    """Overflow menu beside the details, with the moves that correct the record; None when it would be empty."""
    moves = tuple(m for m in offered_moves(incident) if m in _DETAILS_MENU)
    return _menu(moves, incident) if moves else None


def button_row(
    incident: Incident, buttons: tuple[Button, ...], block_id: str, only: Container[str] | None = None
) -> list[Block]:
    """Row of buttons under a message, without those that make no sense any more; `only` are keys of asks."""
    useful = useful_moves(incident)
    kept = (b for b in buttons if b.move in useful and (only is None or Ask(b.move, b.about).key in only))
    elements = [_button(b, incident) for b in kept]
    return [{"type": "actions", "block_id": block_id, "elements": elements}] if elements else []


def _button(spec: Button, incident: Incident) -> Block:
    move = spec.move
    button: Block = {
        "type": "button",
        "action_id": spec.action_id,
        "text": plain_text(spec.label or LABELS[move], BUTTON),
        "value": ButtonValue.of(move, incident, spec.about).encode(),
    }
    if move is Move.ACKNOWLEDGE or (move is Move.RESOLVE and incident.status is Status.MONITORING):
        button["style"] = "primary"
    if move is Move.ESCALATE:
        button["confirm"] = _confirm_escalation(incident)
    return button


def _confirm_escalation(incident: Incident) -> Block:
    question = cut(f"Page {escape(_next_tier_name(incident))} now?", CONFIRM)
    return {
        "title": plain_text("Escalate", 100),
        "text": {"type": "mrkdwn", "text": question},
        "confirm": plain_text("Page them", 30),
        "deny": plain_text("Not yet", 30),
    }


def _next_tier_name(incident: Incident) -> str:
    tier = next_tier(incident)
    return f"tier {tier} ({incident.policy.tiers[tier - 1].name})" if tier else "the next tier"


def _menu(moves: tuple[Move, ...], incident: Incident) -> Block:
    return {"type": "overflow", "action_id": MORE, "options": [_option(move, incident) for move in moves]}


def _option(move: Move, incident: Incident) -> Block:
    option: Block = {"text": plain_text(LABELS[move], OPTION), "value": ButtonValue.of(move, incident).encode()}
    if move is Move.ESCALATE:
        option["description"] = plain_text(f"Pages {_next_tier_name(incident)}", OPTION)
    return option
