"""Webhooks of trackers: closed, reopened, assigned or deleted there is news of a ticket of ours.

Once it is authenticated a request is answered 2xx, unless it should come again.
"""

import json
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.access import Access, StoreUnavailable
from bot.alerts.authentication import has_token, hex_signature
from bot.alerts.source import Received
from bot.deps import AnswerDeps, TrackerNews
from bot.http.hooks import received_of, webhook_refused
from escalation.errors import Refused
from escalation.storage.answers.limits import AnswerLimits

UNSEEN = "changes of tickets are seen late"


def tracker_routes(deps: AnswerDeps, access: Access) -> list[Route]:
    """Build the routes of the trackers whose secrets are set."""
    if deps.trackers is None:
        return []
    hooks = _Hooks(deps, deps.trackers, access)
    routes = [
        (deps.github_secrets, Route("/hooks/github", hooks.github, methods=["POST"])),
        (deps.jira_secrets, Route("/hooks/jira", hooks.jira, methods=["POST"])),
    ]
    return [route for secrets, route in routes if secrets]


class _Hooks:
    def __init__(self, deps: AnswerDeps, news: TrackerNews, access: Access) -> None:
        self._deps = deps
        self._news = news
        self._access = access
        self._limits = AnswerLimits(access.deps.store.redis)

    async def github(self, request: Request) -> Response:
        """Take an event. https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries"""
        received = await received_of(request)
        if not hex_signature(received, "x-hub-signature-256", self._deps.github_secrets, "sha256="):
            return webhook_refused("github", self._access.doors, UNSEEN, "GITHUB_WEBHOOK_SECRET")
        self._access.doors.let_in("github")
        event, told = received.headers.get("x-github-event", ""), _told(received)
        once = received.headers.get("x-github-delivery", "")
        return await self._answer("github", once, lambda: self._news.github(event, told))

    async def jira(self, request: Request) -> Response:
        """Take an event: signed, or with the secret as a token where Jira does not sign (Data Center).

        https://developer.atlassian.com/cloud/jira/platform/webhooks/#secure-admin-webhooks
        """
        received, secrets = await received_of(request), self._deps.jira_secrets
        signed = hex_signature(received, "x-hub-signature", secrets, "sha256=")
        if not signed and ("x-hub-signature" in received.headers or not has_token(received, secrets)):
            return webhook_refused("jira", self._access.doors, UNSEEN, "JIRA_WEBHOOK_SECRET")
        self._access.doors.let_in("jira")
        once, told = received.headers.get("x-atlassian-webhook-identifier", ""), _told(received)
        return await self._answer("jira", once, lambda: self._news.jira(told))

    async def _answer(self, tracker: str, once: str, follow: Any) -> Response:
        def act() -> str:
            key = f"{tracker}:{once[:100]}"
            if once and self._limits.seen(key):
                return "seen before"
            became: str = follow()
            if once:
                self._limits.note(key)
            return became

        try:
            return JSONResponse({"status": "taken", "what": await self._access.run(act)})
        except (StoreUnavailable, Refused):
            return Response(status_code=503)


def _told(received: Received) -> Any:
    """The payload: JSON, or a form's field with JSON in it, which is what GitHub sends unless told otherwise."""
    raw = received.body
    try:
        if received.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            raw = parse_qs(raw.decode("utf-8", "replace"), max_num_fields=10).get("payload", [""])[-1].encode()
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
