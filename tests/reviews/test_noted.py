"""Messages on the timeline: pinned or with the reaction, edited, taken out and deleted."""

from datetime import timedelta

import fakeredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.render.reviews.markdown import markdown
from escalation.config.company import Workspace as Channels
from escalation.config.policy import Severity
from escalation.errors import Outdated
from escalation.incident.events.moves import Resolve
from escalation.incident.events.news import MessageNoted
from escalation.incident.model import Incident
from escalation.incident.noted import Noting, noted_messages
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Facts
from escalation.messages.timeline import entry_lines
from escalation.reviews.draft import draft
from escalation.service import IncidentService
from escalation.storage.action_items import ActionItems
from escalation.storage.store import Store
from escalation.text import text
from tests.scenarios.test_security import post, signed
from tests.scenarios.test_security import told as told_event
from tests.support.bot import Json, Office, Person, calls, control, open_office, running_bot, world
from tests.support.company import user
from tests.support.incidents import NOTED
from tests.support.story import START, Story, kars
from tests.support.waiting import eventually


def told(incident: Incident, n: int = -1) -> str:
    notes = [e for e in incident.timeline if e.kind is EntryKind.NOTED]
    return text(entry_lines(incident, notes[n]))


def became(what: Noting, words: str = "") -> MessageNoted:
    return NOTED.model_copy(update={"what": what, "text": words, "by": "UONCALL"})


def test_a_message_stands_where_it_was_written() -> None:
    """It was pinned later: the review has it at the time of its own, with author, link and files by link."""
    incident = Story("P0").until(20).do(NOTED.model_copy(update={"sent_at": START + timedelta(minutes=3)})).incident
    timeline = markdown(draft(incident, {}), {}).partition("## 2. Timeline")[2].partition("\n## ")[0].splitlines()
    [at] = [n for n, line in enumerate(timeline) if "The pool is at its limit" in line]
    assert "15:33:00 UTC" in timeline[at]
    assert timeline[at + 1] > timeline[at]
    for part in ("@UDEVOPS", "[graph.png](https://example.slack.com/files/F1)", "archives/CROOM/p12)"):
        assert part in timeline[at].replace("\\", "")


def test_an_edit_changes_the_words_and_is_an_entry_of_its_own() -> None:
    """What is read is what stands in Slack now."""
    incident = Story("P0").do(NOTED).do(became(Noting.EDITED, "The pool is empty")).incident
    assert "The pool is empty" in told(incident, 0)
    assert "at its limit" not in told(incident, 0)
    assert "edited their message" in told(incident)


@pytest.mark.parametrize("what", [Noting.REMOVED, Noting.DELETED])
def test_what_was_taken_out_is_not_repeated_anywhere(what: Noting) -> None:
    """The entry stays and says so; the words are in no document."""
    incident = Story("P0").do(NOTED).do(became(what)).incident
    assert "at its limit" not in markdown(draft(incident, {}), {})
    assert not noted_messages(incident)[next(e.n for e in incident.timeline if e.kind is EntryKind.NOTED)].stands
    again = Story("P0").do(NOTED).do(became(what)).do(NOTED).incident
    assert "at its limit" in told(again)


def test_what_follows_from_a_reading_that_was_overtaken_is_not_recorded() -> None:
    """Two stores over one Redis: the one that read the message before its mark was taken away records nothing of it."""
    server = fakeredis.FakeServer()
    fast, slow = (world(fakeredis.FakeRedis(server=server)) for _ in range(2))
    incident = fast.service.declare(user("dana"), Severity.P0, Facts(title="T"), "k")
    read = slow.store.get(incident.id).heard
    fast.service.handle(incident.id, became(Noting.REMOVED))
    with pytest.raises(Outdated):
        slow.service.handle(incident.id, NOTED.model_copy(update={"heard": read}))
    assert not noted_messages(fast.store.get(incident.id))
    after = slow.service.handle(incident.id, NOTED.model_copy(update={"heard": read + 1}))
    assert len(noted_messages(after)) == 1


@given(st.permutations(["1.1", "1.2", "1.3"]))
def test_the_last_edit_stands_in_whatever_order_they_are_heard(order: list[str]) -> None:
    """Several processes hear of them, each at its own pace."""
    story = Story("P0").do(NOTED)
    for at in order:
        story.do(became(Noting.EDITED, f"Edited at {at}").model_copy(update={"edited": at}))
    [message] = noted_messages(story.incident).values()
    assert message.text == "Edited at 1.3"


def test_the_same_twice_is_noted_once() -> None:
    """Slack sends events again; an edit that changed nothing is none."""
    once = Story("P0").do(NOTED).incident
    twice = (
        Story("P0").do(NOTED).do(NOTED).do(became(Noting.EDITED, NOTED.text).model_copy(update={"files": NOTED.files}))
    )
    assert len(twice.incident.timeline) == len(once.timeline)
    unknown = Story("P0").do(became(Noting.DELETED)).incident
    assert all(entry.kind is not EntryKind.NOTED for entry in unknown.timeline)


def mark(person: Person, what: str, incident: Incident, ts: str, **more: object) -> Json:
    assert incident.room
    return person._post(what, channel=incident.room.channel, ts=ts, **more)


def notes(office: Office, count: int) -> list[str]:
    """The entries about messages, as soon as there are that many."""

    def found() -> list[str]:
        incident = office.incident()
        kept = [e for e in incident.timeline if e.kind is EntryKind.NOTED]
        return [text(entry_lines(incident, e)) for e in kept] if len(kept) >= count else []

    return eventually(found)


def test_a_mark_that_is_taken_away_at_once_leaves_nothing(office: Office) -> None:
    """Slack is slow: the message was read while it was marked, and the second event comes before that is recorded."""
    incident = office.room(office.declare(), "dana", "omar")
    assert incident.room
    dana = office.person("dana")
    ts = dana.say("Wrong window", incident.room.name)
    control(office.workspace, "latency", seconds=0.3)
    mark(dana, "react", incident, ts, name="pushpin")
    mark(dana, "react", incident, ts, name="pushpin", remove=True)
    assert "Wrong window" not in "".join(notes(office, 2))


def test_two_bots_that_hear_of_a_mark_and_of_its_end_leave_the_timeline_right(office: Office) -> None:
    """The first has read the message and is slow to record it; the second hears meanwhile that its pin is gone."""
    incident = office.room(office.declare(), "dana", "omar")
    assert incident.room
    dana = office.person("dana")
    ts = dana.say("Wrong window", incident.room.name)
    other = IncidentService(
        Store(office.world.redis, lambda *_: None), office.world.company, kars(), office.world.clock
    )
    with running_bot(office.workspace, other):
        control(office.workspace, "faults", method="chat.getPermalink", kind="slow", seconds=5, times=1)
        mark(dana, "pin", incident, ts)
        eventually(lambda: calls(office.workspace, "chat.getPermalink"))
        mark(dana, "pin", incident, ts, remove=True)

        def read_anew_or_taken_out() -> bool:
            taken_out = any(not m.stands for m in noted_messages(office.incident()).values())
            return taken_out or len(calls(office.workspace, "conversations.replies")) > 2

        eventually(read_anew_or_taken_out)
        assert not any(m.stands for m in noted_messages(office.incident()).values())


@pytest.mark.parametrize("what", ["pin", "react", "item"])
def test_a_mark_while_redis_is_away_is_told_to_whoever_set_it_and_caught_up(what: str) -> None:
    """They hear at once that it waits, and once Redis answers it is done as if nothing had been."""
    server = fakeredis.FakeServer()
    with open_office(redis=fakeredis.FakeRedis(server=server)) as office:
        incident = office.room(office.declare(), "dana", "omar")
        assert incident.room
        dana = office.person("dana")
        ts = dana.say("The pool is at its limit", incident.room.name)
        name = office.world.company.follow_up_reaction if what == "item" else "pushpin"
        server.connected = False
        mark(dana, "react" if what == "item" else what, incident, ts, name=name)
        [told] = eventually(lambda: ephemeral(office, "dana"))
        assert "not recorded yet" in told
        server.connected = True
        if what == "item":
            assert eventually(lambda: ActionItems(office.world.redis).of(incident.id))
        else:
            assert "at its limit" in notes(office, 1)[0]


def test_an_edit_while_redis_is_away_is_followed_later() -> None:
    """The timeline says what stands in Slack now; nobody is told, for nobody asked."""
    server = fakeredis.FakeServer()
    with open_office(redis=fakeredis.FakeRedis(server=server)) as office:
        incident = office.room(office.declare(), "dana", "omar")
        assert incident.room
        dana = office.person("dana")
        ts = dana.say("The pool is at its limit", incident.room.name)
        mark(dana, "pin", incident, ts)
        assert notes(office, 1)
        server.connected = False
        mark(dana, "edit", incident, ts, text="The pool is empty")
        server.connected = True
        assert "The pool is empty" in notes(office, 2)[0]
        assert not ephemeral(office, "dana")


def test_a_mark_elsewhere_while_redis_is_away_is_nobodys_news() -> None:
    """A pin in a channel that is no incident's by its name was not meant for us."""
    server = fakeredis.FakeServer()
    with open_office(redis=fakeredis.FakeRedis(server=server)) as office:
        incident = office.room(office.declare(), "dana", "omar")
        assert incident.room
        dana = office.person("dana")
        bot = dana._get("state")["app"]["bot_user_id"]
        control(office.workspace, "channels", name="kitchen", creator=user("dana"), members=[user("dana"), bot])
        elsewhere, here = dana.say("Lunch?", "kitchen"), dana.say("The pool", incident.room.name)
        server.connected = False
        dana._post("react", channel=dana.channel("kitchen"), ts=elsewhere, name="pushpin")
        mark(dana, "react", incident, here, name="pushpin")
        [told] = eventually(lambda: [c["args"] for c in calls(office.workspace, "chat.postEphemeral")])
        assert told["channel"] == incident.room.channel
        server.connected = True
        assert len(notes(office, 1)) == 1
        told_in = {c["args"]["channel"] for c in calls(office.workspace, "chat.postEphemeral")}
        assert told_in == {incident.room.channel}


def test_a_pinned_message_joins_is_followed_and_leaves(office: Office) -> None:
    """As people do it in the war room."""
    incident = office.room(office.declare(), "dana", "omar")
    assert incident.room
    dana, omar = office.person("dana"), office.person("omar")
    ts = omar.say("The pool is at its limit", incident.room.name)
    mark(dana, "pin", incident, ts)
    assert "The pool is at its limit" in notes(office, 1)[0]
    mark(omar, "edit", incident, ts, text="The pool is empty")
    assert "The pool is empty" in notes(office, 2)[0]
    mark(dana, "react", incident, ts, name="pushpin")
    mark(dana, "pin", incident, ts, remove=True)  # the reaction holds it
    mark(dana, "react", incident, ts, name="pushpin", remove=True)
    assert "took the message" in notes(office, 3)[2]
    assert "pool is empty" not in "".join(notes(office, 3))


def test_a_reaction_adds_a_message_after_the_end_too_and_its_deletion_is_followed(office: Office) -> None:
    """People go through the room when they write the review."""
    incident = office.room(office.declare(), "dana", "omar")
    assert incident.room
    dana = office.person("dana")
    ts = dana.say("The pool is at its limit", incident.room.name)
    office.world.service.handle(incident.id, Resolve(by=user("dana"), summary="s", resolution="r"))
    mark(dana, "react", incident, ts, name="eyes")
    mark(dana, "react", incident, ts, name="pushpin")
    assert "at its limit" in notes(office, 1)[0]
    mark(dana, "delete", incident, ts)
    assert "was deleted" in notes(office, 2)[1]


def test_a_message_of_another_channel_or_of_a_guest_does_not_join(office: Office) -> None:
    """Only the incident's own places count, and only who may write updates adds to it."""
    incident = office.room(office.declare(), "dana", "omar")
    assert incident.room
    dana = office.person("dana")
    control(office.workspace, f"users/{user('omar')}", is_guest=True)
    elsewhere = dana.say("Lunch?")
    dana._post("react", channel=dana.channel("general"), ts=elsewhere, name="pushpin")
    ts = dana.say("The pool is at its limit", incident.room.name)
    mark(office.person("omar"), "pin", incident, ts)
    later = dana.say("Second", incident.room.name)
    mark(dana, "pin", incident, later)
    assert ["Second" in note for note in notes(office, 1)] == [True]


def test_a_notice_of_a_deployment_joins_the_open_incidents_of_its_service() -> None:
    """As an app writes it in the channel for them; what names no service of an open incident joins nothing."""
    with open_office(http=True, workspace=Channels(deploys_channel="C0GENERAL1")) as office:
        incident = office.declare(service="checkout")
        app = {"bot_id": "B1", "app_id": "ADEPLOYER", "bot_profile": {"name": "Deployer"}, "subtype": "bot_message"}
        where = {"type": "message", "channel": "C0GENERAL1", "channel_type": "channel"}
        for ts, words in (("1734536460.000100", "search v7 is out"), ("1734536461.000100", "Deployed checkout v2")):
            body = told_event({**where, **app, "ts": ts, "text": words}, "T0EXAMPLE1")
            assert post(office, body, signed(office, body)).status_code == 200
        [note] = notes(office, 1)
        assert "Deployed checkout v2" in note
        assert "Deployer" in note
        assert incident.id == office.incident().id


def ephemeral(office: Office, person: str) -> list[str]:
    """What only that person was told, in a channel."""
    found = [c["args"] for c in calls(office.workspace, "chat.postEphemeral")]
    return [said["text"] for said in found if said["user"] == user(person)]


@pytest.mark.parametrize(
    ("error", "says", "is_ours"),
    [("missing_scope", "finds the remedy in `tocsin doctor`", True), ("internal_error", "set it again", False)],
)
@pytest.mark.parametrize("what", ["pin", "react"])
def test_who_marks_a_message_that_cannot_be_read_is_told(
    office: Office, what: str, error: str, says: str, is_ours: bool
) -> None:
    """They see why it does not join; a lasting reason is a problem until a message can be read again."""
    incident = office.room(office.declare(), "dana", "omar")
    assert incident.room
    dana, problems = office.person("dana"), office.world.store.problems
    ts = dana.say("The pool is at its limit", incident.room.name)
    control(office.workspace, "faults", method="conversations.replies", kind="error", error=error, times=1)
    mark(dana, what, incident, ts, name="pushpin")
    [told] = eventually(lambda: ephemeral(office, "dana"))
    assert says in told
    assert [p.key for p in problems.current()] == (["slack:timeline"] if is_ours else [])
    mark(dana, what, incident, ts, name="pushpin", remove=True)
    mark(dana, what, incident, ts, name="pushpin")
    assert "at its limit" in notes(office, 1)[0]
    assert not problems.current()


def test_an_action_item_of_a_message_that_cannot_be_read_is_not_lost_silently(office: Office) -> None:
    """Whoever reacted hears it, and which command does without the message."""
    incident = office.room(office.declare(), "dana", "omar")
    assert incident.room
    dana = office.person("dana")
    ts = dana.say("We should alert on the pool", incident.room.name)
    control(office.workspace, "faults", method="conversations.replies", kind="error", error="missing_scope", times=1)
    mark(dana, "react", incident, ts, name=office.world.company.follow_up_reaction)
    [told] = eventually(lambda: ephemeral(office, "dana"))
    assert "not an action item" in told
    assert "/incident action" in told


def test_a_mark_elsewhere_that_cannot_be_read_is_nobodys_news(office: Office) -> None:
    """A pin in a channel without incidents was not meant for us."""
    office.room(office.declare(), "dana")
    dana = office.person("dana")
    bot = dana._get("state")["app"]["bot_user_id"]
    control(office.workspace, "channels", name="kitchen", creator=user("dana"), members=[user("dana"), bot])
    elsewhere = dana.say("Lunch?", "kitchen")
    control(office.workspace, "faults", method="conversations.replies", kind="error", error="missing_scope", times=1)
    dana._post("react", channel=dana.channel("kitchen"), ts=elsewhere, name="pushpin")
    eventually(office.world.store.problems.current)
    assert not ephemeral(office, "dana")


def test_a_guest_who_marks_a_message_in_the_room_is_told_why_it_does_not_join(office: Office) -> None:
    """They would wait for it in vain."""
    incident = office.room(office.declare(), "dana", "omar")
    assert incident.room
    control(office.workspace, f"users/{user('omar')}", is_guest=True)
    ts = office.person("dana").say("The pool is at its limit", incident.room.name)
    mark(office.person("omar"), "pin", incident, ts)
    [told] = eventually(lambda: ephemeral(office, "omar"))
    assert "guest" in told.lower()
