"""The bot's process: the web app, the connection to Slack, the background work, and their orderly end."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping

import structlog
import uvicorn
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot.access import Door, OutOfReach
from bot.app import build
from bot.deps import BotParts
from bot.directory import keep_directory
from bot.http.health import exposition, problems
from bot.http.limits import Limits
from bot.slack import client as slack
from bot.slack.client import UNREACHABLE, said_by_slack
from bot.slack.socket_mode import RETRY, SocketConnection, WrongToken, wrong_token
from escalation.storage.store import SIGNS

__all__ = ["BotParts", "serve"]

HEARTBEAT = 2.0  # seconds
HEARTBEAT_LIVES = 10  # seconds
ANSWER_WITHIN = 3.0  # seconds that a health check may take
GRACE = 3  # seconds for requests that are under way at the end
# Commands and clicks, as Slack writes them: it wants to know that they arrived, and nothing else. The rest is Bolt's.
_NO_ANSWER = re.compile(rb"payload=%7B%22type%22%3A[+]?%22block_actions%22|(?!payload=)(.*&)?command=%2F")
log = structlog.get_logger("bot")


class Server(uvicorn.Server):
    """Leaves the signals to us: the connection to Slack has to end as well."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Bot:
    """One running bot. `connected` says whether Slack can reach us."""

    def __init__(self, parts: BotParts, client: AsyncWebClient) -> None:
        self.parts = parts
        self.door = Door(parts, client)
        self.app = build(self.door, parts.signing_secret or "")
        self.socket = SocketConnection(self.app, parts.app_token, self.door.courtesy) if parts.app_token else None
        self.authorised = False

    @property
    def connected(self) -> bool:
        """Over HTTP Slack comes to us: then it is enough that it accepts our token."""
        return self.socket.connected if self.socket else self.authorised

    async def authorise(self) -> None:
        """Ask Slack whether the bot token is good, as often as it takes. WrongToken if it is not."""
        while not self.authorised:
            try:
                self.door.people.team = (await self.door.client.auth_test())["team_id"]
                self.authorised = True
            except UNREACHABLE as error:
                if fatal := wrong_token(error, "SLACK_BOT_TOKEN"):
                    raise fatal from None
                log.warning("slack not reached yet", error=said_by_slack(error))
                await asyncio.sleep(RETRY)

    async def connect(self) -> None:
        await self.authorise()
        if self.socket:
            await self.socket.keep()
        await asyncio.Event().wait()  # over HTTP there is nothing to keep

    async def beat(self) -> None:
        """A sign of life every two seconds, for the doctor and the metrics."""
        key = f"tocsin:alive:bot:{socket.gethostname()}:{os.getpid()}"
        while True:
            with contextlib.suppress(OutOfReach):
                await self.door.run(lambda: self._beat(key))
            await asyncio.sleep(HEARTBEAT)

    def _beat(self, key: str) -> None:
        self.parts.redis.set(key, int(self.parts.store.now().timestamp()), ex=HEARTBEAT_LIVES)
        self.parts.redis.sadd(SIGNS, key)


# The web app -----------------------------------------------------------------------------------------------------


def web_app(bot: Bot) -> Starlette:
    """What anybody may ask takes one of the desk's threads at a time: the others are for people."""
    looking, counting = asyncio.Lock(), asyncio.Lock()

    async def healthz(request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def readyz(request: Request) -> Response:
        found = await _unready(bot, looking)
        return JSONResponse({"ready": not found, "problems": found}, status_code=503 if found else 200)

    async def metrics(request: Request) -> Response:
        async with counting:
            text = await bot.door.run(exposition, bot.parts.store, lambda: bot.connected)
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    routes = [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]
    doors = [*routes, *([] if bot.socket else [_slack_over_http(bot)])]
    return Starlette(routes=doors, middleware=[Middleware(Limits)])


async def _unready(bot: Bot, one_at_a_time: asyncio.Lock) -> list[str]:
    try:
        async with asyncio.timeout(ANSWER_WITHIN), one_at_a_time:
            return await bot.door.run(problems, bot.parts.redis, bot.connected)
    except TimeoutError:
        return ["Redis does not answer"]


def _slack_over_http(bot: Bot) -> Route:
    """With an app token Slack comes over the socket, and there is no such door."""
    if not bot.parts.signing_secret:
        raise ValueError("requests over HTTP need a signing secret: without one, anybody could sign them")
    handler, verifier = AsyncSlackRequestHandler(bot.app), SignatureVerifier(bot.parts.signing_secret)

    async def events(request: Request) -> Response:
        """Bolt reads a body before it looks at the signature, and so fails on what anybody may send: we look first."""
        with bot.door.courtesy.acknowledging():
            body = await request.body()
            if not _signed(verifier, body, request.headers):
                log.warning("request refused: its signature is forged or old, or SLACK_SIGNING_SECRET is not the app's")
                return JSONResponse({"error": "the signature is wrong or old"}, status_code=401)
            if _NO_ANSWER.match(body):
                return Response(background=BackgroundTask(later, request))
            return await handler.handle(request)

    async def later(request: Request) -> None:
        await bot.door.courtesy.after_you()
        await handler.handle(request)

    return Route("/slack/events", events, methods=["POST"])


def _signed(verifier: SignatureVerifier, body: bytes, headers: Mapping[str, str]) -> bool:
    with contextlib.suppress(ValueError, TypeError):  # a time that is no number, a signature beyond ASCII
        return verifier.is_valid_request(body, headers)
    return False


# The process -----------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def running(parts: BotParts, listener: socket.socket) -> AsyncIterator[tuple[Bot, "asyncio.Task[None]"]]:
    """A bot at work, with the task that ends only when something is wrong for good. It is told to end on leaving."""
    slack.forget_proxies_for(parts.slack_api_url)
    async with slack.session() as session, contextlib.AsyncExitStack() as ending:
        bot = Bot(parts, slack.hasty(parts.bot_token, parts.slack_api_url, session))
        ending.callback(bot.door.close)
        reader = slack.patient(parts.bot_token, parts.slack_api_url, session)
        server = Server(
            uvicorn.Config(web_app(bot), log_config=None, access_log=False, timeout_graceful_shutdown=GRACE)
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        others = [bot.connect(), keep_directory(reader, bot.door), bot.beat()]
        tasks = [serving, *(asyncio.create_task(other) for other in others)]
        try:
            yield bot, asyncio.create_task(_first_end(tasks))
        finally:
            server.should_exit = True  # it ends by itself, once what is under way was answered
            for task in tasks[1:]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _first_end(tasks: list["asyncio.Task[None]"]) -> None:
    """None of them should end: returns, or raises what it raised, when the first does."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        with contextlib.suppress(asyncio.CancelledError):
            task.result()


def listen(parts: BotParts) -> socket.socket:
    """A socket on the configured address; OSError when it is taken."""
    return socket.create_server(
        (parts.host, parts.port), family=socket.AF_INET6 if ":" in parts.host else socket.AF_INET
    )


async def serve(parts: BotParts) -> None:
    """Run until SIGTERM or Ctrl-C. SystemExit 1, with a line on stderr, when a token or the address is no good."""
    try:
        listener = listen(parts)
    except OSError as error:
        _give_up(f"Cannot listen on {parts.host}:{parts.port} (TOCSIN_LISTEN): {error.strerror or error}.")
    told = asyncio.Event()
    _on_signals(told)
    async with running(parts, listener) as (_, work):
        waiting = asyncio.create_task(told.wait())
        await asyncio.wait({waiting, work}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if work.done() and isinstance(fatal := work.exception(), WrongToken):
            _give_up(f"{fatal} Check it with `tocsin doctor`.")
        if work.done():
            work.result()


def _on_signals(told: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)


def _give_up(words: str) -> None:
    print(f"tocsin: {words}", file=sys.stderr)
    raise SystemExit(1)
