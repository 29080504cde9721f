"""Posts of the bot in the first ten policy minutes, by place, and where each timeline entry is posted.

New messages of the bot are counted; edits, repeats of pages and what Slack itself writes are not.
"""

import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Self

import pytest

from escalation.config.policy import Severity
from escalation.engine.checkpoints import alarms
from escalation.incident.effects import is_page
from escalation.incident.events.moves import Acknowledge, PostUpdate
from escalation.incident.model import Incident
from escalation.incident.places import PLACES
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Facts
from escalation.service import IncidentService
from tests.support.clock import PushedClock
from tests.support.stage import company_of_that_week
from tests.support.story import START, shipped
from tests.support.worker import Works


class Evening:
    """One incident with an outage and a service, in the first policy minutes; every post is counted."""

    def __init__(self, parts: Works, policy: str, severity: str) -> None:
        self._parts = parts
        company = company_of_that_week()
        parts.service = IncidentService(parts.store, company, shipped(policy), parts.clock)
        parts.context = replace(parts.context, service=parts.service)
        facts = Facts(title="Checkout is down", impact="Nobody can pay", outage=True, service="checkout")
        self._id = parts.service.declare("UPAULA", Severity(severity), facts).id
        parts.run()

    @property
    def incident(self) -> Incident:
        return self._parts.store.get(self._id)

    def until(self, minute: float) -> Self:
        """Push the clock, stopping at each alarm on the way."""
        clock: PushedClock = self._parts.clock
        target = START + timedelta(minutes=minute)
        while (due := min(alarms(self.incident).values(), default=None)) is not None and due <= target:
            clock.now = max(due, clock.now)
            self._parts.run()
        clock.now = target
        self._parts.run()
        return self

    def acknowledge(self, nth: int) -> Self:
        """Let the nth person who was paged acknowledge."""
        self._handle(Acknowledge(by=self.incident.pages[nth].person))
        return self

    def update(self) -> Self:
        """Post a progress update as whoever has acknowledged."""
        done = self.incident.acknowledgement
        assert done
        self._handle(PostUpdate(by=done.by, progress="Restarting the payment service"))
        return self

    def _handle(self, event: Acknowledge | PostUpdate) -> None:
        self._parts.service.handle(self._id, event)
        self._parts.run()

    def posts(self) -> Counter[str]:
        """Posts so far, by place. A page counts once, however often it was repeated."""
        counted = Counter[str]()
        card, room = self.incident.card(), self.incident.room
        stakeholders = self._channel_id("stakeholders")
        for call in self._parts.calls("chat.postMessage"):
            args = call["args"]
            delivery = args["metadata"]["event_payload"]["delivery"]
            if is_page(delivery):
                continue
            if args["channel"].startswith("D"):
                where = "direct messages"
            elif card and args["channel"] == card.channel:
                where = "its thread" if args.get("thread_ts") else "#incidents"
            elif room and args["channel"] == room.channel:
                where = "war room"
            else:
                where = "#stakeholders" if args["channel"] == stakeholders else "other channels"
            counted[where] += 1
        counted["direct messages"] += len(self.incident.pages)
        return counted

    def _channel_id(self, name: str) -> str:
        return next((c["id"] for c in self._parts.channels() if c["name"] == name), "")


def nobody_acts(parts: Works, policy: str, severity: str) -> Counter[str]:
    """Count the posts of ten minutes in which nobody touches anything."""
    return Evening(parts, policy, severity).until(10).posts()


def somebody_acts(parts: Works, policy: str, severity: str) -> Counter[str]:
    """Count the posts of ten minutes with two acknowledgements at 3 and 4, and an update at 7."""
    evening = Evening(parts, policy, severity).until(3)
    if evening.incident.pages:
        evening.acknowledge(0)
    if len(evening.until(4).incident.pages) > 1:
        evening.acknowledge(1)
    if evening.until(7).incident.acknowledgement:
        evening.update()
    return evening.until(10).posts()


def test_ten_minutes_of_a_p0_that_nobody_touches_are_twelve_posts_at_most(parts: Works) -> None:
    """A P0 with an outage and a service makes at most 12 posts in its first ten minutes."""
    assert nobody_acts(parts, "kars", "P0").total() <= 12


def test_ten_minutes_of_a_p0_at_work_are_thirteen_posts_at_most(parts: Works) -> None:
    """With acknowledgements at 3 and 4 and an update at 7, a P0 makes at most 13 posts."""
    assert somebody_acts(parts, "kars", "P0").total() <= 13


@pytest.mark.parametrize("policy", ["kars", "beauty"])
def test_the_war_room_does_not_say_the_alert_again(parts: Works, policy: str) -> None:
    """The room has its card and the phases; the alert in the template's words stands in the thread, once."""
    incident = Evening(parts, policy, "P0").until(10).incident
    card, room = incident.card(), incident.room
    assert card
    assert room
    messages = parts.messages()
    said = {where: [str(m) for m in messages if m["channel"] == where] for where in (card.channel, room.channel)}
    assert sum("P0 INCIDENT - " in words for words in said[card.channel]) == 1
    assert said[room.channel]
    assert not any("P0 INCIDENT - " in words for words in said[room.channel])
    assert not any(re.search("(do not|don't) reply", str(m), re.IGNORECASE) for m in messages)


@pytest.mark.parametrize("kind", EntryKind)
def test_every_kind_of_entry_has_its_places(kind: EntryKind) -> None:
    """No kind of timeline entry is left to chance: the table says where it is posted, if anywhere."""
    assert kind in PLACES


# The tables of docs/noise.md ---------------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[2] / "docs" / "noise.md").read_text(encoding="utf-8")
COLUMNS = ("#incidents", "its thread", "war room", "#stakeholders", "direct messages", "other channels")
HOW = {"nobody acts": nobody_acts, "at work": somebody_acts}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("policy", ["kars", "beauty"])
def test_the_counts_in_the_docs_are_measured(parts: Works, policy: str, severity: Severity, how: str) -> None:
    """Each row of the table of counts is what the first ten minutes really post."""
    found = HOW[how](parts, policy, severity)
    cells = (policy, severity, how, *(str(found[place]) for place in COLUMNS), str(found.total()))
    assert f"| {' | '.join(cells)} |" in PAGE


def test_the_places_in_the_docs_are_those_of_the_table() -> None:
    """docs/noise.md lists each kind of event once, with the places where it is posted."""
    rows = re.findall(r"^\| ([a-z_, ]+) \| ([a-z, ]+) \| [^|]+ \|$", PAGE, re.MULTILINE)
    listed = [(kind, places) for kinds, places in rows for kind in kinds.split(", ")]
    expected = {kind.value: ", ".join(places) or "no post" for kind, places in PLACES.items()}
    assert len(listed) == len(dict(listed))
    assert {kind: places for kind, places in listed if kind in expected} == expected
