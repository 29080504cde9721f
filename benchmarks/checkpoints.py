"""Measure how late checkpoints are decided: spread over time, and thousands at one instant with a P0 among them."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from redis import Redis

from benchmarks.crowd import Crowd
from benchmarks.rig import Rig, wait_until
from escalation.processes import QUEUES
from escalation.storage.indexes import ALARMS
from workers.queue.rq import queue_key

EMPTY_POLLS = 5  # polls in a row that find nothing queued
LEAD = 1.0  # seconds between set-up and first due time


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
    lead = LEAD + number * 0.06  # creating an incident takes a while
    due = instants(number, seconds, lead)
    wanted = {crowd.due_at(at)[0]: at.timestamp() for at in due}
    if due[0] < datetime.now(UTC):
        raise RuntimeError("this machine is too slow to set up so many in time")
    with written(rig.redis, "tocsin:incident:") as written_at:
        wait_until(lambda: wanted.keys() <= written_at.keys(), "the spread checkpoints", within=seconds + lead + 60)
    return [written_at[name] - at for name, at in wanted.items()]


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

    `each` is how many seconds creating one may take.
    """
    due = datetime.now(UTC) + timedelta(seconds=LEAD + number * each)
    crowd.due_at(due, number - 1)
    urgent = crowd.paging_at(due)
    until = due.timestamp()

    def left() -> int:
        """Count the alarms at that instant: to ask for each by name would take half a core."""
        return int(rig.redis.zcount(ALARMS, repr(until), repr(until)))

    if due < datetime.now(UTC) or left() < number:
        raise RuntimeError("this machine is too slow to set up so many in time")
    wait_until(lambda: time.time() > until, "the burst to be due", every=0.005)
    wait_until(lambda: not left(), "the burst to be decided", every=0.02)
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
