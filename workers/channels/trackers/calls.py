"""One call of a tracker's API, with a time limit for all of it: one that answers byte by byte holds nobody up."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from workers.channels.failures import Failed, no_answer
from workers.channels.tls import ssl_context
from workers.channels.trackers.tracker import InDoubt

TIMEOUT = 10.0  # seconds


@dataclass(frozen=True)
class Api:
    """An API: whose it is, for people, and what each request to it carries. Redirects are not followed."""

    vendor: str
    headers: Mapping[str, str]
    auth: httpx2.BasicAuth | None = field(default=None, repr=False)

    def call(
        self, method: str, url: str, body: Any = None, params: Mapping[str, str] | None = None, *, creates: bool = False
    ) -> httpx2.Response:
        """Make a request. Raises Failed; where it `creates` something, InDoubt if that may have happened."""
        try:
            return asyncio.run(self._call(method, url, body, params))
        except (httpx2.HTTPError, TimeoutError) as error:
            raise self.lost(error, creates=creates) from None

    async def _call(self, method: str, url: str, body: Any, params: Mapping[str, str] | None) -> httpx2.Response:
        async with (
            asyncio.timeout(TIMEOUT),
            httpx2.AsyncClient(
                headers=dict(self.headers),
                auth=self.auth,
                timeout=TIMEOUT,
                verify=ssl_context(),
                follow_redirects=False,
            ) as client,
        ):
            return await client.request(method, url, json=body, params=params)

    def json(self, response: httpx2.Response, *, creates: bool = False) -> Any:
        """Read an answer's body. One that cannot be read is none."""
        try:
            return response.json() if response.content else {}
        except ValueError as error:
            raise self.lost(error, creates=creates) from None

    def lost(self, error: Exception, *, creates: bool) -> Failed:
        """A request without an answer: what it creates may be there, unless no connection was made."""
        failed = no_answer(self.vendor, error)
        if creates and not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            return in_doubt(failed)
        return failed


def in_doubt(failed: Failed) -> InDoubt:
    """The same failure, of a creation that may have been carried out."""
    return InDoubt(failed.error, failed.kind, wait=failed.wait, reason=failed.reason)
