"""How the app hears of things: over Socket Mode, or by signed HTTP when it has a request URL.

Commands and interactions wait for the app's answer and are never repeated; events are repeated at once,
after one minute and after five.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Literal, Protocol

from sandbox.records import Json
from sandbox.state import Workspace

Kind = Literal["slash_commands", "interactive", "events_api"]
# https://docs.slack.dev/apis/events-api#retries
EVENT_RETRIES = (0.0, 60.0, 300.0)
REASONS = {"timeout": "http_timeout", "unreachable": "connection_failed", "refused": "http_error"}
POLL_SECONDS = 0.1
REMEMBERED = 200


@dataclass(frozen=True)
class Parcel:
    """Something for the app. Events carry how often they were sent before, and why again."""

    kind: Kind
    payload: Json
    attempt: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Answer:
    """What became of a parcel: acknowledged with a body, in silence, nowhere to send it, or refused."""

    outcome: Literal["acknowledged", "timeout", "unreachable", "refused"]
    body: Json | None = None


class Carrier(Protocol):
    """A way to the app."""

    async def carry(self, parcel: Parcel, seconds: float) -> Answer: ...


class Delivery:
    """Sends parcels by the carrier that the app's settings ask for."""

    def __init__(self, workspace: Workspace, socket: Carrier, http: Carrier) -> None:
        self._workspace = workspace
        self._socket = socket
        self._http = http
        self._sent: deque[Parcel] = deque(maxlen=REMEMBERED)
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, kind: Kind, payload: Json) -> Answer:
        """Send a command or an interaction and wait for the app's answer."""
        return await self._send(Parcel(kind, payload))

    def mention(self, kind: Kind, payload: Json) -> None:
        """Send an interaction in the background, once; nobody waits for the answer."""
        self._background(self._once(Parcel(kind, payload)))

    def tell(self, event: Json) -> None:
        """Send an event in the background, again when it is not acknowledged."""
        self._background(self._tell(Parcel("events_api", self._envelope(event))))

    def redeliver(self, count: int) -> int:
        """Send the last parcels once more, as they were; gives how many."""
        again = list(self._sent)[-count:] if count > 0 else []
        for parcel in again:
            self._background(self._again(parcel))
        return len(again)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _send(self, parcel: Parcel) -> Answer:
        if parcel.attempt == 0:
            self._sent.append(parcel)
        carrier = self._http if self._workspace.app.request_url else self._socket
        return await carrier.carry(parcel, self._workspace.ack_seconds)

    async def _once(self, parcel: Parcel) -> None:
        await self._send(parcel)

    async def _again(self, parcel: Parcel) -> None:
        carrier = self._http if self._workspace.app.request_url else self._socket
        await carrier.carry(parcel, self._workspace.ack_seconds)

    async def _tell(self, parcel: Parcel) -> None:
        born = self._workspace.now()
        answer = await self._send(parcel)
        for attempt, seconds in enumerate(EVENT_RETRIES, 1):
            if answer.outcome == "acknowledged":
                return
            reason = REASONS[answer.outcome]
            await self._until(born + seconds)
            answer = await self._send(Parcel("events_api", parcel.payload, attempt, reason))

    async def _until(self, due: float) -> None:
        """Wait on the workspace's clock, which tests push."""
        while self._workspace.now() < due:  # noqa: ASYNC110 - a pushed clock raises no event
            await asyncio.sleep(min(POLL_SECONDS, max(0.0, due - self._workspace.now())))

    def _background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _envelope(self, event: Json) -> Json:
        workspace = self._workspace
        return {
            "token": "",
            "team_id": workspace.team_id,
            "api_app_id": workspace.app_id,
            "event": event,
            "type": "event_callback",
            "event_id": workspace.fresh_id("Ev"),
            "event_time": int(workspace.now()),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": workspace.team_id,
                    "user_id": workspace.bot_user,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": False,
        }
