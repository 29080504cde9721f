"""Sample bodies of sources: one alert of each as its tool sends it, and its end. Docs, tests and the sandbox use them.

What the docs' template of a tool makes is what its sample says: a test fills the one and compares.
"""

import json
from functools import cache
from importlib.resources import files
from urllib.parse import urlencode

from bot.alerts.authentication import signed
from escalation.alerts.alert import AlertState

# Sources that sign the body alone: the header, and what stands before the signature.
SIGNS = {
    "grafana": ("x-grafana-alerting-signature", ""),
    "pagerduty": ("x-pagerduty-signature", "v1="),
    "sentry": ("sentry-hook-signature", ""),
}
# https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook
MAIL = {
    "headers": "From: Ada <ada@customer.example>\nTo: incidents@example.com\nSubject: I cannot pay",
    "envelope": json.dumps({"from": "ada@customer.example", "to": ["incidents@example.com"]}),
    "text": "The page of the checkout stays empty since this morning.",
    "SPF": "pass",
}


@cache
def names() -> tuple[str, ...]:
    """Names of the sources that have a sample."""
    return tuple(sorted(f.name.removesuffix(".json") for f in files(__name__).iterdir() if f.name.endswith(".json")))


@cache
def sample(source: str, state: AlertState) -> bytes:
    """The body that fires, or the one that ends it. KeyError for another state; FileNotFoundError without a sample."""
    bodies = json.loads((files(__name__) / f"{source}.json").read_text(encoding="utf-8"))
    return json.dumps(bodies[state.value], ensure_ascii=False).encode()


def mail() -> bytes:
    """A customer's report by mail, as SendGrid posts it: a form. No mail says that it is over."""
    return urlencode(MAIL).encode()


def signature(source: str, body: bytes, secret: str) -> dict[str, str]:
    """The header that lets a body in by the source's own secret; none for a source that signs more than the body."""
    if source not in SIGNS:
        return {}
    header, before = SIGNS[source]
    return {header: before + signed(secret, body)}
