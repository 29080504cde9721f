"""Clients for Slack's Web API, which share one session in the bot's process."""

from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
)
from slack_sdk.http_retry.builtin_interval_calculators import FixedValueRetryIntervalCalculator
from slack_sdk.web.async_client import AsyncWebClient

CALL_TIMEOUT = 10.0  # seconds; what people wait for has limits of its own
PAUSE = 0.1  # seconds; a form has three in all
UNREACHABLE = (SlackApiError, aiohttp.ClientError, TimeoutError)  # every error of a call

UNREADABLE = "unreadable_response"  # JSON but no object, or no JSON: a gateway spoke in Slack's place


class SlackWebClient(AsyncWebClient):
    """Slack's client, for which a response that is no JSON object is a refusal like any other: SlackApiError."""

    async def _request(self, *, http_verb: str, api_url: str, req_args: Any) -> dict[str, Any]:
        """Send a request. The SDK reads any body as an object, and would raise AttributeError over a list."""
        try:
            response = await super()._request(http_verb=http_verb, api_url=api_url, req_args=req_args)
        except (SlackApiError, ValueError):  # before the body was judged: it could not be decoded
            return {"data": {"ok": False, "error": UNREADABLE}, "headers": {}, "status_code": 200}
        readable = isinstance(response["data"], dict) and "ok" in response["data"]
        return {**response, **({} if readable else {"data": {"ok": False, "error": UNREADABLE}})}


def open_session() -> aiohttp.ClientSession:
    """Open a session; the caller closes it. It ignores proxies of the environment: Slack's SDK reads them itself."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT), trust_env=False)


def interactive_client(token: str, base_url: str, session: aiohttp.ClientSession) -> AsyncWebClient:
    """Build the client for requests that a person waits for. It retries broken connections alone, at once."""
    return _client(token, base_url, session, at_once())


def at_once() -> list[AsyncRetryHandler]:
    """Build the retries of what a person waits for: twice, and only after a connection that broke.

    An idle connection that Slack closes just as we write on it loses the request (aiohttp retries no POST), and of
    several that stood idle all are closed together: the pause lets us see that. Said twice to one person is better
    than not at all; a trigger used up by the first is known as that.
    """
    pause = FixedValueRetryIntervalCalculator(PAUSE)
    return [AsyncConnectionErrorRetryHandler(max_retry_count=2, interval_calculator=pause)]


def background_client(token: str, base_url: str, session: aiohttp.ClientSession) -> AsyncWebClient:
    """Build the client for background reads: it waits out rate limits, and retries after connection errors."""
    rates = AsyncRateLimitErrorRetryHandler(max_retry_count=20)
    return _client(token, base_url, session, [rates, AsyncConnectionErrorRetryHandler(max_retry_count=2)])


def _client(
    token: str, base_url: str, session: aiohttp.ClientSession, handlers: list[AsyncRetryHandler]
) -> AsyncWebClient:
    return SlackWebClient(
        token=token, base_url=base_url, session=session, timeout=int(CALL_TIMEOUT), retry_handlers=handlers
    )


def slack_error(error: Exception) -> str:
    """Return Slack's error code (`invalid_auth`), or the error's type when Slack did not answer."""
    response = getattr(error, "response", None)
    data = getattr(response, "data", response)
    if isinstance(data, dict) and "error" in data:
        return str(data["error"])
    return type(error).__name__
