"""The web app: Slack over signed HTTP, health and metrics."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from urllib.parse import urlencode

import fakeredis
import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from escalation.incident.events.moves import MarkSecurity
from escalation.processes import PARTS
from escalation.storage.heartbeats import HEARTBEATS
from tests.support.bot import Json, Office, control, open_office
from tests.support.company import user
from tests.support.waiting import eventually

SECRET = "zebrafish"
REDIS_AWAY = "Redis does not answer: check REDIS_URL, and that the server runs (ConnectionError)"


@pytest.fixture
def office() -> Iterator[Office]:
    with open_office(http=True) as opened:
        yield opened


# Slack over HTTP -------------------------------------------------------------------------------------------------


def test_commands_forms_clicks_and_events_come_over_http(office: Office) -> None:
    """The same bot, without a socket."""
    dana = office.person("dana")
    assert dana.command("declare Checkout is down") == {"ok": True}
    assert dana.submit(dana.modal("Declare"), title="T", severity="P1") == {"ok": True}
    dana.told("Declared")
    card = office.post_card(office.incident())
    dana.press({**card["message"], "ts": card["ts"]}, "acknowledge", card["channel"])
    assert eventually(lambda: office.incident().acknowledgement)
    dana.home()
    eventually(lambda: dana.home()["view"])


def command(office: Office, **changes: str) -> dict[str, str]:
    """The form of a /incident security by Dana."""
    body = {"command": "/incident", "text": "ack", "user_id": user("dana"), "team_id": "T0EXAMPLE1"}
    rest = {"channel_id": "C0GENERAL1", "trigger_id": "1.2.3", "response_url": f"{office.workspace.url}/response/none"}
    return body | rest | changes


def post(office: Office, body: dict[str, str], *, secret: str = "", age: int = 0, **headers: str) -> httpx2.Response:
    """A request as Slack signs it: https://docs.slack.dev/authentication/verifying-requests-from-slack"""
    raw, stamp = urlencode(body), str(int(time.time()) - age)
    key = (secret or office.workspace.signing_secret).encode()
    signature = "v0=" + hmac.new(key, f"v0:{stamp}:{raw}".encode(), hashlib.sha256).hexdigest()
    signed = {"x-slack-signature": signature, "x-slack-request-timestamp": stamp}
    kind = {"content-type": "application/x-www-form-urlencoded"}
    return office.bot.web.post("/slack/events", content=raw, headers=signed | kind | headers)


def test_an_answer_whose_address_is_closed_comes_by_direct_message(office: Office) -> None:
    """Slack takes five answers in half an hour, and a form may be closed: nobody waits in vain."""
    body = command(office, text="list")
    assert post(office, body).status_code == 200
    assert eventually(lambda: [m for m in office.person("dana").messages("tocsin") if "open" in m["text"].lower()])


def test_a_signed_request_is_taken(office: Office) -> None:
    """Signed with the app's own secret, just now."""
    office.declare()
    assert post(office, command(office)).status_code == 200
    assert eventually(lambda: office.incident().acknowledgement).by == user("dana")


@pytest.mark.parametrize(
    ("secret", "age", "headers"),
    [
        ("another-secret", 0, {}),
        ("", 301, {}),
        ("", -600, {}),
        ("", 0, {"x-slack-signature": ""}),
        ("", 0, {"x-slack-signature": "v0=" + "0" * 64}),
    ],
)
def test_forged_and_old_requests_are_refused(office: Office, secret: str, age: int, headers: dict[str, str]) -> None:
    """401, and nothing happens."""
    office.declare()
    assert post(office, command(office), secret=secret, age=age, **headers).status_code == 401
    assert not office.incident().acknowledgement


def test_somebody_from_a_connected_workspace_may_not(office: Office) -> None:
    """Slack signs their commands as well; they come with the id of their own workspace."""
    office.declare()
    assert post(office, command(office, team_id="T0OTHER001")).status_code == 200
    assert post(office, command(office, text="list")).status_code == 200
    assert not office.incident().acknowledgement


def test_slack_checks_the_address(office: Office) -> None:
    """url_verification is answered with its challenge."""
    raw, stamp = json.dumps({"type": "url_verification", "challenge": "abc"}), str(int(time.time()))
    key = office.workspace.signing_secret.encode()
    signature = "v0=" + hmac.new(key, f"v0:{stamp}:{raw}".encode(), hashlib.sha256).hexdigest()
    headers = {"x-slack-signature": signature, "x-slack-request-timestamp": stamp, "content-type": "application/json"}
    assert "abc" in office.bot.web.post("/slack/events", content=raw, headers=headers).text


def test_with_socket_mode_there_is_no_http_endpoint() -> None:
    """Nobody can post commands to a bot that listens on a socket."""
    with open_office() as office:
        assert post(office, command(office)).status_code == 404


# Health ----------------------------------------------------------------------------------------------------------


def beat(office: Office, *parts: str) -> None:
    """Signs of life of workers; what they say of the time is their host's own, and nobody relies on it."""
    for part in parts:
        office.world.redis.set(f"tocsin:alive:{part}:host:1", 1_700_000_000, ex=10)
        office.world.redis.sadd(HEARTBEATS, f"tocsin:alive:{part}:host:1")


def ready(office: Office) -> tuple[int, Json]:
    answer = office.bot.web.get("/readyz")
    return answer.status_code, answer.json()


def test_ready_when_slack_redis_and_every_worker_are_there(office: Office) -> None:
    """Then, and only then, is nothing amiss."""
    beat(office, *PARTS)
    assert ready(office) == (200, {"ready": True, "problems": []})
    assert office.bot.web.get("/healthz").status_code == 200


@pytest.mark.parametrize("missing", PARTS)
def test_a_missing_worker_is_named(office: Office, missing: str) -> None:
    """Its key has expired."""
    beat(office, *(part for part in PARTS if part != missing))
    status, body = ready(office)
    assert status == 503
    assert body["problems"] == [f"no worker runs the part {missing}: start `tocsin worker`"]


def test_without_redis_it_is_alive_but_not_ready() -> None:
    """Starting the process anew would not help, so its health says nothing is wrong with it."""
    server = fakeredis.FakeServer()
    with open_office(redis=fakeredis.FakeRedis(server=server)) as office:
        server.connected = False
        status, body = ready(office)
        assert (status, body["problems"]) == (503, [REDIS_AWAY])
        assert office.bot.web.get("/healthz").status_code == 200
        assert "tocsin_redis_up 0.0" in office.bot.web.get("/metrics").text


@pytest.mark.parametrize(("blocks", "status"), [(True, 503), (False, 200)])
def test_a_lasting_fault_is_told_with_its_remedy(office: Office, blocks: bool, status: int) -> None:
    """Only one that stops the work takes the process out of service; metrics count both."""
    beat(office, *PARTS)
    problems = office.world.store.problems
    problems.report("channel:teams.backend.channel", "#backend is archived", "unarchive it", blocks=blocks)
    assert ready(office) == (status, {"ready": not blocks, "problems": ["#backend is archived: unarchive it"]})
    labels = (("blocks", str(blocks).lower()), ("key", "channel:teams.backend.channel"))
    assert samples(office)[("tocsin_problem", labels)] == 1
    problems.clear("channel:teams.backend.channel")
    assert ready(office) == (200, {"ready": True, "problems": []})


def test_a_lost_slack_is_told() -> None:
    """While Slack refuses connections, /readyz says so; afterwards it is connected again."""
    with open_office() as office:
        control(office.workspace, "sockets", action="refuse", seconds=3600)
        eventually(lambda: "Slack is not connected" in office.bot.ready()["problems"])
        assert "tocsin_slack_connected 0.0" in office.bot.web.get("/metrics").text


# Metrics ---------------------------------------------------------------------------------------------------------


def samples(office: Office) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Name and labels -> value, read as Prometheus reads them."""
    families = text_string_to_metric_families(office.bot.web.get("/metrics").text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}


def test_what_the_workers_count_is_exported(office: Office) -> None:
    """Counters and histograms from Redis, the incidents, what is overdue and what is queued."""
    redis = office.world.redis
    redis.hset("tocsin:metrics", "deliveries_total|kind=page,result=sent", 3)
    redis.hset("tocsin:metrics", "checkpoints_total", 7)
    for le, count in (("0.1", 1), ("1", 2), ("+Inf", 2)):
        redis.hset("tocsin:metrics", f"lateness_seconds_bucket|kind=page,le={le}", count)
    redis.hset("tocsin:metrics", "lateness_seconds_sum|kind=page", "0.75")
    redis.hset("tocsin:metrics", "lateness_seconds_count|kind=page", 2)
    redis.rpush("rq:queue:urgent", "job")
    redis.zadd("tocsin:alarms", {"c:gone:x": redis.time()[0] - 5})
    beat(office, "ticker")
    found = samples(office)
    assert found[("tocsin_deliveries_total", (("kind", "page"), ("result", "sent")))] == 3
    assert found[("tocsin_checkpoints_total", ())] == 7
    assert found[("tocsin_lateness_seconds_bucket", (("kind", "page"), ("le", "0.1")))] == 1
    assert found[("tocsin_lateness_seconds_sum", (("kind", "page"),))] == 0.75
    assert found[("tocsin_queue_length", (("queue", "urgent"),))] == 1
    assert found[("tocsin_alarms_overdue", ())] == 1
    assert found[("tocsin_processes_alive", (("part", "ticker"),))] == 1
    assert found[("tocsin_slack_connected", ())] == 1


def test_no_word_of_an_incident_is_in_the_metrics(office: Office) -> None:
    """Private ones are counted, as the others are."""
    office.declare(title=SECRET, severity="P1")
    incident = office.declare(title=SECRET, severity="P3")
    office.world.service.handle(incident.id, MarkSecurity(by=user("sofia")))
    found = samples(office)
    assert found[("tocsin_open_incidents", (("severity", "P1"),))] == 1
    assert found[("tocsin_open_incidents", (("severity", "P3"),))] == 1
    assert SECRET not in office.bot.web.get("/metrics").text
