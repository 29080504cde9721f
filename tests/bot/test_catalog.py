"""How each move is made: typed, pressed, or by its form."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from bot.deps import BotDeps
from bot.moves.catalog import SPECS, ButtonPress, TypedCommand, pressed_event, typed_event
from bot.render.button_value import ButtonValue
from escalation.config.company import Directory
from escalation.errors import Refused
from escalation.incident.events.moves import Answer, AnswerCommunication, Escalate, Move, TakeLead
from escalation.incident.state.leads import Lead
from tests.support.company import example_company
from tests.support.story import kars

NEEDS_NO_WORDS = {
    Move.ACKNOWLEDGE,
    Move.START_FIX,
    Move.FIX_APPLIED,
    Move.ESCALATE,
    Move.VERIFY,
    Move.REVIEWED,
    Move.SNOOZE,
    Move.DECLINE,
}
ABOUT = {
    Move.COMMUNICATE: "1:approved",
    Move.SNOOZE: "update:15m",
    Move.RUN: "failover:1",
    Move.CANCEL: "false-alarm",
}
PRESSED = {
    *(Move.ACKNOWLEDGE, Move.DECLINE, Move.START_FIX, Move.FIX_APPLIED, Move.ESCALATE, Move.COMMUNICATE),
    *(Move.SNOOZE, Move.RUN, Move.CANCEL),
}
ABOUT = {
    Move.COMMUNICATE: "1:approved",
    Move.SNOOZE: "update:15m",
    Move.RUN: "failover:1",
    Move.CANCEL: "false-alarm",
}
WORDS = {
    Move.PLAN_REVIEW: "later",
    Move.LEAD: "commander",
    Move.EDIT: "outage",
    Move.SEVERITY: "P1 worse",
    Move.PAGE: "on-call engineer",
    Move.SNOOZE: "15m",
    Move.TIMES: "began 14:02",
}
NOW = datetime(2024, 12, 18, 15, 30, tzinfo=UTC)


def typed(move: Move, text: str) -> Any:
    nothing: Any = None
    service: Any = SimpleNamespace(clock=lambda: NOW)
    deps = BotDeps("xoxb-none", nothing, nothing, service, example_company(), kars(), "")
    return typed_event(move, TypedCommand(text, "UDANA", "k", deps, Directory()))


def pressed(move: Move, about: str = "", by: str = "UDANA") -> Any:
    return pressed_event(ButtonPress(ButtonValue(move, "INC-20241218-001", (1, 2), about), by, "k"))


@pytest.mark.parametrize("move", list(Move))
def test_every_move_can_be_made(move: Move) -> None:
    """A press of its button does it at once, or opens its form."""
    assert move in SPECS, f"bot/moves/catalog.py wants a MoveSpec for Move.{move.name}"
    spec = SPECS[move]
    assert spec.form or spec.pressed, f"bot/moves/catalog.py: Move.{move.name} wants a form, or what a press does"


@pytest.mark.parametrize("move", list(Move))
def test_only_what_says_enough_is_done_at_once(move: Move) -> None:
    """The others ask for their words first."""
    assert (typed(move, "") is not None) == (move in NEEDS_NO_WORDS)
    about = ABOUT.get(move, "")
    assert (pressed(move, about) is not None) == (move in PRESSED)


@pytest.mark.parametrize("move", sorted({*Move} - {Move.RESOLVE, Move.COMMUNICATE, Move.PUBLISH}))
def test_words_make_the_event_of_their_move(move: Move) -> None:
    """In the name of whoever typed them, once; resolving always asks for more than a line holds."""
    event = typed(move, WORDS.get(move, "the disk is full"))
    assert (event.kind, event.by, event.key) == (move, "UDANA", "k")


def test_a_press_carries_what_it_saw_and_what_it_is_about() -> None:
    """The tiers that its card showed as paged, the communication with its answer, the role."""
    assert pressed(Move.ESCALATE) == Escalate(by="UDANA", key="k", seen=(1, 2))
    answered = AnswerCommunication(by="UDANA", key="k", n=3, answer=Answer.APPROVED)
    assert pressed(Move.COMMUNICATE, "3:approved") == answered
    assert pressed(Move.LEAD, "scribe:UDANA") == TakeLead(by="UDANA", key="k", lead=Lead.SCRIBE)
    with pytest.raises(Refused):
        pressed(Move.LEAD, "scribe:UOMAR")
