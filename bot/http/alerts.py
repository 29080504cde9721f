"""Routes of alerts: authenticate over the raw body, keep it, answer. A job works on it."""

import asyncio
import random
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.alerts.authentication import AlertSecrets
from bot.alerts.cloud.amazon import Amazon, Unreachable
from bot.alerts.document import Unreadable
from bot.alerts.receivers import events_v2, incidentio, opsgenie_api
from bot.alerts.source import CONFIRMED, MAX_BYTES, Received, Source, hashed
from bot.alerts.sources import SOURCES
from bot.alerts.uptime.heartbeat import heartbeats
from bot.doors import Doors
from bot.http.hooks import ANSWERED, Hooks, answer_in
from bot.keeper import MAX_ON_LOOP, Keeper, NotKept
from escalation.config.checks import Check
from escalation.storage.intake import Body

KEPT_HEADERS = (
    "content-type",
    "content-encoding",
    "user-agent",
    CONFIRMED,
)  # of what is kept: nothing that lets anybody in
SECRET_QUERY = ("token", "auth_token")
MAX_LARGE = 2  # bodies beyond that which are worked through at once: each is in memory more than once
Answer = Callable[[Received, str], Response]
T = TypeVar("T")

log = structlog.get_logger("bot")


def alert_routes(intake: "Intake", checks: Iterable[Check] = ()) -> list[Route]:
    """Build the routes of all sources, and those of the receivers whose clients have addresses of their own.

    Each of the `checks` that waits for a heartbeat has an address as well.
    """
    waited_for = heartbeats({check.name for check in checks if check.heartbeat})

    async def source(request: Request) -> Response:
        """Take a request of a source."""
        found = SOURCES.get(request.path_params["source"])
        return await intake.take(request, found) if found else _unknown()

    async def heartbeat(request: Request) -> Response:
        """Take the heartbeat of a check."""
        return await intake.take(request, waited_for, refused=_no_check, path=request.path_params["name"])

    async def events(request: Request) -> Response:
        """Take an event of PagerDuty's Events API v2."""
        return await intake.take(request, events_v2.SOURCE, _event_accepted, _event_refused)

    async def opsgenie(request: Request) -> Response:
        """Take a request of Opsgenie's Alert API."""
        path = opsgenie_api.path_of(request.method, request.path_params.get("rest", ""))
        return await intake.take(request, opsgenie_api.SOURCE, _request_accepted, _request_refused, path)

    async def request_status(request: Request) -> Response:
        """Say what became of a request of Opsgenie's Alert API."""
        return await intake.became(request, opsgenie_api.SOURCE, request.path_params["id"])

    async def incident_io(request: Request) -> Response:
        """Take a body of Alertmanager's receiver for incident.io."""
        return await intake.take(request, incidentio.SOURCE)

    return [
        Route("/alerts/{source}", source, methods=["POST", "GET"]),
        Route("/alerts/heartbeat/{name}", heartbeat, methods=["POST", "GET"]),
        Route("/v2/enqueue", events, methods=["POST"]),
        Route("/v2/alerts", opsgenie, methods=["POST"]),
        Route("/v2/alerts/requests/{id}", request_status, methods=["GET"]),
        Route("/v2/alerts/{rest:path}", opsgenie, methods=["POST", "PUT", "PATCH", "DELETE"]),
        Route("/v2/alert_events/http/{id}", incident_io, methods=["POST"]),
    ]


def larger_bodies(secrets: AlertSecrets) -> dict[str, int]:
    """The paths of open sources whose bodies may be larger than others, and by how many bytes."""
    larger = (source for source in SOURCES.values() if source.max_bytes > MAX_BYTES and not secrets.is_closed(source))
    return {f"/alerts/{source.name}": source.max_bytes for source in larger}


class Intake:
    """Authenticates requests and keeps their bodies. `hooks` take what is an answer to an incident of ours."""

    def __init__(self, secrets: AlertSecrets, keeper: Keeper, amazon: Amazon, doors: Doors, hooks: Hooks) -> None:
        self._secrets = secrets
        self._keeper = keeper
        self._amazon = amazon
        self._doors = doors
        self._hooks = hooks
        self._named: set[str] = set()
        self._large = asyncio.Semaphore(MAX_LARGE)

    async def take(
        self,
        request: Request,
        source: Source,
        accepted: Answer | None = None,
        refused: Callable[[str], Response] | None = None,
        path: str = "",
    ) -> Response:
        """Authenticate a request and keep its body. `refused` answers an unreadable body where the protocol has one."""
        if self._secrets.is_closed(source):
            self._say_closed(source)
            return _unknown()
        raw = await request.body()
        if len(raw) > source.max_bytes:
            return JSONResponse({"error": f"the body has more than {source.max_bytes} bytes"}, status_code=413)
        headers = _headers(request)
        query = dict(request.query_params) if request.scope["query_string"] else {}  # most have none
        received = Received(raw, headers, query, path)
        try:
            return await self._let_in(source.way(received), received, accepted, refused)
        except Unreachable:
            log.warning("alert put off: amazon does not answer", source=source.name)
            text = "alerts cannot be verified: Amazon's certificates are out of reach"
            self._doors.turned_away(f"alerts:{source.name}", text, "let this host reach https://sns.*.amazonaws.com")
            return JSONResponse({"error": "it could not be verified now; send it again"}, status_code=503)

    async def became(self, request: Request, source: Source, asked: str) -> Response:
        """Answer a client of Opsgenie's Alert API that asks about its request. It asks again while there is none."""
        if self._secrets.is_closed(source):
            self._say_closed(source)
            return _unknown()
        if not self._lets_in(source, Received(b"", _headers(request), dict(request.query_params))):
            return self._turn_away(source)
        body = await self._keeper.stored(asked.replace("-", ""))
        if body is None or body.source != source.name:
            return JSONResponse({"message": "Request not found. It might not be processed, yet."}, status_code=404)
        at = datetime.fromtimestamp(body.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        status = opsgenie_api.status_of(Received(body.raw, body.headers, body.query, body.path))
        return JSONResponse({"data": {**status, "processedAt": at}, "took": 0.0, "requestId": asked})

    def _turn_away(self, source: Source) -> Response:
        """Refuse a request without a valid secret, and say so to whoever runs Tocsin."""
        log.warning("alert refused: no valid secret", source=source.name)
        text = f"alerts of {source.title} are refused: the sender's secret is missing or wrong"
        self._doors.turned_away(f"alerts:{source.name}", text, f"correct it there, or {self._needed(source)} here")
        return JSONResponse({"error": "the secret is missing or wrong"}, status_code=401)

    async def _let_in(
        self, source: Source, received: Received, accepted: Answer | None, refused: Callable[[str], Response] | None
    ) -> Response:
        """Verify a request and keep its body. Raises Unreachable if that takes a certificate which is out of reach."""
        large = source.kept is not None or len(received.body) > MAX_ON_LOOP
        if url := await self._aside(large, lambda: self._secrets.certificate_url(source, received)):
            received = replace(received, certificate=await self._amazon.certificate(url))
        if not await self._aside(large, lambda: self._lets_in(source, received)):
            return self._turn_away(source)
        self._doors.let_in(f"alerts:{source.name}")
        if source.name in ANSWERED:
            news = await self._aside(large, lambda: answer_in(source.name, received))
            if news and (heard := await self._hooks.hear(news)):
                return heard
        if refused and (problem := await self._aside(large, lambda: _problem(source, received))):
            return refused(problem)
        if url := self._secrets.confirmation_url(source, received):
            confirmed = "yes" if await self._amazon.confirm(url) else "no"
            received = replace(received, headers={**received.headers, CONFIRMED: confirmed})
        body = await self._aside(large, lambda: _body(source, received))
        try:
            await self._keeper.keep(body)
        except NotKept:
            return JSONResponse({"error": "it could not be kept; send it again"}, status_code=503)
        return accepted(received, body.id) if accepted else _accepted(body.id, source.status)

    def _lets_in(self, source: Source, received: Received) -> bool:
        return self._secrets.lets_in(source, received, datetime.now(UTC), _routing_key(source, received))

    async def _aside(self, large: bool, work: Callable[[], T]) -> T:
        """Do what takes long for a large body beside the loop."""
        if not large:
            return work()
        async with self._large:
            return await asyncio.to_thread(work)

    def _say_closed(self, source: Source) -> None:
        """Say once that a source is closed: its sender sees a 404 only."""
        if source.name not in self._named:
            self._named.add(source.name)
            log.warning(f"alerts of this source are not accepted: set {self._needed(source)}", source=source.name)
        text = f"somebody sends alerts of {source.title}, and that source is closed"
        self._doors.turned_away(f"alerts:{source.name}", text, f"set {self._needed(source)}, or stop the sender")

    @staticmethod
    def _needed(source: Source) -> str:
        return f"ALERTS_TOKEN or {source.secret}" if source.verify else "ALERTS_TOKEN"


def _headers(request: Request) -> dict[str, str]:
    """The headers by name; of one that is there twice all values, as RFC 9110 puts them together."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    headers.pop(CONFIRMED, None)
    return headers


def _body(source: Source, received: Received) -> Body:
    """What is kept of a request; its secrets are not. A repeat has the id of the first, and so is kept once."""
    key = source.repeat_key(received) if source.repeat_key else ()
    kept = source.kept(received) if source.kept else received
    return Body(
        id=hashed(source.name, received.path, *key) if key else _new_id(),
        source=source.name,
        at=time.time(),
        raw=kept.body,
        headers={name: kept.headers[name] for name in KEPT_HEADERS if name in kept.headers},
        query={name: value for name, value in received.query.items() if name not in SECRET_QUERY},
        path=received.path,
    )


def _new_id() -> str:
    """Make an id as uuid4 does, for what is no secret.

    That asks the system for each, which hands the interpreter to the thread that writes: 6 % of the bot's time. This
    generator is seeded anew in a forked process.
    """
    return uuid.UUID(int=random.getrandbits(128), version=4).hex


def _routing_key(source: Source, received: Received) -> str:
    """The routing key of an event, which is its secret."""
    if source is not events_v2.SOURCE:
        return ""
    try:
        return received.json().text("routing_key")
    except Unreadable:
        return ""


def _problem(source: Source, received: Received) -> str:
    """Why a body is unreadable; empty if it is not."""
    try:
        source.parse(received)
    except Unreadable as error:
        return str(error)
    return ""


def _no_check(problem: str) -> Response:
    return JSONResponse({"error": problem}, status_code=404)


def _unknown() -> Response:
    return JSONResponse({"error": "there is no such source, or it is closed"}, status_code=404)


def _accepted(body_id: str, status: int) -> Response:
    return JSONResponse({"status": "accepted", "id": body_id}, status_code=status)


def _event_accepted(received: Received, body_id: str) -> Response:
    """Answer as https://developer.pagerduty.com/docs/send-alert-event has it."""
    key = events_v2.dedup_key(received.json())
    return JSONResponse({"status": "success", "message": "Event processed", "dedup_key": key}, status_code=202)


def _event_refused(problem: str) -> Response:
    error = {"status": "invalid event", "message": "Event object is invalid", "errors": [problem]}
    return JSONResponse(error, status_code=400)


def _request_accepted(received: Received, body_id: str) -> Response:
    """Answer as https://docs.opsgenie.com/docs/alert-api has it."""
    answer = {"result": "Request will be processed", "took": 0.0, "requestId": str(uuid.UUID(body_id))}
    return JSONResponse(answer, status_code=202)


def _request_refused(problem: str) -> Response:
    return JSONResponse({"message": problem, "took": 0.0, "requestId": str(uuid.uuid4())}, status_code=422)
