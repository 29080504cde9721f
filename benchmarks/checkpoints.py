"""Measure how late checkpoints are decided: spread over time, and thousands at one instant with a P0 among them."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from redis import Redis

from benchmarks.crowd import Crowd
from benchmarks.rig import PATIENCE, Rig, wait_until
from escalation.processes import QUEUES
from escalation.storage.indexes import ALARMS
from workers.queue.rq import queue_key

EMPTY_POLLS = 5  # polls in a row that find nothing queued
LEAD = 1.0  # seconds between set-up and first due time
TRIES = 6  # each has twice the time of the one before; then the machine is too slow
TOO_SLOW = "this machine is too slow to set up so many in time"


@contextmanager
def written(redis: Redis, prefix: str) -> Iterator[dict[str, float]]:
    """Record when keys of a prefix are first written during the block: rest of the key -> epoch seconds."""
    redis.config_set("notify-keyspace-events", "K$")
    written_at: dict[str, float] = {}
    listener = redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]  # redis-py left it untyped
    listener.psubscribe(f"__keyspace@*__:{prefix}*")
    stop = threading.Event()

    def listen() -> None:
        while not stop.is_set():
            if message := listener.get_message(timeout=0.1):
                written_at.setdefault(
                    str(message["channel"], "utf-8").partition(":")[2].removeprefix(prefix), time.time()
                )

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield written_at
    finally:
        stop.set()
        thread.join()
        listener.close()
        redis.config_set("notify-keyspace-events", "")


def instants(number: int, seconds: float, lead: float) -> list[datetime]:
    """Instants at even distances, none of them at a whole second."""
    first = datetime.now(UTC) + timedelta(seconds=lead)
    return [first + timedelta(seconds=seconds * n / number) for n in range(number)]


def spread(rig: Rig, crowd: Crowd, number: int, seconds: float) -> list[float]:
    """Seconds from each due time to its commit, for checkpoints at even distances."""
    for lead in _longer(LEAD + number * 0.06):  # creating an incident takes a while
        due = instants(number, seconds, lead)
        wanted = {crowd.due_at(at)[0]: at.timestamp() for at in due}
        if due[0] > datetime.now(UTC):
            return _lateness(rig, wanted, seconds + lead + PATIENCE)
    raise RuntimeError(TOO_SLOW)


def _lateness(rig: Rig, wanted: dict[str, float], within: float) -> list[float]:
    with written(rig.redis, "tocsin:incident:") as written_at:
        wait_until(lambda: wanted.keys() <= written_at.keys(), "the spread checkpoints", within=within)
    return [written_at[name] - at for name, at in wanted.items()]


def _longer(lead: float) -> Iterator[float]:
    """Times to set up in: a machine that is busy with other things takes longer."""
    return (lead * 2**n for n in range(TRIES))


def wait_for_queues(rig: Rig) -> None:
    """Wait until the workers' queues are empty: what is left waits for Slack's rate limits."""
    empty = 0
    while empty < EMPTY_POLLS:
        time.sleep(0.2)
        empty = 0 if any(rig.redis.llen(queue_key(name)) for name in QUEUES) else empty + 1


@dataclass(frozen=True)
class Burst:
    """Seconds from due until all are committed, and until the P0's page is at Slack.

    `before_it` counts messages of other incidents before that page.
    """

    decided: float
    page: float
    before_it: int


def burst(rig: Rig, crowd: Crowd, number: int, each: float = 0.012) -> Burst:
    """Measure so many checkpoints due at one instant, the last of them a P0's that pages.

    `each` is how many seconds creating one may take at first.
    """
    for lead in _longer(LEAD + number * each):
        due = datetime.now(UTC) + timedelta(seconds=lead)
        crowd.due_at(due, number - 1)
        urgent = crowd.paging_at(due)
        if due > datetime.now(UTC) and _left(rig, due) >= number:
            return _measured(rig, due, urgent)
        wait_until(lambda due=due: not _left(rig, due), "what was set up too late")  # type: ignore[misc]  # the loop's own
    raise RuntimeError(TOO_SLOW)


def _left(rig: Rig, due: datetime) -> int:
    """Count the alarms at an instant: to ask for each by name would take half a core."""
    return int(rig.redis.zcount(ALARMS, repr(due.timestamp()), repr(due.timestamp())))


def _measured(rig: Rig, due: datetime, urgent: str) -> Burst:
    until = due.timestamp()
    wait_until(lambda: time.time() > until, "the burst to be due", every=0.005)
    wait_until(lambda: not _left(rig, due), "the burst to be decided", every=0.02)
    decided = time.time() - until
    wait_until(lambda: page_of(rig, urgent, until), "the page of the P0", every=0.2)
    page, before_it = page_of(rig, urgent, until) or (0.0, 0)
    return Burst(decided, page, before_it)


def page_of(rig: Rig, incident: str, since: float) -> tuple[float, int] | None:
    """Seconds from `since` until an incident's page reached Slack, and the number of messages before it."""
    others = 0
    for post in (c for c in rig.calls("chat.postMessage") if c["at"] >= since):
        if incident not in str(post["args"].get("metadata", "")):
            others += 1
        elif str(post["args"]["channel"]).startswith("D"):
            return float(post["at"]) - since, others
    return None
