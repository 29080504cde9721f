"""Messages on the timeline: pinned or with the reaction, edited, taken out and deleted."""

from datetime import timedelta

import pytest

from bot.render.reviews.markdown import markdown
from escalation.config.company import Workspace as Channels
from escalation.incident.events.moves import Resolve
from escalation.incident.events.news import MessageNoted
from escalation.incident.model import Incident
from escalation.incident.noted import Noting, noted_messages
from escalation.incident.state.entries import EntryKind
from escalation.messages.timeline import entry_lines
from escalation.reviews.draft import draft
from escalation.text import text
from tests.scenarios.test_security import post, signed
from tests.scenarios.test_security import told as told_event
from tests.support.bot import Json, Office, Person, calls, control, open_office
from tests.support.company import user
from tests.support.incidents import NOTED
from tests.support.story import START, Story
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
