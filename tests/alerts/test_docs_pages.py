"""docs/alerts/: what each page says to paste is sent, and what it says is seen stands in Slack."""

import json
import re
from collections.abc import Callable, Iterator
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.alerts import samples
from bot.alerts.authentication import signed
from bot.alerts.sources import SOURCES
from escalation.alerts.alert import AlertState
from escalation.alerts.groups import SETTLE
from escalation.incident.events.moves import Resolve
from tests.alerts.test_whole_way import SIGNING, TOKEN, Monitored, monitored

FOLDER = Path(__file__).parents[2] / "docs" / "alerts"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}
STATES = (AlertState.FIRING, AlertState.RESOLVED)
ADDRESS = re.compile(r"https://tocsin\.example\.com(/[\w/]+)(\?token=TOKEN)?")
HEADER = re.compile(r'"?(X-Tocsin-Token|Authorization)"?: "?((?:Bearer )?TOKEN)"?')

# What each vendor's documentation says that its variables hold, when the alert fires and when it ends.
DATADOG = {  # https://docs.datadoghq.com/integrations/webhooks/#variables
    "ALERT_TRANSITION": ("Triggered", "Recovered"),
    "ALERT_CYCLE_KEY": "9bd4ac313a4d1e8fae2482df7b77628",
    "ALERT_ID": "160076582",
    "ALERT_SCOPE": "service:checkout",
    "EVENT_TITLE": (
        "[Triggered on {service:checkout}] Error rate of checkout",
        "[Recovered on {service:checkout}] Error rate of checkout",
    ),
    "ALERT_PRIORITY": "P2",
    "ALERT_TYPE": ("error", "success"),
    "TAGS": "env:prod,monitor,service:checkout",
    "LINK": (
        "https://app.datadoghq.com/event/event?id=7879709198622396010",
        "https://app.datadoghq.com/event/event?id=7879709198622396022",
    ),
    "TEXT_ONLY_MSG": ("More than 5% of requests failed in the last 5m.", "The monitor has recovered."),
    "DATE": ("1795280400000", "1795281600000"),
}
NEWRELIC = {  # https://docs.newrelic.com/docs/alerts/get-notified/custom-variables-incident-workflows/
    "issueId": "8114ada3-572e-4550-a310-12375371669e",
    "state": ("ACTIVATED", "CLOSED"),
    "priority": "CRITICAL",
    "annotations.title.[0]": "Checkout query result is > 5.0 for 5 minutes",
    "accumulations.conditionName": ["Checkout error rate"],
    "accumulations.policyName": ["Shop"],
    "issuePageUrl": "https://radar-api.service.newrelic.com/accounts/1/issues/8114ada3",
    "createdAt": 1795280400000,
}
UPTIMEROBOT = {  # https://uptimerobot.com/blog/web-hook-alert-contacts/
    "monitorID": "777749809",
    "monitorURL": "https://shop.example.com",
    "monitorFriendlyName": "Shop",
    "alertType": ("1", "2"),
    "alertTypeFriendlyName": ("Down", "Up"),
    "alertDetails": ("Connection Timeout", "HTTP 200 - OK"),
}
HEALTHCHECKS = {  # https://healthchecks.io/docs/configuring_notifications/
    "NAME_JSON": '"nightly \\"backup\\""',
    "CODE": "3e8c838f-19ea-4bd7-b14c-7d105bc75bcb",
    "STATUS": ("down", "up"),
    "NOW": ("2026-11-21T17:00:00+00:00", "2026-11-21T17:20:00+00:00"),
    "TAGS": "prod severity=critical service=platform",
}
CHECKLY = {  # https://www.checklyhq.com/docs/alerting-and-retries/webhooks
    "ALERT_TYPE": ("ALERT_FAILURE", "ALERT_RECOVERY"),
    "CHECK_ID": "73f1f2f0-2b9c-4f1e-9d4b-1ce2cd7c0f10",
    "CHECK_NAME": "Checkout & payment",
    "RESULT_LINK": (
        "https://app.checklyhq.com/checks/73f1f2f0/check-results/12?tab=logs",
        "https://app.checklyhq.com/checks/73f1f2f0/check-results/13?tab=logs",
    ),
    "RUN_LOCATION": "N. Virginia",
    "STARTED_AT": ("2026-11-21T17:00:00.000Z", "2026-11-21T17:20:00.000Z"),
}


def handlebars(value: Any) -> str:
    """Escape as `{{…}}` does: https://handlebarsjs.com/api-reference/utilities.html#handlebars-escapeexpression-string."""
    return escape(str(value)).replace("=", "&#x3D;")


def in_json(value: Any) -> str:
    return json.dumps(str(value))[1:-1]


# source: variables, how its templates name them, and how a value is written.
TEMPLATES: dict[str, tuple[dict[str, Any], str, Callable[[Any], str]]] = {
    "datadog": (DATADOG, r"\$([A-Z_]+)", in_json),
    "newrelic": (NEWRELIC, r"\{\{ (?:json )?([\w.\[\]]+) \}\}", json.dumps),
    "uptimerobot": (UPTIMEROBOT, r"\*(\w+)\*", str),
    "healthchecks": (HEALTHCHECKS, r"\$([A-Z_]+)", str),
    "checkly": (CHECKLY, r"\{\{([A-Z_]+)\}\}", handlebars),
}


def blocks(source: str, heading: str, language: str = "") -> list[str]:
    """The code blocks of a part of a page."""
    part = PAGES[source].split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return [text for kind, text in re.findall(r"```(\w+)\n(.*?)```", part, re.DOTALL) if language in ("", kind)]


def filled(source: str, state: AlertState) -> bytes:
    """The template of a page, filled in as its vendor would."""
    (template,) = (block for block in blocks(source, "Paste this", "json") if "X-Tocsin-Token" not in block)
    variables, pattern, written = TEMPLATES[source]

    def value(match: re.Match[str]) -> str:
        held = variables[match[1]]
        return written(held[STATES.index(state)] if isinstance(held, tuple) else held)

    return re.sub(pattern, value, template).encode()


def request(source: str, body: bytes) -> tuple[str, dict[str, str]]:
    """The path and the headers that a tool uses which was set up as the page says."""
    pasted = "\n".join(blocks(source, "Paste this"))
    path, query = ADDRESS.search(pasted).groups()  # type: ignore[union-attr]
    secret = SOURCES[source].secret
    if f"{secret}=SECRET" in pasted and secret:
        mac = signed(SIGNING[secret][0], body)
        return path, {"sentry": {"sentry-hook-signature": mac}, "pagerduty": {"x-pagerduty-signature": f"v1={mac}"}}[
            source
        ]
    if written := blocks(source, "Paste this", "yaml"):
        return path, {"authorization": _of_yaml(yaml.safe_load(written[0])).replace("TOKEN", TOKEN)}
    if query:
        return path + query.replace("TOKEN", TOKEN), {"x": "1"}
    name, value = HEADER.search(pasted).groups()  # type: ignore[union-attr]
    return path, {name: value.replace("TOKEN", TOKEN)}


def _of_yaml(pasted: dict[str, Any]) -> str:
    """The Authorization header that Alertmanager or Grafana sends with this configuration."""
    if "receivers" in pasted:
        given = pasted["receivers"][0]["webhook_configs"][0]["http_config"]["authorization"]
        return f"{given.get('type', 'Bearer')} {given['credentials']}"
    given = pasted["contactPoints"][0]["receivers"][0]["settings"]
    return f"{given['authorization_scheme']} {given['authorization_credentials']}"


def plain(text: str) -> list[str]:
    """The lines of a message as somebody reads them."""
    shown = re.sub(r"<[^|>]*\|([^>]*)>", r"\1", text)
    return [unescape(re.sub(r"[*~]", "", line)) for line in shown.splitlines()]


def assert_seen(said: str, messages: str) -> None:
    """Each line stands in the messages, in this order."""
    seen = iter(plain(messages))
    for line in said.strip().splitlines():
        assert line in seen, (line, plain(messages))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitored]:
    with monitored(tmp_path_factory.mktemp("docs")) as made:
        yield made


def test_there_is_a_page_for_each_sample_and_the_index_names_it() -> None:
    """Nobody looks for a page that is not linked."""
    assert tuple(PAGES) == samples.names()
    index = (FOLDER.parent / "alerts.md").read_text(encoding="utf-8")
    assert [name for name in PAGES if f"(alerts/{name}.md)" not in index] == []


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("source", TEMPLATES)
def test_the_template_sends_what_the_sample_holds(source: str, state: AlertState) -> None:
    """Filled with the vendor's variables, each template is JSON, and the body that all else is tested with."""
    assert json.loads(filled(source, state)) == json.loads(samples.sample(source, state))


@pytest.mark.parametrize("source", PAGES)
def test_what_is_pasted_lets_in_and_shows_what_the_page_says(source: str, site: Monitored) -> None:
    """A tool that is set up by a page's lines declares the incident that the page shows, and its end is told so."""
    for state, heading in zip(STATES, ("See that", "What ends it"), strict=True):
        body = filled(source, state) if source in TEMPLATES else samples.sample(source, state)
        path, headers = request(source, body)
        site.taken(body, path, **headers)
        incident = site.incidents()[-1]
        card = incident.card()
        assert card
        asked = [m["text"] for m in site.parts.messages() if m.get("thread_ts") == card.ts]
        (said,) = blocks(source, heading, "text")
        assert_seen(said, "\n".join((site.card(incident), *asked)))
    site.parts.service.handle(incident.id, Resolve(by="U0DANA0001", summary="over", resolution="the end of a test"))
    site.parts.run_for(SETTLE.total_seconds() + 1)
