"""Bodies of no source that we know, read by JMESPath expressions: those of the configuration, else the usual names.

Signed as https://www.standardwebhooks.com, where ALERTS_SECRET_GENERIC is set.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jmespath

from bot.alerts.authentication import standard_webhook
from bot.alerts.document import MAX_ITEMS, Document, Unreadable
from bot.alerts.source import Received, Source, alert, hashed
from escalation.alerts.alert import Alert, AlertState, Parsed
from escalation.config.alerts import GenericBody

NAME = "generic"


def parse(received: Received, fields: GenericBody | None = None) -> Parsed:
    """Read a body. A field whose expression fails on it is empty; an entry that is no alert is counted as left out.

    Raises Unreadable without any alert.
    """
    fields, body = fields or GenericBody(), received.document().value
    found = _search(fields.each, body) if fields.each else [body]
    if not isinstance(found, list):
        raise Unreadable("`each` finds no list of objects in it")
    alerts, problems = list[Alert](), list[Unreadable]()
    for item in found[:MAX_ITEMS]:
        try:
            alerts.append(_alert(item, fields))
        except Unreadable as error:
            problems.append(error)
    if problems and not alerts:
        raise problems[0]
    return Parsed(alerts=tuple(alerts), truncated=len(found) - len(alerts), note="" if found else "no alert in it")


def _alert(item: Any, fields: GenericBody) -> Alert:
    def text(expression: str) -> str:
        return Document(_search(expression, item)).text()

    if not isinstance(item, dict):
        raise Unreadable("`each` finds what is no object")
    title = text(fields.title)
    if not title:
        raise Unreadable("an alert has no title: set `alerts.generic.title`")
    labels, service = _search(fields.labels, item), text(fields.service)
    named = labels if isinstance(labels, Mapping) else {}
    return alert(
        NAME,
        _state(text(fields.state), fields),
        text(fields.fingerprint) or hashed(title, service),
        title,
        severity=text(fields.severity),
        description=text(fields.description),
        service=service,
        labels={str(name): value for name, raw in named.items() if (value := Document(raw).text())},
        links=(("Alert", text(fields.link)),),
    )


def _state(word: str, fields: GenericBody) -> AlertState:
    """The state that a word stands for; what is neither an end nor an acknowledgement fires."""
    plain = word.strip().lower()
    if plain in {known.lower() for known in fields.resolved}:
        return AlertState.RESOLVED
    if plain in {known.lower() for known in fields.acknowledged}:
        return AlertState.ACKNOWLEDGED
    return AlertState.FIRING


def _search(expression: str, value: Any) -> Any:
    """Evaluate an expression. Functions raise on what is missing (`length(null)`): that reads as empty."""
    try:
        return _compiled(expression).search(value)
    except (jmespath.exceptions.JMESPathError, RecursionError, ValueError, TypeError):
        return None


@lru_cache(maxsize=64)
def _compiled(expression: str) -> Any:
    return jmespath.compile(expression)


def _webhook_id(received: Received) -> tuple[str, ...]:
    """The sender's id of a request; with its content, since whoever has the token may choose any."""
    name = received.headers.get("webhook-id", "")
    return (name, hashlib.sha256(received.body).hexdigest()) if name else ()


SOURCE = Source(
    NAME, "Monitoring", parse, "ALERTS_SECRET_GENERIC", standard_webhook, token_too=True, repeat_key=_webhook_id
)
