"""The TCP side of the server: connections that can be cut, or fall silent as in a black hole."""

import asyncio
from typing import Any, cast
from weakref import WeakValueDictionary

from uvicorn.protocols.http.h11_impl import H11Protocol

WIRES: "WeakValueDictionary[tuple[str, int], Wire]" = WeakValueDictionary()


class Wire(asyncio.Transport):
    """A transport that passes everything on, unless it was silenced."""

    def __init__(self, inner: asyncio.Transport) -> None:
        super().__init__()
        self._inner = inner
        self.silent = False
        self._reading = True
        self._held: list[bytes | bytearray | memoryview] = []

    def silence(self) -> None:
        """Read nothing and send nothing; the other side sees a connection that is open and mute."""
        self.silent = True
        if not self._inner.is_closing():
            self._inner.pause_reading()

    def speak(self) -> None:
        """End the silence: what was held back is sent."""
        self.silent = False
        held, self._held = self._held, []
        if self._inner.is_closing():
            return
        for data in held:
            self._inner.write(data)
        if self._reading:
            self._inner.resume_reading()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.silent:
            self._held.append(data)
        else:
            self._inner.write(data)

    def pause_reading(self) -> None:
        self._reading = False
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        self._reading = True
        if not self.silent:
            self._inner.resume_reading()

    def is_reading(self) -> bool:
        return self._inner.is_reading()

    def abort(self) -> None:
        self._inner.abort()

    def close(self) -> None:
        self._inner.close()

    def is_closing(self) -> bool:
        return self._inner.is_closing()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._inner.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._inner.get_protocol()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._inner.get_extra_info(name, default)


class WiredProtocol(H11Protocol):
    """HTTP (and the WebSockets that grow out of it) over wires that can be found by the client's address."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        wire = Wire(transport)
        WIRES[cast(tuple[str, int], tuple(transport.get_extra_info("peername")[:2]))] = wire
        super().connection_made(wire)


def wire_of(client: object) -> Wire | None:
    """The wire behind a request's or WebSocket's `client` (host, port)."""
    return WIRES.get(cast(tuple[str, int], tuple(cast(Any, client)))) if client else None
