"""Who may send alerts: tokens in every place where a source can put one, and signatures over the raw body."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from bot.alerts.authentication import has_token, hex_signature, signed, standard_webhook, timed_signature
from bot.alerts.errors import sentry
from bot.alerts.metrics import grafana
from bot.alerts.receivers import pagerduty
from bot.alerts.source import Received
from escalation.webhooks import signature

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
BODY = '{"title": "ü", "n":  1}'.encode()
TOKENS = ("old-token", "new-token")


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer {}"},
        {"authorization": "bearer  {}"},
        {"authorization": "GenieKey {}"},
        {"authorization": "Token token={}"},
        {"authorization": "basic"},
        {"x-tocsin-token": "{}"},
    ],
)
def test_a_token_lets_in_wherever_it_stands(token: str, headers: dict[str, str]) -> None:
    """Each source can set another header; two tokens hold while one replaces the other."""
    sent = {k: basic(f"anybody:{token}") if v == "basic" else v.format(token) for k, v in headers.items()}
    assert has_token(Received(b"", sent), TOKENS)
    assert has_token(Received(b"", query={"token": token}), TOKENS)
    assert has_token(Received(b""), TOKENS, routing_key=f"{token}.checkout")


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_a_token_beyond_ascii_lets_in(charset: str) -> None:
    """A header's bytes come as Latin-1 text, whatever its sender wrote; nobody else is let in by it."""
    token = "clé-de-l-hôtel"
    sent, password = token.encode(charset).decode("latin-1"), base64.b64encode(f"usér:{token}".encode(charset)).decode()
    for headers in (
        {"authorization": f"Bearer {sent}"},
        {"authorization": f"Basic {password}"},
        {"x-tocsin-token": sent},
    ):
        assert has_token(Received(b"", headers), (token,))
        assert not has_token(Received(b"", headers), ("cle-de-l-hotel", "cl?-de-l-h?tel", "ключ"))


@pytest.mark.parametrize("order", [1, -1])
def test_a_header_that_stands_twice_lets_in_by_either(order: int) -> None:
    """A proxy adds one of its own, before or after the sender's; two wrong ones stay wrong."""
    two = ["Bearer new-token", basic("somebody:wrong")][::order]
    assert has_token(Received(b"", {"authorization": ", ".join(two)}), TOKENS)
    assert has_token(Received(b"", {"x-tocsin-token": ", ".join(["wrong", "old-token"][::order])}), TOKENS)
    assert not has_token(Received(b"", {"authorization": "Bearer wrong, Bearer also-wrong"}), TOKENS)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer new-token-and-more"},
        {"authorization": "Basic new-token"},
        {"authorization": "Basic ÿÿ"},
        {"authorization": basic("new-token:")},
        {"authorization": "Bearer \udcff"},
        {"x-tocsin-token": "new"},
    ],
)
def test_anything_else_does_not(headers: dict[str, str]) -> None:
    """Nor does an empty token that somebody left in the configuration."""
    assert not has_token(Received(b"", headers, {"token": ""}), (*TOKENS, ""), routing_key=".checkout")


def signature_headers(secret: str, body: bytes = BODY) -> list[tuple[str, Mapping[str, str]]]:
    """Each signing source with what it would send."""
    hexed = signed(secret, body)
    return [
        ("sentry", {"sentry-hook-signature": hexed}),
        ("sentry", {"sentry-app-signature": hexed}),
        ("pagerduty", {"x-pagerduty-signature": f"v1={hexed}"}),
        ("pagerduty", {"x-pagerduty-signature": f"v1={'0' * 64},v1={hexed}"}),
        ("grafana", {"x-grafana-alerting-signature": hexed}),
    ]


VERIFY = {"sentry": sentry.verify, "pagerduty": pagerduty.verify, "grafana": grafana.verify}


@pytest.mark.parametrize("n", range(5))
def test_a_signature_covers_the_raw_body(n: int) -> None:
    """With any of our secrets; not another body's, not another secret's, not none."""
    source, headers = signature_headers("s3cret")[n]
    verify = VERIFY[source]
    assert verify(Received(BODY, headers), ("s3cret",), NOW)
    assert verify(Received(BODY, headers), ("another", "s3cret"), NOW)
    assert not verify(Received(BODY.replace(b"  ", b" "), headers), ("s3cret",), NOW)
    assert not verify(Received(BODY, headers), ("another",), NOW)
    assert not verify(Received(BODY, headers), ("",), NOW)
    assert not verify(Received(BODY, {}), ("s3cret",), NOW)
    assert not verify(Received(BODY, dict.fromkeys(headers, "ü")), ("s3cret",), NOW)


def test_a_key_of_nothing_signs_nothing() -> None:
    """An empty secret would let anybody sign."""
    assert not hex_signature(Received(BODY, {"s": signed("", BODY)}), "s", ("",))


@pytest.mark.parametrize(("age", "taken"), [(0, True), (299, True), (-299, True), (301, False), (-301, False)])
def test_a_timestamp_is_signed_and_recent(age: int, taken: bool) -> None:
    """Five minutes either way; a recording is no use afterwards."""
    stamp = str(int((NOW - timedelta(seconds=age)).timestamp()))
    headers = {"sig": signed("s", stamp.encode() + b":" + BODY), "at": stamp}
    assert timed_signature(Received(BODY, headers), "sig", "at", ("s",), NOW) is taken
    assert not timed_signature(Received(BODY, {**headers, "at": str(int(stamp) + 1)}), "sig", "at", ("s",), NOW)


KEY = base64.b64encode(b"0123456789abcdef01234567").decode()


def webhook(stamp: str, secret: bytes = b"0123456789abcdef01234567", version: str = "v1") -> dict[str, str]:
    content = b"msg_1." + stamp.encode() + b"." + BODY
    digest = base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": f"v1,other {version},{digest}"}


def test_standard_webhooks() -> None:
    """The signature of https://www.standardwebhooks.com, one of several, by one of several secrets."""
    stamp = str(int(NOW.timestamp()))
    secrets = ("whsec_" + base64.b64encode(b"another").decode(), "whsec_" + KEY)
    assert standard_webhook(Received(BODY, webhook(stamp)), secrets, NOW)
    assert not standard_webhook(Received(BODY + b" ", webhook(stamp)), secrets, NOW)
    assert not standard_webhook(Received(BODY, webhook(stamp, b"wrong")), secrets, NOW)
    assert not standard_webhook(Received(BODY, webhook(str(int(stamp) - 301))), secrets, NOW)


@pytest.mark.parametrize("secret", ["whsec_" + KEY, "a secret of plain letters"])
def test_what_we_sign_is_verified_by_the_same_secret(secret: str) -> None:
    """Actions and webhooks that go out, and what comes in: base64 behind `whsec_`, else the letters as they are."""
    stamp = str(int(NOW.timestamp()))
    own = secret.encode() if not secret.startswith("whsec_") else base64.b64decode(KEY)
    assert signature(secret, "msg_1", stamp, BODY) == webhook(stamp, own)["webhook-signature"].split()[1]
    headers = webhook(stamp) | {"webhook-signature": signature(secret, "msg_1", stamp, BODY)}
    assert standard_webhook(Received(BODY, headers), (secret,), NOW)


@pytest.mark.parametrize("odd", ["", "garbage", "v1,,", "v1,ü", "\udcff", "v1, v1,"])
@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_malformed_signatures_are_wrong_ones(name: str, odd: str) -> None:
    """They are refused like any other, and are no fault of ours."""
    headers = webhook(str(int(NOW.timestamp()))) | {name: odd}
    assert not standard_webhook(Received(BODY, headers), ("whsec_" + KEY, "whsec_%%%", "plain"), NOW)
