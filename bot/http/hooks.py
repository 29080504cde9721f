"""Webhooks of other paging services: who acknowledges an incident of ours there answers here, who resolves it asks.

Once it is authenticated a request is always answered 2xx: PagerDuty switches a subscription off after three refusals
(https://developer.pagerduty.com/docs/webhooks-overview).
"""

import asyncio
import hashlib
from dataclasses import dataclass
from enum import StrEnum

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.access import Access, StoreUnavailable
from bot.alerts.authentication import has_token, hex_signature
from bot.alerts.document import Document, Unreadable
from bot.alerts.receivers.pagerduty import own_key
from bot.alerts.source import Received
from bot.deps import AnswerDeps
from escalation.answers import Answer, AnswerService
from escalation.errors import NotFound, Refused
from escalation.incident.reach import How
from escalation.storage.answers.limits import AnswerLimits

log = structlog.get_logger("bot")


def hook_routes(deps: AnswerDeps, access: Access) -> list[Route]:
    """Build the routes of the services whose secrets are set."""
    hooks = _Hooks(deps, access)
    routes = [
        (deps.pagerduty_secrets, Route("/hooks/pagerduty", hooks.pagerduty, methods=["POST"])),
        (deps.opsgenie_tokens, Route("/hooks/opsgenie", hooks.opsgenie, methods=["POST"])),
    ]
    return [route for secrets, route in routes if secrets]


class _Kind(StrEnum):
    """What somebody did in the other service."""

    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


_PAGERDUTY = {"incident.acknowledged": _Kind.ACKNOWLEDGED, "incident.resolved": _Kind.RESOLVED}
_OPSGENIE = {"Acknowledge": _Kind.ACKNOWLEDGED, "Close": _Kind.RESOLVED}


@dataclass(frozen=True)
class _News:
    """What somebody did there with the incident `key`, by their mail address or name; `once` tells events apart."""

    kind: _Kind
    key: str
    mail: str
    name: str
    how: How
    once: str

    @property
    def id(self) -> str:
        """What a repeated delivery has in common with the first."""
        return f"{self.how}:{self.once}"


class _Hooks:
    def __init__(self, deps: AnswerDeps, access: Access) -> None:
        self._deps = deps
        self._access = access
        self._answers = AnswerService(access.deps.service)
        self._limits = AnswerLimits(access.deps.store.redis)

    async def pagerduty(self, request: Request) -> Response:
        """Take an event of a webhook subscription, version 3."""
        received = await _received(request)
        if not hex_signature(received, "x-pagerduty-signature", self._deps.pagerduty_secrets, "v1="):
            return _forbidden("pagerduty")
        document = _document(received)
        event = document["event"]
        agent, kind = event["agent"], event.text("event_type")
        if kind not in _PAGERDUTY or not agent:  # no agent: automation, we ourselves too
            return _taken("nothing to do")
        key, mail = own_key(event["data"]), agent.text("email")
        if key and not mail and self._deps.news:  # the event has a name only, which several people may have
            mail = await asyncio.to_thread(self._deps.news.pagerduty_mail, agent.text("id"))
        news = _News(_PAGERDUTY[kind], key, mail, agent.text("summary", "name"), How.PAGERDUTY, event.text("id"))
        return await self._take(news)

    async def opsgenie(self, request: Request) -> Response:
        """Take an event of an outgoing webhook.

        https://support.atlassian.com/opsgenie/docs/opsgenie-edge-connector-alert-action-data/
        """
        received = await _received(request)
        if not has_token(received, self._deps.opsgenie_tokens):
            return _forbidden("opsgenie")
        document = _document(received)
        alert = document["alert"]
        by_us = document["source"].text("name") == "Tocsin" or alert.text("username") in ("", "System")
        kind = _OPSGENIE.get(document.text("action"))
        if kind is None or by_us:
            return _taken("nothing to do")
        user = alert.text("username")
        mail, name = (user, "") if "@" in user else ("", user)
        once = hashlib.sha256(received.body).hexdigest()
        return await self._take(_News(kind, alert.text("alias"), mail, name, How.OPSGENIE, once))

    async def _take(self, news: "_News") -> Response:
        try:
            return _taken(await self._access.run(self._once, news))
        except (StoreUnavailable, Refused):
            return Response(status_code=503)  # it is sent again, for two days

    def _once(self, news: "_News") -> str:
        """Take an event, unless it was taken before; says what was done."""
        if news.once and self._limits.seen(news.id):
            return "seen before"
        try:
            self._resolved(news) if news.kind is _Kind.RESOLVED else self._acknowledge(news)
        except NotFound:
            return "no incident of ours"
        except Refused as refused:
            return str(refused)
        if news.once:
            self._limits.note(news.id)
        return news.kind

    def _acknowledge(self, news: "_News") -> None:
        found, known_as = self._answers.of_service(news.key, news.mail, news.name)
        self._answers.answer(found, Answer.ACKNOWLEDGE, news.how, news.id, known_as)

    def _resolved(self, news: "_News") -> None:
        """Ask people whether the incident is over: there somebody may only have silenced it."""
        self._answers.ask_whether_over(news.key, news.mail, news.name, news.how)


async def _received(request: Request) -> Received:
    return Received(await request.body(), dict(request.headers), dict(request.query_params))


def _document(received: Received) -> Document:
    try:
        return received.json()
    except Unreadable:
        return Document({})


def _taken(what: str) -> Response:
    return JSONResponse({"status": "taken", "what": what})


def _forbidden(service: str) -> Response:
    log.warning("request refused: no valid secret", service=service)
    return JSONResponse({"error": "the secret is missing or wrong"}, status_code=403)
