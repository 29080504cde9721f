"""The bot's process: web app, connection to Slack, background work, graceful shutdown."""

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
from bot.directory import refresh_directory
from bot.http.routes import web_app
from bot.http.status import renew_status_page
from bot.slack import client as slack
from bot.slack.socket_mode import WrongToken
from escalation.hosts import drop_proxies_for

GRACE = 3  # seconds for requests in flight at shutdown
# Seconds that an idle connection stays open: longer than a load balancer keeps it (60 s), which answers 502 when it
# reuses one that we close just then: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
KEEP_ALIVE = 75


class Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the connection to Slack has to be closed as well."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


@contextlib.asynccontextmanager
async def started_bot(deps: BotDeps, listener: socket.socket) -> AsyncIterator[tuple[Bot, "asyncio.Task[None]"]]:
    """Run a bot for as long as the block lasts.

    Yields it with a task that ends only when one of its parts ended or failed for good.
    """
    drop_proxies_for(deps.slack_api_url, os.environ)
    async with slack.open_session() as session, contextlib.AsyncExitStack() as stack:
        bot = Bot(deps, slack.interactive_client(deps.bot_token, deps.slack_api_url, session))
        stack.callback(bot.access.close)
        background = slack.background_client(deps.bot_token, deps.slack_api_url, session)
        server = Server(
            uvicorn.Config(
                web_app(bot),
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=GRACE,
                timeout_keep_alive=KEEP_ALIVE,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        background_work = [bot.connect(), refresh_directory(background, bot.access), bot.beat()]
        if bot.keeper:
            stack.push_async_callback(bot.keeper.close)
            background_work.append(bot.keeper.drain_spool())
        if deps.status:
            background_work.append(renew_status_page(deps.status, deps.service.clock))
        tasks = [serving, *(asyncio.create_task(other) for other in background_work)]
        try:
            yield bot, asyncio.create_task(_first_to_end(tasks))
        finally:
            server.should_exit = True  # it ends by itself, once requests in flight are answered
            for task in tasks[1:]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _first_to_end(tasks: list["asyncio.Task[None]"]) -> None:
    """Wait for the first task to end, and raise its error if it failed. None of them should end."""
    ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in ended:
        with contextlib.suppress(asyncio.CancelledError):
            task.result()


def listen(deps: BotDeps) -> socket.socket:
    """Open a listening socket on the configured address. Raises OSError when it is taken."""
    return socket.create_server((deps.host, deps.port), family=socket.AF_INET6 if ":" in deps.host else socket.AF_INET)


async def serve(deps: BotDeps) -> None:
    """Run the bot until SIGTERM or Ctrl-C. Raises SystemExit 1, after a line on stderr, for a bad token or address."""
    try:
        listener = listen(deps)
    except OSError as error:
        _exit_with(f"Cannot listen on {deps.host}:{deps.port} (TOCSIN_LISTEN): {error.strerror or error}.")
    stop = asyncio.Event()
    _on_signals(stop)
    async with started_bot(deps, listener) as (_, work):
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait({waiting, work}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if work.done() and isinstance(fatal := work.exception(), WrongToken):
            _exit_with(f"{fatal} Check it with `tocsin doctor`.")
        if work.done():
            work.result()


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def _exit_with(message: str) -> None:
    print(f"tocsin: {message}", file=sys.stderr)
    raise SystemExit(1)
