"""Tocsin's own service level objective: records of what was due, decided, accepted, acknowledged, and the report."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil, floor, inf

from pydantic import Field

from escalation.times import Duration, spoken_duration
from escalation.values import Frozen

LOST_AFTER = timedelta(seconds=30)  # far beyond every objective, and beyond what a repair takes
REPORT_PERIOD = timedelta(days=30)  # a report's default


class Objective(Frozen):
    """Service level objective: `share` per cent of the pages are accepted `within` that time of their due time.

    With `open_incident` Tocsin declares an incident on itself when it is missed.
    """

    within: Duration = timedelta(seconds=2)
    share: float = Field(default=99.9, gt=0, le=100)
    open_incident: bool = False


class RecordKind(StrEnum):
    """Kind of a ledger record. `fired`: a checkpoint. `decided`, `accepted`, `called_off`: a page or message."""

    FIRED = "fired"
    DECIDED = "decided"
    ACCEPTED = "accepted"
    CALLED_OFF = "called_off"
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True)
class Record:
    """A record of the ledger: ids and epoch seconds, no words. The same `id` twice is one thing recorded twice.

    `at` is when it happened; `since` is the start of an acknowledgement's time, which is no lateness. `mark` tells one
    message from another of the same delivery; `adopted`: an earlier message was found and counts.
    """

    what: RecordKind
    id: str
    kind: str
    due: float
    at: float
    since: float = 0.0
    mark: str = ""
    adopted: bool = False


def encode(records: Iterable[Record]) -> str:
    """Encode records as one JSON list."""
    return json.dumps([{k: v for k, v in vars(r).items() if v} for r in records], separators=(",", ":"))


def decode(text: str | bytes) -> Iterator[Record]:
    """Decode the records of a JSON list. A newer version's fields and kinds of record are left out."""
    known = {field.name for field in fields(Record)}
    for raw in json.loads(text):
        if raw["what"] in set(RecordKind):
            times = {"due": 0.0, "at": 0.0} | {k: v for k, v in raw.items() if k in known}
            yield Record(**(times | {"what": RecordKind(raw["what"])}))


# Figures -------------------------------------------------------------------------------------------------------------

PAGES = {"page": "pages in Slack", "page_by": "pages by other channels"}
CHECKPOINTS, MESSAGES, OTHERS = "checkpoints", "messages", "alerts in another service"
FLOAT_TOLERANCE = 1e-6  # seconds; readings of two clocks, as floats, are not compared more closely


@dataclass(frozen=True)
class Row:
    """Row of a report: seconds from the due time (for acknowledgements, from the start); `in_time` of `count`."""

    kind: str
    count: int
    in_time: int
    p50: float
    p99: float
    most: float


@dataclass(frozen=True)
class Report:
    """Report on the objective. `pages` are those that count: accepted, or not accepted in time.

    `lost`: due longer than LOST_AFTER ago and not done. `doubled`: sent once more. `early`: before the due time.
    """

    since: datetime
    until: datetime
    objective: Objective
    rows: tuple[Row, ...]
    pages: int
    pages_in_time: int
    lost: int
    doubled: int
    early: int

    @property
    def share(self) -> float | None:
        """Percentage of the pages that were in time; None while there are none."""
        return 100 * self.pages_in_time / self.pages if self.pages else None

    @property
    def met(self) -> bool | None:
        """True if the objective is met; None while there are no pages."""
        return None if self.share is None else self.share >= self.objective.share


def report(
    records: Iterable[Record],
    objective: Objective,
    since: datetime,
    now: datetime,
    overdue: Collection[str] = (),
    until: datetime | None = None,
) -> Report:
    """Build the report of what was due from `since`, and before `until` (None: up to now).

    `overdue`: ids of what should have been done LOST_AFTER ago and was not. A page that is retried is not among them.
    """
    ledger, end = _Ledger(), until.timestamp() if until else inf
    for record in records:
        due_then = since.timestamp() <= record.due < end
        if due_then or record.what in (RecordKind.CALLED_OFF, RecordKind.ACKNOWLEDGED):
            ledger.add(record)
    within, delays = objective.within.total_seconds() + FLOAT_TOLERANCE, ledger.delays()
    rows = [_row(kind, seconds, sum(s <= within for s in seconds)) for kind, seconds in sorted(delays.items())]
    pages = [s for kind in PAGES.values() for s in delays[kind]]
    missed = ledger.missed(now.timestamp(), within)
    return Report(
        since=since,
        until=until or now,
        objective=objective,
        rows=(*(r for r in rows if r.count), *ledger.acknowledgements(since.timestamp(), end)),
        pages=len(pages) + missed,
        pages_in_time=sum(s <= within for s in pages),
        lost=len({*overdue, *ledger.waiting((now - LOST_AFTER).timestamp())}),
        doubled=ledger.doubled(),
        early=sum(s < -FLOAT_TOLERANCE for seconds in delays.values() for s in seconds),
    )


class _Ledger:
    """The ledger's records joined by id: of two records of one thing the first counts."""

    def __init__(self) -> None:
        self._first: dict[RecordKind, dict[str, Record]] = {what: {} for what in RecordKind}
        self._sends: dict[str, set[str]] = defaultdict(set)

    def add(self, record: Record) -> None:
        """Add a record, unless the same one is known."""
        self._first[record.what].setdefault(record.id, record)
        if record.what is RecordKind.ACCEPTED and not record.adopted:
            self._sends[record.id].add(record.mark or repr(record.at))

    def delays(self) -> dict[str, list[float]]:
        """Return, by kind, seconds from the due time until decided (a checkpoint) or accepted (the rest)."""
        seconds: dict[str, list[float]] = defaultdict(list)
        seconds[CHECKPOINTS] = [r.at - r.due for r in self._first[RecordKind.FIRED].values()]
        for id, record in self._first[RecordKind.ACCEPTED].items():
            decided = self._first[RecordKind.DECIDED].get(id, record)
            seconds[_row_kind(record.kind)].append(record.at - decided.due)
        return seconds

    def missed(self, now: float, within: float) -> int:
        """Count pages not accepted in time, without those that were called off in time."""
        called_off, accepted = self._first[RecordKind.CALLED_OFF], self._first[RecordKind.ACCEPTED]
        waits = (
            (called_off[id].at if id in called_off else now) - r.due for id, r in self._decided() if id not in accepted
        )
        return sum(s > within for s in waits)

    def waiting(self, before: float) -> Iterator[str]:
        """Return the pages decided before then that were neither accepted nor called off."""
        done = self._first[RecordKind.ACCEPTED].keys() | self._first[RecordKind.CALLED_OFF].keys()
        return (id for id, record in self._decided() if record.due <= before and id not in done)

    def _decided(self) -> Iterable[tuple[str, Record]]:
        return self._first[RecordKind.DECIDED].items()

    def doubled(self) -> int:
        """Count sends beyond the first of each page or message."""
        return sum(len(sends) - 1 for sends in self._sends.values())

    def acknowledgements(self, since: float, until: float) -> Iterator[Row]:
        """Yield, by severity, how long people took, and how many met the policy's target."""
        records = [r for r in self._first[RecordKind.ACKNOWLEDGED].values() if since <= r.at < until]
        for severity in sorted({r.kind for r in records}):
            own = [r for r in records if r.kind == severity]
            yield _row(f"{severity} acknowledged", [r.at - r.since for r in own], sum(r.at <= r.due for r in own))


def _row_kind(kind: str) -> str:
    return OTHERS if kind == "alert" else PAGES.get(kind, MESSAGES)


def _row(kind: str, seconds: Sequence[float], in_time: int) -> Row:
    ranked = sorted(seconds) or [0.0]
    return Row(kind, len(seconds), in_time, percentile(ranked, 50), percentile(ranked, 99), ranked[-1])


def percentile(ranked: Sequence[float], share: float) -> float:
    """Return the percentile by nearest rank: a value that did occur."""
    return ranked[max(0, ceil(len(ranked) * share / 100) - 1)]


# Words ---------------------------------------------------------------------------------------------------------------


def objective_result(report: Report, over: str = "") -> tuple[str, str]:
    """Return the objective as a sentence, and its result as another. `over` says of which time, if it is no length."""
    within, share = spoken_duration(report.objective.within), f"{report.objective.share:g}"
    sentence = f"{share} % of all pages are accepted within {within} of their due time."
    over = over or f"in the last {spoken_duration(report.until - report.since)}"
    wrong = f"{report.lost} lost, {report.doubled} doubled, {report.early} early."
    if report.share is None:
        return sentence, f"No data: nobody was paged {over}. {wrong}"
    verdict = "Target met" if report.met else "Target missed"
    return sentence, f"{verdict}: {percent(report.share)} % on time ({report.pages:,} pages {over}). {wrong}"


def row_summaries(report: Report) -> Iterator[tuple[Row, str]]:
    """Yield each row with its figures in words."""
    for row in report.rows:
        spread = ", ".join(
            f"{name} {seconds(s)}" for name, s in (("p50", row.p50), ("p99", row.p99), ("max", row.most))
        )
        yield row, f"{row.count:,}, {percent(100 * row.in_time / row.count)} % in time; {spread}"


def percent(share: float) -> str:
    """Format a percentage, cut and never rounded: 99.8999 must not read as 99.9."""
    return f"{floor(share * 1000 + FLOAT_TOLERANCE) / 1000:g}"


def seconds(length: float) -> str:
    """Format seconds: `12 ms`, `1.25 s`, `4 minutes 10 seconds`."""
    if length >= 60:
        return spoken_duration(timedelta(seconds=length))
    return f"{length:.2f} s" if length >= 1 else f"{length * 1000:.0f} ms"
