"""The store's promises, on a fake Redis and on a real server: one commit or none, one number each, nothing twice."""

import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ConnectionError as Away

from escalation.config.company import Directory
from escalation.config.policy import Severity
from escalation.errors import NotFound, Refused
from escalation.incident.effects import OpenRoom
from escalation.incident.events.moves import Acknowledge, Cancel, ChangeSeverity, MarkSecurity
from escalation.incident.events.outcomes import RoomOpened
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Facts
from escalation.incident.state.rooms import Room
from escalation.oncall.overrides import add_override, take_shift
from escalation.oncall.schedule import OncallState
from escalation.service import IncidentService
from escalation.storage.alarms import Commit, alarms
from escalation.storage.indexes import ALARMS
from escalation.storage.store import MAX_LOST_CONNECTIONS, Store
from tests.support.clock import PushedClock
from tests.support.company import example
from tests.support.story import START, kars
from tests.support.worker import BACKENDS, connect, redis_of, scores, valkey, works
from workers.queue import outbox

HOUR = timedelta(hours=1)


@pytest.fixture(params=BACKENDS)
def redis(request: pytest.FixtureRequest) -> "Iterator[Redis]":
    with redis_of(request.param) as client:
        yield client


def service_over(redis: "Redis", post: Any = outbox.post) -> IncidentService:
    return IncidentService(Store(redis, post), example(), kars(), PushedClock())


def declare(service: IncidentService, key: str = "", title: str = "Checkout is down") -> Incident:
    return service.declare("UPAULA", Severity.P1, Facts(title=title), key)


def test_numbers_never_skip_and_never_repeat(redis: "Redis") -> None:
    """Eight declarers at once get eight numbers in a row."""
    service = service_over(redis)
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda n: declare(service, f"modal-{n}").id, range(24)))
    assert sorted(ids) == [f"INC-20241218-{n:03d}" for n in range(1, 25)]


def test_a_doubled_submit_declares_one_incident(redis: "Redis") -> None:
    """The same key from eight threads at once gives one incident."""
    service = service_over(redis)
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: declare(service, "modal-1").id, range(16)))
    assert ids == {"INC-20241218-001"}
    assert len(service.store.recent()) == 1


def test_a_room_leads_to_its_incident_however_old(redis: "Redis") -> None:
    """The present room and the former ones, without a search through all incidents."""
    service = service_over(redis)
    incident = service.declare("UPAULA", Severity.P0, Facts(title="Checkout is down"))
    public = next(e for e in incident.effects if isinstance(e, OpenRoom) and not e.withdrawn)
    service.handle(incident.id, RoomOpened(effect=public.id, room=Room(channel="COLD", name="inc", private=False)))
    marked = service.handle(incident.id, MarkSecurity(by="UPAULA"))
    private = next(e for e in marked.effects if isinstance(e, OpenRoom) and not e.withdrawn)
    now = service.handle(
        incident.id, RoomOpened(effect=private.id, room=Room(channel="CNEW", name="inc", private=True))
    )
    assert (service.store.of_room("COLD"), service.store.of_room("CNEW"), service.store.of_room("CX")) == (
        now,
        now,
        None,
    )


def test_each_day_counts_from_one(redis: "Redis") -> None:
    """The day in UTC is the counter's name."""
    parts = works(redis)
    assert parts.declare().id == "INC-20241218-001"
    parts.clock.push(days=1)
    assert parts.declare().id == "INC-20241219-001"


def test_one_commit_holds_state_alarms_and_jobs(redis: "Redis") -> None:
    """Every alarm of the incident is set, and every checkpoint has a job that waits for exactly its time."""
    incident = declare(service_over(redis))
    assert scores(redis, ALARMS) == alarms(incident)
    waiting = scores(redis, "rq:scheduled:normal")
    assert waiting == {f"{incident.id}-{c.id}": c.due.timestamp() for c in incident.checkpoints}
    assert redis.llen("rq:queue:normal") > 0


def test_an_outbox_that_fails_commits_nothing(redis: "Redis") -> None:
    """No state, no number, no alarm without the jobs."""

    def broken(pipe: "Pipeline", changes: Sequence[Commit]) -> None:
        outbox.post(pipe, changes)
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        declare(service_over(redis, broken))
    assert redis.keys("*") == []


def test_a_refused_step_commits_nothing(redis: "Redis") -> None:
    """What the step raises passes through."""
    service = service_over(redis)
    incident = declare(service)

    def refuse(before: Incident) -> Incident:
        raise ValueError("not legal")

    with pytest.raises(ValueError, match="not legal"):
        service.store.update(incident.id, refuse)
    assert service.store.get(incident.id) == incident


def test_a_step_runs_again_on_the_state_that_another_left(redis: "Redis") -> None:
    """A commit in between is seen, not overwritten."""
    service = service_over(redis)
    incident = declare(service)
    seen: list[bool] = []

    def acknowledge_late(before: Incident) -> Incident:
        seen.append(before.acknowledgement is not None)
        if len(seen) == 1:
            service.handle(incident.id, Acknowledge(by="UOMAR"))
        return before.model_copy(update={"eta": "soon"})

    after = service.store.update(incident.id, acknowledge_late)
    assert seen == [False, True]
    assert after.eta == "soon"
    assert after.acknowledgement


def test_a_step_that_changes_nothing_writes_nothing(redis: "Redis") -> None:
    """Stale work leaves no trace."""
    service = service_over(redis)
    incident = declare(service)
    assert service.store.update(incident.id, lambda before: before).stamp == incident.stamp


def test_an_unknown_incident_is_not_found(redis: "Redis") -> None:
    """Both reading and updating say which id it was."""
    store = service_over(redis).store
    with pytest.raises(NotFound, match="INC-1"):
        store.get("INC-1")
    with pytest.raises(NotFound, match="INC-1"):
        store.update("INC-1", lambda before: before)


def test_open_incidents_and_the_latest_ones_come_newest_first(redis: "Redis") -> None:
    """Closed ones leave the open list only."""
    parts = works(redis)
    first = parts.declare("P1", title="One")
    parts.clock.push(minutes=1)
    second = parts.declare("P1", title="Two")
    assert [i.id for i in parts.store.open_incidents()] == [second.id, first.id]
    parts.service.handle(second.id, Cancel(by="UOMAR", why="A test"))
    assert [i.id for i in parts.store.open_incidents()] == [first.id]
    assert [i.id for i in parts.store.recent()] == [second.id, first.id]


def test_of_too_many_open_incidents_the_worst_are_listed(redis: "Redis") -> None:
    """The newest of a severity first; and all are counted, wherever their severity moved."""
    parts = works(redis)
    made = []
    for severity in ("P3", "P0", "P2", "P2"):
        made.append(parts.declare(severity, by="UPAULA").id)
        parts.clock.push(minutes=1)
    assert [i.id for i in parts.store.open_incidents(2)] == [made[3], made[1]]
    policy = parts.service.severity(Severity.P1)
    parts.service.handle(made[0], ChangeSeverity(by="UPAULA", policy=policy, why="Worse"))
    parts.service.handle(made[2], Cancel(by="UPAULA", why="A test"))
    assert parts.store.open_counts() == {Severity.P0: 1, Severity.P1: 1, Severity.P2: 1, Severity.P3: 0}
    assert [i.id for i in parts.store.open_incidents(2)] == [made[1], made[0]]


def test_the_directory_is_kept(redis: "Redis") -> None:
    """An empty one before the workspace was asked."""
    store = service_over(redis).store
    assert store.directory() == Directory()
    known = Directory(people={"dana@example.com": "U0DANA0001"}, names={"U0DANA0001": "Dana"})
    store.save_directory(known)
    assert store.directory() == known


def test_the_servers_clock_is_the_one_that_hosts_agree_on(redis: "Redis") -> None:
    """Aware, with microseconds."""
    first, second = service_over(redis).store.now(), service_over(redis).store.now()
    assert first.utcoffset() == timedelta(0)
    assert START < first <= second


# A reply that gets lost ----------------------------------------------------------------------------------------------


class DeafAfterExec:
    """A wire to the server that is cut after one EXEC went through, before its reply came back."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.armed, self.cuts = False, 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._server)) as server:
            threading.Thread(target=self._answers, args=(server, client), daemon=True).start()
            while asked := client.recv(65536):
                cut = self.armed and b"EXEC" in asked
                if cut:
                    self.armed = False
                    self._swallow(server, client, asked)
                    return
                server.sendall(asked)

    def _swallow(self, server: socket.socket, client: socket.socket, asked: bytes) -> None:
        """The transaction takes effect; nobody hears of it."""
        client.shutdown(socket.SHUT_RDWR)
        server.sendall(asked)
        server.shutdown(socket.SHUT_WR)
        while server.recv(65536):
            pass

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        try:
            while answer := server.recv(65536):
                client.sendall(answer)
        except OSError:
            return


class CutAtExec(DeafAfterExec):
    """A server that takes no writes, as it looks from here: every connection is lost at EXEC."""

    def _swallow(self, server: socket.socket, client: socket.socket, asked: bytes) -> None:
        self.cuts += 1
        self.armed = True
        client.shutdown(socket.SHUT_RDWR)


@contextmanager
def deaf_wire(kind: type[DeafAfterExec] = DeafAfterExec) -> "Iterator[tuple[DeafAfterExec, Redis]]":
    with redis_of("valkey"):
        wire = kind(valkey().port)
        client = connect(wire.port)
        try:
            yield wire, client
        finally:
            client.close()
            wire.close()


def test_a_declaration_whose_reply_is_lost_is_committed_once() -> None:
    """EXEC arrived, its reply did not: the stamp tells, and nobody declares a second incident."""
    with deaf_wire() as (wire, client):
        service = service_over(client)
        client.ping()
        wire.armed = True
        incident = declare(service, "modal-1")
        assert not wire.armed
        assert incident.id == "INC-20241218-001"
        assert [i.id for i in service.store.recent()] == [incident.id]
        assert declare(service, "modal-2").id == "INC-20241218-002"


def test_a_move_whose_reply_is_lost_is_made_once() -> None:
    """The timeline has one line of it."""
    with deaf_wire() as (wire, client):
        service = service_over(client)
        incident = declare(service)
        wire.armed = True
        after = service.handle(incident.id, Acknowledge(by="UOMAR"))
        assert not wire.armed
        assert [e.kind for e in after.timeline].count(EntryKind.ACKNOWLEDGED) == 1
        assert service.store.get(incident.id) == after


def test_a_server_that_takes_no_writes_is_not_asked_for_long() -> None:
    """Somebody who clicked waits: after a few lost connections they hear that nothing was recorded."""
    with deaf_wire(CutAtExec) as (wire, client):
        service = service_over(client)
        incident = declare(service)
        wire.armed = True
        with pytest.raises(Away):
            service.handle(incident.id, Acknowledge(by="UOMAR"))
        assert wire.cuts == MAX_LOST_CONNECTIONS
        assert service.store.get(incident.id) == incident


def test_duty_changes_do_not_overwrite_each_other(redis: "Redis") -> None:
    """Eight people arranging at once: every override is kept, each under a number of its own."""
    service = service_over(redis)

    def stand_in(hour: int) -> None:
        start = START + timedelta(hours=hour)
        service.update_oncall(
            lambda state, now: add_override(state, service.company, "primary", "mei", start, start + HOUR, now)
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(stand_in, range(24)))
    kept = service.store.oncall_state().overrides
    assert sorted(o.id for o in kept) == list(range(1, 25))
    assert {o.starts for o in kept} == {START + n * HOUR for n in range(24)}


def test_a_refused_arrangement_changes_nothing_and_the_roster_reads_what_was_kept(redis: "Redis") -> None:
    """Whoever stands in now is paged now."""
    service = service_over(redis)
    before = service.roster(START).of("on_call")
    with pytest.raises(Refused, match="It ends before it begins"):
        service.update_oncall(
            lambda state, now: add_override(state, service.company, "primary", "mei", START, START, now)
        )
    assert service.store.oncall_state() == OncallState()
    stand_in = "mei" if before != ("mei",) else "dana"
    service.update_oncall(lambda state, now: take_shift(state, service.company, "primary", stand_in, now))
    assert service.roster(START).of("on_call") == (stand_in,)


def test_a_duty_change_whose_reply_is_lost_is_made_once() -> None:
    """EXEC arrived, its reply did not: the stamp tells, and there is no second override."""
    with deaf_wire() as (wire, client):
        service = service_over(client)
        client.ping()
        wire.armed = True
        service.update_oncall(
            lambda state, now: add_override(state, service.company, "primary", "mei", START, START + HOUR, now)
        )
        assert not wire.armed
        assert [o.id for o in service.store.oncall_state().overrides] == [1]
