"""ntfy: notifications of one's own server, or ntfy.sh. https://docs.ntfy.sh/publish/#publish-as-json

`sequence_id` is our delivery's id: since ntfy 2.16 a notification that is sent again takes the former one's place. An
older server shows a second one.
"""

import json
from dataclasses import dataclass
from typing import Any

import httpx2

from workers.channels.failures import asked_wait, no_answer
from workers.channels.refusals.push import ntfy_failure
from workers.channels.replies import json_object, not_theirs
from workers.channels.tls import ssl_context

TIMEOUT = 10.0  # seconds
LONGEST_MESSAGE = 4000  # bytes; from 4,096 on ntfy makes it an attachment
URGENT, NORMAL = 5, 3


@dataclass(frozen=True)
class Notification:
    """A notification for one topic."""

    topic: str
    title: str
    message: str
    delivery: str
    link: str = ""
    urgent: bool = True


class NtfyClient:
    """Client of one server. All methods raise Failed."""

    def __init__(self, url: str, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx2.Client(base_url=url.rstrip("/"), headers=headers, timeout=TIMEOUT, verify=ssl_context())

    def send(self, notification: Notification) -> None:
        """Publish a notification."""
        body: dict[str, Any] = {
            "topic": notification.topic,
            "title": notification.title,
            "message": _cut(notification.message),
            "priority": URGENT if notification.urgent else NORMAL,
            "tags": ["rotating_light"] if notification.urgent else [],
            "sequence_id": notification.delivery,
        }
        if notification.link:
            body |= {"click": notification.link}
            body |= {"actions": [{"action": "view", "label": "Acknowledge", "url": notification.link, "clear": True}]}
        if not self._call("POST", "/", content=json.dumps(body)).get("id"):
            raise not_theirs("ntfy", "NTFY_URL")

    def check(self) -> None:
        """Ask for the server's health: nothing is sent."""
        if "healthy" not in self._call("GET", "/v1/health"):
            raise not_theirs("ntfy", "NTFY_URL")

    def _call(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, **more)
        except httpx2.HTTPError as error:
            raise no_answer("ntfy", error) from None
        if response.status_code >= 300:
            raise ntfy_failure(response.status_code, _code(response), asked_wait(response.headers))
        return json_object(response)


def _code(response: httpx2.Response) -> int:
    """The server's own code, like 42901; 0 if it gave none."""
    code = json_object(response).get("code")
    return code if isinstance(code, int) else 0


def _cut(message: str) -> str:
    return message.encode()[:LONGEST_MESSAGE].decode("utf-8", "ignore")
