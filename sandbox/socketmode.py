"""Socket Mode: tickets, connections, envelopes and their acknowledgements.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import Any, Literal, cast, get_args

from starlette.websockets import WebSocket, WebSocketDisconnect

from sandbox.delivery import Answer, Parcel
from sandbox.records import Json
from sandbox.state import Workspace
from sandbox.wire import Wire, wire_of

MOST_CONNECTIONS = 10
SocketAction = Literal["reset", "silence", "refuse", "refresh", "too_many_websockets", "link_disabled"]
Refusal = Literal["too_many_websockets", "link_disabled"]


class Connection:
    """One open WebSocket of the app."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self.wire: Wire | None = wire_of(socket.client)

    async def send(self, message: Json) -> bool:
        """Whether the message went out; a connection that just ended takes nothing."""
        try:
            await self.socket.send_json(message)
        except (RuntimeError, WebSocketDisconnect, OSError):
            return False
        return True


class SocketMode:
    """The app's WebSockets."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._tickets: set[str] = set()
        self._connections: list[Connection] = []
        self._waiting: dict[str, asyncio.Future[Json | None]] = {}
        self._turn = 0
        self._refusing_until = 0.0
        self._refusal: tuple[Refusal, float] = ("link_disabled", 0.0)  # the reason, and until when

    # The app's side

    @property
    def refusing(self) -> bool:
        return self._workspace.now() < self._refusing_until

    @property
    def connected(self) -> int:
        return len(self._connections)

    def ticket(self) -> str:
        """The path of a WebSocket address, good once."""
        ticket = secrets.token_urlsafe(24)
        self._tickets.add(ticket)
        return f"/socket/{ticket}"

    async def endpoint(self, socket: WebSocket) -> None:
        """Greet the app, then take its acknowledgements until it goes."""
        ticket = socket.path_params["ticket"]
        if ticket not in self._tickets or self.refusing:
            await socket.close()
            return
        self._tickets.discard(ticket)
        await socket.accept()
        connection = Connection(socket)
        if reason := self._refuses():
            await connection.send(_disconnect(reason))
            await socket.close()
            return
        self._connections.append(connection)
        try:
            await connection.send(self._hello())
            await self._listen(socket)
        finally:
            self._connections.remove(connection)

    def _refuses(self) -> Refusal | None:
        """Why a connection is ended as soon as it is accepted."""
        reason, until = self._refusal
        if self._workspace.now() < until:
            return reason
        return "too_many_websockets" if self.connected >= MOST_CONNECTIONS else None

    async def _listen(self, socket: WebSocket) -> None:
        # What is not JSON text ends the connection, as an app that goes does.
        with contextlib.suppress(WebSocketDisconnect, ValueError, KeyError):
            while True:
                self._acknowledge(await socket.receive_json())

    def _acknowledge(self, message: Any) -> None:
        waiting = self._waiting.get(message.get("envelope_id", "")) if isinstance(message, dict) else None
        if waiting is not None and not waiting.done():
            payload = message.get("payload")
            waiting.set_result(payload if isinstance(payload, dict) else None)

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": self.connected,
            "debug_info": {"host": "sandbox", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": self._workspace.app_id},
        }

    # Sending

    async def carry(self, parcel: Parcel, seconds: float) -> Answer:
        """Send to the connections in turn and wait for the acknowledgement."""
        envelope_id = secrets.token_hex(16)
        waiting: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = waiting
        try:
            if not await self._send_in_turn(_envelope(parcel, envelope_id)):
                return Answer("unreachable")
            return Answer("acknowledged", await asyncio.wait_for(waiting, seconds))
        except TimeoutError:
            return Answer("timeout")
        finally:
            del self._waiting[envelope_id]

    async def _send_in_turn(self, envelope: Json) -> bool:
        speaking = [row for row in self._connections if row.wire is None or not row.wire.silent]
        # An app that has reconnected since is reached there; its mute connection counts as lost by then.
        rows = speaking or list(self._connections)
        for _ in rows:
            connection = rows[self._turn % len(rows)]
            self._turn += 1
            if await connection.send(envelope):
                return True
        return False

    # Faults

    async def disturb(self, action: SocketAction, seconds: float) -> int:
        """Reset, silence, refuse or politely refresh the connections; gives how many were open.

        With the name of a refusal, Slack ends them and for so many seconds each new one, with that as the reason.
        """
        open_now = list(self._connections)
        if action in get_args(Refusal):
            self._refusal = (cast(Refusal, action), self._workspace.now() + seconds)
        if action == "refuse":
            self._refusing_until = self._workspace.now() + seconds
        for connection in open_now:
            if action in ("reset", "refuse"):
                _on_wire(connection, Wire.abort)
            elif action == "silence":
                self._silence(connection, seconds)
            elif action == "refresh":
                await connection.send(_disconnect("refresh_requested"))
            else:
                await connection.send(_disconnect(action))
                await connection.socket.close()
        return len(open_now)

    def _silence(self, connection: Connection, seconds: float) -> None:
        _on_wire(connection, Wire.silence)
        asyncio.get_running_loop().call_later(seconds, _on_wire, connection, Wire.speak)

    async def close(self) -> None:
        for connection in list(self._connections):
            _on_wire(connection, Wire.speak)
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # it may have gone meanwhile
                await connection.socket.close()


def _on_wire(connection: Connection, action: Callable[[Wire], None]) -> None:
    if connection.wire is not None:
        action(connection.wire)


def _disconnect(reason: str) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}


def _envelope(parcel: Parcel, envelope_id: str) -> Json:
    envelope: Json = {
        "envelope_id": envelope_id,
        "type": parcel.kind,
        "payload": parcel.payload,
        "accepts_response_payload": parcel.kind != "events_api",
    }
    if parcel.kind == "events_api":
        envelope |= {"retry_attempt": parcel.attempt, "retry_reason": parcel.reason}
    return envelope
