"""Two versions side by side: what an older one wrote is brought up to date, what a newer one wrote is left to it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import ValidationError
from redis import Redis

import sandbox.server
from bot.access import UPGRADING
from bot.http.health import exposition
from escalation.config.policy import Severity
from escalation.engine.checkpoints import due
from escalation.errors import TooNew
from escalation.incident.events.moves import Acknowledge, Cancel, Resolve
from escalation.incident.events.news import CheckpointDue
from escalation.incident.model import STATE_VERSION, Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Status
from escalation.service import IncidentService
from escalation.slo import Objective, RecordKind, decode
from escalation.storage import migrations
from escalation.storage.alarms import alarms, ready
from escalation.storage.indexes import ALARMS, ALL, OPEN
from escalation.storage.store import DIRECTORY, DUTY, Store
from sandbox.server import RunningWorkspace
from tests.support.bot import open_office
from tests.support.clock import PushedClock
from tests.support.waiting import eventually
from tests.support.worker import BACKENDS, Works, raw, redis_of, valkey, works
from tocsin.cli import main
from tocsin.doctor import redis_checks
from workers import jobs
from workers.clock.sweep import Sweep
from workers.clock.ticker import tick
from workers.queue import outbox
from workers.queue.rq import registry_key

DATA = Path(__file__).parents[1] / "data"
V1 = (DATA / "incident-v1.json").read_bytes()
# All of Redis in the middle of a P0: key -> [type, value], each byte as one character.
# It was written before escalation/ had packages of its own.
STATE_3 = json.loads((DATA / "redis-state-3.json").read_text())
STATE_3_AT = datetime(2024, 12, 18, 16, 32, 44, 250000, UTC)
NEWER = 99
Office = tuple[RunningWorkspace, PushedClock]


def read_newer(raw: bytes) -> Incident:
    """As the version to come reads: whatever it finds becomes its own."""
    return Incident.model_validate(json.loads(raw) | {"version": NEWER})


class NewerStore(Store):
    """Whatever it writes is of the version to come."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, outbox.post, read_newer)

    def declare(self, day: str, key: str, make: Callable[[str], Incident]) -> Incident:
        return super().declare(day, key, lambda new_id: make(new_id).model_copy(update={"version": NEWER}))


def newer(old: Works) -> Works:
    """The parts of a newer Tocsin over the same Redis."""
    store = NewerStore(old.redis)
    service = IncidentService(store, old.service.company, old.service.policy, old.clock)
    return replace(old, store=store, service=service, context=replace(old.context, store=store, service=service))


@pytest.fixture(params=BACKENDS)
def old(request: pytest.FixtureRequest) -> Iterator[Works]:
    with redis_of(request.param) as client:
        made = works(client)
        jobs.bind(made.context)
        yield made
        jobs.unbind()


@pytest.fixture(scope="module")
def place() -> Iterator[Office]:
    clock = PushedClock()
    with sandbox.server.running(clock=clock.seconds) as workspace:
        yield workspace, clock


@pytest.fixture
def sending(place: Office) -> Iterator[Works]:
    """The older version, in a workspace."""
    with redis_of("valkey") as client:
        workspace, clock = place
        made = works(client, workspace, clock)
        made.control("reset")
        yield made


def raw_of(parts: Works, incident_id: str) -> bytes:
    return raw(parts.redis.get(f"tocsin:incident:{incident_id}") or b"")


def put(parts: Works, raw: bytes) -> Incident:
    """A document as another version left it, with its due times."""
    incident = migrations.read(raw)
    parts.redis.set(f"tocsin:incident:{incident.id}", raw)
    parts.redis.sadd(OPEN, incident.id)
    parts.redis.zadd(ALL, {incident.id: incident.declared_at.timestamp()})
    parts.redis.zadd(ALARMS, dict(alarms(incident)))
    return incident


# What an older version wrote ------------------------------------------------------------------------------------------


def test_an_incident_of_the_first_version_is_worked_on_to_its_end(sending: Works) -> None:
    """Its jobs are gone with the old version, its due times are not: all of it is sent, and people go on from there."""
    incident = put(sending, V1)
    sending.clock.now = max(entry.at for entry in incident.timeline)
    sending.clock.push(seconds=2)
    assert Sweep(sending.redis, sending.store).repair_lost(sending.clock()) == len(ready(incident))
    sending.run()
    sending.service.handle(incident.id, Acknowledge(by="U0DANA0001"))
    sending.service.handle(incident.id, Resolve(by="U0DANA0001", summary="Back", resolution="Restarted"))
    sending.run_for(5)
    assert sending.settled(incident).status is Status.RESOLVED
    assert sending.now(incident).version == STATE_VERSION


def test_what_is_read_from_the_first_version_is_a_whole_incident() -> None:
    """Written and read again it is the same."""
    incident = migrations.read(V1)
    assert incident.version == STATE_VERSION
    assert migrations.read(migrations.write(incident).encode()) == incident


def test_an_unknown_field_in_our_own_version_is_refused() -> None:
    """It would be lost in writing: whoever adds a field raises the version."""
    document = migrations.read(V1).model_dump(mode="json") | {"mood": "calm"}
    with pytest.raises(ValidationError, match="mood"):
        migrations.read(json.dumps(document).encode())


def restore(redis: Redis, state: dict[str, Any]) -> None:
    """Put a whole state into an empty Redis."""

    def raw(value: Any) -> Any:
        return value.encode("latin-1") if isinstance(value, str) else value

    for name, (kind, value) in state.items():
        match kind:
            case "string":
                redis.set(name, raw(value))
            case "hash":
                redis.hset(name, mapping={raw(k): raw(v) for k, v in value.items()})
            case "set":
                redis.sadd(name, *map(raw, value))
            case "zset":
                redis.zadd(name, {raw(k): v for k, v in value.items()})
            case "stream":
                for at, fields in value:
                    redis.xadd(name, {raw(k): raw(v) for k, v in fields.items()}, id=at)


def assert_kept(written: Any, stored: Any) -> None:
    """Assert that all that was stored is written again; fields that came later may stand beside it."""
    if isinstance(stored, dict):
        assert stored.keys() <= written.keys()
        for key, value in stored.items():
            assert_kept(written[key], value)
    elif isinstance(stored, list):
        assert len(written) == len(stored)
        for one, other in zip(written, stored, strict=True):
            assert_kept(one, other)
    else:
        assert written == stored


def test_what_the_version_before_wrote_is_read_and_written_alike(old: Works) -> None:
    """Field by field nothing is lost, but an unticked box no longer stands for "no"."""
    restore(old.redis, STATE_3)
    stored = json.loads(STATE_3["tocsin:incident:INC-20241218-001"][1].encode("latin-1"))
    written = json.loads(migrations.write(migrations.read(json.dumps(stored).encode())))
    for fact in ("data_loss", "outage", "major_impact"):
        assert (stored["facts"].pop(fact), written["facts"].pop(fact)) in [(False, None), (True, True)]
    assert (stored.pop("version"), written.pop("version")) == (3, STATE_VERSION)
    assert_kept(written, stored)
    for read, key in ((old.store.oncall_state, DUTY), (old.store.directory, DIRECTORY)):
        assert_kept(json.loads(read().model_dump_json()), json.loads(STATE_3[key][1]))
    records = [r for _, fields in STATE_3["tocsin:ledger"][1] for line in fields.values() for r in decode(line)]
    assert {r.what for r in records} == set(RecordKind)
    assert old.store.report(Objective(), timedelta(days=30), STATE_3_AT).rows


def test_jobs_and_sends_under_way_are_finished_by_this_one(sending: Works) -> None:
    """A worker of this version over the Redis of an older one: pages that failed go out, checkpoints fire in time."""
    restore(sending.redis, STATE_3)
    sending.clock.now = STATE_3_AT
    incident = sending.store.get("INC-20241218-001")
    assert len(ready(incident)) == 3
    sending.run_for(10)
    assert not ready(sending.now(incident))
    sending.clock.push(minutes=6)
    repeats = {c.id for c in due(incident, sending.clock())}
    assert len(repeats) == 3
    sending.run_for(5)
    assert not repeats & {c.id for c in sending.now(incident).checkpoints}
    assert sum("You're being paged" in m["text"] for m in sending.directs()) == 3
    sending.service.handle(incident.id, Resolve(by="U0DANA0001", summary="Back", resolution="Restarted"))
    sending.run_for(5)
    assert sending.settled(incident).status is Status.RESOLVED


# What a newer version wrote -------------------------------------------------------------------------------------------


def first_due(parts: Works, incident: Incident) -> str:
    return min(incident.checkpoints, key=lambda c: c.due).id


ACTIONS: dict[str, Callable[[Works, Incident], Any]] = {
    "a checkpoint": lambda old, i: jobs.checkpoint_due(i.id, first_due(old, i)),
    "many checkpoints": lambda old, i: jobs.checkpoints_due([(i.id, first_due(old, i))]),
    "a delivery": lambda old, i: jobs.deliver(list(ready(i))),
    "a sweep": lambda old, i: Sweep(old.redis, old.store).repair_lost(old.clock()),
    "a list": lambda old, i: old.store.open_incidents() and old.store.recent(),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_whatever_an_older_worker_does_the_document_stays(old: Works, action: str) -> None:
    """To the byte, and its due times with it."""
    incident = newer(old).declare("P0")
    before = raw_of(old, incident.id), old.redis.zrange(ALARMS, 0, -1, withscores=True)
    assert json.loads(before[0])["version"] == NEWER
    old.clock.push(minutes=16)
    ACTIONS[action](old, incident)
    assert (raw_of(old, incident.id), old.redis.zrange(ALARMS, 0, -1, withscores=True)) == before


@pytest.mark.parametrize("event", [Acknowledge(by="UOMAR"), CheckpointDue(checkpoint="x"), Cancel(by="UOMAR")])
def test_no_event_of_an_older_one_is_taken(old: Works, event: Any) -> None:
    """Whoever asks is told, and tries again at a newer one."""
    incident = newer(old).declare("P0")
    with pytest.raises(TooNew, match=f"{incident.id} was written by a newer Tocsin"):
        old.service.handle(incident.id, event)


def test_a_checkpoint_is_handed_on_to_a_newer_worker(old: Works) -> None:
    """A fifth of a second later it is offered again: it fires once, within the second that is promised."""
    incident = newer(old).declare("P0")
    old.redis.delete("rq:queue:urgent")  # its deliveries, which are another test's
    old.clock.push(minutes=15)
    old.run()
    old.clock.push(seconds=0.4)
    newer(old).run()
    now = newer(old).now(incident)
    assert [e.kind for e in now.timeline].count(EntryKind.CHECKPOINT) == 1
    assert now.version == NEWER
    assert old.counted("handed_on_total", job="checkpoint_due")


def test_messages_are_handed_on_and_stand_once(sending: Works) -> None:
    """An older worker takes the job first, then a newer one."""
    incident = newer(sending).declare("P0", by="U0PAULA001")
    sending.run()
    assert sending.messages() == []
    sending.clock.push(seconds=0.4)
    newer(sending).run()
    newer(sending).settled(incident)


class Overtaken(Store):
    """A store of the older version, whose documents become the newer's between a send and its record."""

    def update(self, incident_id: str, step: Callable[[Incident], Incident]) -> Incident:
        NewerStore(self.redis).update(incident_id, lambda i: i.model_copy(update={"face": 50}))
        return super().update(incident_id, step)


def test_a_send_that_was_overtaken_is_not_repeated(sending: Works) -> None:
    """The older worker has sent, and may not write it down: the newer one looks before it sends."""
    incident = sending.declare("P0", by="U0PAULA001")
    store = Overtaken(sending.redis, outbox.post)
    service = IncidentService(store, sending.service.company, sending.service.policy, sending.clock)
    replace(sending, context=replace(sending.context, store=store, service=service)).run()
    sent = sending.times_delivered()
    assert sent
    sending.clock.push(seconds=0.4)
    newer(sending).run()
    newer(sending).settled(incident)
    assert sent <= sending.times_delivered()


def test_what_nobody_can_take_is_offered_less_and_less_often(old: Works) -> None:
    """After a rollback, say: every five seconds in the end, and many jobs for one alarm become one again."""
    incident, alarm = newer(old).declare("P0"), "unacknowledged-1"
    old.clock.push(minutes=15)
    old.redis.delete(registry_key("urgent"))
    for _ in range(3):
        jobs.checkpoint_due(incident.id, alarm)
    assert old.redis.zcard(registry_key("urgent")) == 1
    offered = []
    while old.clock() < incident.declared_at.replace(hour=15, minute=47):
        old.clock.push(seconds=0.1)
        if tick(old.redis, old.clock()):
            old.redis.delete("rq:queue:urgent")
            jobs.checkpoint_due(incident.id, alarm)
            offered.append(old.clock())
    assert (offered[1] - offered[0]).total_seconds() <= 0.5
    assert 4.5 <= (offered[-1] - offered[-2]).total_seconds() <= 5.5
    assert len(offered) < 50


def test_what_was_done_meanwhile_is_not_handed_on(old: Works) -> None:
    """Its alarm is gone."""
    incident = newer(old).declare("P0")
    before = old.redis.zcard(registry_key("urgent"))
    jobs.checkpoint_due(incident.id, "long-gone-1")
    jobs.deliver([f"{incident.id}-999"])
    assert old.redis.zcard(registry_key("urgent")) == before


# What people see ------------------------------------------------------------------------------------------------------


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Works]:
    """An instance that the terminal finds."""
    with redis_of("valkey") as client:
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{valkey().port}/0")
        yield works(client)


def test_the_terminal_says_it(terminal: Works) -> None:
    """Lists leave it out, a look at it is refused with words."""
    ours, theirs = terminal.declare("P1"), newer(terminal).declare("P0")
    listed = CliRunner().invoke(main, ["list"])
    assert ours.id in listed.output
    assert theirs.id not in listed.output
    shown = CliRunner().invoke(main, ["show", theirs.id])
    assert (shown.exit_code, f"{theirs.id} was written by a newer Tocsin" in shown.output) == (1, True)


def test_it_is_counted(terminal: Works) -> None:
    """By the doctor; the metrics count all that are open, without reading them."""
    terminal.declare("P1")
    newer(terminal).declare("P0")
    text = exposition(terminal.store, lambda: True).decode()
    assert 'tocsin_open_incidents{severity="P0"} 1.0' in text
    [found] = redis_checks.newer_incidents(terminal.redis)
    assert found.what.startswith("1 open, written by a newer Tocsin")


@pytest.mark.slow
def test_whoever_clicks_is_asked_to_try_again() -> None:
    """Commands about it are answered; the others work."""
    with open_office() as office:
        store = NewerStore(office.world.store.redis)
        service = IncidentService(
            store, office.world.service.company, office.world.service.policy, office.world.service.clock
        )
        ours = office.declare(severity="P1")
        theirs = service.declare("U0DANA0001", Severity.P0, ours.facts)
        dana = office.person("dana")
        dana.command(f"ack {theirs.id}")
        assert dana.told(UPGRADING)
        dana.command(f"ack {ours.id}")
        eventually(lambda: any(e.kind is EntryKind.ACKNOWLEDGED for e in office.incident(ours.id).timeline))
