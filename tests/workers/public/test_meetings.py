"""A meeting of its own for each war room: made by Zoom within seconds, else the fixed link; never the host's link."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from bot.render.card import card
from escalation.config.company import Company
from escalation.config.policy import Severity
from escalation.incident.effects import OpenMeeting
from escalation.incident.events.moves import MarkSecurity, Resolve
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Facts
from sandbox.server import RunningWorkspace
from tests.scenarios.test_leaks import readable
from tests.support.clock import PushedClock
from tests.support.company import example_data
from tests.support.vendors.server import running
from tests.support.vendors.zoom import ACCOUNT, CLIENT, HOST_KEY, OWNER, SECRET, ZoomStandIn
from tests.support.worker import Works, redis_of, works
from workers.channels import Channels
from workers.channels.public import zoom
from workers.channels.public.zoom import ZoomClient
from workers.delivery.public.meetings import MeetingPlanner

FIXED = "https://meet.example.com/fixed"
HOSTS = ("war-room-1@example.com", "war-room-2@example.com")


@dataclass
class Called:
    """A worker with Zoom, over a workspace."""

    parts: Works
    zoom: ZoomStandIn

    def declare(self, **facts: Any) -> Incident:
        incident = self.parts.declare(**facts)
        self.parts.run()
        return self.parts.now(incident)

    def hosted_by(self, *hosts: str) -> None:
        client = ZoomClient(ACCOUNT, CLIENT, SECRET, self.zoom.url)
        planner = partial(MeetingPlanner, client, hosts)
        channels = Channels(self.parts.context.slack, {"meetings": planner})
        self.parts.context = replace(self.parts.context, channels=channels)
        self.zoom.hosts = hosts or (OWNER,)

    def bookmarks(self) -> list[str]:
        return [call["args"]["link"] for call in self.parts.calls("bookmarks.add")]

    def card(self, incident: Incident) -> str:
        return json.dumps(card(incident, ()).blocks)

    def shown(self, incident: Incident) -> str:
        """Everything that stands in the workspace."""
        return json.dumps([self.parts.look("control/state"), self.parts.messages()])


@pytest.fixture
def called(workspace: RunningWorkspace, clock: PushedClock) -> Iterator[Called]:
    with redis_of("valkey") as redis, running(ZoomStandIn()) as vendor:
        company = Company.model_validate(example_data() | {"meeting_url": FIXED})
        parts = works(redis, workspace, clock, company)
        parts.service.own_meetings = True
        called = Called(parts, vendor)
        called.hosted_by()
        yield called


def join_url(called: Called) -> str:
    [meeting] = called.zoom.made
    return str(meeting["join_url"])


def test_a_war_room_gets_a_meeting_of_its_own(called: Called) -> None:
    """Its link is the room's bookmark, and stands in topic, card and pages; the fixed link stands nowhere."""
    incident = called.declare()
    url = join_url(called)
    assert incident.room
    assert called.bookmarks() == [url]
    assert called.parts.channel(incident.room.name)["topic"]["value"].endswith(f" | {url}")
    cards = [m for m in called.parts.messages() if "oin the call" in json.dumps(m)]
    assert cards
    assert all(url in json.dumps(m) for m in cards)
    assert any(m["channel"].startswith("D") for m in cards)
    assert FIXED not in called.shown(incident)
    [made] = called.zoom.made
    assert made["settings"] == {"join_before_host": True, "jbh_time": 0, "waiting_room": False}
    assert made["topic"] == f"{incident.id} P0: Checkout is down"


def test_the_host_s_link_is_never_kept(called: Called, caplog: pytest.LogCaptureFixture) -> None:
    """`start_url` makes anybody the host: it is in no message, in nothing that is stored, and in no log."""
    incident = called.declare()
    stored = " ".join(readable(called.parts.redis, key) for key in called.parts.redis.scan_iter())
    kept = called.shown(incident) + incident.model_dump_json() + caplog.text + stored
    assert HOST_KEY not in kept
    assert "start_url" not in kept


@pytest.mark.parametrize("page", [300, 1])
def test_a_lost_reply_makes_no_second_meeting(called: Called, page: int) -> None:
    """The meeting whose reply was lost is found by its topic, on whichever page of the list, and is the call's."""
    called.declare(title="Another one")
    called.zoom.page = page
    called.zoom.lose = 1
    incident = called.declare()
    assert [m["topic"] for m in called.zoom.made].count(f"{incident.id} P0: Checkout is down") == 1
    assert incident.call_url == called.zoom.made[-1]["join_url"]


def test_a_meeting_of_another_installation_is_not_adopted(called: Called) -> None:
    """One with the same topic that was made before the declaration is not ours."""
    topic = f"INC-{called.parts.clock():%Y%m%d}-001 P0: Checkout is down"
    old = {"id": 1, "topic": topic, "created_at": "2024-12-17T15:30:00Z", "join_url": "https://example.zoom.us/j/1"}
    called.zoom.meetings[OWNER] = [old]
    called.zoom.lose = 1
    incident = called.declare()
    assert incident.call_url == called.zoom.made[-1]["join_url"] != old["join_url"]


def test_a_killed_worker_s_meeting_is_found(called: Called) -> None:
    """A worker that died between Zoom's answer and its record: the next one finds the meeting."""
    client = ZoomClient(ACCOUNT, CLIENT, SECRET, called.zoom.url)
    now = called.parts.clock()
    first = client.open([OWNER], "INC-1 P0: T", now, retrying=False)
    assert client.open([OWNER], "INC-1 P0: T", now, retrying=True) == first
    assert len(called.zoom.made) == 1


def test_no_answer_in_three_seconds_gives_the_fixed_link(called: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixed link is the call, the card says why, and the pages went out; nothing is asked of Zoom again."""
    monkeypatch.setattr(zoom, "LIMIT", 0.3)
    called.zoom.released.clear()
    incident = called.declare()  # while Zoom answers nothing
    called.zoom.released.set()
    assert called.bookmarks() == [FIXED]
    assert incident.call_url == FIXED
    assert "Zoom does not answer" in called.card(incident)
    assert all(incident.in_slack(page) for page in incident.pages)
    called.parts.run_for(120, step=30)
    assert called.bookmarks() == [FIXED]
    assert called.zoom.made == []


def test_the_limit_is_three_seconds() -> None:
    """Login, creation and a search for a lost one together."""
    assert zoom.LIMIT == 3.0


@pytest.mark.parametrize(
    ("refusal", "remedy"),
    [((400, 4711), "meeting:write:admin"), ((404, 1001), "ZOOM_HOSTS"), ((401, 124), "activate the app")],
)
def test_a_refusal_of_us_is_a_problem_until_a_meeting_is_made(
    called: Called, refusal: tuple[int, int], remedy: str
) -> None:
    """The fixed link is used, the register of problems names the remedy, and the next meeting clears it."""
    called.zoom.refuse = refusal
    incident = called.declare()
    assert incident.call_url == FIXED
    [problem] = called.parts.store.problems.current()
    assert remedy in problem.remedy
    [trouble] = [e for e in incident.timeline if e.kind is EntryKind.TROUBLE]
    assert remedy in trouble.why
    called.zoom.refuse = None
    called.declare(title="Another one")
    assert called.parts.store.problems.current() == []


def test_a_wrong_secret_names_the_variables(called: Called) -> None:
    """Zoom refuses the login with 400: ours, and never retried in vain."""
    client = ZoomClient(ACCOUNT, CLIENT, "wrong", called.zoom.url)
    with pytest.raises(Exception, match="zoom: 400") as caught:
        client.open([OWNER], "T", called.parts.clock(), retrying=False)
    assert "ZOOM_CLIENT_SECRET" in caught.value.reason.remedy  # type: ignore[attr-defined]  # of Failed


def test_a_token_that_another_process_ended_is_replaced(called: Called) -> None:
    """A new login may end the tokens given out before: the request is made again with a new one."""
    called.declare()
    called.zoom.tokens.append("another process's")
    incident = called.declare(title="Another one")
    assert incident.meeting


def test_without_any_link_the_card_names_no_call(called: Called) -> None:
    """Zoom fails and the configuration has no fixed link: no bookmark, and the card says why."""
    called.parts.service.company = called.parts.service.company.model_copy(update={"meeting_url": None})
    called.zoom.outage = 503
    incident = called.declare()
    assert (incident.call_url, called.bookmarks()) == ("", [])
    assert "Zoom does not take it (503)" in called.card(incident)


def test_a_private_incident_s_meeting_has_a_neutral_topic(called: Called) -> None:
    """Whoever looks at the host's meetings reads the id and no more."""
    incident = called.declare(security=True, title="zebra crossing leaked")
    [made] = called.zoom.made
    assert made["topic"] == incident.id
    assert incident.call_url == made["join_url"]
    assert "zebra" not in json.dumps([asked.body for asked in called.zoom.requests])


def test_what_becomes_private_leaves_its_meeting(called: Called) -> None:
    """The former one is deleted, with its title and the link that others know; the private room gets another."""
    incident = called.declare()
    former = join_url(called)
    called.parts.service.handle(incident.id, MarkSecurity(by="U0DANA0001"))
    called.parts.run()
    now = called.parts.now(incident)
    [made] = called.zoom.made
    assert made["topic"] == incident.id
    assert now.call_url == made["join_url"] != former
    assert called.bookmarks()[-1] == made["join_url"]


def test_a_meeting_made_while_its_incident_became_private_is_deleted(called: Called) -> None:
    """Its reply was lost with its worker: it is found by its topic, and none but the neutral one is left."""
    incident = called.parts.declare()
    effect = next(e for e in incident.effects if isinstance(e, OpenMeeting))
    ZoomClient(ACCOUNT, CLIENT, SECRET, called.zoom.url).open([OWNER], effect.topic, effect.at, retrying=False)
    called.parts.redis.hset(f"tocsin:tries:{effect.id}", "sent", 1)
    called.parts.service.handle(incident.id, MarkSecurity(by="U0DANA0001"))
    called.parts.run()
    assert [m["topic"] for m in called.zoom.made] == [incident.id]


def test_two_calls_at_once_have_two_hosts(called: Called) -> None:
    """A host has one call at a time: an incident takes a host who is in no other open one's."""
    called.hosted_by(*HOSTS)
    first = called.declare()
    second = called.declare(title="Another one")
    assert first.meeting
    assert second.meeting
    assert {first.meeting.host, second.meeting.host} == set(HOSTS)
    called.parts.service.handle(first.id, Resolve(by="U0DANA0001", summary="s", resolution="r"))
    third = called.declare(title="A third one")
    assert third.meeting
    assert third.meeting.host == first.meeting.host


def test_an_incident_without_a_room_gets_no_meeting(called: Called) -> None:
    """A P3 is worked on in its thread."""
    called.declare(severity="P3")
    assert called.zoom.requests == []


def test_a_drill_s_meeting_says_so(called: Called) -> None:
    """So that nobody who sees it in the host's list takes it for real."""
    service = called.parts.service
    service.declare("UPAULA", Severity.P0, Facts(title="Checkout is down"), drill_speed=1.0)
    called.parts.run()
    [made] = called.zoom.made
    assert made["topic"].startswith("DRILL ")
