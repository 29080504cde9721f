"""Where sends go: people who left, rooms that are taken or gone, secret incidents, and what is wrong with us."""

import pytest

from bot.render.blockkit import Message
from escalation.incident.events.moves import Acknowledge, MarkSecurity, Resolve, RootCause
from escalation.incident.events.news import AlertsChanged
from escalation.incident.state.alerts import AlertSummary
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.pages import PageState
from escalation.incident.state.posted import CopyKind
from escalation.values import machine
from tests.support.profiles import few_of
from tests.support.worker import Works
from workers.channels.failures import Failed, Kind

MARKER = "zebra crossing"


# People --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [False, True])
def test_a_page_for_somebody_who_left_escalates_at_once(parts: Works, known: bool) -> None:
    """Looked up in vain, or known and deactivated since: Slack goes on taking messages for them."""
    if known:
        parts.declare("P0")
        parts.run()
    parts.control("users/U0MEI00001", deleted=True)
    incident = parts.declare("P0", title="Again")
    parts.run()
    now = parts.now(incident)
    refused = [e for e in now.timeline if e.kind is EntryKind.REFUSED]
    assert len(refused) >= 1
    assert 2 in now.tiers_paged
    assert any(p.state is PageState.REFUSED for p in now.pages)
    parts.settled(incident)


def test_a_direct_channel_that_is_gone_is_opened_anew(parts: Works) -> None:
    """The id kept in Redis is no truth."""
    parts.redis.hset("tocsin:dm", "U0MEI00001", "D0NOWHERE")
    incident = parts.declare("P0")
    parts.run()
    parts.run_for(1)
    parts.settled(incident)
    assert len(parts.directs()) == 3


def test_blocks_that_slack_refuses_are_left_away(parts: Works) -> None:
    """A page in plain words arrives; one that is retried for ever does not."""
    parts.fault("chat.postMessage", "error", error="invalid_blocks")
    incident = parts.declare("P0")
    parts.run()
    assert not parts.settled(incident).troubles
    plain = [c["args"] for c in parts.calls("chat.postMessage") if "blocks" not in c["args"]]
    assert [bool(args["text"] and args["metadata"]) for args in plain] == [True]
    assert [problem.key for problem in parts.store.problems.current()] == ["slack:blocks"]


# Rooms ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        ((), "inc-001-checkout-is-down"),
        (("inc-001-checkout-is-down",), "inc-1218-001-checkout-is-down"),
        (("inc-001-checkout-is-down", "inc-1218-001-checkout-is-down"), "inc-20241218-001-checkout-is-down"),
    ],
)
def test_a_room_name_that_somebody_took_gets_its_day(parts: Works, taken: tuple[str, ...], name: str) -> None:
    """Only the bot's own new room is adopted; another room's name is left to it."""
    for other in taken:
        parts.control("channels", name=other, creator="U0DANA0001")
    incident = parts.declare("P0")
    parts.run()
    room = parts.settled(incident).room
    assert room is not None
    assert room.name == name


def test_another_incidents_new_room_is_not_adopted(parts: Works) -> None:
    """Numbers begin again at midnight: a room made a minute ago under the same name may be yesterday's last."""
    rooms, now = parts.context.slack.rooms, parts.clock()
    yesterdays = rooms.create(["inc-001-x"], False, "War room of INC-20241217-001", now)
    todays = rooms.create(["inc-001-x", "inc-1218-001-x"], False, "War room of INC-20241218-001", now)
    again = rooms.create(["inc-001-x", "inc-1218-001-x"], False, "War room of INC-20241218-001", now)
    assert yesterdays.channel != todays.channel == again.channel
    assert todays.name == "inc-1218-001-x"


def test_a_private_room_is_never_replaced_by_a_public_one(parts: Works) -> None:
    """Refused, it is tried again, and the thread of it waits: nothing is said anywhere."""
    parts.fault("conversations.create", "error", error="restricted_action", times=2, match={"is_private": True})
    incident = parts.declare("P0", title=MARKER, security=True)
    parts.run()
    assert parts.now(incident).room is None
    parts.run_for(3)
    now = parts.settled(incident)
    assert now.room is not None
    assert now.room.private
    private = [c for c in parts.calls("conversations.create") if c["args"]["name"].startswith("inc-")]
    assert {c["args"]["is_private"] for c in private} == {True}
    assert parts.public_words(MARKER) == []


def test_the_words_of_a_security_incident_stay_in_its_room(parts: Works) -> None:
    """From the declaration to its end."""
    incident = parts.declare("P0", title=MARKER, security=True)
    parts.run()
    parts.service.handle(incident.id, Acknowledge(by="U0SOFIA001"))
    parts.run()
    parts.service.handle(incident.id, Resolve(by="U0SOFIA001", summary="Closed", resolution="Rotated"))
    parts.run()
    parts.settled(incident)
    assert any(MARKER in str(m) for m in parts.messages())
    assert parts.public_words(MARKER) == []


def test_an_incident_marked_later_is_redacted_in_public(parts: Works) -> None:
    """The public card says that it moved; the private room has a card of its own."""
    incident = parts.declare("P0", title=MARKER)
    parts.run()
    parts.service.handle(incident.id, MarkSecurity(by="U0OMAR0001", why="A leak"))
    parts.run()
    now = parts.settled(incident)
    cards = [m for m in parts.messages() if m["ts"] in {c.ts for c in now.copies if c.redacted}]
    assert len(cards) == 2
    assert not any(MARKER in str(m) for m in cards)
    assert now.room is not None
    assert now.room.private
    former = next(c for c in parts.channels() if c["id"] == now.old_rooms[0].channel)
    assert MARKER not in former["topic"]["value"]
    assert former["name"] == "inc-20241218-001-moved"


@pytest.mark.parametrize("secret", [False, True])
def test_an_archived_room_is_lost_and_said(parts: Works, secret: bool) -> None:
    """A private incident gets a new room, for it has no other home."""
    incident = parts.declare("P0", security=secret)
    parts.run()
    room = parts.now(incident).room
    assert room is not None
    parts.control(f"channels/{room.channel}", is_archived=True)
    parts.clock.push(seconds=30)
    parts.service.handle(incident.id, RootCause(by="U0OMAR0001", cause="a bad deploy"))
    parts.run()
    now = parts.settled(incident)
    assert now.latest(EntryKind.ROOM_LOST) is not None
    assert now.room is not None
    assert now.room.lost is not secret
    assert (now.room.channel != room.channel) is secret


def test_a_room_is_lost_by_the_first_update_that_it_does_not_take(parts: Works) -> None:
    """Slack has a word of its own for an update in an archived channel: it is about no account."""
    incident = parts.declare("P0")
    parts.run()
    room = parts.now(incident).room
    assert room is not None
    parts.control(f"channels/{room.channel}", is_archived=True)
    copy = next(c for c in parts.now(incident).copies if c.kind is CopyKind.ROOM)
    with pytest.raises(Failed) as failed:
        parts.context.slack.update(room.channel, copy.ts, Message("x", []))
    assert (failed.value.error, failed.value.kind) == ("is_archived", Kind.LOST)
    alerts = AlertSummary(firing=1, total=1)
    parts.service.handle(incident.id, AlertsChanged(by=machine("Prometheus"), alerts=alerts))  # nothing to say
    parts.run()
    now = parts.settled(incident)
    assert now.latest(EntryKind.ROOM_LOST) is not None
    assert now.room is not None
    assert now.room.lost


def test_what_stood_in_a_lost_private_room_is_left_alone(parts: Works) -> None:
    """Its reminders too: nothing is written to a former room, and nothing waits for ever to be."""
    incident = parts.declare("P0", security=True)
    parts.run()
    room = parts.now(incident).room
    assert room is not None
    while not any(c.kind is CopyKind.REMINDER and c.channel == room.channel for c in parts.now(incident).copies):
        parts.run_for(120, step=30)
    parts.control(f"channels/{room.channel}", is_archived=True)
    parts.service.handle(incident.id, Resolve(by="U0OMAR0001", summary="Over", resolution="Restarted"))
    parts.run_for(300, step=30)
    now = parts.settled(incident)
    assert not any(c.channel == room.channel for c in now.copies)


@pytest.mark.parametrize("method", ["pins.add", "bookmarks.add", "conversations.setTopic", "conversations.invite"])
@pytest.mark.parametrize("error", few_of(["missing_scope", "plan_upgrade_required", "not_allowed", "unknown_method"]))
def test_the_incident_goes_on_without_what_a_workspace_lacks(parts: Works, method: str, error: str) -> None:
    """Nice to have is dropped without a word, and everything else stands."""
    parts.fault(method, "error", error=error, times=None)
    incident = parts.declare("P0")
    parts.run()
    assert not parts.settled(incident).troubles


# Ours ----------------------------------------------------------------------------------------------------------------


def test_an_archived_incidents_channel_is_said_once_and_tried_until_it_is_back(parts: Works) -> None:
    """People are paged all the same, and the room tells what is wrong."""
    parts.declare("P3", title="Earlier")
    parts.run()
    where = parts.channel("incidents")["id"]
    parts.control(f"channels/{where}", is_archived=True)
    incident = parts.declare("P0")
    parts.run()
    parts.run_for(5, step=0.5)
    now = parts.now(incident)
    assert [e.why for e in now.timeline if e.kind is EntryKind.TROUBLE] == [
        "#incidents is archived: unarchive it, or set workspace.incidents_channel"
    ]
    assert len([m for m in parts.directs() if incident.id in str(m)]) == 3
    parts.control(f"channels/{where}", is_archived=False)
    parts.run_for(60, step=5)
    assert parts.settled(incident).troubles == {}


def test_a_reminder_that_was_repeated_goes_once_its_channel_is_back(parts: Works) -> None:
    """Its buttons stand where people read: it is deleted as soon as Slack lets us, not given up."""
    incident = parts.declare("P1")
    parts.run()
    while not (first := [c for c in parts.now(incident).copies if c.kind is CopyKind.REMINDER and not c.person]):
        parts.run_for(300, step=60)
    for method in ("chat.delete", "chat.update"):
        parts.fault(method, "error", error="is_archived", times=None)
    while [c for c in parts.now(incident).copies if c.id == first[0].id]:
        parts.run_for(300, step=60)
    assert parts.now(incident).troubles
    parts.slack_back()
    parts.run_for(300, step=60)
    assert first[0].ts not in {m["ts"] for m in parts.messages()}


@pytest.mark.parametrize("error", ["invalid_auth", "token_revoked", "missing_scope", "some_new_error"])
def test_what_is_wrong_with_us_never_escalates(parts: Works, error: str) -> None:
    """It is retried and said; the CTO is not paged for a revoked token."""
    parts.fault("chat.postMessage", "error", error=error, times=None)
    incident = parts.declare("P0")
    parts.run()
    parts.run_for(2, step=0.5)
    now = parts.now(incident)
    assert now.troubles
    assert now.tiers_paged == (1,)
    assert not [e for e in now.timeline if e.kind is EntryKind.REFUSED and "via" not in e.fields]
    assert sum(parts.counted("deliveries_total", kind=k, result="trouble") for k in ("page", "card")) > 0


def test_an_incidents_channel_that_nobody_is_in_is_a_problem_until_somebody_is(parts: Works) -> None:
    """Where nobody can be invited into the channel that was made, operators are told, until somebody is in it."""
    parts.fault("conversations.invite", "error", error="cant_invite", times=None)
    incident = parts.declare("P3")
    parts.run()
    (problem,) = parts.store.problems.current()
    assert "nobody could be invited into #incidents" in problem.text
    assert "workspace.incidents_channel" in problem.remedy
    assert parts.now(incident).card()
    parts.slack_back()
    parts.declare("P3", title="Another")
    parts.run()
    assert not parts.store.problems.current()
    assert len(parts.channel("incidents")["members"]) > 1


def test_an_incidents_channel_that_people_made_is_joined(parts: Works) -> None:
    """By name, and it is not made a second time."""
    parts.control("channels", name="incidents", creator="U0DANA0001")
    incident = parts.declare("P3")
    parts.run()
    parts.settled(incident)
    assert parts.calls("conversations.join")
    assert not any(c["ok"] for c in parts.calls("conversations.create"))


def test_an_incidents_channel_may_be_named_by_its_id(parts: Works) -> None:
    """Then nothing is listed, and nothing is made."""
    made = parts.control("channels", name="elsewhere", creator="U0DANA0001")["channel"]["id"]
    workspace = parts.service.company.workspace.model_copy(update={"incidents_channel": made})
    parts.service.company = parts.service.company.model_copy(update={"workspace": workspace})
    incident = parts.declare("P3")
    parts.run()
    parts.settled(incident)
    assert {c.channel for c in parts.now(incident).copies if c.kind == "channel"} == {made}
    assert not parts.calls("conversations.list")
