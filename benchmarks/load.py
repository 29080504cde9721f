"""Measure Tocsin's speed as ratios to a floor of the same run, beside other schedulers: `make bench`.

A busy machine slows the floor down as well, so the ratio is comparable where the seconds are not. Where something is
measured in rounds, the figure is their median.
"""

import argparse
import gc
import math
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks import alerts, checkpoints, clicks, floors, idle, peers, posting, status
from benchmarks.crowd import Crowd
from benchmarks.numbers import median, percentile, size_of, time_of, times
from benchmarks.rig import Rig, http, rig, wait_until

PEERS_FOLDER = Path.home() / ".cache" / "tocsin-bench"
TABLE = re.compile(r"(?<=<!-- measured -->\n).*?(?=<!-- /measured -->)", re.DOTALL)
PAUSE = 2.0  # seconds between two rounds of clicks: the moves of the first are done by then
SLOW = 20.0  # seconds; a slower scheduler runs only once


@dataclass(frozen=True)
class Scale:
    """Size of a measurement: `sizes` open incidents; `spread` checkpoints in `seconds`, `burst` at one instant.

    `readers` of the status page ask for it so many `readings` a second in all. So many alerts are `posted`, to ours and
    the floor in `turns`.
    """

    sizes: tuple[int, ...] = (10, 1_000, 10_000)
    spread: int = 200
    seconds: float = 20.0
    burst: int = 2_000
    rounds: int = 3
    people: int = 200
    watch: float = 10.0
    readers: int = 2_000
    readings: int = 200
    subscribers: int = 10_000
    posted: int = 10_000
    turns: int = 5
    critical: int = 20


TINY = Scale(
    (2, 6),
    4,
    seconds=1.0,
    burst=6,
    rounds=1,
    people=4,
    watch=1.0,
    readers=6,
    readings=6,
    subscribers=20,
    posted=200,
    turns=1,
    critical=2,
)


@dataclass(frozen=True)
class Row:
    """A line of the table; `floor` is empty where there is none."""

    what: str
    ours: str = ""
    floor: str = ""
    ratio: str = ""

    def __str__(self) -> str:
        return f"| {self.what} | {self.ours} | {self.floor} | {self.ratio} |"


def beside(what: str, ours: float, floor: float) -> Row:
    """Row of a duration in seconds beside its floor."""
    return Row(what, time_of(ours), time_of(floor), times(ours, floor))


def all_rows(scale: Scale, others: Iterable[peers.Peer]) -> Iterator[Row]:
    """Measure everything, row by row."""
    yield from intake(scale)
    yield from bursts(scale, others)
    yield from Growth(scale).rows()
    yield from public(scale)


def intake(scale: Scale) -> Iterator[Row]:
    """Measure how alerts are answered, beside an app that only writes them down, and how soon a critical one pages."""
    many, found = alerts.CONNECTIONS, alerts.compared(scale.posted, scale.turns)
    ours, floor, rounds = found.ours, found.floor, found.rounds
    yield Row(f"**Alerts, over {many} connections**")
    rate, most = ours.sustained.rate, floor.sustained.rate
    yield Row("answered 202, a second", f"{rate:.0f}", f"{most:.0f}", times(rate, most))
    for what, mine, least in (
        (f"{many} at once", [ours.at_once], [floor.at_once]),
        (
            f"at half the floor's rate, {found.half:.0f} a second, while no worker takes them in",
            [r.ours for r in rounds],
            [r.floor for r in rounds],
        ),
        (
            "… while one does, beside the floor as well",
            [r.ours_beside for r in rounds],
            [r.floor_beside for r in rounds],
        ),
    ):
        yield beside(f"{what}: answered, p99", slowest(mine), slowest(least))
    with alerts.place() as made, alerts.unpaced(made):
        alone = alerts.critical(made, scale.critical)
        storm = alerts.storm(made, scale.posted)
    yield Row("a critical alert until its page is at Slack, p99", time_of(percentile(alone, 0.99)))
    yield Row(f"… in the middle of a storm of {scale.posted:,} others, p50", time_of(median(storm.pages)))
    yield Row(f"… in the middle of a storm of {scale.posted:,} others, p99", time_of(percentile(storm.pages, 0.99)))
    yield Row("… clicks in the middle of it: acknowledged to Slack, p99", time_of(percentile(storm.clicks, 0.99)))
    yield Row("… incidents that the storm became", str(storm.incidents))
    yield Row("… until all of it is worked off", time_of(storm.done))


def slowest(rounds: Iterable[posting.Answers]) -> float:
    """Seconds of the slowest answers (p99), of several rounds the median."""
    return median([percentile(answers.each, 0.99) for answers in rounds])


def bursts(scale: Scale, others: Iterable[peers.Peer]) -> Iterator[Row]:
    """Measure thousands due at one instant, a P0 among them; in each round every scheduler gets an empty server."""
    found, floor = [], []
    there = {peer: where for peer in others if (where := peers.install(peer, PEERS_FOLDER))}
    theirs: dict[peers.Peer, list[float]] = {peer: [] for peer in there}
    for _ in range(scale.rounds):
        floor.append(max(floors.lateness(scale.burst, 0)))
        with rig(workers=2) as place:  # as many as the others have
            found.append(checkpoints.burst(place, Crowd(place), scale.burst))
        for peer, took in theirs.items():
            if not took or max(took) < SLOW:
                took.append(_all_run(peer, there[peer], scale.burst))
    yield Row(f"**{scale.burst:,} checkpoints due at one instant, a P0's among them**")
    yield beside("all are decided and committed", median([b.decided for b in found]), median(floor))
    yield Row("the P0's page is at Slack", time_of(median([b.page for b in found])))
    yield Row("messages of other incidents before it, at most", str(max(b.before_it for b in found)))
    for peer in others:
        yield _their_burst(peer, theirs.get(peer, []), median(floor))
    for peer, where in there.items():
        yield _their_spread(peer, where, scale)


def _all_run(peer: peers.Peer, where: Path, number: int) -> float:
    """Seconds until the last of so many bare tasks has run in another scheduler; infinite when they have not."""
    with suppress(TimeoutError):
        return max(peers.lateness(peer, where, number, 0))
    return math.inf


def _their_burst(peer: peers.Peer, took: list[float], floor: float) -> Row:
    if not took:
        return Row(f"{peer.name}: cannot be installed here")
    if median(took) == math.inf:
        return Row(f"{peer.name}: not all have run in time")
    return beside(f"{peer.name}: as many bare tasks have run", median(took), floor)


def _their_spread(peer: peers.Peer, where: Path, scale: Scale) -> Row:
    late = peers.lateness(peer, where, scale.spread, scale.seconds)
    early = sum(at < 0 for at in late)
    said = f"; {early} of {scale.spread} too early" if early else ""
    return Row(f"{peer.name}: {scale.spread} over {scale.seconds:.0f} s, p99{said}", time_of(percentile(late, 0.99)))


def public(scale: Scale) -> Iterator[Row]:
    """Measure the status page with many readers, and a P0's page while many subscribers are mailed."""
    read = status.readers(scale.readers, scale.readings, scale.seconds, min(20, scale.people), scale.rounds)
    yield Row(f"**{scale.readers:,} readers on the status page, who ask for it {scale.readings} times a second**")
    yield beside("the page, from the moment that it is asked for, p99", read.bot, read.floor)
    yield Row("… while people click, p99", time_of(read.amid))
    yield Row("people press Acknowledge meanwhile: acknowledged to Slack, p99", time_of(read.clicks))
    paged = status.subscribers(scale.subscribers)
    yield Row(f"**An update goes to {scale.subscribers:,} subscribers, a hundred a second**")
    yield beside("the P0's page is at Slack; without subscribers", paged.amid, paged.alone)


class Growth:
    """Measure what might grow with the number of open incidents."""

    def __init__(self, scale: Scale) -> None:
        self._scale = scale

    def rows(self) -> Iterator[Row]:
        """Measure at each size, row by row."""
        scale = self._scale
        late = floors.lateness(scale.spread, scale.seconds)
        resting = {size: self._resting(size) for size in scale.sizes}
        with rig(bot=True) as place:
            http(f"{place.workspace}/control/limits", {"on": False})
            people = [_person(place, n) for n in range(scale.people)]
            yield Row("**Start**")
            yield self._start(place)
            crowd = Crowd(place)
            for before, size in pairwise((0, *scale.sizes)):
                crowd.idle(size - before)
                checkpoints.wait_for_queues(place)
                yield Row(f"**{size:,} incidents open**")
                yield from resting[size]
                yield from self._checkpoints(place, crowd, late)
                yield from self._clicks(place, crowd, people)

    def _start(self, place: Rig) -> Row:
        def empty() -> float:
            began = time.monotonic()
            with floors.empty_bolt(place):
                return time.monotonic() - began

        ours = median([idle.start(place) for _ in range(self._scale.rounds)])
        return beside("`tocsin run` until it is ready; an empty Bolt app", ours, median([empty() for _ in range(3)]))

    def _resting(self, size: int) -> list[Row]:
        """Measure the cost at rest, on a new server: on the other one messages still wait for Slack's rate limits."""
        with rig(bot=True) as place:
            bare = idle.stored(place)
            Crowd(place).idle(size)
            checkpoints.wait_for_queues(place)
            each = (idle.stored(place) - bare) / size
            cost = idle.cost(place, self._scale.watch)
        parts = "the bot and the six parts of a worker: processor while nothing is due, of one core"
        return [
            Row("Redis's data for each", size_of(each)),
            Row(parts, f"{cost.processor:.1%}"),
            Row("… memory", size_of(cost.memory)),
            Row("… Redis commands a second", f"{cost.commands:.0f}"),
        ]

    def _checkpoints(self, place: Rig, crowd: Crowd, floor: list[float]) -> Iterator[Row]:
        late = checkpoints.spread(place, crowd, self._scale.spread, self._scale.seconds)
        what = f"{self._scale.spread} checkpoints over {self._scale.seconds:.0f} s: due to committed"
        yield beside(f"{what}, p50", median(late), median(floor))
        yield beside(f"{what}, p99", percentile(late, 0.99), percentile(floor, 0.99))
        yield Row("… the earliest", time_of(min(late)))

    def _clicks(self, place: Rig, crowd: Crowd, people: list[str]) -> Iterator[Row]:
        team = place.slack_call("auth.test")["team_id"]
        names = crowd.idle(len(people) * (self._scale.rounds + 2))

        def presses(round_: int) -> list[bytes]:
            chosen = names[round_ * len(people) :]
            return [clicks.press(name, person, team) for name, person in zip(chosen, people, strict=False)]

        with floors.empty_bolt(place) as empty:
            least = self._acknowledged(empty, presses)
        ours = self._acknowledged(place.bot, presses)
        what = f"{len(people)} people press Acknowledge at once: acknowledged to Slack"
        yield beside(f"{what}, p50", ours[0], least[0])
        yield beside(f"{what}, p99", ours[1], least[1])
        pressed = names[-len(people) :]
        each = [clicks.press(name, person, team) for name, person in zip(pressed, people, strict=True)]
        yield Row("… and recorded: clicks a second", f"{self._recorded(place, crowd, pressed, each):.0f}")
        typed = self._acknowledged(place.bot, lambda _: [clicks.command("list", p, team) for p in people])
        yield beside(f"{len(people)} people type `/incident list` at once, p99", typed[1], least[1])

    def _recorded(self, place: Rig, crowd: Crowd, names: list[str], bodies: list[bytes]) -> float:
        """Incidents acknowledged a second, when all people press at once, each for another one."""
        checkpoints.wait_for_queues(place)
        began = time.monotonic()
        clicks.at_once(place.bot, bodies)
        wait_until(lambda: all(crowd.store.get(name).acknowledgement for name in names), "the acknowledgements")
        return len(names) / (time.monotonic() - began)

    def _acknowledged(self, url: str, bodies: Callable[[int], list[bytes]]) -> tuple[float, float]:
        """p50 and p99, each the median of the rounds; a first round to warm up is not counted."""
        found = []
        for n in range(self._scale.rounds + 1):
            found.append(clicks.at_once(url, bodies(n)).each)
            time.sleep(PAUSE)
        return median([median(f) for f in found[1:]]), median([percentile(f, 0.99) for f in found[1:]])


def _person(place: Rig, n: int) -> str:
    user = http(f"{place.workspace}/control/users", {"name": f"person{n}", "id": f"U0BENCH{n:03d}"})["user"]
    return str(user["id"])


def main() -> None:
    """Measure, print the table, and write it into a file if wanted."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="only check that it works; the figures mean nothing")
    parser.add_argument("--no-peers", action="store_true", help="without the other schedulers")
    parser.add_argument("--alerts", action="store_true", help="only the intake of alerts")
    parser.add_argument("--into", type=Path, help="replace the table of this file")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that child processes are ended
    gc.disable()  # while it collects, this process measures nothing for 30 to 100 ms, and took that for the app's time
    table = "| | Tocsin | floor | × floor |\n| --- | ---: | ---: | ---: |\n"
    scale = TINY if options.tiny else Scale()
    for row in intake(scale) if options.alerts else all_rows(scale, () if options.no_peers else peers.PEERS):
        print(row, file=sys.stderr, flush=True)
        table += f"{row}\n"
        gc.collect()
    print(table)
    if options.into:
        options.into.write_text(TABLE.sub(lambda _: table, options.into.read_text()))


if __name__ == "__main__":
    main()
