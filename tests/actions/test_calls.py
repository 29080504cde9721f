"""Actions: what a system of the company's is sent, what the timeline says of it, and that nothing waits for one."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bot.alerts.authentication import standard_webhook
from bot.alerts.source import Received
from escalation.config.actions import ACTIONS, Action
from escalation.incident.effects import aside_of
from escalation.incident.events.moves import MarkSecurity, Resolve
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.storage.problems import Problems
from tests.support.incidents import RESTART
from tests.support.waiting import WITHIN, eventually
from tests.support.worker import SlackByClock, Works, redis_of, works, works_anew
from workers.channels import Channels, actions
from workers.channels.actions import ActionClient
from workers.delivery.automatic.actions import ActionPlanner
from workers.delivery.deliver import DeliveryPool

FIRST, SECOND = ("whsec_" + base64.b64encode(word * 8).decode() for word in (b"first", b"second"))
Answer = Callable[[BaseHTTPRequestHandler], None]


class System:
    """A system of the company's: it gives these answers in turn, the last one for good."""

    def __init__(self, *answers: int | Answer) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers = answers

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["content-length"]))
        self.got.append(({k.lower(): v for k, v in request.headers.items()}, body))
        how = self.answers[min(len(self.got), len(self.answers)) - 1]
        if callable(how):
            how(request)
            return
        request.send_response(how)
        request.end_headers()

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body)["data"] for _, body in self.got]


@contextmanager
def running(system: System) -> Iterator[str]:
    """The system, at its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            system.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/restart"
    finally:
        server.shutdown()
        server.server_close()


def secrets(variable: str) -> tuple[str, ...]:
    if variable != "RESTART_SECRET":
        raise ValueError("is missing; make a secret")
    return FIRST, SECOND


def at_work(redis: Any, *wanted: Action, slack: SlackByClock | None = None, **changes: Any) -> Works:
    """Workers of a company that has these actions."""
    parts = works_anew(redis, *slack) if slack else works(redis)
    parts.service.company = parts.service.company.model_copy(update={"actions": wanted})
    others = {ACTIONS: partial(ActionPlanner, ActionClient(secrets))}
    parts.context = replace(parts.context, channels=Channels(parts.context.slack, others), **changes)
    return parts


def act(parts: Works, incident: Incident) -> Incident:
    """Carry out what the incident's actions ask for now; nothing else is sent."""
    pool = DeliveryPool(parts.context)
    pool.deliver([e.id for e in parts.now(incident).effects if aside_of(e.id)])
    pool.close()
    return parts.now(incident)


def states(incident: Incident) -> list[str]:
    return [e.fields["state"] for e in incident.timeline if e.kind is EntryKind.ACTION]


@contextmanager
def declared(system: System, action: Action = RESTART, **facts: Any) -> Iterator[tuple[Works, Incident]]:
    """An incident that has begun an action of that system."""
    with redis_of("fakeredis") as redis, running(system) as url:
        parts = at_work(redis, action.model_copy(update={"url": url}))
        yield parts, parts.declare(**facts)


def test_an_action_is_signed_and_its_retry_has_the_same_key() -> None:
    """A system that is away for one try gets the call again, signed with both secrets, under the same webhook-id."""
    with declared(system := System(503, 202)) as (parts, incident):
        assert states(act(parts, incident)) == ["started"]
        parts.clock.push(seconds=1)
        assert states(act(parts, incident)) == ["started", "done"]
        (first, body), (second, _) = system.got
        assert first["webhook-id"] == second["webhook-id"].strip() != ""
        for secret in (FIRST, SECOND):
            assert standard_webhook(Received(body, first), (secret,), parts.clock() - timedelta(seconds=1))
        assert not standard_webhook(Received(body + b" ", first), (FIRST,), parts.clock())
        payload = json.loads(body)
        assert payload["type"] == "incident.action"
        assert payload["data"]["incident"] == incident.id


@pytest.mark.parametrize("status", [302, 400, 401, 404, 410])
def test_a_refused_action_is_not_repeated(status: int) -> None:
    """A refusal, or a redirect, ends the action at once; the timeline and the operator are told why."""
    with declared(system := System(status)) as (parts, incident):
        after = act(parts, incident)
        assert states(after) == ["started", "failed"]
        assert str(status) in next(e.why for e in after.timeline if e.fields.get("state") == "failed")
        assert len(system.got) == 1
        assert [p.key for p in Problems(parts.redis).current()] == ["actions:run_action:restart"]


@pytest.mark.parametrize("waits", [0, 3600])
def test_an_action_is_given_up_after_five_minutes(waits: int) -> None:
    """A system that stays away, or asks for an hour, is not surprised by a restart much later."""

    def away(request: BaseHTTPRequestHandler) -> None:
        request.send_response(503)
        if waits:
            request.send_header("retry-after", str(waits))
        request.end_headers()

    with declared(system := System(away)) as (parts, incident):
        for _ in range(40):
            act(parts, incident)
            parts.clock.push(seconds=15)
        assert states(parts.now(incident)) == ["started", "failed"]
        assert (len(system.got) == 1) == bool(waits)


def test_an_action_that_keeps_failing_is_said_before_it_is_given_up() -> None:
    """After a minute the card and the register say that it is being retried; its success clears both."""
    with declared(System(503, 503, 503, 503, 200)) as (parts, incident):
        for _ in range(4):
            act(parts, incident)
            parts.clock.push(seconds=25)
        after = parts.now(incident)
        assert "127.0.0.1: 503" in " ".join(after.troubles.values())
        assert [p.key for p in Problems(parts.redis).current()] == ["actions:run_action:restart"]
        after = act(parts, incident)
        assert (states(after), after.troubles, Problems(parts.redis).current()) == (["started", "done"], {}, [])


def test_an_action_that_was_kept_from_going_is_not_called_late() -> None:
    """After an outage of the workers, a restart that was asked for ten minutes ago fails, and says why."""
    with declared(system := System(200)) as (parts, incident):
        parts.clock.push(minutes=10)
        assert states(act(parts, incident)) == ["started", "failed"]
        assert system.got == []


def test_the_end_of_the_incident_calls_an_action_off() -> None:
    """What is resolved is not restarted."""
    with declared(system := System(200)) as (parts, incident):
        parts.service.handle(incident.id, Resolve(by="UPAULA", summary="s", resolution="r"))
        assert states(act(parts, incident)) == ["started", "failed"]
        assert system.got == []


def test_without_its_secret_nothing_is_sent() -> None:
    """An action whose secret is missing fails, and names the variable."""
    unset = RESTART.model_copy(update={"secret_env": "OTHER_SECRET"})
    with declared(system := System(200), unset) as (parts, incident):
        after = act(parts, incident)
        assert system.got == []
        assert "OTHER_SECRET is missing" in after.timeline[-1].why


def test_of_a_private_incident_only_id_severity_and_address_leave() -> None:
    """No word of it, and nobody's name, also when it became private after the action had begun."""
    with declared(system := System(200), title="Stolen keys", service="checkout") as (parts, incident):
        parts.service.handle(incident.id, MarkSecurity(by="UPAULA"))
        act(parts, incident)
        (told,) = system.told
        assert told.keys() == {"action", "incident", "severity", "url"}
        assert "Stolen" not in str(system.got)


def drip(request: BaseHTTPRequestHandler) -> None:
    """One byte of an endless header at a time."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
    for _ in range(20 * round(2 * WITHIN)):
        request.wfile.write(b"x")
        threading.Event().wait(0.05)


def test_the_time_limit_is_for_the_whole_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that answers byte by byte holds no thread for longer."""
    monkeypatch.setattr(actions, "TIMEOUT", 0.3)
    with declared(System(drip)) as (parts, incident):
        began = datetime.now(UTC)
        assert states(act(parts, incident)) == ["started"]
        assert datetime.now(UTC) - began < timedelta(seconds=WITHIN)


def test_systems_that_hang_delay_no_page_and_no_message(slack_by_clock: SlackByClock) -> None:
    """A process with one thread posts the card and pages while ten actions wait for their systems."""
    free = threading.Event()

    def hang(request: BaseHTTPRequestHandler) -> None:
        free.wait(WITHIN)
        request.send_response(200)
        request.end_headers()

    hanging = System(hang)
    with redis_of("valkey") as redis, running(hanging) as url:
        wanted = [RESTART.model_copy(update={"url": url, "name": f"restart-{n}"}) for n in range(10)]
        parts = at_work(redis, *wanted, slack=slack_by_clock, threads=1, patience=0.0)
        incident = parts.declare("P0")
        pool = DeliveryPool(parts.context)
        try:
            pool.deliver(sorted((e.id for e in incident.effects), key=aside_of, reverse=True))
            eventually(lambda: hanging.got)
            eventually(lambda: parts.now(incident).card() and parts.directs())
            assert "done" not in states(parts.now(incident))
        finally:
            free.set()
            pool.close()
