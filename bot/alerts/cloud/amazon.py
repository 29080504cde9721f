"""Fetch from Amazon SNS: certificates that sign its messages, and confirmations of subscriptions.

Addresses come from messages, so only those that `sns_signature` let pass are called; redirects are not followed.
"""

import asyncio
import time
from collections.abc import Callable

import httpx2

# Amazon waits 15 seconds for our answer: https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.prepare.html
TIMEOUT = 5.0
LARGEST = 64_000  # bytes; a certificate has about 2,000
KEPT, KEPT_REFUSED = 86_400.0, 60.0  # seconds
MOST_KEPT = 50


class Unreachable(Exception):
    """Amazon gave no answer now: the message has to be sent again."""


class Amazon:
    """Fetches certificates, one at a time, and keeps them for a day. `transport` makes the way to a stand-in."""

    def __init__(self, transport: Callable[[], httpx2.AsyncBaseTransport] | None = None) -> None:
        self._transport = transport
        self._certificates: dict[str, tuple[float, bytes]] = {}
        self._one_at_a_time = asyncio.Lock()

    async def certificate(self, url: str) -> bytes:
        """Return a certificate; empty if there is none there. Raises Unreachable."""
        try:
            async with asyncio.timeout(2 * TIMEOUT), self._one_at_a_time:
                if (known := self._certificates.get(url)) and known[0] > time.monotonic():
                    return known[1]
                status, pem = await self._get(url)
        except TimeoutError:
            raise Unreachable from None
        pem = pem if status == 200 else b""
        self._keep(url, pem)
        return pem

    async def confirm(self, url: str) -> bool:
        """Confirm a subscription; False if Amazon refuses it. Raises Unreachable."""
        status, _ = await self._get(url)
        return status == 200

    def _keep(self, url: str, pem: bytes) -> None:
        self._certificates.pop(url, None)
        self._certificates[url] = (time.monotonic() + (KEPT if pem else KEPT_REFUSED), pem)
        while len(self._certificates) > MOST_KEPT:
            del self._certificates[next(iter(self._certificates))]

    async def _get(self, url: str) -> tuple[int, bytes]:
        """Get an address: its status, and its body; 413 for one beyond the limit."""
        transport, body = self._transport() if self._transport else None, bytearray()
        try:
            async with (
                asyncio.timeout(TIMEOUT),
                httpx2.AsyncClient(timeout=TIMEOUT, follow_redirects=False, transport=transport) as client,
                client.stream("GET", url) as answer,
            ):
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > LARGEST:
                        return 413, b""
        except (httpx2.HTTPError, TimeoutError):
            raise Unreachable from None
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Unreachable
        return answer.status_code, bytes(body)
