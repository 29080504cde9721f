"""Delivery by HTTP: requests signed as Slack signs them.

https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

import hashlib
import hmac
import json
from urllib.parse import urlencode

import httpx2

from sandbox.delivery import Answer, Parcel
from sandbox.records import Json
from sandbox.state import Workspace

FORM = "application/x-www-form-urlencoded"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The x-slack-signature of a request body."""
    base = f"v0:{timestamp}:".encode() + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


class HttpMode:
    """POSTs parcels to the app's request URL."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        # The environment's proxies are for the outside world; the app is here. A connection is used once: the app may
        # close one that idled just when the next request is written to it.
        limits = httpx2.Limits(max_keepalive_connections=0)
        self._client = httpx2.AsyncClient(trust_env=False, follow_redirects=False, limits=limits)

    async def carry(self, parcel: Parcel, seconds: float) -> Answer:
        body, content_type = _body(parcel)
        headers = {**self._signed(body), **_retry(parcel), "content-type": content_type}
        try:
            response = await self._client.post(
                str(self._workspace.app.request_url), content=body, headers=headers, timeout=seconds
            )
        except httpx2.TimeoutException:
            return Answer("timeout")
        except httpx2.HTTPError:
            return Answer("unreachable")
        return Answer("acknowledged", _answered(response)) if response.is_success else Answer("refused")

    def _signed(self, body: bytes) -> dict[str, str]:
        # The app checks this against its own clock, so what was added to the workspace's does not count.
        timestamp = str(int(self._workspace.clock()))
        return {
            "x-slack-request-timestamp": timestamp,
            "x-slack-signature": signature(self._workspace.signing_secret, timestamp, body),
        }

    async def close(self) -> None:
        await self._client.aclose()


def _body(parcel: Parcel) -> tuple[bytes, str]:
    if parcel.kind == "slash_commands":
        return urlencode(parcel.payload).encode(), FORM
    if parcel.kind == "interactive":
        return urlencode({"payload": json.dumps(parcel.payload)}).encode(), FORM
    return json.dumps(parcel.payload).encode(), "application/json"


def _retry(parcel: Parcel) -> dict[str, str]:
    if parcel.attempt == 0:
        return {}
    return {"x-slack-retry-num": str(parcel.attempt), "x-slack-retry-reason": parcel.reason}


def _answered(response: httpx2.Response) -> Json | None:
    """The body of the acknowledgement; bare text is a message."""
    if not response.content.strip():
        return None
    try:
        body = response.json()
    except ValueError:
        return {"text": response.text}
    return body if isinstance(body, dict) else {"text": str(body)}
