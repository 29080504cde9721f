"""One running workspace: its state, its storage, the ways to the app and to the pages."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

from starlette.requests import HTTPConnection

from sandbox.actions import Actions
from sandbox.bus import Bus
from sandbox.calls import CallLog
from sandbox.delivery import Delivery
from sandbox.faults import Faults
from sandbox.httpmode import HttpMode
from sandbox.limits import Limits
from sandbox.setup import Setup
from sandbox.socketmode import SocketMode
from sandbox.state import AppEvent, Workspace
from sandbox.storage import Storage
from sandbox.webapi.scheduled import post_due

LOOKS_EVERY = 0.2  # seconds, for scheduled messages


class Runtime:
    """Everything that the endpoints share."""

    def __init__(
        self, setup: Setup, clock: Callable[[], float], base_url: str, data: Path | None, limits: bool
    ) -> None:
        self.workspace = Workspace(setup, clock, base_url)
        self._storage = Storage(data)
        if not self._storage.load(self.workspace.books()):
            self.workspace.populate()
        self.bus = Bus()
        self.socket = SocketMode(self.workspace)
        self.http = HttpMode(self.workspace)
        self.delivery = Delivery(self.workspace, self.socket, self.http)
        self.actions = Actions(self.workspace, self.delivery)
        self.faults = Faults()
        self.limits = Limits(self.workspace.now, limits)
        self.calls = CallLog()
        self.latency = 0.0
        self._storage.save(self.workspace.books())

    def settle(self) -> None:
        """Keep what changed, then tell the pages and the app; after every request, before its answer."""
        signals = self.workspace.take_signals()
        for signal in signals:
            if isinstance(signal, AppEvent):
                self.delivery.tell(signal.event)
        self._storage.save(self.workspace.books())
        for signal in signals:
            if not isinstance(signal, AppEvent):
                self.bus.publish(signal)

    async def post_scheduled(self) -> None:
        """Post scheduled messages at their time, for as long as the workspace runs."""
        while True:
            if post_due(self.workspace):
                self.settle()
            await asyncio.sleep(LOOKS_EVERY)

    def reset(self) -> None:
        """Back to the company as it was at first; connections stay."""
        self.workspace.populate()
        self.faults.clear()
        self.calls.clear()
        self.limits.clear()
        self.latency = 0.0
        self.workspace.hint("channels")

    async def close(self) -> None:
        self.delivery.close()
        await self.http.close()
        self._storage.close()

    async def end_streams(self) -> None:
        """Let open pages and WebSockets go, so that the server can end."""
        self.bus.close()
        await self.socket.close()


def runtime_of(connection: HTTPConnection) -> Runtime:
    return cast(Runtime, connection.app.state.runtime)
