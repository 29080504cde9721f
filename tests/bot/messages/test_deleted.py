"""Messages of ours that somebody deletes in Slack: those that have to live come again at once, and once."""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bot.render.blockkit import Message
from escalation.incident.events.moves import Move, Reopen
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.pages import PageState
from escalation.incident.state.posted import Copy, CopyKind
from tests.scenarios.test_incidents import RESOLUTION
from tests.scenarios.test_security import told
from tests.support.bot import Json, control
from tests.support.company import user
from tests.support.http import web
from tests.support.stage import Stage, stage
from tests.support.waiting import eventually
from tests.support.worker import through
from workers.channels import Sent, Tag
from workers.channels.slack import SlackClient

Place = tuple[CopyKind, str, str]


@pytest.fixture
def on() -> Iterator[Stage]:
    with stage() as running:
        yield running


def delete(on: Stage, channel: str, ts: str) -> None:
    """Delete a message by hand, and wait until the bot has heard of it."""
    web.delete(f"{on.bot.workspace.url}/control/messages/{channel}/{ts}").raise_for_status()
    eventually(lambda: on.works.store.deleted.has(channel, ts))


def delete_living(on: Stage, copy: Copy) -> None:
    delete(on, copy.channel, copy.ts)
    eventually(lambda: on.incident.copy_of(copy.id) is None)


def living(incident: Incident) -> list[Copy]:
    return [copy for copy in incident.copies if not copy.final]


def place(copy: Copy) -> Place:
    return copy.kind, copy.person, copy.about


def stands(on: Stage, copy: Copy) -> bool:
    return any(m["ts"] == copy.ts for m in on.messages(copy.channel))


def test_each_message_that_lives_comes_again_once(on: Stage) -> None:
    """A card, a pinned card, an unanswered page, a reminder and a list that were deleted stand once more, and once."""
    on.declare()
    on.until(2)
    on.press("dana", Move.ACKNOWLEDGE)
    on.until(40)
    unanswered = {page.n for page in on.incident.pages if page.state is PageState.OPEN}
    before = [c for c in living(on.incident) if c.kind is not CopyKind.DIRECT or c.page in unanswered]
    assert {c.kind for c in before} == set(CopyKind)
    entries = len(on.incident.timeline)
    for copy in before:
        delete_living(on, copy)
        on.works.run()
        (anew,) = [c for c in living(on.incident) if place(c) == place(copy)]
        assert anew.ts != copy.ts
        assert stands(on, anew)
        assert on.incident.effects == ()
    said = [entry.kind for entry in on.incident.timeline[entries:]]
    assert said == [EntryKind.CARD_LOST] * 2  # of the two cards; a page posted anew is no repeat
    pinned = [m["ts"] for m in on.messages(on.room()["id"]) if m.get("pinned_to")]
    assert pinned == [copy.ts for copy in on.incident.copies if copy.kind is CopyKind.ROOM]


def test_the_card_of_a_quiet_incident_is_there_again_at_once(on: Stage) -> None:
    """Nothing else happens to a P3 whose card was deleted: its new card does not wait for that."""
    on.declare(severity="P3")
    (old,) = [c for c in living(on.incident) if c.kind is CopyKind.CHANNEL]
    delete_living(on, old)
    on.works.run()
    (new,) = [c for c in living(on.incident) if c.kind is CopyKind.CHANNEL]
    assert on.card()["ts"] == new.ts != old.ts


def test_a_card_that_is_deleted_before_its_send_is_recorded_is_posted_anew(on: Stage) -> None:
    """The event overtakes the worker, which has Slack's answer in its hands: exactly one card stands in the end."""
    taken: list[str] = []

    class Overtaken(SlackClient):
        """Somebody is quicker than our record, once for each kind of message."""

        def post(self, channel: str, message: Message, tag: Tag, *more: Any, **named: Any) -> Sent:
            sent = super().post(channel, message, tag, *more, **named)
            if len(taken) < 3:
                taken.append(sent.ts)
                delete(on, sent.channel, sent.ts)
            return sent

    workspace = on.bot.workspace
    on.works.context = through(
        on.works.context, slack=Overtaken(workspace.bot_token, workspace.api_url, on.works.redis)
    )
    on.declare(severity="P1")
    on.works.run()
    places = [place(copy) for copy in living(on.incident)]
    assert len(taken) == 3
    assert len(set(places)) == len(places)
    assert all(stands(on, copy) for copy in living(on.incident))
    assert {c.kind for c in living(on.incident)} >= {CopyKind.CHANNEL, CopyKind.DIRECT}


def test_what_we_delete_ourselves_does_not_come_back(on: Stage) -> None:
    """A repeated page and a repeated reminder replace the former ones; that Slack tells us of it changes nothing."""
    on.declare()
    on.until(70)
    gone = [call["args"] for call in on.works.calls("chat.delete")]
    assert len(gone) > 2
    before = on.incident
    eventually(lambda: on.works.store.deleted.has(gone[-1]["channel"], gone[-1]["ts"]))
    on.works.run()
    assert on.incident == before
    assert not [e for e in before.timeline if e.kind is EntryKind.CARD_LOST]
    assert len({place(copy) for copy in living(before)}) == len(living(before))


def test_an_event_that_comes_twice_is_one(on: Stage) -> None:
    """Slack sends it again: the card that was posted meanwhile is another."""
    on.declare(severity="P3")
    card = on.incident.card()
    assert card
    delete_living(on, card)
    on.works.run()
    before = on.incident
    control(on.bot.workspace, "redeliver", n=10)
    on.works.run()
    assert on.incident == before


@pytest.mark.parametrize("move", [None, Move.RESOLVE])
def test_what_was_said_and_what_is_over_stays_deleted(on: Stage, move: Move | None) -> None:
    """A line in the thread or the room, and the card of a closed incident: it comes again when that is reopened."""
    on.declare()
    on.until(2)
    on.press("dana", Move.ACKNOWLEDGE)
    if move:
        on.press("dana", Move.RESOLVE, **RESOLUTION)
    before = on.incident
    card = before.card()
    assert card
    assert before.room
    lines = [m for where in (card.channel, before.room.channel) for m in on.messages(where) if m.get("app_id")]
    cards = {c.ts for c in before.copies}
    for line in [{"ts": card.ts, "channel": card.channel}] if move else [m for m in lines if m["ts"] not in cards]:
        delete(on, line["channel"], line["ts"])
    on.works.run()
    assert [c.id for c in on.incident.copies] == [c.id for c in before.copies]
    assert on.incident.effects == ()
    if move:
        on.works.service.handle(before.id, Reopen(by=user("dana"), why="It came back"))
        on.works.run()
        new = on.incident.card()
        assert new
        assert new.ts != card.ts
        assert stands(on, new)


def test_the_card_of_a_private_room_comes_again_in_its_room(on: Stage) -> None:
    """A security incident has its card there and nowhere else: it is pinned again, and nothing of it becomes public."""
    on.works.declare("P0", by=user("paula"), security=True)
    on.works.run()
    (old,) = [c for c in living(on.incident) if c.kind is CopyKind.ROOM]
    public = {c["id"] for c in on.state()["channels"] if not c.get("is_private") and "name" in c}
    said = {where: len(on.messages(where)) for where in public}
    delete_living(on, old)
    on.works.run()
    (new,) = [c for c in living(on.incident) if c.kind is CopyKind.ROOM]
    assert on.incident.private
    assert new.channel == old.channel
    assert [m["ts"] for m in on.messages(new.channel) if m.get("pinned_to")] == [new.ts]
    assert {where: len(on.messages(where)) for where in public} == said


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(lambda ts: {"subtype": "message_deleted", "deleted_ts": ts}, id="nothing of the message"),
        pytest.param(
            lambda ts: {
                "subtype": "message_changed",
                "message": {"subtype": "tombstone", "user": "USLACKBOT", "ts": ts},
            },
            id="nothing but a tombstone",
        ),
    ],
)
def test_a_deletion_of_which_slack_tells_little_is_enough(shape: Callable[[str], Json]) -> None:
    """Channel and time name the message: the incident is found without the buttons that it had."""
    with stage(http=True) as on:
        on.declare(severity="P3")
        card = on.incident.card()
        assert card
        body = told(
            {"type": "message", "channel": card.channel, "channel_type": "channel", **shape(card.ts)}, "T0EXAMPLE1"
        )
        stamp = str(int(time.time()))
        key = on.bot.workspace.signing_secret.encode()
        digest = hmac.new(key, f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {"x-slack-signature": f"v0={digest}", "x-slack-request-timestamp": stamp}
        on.bot.web.post("/slack/events", content=body, headers={**headers, "content-type": "application/json"})
        eventually(lambda: on.incident.copy_of(card.id) is None)
        on.works.run()
        new = on.incident.card()
        assert new
        assert new.ts != card.ts
