"""A report on incidents in words and as a table: the same figures for a terminal, Slack and mail."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from escalation.figures.recurrence import RECURS_WITHIN, uncounted
from escalation.figures.report import MEASURES, MIN_FOR_TREND, NIGHT, IncidentReport, Measure, Row, Share
from escalation.times import format_duration

HEADER = ("what", "severity", "n", "p50", "p90", "max", "total")
MEAN = "mean"
NOTHING_CLOSED = "No times yet: nothing of this period was closed."
MEAN_HIDES = "One long incident moves the mean of many short ones: read it beside p50 and max."


def title(report: IncidentReport, zone: str) -> str:
    """The period by the clocks of a zone, and what was declared in it."""
    of, local = f" of {report.service}" if report.service else "", ZoneInfo(zone)
    return f"Incidents{of} declared {_when(report.since.astimezone(local), report.until.astimezone(local))} ({zone})"


def _when(since: datetime, until: datetime) -> str:
    """A calendar month by its name, whole days by their dates, anything else to the minute."""
    if since.time() != time() or until.time() != time():
        return f"from {since:%Y-%m-%d %H:%M} until {until:%Y-%m-%d %H:%M}"
    last = until.date() - timedelta(days=1)
    if since.day == until.day == 1 and (since.year, since.month) == (last.year, last.month):
        return f"in {since:%B %Y}"
    return f"on {last}" if last == since.date() else f"from {since.date()} to {last}"


def summary(report: IncidentReport) -> Iterator[str]:
    """How many there were, and what is left out of every figure."""
    total = sum(report.severities.values())
    if not total:
        yield f"No incidents{_left_out(report)}."
        return
    by_severity = ", ".join(f"{n} {severity}" for severity, n in report.severities.items())
    still = f"; {report.open} still open" if report.open else ""
    again = f"; {report.reopened} reopened" if report.reopened else ""
    yield f"{_count(total, 'incident')}: {by_severity}{still}{again}{_left_out(report)}."


def table(report: IncidentReport, *, mean: bool = False) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of the times that there are. Every mean comes with what it hides."""
    rows = [cells(row, mean=mean) for row in report.rows if row.n]
    return (*HEADER, *([MEAN] if mean else [])), rows


def definitions(report: IncidentReport) -> Iterator[str]:
    """What each time is, from which event to which, how many were left out and why, and its trend if it has one.

    While every incident is open there are no times to define.
    """
    if report.open == sum(report.severities.values()):
        yield NOTHING_CLOSED
        return
    rows = [next(r for r in report.rows if r.measure == measure.key) for measure in MEASURES]
    for measure, row in zip(MEASURES, rows, strict=True):
        excluded = ", ".join(f"{why} ({n})" for why, n in row.excluded.items())
        yield f"{measure.title}: from {measure.starts} to {measure.ends}. Left out: {excluded or 'none'}.{_trend(row)}"
    if any(row.trend is None for row in rows):
        of = "" if all(row.trend is None for row in rows) else " of the others"
        yield f"No trend{of}: that takes {MIN_FOR_TREND} incidents in this period and in the one before."


def promises(report: IncidentReport) -> Iterator[str]:
    """What was promised and kept, each as so many of so many."""
    for name, share in (
        ("Acknowledged in time", report.acknowledged_in_time),
        ("Resolved in time", report.resolved_in_time),
        ("Severity never changed", report.severity_kept),
        ("Communications in time", report.promises_kept),
        ("Reviews in time", report.reviews_in_time),
    ):
        yield f"{name}: {share_of(share)}"
    if len(report.false_alarms) > 1:
        yield f"False alarms, of all sources: {share_of(report.false_alarms_in_all)}"
    for source, share in report.false_alarms.items():
        yield f"False alarms, {source}: {share_of(share)}"


def causes(report: IncidentReport) -> Iterator[tuple[str, str]]:
    """Each category of cause, with how many incidents had it, and how many of those repeat an earlier one."""
    for category, n in report.causes.items():
        again = report.recurrences.get(category, 0)
        repeats = f", {_count(again, 'recurrence')}" if again else ""
        yield category, f"{_count(n, 'incident')}{repeats}"


def recurrences(report: IncidentReport) -> Iterator[str]:
    """How many incidents came back, whether something had been meant to prevent them, and what cannot be counted."""
    found = list(report.recurred.values())
    kinds = {
        "an action item that was still open": sum(bool(r.open) for r in found),
        "only action items that were closed": sum(bool(r.closed) and not r.open for r in found),
        "none": sum(not (r.open or r.closed) for r in found),
    }
    had = ", ".join(f"{n:,} had {what}" for what, n in kinds.items() if n)
    yield (
        f"Recurrences, of the same service and cause within {RECURS_WITHIN.days} days: "
        f"{len(found):,}{f' ({had})' if had else ''}."
    )
    counted = [s for s in report.observations if not s.drill and not s.cancelled]
    if left := sum(1 for _ in uncounted(counted)):
        yield f"{_count(left, 'closed incident')} without a service or a cause category cannot be compared."


def pages(report: IncidentReport) -> str:
    """How many pages there were, and how many at night."""
    total, at_night = sum(report.by_hour), sum(report.at_night.values())
    return f"Pages: {total:,}, of them {at_night:,} between {NIGHT[0]}:00 and {NIGHT[1]:02d}:00"


def share_of(share: Share) -> str:
    """`9 of 12 (75 %)`; the count alone says how much it means. Of nothing, `no cases`: `none` would read as broken."""
    return "no cases" if share.value is None else f"{share.count} of {share.of} ({share.value * 100:.0f} %)"


def time_of(seconds: float) -> str:
    """Format a time of a report: `48s`, `4m10s`, `1d2h`, two units at most."""
    length = timedelta(seconds=seconds)
    if length >= timedelta(days=1):
        length = timedelta(hours=round(seconds / 3600))
    elif length >= timedelta(hours=1):
        length = timedelta(minutes=round(seconds / 60))
    return format_duration(length)


def measure_of(row: Row) -> Measure:
    """The definition of a row's measure."""
    return next(m for m in MEASURES if m.key == row.measure)


def cells(row: Row, *, mean: bool = False) -> tuple[str, ...]:
    """A row of the table. That of every severity says `all`."""
    times = (row.p50, row.p90, row.most, row.total, *([row.mean] if mean else []))
    return (measure_of(row).title, row.severity, str(row.n), *map(time_of, times))


def _trend(row: Row) -> str:
    if row.trend is None:
        return ""
    change = time_of(abs(row.trend))
    way = "longer" if row.trend > 0 else "shorter"
    return (
        " p50 is that of the period before." if not row.trend else f" p50 is {change} {way} than in the period before."
    )


def _left_out(report: IncidentReport) -> str:
    parts = [_count(n, why) for why, n in sorted(report.left_out.items())]
    return f" (left out: {', '.join(parts)})" if parts else ""


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
