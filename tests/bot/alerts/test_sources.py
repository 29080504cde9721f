"""Every source reads what it really sends, and survives what nobody sends."""

import copy
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.alerts.document import Unreadable
from bot.alerts.source import MAX_BYTES, Received, alert
from bot.alerts.sources import RECEIVERS, SOURCES
from escalation.alerts.alert import Alert, AlertState, Parsed

OWN = Path(__file__).parents[2] / "data" / "alerts"
SHARED = Path(__file__).parents[4] / "shared" / "alerts" / "payloads"
ALL = SOURCES | RECEIVERS
FIRING, RESOLVED, ACKNOWLEDGED = AlertState.FIRING, AlertState.RESOLVED, AlertState.ACKNOWLEDGED
CHECKOUT = "dc2bdfff34ca18fbba9717afde460afbe60adf29d4184d6af7e4fea3de71dd39"

# source, file, and of each alert: state, fingerprint, title, severity.
READ: list[tuple[str, str, list[tuple[AlertState, str, str, str]]]] = [
    ("alertmanager", "alertmanager/captured_0.25_group3_mixed.json", [
        (FIRING, "4194e6bcc01283a4", "node-1 is down", "warning"),
        (RESOLVED, "ae56de4b7d91e14d", "node-2 is down", "warning"),
        (FIRING, "dae00916abb2263f", "node-3 is down", "critical"),
    ]),
    ("grafana", "grafana/v8_firing.json", [(RESOLVED, "57c6d9296de2ad39", "Notification test", "")]),
    ("grafana", "grafana/legacy_v7_alerting.json", [(FIRING, "rule 0/0/Test rule", "Test rule", "")]),
    ("grafana", "grafana/legacy_v7_ok.json", [(RESOLVED, "rule 0/0/Test rule", "Test rule", "")]),
    ("datadog", "datadog/recorded_triggered_log_alert.json", [
        (FIRING, "160076582 service:keep-api-matvey-kuk-workflows-fix", "Error monitor", "error"),
    ]),
    ("datadog", "datadog/recorded_recovered_log_alert.json", [
        (RESOLVED, "160076582 service:keep-api-feature-unique-id", "Error monitor", "success"),
    ]),
    ("newrelic", "newrelic/workflow_created.json", [
        (FIRING, "8114ada3-572e-4550-a310-12375371669e", "Server Down", ""),
    ]),
    ("newrelic", "newrelic/workflow_closed.json", [
        (RESOLVED, "f0d98b28-bf9d-49e7-b9d0-ac7cbb52e73a", "Server Down", ""),
    ]),
    ("sentry", "sentry/event_alert_python.json", [
        (FIRING, "issue 1635244907", "Exception: Custom exception!", "error"),
    ]),
    ("sentry", "sentry/issue_created.json", [(FIRING, "issue 1635244907", "Exception: Custom exception!", "error")]),
    ("sentry", "sentry/issue_resolved.json", [
        (RESOLVED, "issue 1638821441", "Exception: program has entered an invalid state.", "error"),
    ]),
    ("uptimerobot", "uptimerobot/monitor_down.json", [(FIRING, "server1.example.com", "Web Server is down", "")]),
    ("uptimerobot", "uptimerobot/monitor_up.json", [(RESOLVED, "server2.example.com", "Mail Server is down", "")]),
    ("uptimekuma", "uptime_kuma/captured_webhook_down.json", [(FIRING, "7", "Shop / Checkout is down", "sev1")]),
    ("uptimekuma", "uptime_kuma/captured_webhook_up.json", [(RESOLVED, "7", "Shop / Checkout is down", "sev1")]),
    ("healthchecks", "healthchecks/captured_down.json", [
        (FIRING, "3e8c838f-19ea-4bd7-b14c-7d105bc75bcb", 'nightly "backup" is down', ""),
    ]),
    ("healthchecks", "healthchecks/captured_up.json", [
        (RESOLVED, "3e8c838f-19ea-4bd7-b14c-7d105bc75bcb", 'nightly "backup" is down', ""),
    ]),
    ("sns", "aws_sns/captured_moto_alarm.json", [
        (FIRING, "arn:aws:cloudwatch:us-east-1:123456789012:alarm:checkout-5xx", "checkout-5xx", ""),
    ]),
    ("sns", "aws_sns/captured_moto_ok.json", [
        (RESOLVED, "arn:aws:cloudwatch:us-east-1:123456789012:alarm:checkout-5xx", "checkout-5xx", ""),
    ]),
    ("sns", "aws_sns/cloudwatch_alarm.json", [
        (FIRING, "1234567890 EU (Ireland) bucketbytesAlarm", "bucketbytesAlarm", ""),
    ]),
    ("sns", "aws_sns/subscription_confirmation.json", []),
    ("gcp", "gcp_monitoring/open.json", [(FIRING, "f2e08c333dc64cb09f75eaab355393bz", "Webserver Health", "")]),
    ("gcp", "gcp_monitoring/closed.json", [(RESOLVED, "f2e08c333dc64cb09f75eaab355393bz", "Webserver Health", "")]),
    ("pagerduty", "pagerduty_webhook_v3/triggered.json", [(FIRING, "PFQZPSY", "Test Incident 3", "")]),
    ("pagerduty", "pagerduty_webhook_v3/resolved.json", [(RESOLVED, "PCPZE64", "Test Incident", "")]),
    ("opsgenie", "opsgenie/create.json", [(FIRING, "alert-alias", "another alert", "P3")]),
    ("opsgenie", "opsgenie/close.json", [(RESOLVED, "aliastest", "test alert", "")]),
    ("events", "pagerduty_events_v2/captured_am_trigger.json", [
        (FIRING, CHECKOUT, "HighErrorRate eu-1 (web-1:9090 checkout critical)", "error"),
    ]),
    ("events", "pagerduty_events_v2/captured_uptime_kuma_resolve.json", [
        (RESOLVED, "Uptime Kuma/7", "[Checkout] 200 - OK", "warning"),
    ]),
    ("opsgenie_api", "opsgenie_alert_api/captured_am_create.json", [
        (FIRING, CHECKOUT, "HighErrorRate eu-1 (web-1:9090 checkout critical)", "critical"),
    ]),
    ("incidentio", "alertmanager/captured_0.25_firing.json", [
        (FIRING, "e7ec7c95c14b24e8", "checkout 5xx above 5%", "critical"),
    ]),
]  # fmt: skip


def body(name: str) -> bytes:
    """A body that was really sent, by its file."""
    path = OWN / name if (OWN / name).exists() else SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not beside this checkout")
    return path.read_bytes()


def read(source: str, raw: bytes, **more: Any) -> Parsed:
    return ALL[source].parse(Received(raw, **more))


@pytest.mark.parametrize(("source", "name", "expected"), READ, ids=[name for _, name, _ in READ])
def test_real_bodies_are_read(source: str, name: str, expected: list[tuple[AlertState, str, str, str]]) -> None:
    """State, fingerprint, title and the source's own word for the severity."""
    found = read(source, body(name)).alerts
    assert [(a.state, a.fingerprint, a.title, a.severity) for a in found] == expected
    assert {a.source for a in found} <= {source}


def only(source: str, raw: bytes, **more: Any) -> Alert:
    [found] = read(source, raw, **more).alerts
    return found


def test_one_problem_keeps_its_fingerprint() -> None:
    """The end of an alert has the fingerprint of its beginning, whatever else its body says."""
    pairs = [
        ("alertmanager", "alertmanager/captured_0.25_firing.json", "alertmanager/captured_0.25_resolved.json"),
        ("events", "pagerduty_events_v2/captured_am_trigger.json", "pagerduty_events_v2/captured_am_resolve.json"),
        ("uptimekuma", "uptime_kuma/captured_webhook_down.json", "uptime_kuma/captured_webhook_up.json"),
    ]
    for source, begins, ends in pairs:
        first, last = only(source, body(begins)), only(source, body(ends))
        assert (first.fingerprint, first.state, last.state) == (last.fingerprint, FIRING, RESOLVED)


def test_what_alertmanager_says_of_an_alert_is_kept() -> None:
    """Labels, its own group, occurrence, description, and links that can be followed."""
    found = only("alertmanager", body("alertmanager/captured_0.25_firing.json"))
    assert found.service == "checkout"
    assert found.labels["cluster"] == "eu-1"
    assert found.group.startswith("{}:{alertname=")
    assert found.occurrence
    assert found.description == "5xx ratio is 7.3% for 10m"
    assert ("Runbook", "https://runbooks.example.com/checkout-5xx") in [(k.label, k.url) for k in found.links]


def test_what_a_group_left_out_is_counted() -> None:
    """With max_alerts Alertmanager names only some of a group, and says how many more there are."""
    found = read("alertmanager", body("alertmanager/captured_0.25_group3_truncated_max_alerts_2.json"))
    assert (len(found.alerts), found.truncated) == (2, 1)


def test_every_alert_of_a_body_is_read() -> None:
    """As many as a body may hold: an end that is left out never comes again."""
    ends = [{"status": "resolved", "fingerprint": f"f{n}", "labels": {"alertname": "a"}} for n in range(12_000)]
    raw = json.dumps({"alerts": ends}, separators=(",", ":")).encode()
    assert len(raw) < MAX_BYTES
    found = read("alertmanager", raw)
    assert (len(found.alerts), found.truncated) == (12_000, 0)


CERTIFICATES = [
    ("uptimerobot", {"alertType": "3", "monitorID": "77"}, {"alertType": "1", "monitorID": "77"}),
    ("checkly", {"alert_type": "ALERT_SSL", "check_id": "c"}, {"alert_type": "ALERT_FAILURE", "check_id": "c"}),
]


@pytest.mark.parametrize(("source", "expires", "down"), CERTIFICATES)
def test_a_certificate_that_expires_never_says_that_it_is_over(
    source: str, expires: dict[str, str], down: dict[str, str]
) -> None:
    """Its tool sends no end, so that its silence closes it; the same tool's other alerts have one."""
    assert [only(source, json.dumps(body).encode()).ends for body in (expires, down)] == [False, True]


NOTES = [
    ("uptimekuma", {"heartbeat": None, "monitor": None, "msg": "Testing"}, {}, "Uptime Kuma's test"),
    ("uptimekuma", {"heartbeat": {"status": 3}, "monitor": {"id": 1}}, {}, "the monitor is under maintenance"),
    ("grafana", {"state": "paused", "ruleName": "r"}, {}, "the rule is paused"),
    ("sentry", {"action": "assigned", "data": {"issue": {"id": "1"}}}, {}, "an issue was assigned"),
    ("sentry", {"action": "created", "data": {"installation": {}}, "installation": {"uuid": "a8e5"}}, {},
     "installation created"),
    ("sentry", {"action": "created", "data": {"comment": "hi", "issue_id": 1}, "installation": {"uuid": "a8e5"}}, {},
     "comment created"),
    ("pagerduty", {"event": {"event_type": "incident.annotated", "data": {"id": "P1"}}}, {}, "incident.annotated"),
    ("opsgenie", {"action": "AddNote", "alert": {"alias": "a"}}, {}, "AddNote"),
    ("opsgenie_api", {}, {"path": "abc/notes"}, "notes of abc"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "value", "more", "note"), NOTES, ids=[n[3] for n in NOTES])
def test_what_is_no_alert_is_a_note(source: str, value: dict[str, Any], more: dict[str, Any], note: str) -> None:
    """Tests, assignments and the like are counted, and nobody is paged for them."""
    assert read(source, json.dumps(value).encode(), **more) == Parsed(note=note)


WAYS = [
    ("uptimerobot", b"alertType=1&monitorID=77&monitorFriendlyName=Shop&alertDetails=*alertDetails*",
     {"headers": {"content-type": "application/x-www-form-urlencoded"}}, "77", "Shop is down"),
    ("uptimerobot", b"", {"query": {"alertType": "3", "monitorID": "77", "monitorFriendlyName": "Shop"}},
     "77 tls", "TLS certificate of Shop expires"),
    ("uptimekuma", b'--b\r\nContent-Disposition: form-data; name="data"\r\n\r\n'
     b'{"heartbeat":{"status":0},"monitor":{"id":3,"name":"Shop"},"msg":"m"}\r\n--b--\r\n',
     {"headers": {"content-type": "multipart/form-data; boundary=b"}}, "3", "Shop is down"),
    ("opsgenie_api", b"{}", {"path": "a%2Fb/close", "query": {"identifierType": "alias"}}, "a/b", "a/b"),
    ("sns", json.dumps({"Type": "Notification", "TopicArn": "arn:t:x", "Message": json.dumps(
        {"resources": ["arn:alarm"], "detail": {"alarmName": "5xx", "alarmContributor":
         {"id": "c1", "state": {"value": "ALARM"}}, "alarmTags": {"severity": "critical"}}})}).encode(),
     {"headers": {"content-type": "text/plain"}}, "arn:alarm c1", "5xx"),
    ("azure", json.dumps({"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": {"alertId": "/s/1",
     "alertRule": "CPU", "severity": "Sev1", "monitorCondition": "Fired"}}}).encode(), {}, "/s/1", "CPU"),
    ("azure", b'{"status": "Activated", "context": {"id": "/s/2", "name": "CPU"}}', {}, "/s/2", "CPU"),
    ("betterstack", json.dumps({"data": {"id": "9", "type": "incident", "attributes": {"name": "Shop",
     "cause": "503"}}}).encode(), {}, "9", "Shop"),
    ("checkly", json.dumps({"alert_type": "ALERT_FAILURE", "check_id": "c-1", "check_name": "Shop"}).encode(), {},
     "c-1", "Shop"),
    ("newrelic", json.dumps({"current_state": "open", "incident_id": 42, "condition_name": "Apdex"}).encode(), {},
     "42", "Apdex"),
    ("sentry", json.dumps({"action": "critical", "data": {"metric_alert": {"organization_id": "1", "identifier": "7"},
     "description_title": "5xx"}}).encode(), {}, "metric 1/7", "5xx"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "raw", "more", "fingerprint", "title"), WAYS)
def test_other_shapes_are_read(source: str, raw: bytes, more: dict[str, Any], fingerprint: str, title: str) -> None:
    """Forms, queries, multipart, and the bodies of which no recording is at hand, as their vendors document them."""
    found = only(source, raw, **more)
    assert (found.fingerprint, found.title, found.state == RESOLVED) == (fingerprint, title, source == "opsgenie_api")


@pytest.mark.parametrize("metadata", [{"service": "checkout"}, {"service": [{"type": "String", "value": "checkout"}]}])
def test_better_stacks_metadata_names_the_service(metadata: dict[str, Any]) -> None:
    """As text, and as the list of typed values that its newer metadata are."""
    body = {"data": {"id": "9", "attributes": {"name": "Shop", "metadata": metadata}}}
    [alert] = SOURCES["betterstack"].parse(Received(json.dumps(body).encode())).alerts
    assert alert.service == "checkout"


def test_sentry_keys_alerts_and_issues_alike() -> None:
    """What an issue alert opened is closed by the end of its issue."""
    event = {"action": "triggered", "data": {"event": {"event_id": "e", "issue_id": "77", "title": "T"}}}
    issue = {"action": "archived", "data": {"issue": {"id": "77", "title": "T"}}}
    first, last = (only("sentry", json.dumps(value).encode()) for value in (event, issue))
    assert (first.fingerprint, first.state, last.state) == (last.fingerprint, FIRING, RESOLVED)


# What nobody sends ----------------------------------------------------------------------------------------------


def outcome(source: str, raw: bytes, **more: Any) -> Parsed | None:
    """What was read, or None for a body that was refused in words; anything else fails the test."""
    try:
        return read(source, raw, **more)
    except Unreadable:
        return None


ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e300,
    10**400,
    "",
    "<!channel> \u202e\ud800\x00",
    [],
    [None],
    {},
    [[]],
    {"a": {}},
)


def damaged(value: Any) -> Iterator[Any]:
    """A body with each of its fields gone, or of another type."""
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        yield {k: v for k, v in value.items() if k != key}
        for odd in ODD:
            yield value | {key: odd}
        children = inner[0] if isinstance(inner, list) and inner else inner
        for worse in damaged(children):
            yield value | {key: [worse, *inner[1:]] if isinstance(inner, list) else worse}


@pytest.mark.parametrize(("source", "name"), [r[:2] for r in READ], ids=[r[1] for r in READ])
def test_damaged_bodies_are_refused_in_words(source: str, name: str) -> None:
    """Cut short, with fields removed or of another type: read as far as it goes, or refused; never a crash."""
    raw = body(name)
    for end in range(0, len(raw), 100):
        outcome(source, raw[:end])
    for value in damaged(copy.deepcopy(json.loads(raw))):
        found = outcome(source, json.dumps(value).encode())
        if found is not None:
            found.model_dump_json().encode()  # it can be kept


@pytest.mark.parametrize("source", sorted(ALL))
@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"null", b"{}", b"\xff\xfe{\x00}", b"{" * 10_000, b'{"a":' * 10_000, b"[" * 100_000, b"NaN",
     b'{"alerts": NaN}', b"\x00" * 1000, b'{"alerts": [1, null, [], "x"]}', b'{"alerts": []}', b'{"a":1,"a":2}'],
)  # fmt: skip
def test_nonsense_is_refused_in_words(source: str, raw: bytes) -> None:
    """Neither a crash nor an alert of nobody."""
    found = outcome(source, raw)
    assert found is None or not found.alerts


def test_json_is_json_whatever_it_is_called() -> None:
    """curl calls every body a form; some tools say nothing at all."""
    raw = body("alertmanager/captured_0.25_firing.json")
    for kind in ("application/x-www-form-urlencoded", "text/plain", "application/octet-stream", ""):
        assert only("alertmanager", b"\n " + raw, headers={"content-type": kind}).severity == "critical"


def test_utf16_is_read() -> None:
    """JSON may come in any Unicode encoding; some Windows clients send UTF-16."""
    text = body("alertmanager/captured_0.25_firing.json").decode()
    assert only("alertmanager", text.encode("utf-16")).title == "checkout 5xx above 5%"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", " GZIP ", "identity"])
def test_a_packed_body_is_read(encoding: str) -> None:
    """Proxies and log shippers compress what they post."""
    raw = body("alertmanager/captured_0.25_firing.json")
    packed = {"gzip": gzip.compress(raw), "deflate": zlib.compress(raw)}.get(encoding.strip().lower(), raw)
    assert only("alertmanager", packed, headers={"content-encoding": encoding}).title == "checkout 5xx above 5%"


def raw_deflate(plain: bytes) -> bytes:
    """As some clients send what they call deflate: without its header."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(plain) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        pytest.param("deflate", raw_deflate, id="raw deflate"),
        pytest.param("deflate", lambda raw: zlib.compress(raw, level=0, wbits=9), id="small window"),
        pytest.param("gzip", lambda raw: gzip.compress(raw[:99]) + gzip.compress(raw[99:]), id="two members"),
        pytest.param(
            "gzip", lambda raw: b"".join(gzip.compress(raw[n : n + 3]) for n in range(0, len(raw), 3)), id="many"
        ),
        pytest.param("gzip", lambda raw: gzip.compress(raw) + b"\0" * 64, id="padded"),
        pytest.param("gzip, identity", gzip.compress, id="and nothing"),
        pytest.param("deflate,gzip", lambda raw: gzip.compress(zlib.compress(raw)), id="twice"),
    ],
)
def test_a_body_is_read_however_it_was_packed(encoding: str, packed: Callable[[bytes], bytes]) -> None:
    """As RFC 9110 allows it, and as it is sent all the same; the last encoding is undone first."""
    raw = body("alertmanager/captured_0.25_firing.json")
    assert only("alertmanager", packed(raw), headers={"content-encoding": encoding}).title == "checkout 5xx above 5%"


@pytest.mark.parametrize(
    ("encoding", "packed", "why"),
    [
        pytest.param(
            "gzip", gzip.compress(b'{"alerts": [' + b" " * 2_000_000 + b"]}"), "more than 1000000 bytes", id="huge"
        ),
        pytest.param("gzip", gzip.compress(b'{"alerts": []}')[:-12], "cut short", id="cut short"),
        pytest.param("gzip", b'{"alerts": []}', "it is no gzip", id="plain"),
        pytest.param("br", b"\x0b\x02\x80[]\x03", "send gzip, or none", id="brotli"),
        pytest.param("gzip, br", b"\x0b\x02\x80[]\x03", "send gzip, or none", id="brotli last"),
        pytest.param("gzip", gzip.compress(b" " * 900_000) * 2, "more than 1000000 bytes", id="huge together"),
        pytest.param("gzip", gzip.compress(b"") * 110_000, "more than 2000000 bytes, packed", id="empty members"),
        pytest.param("gzip,gzip,gzip,gzip", b"", "more than 3 Content-Encodings", id="packed without end"),
    ],
)
def test_a_packed_body_that_cannot_be_read_says_why(encoding: str, packed: bytes, why: str) -> None:
    """A bomb, a part of one, what is called wrongly, and what nobody here unpacks."""
    with pytest.raises(Unreadable, match=why):
        read("alertmanager", packed, headers={"content-encoding": encoding})


def test_the_number_of_labels_is_bounded() -> None:
    """Ten thousand labels are kept by none of our cards."""
    labels = {f"l{i}": "x" * 1000 for i in range(10_000)}
    value = {"alerts": [{"status": "firing", "labels": labels, "fingerprint": "f"}]}
    found = only("alertmanager", json.dumps(value).encode())
    assert len(found.labels) == 64
    assert all(len(text) <= 200 for text in found.labels.values())


def test_long_keys_stay_apart() -> None:
    """Two fingerprints that begin alike are two alerts, however long they are."""
    keys = ["k" * 5000 + "1", "k" * 5000 + "2"]
    bodies = [json.dumps({"event_action": "trigger", "dedup_key": k, "payload": {"summary": "s"}}) for k in keys]
    assert len({only("events", raw.encode()).fingerprint for raw in bodies}) == 2


def test_a_healthchecks_secret_is_not_kept() -> None:
    """Whoever knows a check's ping address can silence it."""
    raw = body("healthchecks/captured_down.json")
    assert b"/ping/" in raw
    assert "/ping/" not in only("healthchecks", raw).model_dump_json()


@pytest.mark.parametrize("url", ["javascript:alert(1)", "//evil", "/graph", "", "file:///etc/passwd", "http://"])
def test_only_web_addresses_become_links(url: str) -> None:
    """What a browser could not open, or should not, is left out."""
    value = {"alerts": [{"status": "firing", "labels": {}, "fingerprint": "f", "generatorURL": url}]}
    assert only("alertmanager", json.dumps(value).encode()).links == ()


def test_relative_links_of_grafana_are_completed() -> None:
    """It sends `?orgId=1` for addresses of its own."""
    entry = {"status": "firing", "labels": {}, "fingerprint": "f", "generatorURL": "alerting/grafana/x/view?orgId=1"}
    value = {"alerts": [entry], "externalURL": "https://g.example.com/sub/"}
    links = {k.label: k.url for k in only("grafana", json.dumps(value).encode()).links}
    assert links["Graph"] == "https://g.example.com/sub/alerting/grafana/x/view?orgId=1"


@pytest.mark.parametrize(
    ("sent", "title"),
    [
        ("[FIRING:1] Disk full (node-1)", "Disk full (node-1)"),
        ("[FIRING:2, RESOLVED:1] Disk full", "Disk full"),
        ("[RESOLVED] Disk full", "Disk full"),
        ("[Uptime Kuma Monitor 🔴 Down] [Checkout] Timeout", "[Checkout] Timeout"),
        ("[FIRING:1]", "[FIRING:1]"),
        ("[eu-1] Disk full", "[eu-1] Disk full"),
        ("Disk full [FIRING:1]", "Disk full [FIRING:1]"),
    ],
)
def test_a_title_does_not_begin_with_a_state_that_gets_stale(sent: str, title: str) -> None:
    """The mark of Alertmanager, Grafana and Uptime Kuma goes; other brackets stay, and no title gets empty."""
    assert alert("events", AlertState.FIRING, "a", sent).title == title


def test_the_address_that_confirms_a_subscription_is_passed_on_if_it_is_amazons() -> None:
    """A person has to open it; any other address is not passed on."""
    topic = "arn:aws:sns:eu-west-1:123456789012:alarms"
    url = f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={topic}&Token=23f"
    evil = url.replace("amazonaws.com", "amazonaws.com.evil.example")
    for given, passed in [(url, True), (evil, False), ("", False)]:
        sent = {"Type": "SubscriptionConfirmation", "TopicArn": topic, "SubscribeURL": given}
        note = read("sns", json.dumps(sent).encode()).note
        assert "the subscription of alarms" in note
        assert note.endswith(f"open {url}") == passed
        assert evil not in note
