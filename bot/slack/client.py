"""Slack's Web API from the bot's side: one session for the whole process."""

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient

CALL_WITHIN = 10.0  # seconds; what people wait for has limits of its own
UNREACHABLE = (SlackApiError, aiohttp.ClientError, TimeoutError)  # everything that a call may end with


def session() -> aiohttp.ClientSession:
    """To be closed by whoever opened it. It reads no proxies from the environment; Slack's SDK does that itself."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_WITHIN), trust_env=False)


def hasty(token: str, base_url: str, shared: aiohttp.ClientSession) -> AsyncWebClient:
    """For what somebody waits for: nothing is repeated, because a message would come twice and a trigger expires."""
    return _client(token, base_url, shared, [])


def patient(token: str, base_url: str, shared: aiohttp.ClientSession) -> AsyncWebClient:
    """For reading in the background: it waits as long as Slack asks, and repeats what a broken connection lost."""
    rates = AsyncRateLimitErrorRetryHandler(max_retry_count=20)
    return _client(token, base_url, shared, [rates, AsyncConnectionErrorRetryHandler(max_retry_count=2)])


def _client(
    token: str, base_url: str, shared: aiohttp.ClientSession, handlers: list[AsyncRetryHandler]
) -> AsyncWebClient:
    return AsyncWebClient(
        token=token, base_url=base_url, session=shared, timeout=int(CALL_WITHIN), retry_handlers=handlers
    )


def said_by_slack(error: Exception) -> str:
    """Slack's word for what went wrong (`invalid_auth`), or the kind of the error when Slack said nothing."""
    response = getattr(error, "response", None)
    answer = getattr(response, "data", response)
    if isinstance(answer, dict) and "error" in answer:
        return str(answer["error"])
    return type(error).__name__
