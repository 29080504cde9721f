"""Webhooks of other paging services: who acknowledges an incident of ours there answers here, who resolves it asks.

Once it is authenticated a request is always answered 2xx: PagerDuty switches a subscription off after three refusals
(https://developer.pagerduty.com/docs/webhooks-overview).
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.access import Access, StoreUnavailable
from bot.alerts.authentication import has_token, hex_signature
from bot.alerts.receivers import opsgenie, pagerduty
from bot.alerts.receivers.pagerduty import own_key
from bot.alerts.source import Received
from bot.deps import AnswerDeps
from bot.doors import Doors
from escalation.answers import Answer, AnswerService
from escalation.errors import NotFound, Refused
from escalation.incident.reach import How
from escalation.storage.answers.limits import AnswerLimits
from escalation.values import INCIDENT_ID

log = structlog.get_logger("bot")


class _Kind(StrEnum):
    """What somebody did in the other service."""

    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


UNSEEN = "what people do there is not seen"
_PAGERDUTY = {"incident.acknowledged": _Kind.ACKNOWLEDGED, "incident.resolved": _Kind.RESOLVED}
_OPSGENIE = {"Acknowledge": _Kind.ACKNOWLEDGED, "Close": _Kind.RESOLVED}


@dataclass(frozen=True)
class News:
    """What somebody did there with the incident `key`, by their mail address or name; `once` tells events apart.

    `agent` is their id there, by which their address may be found.
    """

    kind: _Kind
    key: str
    mail: str
    name: str
    how: How
    once: str
    agent: str = ""

    @property
    def id(self) -> str:
        """What a repeated delivery has in common with the first."""
        return f"{self.how}:{self.once}"


class Hooks:
    """Webhooks of paging services: at addresses of their own, and among what they send as alerts."""

    def __init__(self, deps: AnswerDeps, access: Access) -> None:
        self._deps = deps
        self._access = access
        self._answers = AnswerService(access.deps.service)
        self._limits = AnswerLimits(access.deps.store.redis)

    def routes(self) -> list[Route]:
        """Build the routes of the services whose secrets are set."""
        routes = [
            (self._deps.pagerduty_secrets, Route("/hooks/pagerduty", self.pagerduty, methods=["POST"])),
            (self._deps.opsgenie_tokens, Route("/hooks/opsgenie", self.opsgenie, methods=["POST"])),
        ]
        return [route for secrets, route in routes if secrets]

    async def pagerduty(self, request: Request) -> Response:
        """Take an event of a webhook subscription, version 3."""
        received = await received_of(request)
        if not hex_signature(received, "x-pagerduty-signature", self._deps.pagerduty_secrets, "v1="):
            return webhook_refused("pagerduty", self._access.doors, UNSEEN, "PAGERDUTY_WEBHOOK_SECRET")
        self._access.doors.let_in("pagerduty")
        return await self._take(_of_pagerduty(received))

    async def opsgenie(self, request: Request) -> Response:
        """Take an event of an outgoing webhook."""
        received = await received_of(request)
        if not has_token(received, self._deps.opsgenie_tokens):
            return webhook_refused("opsgenie", self._access.doors, UNSEEN, "OPSGENIE_WEBHOOK_TOKEN")
        self._access.doors.let_in("opsgenie")
        return await self._take(_of_opsgenie(received))

    async def hear(self, news: News) -> Response | None:
        """Take an answer that came among the alerts; None where there is no such incident."""
        try:
            became = await self._apply(news)
        except (StoreUnavailable, Refused):
            return Response(status_code=503)
        return _taken(became, 202) if became else None

    async def _take(self, news: News | None) -> Response:
        if news is None:
            return _taken("nothing to do")
        try:
            return _taken(await self._apply(news) or "no incident of ours")
        except (StoreUnavailable, Refused):
            return Response(status_code=503)  # it is sent again, for two days

    async def _apply(self, news: News) -> str:
        """Take an event, and say what was done; nothing where there is no such incident."""
        if news.agent and news.key and self._deps.news:  # the event has a name only, which several people may have
            news = replace(news, mail=await asyncio.to_thread(self._deps.news.pagerduty_mail, news.agent))
        return await self._access.run(self._once, news)

    def _once(self, news: News) -> str:
        """Take an event, unless it was taken before."""
        if news.once and self._limits.seen(news.id):
            return "seen before"
        try:
            self._resolved(news) if news.kind is _Kind.RESOLVED else self._acknowledge(news)
        except NotFound:
            return ""
        except Refused as refused:
            return str(refused)
        if news.once:
            self._limits.note(news.id)
        return news.kind

    def _acknowledge(self, news: News) -> None:
        found, known_as = self._answers.of_service(news.key, news.mail, news.name)
        self._answers.answer(found, Answer.ACKNOWLEDGE, news.how, news.id, known_as)

    def _resolved(self, news: News) -> None:
        """Ask people whether the incident is over: there somebody may only have silenced it."""
        self._answers.ask_whether_over(news.key, news.mail, news.name, news.how)


def _of_pagerduty(received: Received) -> News | None:
    event = received.json_or_empty()["event"]
    agent, kind = event["agent"], event.text("event_type")
    if kind not in _PAGERDUTY or not agent:  # no agent: automation, we ourselves too
        return None
    mail = agent.text("email")
    return News(
        kind=_PAGERDUTY[kind],
        key=own_key(event["data"]),
        mail=mail,
        name=agent.text("summary", "name"),
        how=How.PAGERDUTY,
        once=event.text("id"),
        agent="" if mail else agent.text("id"),
    )


def _of_opsgenie(received: Received) -> News | None:
    """https://support.atlassian.com/opsgenie/docs/opsgenie-edge-connector-alert-action-data/."""
    document = received.json_or_empty()
    alert = document["alert"]
    user, kind = alert.text("username"), _OPSGENIE.get(document.text("action"))
    if kind is None or document["source"].text("name") == "Tocsin" or user in ("", "System"):
        return None
    mail, name = (user, "") if "@" in user else ("", user)
    return News(kind, alert.text("alias"), mail, name, How.OPSGENIE, hashlib.sha256(received.body).hexdigest())


_READERS: dict[str, Callable[[Received], News | None]] = {
    pagerduty.NAME: _of_pagerduty,
    opsgenie.NAME: _of_opsgenie,
}
ANSWERED = frozenset(_READERS)
"""Sources of alerts that also send what became of an incident of ours."""


def answer_in(source: str, received: Received) -> News | None:
    """Read the answer to an incident of ours that came as an alert of this source; None for anything else."""
    news = _READERS[source](received)
    return news if news and INCIDENT_ID.fullmatch(news.key) else None


async def received_of(request: Request) -> Received:
    """A request as what authenticates it reads it."""
    return Received(await request.body(), dict(request.headers), dict(request.query_params))


def _taken(what: str, status: int = 200) -> Response:
    return JSONResponse({"status": "taken", "what": what}, status_code=status)


def webhook_refused(service: str, doors: Doors, unseen: str, variable: str) -> Response:
    """Refuse a webhook without a valid secret, and say what is `unseen` because of it; `variable` holds the secret."""
    log.warning("request refused: no valid secret", service=service)
    text = f"webhooks of {service} are refused, so {unseen}: their secret is missing or wrong"
    doors.turned_away(service, text, f"correct it there, or {variable} here")
    return JSONResponse({"error": "the secret is missing or wrong"}, status_code=403)
