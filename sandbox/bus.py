"""Server-sent events for the pages that are open."""

import asyncio
import json
from collections.abc import AsyncIterator

from sandbox.state import PageHint

KEEPALIVE_SECONDS = 15.0


class Bus:
    """Who is looking, and as whom."""

    def __init__(self) -> None:
        self._pages: dict[asyncio.Queue[str | None], str] = {}

    def publish(self, hint: PageHint) -> None:
        for page, user in self._pages.items():
            if hint.audience is None or user in hint.audience:
                page.put_nowait(f"data: {json.dumps(hint.event)}\n\n")

    async def stream(self, user: str) -> AsyncIterator[str]:
        """Event-stream text for one page, until it goes or the server ends."""
        page: asyncio.Queue[str | None] = asyncio.Queue()
        self._pages[page] = user
        try:
            yield ": hello\n\n"
            while (text := await _next(page)) is not None:
                yield text
        finally:
            del self._pages[page]

    def close(self) -> None:
        for page in self._pages:
            page.put_nowait(None)


async def _next(page: "asyncio.Queue[str | None]") -> str | None:
    try:
        return await asyncio.wait_for(page.get(), KEEPALIVE_SECONDS)
    except TimeoutError:
        return ": still here\n\n"
