"""The web app: Slack over HTTP, health and metrics."""

import asyncio
import contextlib
import re
from collections.abc import Mapping

import structlog
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_sdk.signature import SignatureVerifier
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot.bot import Bot
from bot.http.health import exposition, problems
from bot.http.limits import Limits

ANSWER_WITHIN = 3.0  # seconds that a health check may take
log = structlog.get_logger("bot")
# Commands and clicks, as Slack writes them: it wants to know that they arrived, and nothing else. The rest is Bolt's.
_NO_ANSWER = re.compile(rb"payload=%7B%22type%22%3A[+]?%22block_actions%22|(?!payload=)(.*&)?command=%2F")


def web_app(bot: Bot) -> Starlette:
    """What anybody may ask takes one of the access threads at a time: the others are for people."""
    looking, counting = asyncio.Lock(), asyncio.Lock()

    async def healthz(request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def readyz(request: Request) -> Response:
        found = await _unready(bot, looking)
        return JSONResponse({"ready": not found, "problems": found}, status_code=503 if found else 200)

    async def metrics(request: Request) -> Response:
        async with counting:
            text = await bot.access.run(exposition, bot.deps.store, lambda: bot.connected)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    looked_at = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
    routes = [*looked_at, *([] if bot.socket else [_slack_over_http(bot)])]
    return Starlette(routes=routes, middleware=[Middleware(Limits)])


async def _unready(bot: Bot, one_at_a_time: asyncio.Lock) -> list[str]:
    try:
        async with asyncio.timeout(ANSWER_WITHIN), one_at_a_time:
            return await bot.access.run(problems, bot.deps.redis, bot.connected)
    except TimeoutError:
        return ["Redis does not answer"]


def _slack_over_http(bot: Bot) -> Route:
    """With an app token Slack comes over the socket, and there is no such route."""
    if not bot.deps.signing_secret:
        raise ValueError("requests over HTTP need a signing secret: without one, anybody could sign them")
    handler, verifier = AsyncSlackRequestHandler(bot.app), SignatureVerifier(bot.deps.signing_secret)

    async def events(request: Request) -> Response:
        """Bolt reads a body before it looks at the signature, and so fails on what anybody may send: we look first."""
        with bot.access.ack_first.acknowledging():
            body = await request.body()
            if not _signed(verifier, body, request.headers):
                log.warning("request refused: its signature is forged or old, or SLACK_SIGNING_SECRET is not the app's")
                return JSONResponse({"error": "the signature is wrong or old"}, status_code=401)
            if _NO_ANSWER.match(body):
                return Response(background=BackgroundTask(later, request))
            return await handler.handle(request)

    async def later(request: Request) -> None:
        await bot.access.ack_first.wait_for_acks()
        await handler.handle(request)

    return Route("/slack/events", events, methods=["POST"])


def _signed(verifier: SignatureVerifier, body: bytes, headers: Mapping[str, str]) -> bool:
    with contextlib.suppress(ValueError, TypeError):  # a time that is no number, a signature beyond ASCII
        return verifier.is_valid_request(body, headers)
    return False
