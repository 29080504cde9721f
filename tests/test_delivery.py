"""Each effect reaches Slack exactly once, whatever goes wrong on the way: over the wire, to the local workspace."""

import itertools
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from working import PushedClock, Works, redis_of, works

import sandbox.server
from escalation.effects import SendPage
from escalation.events import Acknowledge, CheckpointDue, MarkSecurity, Resolve
from escalation.incident import EntryKind, Incident, PageState
from workers import metrics
from workers.channels.slack import SlackDoor
from workers.delivery import Deliveries
from workers.sweep import Sweep

MARKER = "zebra crossing"


@pytest.fixture
def parts() -> Iterator[Works]:
    clock = PushedClock()
    with sandbox.server.running(clock=clock.seconds) as workspace, redis_of("fakeredis") as redis:
        yield works(redis, workspace, clock)


def messages(parts: Works) -> list[dict[str, Any]]:
    """Every message of the workspace."""
    by_channel = parts.look("control/state")["messages"]
    return [{**m, "channel": where} for where, all_there in by_channel.items() for m in all_there]


def times_delivered(parts: Works) -> Counter[str]:
    marks = (m.get("metadata") or {} for m in messages(parts))
    return Counter(m["event_payload"]["delivery"] for m in marks if m.get("event_type") == "tocsin_delivery")


def directs(parts: Works) -> list[dict[str, Any]]:
    return [m for m in messages(parts) if m["channel"].startswith("D")]


def channels(parts: Works) -> list[dict[str, Any]]:
    """All but direct messages."""
    return [c for c in parts.look("control/state")["channels"] if "name" in c and not c.get("is_im")]


def channel(parts: Works, name: str) -> dict[str, Any]:
    return next(c for c in channels(parts) if c["name"] == name)


def counted(parts: Works, name: str, **labels: str) -> int:
    field = f"{name}|{','.join(f'{k}={v}' for k, v in labels.items())}"
    return int(parts.redis.hget(metrics.KEY, field) or 0)


def settled(parts: Works, incident: Incident) -> Incident:
    """The incident, which has nothing left to do, and of which every message stands exactly once."""
    now = parts.now(incident)
    assert now.effects == ()
    assert set(times_delivered(parts).values()) == {1}
    return now


# All is well ---------------------------------------------------------------------------------------------------------


def test_a_declaration_reaches_everybody_once(parts: Works) -> None:
    """Card, thread, room with topic, pin, link and people, and a page for each: all at once."""
    incident = parts.declare("P0")
    parts.run()
    now = settled(parts, incident)
    assert now.room is not None
    assert not now.troubles
    assert len(directs(parts)) == 3
    room = channel(parts, now.room.name)
    assert incident.id in room["topic"]["value"]
    assert incident.id in room["purpose"]["value"]
    assert counted(parts, "deliveries_total", kind="page", result="sent") == 3


def test_cards_show_the_latest_face_in_every_copy(parts: Works) -> None:
    """An acknowledgement is seen in the channel, in the room and in each page's own card."""
    incident = parts.declare("P0")
    parts.run()
    parts.desk.handle(incident.id, Acknowledge(by="U0OMAR0001"))
    parts.run()
    now = settled(parts, incident)
    assert {c.face for c in now.copies} == {now.face}
    assert len(now.copies) == 5


def test_people_known_by_key_are_looked_up_and_remembered(parts: Works) -> None:
    """From then on the page is that member's, so that the next one replaces it."""
    incident = parts.declare("P0")
    parts.run()
    assert {p.person for p in parts.now(incident).pages} == {"U0MEI00001", "U0LENA0001", "U0BRUNO001"}
    assert parts.store.directory().people["lena"] == "U0LENA0001"


# What goes wrong on the way ------------------------------------------------------------------------------------------

SENDING = ("chat.postMessage", "conversations.create", "chat.update", "*")
FURNISHING = (
    "conversations.open",
    "conversations.invite",
    "conversations.setTopic",
    "conversations.setPurpose",
    "conversations.list",
    "users.lookupByEmail",
    "pins.add",
    "bookmarks.add",
)
PASSING: dict[str, dict[str, Any]] = {
    "429": {"kind": "ratelimited", "retry_after": 2},
    "internal_error": {"kind": "error", "error": "internal_error"},
    "service_unavailable": {"kind": "error", "error": "service_unavailable"},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "drop before": {"kind": "drop_before"},
    "drop after": {"kind": "drop_after"},
}


@pytest.mark.parametrize(
    ("method", "fault"),
    [*itertools.product(SENDING, PASSING), *itertools.product(FURNISHING, ("429", "drop after"))],
)
def test_passing_failures_lose_nothing_and_double_nothing(parts: Works, method: str, fault: str) -> None:
    """Two in a row of each kind at each method: a few seconds later everything stands exactly once."""
    parts.fault(method, times=2, **PASSING[fault])
    incident = parts.declare("P0")
    parts.run()
    parts.run_for(8, step=0.5)
    now = settled(parts, incident)
    assert now.room is not None
    assert not now.room.name.endswith("-2")
    assert len(directs(parts)) == 3
    assert len(parts.calls("pins.add")) >= 1
    assert len(channel(parts, now.room.name)["bookmarks"]) == 1
    assert len([c for c in channels(parts) if c["name"].startswith("inc-")]) == 1


def test_a_lost_reply_is_adopted_and_not_sent_again(parts: Works) -> None:
    """The message is known by its metadata."""
    parts.fault("chat.postMessage", "drop_after", times=3)
    incident = parts.declare("P0")
    parts.run()
    parts.run_for(3)
    settled(parts, incident)
    adopted = sum(counted(parts, "deliveries_total", kind=k, result="adopted") for k in ("page", "card", "say"))
    assert adopted == 3
    posts = [c for c in parts.calls("chat.postMessage") if c["ok"] or c["error"] is None]
    assert len(posts) == sum(times_delivered(parts).values())


def test_a_slack_that_hangs_is_given_up_and_asked_again(parts: Works) -> None:
    """The timeout is ours; whether the message arrived is looked up."""
    assert parts.workspace
    door = SlackDoor(parts.workspace.bot_token, parts.workspace.api_url, parts.redis, timeout=1)
    parts.context = replace(parts.context, slack=door)
    parts.fault("chat.postMessage", "hang", seconds=3)
    incident = parts.declare("P3")
    parts.run()
    assert parts.now(incident).effects
    parts.run_for(3, step=0.5)
    settled(parts, incident)


def test_the_wait_that_slack_asks_for_is_kept(parts: Works) -> None:
    """Not even a doubled job asks again before it is over."""
    parts.fault("chat.postMessage", "ratelimited", retry_after=3)
    incident = parts.declare("P3")
    parts.run()
    before = len(parts.calls("chat.postMessage"))
    parts.clock.push(seconds=2.999)
    parts.run()
    deliveries = Deliveries(parts.context)
    deliveries.deliver([e.id for e in parts.now(incident).effects])
    deliveries.close()
    assert len(parts.calls("chat.postMessage")) == before
    parts.clock.push(milliseconds=1)
    parts.run()
    settled(parts, incident)


def test_doubled_jobs_send_once(parts: Works) -> None:
    """Eight at the same time, while Slack takes its time."""
    parts.control("latency", seconds=0.05)
    incident = parts.declare("P0")
    ids = [e.id for e in incident.effects]
    deliveries = [Deliveries(parts.context) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: deliveries[n % 4].deliver(ids), range(8)))
    for each in deliveries:
        each.close()
    parts.run()
    settled(parts, incident)


def test_sends_whose_jobs_were_lost_go_out_after_a_repair(parts: Works) -> None:
    """RQ's side is wiped: the alarms are the truth."""
    incident = parts.declare("P0")
    for _ in range(12):
        for key in parts.redis.keys("rq:*"):
            parts.redis.delete(key)
        parts.clock.push(seconds=1.5)
        Sweep(parts.redis, parts.store).look(parts.clock())
        parts.run()
    settled(parts, incident)
    assert len(directs(parts)) == 3


# Stale work loses ----------------------------------------------------------------------------------------------------

RESOLVE = Resolve(by="U0OMAR0001", summary="Fixed", resolution="Restarted")


@pytest.mark.parametrize("move", [RESOLVE, "answered"])
def test_a_page_that_is_moot_by_now_is_not_sent(parts: Works, move: Any) -> None:
    """Nobody is woken for what is over, or for what they did already."""
    incident = parts.declare("P0")
    parts.run()
    mei = "U0MEI00001"
    parts.clock.push(minutes=5)
    parts.redis.delete("rq:queue:urgent")
    before = len(directs(parts))
    parts.desk.handle(incident.id, Acknowledge(by=mei) if move == "answered" else move)
    parts.run()
    now = settled(parts, incident)
    state = now.open_page_of(mei)
    assert state is None or move != "answered"
    repeats = 0 if move == RESOLVE else 2
    assert len(directs(parts)) == before + repeats


def test_only_the_newest_repeat_of_a_page_goes_out(parts: Works) -> None:
    """After an outage a person gets one message, not one for each repeat that was missed."""
    incident = parts.declare("P0")
    for _ in range(2):
        parts.clock.push(minutes=5)
        parts.redis.delete("rq:queue:urgent")  # the workers are away
        for checkpoint in parts.now(incident).checkpoints:
            if checkpoint.due <= parts.clock():
                from_job(parts, incident, checkpoint.id)
    pages = [e for e in parts.now(incident).effects if isinstance(e, SendPage)]
    assert len(pages) == 9
    deliveries = Deliveries(parts.context)
    deliveries.deliver([e.id for e in pages])
    deliveries.close()
    assert len(directs(parts)) == 3
    assert counted(parts, "deliveries_total", kind="page", result="dropped") == 6


def from_job(parts: Works, incident: Incident, checkpoint_id: str) -> None:
    parts.desk.handle(incident.id, CheckpointDue(checkpoint=checkpoint_id))


# People --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [False, True])
def test_a_page_for_somebody_who_left_climbs_at_once(parts: Works, known: bool) -> None:
    """Looked up in vain, or known and deactivated since."""
    if known:
        parts.declare("P0")
        parts.run()
        parts.redis.delete("tocsin:dm")
    parts.control("users/U0MEI00001", deleted=True)
    incident = parts.declare("P0", title="Again")
    parts.run()
    now = parts.now(incident)
    refused = [e for e in now.timeline if e.kind is EntryKind.REFUSED]
    assert len(refused) >= 1
    assert 2 in now.tiers_paged
    assert any(p.state is PageState.REFUSED for p in now.pages)
    settled(parts, incident)


def test_a_direct_channel_that_is_gone_is_opened_anew(parts: Works) -> None:
    """The id kept in Redis is no truth."""
    parts.redis.hset("tocsin:dm", "U0MEI00001", "D0NOWHERE")
    incident = parts.declare("P0")
    parts.run()
    parts.run_for(1)
    settled(parts, incident)
    assert len(directs(parts)) == 3


# Rooms ---------------------------------------------------------------------------------------------------------------


def test_a_room_name_that_somebody_took_gets_a_number(parts: Works) -> None:
    """Only the bot's own new room is adopted."""
    parts.control("channels", name="inc-20241218-001-checkout-is-down", creator="U0DANA0001")
    incident = parts.declare("P0")
    parts.run()
    room = settled(parts, incident).room
    assert room is not None
    assert room.name == "inc-20241218-001-checkout-is-down-2"


def test_a_private_room_is_never_replaced_by_a_public_one(parts: Works) -> None:
    """Refused, it is tried again, and the thread of it waits: nothing is said anywhere."""
    parts.fault("conversations.create", "error", error="restricted_action", times=2, match={"is_private": True})
    incident = parts.declare("P0", title=MARKER, security=True)
    parts.run()
    assert parts.now(incident).room is None
    parts.run_for(3)
    now = settled(parts, incident)
    assert now.room is not None
    assert now.room.private
    private = [c for c in parts.calls("conversations.create") if c["args"]["name"].startswith("inc-")]
    assert {c["args"]["is_private"] for c in private} == {True}
    assert public_words(parts) == []


def public_words(parts: Works) -> list[str]:
    """The messages in public channels that say what a secret incident is about."""
    public = {c["id"] for c in channels(parts) if not c["is_private"]}
    return [m["text"] for m in messages(parts) if m["channel"] in public and MARKER in str(m)]


def test_the_words_of_a_security_incident_stay_in_its_room(parts: Works) -> None:
    """From the declaration to its end."""
    incident = parts.declare("P0", title=MARKER, security=True)
    parts.run()
    parts.desk.handle(incident.id, Acknowledge(by="U0SOFIA001"))
    parts.run()
    parts.desk.handle(incident.id, RESOLVE)
    parts.run()
    settled(parts, incident)
    assert any(MARKER in str(m) for m in messages(parts))
    assert public_words(parts) == []


def test_an_incident_marked_later_is_redacted_in_public(parts: Works) -> None:
    """The public card says that it moved; the private room has a card of its own."""
    incident = parts.declare("P0", title=MARKER)
    parts.run()
    parts.desk.handle(incident.id, MarkSecurity(by="U0OMAR0001", why="A leak"))
    parts.run()
    now = settled(parts, incident)
    cards = [m for m in messages(parts) if m["ts"] in {c.ts for c in now.copies if c.redacted}]
    assert len(cards) == 2
    assert not any(MARKER in str(m) for m in cards)
    assert now.room is not None
    assert now.room.private
    assert MARKER not in channel(parts, now.old_rooms[0].name)["topic"]["value"]


@pytest.mark.parametrize("secret", [False, True])
def test_an_archived_room_is_lost_and_said(parts: Works, secret: bool) -> None:
    """A private incident gets a new room, for it has no other home."""
    incident = parts.declare("P0", security=secret)
    parts.run()
    room = parts.now(incident).room
    assert room is not None
    parts.control(f"channels/{room.channel}", is_archived=True)
    parts.clock.push(seconds=30)
    parts.desk.handle(incident.id, Acknowledge(by="U0OMAR0001"))
    parts.run()
    now = settled(parts, incident)
    assert now.latest(EntryKind.ROOM_LOST) is not None
    assert now.room is not None
    assert now.room.lost is not secret
    assert (now.room.channel != room.channel) is secret


@pytest.mark.parametrize("method", ["pins.add", "bookmarks.add", "conversations.setTopic", "conversations.invite"])
@pytest.mark.parametrize("error", ["missing_scope", "plan_upgrade_required", "not_allowed", "unknown_method"])
def test_the_incident_goes_on_without_what_a_workspace_lacks(parts: Works, method: str, error: str) -> None:
    """Nice to have is dropped without a word, and everything else stands."""
    parts.fault(method, "error", error=error, times=None)
    incident = parts.declare("P0")
    parts.run()
    assert not settled(parts, incident).troubles


# Ours ----------------------------------------------------------------------------------------------------------------


def test_an_archived_incidents_channel_is_said_once_and_tried_until_it_is_back(parts: Works) -> None:
    """People are paged all the same, and the room tells what is wrong."""
    parts.declare("P3", title="Earlier")
    parts.run()
    where = channel(parts, "incidents")["id"]
    parts.control(f"channels/{where}", is_archived=True)
    incident = parts.declare("P0")
    parts.run()
    parts.run_for(5, step=0.5)
    now = parts.now(incident)
    assert [e.why for e in now.timeline if e.kind is EntryKind.TROUBLE] == [
        "#incidents is archived: unarchive it, or set workspace.incidents_channel"
    ]
    assert len([m for m in directs(parts) if incident.id in str(m)]) == 3
    parts.control(f"channels/{where}", is_archived=False)
    parts.run_for(60, step=5)
    assert settled(parts, incident).troubles == {}


@pytest.mark.parametrize("error", ["invalid_auth", "token_revoked", "missing_scope", "some_new_error"])
def test_what_is_wrong_with_us_never_climbs(parts: Works, error: str) -> None:
    """It is retried and said; the CTO is not paged for a revoked token."""
    parts.fault("chat.postMessage", "error", error=error, times=None)
    incident = parts.declare("P0")
    parts.run()
    parts.run_for(2, step=0.5)
    now = parts.now(incident)
    assert now.troubles
    assert now.tiers_paged == (1,)
    assert not [e for e in now.timeline if e.kind is EntryKind.REFUSED]
    assert sum(counted(parts, "deliveries_total", kind=k, result="trouble") for k in ("page", "card")) > 0


def test_an_incidents_channel_that_people_made_is_joined(parts: Works) -> None:
    """By name, and it is not made a second time."""
    parts.control("channels", name="incidents", creator="U0DANA0001")
    incident = parts.declare("P3")
    parts.run()
    settled(parts, incident)
    assert parts.calls("conversations.join")
    assert not parts.calls("conversations.create")
