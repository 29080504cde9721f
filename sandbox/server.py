"""Running a workspace: for good, as a command does, or in a thread, as tests do."""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from sandbox.app import build, is_loopback
from sandbox.runtime import Runtime
from sandbox.setup import Setup
from sandbox.wire import WiredProtocol

Clock = Callable[[], float]
GRACE_SECONDS = 2
START_SECONDS = 60.0


class NotLoopback(ValueError):
    """The workspace has no passwords, so it never listens where others could reach it."""


@dataclass(frozen=True)
class RunningWorkspace:
    """Where a running workspace is and what opens it."""

    url: str
    bot_token: str
    app_token: str
    signing_secret: str

    @property
    def api_url(self) -> str:
        """The Web API's base address, for `base_url` of Slack's clients."""
        return f"{self.url}/api/"


class _Server(uvicorn.Server):
    """Lets open pages and WebSockets go before it waits for connections to end."""

    def __init__(self, config: uvicorn.Config, runtime: Runtime) -> None:
        super().__init__(config)
        self._runtime = runtime

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._runtime.end_streams()
        await super().shutdown(sockets)


def bind(listen: str) -> socket.socket:
    """A socket for "host:port" (port 0: any free one).

    Raises NotLoopback for a host that others can reach, OSError when the port is taken.
    """
    host, _, port = listen.rpartition(":")
    if not is_loopback(host or "localhost") or not port.isdigit():
        raise NotLoopback(
            f"cannot listen on {listen!r}: the local workspace has no passwords, so it only listens on this "
            "machine (127.0.0.1:PORT, [::1]:PORT or localhost:PORT)"
        )
    bare = host.strip("[]") or "127.0.0.1"
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only then: without it each answer takes 40 ms more.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1" if bare == "localhost" else bare, int(port)))
    except OSError:
        listener.close()
        raise
    return listener


def address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _server(listener: socket.socket, data: Path | None, clock: Clock, limits: bool, setup: Setup) -> _Server:
    runtime = Runtime(setup, clock, address(listener), data, limits)
    config = uvicorn.Config(
        build(runtime),
        http=WiredProtocol,
        ws="websockets-sansio",
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        # Slack's sockets ping every few seconds; a client that never answers is only cut after a while.
        ws_ping_interval=10.0,
        ws_ping_timeout=60.0,
    )
    return _Server(config, runtime)


def serve(
    listen: str = "127.0.0.1:8080",
    data: Path | None = None,
    *,
    clock: Clock = time.time,
    limits: bool = True,
    setup: Setup | None = None,
) -> None:
    """Run a workspace until it is told to stop (Ctrl-C, SIGTERM)."""
    listener = bind(listen)
    # uvicorn raises Ctrl-C once more after it has ended in good order.
    with suppress(KeyboardInterrupt):
        _server(listener, data, clock, limits, setup or Setup()).run(sockets=[listener])


@contextmanager
def running(
    data: Path | None = None,
    clock: Clock = time.time,
    limits: bool = False,
    setup: Setup | None = None,
    listen: str = "127.0.0.1:0",
) -> Iterator[RunningWorkspace]:
    """A workspace in a thread of its own, on a free port, for as long as the block lasts."""
    listener, chosen = bind(listen), setup or Setup()
    server = _server(listener, data, clock, limits, chosen)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    _wait_until(lambda: server.started or not thread.is_alive())
    try:
        yield RunningWorkspace(address(listener), chosen.bot_token, chosen.app_token, chosen.signing_secret)
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)


def _wait_until(ready: Callable[[], bool]) -> None:
    ends = time.monotonic() + START_SECONDS
    while not ready() and time.monotonic() < ends:
        time.sleep(0.005)


def main() -> None:
    """`python -m sandbox.server [host:port] [data folder]`."""
    listen, folder, *_ = [*sys.argv[1:], "", ""]
    listen = listen or "127.0.0.1:8080"
    print(f"Local workspace on http://{listen}", flush=True)
    try:
        serve(listen, Path(folder) if folder else None)
    except (NotLoopback, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
