"""Buttons of messages that are over: everywhere in Slack, over both policies, counted."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.render.button_value import ButtonValue
from escalation.config.policy import Severity
from escalation.engine.checkpoints import alarms
from escalation.engine.state_machine import useful_moves
from escalation.incident.communications import pending
from escalation.incident.events.moves import (
    Acknowledge,
    Answer,
    AnswerCommunication,
    Cancel,
    FixApplied,
    FixFailed,
    Move,
    PostUpdate,
    Reopen,
    Resolve,
    Reviewed,
    TakeLead,
)
from escalation.incident.model import Incident
from escalation.incident.state.facts import Facts
from escalation.incident.state.leads import Lead
from escalation.service import IncidentService
from tests.support.company import example
from tests.support.story import START, shipped
from tests.support.worker import Works

POLICIES = ("kars", "beauty")
OMAR, LENA = "U0OMAR0001", "U0LENA0001"


class Night:
    """One incident of a policy, and what stands about it in Slack."""

    def __init__(self, parts: Works, policy: str, severity: str) -> None:
        self._parts = parts
        parts.service = IncidentService(parts.store, example(), shipped(policy), parts.clock)
        parts.context = replace(parts.context, service=parts.service)
        facts = Facts(title="Checkout is down", impact="Nobody can pay", outage=True, service="checkout")
        self._id = parts.service.declare("U0PAULA001", Severity(severity), facts).id
        parts.run()

    @property
    def incident(self) -> Incident:
        return self._parts.store.get(self._id)

    def until(self, minute: float) -> "Night":
        clock, target = self._parts.clock, START + timedelta(minutes=minute)
        while (due := min(alarms(self.incident).values(), default=None)) is not None and due <= target:
            clock.now = max(due, clock.now)
            self._parts.run()
        clock.now = max(target, clock.now)
        self._parts.run()
        return self

    def do(self, *events: Any) -> "Night":
        for event in events:
            self._parts.service.handle(self._id, event)
            self._parts.run()
        return self

    def buttons(self) -> Iterator[ButtonValue]:
        """Every button and every option of a menu that stands anywhere."""
        for message in self._parts.messages():
            for block in message.get("blocks") or ():
                for element in (*block.get("elements", ()), block.get("accessory") or {}):
                    if element.get("type") == "button" and "|" in element.get("value", ""):
                        yield ButtonValue.decode(element["value"])
                    yield from (ButtonValue.decode(option["value"]) for option in element.get("options", ()))

    def dead(self) -> list[ButtonValue]:
        return [button for button in self.buttons() if not self._can_be_pressed(button)]

    def _can_be_pressed(self, button: ButtonValue) -> bool:
        incident = self.incident
        first, _, second = button.about.partition(":")
        match button.move:
            case Move.COMMUNICATE if not second:  # the list, or one draft
                return bool(pending(incident)) and (not first or incident.owed(int(first)) in pending(incident))
            case Move.COMMUNICATE:
                state = incident.owed(int(first)).state
                return state == ("waiting" if second == Answer.APPROVED else "owed") or (
                    second == Answer.DECLINED and state == "waiting"
                )
            case Move.LEAD if second:
                return incident.offers.get(Lead(first)) == second
            case Move.LEAD if first:
                return incident.open and Lead(first) not in incident.leads
            case Move.ACKNOWLEDGE if any(page.state == "open" for page in incident.pages):
                return incident.open
            case _:
                return button.move in useful_moves(incident)


@pytest.fixture(params=POLICIES)
def night(request: pytest.FixtureRequest, parts: Works) -> Night:
    return Night(parts, request.param, "P0")


RESOLVE = Resolve(by=OMAR, summary="It works", resolution="Rolled back")


def settle_communications(night: Night) -> Night:
    for owed in night.incident.communications:
        if owed.state == "waiting":
            night.do(AnswerCommunication(by=OMAR, n=owed.n, answer=Answer.APPROVED))
    for owed in night.incident.communications:
        if owed.state == "owed":
            night.do(AnswerCommunication(by=OMAR, n=owed.n, answer=Answer.PUBLISHED))
    return night


def test_after_a_p0_no_button_is_left_that_cannot_be_pressed(night: Night) -> None:
    """When a P0 is resolved and reviewed, no message in any channel, thread, room or DM keeps a dead button."""
    night.until(70)
    assert sum(b.move is Move.UPDATE for b in night.buttons()) >= 2
    night.do(Acknowledge(by=OMAR), TakeLead(by=OMAR, lead=Lead.COMMANDER), TakeLead(by=OMAR, lead=Lead.SCRIBE, to=LENA))
    night.do(TakeLead(by=LENA, lead=Lead.SCRIBE), PostUpdate(by=OMAR, progress="Rolling back"))
    night.do(FixApplied(by=OMAR)).until(140)
    night.do(FixFailed(by=OMAR), FixApplied(by=OMAR)).until(200)
    assert night.dead() == []
    night.do(RESOLVE)
    assert night.dead() == []
    settle_communications(night)
    if night.incident.review_by:
        night.do(Reviewed(by=OMAR))
    settle_communications(night)
    assert {b.move for b in night.buttons()} == {Move.REOPEN}


def test_a_button_that_came_back_to_life_is_not_pressed_by_mistake(night: Night) -> None:
    """A reopened incident asks anew; what was over before stays without buttons."""
    night.until(70).do(Acknowledge(by=OMAR), RESOLVE, Reopen(by=OMAR))
    old = {m for post in night.incident.posts for m in post.asks if post.at < night.incident.clock_from}
    assert {key.split("|")[0] for key in old} <= {Move.COMMUNICATE, Move.LEAD}


def test_one_living_button_for_each_thing_asked_in_a_place(night: Night) -> None:
    """A reminder that is repeated takes the button from the former one in its thread, room or DM."""
    night.until(200)
    asked = [(p.channel, p.place, key) for p in night.incident.posts for key in p.asks]
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("severity", ["P1", "P2", "P3"])
def test_a_cancelled_ticket_leaves_no_button(parts: Works, severity: str) -> None:
    """The ticket in the team's channel and the reminders lose theirs; the reason can be corrected."""
    night = Night(parts, "kars", severity).until(600)
    night.do(Cancel(by=OMAR, why="a test"))
    settle_communications(night)
    assert {b.move for b in night.buttons()} == {Move.REOPEN, Move.CANCEL}
