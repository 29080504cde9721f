"""The bot's process: the web app, the connection to Slack, the background work, and their orderly end."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator

import uvicorn

from bot.bot import Bot
from bot.deps import BotDeps
from bot.directory import keep_directory
from bot.http.routes import web_app
from bot.slack import client as slack
from bot.slack.socket_mode import WrongToken
from escalation.hosts import forget_proxies_for

GRACE = 3  # seconds for requests that are under way at the end


class Server(uvicorn.Server):
    """Leaves the signals to us: the connection to Slack has to end as well."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def running(deps: BotDeps, listener: socket.socket) -> AsyncIterator[tuple[Bot, "asyncio.Task[None]"]]:
    """A bot at work, with the task that ends only when something is wrong for good. It is told to end on leaving."""
    forget_proxies_for(deps.slack_api_url, os.environ)
    async with slack.session() as session, contextlib.AsyncExitStack() as ending:
        bot = Bot(deps, slack.hasty(deps.bot_token, deps.slack_api_url, session))
        ending.callback(bot.access.close)
        reader = slack.patient(deps.bot_token, deps.slack_api_url, session)
        server = Server(
            uvicorn.Config(web_app(bot), log_config=None, access_log=False, timeout_graceful_shutdown=GRACE)
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        others = [bot.connect(), keep_directory(reader, bot.access), bot.beat()]
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


def listen(deps: BotDeps) -> socket.socket:
    """A socket on the configured address; OSError when it is taken."""
    return socket.create_server((deps.host, deps.port), family=socket.AF_INET6 if ":" in deps.host else socket.AF_INET)


async def serve(deps: BotDeps) -> None:
    """Run until SIGTERM or Ctrl-C. SystemExit 1, with a line on stderr, when a token or the address is no good."""
    try:
        listener = listen(deps)
    except OSError as error:
        _give_up(f"Cannot listen on {deps.host}:{deps.port} (TOCSIN_LISTEN): {error.strerror or error}.")
    told = asyncio.Event()
    _on_signals(told)
    async with running(deps, listener) as (_, work):
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
