"""Bodies of no source that we know: the usual shapes as they are, others by the configuration's expressions."""

import base64
import contextlib
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.alerts.authentication import AlertSecrets
from bot.alerts.document import Unreadable
from bot.alerts.receivers import generic
from bot.alerts.source import Received
from bot.alerts.sources import SOURCES
from escalation.alerts.alert import Alert, AlertState
from escalation.config.alerts import GenericBody

FIRING, RESOLVED, ACKNOWLEDGED = AlertState.FIRING, AlertState.RESOLVED, AlertState.ACKNOWLEDGED
NOW = datetime(2026, 11, 29, tzinfo=UTC)


def read(body: Any, **fields: Any) -> tuple[Alert, ...]:
    return generic.parse(Received(json.dumps(body).encode()), GenericBody(**fields)).alerts


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (
            {"summary": "Disk fills", "details": "95 %", "action": "trigger", "dedup": "d1"},
            ("d1", "Disk fills", FIRING),
        ),
        ({"summary": "Disk fills", "action": "close", "dedup": "d1"}, ("d1", "Disk fills", RESOLVED)),
        ({"alert_uid": "A1", "title": "5xx", "state": "alerting", "message": "m"}, ("A1", "5xx", FIRING)),
        ({"alert_uid": "A1", "title": "5xx", "state": "ok"}, ("A1", "5xx", RESOLVED)),
        ({"id": 7, "name": "Probe", "status": "Recovered"}, ("7", "Probe", RESOLVED)),
        ({"id": "x", "message": "Probe", "status": "ACK"}, ("x", "Probe", ACKNOWLEDGED)),
    ],
)
def test_the_usual_shapes_are_read_as_they_are(body: dict[str, Any], wanted: tuple[str, str, AlertState]) -> None:
    """GoAlert's, Grafana OnCall's, and whatever calls its fields as most do."""
    (found,) = read(body)
    assert (found.fingerprint, found.title, found.state) == wanted


def test_expressions_say_where_the_fields_stand() -> None:
    """A list of alerts, words of one's own, labels and a link."""
    body = {"data": {"alarms": [{"n": "Pump", "s": "RED", "at": {"site": "Kiel", "n": 3}, "u": "https://x.example/1"}]}}
    fields = {"each": "data.alarms", "title": "n", "state": "s", "labels": "at", "link": "u", "resolved": ["GREEN"]}
    (found,) = read(body, **fields)
    assert (found.title, found.state, found.labels) == ("Pump", FIRING, {"site": "Kiel", "n": "3"})
    assert found.links[0].url == "https://x.example/1"
    body["data"]["alarms"][0]["s"] = "green"
    assert read(body, **fields)[0].state is RESOLVED
    assert read(body, **fields)[0].fingerprint == found.fingerprint


@pytest.mark.parametrize(
    ("body", "fields", "why"),
    [
        ({"x": 1}, {}, "has no title"),
        ({"title": "a"}, {"each": "missing"}, "`each` finds no list"),
        ({"title": "a"}, {"each": "length(missing)"}, "`each` finds no list"),
        ([], {}, "no JSON object"),
    ],
)
def test_what_holds_no_alert_says_why(body: Any, fields: dict[str, str], why: str) -> None:
    """In the list of what could not be read."""
    with pytest.raises(Unreadable, match=why):
        read(body, **fields)


def test_a_function_that_fails_leaves_its_field_empty() -> None:
    """JMESPath's functions refuse what is missing; the alert comes all the same."""
    (found,) = read({"title": "a"}, description="join(', ', missing)", severity="length(missing)")
    assert (found.description, found.severity) == ("", "")


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("a.[", "is no JMESPath expression"),
        ("a && nul(b)", r"calls nul\(\), and JMESPath has no such function"),
        ("[" * 900, "nested too deep|no JMESPath"),
        ("a" * 1001, "at most 1000"),
        ("", "at least 1"),
    ],
)
def test_an_expression_that_cannot_be_is_refused_at_start(expression: str, why: str) -> None:
    """Not with the first alert of a night."""
    with pytest.raises(ValidationError, match=why):
        GenericBody(title=expression)


def test_an_entry_that_is_no_alert_costs_no_other() -> None:
    """It is counted as left out; a body of nothing else is unreadable."""
    body = {"list": [{"title": "a"}, {"x": 1}, "text", None, {"title": "b"}]}
    found = generic.parse(Received(json.dumps(body).encode()), GenericBody(each="list"))
    assert ([alert.title for alert in found.alerts], found.truncated) == (["a", "b"], 3)
    with pytest.raises(Unreadable, match="no object"):
        read({"list": ["text", {"x": 1}]}, each="list")


LEAVES = st.none() | st.booleans() | st.integers() | st.text()


@given(body=st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_no_body_breaks_it(body: Any) -> None:
    """It is read, or said to be unreadable."""
    for wrapped in (body, {"title": body, "labels": body, "status": body, "id": body}):
        with contextlib.suppress(Unreadable):
            read(wrapped)


def _signed(key: bytes, message: str, stamp: int, body: bytes) -> str:
    content = f"{message}.{stamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()


@pytest.mark.parametrize(
    ("changes", "let_in"),
    [
        ({}, True),
        ({"signature": "v1,abc {0}"}, True),
        ({"age": timedelta(minutes=6)}, False),
        ({"body": b"{}"}, False),
        ({"signature": "garbage,,"}, False),
        ({"signature": "\udcff"}, False),
        ({"id": ""}, False),
    ],
)
def test_standard_webhooks_sign_it(changes: dict[str, Any], let_in: bool) -> None:
    """With any of several secrets, for five minutes; whatever else is refused, never a crash."""
    key, body = b"0123456789abcdef0123456789abcdef", b'{"title": "a"}'
    secrets = AlertSecrets((), {"ALERTS_SECRET_GENERIC": ("whsec_AAAA", "whsec_" + base64.b64encode(key).decode())})
    stamp = int((NOW - changes.get("age", timedelta())).timestamp())
    real = _signed(key, "msg_1", stamp, body)
    headers = {
        "webhook-id": changes.get("id", "msg_1"),
        "webhook-timestamp": str(stamp),
        "webhook-signature": changes.get("signature", "{0}").replace("{0}", real),
    }
    received = Received(changes.get("body", body), headers)
    assert secrets.lets_in(SOURCES["generic"], received, NOW) is let_in
