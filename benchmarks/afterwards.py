"""Measure whether what comes after incidents gets in the way of pages: bursts with and without reports being read.

`python -m benchmarks.afterwards` takes about eight minutes. It prints how late a burst of checkpoints and the page of a
P0 in it are while a month's report over 10,000 closed incidents, a search and a list are asked for every second in
Slack, and two browsers read the report and the incidents one page after the other; beside the same without them.
"""

import argparse
import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import httpx2
from redis import Redis

from benchmarks import checkpoints, clicks
from benchmarks.crowd import Crowd
from benchmarks.numbers import median, time_of, times
from benchmarks.rig import Rig, http, rig
from escalation.figures.observation import encode, observe
from escalation.incident.model import Incident
from escalation.search.document import document
from escalation.search.document import encode as words_of
from escalation.storage.answers.person_links import INCIDENTS, REPORTS, PersonLinks, Purpose
from escalation.storage.indexes import ALL, FIGURES, key
from escalation.storage.keeping.packed import pack
from escalation.storage.search.documents import DOCUMENTS

READERS = ("U0BENCH001", "U0BENCH002")
TYPED = ("report 30d", "search checkout slow", "list all")
PAGES = (REPORTS, f"{INCIDENTS}?state=all")
EVERY = 1.0  # seconds between two rounds of commands
AGO = timedelta(days=10)


@dataclass(frozen=True)
class Scale:
    """Size: so many closed incidents, and so many checkpoints at one instant, a P0's among them.

    `each` is how many seconds creating one of them may take while people read.
    """

    closed: int = 10_000
    burst: int = 2_000
    rounds: int = 3
    each: float = 0.03


TINY = Scale(closed=20, burst=6, rounds=1, each=0.3)


@dataclass
class Lateness:
    """Seconds of each round: until all of the burst is decided, and until the P0's page is at Slack."""

    decided: list[float] = field(default_factory=list)
    page: list[float] = field(default_factory=list)


@dataclass
class Measured:
    """Lateness without and with readers, and how often each page or command was answered or acknowledged meanwhile."""

    alone: Lateness
    amid: Lateness
    read: Counter[str]


@dataclass(frozen=True)
class Kept:
    """What the store keeps of a closed incident: its packed document, its figures, and the search's words."""

    id: str
    document: bytes
    figures: bytes
    words: bytes


def measured(scale: Scale) -> Measured:
    """Measure both in turns, each round on a server of its own: after a burst messages wait for Slack's limits."""
    found, kept = Measured(Lateness(), Lateness(), Counter()), list[Kept]()
    for _ in range(scale.rounds):
        for late, read in ((found.alone, None), (found.amid, found.read)):
            burst = _burst(scale, kept, read)
            late.decided.append(burst.decided)
            late.page.append(burst.page)
    return found


def _burst(scale: Scale, kept: list[Kept], read: Counter[str] | None) -> checkpoints.Burst:
    """Measure one burst; what is kept of closed incidents is made once and stored each time."""
    with rig(workers=2, bot=True) as place:
        http(f"{place.workspace}/control/limits", {"on": False})
        for reader in READERS:
            http(f"{place.workspace}/control/users", {"name": reader.lower(), "id": reader})
        crowd = Crowd(place)
        first = crowd.closed(datetime.now(UTC) - AGO)
        kept += () if kept else copies(first, scale.closed)
        store(place.redis, kept, first.declared_at.timestamp())
        crowd.idle(1)  # what stands for the cards of all is posted now, not in the lead of the burst
        crowd.paging_at(datetime.now(UTC) + AGO)
        checkpoints.wait_for_queues(place)
        with nullcontext() if read is None else reading(place, read):
            return checkpoints.burst(place, crowd, scale.burst, scale.each)


def copies(incident: Incident, number: int) -> tuple[Kept, ...]:
    """Copy a closed incident so often, each with an id of its own."""
    seen, words = observe(incident), document(incident)

    def one(name: str) -> Kept:
        raw, _ = pack(incident.model_copy(update={"id": name}))
        return Kept(name, raw, encode(replace(seen, id=name)), words_of(replace(words, id=name)))

    return tuple(one(f"{incident.id[:-3]}{n + 2:04d}") for n in range(number))


def store(redis: Redis, kept: Iterable[Kept], declared: float) -> None:
    """Store them all."""
    pipe = redis.pipeline(transaction=False)
    for each in kept:
        pipe.set(key(each.id), each.document)
        pipe.hset(FIGURES, each.id, each.figures)
        pipe.hset(DOCUMENTS, each.id, each.words)
        pipe.zadd(ALL, {each.id: declared})
    pipe.execute()


@contextmanager
def reading(place: Rig, read: Counter[str]) -> Iterator[None]:
    """Have people read during the block; counts what they were answered."""
    stop = threading.Event()
    threads = [threading.Thread(target=_type, args=(place, read, stop))]
    threads += [threading.Thread(target=_browse, args=(place, path, read, stop)) for path in PAGES]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _type(place: Rig, read: Counter[str], stop: threading.Event) -> None:
    """Type every command once a second."""
    team = place.slack_call("auth.test")["team_id"]
    due = time.monotonic()
    while not stop.wait(max(0.0, due - time.monotonic())):
        requests = [clicks.request(place.bot, clicks.command(text, READERS[0], team)) for text in TYPED]
        asyncio.run(clicks.sent(place.bot, requests))
        read.update(TYPED)
        due += EVERY


def _browse(place: Rig, path: str, read: Counter[str], stop: threading.Event) -> None:
    """Load a page again as soon as it is there."""
    session = PersonLinks(place.redis).token(READERS[1], Purpose.SESSION, datetime.now(UTC))
    with httpx2.Client(base_url=place.bot, cookies={"tocsin_session": session}, timeout=60, trust_env=False) as browser:
        while not stop.is_set():
            browser.get(path).raise_for_status()
            read[path] += 1


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.afterwards", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="only check that it works; the figures mean nothing")
    scale = TINY if parser.parse_args().tiny else Scale()
    found = measured(scale)
    print(f"| {scale.closed:,} closed incidents | alone | amid reports | × |\n| --- | ---: | ---: | ---: |")
    for what, alone, amid in (
        (f"{scale.burst:,} checkpoints due at one instant: all are decided", found.alone.decided, found.amid.decided),
        ("… the P0's page is at Slack", found.alone.page, found.amid.page),
    ):
        each = (median(alone), median(amid))
        print(f"| {what} | {time_of(each[0])} | {time_of(each[1])} | {times(each[1], each[0])} |")
        print(f"<!-- rounds: {', '.join(map(time_of, alone))}; {', '.join(map(time_of, amid))} -->")
    print(f"Read meanwhile: {', '.join(f'{count} × {what}' for what, count in sorted(found.read.items()))}.")


if __name__ == "__main__":
    main()
