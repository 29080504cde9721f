"""Report on incidents: times between two named events, promises, and everything that was left out and why."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from escalation.figures.observation import Observation
from escalation.figures.recurrence import Recurrence, recurrences
from escalation.slo import percentile
from escalation.values import PersonId

MIN_FOR_TREND = 10  # incidents in each of the two periods; with fewer a change of the median says nothing
NIGHT = (22, 7)  # local hours: pages from 22:00 until 07:00 wake people
ALL = "all"


class Measure(NamedTuple):
    """A time between two events. `starts` and `ends` name them; `no_start` and `no_end` say why one is left out."""

    key: str
    title: str
    starts: str
    ends: str
    start: Callable[[Observation], float | None]
    end: Callable[[Observation], float | None]
    no_start: str
    no_end: str

    def of(self, seen: Observation) -> "float | str":
        """Seconds, or why this incident has no such time."""
        if seen.open:
            return "still open"
        if seen.holes:
            return "its timeline has holes"
        start, end = self.start(seen), self.end(seen)
        if start is None:
            return self.no_start
        if end is None:
            return self.no_end
        return end - start if end >= start else f"{self.ends} before {self.starts}"


_NO_BEGIN, _NO_DETECTION = "nobody said when the impact began", "nobody said when it was detected"
MEASURES = (
    Measure(
        "detect",
        "Time to detect (MTTD)",
        "the beginning of the impact",
        "the detection",
        lambda seen: seen.began,
        lambda seen: seen.detected,
        _NO_BEGIN,
        _NO_DETECTION,
    ),
    Measure(
        "declare",
        "Time to declare",
        "the detection",
        "the declaration",
        lambda seen: seen.detected,
        lambda seen: seen.declared,
        _NO_DETECTION,
        "",
    ),
    Measure(
        "mtta",
        "Time to acknowledge (MTTA)",
        "the first page",
        "the first acknowledgement",
        lambda seen: seen.first_page,
        lambda seen: seen.acknowledged,
        "nobody was paged",
        "never acknowledged",
    ),
    Measure(
        "root_cause",
        "Time to root cause",
        "the declaration",
        "the first word of the root cause",
        lambda seen: seen.declared,
        lambda seen: seen.root_cause,
        "",
        "no root cause was stated",
    ),
    Measure(
        "fix",
        "Time to fix",
        "the declaration",
        "the last fix applied",
        lambda seen: seen.declared,
        lambda seen: seen.fix,
        "",
        "no fix was marked as applied",
    ),
    Measure(
        "mitigate",
        "Time to mitigate",
        "the beginning of the impact",
        "the end of the impact",
        lambda seen: seen.began,
        lambda seen: seen.ended,
        _NO_BEGIN,
        "nobody said when the impact ended",
    ),
    Measure(
        "tell",
        "Time to tell customers",
        "the declaration",
        "the first word outside the company",
        lambda seen: seen.declared,
        lambda seen: seen.told,
        "",
        "nobody outside was told",
    ),
    Measure(
        "mttr",
        "Time to resolve (MTTR)",
        "the declaration",
        "the last resolution",
        lambda seen: seen.declared,
        lambda seen: seen.resolved,
        "",
        "never resolved",
    ),
)


@dataclass(frozen=True)
class Share:
    """So many of so many; `of` 0 has no share."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """The share, from 0 to 1; None of nothing."""
        return self.count / self.of if self.of else None


@dataclass(frozen=True)
class Row:
    """Times of one measure and severity (or ALL), in seconds. `excluded`: reason -> how many incidents were left out.

    `mean` hides what one long incident did to it: it is never shown without the rest. `trend` is the change of the
    median against the period before, in seconds; None where either has fewer than MIN_FOR_TREND.
    """

    measure: str
    severity: str
    n: int
    p50: float
    p90: float
    most: float
    total: float
    mean: float
    excluded: dict[str, int]
    trend: float | None = None


@dataclass(frozen=True)
class IncidentReport:
    """Report on the incidents that were declared in a period; `left_out`: reason -> how many of them do not count.

    `by_hour` are pages by the local hour of whoever got them (24 numbers); `at_night` counts each person's. `causes`
    counts incidents by their cause category, `recurrences` those of them that repeat an earlier one, `recurred` has
    what those repeat.
    """

    since: datetime
    until: datetime
    service: str
    severities: dict[str, int]
    left_out: dict[str, int]
    open: int
    reopened: int
    rows: tuple[Row, ...]
    acknowledged_in_time: Share
    resolved_in_time: Share
    severity_kept: Share
    promises_kept: Share
    reviews_in_time: Share
    false_alarms: dict[str, Share]
    by_hour: tuple[int, ...]
    at_night: dict[str, int]
    observations: tuple[Observation, ...]
    causes: dict[str, int]
    recurrences: dict[str, int]
    recurred: dict[str, Recurrence] = field(default_factory=dict)

    @property
    def false_alarms_in_all(self) -> Share:
        """Of all closed incidents those that were false alarms, whoever declared them."""
        by_source = self.false_alarms.values()
        return Share(sum(share.count for share in by_source), sum(share.of for share in by_source))


def incident_report(
    seen: Sequence[Observation],
    since: datetime,
    until: datetime,
    *,
    before: datetime | None = None,
    service: str = "",
    zone: str = "UTC",
    zones: Mapping[PersonId, str] | None = None,
    recurred: Mapping[str, Recurrence] | None = None,
) -> IncidentReport:
    """Build the report of what was declared from `since` until before `until`.

    `seen` may hold more: the period before, from `before` (unless said, one of the same length), gives the trends.
    `recurred` are the recurrences; unless given, they are looked for in what is `seen`.
    Drills, false alarms and other services do not count, but are counted. Pages are sorted by the hours of whoever got
    them: of `zones`, or else of `zone`.
    """
    before = before or since - (until - since)
    wanted = [s for s in seen if not service or s.service == service]
    period = sorted(_declared(wanted, since, until), key=lambda s: (s.declared, s.id))
    counted, previous = [s for s in period if _counts(s)], [s for s in _declared(wanted, before, since) if _counts(s)]
    again = recurrences(wanted) if recurred is None else recurred
    pages = [page for s in period if not s.drill for page in s.pages]
    local = zones or {}
    hours = [(person, datetime.fromtimestamp(at, ZoneInfo(local.get(person, zone))).hour) for person, at in pages]
    return IncidentReport(
        since=since,
        until=until,
        service=service,
        severities=dict(sorted(Counter(s.severity for s in counted).items())),
        left_out=dict(Counter(_why_not(s) for s in period if not _counts(s))),
        open=sum(s.open for s in counted),
        reopened=sum(s.reopened > 0 for s in counted),
        rows=tuple(row for measure in MEASURES for row in _rows(measure, counted, previous)),
        acknowledged_in_time=_share(s.acknowledged_in_time for s in counted),
        resolved_in_time=_share(s.resolved_in_time for s in counted),
        severity_kept=_share(s.severity == s.first_severity for s in counted if s.resolved is not None),
        promises_kept=Share(sum(s.promised - s.late for s in counted), sum(s.promised for s in counted)),
        reviews_in_time=_share(_review_in_time(s, until) for s in counted),
        false_alarms=_false_alarms(period),
        by_hour=tuple(sum(hour == h for _, hour in hours) for h in range(24)),
        at_night=dict(Counter(person for person, hour in hours if hour >= NIGHT[0] or hour < NIGHT[1]).most_common()),
        observations=tuple(period),
        causes=dict(Counter(s.cause_category for s in counted if s.cause_category).most_common()),
        recurrences=dict(Counter(s.cause_category for s in counted if s.id in again or s.repeats).most_common()),
        recurred={s.id: again[s.id] for s in counted if s.id in again},
    )


def _declared(seen: Iterable[Observation], since: datetime, until: datetime) -> Iterable[Observation]:
    return (s for s in seen if since.timestamp() <= s.declared < until.timestamp())


def _counts(seen: Observation) -> bool:
    return not seen.drill and not seen.cancelled


def _why_not(seen: Observation) -> str:
    return "drill" if seen.drill else "duplicate" if seen.duplicate else "false alarm"


def _rows(measure: Measure, counted: Sequence[Observation], previous: Sequence[Observation]) -> Iterable[Row]:
    severities = sorted({s.severity for s in counted})
    for severity in (ALL, *severities) if len(severities) > 1 else severities or [ALL]:
        now = [measure.of(s) for s in counted if severity in (ALL, s.severity)]
        then = [measure.of(s) for s in previous if severity in (ALL, s.severity)]
        yield _row(measure.key, severity, now, then)


def _row(measure: str, severity: str, now: Sequence[float | str], then: Sequence[float | str]) -> Row:
    times, earlier = sorted(t for t in now if not isinstance(t, str)), sorted(t for t in then if not isinstance(t, str))
    comparable = len(times) >= MIN_FOR_TREND and len(earlier) >= MIN_FOR_TREND
    ranked = times or [0.0]
    return Row(
        measure=measure,
        severity=severity,
        n=len(times),
        p50=percentile(ranked, 50),
        p90=percentile(ranked, 90),
        most=ranked[-1],
        total=sum(times),
        mean=sum(times) / len(times) if times else 0.0,
        excluded=dict(sorted(Counter(t for t in now if isinstance(t, str)).items())),
        trend=percentile(ranked, 50) - percentile(earlier, 50) if comparable else None,
    )


def _share(answers: Iterable[bool | None]) -> Share:
    known = [answer for answer in answers if answer is not None]
    return Share(sum(known), len(known))


def _review_in_time(seen: Observation, until: datetime) -> bool | None:
    """True if the review was done by its due time; None while it is not due, or none is."""
    if seen.review_by is None or (seen.reviewed is None and seen.review_by > until.timestamp()):
        return None
    return seen.reviewed is not None and seen.reviewed <= seen.review_by


def _false_alarms(period: Iterable[Observation]) -> dict[str, Share]:
    """By source, the closed incidents that were false alarms; people are one source."""
    closed, false = Counter[str](), Counter[str]()
    for seen in period:
        if not seen.drill and not seen.open and not seen.duplicate:
            closed[seen.source or "people"] += 1
            false[seen.source or "people"] += seen.cancelled
    return {source: Share(false[source], n) for source, n in sorted(closed.items())}
