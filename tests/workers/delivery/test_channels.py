"""Channels that people archived, deleted, made private or took the bot out of; cards that were deleted by hand."""

from collections import Counter
from datetime import datetime, timedelta
from functools import partial

import pytest

from benchmarks.surfaces import delivery_of
from bot.render.mrkdwn import plain
from escalation.config.notify import OtherWays, Via
from escalation.config.rules.communications import Means
from escalation.incident.effects import MailOut
from escalation.incident.events.moves import (
    Acknowledge,
    Answer,
    AnswerCommunication,
    Cancel,
    MarkSecurity,
    PostUpdate,
    Reopen,
    Resolve,
    Reviewed,
    StartFix,
)
from escalation.incident.events.outcomes import Delivered
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.messages.timeline import entry_lines
from escalation.oncall.overrides import add_notice
from escalation.oncall.schedule import OncallState, Override
from tests.support.http import web
from tests.support.story import Story
from tests.support.worker import Works
from workers.recurring.reminders import Reminders

OMAR, DANA, BOT = "U0OMAR0001", "U0DANA0001", "U0TOCSIN01"
ONCALL = "oncall-news"
KEYS = {
    "workspace.incidents_channel": "incidents",
    "workspace.stakeholders_channel": "stakeholders",
    "teams.backend.channel": "team-backend",
}


def service_of_backend(parts: Works) -> str:
    return next(name for name, s in parts.service.company.services.items() if s.team == "backend")


def tell(parts: Works, key: str) -> Incident:
    severity = "P3" if key.startswith("teams") else "P0"
    incident = parts.declare(severity, service=service_of_backend(parts), outage=True)
    parts.run()
    return parts.now(incident)


def words_in(parts: Works, channel: str) -> list[str]:
    return [str(m) for m in parts.messages() if m["channel"] == channel]


def broken(parts: Works, key: str, how: str) -> str:
    """Break the channel of a key as people do; returns its id."""
    name = KEYS[key]
    if name not in [c["name"] for c in parts.channels()]:
        parts.control("channels", name=name, creator=DANA)
    channel = str(parts.channel(name)["id"])
    parts.redis.set(f"tocsin:channel:{name}", channel)
    match how:
        case "archived":
            parts.control(f"channels/{channel}", is_archived=True)
        case "renamed":
            parts.control(f"channels/{channel}", name=f"{name}-old")
        case "private":
            parts.control(f"channels/{channel}", is_private=True, members=[DANA])
    return channel


def mend(parts: Works, channel: str, how: str, name: str) -> None:
    match how:
        case "archived":
            parts.control(f"channels/{channel}", is_archived=False)
        case "renamed":
            parts.control(f"channels/{channel}", name=name)
        case "private":
            parts.control(f"channels/{channel}", members=[DANA, BOT])


@pytest.mark.parametrize(
    ("how", "cached"),  # a channel of a known id that was renamed is still that channel
    [("renamed", False), *((how, cached) for how in ("archived", "private") for cached in (False, True))],
)
@pytest.mark.parametrize("key", list(KEYS)[1:])
def test_a_channel_that_cannot_be_reached_is_named_with_its_key(parts: Works, key: str, how: str, cached: bool) -> None:
    """Card, timeline and problems name the channel and the key that sets it; once mended, the message arrives."""
    name, channel = KEYS[key], broken(parts, key, how)
    if not cached:
        parts.redis.delete(f"tocsin:channel:{name}")
    incident = tell(parts, key)
    (why,) = set(incident.troubles.values())
    assert f"#{name} " in why
    assert key in why
    (problem,) = parts.store.problems.current()
    assert (problem.key, problem.blocks) == (f"channel:{key}", False)
    assert key in problem.remedy
    assert name not in [c["name"] for c in parts.channels() if c["id"] != channel]
    mend(parts, channel, how, name)
    parts.run_for(70, step=5)
    assert parts.settled(incident).troubles == {}
    assert incident.id in str(words_in(parts, channel)) or "Checkout" in str(words_in(parts, channel))
    assert parts.store.problems.current() == []


@pytest.mark.parametrize("key", list(KEYS)[1:])
def test_a_private_channel_takes_what_waited_once_the_bot_is_invited(parts: Works, key: str) -> None:
    """It is named with its key as if it were not there; nothing that was to be said is lost meanwhile."""
    name = KEYS[key]
    if name in [c["name"] for c in parts.channels()]:
        parts.control(f"channels/{parts.channel(name)['id']}", name=f"{name}-old")
    private = parts.control("channels", name=name, creator=DANA, is_private=True)["channel"]["id"]
    parts.redis.delete(f"tocsin:channel:{name}")
    incident = tell(parts, key)
    assert [key in why for why in incident.troubles.values()] == [True]
    assert [p.key for p in parts.store.problems.current()] == [f"channel:{key}"]
    parts.control(f"channels/{private}", invite=["U0TOCSIN01"])
    parts.run_for(130, step=2)
    assert parts.now(incident).troubles == {}
    assert any("Checkout is down" in words for words in words_in(parts, private))


@pytest.mark.parametrize("key", list(KEYS))
def test_a_channel_deleted_and_made_anew_is_found_by_its_name(parts: Works, key: str) -> None:
    """The dead id in the cache is no truth: the message goes into the new channel, and nobody hears of trouble."""
    parts.redis.set(f"tocsin:channel:{KEYS[key]}", "C0DEAD0001")
    if key == "workspace.incidents_channel":
        parts.control("channels", name="incidents", creator=DANA)
    incident = tell(parts, key)
    assert parts.settled(incident).troubles == {}
    assert words_in(parts, parts.channel(KEYS[key])["id"])


@pytest.mark.parametrize("key", list(KEYS))
def test_a_public_channel_without_the_bot_is_joined_by_every_call(parts: Works, key: str) -> None:
    """Somebody removed the bot: it joins again and goes on."""
    incident = tell(parts, key)
    channel = parts.channel(KEYS[key])["id"]
    members = [m for m in parts.channel(KEYS[key])["members"] if m != BOT]
    before = len(words_in(parts, channel))
    parts.control(f"channels/{channel}", members=members or [DANA])
    parts.service.handle(incident.id, Resolve(by=OMAR, summary="Fixed", resolution="Rolled back"))
    parts.run()
    assert parts.settled(incident).troubles == {}
    assert len(words_in(parts, channel)) > before


def test_the_incidents_channel_is_made_with_people_in_it(parts: Works) -> None:
    """Only this one is made, and the first people of the configuration are invited: else nobody would find it."""
    incident = parts.declare("P3")
    parts.run()
    parts.settled(incident)
    assert len(parts.channel("incidents")["members"]) > 1


@pytest.mark.parametrize("how", ["missing", "archived", "private", "anew"])
def test_a_handover_notice_that_cannot_be_posted_is_a_problem_with_its_key(parts: Works, how: str) -> None:
    """Of the on-call channel too: the problem names the key until it is mended, and the notice comes then, once."""
    workspace = parts.service.company.workspace.model_copy(update={"oncall_channel": ONCALL})
    parts.service.company = parts.service.company.model_copy(update={"workspace": workspace})
    channel = "" if how == "missing" else created(parts, ONCALL)
    match how:
        case "archived":
            parts.control(f"channels/{channel}", is_archived=True)
        case "private":
            parts.control(f"channels/{channel}", is_private=True, members=[DANA])
        case "anew":
            parts.redis.set(f"tocsin:channel:{ONCALL}", "C0DEAD0001")
    parts.service.update_oncall(partial(arranged, parts))
    reminders = Reminders(parts.context)
    reminders.send_due(parts.clock())
    broken_now = [p.key for p in parts.store.problems.current()]
    assert broken_now == ([] if how == "anew" else ["channel:workspace.oncall_channel"])
    if how == "missing":
        channel = created(parts, ONCALL)
    elif how != "anew":
        mend(parts, channel, how, ONCALL)
    reminders.send_due(parts.clock())
    assert len([words for words in words_in(parts, channel) if "tocsin_delivery" in words]) == 1
    assert parts.store.problems.current() == []


def created(parts: Works, name: str) -> str:
    return str(parts.control("channels", name=name, creator=DANA)["channel"]["id"])


def arranged(parts: Works, state: OncallState, at: datetime) -> OncallState:
    """An override of which the on-call channel is told."""
    now, until = parts.clock(), parts.clock() + timedelta(hours=8)
    override = Override(id=1, rotation="primary", person="mei", starts=now, ends=until)
    after = state.model_copy(update={"overrides": (override,), "made": 1})
    return add_notice(state, after, "override", OMAR, at, parts.service.company)


# The war room --------------------------------------------------------------------------------------------------------


def without_bot(parts: Works, channel: str) -> None:
    members = next(c for c in parts.channels() if c["id"] == channel)["members"]
    parts.control(f"channels/{channel}", members=[m for m in members if m != BOT])


def test_a_public_room_without_the_bot_is_joined_again(parts: Works) -> None:
    """The bot was removed from the war room; Start fix is said there, in the same room."""
    incident = parts.declare("P0")
    parts.run()
    room = parts.now(incident).room
    assert room
    without_bot(parts, room.channel)
    parts.service.handle(incident.id, StartFix(by=OMAR, text="Rolling back"))
    parts.run()
    now = parts.settled(incident)
    assert now.room == room
    assert now.latest(EntryKind.ROOM_LOST) is None
    assert any("Rolling back" in words for words in words_in(parts, room.channel))


def test_a_private_room_without_the_bot_is_asked_for(parts: Works) -> None:
    """Whoever leads is asked directly to invite the bot; once it is back, everything is said in the same room."""
    incident = parts.declare("P0", security=True)
    parts.run()
    parts.service.handle(incident.id, Acknowledge(by=OMAR))
    parts.run()
    room = parts.now(incident).room
    assert room
    without_bot(parts, room.channel)
    parts.service.handle(incident.id, StartFix(by=OMAR, text="Rotating keys"))
    parts.run()
    now = parts.now(incident)
    assert now.room == room
    asked = [now.entry(p.entries[0]) for p in now.posts if p.person == OMAR]
    assert [entry.why for entry in asked] == [
        f"the bot is no longer in #{room.name}: invite it there again with /invite"
    ]
    members = next(c for c in parts.channels() if c["id"] == room.channel)["members"]
    parts.control(f"channels/{room.channel}", members=[*members, BOT])
    parts.run_for(70, step=5)
    assert parts.settled(incident).room == room
    assert any("Rotating keys" in words for words in words_in(parts, room.channel))


def test_a_private_room_that_stays_shut_is_replaced_after_ten_minutes(parts: Works) -> None:
    """Slack says the same of a deleted one: the incident gets a new private room, and nothing is lost."""
    incident = parts.declare("P0", security=True)
    parts.run()
    room = parts.now(incident).room
    assert room
    without_bot(parts, room.channel)
    parts.service.handle(incident.id, StartFix(by=OMAR, text="Rotating keys"))
    parts.run()
    parts.run_for(720, step=30)
    fresh = parts.now(incident).room
    assert fresh
    assert fresh.channel != room.channel
    assert fresh.private
    assert any("Rotating keys" in words for words in words_in(parts, fresh.channel))


# Deleted by hand -----------------------------------------------------------------------------------------------------


def delete(parts: Works, channel: str, ts: str) -> None:
    assert parts.workspace
    web.delete(f"{parts.workspace.url}/control/messages/{channel}/{ts}").raise_for_status()


@pytest.mark.parametrize("replies", [True, False])
@pytest.mark.parametrize("secret", [False, True])
def test_a_deleted_card_is_posted_anew_and_its_thread_goes_on_there(parts: Works, replies: bool, secret: bool) -> None:
    """A new card stands in the channel, what is said goes under it, and one line says so."""
    incident = parts.declare("P1" if not secret else "P0", security=secret)
    parts.run()
    old = parts.now(incident).card()
    assert old
    if not replies:
        for message in parts.messages():
            if message.get("thread_ts") == old.ts != message["ts"]:
                delete(parts, old.channel, message["ts"])
    delete(parts, old.channel, old.ts)
    parts.service.handle(incident.id, Acknowledge(by=OMAR))
    parts.run()
    parts.run_for(2, step=0.5)
    parts.service.handle(incident.id, StartFix(by=OMAR, text="Rolling back"))
    parts.run()
    parts.run_for(2, step=0.5)
    now = parts.settled(incident)
    card = now.card()
    assert card
    assert card.ts != old.ts
    under = [str(m) for m in parts.messages() if m.get("thread_ts") == card.ts != m["ts"]]
    assert any("Rolling back" in words for words in under)
    assert sum("card was deleted" in words for words in under) == 1
    top = [m for m in parts.messages() if m["channel"] == card.channel and m.get("thread_ts") in (None, m["ts"])]
    assert not any("Rolling back" in str(m["text"]) for m in top)


def test_what_was_sent_under_a_deleted_card_is_not_sent_again(parts: Works) -> None:
    """A message whose reply was lost stands in the old thread: it is found there, and its buttons end with the rest."""
    parts.fault("chat.postMessage", "drop_after", times=None)
    parts.fault("conversations.replies", "status", status=503, times=None)
    incident = parts.declare("P3", service=service_of_backend(parts))
    parts.run_for(5, step=0.5)
    old = parts.now(incident).card()
    assert old
    delete(parts, old.channel, old.ts)
    parts.slack_back()
    parts.service.handle(incident.id, Acknowledge(by=OMAR))
    parts.run_for(30, step=1)
    parts.service.handle(incident.id, Resolve(by=OMAR, summary="A", resolution="B"))
    parts.run_for(120, step=2)
    now = parts.settled(incident)
    card = now.card()
    assert card
    assert card.ts != old.ts
    said = Counter(delivery_of(m) for m in parts.messages() if delivery_of(m))
    assert set(said.values()) == {1}
    assert not any("schedule|" in str(m) for m in parts.messages())


def test_buttons_in_an_archived_team_channel_end_once_it_is_back(parts: Works) -> None:
    """What stands there is updated when Slack lets us, and the channel is named among the problems until then."""
    incident = parts.declare("P2", service=service_of_backend(parts))
    parts.run_for(3, step=0.5)
    team = parts.channel("team-backend")
    assert any("schedule|" in str(m) for m in parts.messages() if m["channel"] == team["id"])
    parts.control(f"channels/{team['id']}", is_archived=True)
    parts.service.handle(incident.id, Resolve(by=OMAR, summary="A", resolution="B"))
    parts.run_for(60, step=1)
    assert any("team-backend is archived" in problem.text for problem in parts.store.problems.current())
    parts.control(f"channels/{team['id']}", is_archived=False)
    parts.run_for(120, step=2)
    assert not any("schedule|" in str(m) for m in parts.messages())
    assert not parts.store.problems.current()


def test_buttons_under_a_deleted_card_end_once_the_archived_channel_is_back(parts: Works) -> None:
    """The channel of a card that was deleted is ours even while no card stands: it is asked again, not given up."""
    incident = parts.declare("P1", service=service_of_backend(parts))
    parts.run_for(62 * 60, step=20)  # users are still affected after an hour: a workaround?
    card = parts.now(incident).card()
    assert card
    asking = [p for p in parts.now(incident).posts if p.asks and p.channel == card.channel]
    assert asking
    delete(parts, card.channel, card.ts)
    parts.fault("chat.postMessage", "status", status=503, times=None)
    parts.service.handle(incident.id, PostUpdate(by=OMAR, progress="Looking"))
    parts.run_for(10, step=0.5)
    assert parts.now(incident).card() is None
    parts.control(f"channels/{card.channel}", is_archived=True)
    parts.service.handle(incident.id, Resolve(by=OMAR, summary="A", resolution="B"))
    parts.run_for(60, step=1)
    parts.slack_back()
    parts.control(f"channels/{card.channel}", is_archived=False)
    parts.run_for(180, step=2)
    now = parts.settled(incident)
    left = [m for m in parts.messages() if any(m["ts"] == p.ts for p in asking)]
    assert left
    assert not any("actions" in str([b["type"] for b in m.get("blocks", ())]) for m in left), now.timeline


def test_a_deleted_card_of_the_room_is_posted_and_pinned_anew(parts: Works) -> None:
    """The room has its card again, pinned."""
    incident = parts.declare("P0")
    parts.run()
    (old,) = [c for c in parts.now(incident).copies if c.kind == "room"]
    delete(parts, old.channel, old.ts)
    parts.service.handle(incident.id, StartFix(by=OMAR, text="Rolling back"))
    parts.run()
    (new,) = [c for c in parts.settled(incident).copies if c.kind == "room"]
    assert new.ts != old.ts
    assert [c["args"]["timestamp"] for c in parts.calls("pins.add")] == [old.ts, new.ts]


def test_a_deleted_message_is_not_updated_for_ever(parts: Works) -> None:
    """A page and a ticket that were deleted by hand are forgotten; the incident goes on."""
    incident = tell(parts, "teams.backend.channel")
    for post in incident.posts:
        delete(parts, post.channel, post.ts)
    for copy in incident.copies:
        if copy.kind == "direct":
            delete(parts, copy.channel, copy.ts)
    parts.service.handle(incident.id, Resolve(by=OMAR, summary="Fixed", resolution="Rolled back"))
    parts.run()
    parts.settled(incident)


# Large workspaces ----------------------------------------------------------------------------------------------------


def test_a_long_list_of_channels_goes_on_where_it_was_stopped(parts: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a 429 the list goes on from its cursor; meanwhile the problem says to set the channel's id."""
    monkeypatch.setattr("workers.channels.slack_rooms.CHANNELS_AT_ONCE", 1)
    for n in range(30):  # more than 20 calls a minute can list
        parts.control("channels", name=f"a-{n}", creator=DANA)
    parts.control("channels", name="incidents", creator=DANA)
    incident = parts.declare("P3")
    parts.control("limits", on=True)
    parts.run()
    (problem,) = parts.store.problems.current()
    assert problem.remedy == "set workspace.incidents_channel to the channel's id"
    for _ in range(3):
        parts.run_for(61, step=61)
    parts.control("limits", on=False)
    assert parts.settled(incident).troubles == {}
    assert parts.store.problems.current() == []
    assert sum(call["ok"] for call in parts.calls("conversations.list")) < 40


# Private later -------------------------------------------------------------------------------------------------------


def test_marked_as_security_its_words_are_redacted_wherever_they_stood(parts: Works) -> None:
    """Card, old thread, #stakeholders, team channel and former room are redacted; the new room hears where and what."""
    zebra = "zebra crossing"
    incident = parts.declare("P0", title=zebra, impact=zebra, service=service_of_backend(parts), outage=True)
    parts.run()
    parts.service.handle(incident.id, Acknowledge(by=OMAR))
    parts.service.handle(incident.id, PostUpdate(by=OMAR, progress=f"The {zebra} again"))
    parts.run()
    where = {m["channel"] for m in parts.messages() if zebra in str(m) and not m["channel"].startswith("D")}
    assert parts.channel("stakeholders")["id"] in where
    assert len(where) == 3
    parts.service.handle(incident.id, MarkSecurity(by=OMAR, why="a leak"))
    parts.run()
    now = parts.settled(incident)
    public = {c["id"] for c in parts.channels() if not c["is_private"]}
    left = [m["text"] for m in parts.messages() if m["channel"] in public and zebra in str(m)]
    assert all("set the channel topic" in words for words in left)  # Slack's own words, which are named
    exposed = now.latest(EntryKind.EXPOSED)
    assert exposed
    assert set(exposed.fields["channels"].split()) == where


def test_a_message_whose_reply_was_lost_is_redacted_too(parts: Works) -> None:
    """Sent but not recorded when the incident became private: it is found and redacted."""
    incident = parts.declare("P1", title="zebra crossing")
    parts.run()
    parts.service.handle(incident.id, Acknowledge(by=OMAR))
    parts.service.handle(incident.id, PostUpdate(by=OMAR, progress="zebra crossing"))
    parts.fault("chat.postMessage", "drop_after", times=3)
    parts.run()
    parts.service.handle(incident.id, MarkSecurity(by=OMAR, why="a leak"))
    parts.run()
    parts.run_for(5, step=0.5)
    parts.settled(incident)
    assert parts.public_words("zebra crossing") == []


def test_what_was_mailed_is_named_as_not_undone() -> None:
    """A mail and a status page cannot be taken back: the private room hears of both."""
    story = Story("P0", outage=True, ways=OtherWays(stakeholders=(Via.MAIL,)))
    story.until(6)
    mail = next(e for e in story.incident.effects if isinstance(e, MailOut))
    story.do(Delivered(effect=mail.id))
    page = next(o for o in story.incident.communications if Means.STATUS_PAGE in o.through)
    story.do(AnswerCommunication(by="UONCALL", n=page.n, answer=Answer.PUBLISHED))
    story.do(MarkSecurity(by="UONCALL", why="a leak"))
    (entry,) = [e for _, e in story.entries(EntryKind.EXPOSED)]
    words = "\n".join(plain(spans) for spans in entry_lines(story.incident, entry))
    assert "Not undone: email, status page" in words


# Archived at the end -------------------------------------------------------------------------------------------------


def test_a_room_is_archived_with_its_final_face(parts: Works) -> None:
    """Its card and messages are updated first, however long Slack refuses that; then it is archived."""
    incident = parts.declare("P0")
    parts.run()
    parts.service.handle(incident.id, Acknowledge(by=OMAR))
    parts.service.handle(incident.id, Resolve(by=OMAR, summary="Fixed", resolution="Rolled back"))
    parts.fault("chat.update", "status", status=503, times=40)
    parts.service.handle(incident.id, Reviewed(by=OMAR))
    parts.run()
    room = parts.now(incident).room
    assert room
    assert not parts.channel(room.name)["is_archived"]
    parts.run_for(90, step=5)
    assert parts.channel(room.name)["is_archived"]
    (card,) = [c for c in parts.settled(incident).copies if c.kind == "room"]
    assert card.face == parts.now(incident).face
    (message,) = [m for m in parts.messages() if m["ts"] == card.ts]
    assert "Resolved" in str(message)


def test_the_room_of_a_cancelled_incident_is_archived_after_half_an_hour(parts: Works) -> None:
    """Until then it can be reopened there; a reopened one keeps its room."""
    kept, gone = parts.declare("P0", title="A"), parts.declare("P0", title="B", security=True)
    parts.run()
    for incident in (kept, gone):
        parts.service.handle(incident.id, Cancel(by=OMAR, why="a test"))
    parts.run()
    parts.service.handle(kept.id, Reopen(by=OMAR))
    parts.run_for(29 * 60, step=60)
    rooms = [parts.now(incident).room for incident in (kept, gone)]
    assert [r and r.lost for r in rooms] == [False, False]
    parts.run_for(3 * 60, step=30)
    rooms = [parts.now(incident).room for incident in (kept, gone)]
    assert [r and r.lost for r in rooms] == [False, True]
