"""Calls of Slack's Web API, with errors by kind."""

import http.client
import logging
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from escalation.hosts import is_loopback
from workers.channels.failures import Failed, Kind, kind_of
from workers.channels.tls import ssl_context

TIMEOUT = 10  # seconds
PAGE = 200  # items of one page of a list, as Slack advises
UNREADABLE = "unreadable_response"  # JSON but no object, or no JSON: a gateway spoke in Slack's place
# One failure, one name: chat.update has its own for an archived or deleted channel, which is nobody's account.
# https://docs.slack.dev/reference/methods/chat.update
_SAME = {"is_inactive": "is_archived"}
_ERROR_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
CLOCK_SLACK = timedelta(minutes=2)  # how far Slack's clock and ours may be apart


class SlackApi:
    """Calls a method once; raises Failed. No retries here: a call that failed may have taken effect."""

    def __init__(self, token: str, base_url: str, timeout: int = TIMEOUT) -> None:
        logger = logging.getLogger("tocsin.slack")  # the SDK would log every failure that we handle, words and all
        logger.setLevel(logging.CRITICAL)
        url = urlsplit(base_url)
        context = ssl_context() if url.scheme == "https" else None
        self._client = WebClient(
            token, base_url=base_url, timeout=timeout, retry_handlers=[], logger=logger, ssl=context
        )
        host = url.hostname or ""
        if is_loopback(host):
            _bypass_proxies(self._client, host)

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Call a method that changes something, as JSON; raises Failed if it did not, or may not have."""
        return self._request(method, arguments, json=arguments)

    def read(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Call a method that reads, as a form: many of them take no JSON."""
        return self._request(method, arguments, params=arguments)

    def pages(self, method: str, items: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """Iterate over a paginated list."""
        cursor = ""
        while True:
            response = self.read(method, **{"limit": PAGE, **arguments, **({"cursor": cursor} if cursor else {})})
            yield from response.get(items, [])
            cursor = (response.get("response_metadata") or {}).get("next_cursor", "")
            if not cursor:
                return

    def _request(self, method: str, arguments: dict[str, Any], **encoded: Any) -> dict[str, Any]:
        channel = str(arguments.get("channel", ""))
        try:
            data = self._client.api_call(method, **encoded).data
            if not isinstance(data, dict):
                raise Failed(UNREADABLE, Kind.PASSING, channel=channel)
            return data
        except SlackApiError as refused:
            raise _failed(refused, method, channel) from None
        except TimeoutError:
            raise Failed("timeout", channel=channel) from None
        except (OSError, http.client.HTTPException) as error:
            raise Failed("connection_failed", channel=channel) from error
        except (AttributeError, ValueError):  # the SDK's own, over a body that is a list, a string or no text
            raise Failed(UNREADABLE, Kind.PASSING, channel=channel) from None


def _failed(refused: SlackApiError, method: str, channel: str) -> Failed:
    status = refused.response.status_code
    if status == 429:
        return Failed("ratelimited", wait=_seconds(refused.response.headers), channel=channel)
    if status >= 500:
        return Failed(f"http_{status}", Kind.PASSING, channel=channel)
    data = refused.response.data
    error = str(data.get("error", "unknown_error")) if isinstance(data, dict) else ""
    if not _ERROR_CODE.fullmatch(error):  # the SDK puts a sentence there for a body that is no JSON
        return Failed(UNREADABLE, Kind.PASSING, channel=channel)
    error = _SAME.get(error, error)
    return Failed(error, kind_of(error, method), channel=channel)


def _seconds(headers: Any) -> float:
    """The Retry-After header in seconds; 1 if it is missing or unreadable."""
    text = headers.get("Retry-After") or headers.get("retry-after") or "1"
    return float(text) if str(text).replace(".", "", 1).isdigit() else 1.0


def _bypass_proxies(client: WebClient, host: str) -> None:
    """Ignore the environment's proxies for a local workspace: both the SDK and urllib would go through them."""
    client.proxy = None
    named = [n for n in (os.environ.get("no_proxy"), host) if n]
    os.environ["no_proxy"] = ",".join(dict.fromkeys(named))
