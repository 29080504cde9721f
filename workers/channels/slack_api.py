"""One call of Slack's Web API: the client, and its errors by kind."""

import http.client
import logging
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from escalation.hosts import is_loopback
from workers.channels.failures import Failed, Kind
from workers.channels.tls import trust

TIMEOUT = 10  # seconds
PAGE = 200  # items of one page of a list, as Slack advises
CLOCK_SLACK = timedelta(minutes=2)  # how far Slack's clock and ours may be apart


class SlackApi:
    """Calls a method once and says how it failed. Nothing is repeated here: what failed may have taken effect."""

    def __init__(self, token: str, base_url: str, timeout: int = TIMEOUT) -> None:
        quiet = logging.getLogger("tocsin.slack")  # the SDK would log every failure that we handle, words and all
        quiet.setLevel(logging.CRITICAL)
        url = urlsplit(base_url)
        context = trust() if url.scheme == "https" else None
        self._client = WebClient(
            token, base_url=base_url, timeout=timeout, retry_handlers=[], logger=quiet, ssl=context
        )
        host = url.hostname or ""
        if is_loopback(host):
            _leave_proxies_out(self._client, host)

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """A method that changes something, as JSON; Failed when it did not, or may not have."""
        return self._answer(method, arguments, json=arguments)

    def read(self, method: str, **arguments: Any) -> dict[str, Any]:
        """A method that reads, as a form: many of them take no JSON."""
        return self._answer(method, arguments, params=arguments)

    def pages(self, method: str, items: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list that comes in pages."""
        cursor = ""
        while True:
            answer = self.read(method, **{"limit": PAGE, **arguments, **({"cursor": cursor} if cursor else {})})
            yield from answer.get(items, [])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor", "")
            if not cursor:
                return

    def _answer(self, method: str, arguments: dict[str, Any], **encoded: Any) -> dict[str, Any]:
        channel = str(arguments.get("channel", ""))
        try:
            data = self._client.api_call(method, **encoded).data
        except SlackApiError as refused:
            raise _failed(refused, channel) from None
        except TimeoutError:
            raise Failed("timeout", channel=channel) from None
        except (OSError, http.client.HTTPException) as broken:
            raise Failed("connection_failed", channel=channel) from broken
        return data if isinstance(data, dict) else {}


def _failed(refused: SlackApiError, channel: str) -> Failed:
    status = refused.response.status_code
    if status == 429:
        return Failed("ratelimited", wait=_seconds(refused.response.headers), channel=channel)
    if status >= 500:
        return Failed(f"http_{status}", Kind.PASSING, channel=channel)
    return Failed(str(refused.response.get("error", "unknown_error")), channel=channel)


def _seconds(headers: Any) -> float:
    """The Retry-After of an answer; a second when it names none that can be read."""
    text = headers.get("Retry-After") or headers.get("retry-after") or "1"
    return float(text) if str(text).replace(".", "", 1).isdigit() else 1.0


def _leave_proxies_out(client: WebClient, host: str) -> None:
    """The proxies of the environment would swallow a local workspace: the SDK asks them, and urllib does too."""
    client.proxy = None
    named = [n for n in (os.environ.get("no_proxy"), host) if n]
    os.environ["no_proxy"] = ",".join(dict.fromkeys(named))
