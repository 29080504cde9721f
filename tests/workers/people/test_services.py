"""Other paging services, both ways: the incident there, and its acknowledgement back."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import Mock

import httpx2
import pytest

from benchmarks.ports import free_port
from bot.alerts.authentication import AlertSecrets
from bot.alerts.receivers import opsgenie as opsgenie_source
from bot.alerts.receivers import pagerduty as pagerduty_source
from bot.alerts.source import Received
from bot.deps import AnswerDeps
from escalation.config.notify import OtherWays, Via
from escalation.config.policy import Severity
from escalation.incident.asks import asks
from escalation.incident.events.moves import Acknowledge, ChangeSeverity, Move, Resolve
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Facts
from escalation.messages.timeline import entry_lines
from escalation.text import text
from tests.support.bot import World, running_bot, world
from tests.support.company import example, example_data, user
from tests.support.http import web
from tests.support.story import kars
from tests.support.vendors import opsgenie
from tests.support.vendors.opsgenie import OpsgenieStandIn
from tests.support.vendors.server import Answer, Asked, Vendor, running
from tests.support.worker import Works, bots_intake, redis_of, through, works
from workers.channels.failures import Failed, Kind
from workers.channels.opsgenie import OpsgenieClient
from workers.channels.pagerduty import PagerDutyClient, PagerDutyDirectory
from workers.delivery.people.news import News

SECRET, TOKEN = "a-webhook-secret", "a-webhook-token"
MARKER = "zebra crossing"


# Out -----------------------------------------------------------------------------------------------------------------


@dataclass
class Told:
    """A worker that alerts in Opsgenie."""

    parts: Works
    service: OpsgenieStandIn


@pytest.fixture
def told() -> Iterator[Told]:
    company = example().model_copy(update={"other_ways": OtherWays(page=(Via.OPSGENIE,))})
    with redis_of("valkey") as redis, running(OpsgenieStandIn()) as service:
        parts = works(redis, company=company)
        parts.context = through(parts.context, opsgenie=OpsgenieClient(opsgenie.KEY, service.url))
        yield Told(parts, service)


def test_opsgenie_follows_the_incident(told: Told) -> None:
    """It is created under its id, its priority and acknowledgement follow, and it is closed with the incident."""
    incident = told.parts.declare("P1")
    told.parts.run()
    assert told.service.alerts[incident.id]["priority"] == "P2"
    change = ChangeSeverity(by=incident.reporter, policy=kars().severities[Severity.P0], why="worse")
    told.parts.service.handle(incident.id, change)
    told.parts.run()
    assert told.service.alerts[incident.id]["priority"] == "P1"
    told.parts.service.handle(incident.id, Acknowledge(by=incident.reporter))
    told.parts.run()
    assert told.service.alerts[incident.id]["acknowledged"]
    told.parts.service.handle(incident.id, Resolve(by=incident.reporter, summary="s", resolution="r"))
    told.parts.run()
    assert told.service.closed == [incident.id]
    assert not told.service.alerts


@pytest.mark.parametrize(
    ("said", "set_up", "told"),
    [
        ({}, {Via.OPSGENIE, Via.SMS}, {Via.OPSGENIE}),
        ({}, {Via.OPSGENIE, Via.PAGERDUTY}, {Via.OPSGENIE, Via.PAGERDUTY}),
        ({"slack_down": "pagerduty"}, {Via.OPSGENIE, Via.PAGERDUTY}, {Via.OPSGENIE}),
        ({"page": "mail"}, {Via.OPSGENIE}, set[Via]()),
        ({"page": []}, {Via.OPSGENIE, Via.PAGERDUTY}, set[Via]()),
        ({}, set[Via](), set[Via]()),
    ],
)
def test_a_paging_service_that_is_set_up_is_told_unless_the_configuration_says_otherwise(
    said: dict[str, Any], set_up: set[Via], told: set[Via]
) -> None:
    """Its key in the environment is enough; `page` says which, and one that waits for an outage of Slack waits."""
    company = example().model_copy(update={"other_ways": OtherWays.model_validate(said)})
    with redis_of("fakeredis") as redis:
        parts = works(redis, company=company)
        parts.service.set_up = set_up
        assert set(parts.declare("P0").alerted_by) == told
        drill = parts.service.declare("U0DANA0001", Severity.P0, Facts(title="An exercise"), "drill", drill_speed=1.0)
        assert not drill.alerted


@pytest.mark.parametrize("page", ["<html>Please log in</html>", "[]", "null"])
@pytest.mark.parametrize("service", ["PagerDuty", "Opsgenie"])
def test_a_success_that_is_not_the_services_is_a_fault_of_ours(service: str, page: str) -> None:
    """A proxy that answers 200 in its place was told of nothing: the address to correct is named."""
    with running(OpsgenieStandIn(impostor=page)) as proxy:
        told: dict[str, Callable[[], None]] = {
            "PagerDuty": lambda: PagerDutyClient("key", proxy.url).resolve("INC-1"),
            "Opsgenie": OpsgenieClient(opsgenie.KEY, proxy.url).check,
        }
        with pytest.raises(Failed) as failed:
            told[service]()
        with pytest.raises(Failed):
            PagerDutyDirectory("token", proxy.url).check()
    assert failed.value.kind is Kind.OURS
    assert f"correct {service.upper()}_URL" in failed.value.reason.remedy


def test_a_lost_reply_makes_no_second_alert(told: Told) -> None:
    """The alias is the incident's id: what is sent again is the same alert."""
    told.service.lose = 1
    incident = told.parts.declare("P1")
    told.parts.run_for(5, step=0.5)
    assert list(told.service.alerts) == [incident.id]


def test_an_alert_that_comes_after_the_end_is_not_created(told: Told) -> None:
    """A creation that waited out the incident is dropped: it would open an alert that nobody closes."""
    told.service.outage = 503
    incident = told.parts.declare("P1")
    told.parts.run()
    told.parts.service.handle(incident.id, Resolve(by=incident.reporter, summary="s", resolution="r"))
    told.service.outage = 0
    told.parts.run_for(40, step=2)
    assert not told.service.alerts


def test_of_a_private_incident_opsgenie_learns_its_id_and_severity_only(told: Told) -> None:
    """No word of it is in any request."""
    told.parts.declare("P0", title=MARKER, impact=MARKER, description=MARKER, security=True)
    told.parts.run()
    assert told.service.alerts
    assert not [asked.body for asked in told.service.requests if "zebra" in asked.body]


def test_a_wrong_key_is_ours(told: Told) -> None:
    """A refused key is a problem with its remedy, and pages nobody else."""
    told.parts.context = through(told.parts.context, opsgenie=OpsgenieClient("wrong", told.service.url))
    told.parts.declare("P1")
    told.parts.run()
    [problem] = [p for p in told.parts.store.problems.current() if p.key.startswith("opsgenie")]
    assert "OPSGENIE_API_KEY" in problem.remedy


# Back ----------------------------------------------------------------------------------------------------------------


@dataclass
class Desk:
    """A bot whose Slack is down."""

    url: str
    world: World

    def declare(self) -> Incident:
        return self.world.service.declare(user("dana"), Severity.P0, Facts(title="Checkout is down"), key="k")

    def pagerduty(self, body: dict[str, Any], secret: str = SECRET) -> httpx2.Response:
        raw = json.dumps(body).encode()
        signature = "v1=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        return web.post(f"{self.url}/hooks/pagerduty", content=raw, headers={"X-PagerDuty-Signature": signature})

    def opsgenie(self, body: dict[str, Any], token: str = TOKEN) -> httpx2.Response:
        return web.post(f"{self.url}/hooks/opsgenie?token={token}", json=body)

    def acknowledged(self, incident: Incident) -> list[dict[str, str]]:
        now = self.world.store.get(incident.id)
        return [{"by": e.by, **e.fields} for e in now.timeline if e.kind is EntryKind.ACKNOWLEDGED]


@pytest.fixture(scope="module")
def _desk() -> Iterator[Desk]:
    people = {key: {"slack": user(key), "mail": f"{key}@example.com"} for key in example_data()["people"]}
    people["omar"]["name"] = "Omar Example"
    behind, port = world(people=people), free_port()
    news = Mock(pagerduty_mail={"PMEI": "mei@example.com"}.get)
    deps = AnswerDeps(pagerduty_secrets=("old-secret", SECRET), opsgenie_tokens=(TOKEN,), news=news)
    workspace = Mock(bot_token="xoxb-1", app_token="xapp-1", signing_secret="s", api_url="http://127.0.0.1:9/")
    intake: dict[str, Any] = {"intake": bots_intake(behind.redis), "alert_secrets": AlertSecrets((TOKEN,))}
    with running_bot(workspace, behind.service, connected=False, port=port, answers=deps, **intake):
        yield Desk(f"http://127.0.0.1:{port}", behind)


@pytest.fixture
def desk(_desk: Desk) -> Desk:
    _desk.world.redis.flushall()
    return _desk


def event(key: str, kind: str = "incident.acknowledged", agent: Any = "Omar Example", **data: Any) -> dict[str, Any]:
    """An event as https://developer.pagerduty.com/docs/webhooks-overview shows it."""
    who = {"id": "PLH1HKV", "type": "user_reference", "summary": agent} if agent else None
    about = {"id": "PGR0VU2", "type": "incident", "title": "P0 x", "incident_key": key, **data}
    return {"event": {"id": "01ABC", "event_type": kind, "resource_type": "incident", "agent": who, "data": about}}


def test_an_acknowledgement_in_pagerduty_is_one_here(desk: Desk) -> None:
    """Whoever acknowledged there has acknowledged here, once, and the timeline says by what."""
    incident = desk.declare()
    for _ in range(2):
        assert desk.pagerduty(event(incident.id)).status_code == 200
    assert [(a["by"], a["how"]) for a in desk.acknowledged(incident)] == [(user("omar"), "PagerDuty")]


def test_a_name_that_is_shared_is_told_apart_by_the_address(desk: Desk) -> None:
    """Where PagerDuty's users can be read, whoever acknowledged is found by their address, not by their name."""
    incident = desk.declare()
    body = event(incident.id, agent="Omar Example")
    body["event"]["agent"]["id"] = "PMEI"
    desk.pagerduty(body)
    assert [a["by"] for a in desk.acknowledged(incident)] == [user("mei")]


def test_somebody_we_do_not_know_answers_for_who_was_paged(desk: Desk) -> None:
    """A name that is nobody's stops the escalation, and stands beside the person whose page was answered."""
    incident = desk.declare()
    desk.pagerduty(event(incident.id, agent="Kim Stranger"))
    [acknowledged] = desk.acknowledged(incident)
    assert acknowledged["by"] == incident.pages[0].person
    assert acknowledged["how"] == "PagerDuty (as Kim Stranger)"


def test_a_grouped_incident_is_known_by_its_title(desk: Desk) -> None:
    """Where PagerDuty groups alerts it gives no key: our own words are the title."""
    incident = desk.declare()
    body = event("", title=f"P0 Checkout is down ({incident.id}), tier 2 paged")
    del body["event"]["data"]["incident_key"]
    desk.pagerduty(body)
    assert desk.acknowledged(incident)


@dataclass
class UsersStandIn(Vendor):
    """PagerDuty's users."""

    def answer(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != "Token token=t0ken":
            return 401, {}
        known = {"/users/PLH1HKV": {"user": {"id": "PLH1HKV", "email": "Mei@Example.com"}}}
        return (200, known[asked.path]) if asked.path in known else (404, {})


def test_users_of_pagerduty_are_found_by_their_address() -> None:
    """With an API token the address is read; one that is refused, gone or away is no address, and nothing breaks."""
    service = world().service
    with running(UsersStandIn()) as users:
        for token, user_id, mail in (("t0ken", "PLH1HKV", "Mei@Example.com"), ("t0ken", "../x", ""), ("no", "P1", "")):
            assert News(service, None, PagerDutyDirectory(token, users.url)).pagerduty_mail(user_id) == mail
    assert News(service, None, PagerDutyDirectory("t0ken", "http://127.0.0.1:9")).pagerduty_mail("P1") == ""
    assert News(service).pagerduty_mail("PLH1HKV") == ""


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "incident.annotated"},
        {"agent": None},
        {"key": "another-tool's-key"},
        {"key": "INC-20200101-001"},
    ],
)
def test_what_is_no_answer_is_taken_and_changes_nothing(desk: Desk, body: dict[str, Any]) -> None:
    """Other events, automation, and incidents that are not ours: 200, so that the subscription stays on."""
    incident = desk.declare()
    assert desk.pagerduty(event(**({"key": incident.id} | body))).status_code == 200
    assert not desk.acknowledged(incident)
    assert len(desk.world.store.recent()) == 1


@pytest.mark.parametrize("body", [{}, {"event": "x"}, {"event": {"event_type": "pagey.ping"}}])
def test_a_body_that_says_nothing_is_taken(desk: Desk, body: dict[str, Any]) -> None:
    """PagerDuty's ping, and what has no event, are answered 200."""
    assert desk.pagerduty(body).status_code == 200
    assert desk.opsgenie(body).status_code == 200


def test_forged_hooks_are_refused(desk: Desk) -> None:
    """A wrong signature or token is 403, and answers nothing."""
    incident = desk.declare()
    assert desk.pagerduty(event(incident.id), secret="wrong").status_code == 403
    assert desk.opsgenie(action(incident.id), token="wrong").status_code == 403
    assert not desk.acknowledged(incident)


@pytest.mark.parametrize("source", ["pagerduty", "opsgenie"])
def test_an_answer_that_comes_among_the_alerts_is_one_too(desk: Desk, source: str) -> None:
    """Where one webhook sends alerts and what becomes of our incidents: answered 202, heard, and declares nothing."""
    incident, headers = desk.declare(), {"authorization": f"Bearer {TOKEN}"}
    known: dict[str, Callable[[str], dict[str, Any]]] = {"pagerduty": event, "opsgenie": action}
    said, address = known[source], f"{desk.url}/alerts/{source}"
    assert web.post(address, json=said(incident.id)).status_code == 401
    answer = web.post(address, json=said(incident.id), headers=headers)
    assert (answer.status_code, answer.json()["what"]) == (202, "acknowledged")
    assert [a["by"] for a in desk.acknowledged(incident)] == [user("omar")]
    other = said("INC-20200101-001")
    other.get("event", {})["id"] = "01ABD"
    unknown = web.post(address, json=other, headers=headers)
    assert (unknown.status_code, unknown.json()["status"]) == (202, "accepted")
    assert len(desk.world.store.recent()) == 1


def test_pagerduty_that_is_not_set_up_is_unknown() -> None:
    """Without a secret there is no such address."""
    behind = world()
    workspace = Mock(bot_token="xoxb-1", app_token="xapp-1", signing_secret="s", api_url="http://127.0.0.1:9/")
    with running_bot(workspace, behind.service, connected=False) as bot:
        assert web.post(f"{bot.url}/hooks/pagerduty").status_code == 404
        assert web.post(f"{bot.url}/hooks/opsgenie").status_code == 404
        assert web.post(f"{bot.url}/twilio/sms").status_code == 404


def action(alias: str, kind: str = "Acknowledge", username: str = "omar@example.com") -> dict[str, Any]:
    """An action as https://support.atlassian.com/opsgenie/docs/opsgenie-edge-connector-alert-action-data/ shows it."""
    alert = {"alertId": "052652ac", "message": "P0 x", "alias": alias, "username": username}
    return {"action": kind, "alert": alert, "source": {"name": "", "type": "web"}, "integrationName": "Tocsin"}


def test_an_acknowledgement_in_opsgenie_is_one_here(desk: Desk) -> None:
    """Its user is found by their address; what we did there ourselves is no answer."""
    incident = desk.declare()
    ours = action(incident.id) | {"source": {"name": "Tocsin", "type": "API"}}
    for body in (ours, action(incident.id, username="System")):
        assert desk.opsgenie(body).status_code == 200
    assert not desk.acknowledged(incident)
    desk.opsgenie(action(incident.id))
    assert [(a["by"], a["how"]) for a in desk.acknowledged(incident)] == [(user("omar"), "Opsgenie")]


@pytest.mark.parametrize("service", ["PagerDuty", "Opsgenie"])
def test_who_resolves_it_there_asks_whether_it_is_over(desk: Desk, service: str) -> None:
    """The room is asked once, with a button that resolves; the incident stays open, for it may only have been silenced.

    A resolution by ourselves, of an incident that is closed, or of another's, asks nothing.
    """
    incident = desk.declare()
    send: Callable[[dict[str, Any]], httpx2.Response]
    if service == "PagerDuty":
        send, resolved = desk.pagerduty, event(incident.id, "incident.resolved")
        ours, others = event(incident.id, "incident.resolved", agent=None), event("x", "incident.resolved")
    else:
        send, resolved = desk.opsgenie, action(incident.id, "Close")
        ours, others = action(incident.id, "Close", username="System"), action("x", "Close")
    for body in (ours, others, resolved, resolved):
        assert send(body).status_code == 200
    now = desk.world.store.get(incident.id)
    [asked] = [e for e in now.timeline if e.kind is EntryKind.RESOLVED_THERE]
    assert (now.open, asked.by, asked.fields["service"]) == (True, user("omar"), service)
    assert [ask.move for ask in asks(now, asked)] == [Move.RESOLVE]
    assert f"Resolved in {service} by" in text(entry_lines(now, asked))


@pytest.mark.parametrize(
    ("source", "body"),
    [
        (pagerduty_source.SOURCE, event("INC-20241218-001", "incident.triggered")),
        (opsgenie_source.SOURCE, action("INC-20241218-001", "Create")),
    ],
)
def test_an_incident_of_ours_never_comes_back_as_an_alert(source: Any, body: dict[str, Any]) -> None:
    """At the addresses for alerts an event whose key Tocsin made is a note: no second incident."""
    parsed = source.parse(Received(json.dumps(body).encode()))
    assert not parsed.alerts
    assert "Tocsin made" in parsed.note
