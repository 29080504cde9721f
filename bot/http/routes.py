"""Routes of the web app: Slack over HTTP, alerts, answers to pages, the status page, health and metrics."""

import asyncio
import contextlib
import re
from collections.abc import Callable, Mapping
from urllib.parse import quote

import structlog
from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_sdk.signature import SignatureVerifier
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.bot import Bot
from bot.http.alerts import Intake, alert_routes, larger_bodies
from bot.http.answers import answer_routes
from bot.http.health import Readiness, about_alerts, exposition, readiness
from bot.http.hooks import Hooks
from bot.http.incidents import incident_routes
from bot.http.limits import Limits
from bot.http.reports import report_routes
from bot.http.status import FromMemory, StatusFiles, status_routes
from bot.http.subscribers import subscriber_routes
from bot.http.trackers import tracker_routes
from bot.http.turns import TakeTurns, Turns
from bot.keeper import Kept
from escalation.storage.answers.person_links import INCIDENTS, REPORTS

WRONGLY_SIGNED = "requests that say they are Slack's are refused: the signature is wrong or old"
SIGNING_REMEDY = "if commands and buttons do nothing, correct SLACK_SIGNING_SECRET, and this host's clock"
PAGES = (INCIDENTS, REPORTS)  # with links relative to them; the status page leads to its own by itself
PROBE_TIMEOUT = 3.0  # seconds that a health check may take
log = structlog.get_logger("bot")
# Commands and clicks, as Slack encodes them: it wants an empty acknowledgement. Bolt answers the rest.
_EMPTY_ANSWER = re.compile(rb"payload=%7B%22type%22%3A[+]?%22block_actions%22|(?!payload=)(.*&)?command=%2F")

_UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, RecursionError)


def web_app(bot: Bot) -> Starlette:
    """Build the web app. Probes take one access thread each at most: the others are for people."""
    ready_lock, metrics_lock = asyncio.Lock(), asyncio.Lock()

    async def healthz(request: Request) -> Response:
        """Answer 200 while the process runs."""
        return JSONResponse({"alive": True})

    async def readyz(request: Request) -> Response:
        """Answer 200 when Tocsin is able to work, else 503; both with all that is wrong."""
        found = await _readiness(bot, ready_lock)
        return JSONResponse(found._asdict(), status_code=200 if found.ready else 503)

    async def metrics(request: Request) -> Response:
        """Answer with the metrics for Prometheus."""
        async with metrics_lock:
            text = await bot.access.run(exposition, bot.deps.store, lambda: bot.connected, _intake(bot))
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    probes = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
    checks = bot.deps.company.checks
    hooks, secrets = Hooks(bot.deps.answers, bot.access), bot.deps.alert_secrets
    intake = Intake(secrets, bot.keeper, bot.deps.amazon, bot.access.doors, hooks) if bot.keeper else None
    alerts = alert_routes(intake, checks) if intake else []
    answers = [*answer_routes(bot.deps.answers, bot.access), *hooks.routes()]
    answers += [*tracker_routes(bot.deps.answers, bot.access), *report_routes(bot.access)]
    answers += incident_routes(bot.access)
    status: list[Route] = []
    first: list[Middleware] = []
    if bot.deps.status:
        files = StatusFiles(bot.deps.status.folder)
        first = [Middleware(FromMemory, files=files)]
        by_mail = subscriber_routes(bot.deps.status.title, bot.access, offered=bool(bot.deps.status.subscribe))
        status = [*by_mail, *status_routes(files)]
    routes = [*probes, *alerts, *answers, *status, *([] if bot.socket else [_slack_over_http(bot)])]
    larger = larger_bodies(bot.deps.alert_secrets) if bot.keeper else {}
    turns = Turns(lambda: bot.access.ack_first.busy)
    behind = [Middleware(Slashes), Middleware(TakeTurns, turns=turns), Middleware(Limits, larger=larger)]
    app = Starlette(routes=routes, middleware=[*first, *behind])
    app.router.redirect_slashes = False
    return app


class Slashes:
    """ASGI middleware: a machine is served all the same, a browser is led to the page by its name alone.

    Starlette redirects both to what `Host` says, and without TLS behind a proxy that ends it: an alert would go there
    with its secret in the clear, or not at all.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and not path.startswith("/status/"):
            name = path.rstrip("/").rsplit("/", 1)[-1]
            if f"{path}/" in PAGES or (path.endswith("/") and path not in PAGES and path.startswith(PAGES)):
                query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
                to = f"../{quote(name)}" if path.endswith("/") else f"{quote(name)}/"
                await RedirectResponse(to + query, 308)(scope, receive, send)
                return
            if path.endswith("/") and path not in PAGES:
                scope = {**scope, "path": path.rstrip("/") or "/"}
        await self._app(scope, receive, send)


def _intake(bot: Bot) -> Callable[[], Kept]:
    """Return what reads the state of the alerts' intake."""
    return bot.keeper.state if bot.keeper else Kept


async def _readiness(bot: Bot, lock: asyncio.Lock) -> Readiness:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT), lock:
            return await bot.access.run(readiness, bot.deps.store, bot.connected, bot.refusal, _intake(bot))
    except TimeoutError:
        spooled = await asyncio.to_thread(lambda: [*about_alerts(_intake(bot))])
        return Readiness(False, ["Redis does not answer", *spooled])


def _slack_over_http(bot: Bot) -> Route:
    """Build the route for Slack's requests; with an app token they come by Socket Mode, and there is none."""
    if not bot.deps.signing_secret:
        raise ValueError("requests over HTTP need a signing secret: without one, anybody could sign them")
    verifier = SignatureVerifier(bot.deps.signing_secret)

    async def events(request: Request) -> Response:
        """Check the signature before Bolt, which parses the body first and so fails on what anybody may send."""
        with bot.access.ack_first.acknowledging():
            body = await request.body()
            if not _is_signed(verifier, body, request.headers):
                log.warning("request refused: signature invalid or too old, or SLACK_SIGNING_SECRET wrong")
                if "x-slack-signature" in request.headers:
                    bot.access.doors.turned_away("slack", WRONGLY_SIGNED, SIGNING_REMEDY)
                return JSONResponse({"error": "the signature is wrong or old"}, status_code=401)
            bot.access.doors.let_in("slack")
            if _EMPTY_ANSWER.match(body):
                return Response(background=BackgroundTask(handle_later, request))
            return await handle(request)

    async def handle_later(request: Request) -> None:
        """Run the handler once acknowledgements have gone out."""
        await bot.access.ack_first.wait_for_acks()
        await handle(request)

    async def handle(request: Request) -> Response:
        """Hand a request to Bolt, which fails on any shape that it does not expect."""
        try:
            asked = to_async_bolt_request(request, await request.body())
            if not isinstance(asked.body.get("event", {}), dict):
                raise TypeError("event")
            return to_starlette_response(await bot.app.async_dispatch(asked))
        except _UNREADABLE as error:  # of Bolt's own code: it catches what our handlers raise
            log.warning("request unreadable, though signed", error=type(error).__name__)
            await bot.access.found_bug("a request of Slack's", error)
            return JSONResponse({"error": "the body is none of Slack's"}, status_code=400)

    return Route("/slack/events", events, methods=["POST"])


def _is_signed(verifier: SignatureVerifier, body: bytes, headers: Mapping[str, str]) -> bool:
    with contextlib.suppress(ValueError, TypeError):  # a timestamp that is no number, a signature beyond ASCII
        return verifier.is_valid_request(body, headers)
    return False
