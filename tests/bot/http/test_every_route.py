"""Bad input on every route that the app has: the right status, counted, nothing lost, no crash.

The routes come from the app, so that a new one is tried as it is.
"""

import gzip
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bot.http.outside import TOKEN, Outside, credentials, outside
from tests.support.profiles import examples

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests" / "data" / "alerts"
HOSTILE = ("<!channel> & <@U0DANA0001>", "\u202eevil\u2066", "\ud800", "a\x00b", "x" * 5000, "")
OTHER_TYPES: tuple[Any, ...] = (None, True, 0, -1, 10**40, 1.5, [], {}, [[]], [None], {"": {}}, *HOSTILE)
# What a refusal may be; 405 and 404 are the app's own, 503 would mean that it was kept nowhere.
REFUSED = {400, 401, 403, 404, 405, 408, 409, 413, 422}
FINE = {200, 202, 204, 304, 308}
HOOKS = (
    {"event": {"id": "1", "event_type": "incident.acknowledged", "agent": {"id": "P1", "summary": "Dana"}, "data": {}}},
    {"action": "Acknowledge", "source": {"name": "web"}, "alert": {"alias": "tocsin-INC-1", "username": "dana@x.org"}},
    {"action": "closed", "issue": {"number": 1, "html_url": "https://github.com/o/r/issues/1", "assignee": {}}},
    {"webhookEvent": "jira:issue_updated", "issue": {"key": "OPS-1", "fields": {"status": {"name": "Done"}}}},
    {"type": "event_callback", "team_id": "T0EXAMPLE1", "event": {"type": "app_home_opened", "user": "U0DANA0001"}},
)
FORMS = (
    {"From": "+15550100", "Body": "1234 2", "MessageSid": "SM1"},
    {"Digits": "1", "CallSid": "CA1"},
    {"MessageStatus": "delivered", "To": "+15550100"},
    {"nonce": "n", "answer": "acknowledge"},
    {"address": "somebody@example.com"},
    {"receipt": "r" * 30},
    {"payload": json.dumps({"type": "block_actions", "actions": [{}], "user": {"id": "U0DANA0001"}})},
    {"command": "/incident", "text": "list", "user_id": "U0DANA0001", "team_id": "T0EXAMPLE1"},
)
DOCUMENTS = [*HOOKS, *(json.loads(path.read_bytes()) for path in sorted(DATA.glob("*/*.json")))]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    with outside(tmp_path_factory.mktemp("outside")) as opened:
        yield opened


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(document: Any, path: tuple[Any, ...], value: Any, *, remove: bool) -> Any:
    """The document with one value replaced or removed."""
    copy = json.loads(json.dumps(document))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    if remove:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return copy


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, str]:
    """A body that was really sent, harmed in one way or two, and its content type."""
    if draw(st.integers(0, 3)) == 0:
        fields = dict(draw(st.sampled_from(FORMS)))
        name = draw(st.sampled_from(sorted(fields)))
        fields[name] = draw(st.sampled_from(HOSTILE)).encode("utf-8", "replace").decode()
        raw = urlencode(fields).encode() + b"&a=1" * draw(st.sampled_from([0, 11, 300]))
        kind = "application/x-www-form-urlencoded"
    else:
        document = draw(st.sampled_from(DOCUMENTS))
        path = draw(st.sampled_from([*places(document)]))
        value = draw(st.sampled_from(OTHER_TYPES))
        text = json.dumps(changed(document, path, value, remove=draw(st.booleans())))
        if draw(st.booleans()):
            text = text.replace("{", '{"%s": 1, ' % path[0], 1)  # noqa: UP031 - a duplicate key
        encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"]))
        raw, kind = text.encode(encoding, "replace"), "application/json"
    raw = raw[: draw(st.sampled_from([len(raw), len(raw), len(raw) // 2, len(raw) - 1, 1, 0]))]
    if draw(st.integers(0, 9)) == 0:
        raw = gzip.compress(raw)
    return raw, draw(st.sampled_from([kind, kind, kind, "text/plain", "multipart/form-data; boundary=x", "\u00e9", ""]))


def test_every_route_that_is_written_is_open_here(site: Outside) -> None:
    """No setting that this suite lacks hides one from it."""
    text = "".join(path.read_text() for path in (ROOT / "bot" / "http").glob("*.py"))
    written = {re.sub(r"\{.*?\}.*", "", path) for path in re.findall(r'\bRoute\(\s*"([^"]+)"', text)}
    assert len(written) > 15
    there = [path for _, path in site.addresses]
    assert [path for path in sorted(written) if not any(each.startswith(path) for each in there)] == []


@settings(max_examples=examples(600), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_body_breaks_any_route(site: Outside, data: st.DataObject) -> None:
    """Whatever is sent, to whatever address: taken or refused, and what was accepted as an alert is kept."""
    method, path = data.draw(st.sampled_from(site.addresses))
    raw, kind = data.draw(bodies())
    before = site.intake().depth()
    answer = site.send(method, path, raw, content_type=kind)
    assert answer.status_code in FINE | REFUSED or (path in ("/readyz", "/status/fresh") and answer.status_code == 503)
    if path.startswith(("/alerts/", "/v2/")) and answer.status_code == 202:
        repeated = site.intake().depth() == before
        assert repeated or site.intake().depth() == before + 1


def test_what_was_accepted_is_worked_on_whatever_it_is(site: Outside, caplog: pytest.LogCaptureFixture) -> None:
    """Each body of each kind at each source: it has an outcome, and nothing waits."""
    raws = [json.dumps(document).encode() for document in DOCUMENTS] + [urlencode(form).encode() for form in FORMS]
    alerts = [(method, path) for method, path in site.addresses if path.startswith("/alerts/") and method == "POST"]
    accepted = 0
    for _, path in alerts:
        for raw in raws:
            accepted += site.send("POST", path, raw, content_type="application/json").status_code == 202
    assert accepted > len(alerts)
    with caplog.at_level(logging.ERROR):
        site.parts.run()
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert site.intake().depth() == 0
    assert len(site.intake().log(site.parts.clock.now.replace(year=2000), most=100_000)) >= accepted
    assert "tocsin_alerts_total" in site.bot.web.get("/metrics").text


def deep(pair: tuple[bytes, bytes]) -> bytes:
    return pair[0] * 10_000 + b"1" + pair[1] * 10_000


LARGE: dict[str, bytes] = {
    "20 MB": b'{"title": "' + b"x" * 20_000_000 + b'"}',
    "objects 10,000 deep": deep((b'{"a":', b"}")),
    "lists 10,000 deep": b'{"alerts": ' + deep((b"[", b"]")) + b"}",
    "10,000 labels": json.dumps(
        {"alerts": [{"status": "firing", "labels": {f"l{n}": "v" for n in range(10_000)}, "fingerprint": "many"}]}
    ).encode(),
    "a number of 10,000 digits": b'{"id": ' + b"9" * 10_000 + b', "title": "T"}',
    "NaN": b'{"alerts": [{"labels": {"a": NaN}}], "title": Infinity}',
    "duplicate keys": b'{"title": "one", "title": "two", "id": "1", "id": "2"}',
    "a form of 10,000 fields": b"&".join(b"f%d=1" % n for n in range(10_000)),
    "zeros": bytes(1000),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n == "20 MB" else []) for n in LARGE])
def test_nothing_large_or_deep_breaks_any_route(site: Outside, name: str) -> None:
    """At once or in chunks: it is refused or taken, and the bot goes on."""
    raw = LARGE[name]
    for method, path in site.addresses:
        if method != "POST":
            continue
        whole = site.send(method, path, raw, content_type="application/json")
        assert whole.status_code in FINE | REFUSED, path
        if name == "20 MB" and path != "/alerts/mail":
            assert whole.status_code == 413, path
        chunks = iter([raw[: len(raw) // 2], raw[len(raw) // 2 :]])
        chunked = site.send(method, path, chunks, content_type="application/json")
        assert chunked.status_code in FINE | REFUSED, path
    assert site.bot.web.get("/healthz").status_code == 200


FREE = ("/ack/", "/pushover/", "/status", "/healthz", "/readyz", "/metrics")  # what needs no secret, or reads it again


@pytest.mark.parametrize("secret", ["another-secret", "", "\u00e9", "a" * 10_000])
def test_no_door_opens_to_a_wrong_secret(site: Outside, secret: str) -> None:
    """Whatever the route: 401, 403 or 404, and nothing is kept."""
    before = site.intake().depth()
    for method, path in site.addresses:
        if not path.startswith(FREE):
            answer = site.send(
                method, path, b'{"title": "T", "id": "1"}', secret=secret, content_type="application/json"
            )
            assert answer.status_code in (401, 403, 404, 431), path
    assert site.intake().depth() == before


@pytest.mark.parametrize("years", [-10, 10])
def test_a_clock_ten_years_off_opens_no_signed_door(site: Outside, years: int) -> None:
    """A signature with a time counts for minutes; times inside a body decide nothing."""
    raw = urlencode(FORMS[-1]).encode()
    old = credentials("/slack/events", raw, TOKEN, at=1_796_000_000 + years * 31_557_600)
    assert site.bot.web.post("/slack/events", content=raw, headers=old).status_code == 401
    body = {"status": "firing", "labels": {"alertname": "Old"}, "fingerprint": str(years)}
    body |= {"startsAt": f"{2026 + years}-01-01T00:00:00Z", "endsAt": f"{2026 + years}-01-01T00:00:01Z"}
    answer = site.send("POST", "/alerts/alertmanager", json.dumps({"alerts": [body]}).encode())
    assert answer.status_code == 202
    site.parts.run()
    latest = site.intake().log(site.parts.clock.now.replace(year=2000))[0]
    assert (latest.fingerprint, latest.result) == (str(years), "held")


def test_where_a_source_signs_its_token_alone_opens_nothing(tmp_path: Path) -> None:
    """A signature over another body, or a token beside a wrong one, is refused; the right one is taken."""
    raw = (DATA / "alertmanager" / "captured_0.25_firing.json").read_bytes()
    with outside(tmp_path, secrets_of_sources=True) as site:
        for source in ("sentry", "grafana", "pagerduty"):
            path = f"/alerts/{source}"
            assert site.send("POST", path, raw).status_code == 202, source
            forged = credentials(path, raw + b" ", TOKEN)
            assert site.bot.web.post(path, content=raw, headers=forged).status_code == 401, source
