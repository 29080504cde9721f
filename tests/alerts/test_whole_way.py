"""Alerts come in over HTTP, and what they become stands in Slack: the whole way, with a pushed clock."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.alerts.authentication import AlertSecrets, signed
from escalation.figures.observation import observe
from escalation.incident.events.moves import Cancel, Resolve
from escalation.incident.model import Incident
from escalation.incident.state.facts import Detection, Status
from escalation.messages.timeline import entry_lines
from escalation.storage.intake import DUE, Intake
from escalation.text import text
from tests.support.bot import BotAtWork, everything, patient_workspace, running_bot
from tests.support.clock import PushedClock
from tests.support.company import example
from tests.support.waiting import eventually
from tests.support.worker import Works, bots_intake, raw, redis_of, works
from workers.alerts import LOCK, LOCK_SECONDS, enqueue_overdue, renewed
from workers.queue.outbox import post_alerts
from workers.recurring.checks import BEATS

TOKEN, SENTRY = "a-long-token", "a-sentry-secret"
KEYS = (b"the old key of our webhooks", b"the new key of our webhooks")
WEBHOOK = tuple("whsec_" + base64.b64encode(key).decode() for key in KEYS)
SIGNING = {
    "ALERTS_SECRET_SENTRY": (SENTRY,),
    "ALERTS_SECRET_PAGERDUTY": ("a-pagerduty-secret",),
    "ALERTS_SECRET_GENERIC": WEBHOOK,
}
BEARER = {"authorization": f"Bearer {TOKEN}"}
DATA = Path(__file__).parents[1] / "data" / "alerts"
FIRING = (DATA / "alertmanager" / "captured_0.25_firing.json").read_bytes()
RESOLVED = (DATA / "alertmanager" / "captured_0.25_resolved.json").read_bytes()


class Monitored:
    """A workspace, a bot that takes alerts, and the workers' work."""

    def __init__(self, parts: Works, bot: BotAtWork, spool: Path) -> None:
        self.parts, self.bot, self.spool = parts, bot, spool

    def post(self, raw: bytes | dict[str, Any], path: str = "/alerts/alertmanager", **headers: str) -> Any:
        body = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
        return self.bot.web.post(path, content=body, headers=headers or BEARER)

    def taken(self, raw: bytes | dict[str, Any], path: str = "/alerts/alertmanager", **headers: str) -> None:
        """Post a body, and let the workers work."""
        assert self.post(raw, path, **headers).status_code == 202
        self.parts.run()

    def incidents(self) -> list[Incident]:
        return sorted(self.parts.store.recent(), key=lambda i: i.id)

    def results(self) -> list[str]:
        log = Intake(self.parts.redis, post_alerts).log(self.parts.clock.now.replace(year=2000))
        return [outcome.result for outcome in reversed(log)]

    def card(self, incident: Incident) -> str:
        copy = incident.card()
        assert copy
        return next(everything(m) for m in self.parts.messages() if (m["channel"], m["ts"]) == (copy.channel, copy.ts))


def alert(name: str, status: str = "firing", fingerprint: str = "", **labels: str) -> dict[str, Any]:
    """One alert in Alertmanager's shape."""
    labels = {"alertname": name, "severity": "critical", "service": "checkout", **labels}
    return {"status": status, "labels": labels, "annotations": {}, "fingerprint": fingerprint or name}


def group(*alerts: dict[str, Any]) -> dict[str, Any]:
    return {"version": "4", "status": "firing", "alerts": list(alerts)}


@contextmanager
def monitored(tmp_path: Path, checks: Sequence[dict[str, Any]] = (), **rules: Any) -> Iterator[Monitored]:
    changes = {"alerts": rules, "checks": list(checks)}
    company = type(example()).model_validate(example().model_dump(mode="json", by_alias=True) | changes)
    with patient_workspace() as workspace, redis_of("valkey") as redis:
        parts = works(redis, workspace, PushedClock(), company)
        secrets = AlertSecrets((TOKEN,), SIGNING)
        intake = bots_intake(redis)
        spool = tmp_path / "spool"
        with running_bot(workspace, parts.service, intake=intake, alert_secrets=secrets, spool=spool) as bot:
            eventually(lambda: len(parts.store.directory().names) > 5)
            yield Monitored(parts, bot, spool)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Monitored]:
    with monitored(tmp_path) as made:
        yield made


def test_an_alert_declares_an_incident(site: Monitored) -> None:
    """With its severity, service and team, its card in the channel, its pages, and the machine's own name."""
    site.taken(FIRING)
    [incident] = site.incidents()
    assert (incident.severity, incident.facts.service, incident.team) == ("P1", "checkout", "backend")
    assert incident.facts.title == "checkout 5xx above 5%"
    assert incident.facts.detection is Detection.MONITORING
    assert incident.pages or incident.policy.at_once == ()
    card = site.card(incident)
    assert "by Alertmanager" in card
    assert "1 of 1 firing" in card
    assert site.results() == ["declared"]
    assert site.parts.redis.zcard(DUE) == 0


def test_a_report_takes_the_detection_from_the_alert_itself(site: Monitored) -> None:
    """It began to fire two minutes before it came: that long it took to declare."""
    began = site.parts.clock.now - timedelta(minutes=2)
    site.taken(group(alert("Down") | {"startsAt": began.isoformat()}))
    [incident] = site.incidents()
    seen = observe(incident)
    assert (seen.detected, seen.began) == (began.timestamp(), None)


def test_a_machine_is_invited_nowhere(site: Monitored) -> None:
    """Nor mentioned, nor written to: Slack is never asked about it."""
    site.taken(group(alert("Down", severity="P1")))
    [incident] = site.incidents()
    assert incident.severity == "P0"
    assert incident.room
    site.parts.settled(incident)
    assert not [call for call in site.parts.look("control/calls")["calls"] if "machine:" in json.dumps(call["args"])]


def test_a_repeat_changes_nothing(site: Monitored) -> None:
    """The same body again, and twice at once."""
    for _ in range(3):
        assert site.post(FIRING).status_code == 202
    site.parts.run()
    site.taken(FIRING)
    [incident] = site.incidents()
    assert len(incident.timeline) == len(site.parts.now(incident).timeline)
    assert incident.alerts.total == 1


def test_a_storm_becomes_one_incident_and_a_count(site: Monitored) -> None:
    """A thousand alerts of one service, and a worse one among them, which opens its own."""
    for n in range(0, 1000, 100):
        assert site.post(group(*(alert(f"A{k}") for k in range(n, n + 100)))).status_code == 202
    site.parts.run()
    [incident] = site.incidents()
    assert (incident.alerts.total, incident.alerts.firing) == (1000, 1000)
    assert "1000 of 1000 firing" in site.card(incident)
    site.taken(group(alert("Worse", severity="P1")))
    assert [i.severity for i in site.incidents()] == ["P1", "P0"]


def test_a_storm_that_joins_leaves_ten_titles_and_a_count(site: Monitored) -> None:
    """The incident that thousands of alerts join does not grow with each of them."""
    site.taken(group(alert("Down")))
    site.taken(group(*(alert("Down", fingerprint=str(n)) for n in range(300))))
    [incident] = site.incidents()
    joined = next(e for e in incident.timeline if e.fields.get("total") == "301")
    assert len(joined.fields["began"].split("\n")) == 10
    assert "and 290 more" in text(entry_lines(incident, joined))


def test_the_worst_of_what_waits_goes_first(site: Monitored) -> None:
    """Whatever a storm of warnings has queued, the critical alert that came last is declared first."""
    for n in range(5):
        assert site.post(group(alert(f"A{n}", severity="warning", service=""))).status_code == 202
    assert site.post(group(alert("Worse"))).status_code == 202
    site.parts.run()
    assert site.incidents()[0].facts.title == "Worse"
    assert len(site.incidents()) == 6


def test_one_worker_at_a_time_takes_alerts_in(site: Monitored) -> None:
    """So that no end overtakes its beginning; what came meanwhile is found by whoever works next."""
    with site.parts.redis.lock(LOCK, timeout=60):
        site.taken(group(alert("Down")))
        assert site.results() == []
    site.taken(group(alert("Down", "resolved"), alert("Up")))
    assert site.results()[1:] == ["resolved", "declared"]
    assert site.incidents()[0].alerts.firing == 1


def test_the_lock_is_renewed_while_its_holder_lives(site: Monitored) -> None:
    """It lasts about a second: whoever waits for a worker that was killed waits no longer."""
    redis = site.parts.redis
    lock = redis.lock(LOCK, timeout=LOCK_SECONDS, thread_local=False)
    assert lock.acquire(blocking=False)
    with renewed(lock) as is_held:
        redis.pexpire(LOCK, 900)
        eventually(lambda: redis.pttl(LOCK) > 900)
        assert redis.pttl(LOCK) <= 1200
        redis.delete(LOCK)
        eventually(lambda: not is_held())
    assert not redis.exists(LOCK)


def test_a_body_that_is_damaged_holds_up_no_other(site: Monitored) -> None:
    """It is set aside, and listed."""
    assert site.post(group(alert("Down"))).status_code == 202
    [(member, _)] = site.parts.redis.zscan_iter(DUE)
    site.parts.redis.set(f"tocsin:intake:{str(member, 'utf-8')}", b"{")
    site.taken(group(alert("Up")))
    assert site.results() == ["unparsable: what is stored of it is damaged", "declared"]
    assert site.parts.redis.zcard(DUE) == 0


def test_the_end_of_all_alerts_is_told(site: Monitored) -> None:
    """The card says so, and the thread asks whether it is over, with a button."""
    site.taken(FIRING)
    site.taken(RESOLVED)
    [incident] = site.incidents()
    assert incident.open
    assert "all have ended" in site.card(incident)
    asked = [m for m in site.parts.messages() if "All alerts have ended" in m["text"]]
    assert asked
    assert "'resolve'" in str(asked[0]["blocks"])


def test_a_route_may_resolve_by_itself(tmp_path: Path) -> None:
    """Once nothing has fired for five minutes; what flaps in between stays one incident."""
    with monitored(tmp_path, routes=[{"when_resolved": "resolve"}]) as site:
        site.taken(FIRING)
        site.taken(RESOLVED)
        site.parts.clock.push(minutes=4)
        site.taken(FIRING)
        site.taken(RESOLVED)
        for minutes, status in ((4.9, Status.INVESTIGATING), (0.2, Status.RESOLVED)):
            site.parts.clock.push(minutes=minutes)
            enqueue_overdue(site.parts.context, site.parts.clock.now)
            site.parts.run()
            [incident] = site.incidents()
            assert incident.status is status


def test_a_worse_alert_raises_where_the_route_says_so(tmp_path: Path) -> None:
    """The open incident, and its page names the alert."""
    with monitored(tmp_path, routes=[{"raise": True}]) as site:
        site.taken(group(alert("Slow", severity="medium")))
        site.taken(group(alert("Down", severity="P1")))
        [incident] = site.incidents()
        assert incident.severity == "P0"
        assert any("Down" in entry.why for entry in incident.timeline)


def test_the_absence_of_a_heartbeat_is_the_alert(tmp_path: Path) -> None:
    """Not its presence; and its return ends that alert."""
    route = {"match": {"labels": {"alertname": "Watchdog"}}, "heartbeat": "3m", "severity": "P1"}
    with monitored(tmp_path, routes=[route]) as site:

        def minutes(count: float) -> list[Incident]:
            site.parts.clock.push(minutes=count)
            enqueue_overdue(site.parts.context, site.parts.clock.now)
            site.parts.run()
            return site.incidents()

        beat = group(alert("Watchdog", severity="none", service=""))
        for _ in range(3):
            site.taken(beat)
            assert minutes(2.9) == []
        [incident] = minutes(0.2)
        assert (incident.severity, incident.facts.title) == ("P1", "Monitoring is silent: no Watchdog")
        assert [i.id for i in minutes(60)] == [incident.id]
        site.taken(beat)
        assert site.parts.now(incident).alerts.firing == 0
        site.taken(group(alert("Watchdog", "resolved", severity="none", service="")))
        assert site.parts.now(incident).alerts.firing == 1


def test_what_is_dropped_is_told(site: Monitored) -> None:
    """Ignored, unparsable, without alerts: each stands in the list with its reason."""
    site.taken(group(alert("Chat", severity="info")))
    site.taken(b"no JSON")
    site.taken({"version": "4", "alerts": []})
    assert site.incidents() == []
    found = site.results()
    assert found[0] == "dropped: severity info is ignored"
    assert found[1].startswith("unparsable: the body is no JSON")


# Who may, and what they are answered -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/alerts/alertmanager", {"authorization": "Bearer wrong"}, 401),
        ("/alerts/alertmanager", {"x-nothing": "1"}, 401),
        ("/alerts/nonsense", BEARER, 404),
        ("/alerts/alertmanager?token=a-long-token", {"x-nothing": "1"}, 202),
        ("/alerts/sentry", BEARER, 401),
        ("/alerts/sentry", {"sentry-hook-signature": signed(SENTRY, FIRING)}, 202),
        ("/v2/alert_events/http/abc", BEARER, 202),
    ],
)
def test_who_may_send(site: Monitored, path: str, headers: dict[str, str], status: int) -> None:
    """The token, or the signature where the source has a secret of its own."""
    assert site.post(FIRING, path, **headers).status_code == status


def webhook(raw: bytes, key: bytes = KEYS[0], message: str = "msg_1", age: int = 0) -> dict[str, str]:
    """The headers of Standard Webhooks. Their age is real time, by which the bot judges signatures."""
    stamp = str(int(time.time()) - age)
    digest = hmac.new(key, f"{message}.{stamp}.".encode() + raw, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": message, "webhook-timestamp": stamp, "webhook-signature": signature}


def test_a_signed_webhook_is_let_in_beside_the_token(site: Monitored) -> None:
    """By each of several secrets, and within five minutes; the token lets in as well, and nothing else does."""
    raw = b'{"title": "Down"}'
    for headers in (webhook(raw), webhook(raw, KEYS[1]), webhook(raw, age=290), BEARER, {**BEARER, "webhook-id": "m"}):
        assert site.post(raw, "/alerts/generic", **headers).status_code == 202
    garbage = {**webhook(raw), "webhook-signature": "garbage"}
    for headers in (webhook(raw + b" "), webhook(raw, b"x" * 24), webhook(raw, age=310), garbage, {"x": "1"}):
        assert site.post(raw, "/alerts/generic", **headers).status_code == 401


def test_a_webhook_that_is_replayed_fires_nothing_anew(site: Monitored) -> None:
    """Nor does one that is sent anew under its id; another body under that id is no repeat, and is not lost."""
    down, up = b'{"title": "Down"}', b'{"title": "Down", "status": "ok"}'
    site.taken(down, "/alerts/generic", **webhook(down))
    site.taken(up, "/alerts/generic", **webhook(up))
    for headers in (webhook(down), webhook(down, age=60)):
        site.taken(down, "/alerts/generic", **headers)
    assert site.results() == ["declared", "resolved"]
    assert [incident.alerts.firing for incident in site.incidents()] == [0]


def test_a_body_that_is_too_large_is_refused(site: Monitored) -> None:
    """By its own source's limit."""
    assert site.post(b" " * 1_000_001).status_code == 413
    assert site.post(b'{"routing_key": "x"}' + b" " * 600_000, "/v2/enqueue").status_code == 413


def test_pagerdutys_clients_are_answered_as_they_expect(site: Monitored) -> None:
    """The Events API v2, with the token as the routing key, and a service behind it."""
    event = {"routing_key": f"{TOKEN}.checkout", "event_action": "trigger", "payload": {
        "summary": "Disk full", "source": "db-1", "severity": "critical"}}  # fmt: skip
    answer = site.post(event, "/v2/enqueue", **{"content-type": "application/json"})
    assert answer.status_code == 202
    assert answer.json()["status"] == "success"
    key = answer.json()["dedup_key"]
    site.parts.run()
    [incident] = site.incidents()
    assert (incident.severity, incident.facts.service) == ("P1", "checkout")
    site.taken({"routing_key": TOKEN, "event_action": "resolve", "dedup_key": key}, "/v2/enqueue", x="1")
    assert site.incidents()[0].alerts.firing == 0
    wrong = site.post({"routing_key": TOKEN, "event_action": "trigger"}, "/v2/enqueue", x="1")
    assert (wrong.status_code, wrong.json()["status"]) == (400, "invalid event")
    assert site.post({**event, "routing_key": "other"}, "/v2/enqueue", x="1").status_code == 401


def test_opsgenies_clients_are_answered_as_they_expect(site: Monitored) -> None:
    """Create and close, with a GenieKey."""
    key = {"authorization": f"GenieKey {TOKEN}"}
    answer = site.post((DATA / "opsgenie_alert_api" / "captured_am_create.json").read_bytes(), "/v2/alerts", **key)
    assert (answer.status_code, answer.json()["result"]) == (202, "Request will be processed")
    site.parts.run()
    [incident] = site.incidents()
    assert (incident.severity, incident.facts.service) == ("P1", "checkout")
    alias = "dc2bdfff34ca18fbba9717afde460afbe60adf29d4184d6af7e4fea3de71dd39"
    site.taken({"source": "x"}, f"/v2/alerts/{alias}/close?identifierType=alias", **key)
    assert site.incidents()[0].alerts.firing == 0
    ended, declared = Intake(site.parts.redis, post_alerts).log(site.parts.clock.now.replace(year=2000))
    assert (ended.result, ended.title, ended.severity) == ("resolved", declared.title, "P1")


# Nothing that was accepted is lost ---------------------------------------------------------------------------------


def test_what_another_tool_sends_back_of_an_incident_of_ours_declares_no_other(site: Monitored) -> None:
    """Whatever interface it comes by, and whatever it says: it is listed; the id of no incident of ours is an alert."""
    site.taken(FIRING)
    [incident] = site.incidents()
    for action in ("trigger", "acknowledge", "resolve"):
        event = {"routing_key": TOKEN, "event_action": action, "dedup_key": incident.id, "payload": {"summary": "P1"}}
        site.taken(event, "/v2/enqueue")
    site.taken({"message": "P1 checkout", "alias": incident.id}, "/v2/alerts")
    site.taken(group(alert("Back again", fingerprint=incident.id), alert("Disk full", service="search")))
    assert len(site.incidents()) == 2
    [_, *news, other] = site.results()
    assert {result.split()[0] for result in news} == {"note:"}
    assert all(result.endswith(f"of {incident.id}, which Tocsin made") for result in news)
    assert other == "declared"
    event = {"routing_key": TOKEN, "event_action": "trigger", "dedup_key": "INC-20010101-001"}
    site.taken(event | {"payload": {"summary": "Another tool's own id", "severity": "error"}}, "/v2/enqueue")
    assert len(site.incidents()) == 3


def test_a_lost_job_is_made_up_for(site: Monitored) -> None:
    """A worker died with it, or the queue was emptied: the body is still due."""
    assert site.post(FIRING).status_code == 202
    site.parts.redis.delete("rq:queue:alerts")
    site.parts.run()
    assert site.incidents() == []
    site.parts.redis.zadd(DUE, {member: 0 for member, _ in site.parts.redis.zscan_iter(DUE)})
    assert enqueue_overdue(site.parts.context, site.parts.clock.now) == 1
    site.parts.run()
    assert len(site.incidents()) == 1


def test_while_redis_is_away_the_disk_takes_alerts(site: Monitored, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answered 202, since some sources never send again; drained in order when Redis is back."""
    server = site.parts.redis
    server.client_pause(60_000, all=False)  # of writes, until told
    with monkeypatch.context() as patience:
        patience.setattr("bot.keeper.REDIS_PATIENCE", 0.5)
        assert site.post(FIRING).status_code == 202
    assert len(list(site.spool.glob("*.alert"))) == 1
    server.client_unpause()
    eventually(lambda: not list(site.spool.glob("*.alert")))
    site.parts.run()
    assert len(site.incidents()) == 1


def test_a_spool_that_takes_nothing_is_named_while_redis_works(tmp_path: Path) -> None:
    """By readiness, as soon as the bot has started."""
    (tmp_path / "spool").write_text("in its place")
    with monitored(tmp_path) as site:
        eventually(lambda: "let the bot's user write TOCSIN_DATA/spool" in str(site.bot.ready()))


def test_each_body_of_one_batch_has_its_own_results(tmp_path: Path) -> None:
    """Bodies that are worked on at once are told apart: what began, what was a repeat, and an end too soon."""
    with monitored(tmp_path) as site:
        for body in (group(alert("Slow", "resolved")), group(alert("Down"), alert("Slow")), group(alert("Down"))):
            assert site.post(body).status_code == 202
        site.post(group(alert("Down", "resolved")))
        site.parts.run()
        assert site.results() == ["resolved: nothing was open", "declared", "declared", "repeated", "resolved"]


def test_a_heartbeat_has_a_url_of_its_own(tmp_path: Path) -> None:
    """By POST or GET, with the token; another name is unknown, and a heartbeat is in no list of alerts."""
    checks: list[dict[str, Any]] = [
        {"name": "nightly backup", "heartbeat": {"every": "1d"}},
        {"name": "shop", "dns": "shop.example.com"},
    ]
    with monitored(tmp_path, checks=checks) as site:
        url = "/alerts/heartbeat/nightly%20backup"
        site.taken(b"the end of a log", url)
        assert site.bot.web.get(url, params={"token": TOKEN}).status_code == 202
        site.parts.run()
        known = json.loads(raw(site.parts.redis.hget(BEATS, "nightly backup")))
        assert known == [site.parts.clock.now.timestamp(), True]
        assert site.results() == []
        assert site.post(b"", url, x="1").status_code == 401
        wrong = site.post(b"", "/alerts/heartbeat/shop")
        assert (wrong.status_code, wrong.json()["error"]) == (404, "no check with a heartbeat is called 'shop'")


def test_a_severity_that_the_policy_lacks_is_the_next_worse_one(site: Monitored) -> None:
    """A policy without P3 takes a warning as P2, without one worse the worst it has, and loses no alert beside it."""
    policy = site.parts.service.policy
    levels = {level: rules for level, rules in policy.severities.items() if level in ("P1", "P2")}
    site.parts.service.policy = policy.model_copy(update={"severities": levels})
    warning, worst = alert("Low", severity="warning", service="a"), alert("High", severity="P1", service="b")
    site.taken(group(warning, worst, alert("Plain", service="checkout")))
    became = sorted((i.facts.title, i.severity) for i in site.incidents())
    assert became == [("High", "P1"), ("Low", "P2"), ("Plain", "P1")]


def test_a_body_of_no_known_source_is_read_as_the_configuration_says(tmp_path: Path) -> None:
    """It declares, and its own word for the end ends it."""
    with monitored(tmp_path, generic={"title": "n", "state": "s", "severity": "how", "resolved": "GREEN"}) as site:
        site.taken({"n": "Pump 3", "s": "RED", "how": "critical"}, "/alerts/generic")
        site.taken({"n": "Pump 3", "s": "green"}, "/alerts/generic")
        (incident,) = site.incidents()
        assert (incident.facts.title, incident.severity) == ("Pump 3", "P1")
        assert "by Monitoring (monitoring alert)" in site.card(incident)
        assert site.results() == ["declared", "resolved"]


def test_waits_pass_as_fast_as_the_policies_clocks(tmp_path: Path) -> None:
    """At sixty times the speed, two minutes of waiting are two seconds."""
    with monitored(tmp_path, routes=[{"wait": "2m"}]) as site:
        site.parts.service.speed = 60.0
        site.taken(group(alert("Down")))
        assert site.incidents() == []
        site.parts.run_for(3)
        enqueue_overdue(site.parts.context, site.parts.clock.now)
        site.parts.run()
        assert len(site.incidents()) == 1


def test_the_alerts_of_a_duplicate_go_on_with_its_original(site: Monitored) -> None:
    """While the original is open they declare nothing; one that still fires after it is closed is heard again."""
    original = site.parts.declare("P1", title="Payments fail", service="checkout")
    site.taken(group(alert("Down")))
    [duplicate] = [i for i in site.incidents() if i.id != original.id]
    site.parts.service.handle(duplicate.id, Cancel(by="UDANA", duplicate_of=original.id))
    site.parts.clock.push(minutes=30)
    site.taken(group(alert("Down"), alert("Slow", severity="warning")))
    assert len(site.incidents()) == 2
    site.taken(group(alert("Down"), alert("Slow", "resolved", severity="warning")))
    assert site.parts.now(original).open
    site.parts.service.handle(original.id, Resolve(by="UDANA", summary="Over", resolution="Restarted"))
    site.taken(group(alert("Down")))
    assert len(site.incidents()) == 2
    site.parts.clock.push(minutes=6)
    site.taken(group(alert("Down")))
    assert len(site.incidents()) == 3
