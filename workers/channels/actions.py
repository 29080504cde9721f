"""Webhooks of the company's own systems, signed as https://www.standardwebhooks.com has it."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ssl import SSLError

import httpx2

from escalation.config.actions import Action
from escalation.webhooks import signature
from workers.channels.failures import Failed, Kind, Reason, asked_wait, no_answer
from workers.channels.refusals.actions import action_failure
from workers.channels.tls import ssl_context

TIMEOUT = 10.0  # seconds for the whole call: a system that answers one byte at a time holds no thread
Secrets = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class ActionCall:
    """One call of an action. `key`, the same for each retry, tells the receiver that a call is a repeat."""

    action: Action
    key: str
    begun: datetime
    now: datetime
    told: Mapping[str, str]
    type: str = "incident.action"

    def body(self) -> bytes:
        """The payload, in the shape that Standard Webhooks recommends."""
        payload = {"type": self.type, "timestamp": self.begun.isoformat(), "data": self.told}
        return json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace")


class ActionClient:
    """Calls actions. `secrets` reads those of a variable, in the order of preference; ValueError says what is wrong."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def run(self, call: ActionCall) -> int:
        """Call an action; return the status. Raises Failed if it was not accepted."""
        headers = {"content-type": "application/json", "user-agent": "Tocsin", **self._signed(call)}
        try:
            answer = asyncio.run(_post(call.action.url, call.body(), headers))
        except (httpx2.HTTPError, TimeoutError) as error:
            raise no_answer(call.action.host, error) from None
        except (httpx2.InvalidURL, SSLError, ValueError) as error:
            reason = Reason(f"its address cannot be called ({type(error).__name__})", "correct `url` of the action")
            raise Failed(f"{call.action.name}: {type(error).__name__}", Kind.OURS, reason=reason) from None
        if answer.status_code >= 300:
            raise action_failure(call.action.host, answer.status_code, asked_wait(answer.headers))
        return answer.status_code

    def _signed(self, call: ActionCall) -> dict[str, str]:
        """The headers of the signature: one for each secret, so that one can replace the other."""
        action = call.action
        try:
            secrets = self._secrets(action.secret_env)
        except ValueError as error:
            reason = Reason(f"{action.secret_env} {error}")
            raise Failed(f"{action.name}: no secret", Kind.OURS, reason=reason) from None
        stamp = str(int(call.now.timestamp()))
        signatures = " ".join(signature(secret, call.key, stamp, call.body()) for secret in secrets)
        return {"webhook-id": call.key, "webhook-timestamp": stamp, "webhook-signature": signatures}


async def _post(url: str, body: bytes, headers: Mapping[str, str]) -> httpx2.Response:
    """Post a body, within the time limit. The answer's own body is not read, and no redirect followed."""
    async with (
        asyncio.timeout(TIMEOUT),
        httpx2.AsyncClient(timeout=TIMEOUT, verify=ssl_context(), follow_redirects=False) as client,
        client.stream("POST", url, content=body, headers=headers) as answer,
    ):
        return answer
