"""The reports of the second policy: what each of them says. The figures are those of `escalation.figures`."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from escalation.config.rules.reports import ScheduledReport
from escalation.figures import words
from escalation.figures.observation import Observation
from escalation.figures.recurrence import RECURS_WITHIN
from escalation.figures.report import ALL, MIN_FOR_TREND, IncidentReport, Row, Share
from escalation.reports.gather import Gathered
from escalation.reports.model import NOTHING, Cell, Chart, Document, Number, Section, Series, Table, count
from escalation.reports.prevention import of_all, prevention
from escalation.reports.today import daily
from escalation.slo import objective_result
from escalation.text import Line, line

MAX_ROWS = 50  # of a table: what is left out is said
HOURS_TOGETHER = 2  # pages by hour stand in twelve bars
WEEKS_FROM = timedelta(days=15)  # longer periods are drawn by weeks, and from MONTHS_FROM on by months
MONTHS_FROM = timedelta(days=70)
DAY = timedelta(days=1)


def scheduled(plan: ScheduledReport, found: Gathered, zone: str) -> Document:
    """Write the report of a plan. `zone`: whose days it is about."""
    write = _WRITTEN[plan.every]
    return write(found, zone, plan.mean)


def on_request(found: Gathered, zone: str, *, mean: bool = False) -> Document:
    """Write the report of any period."""
    figures = found.figures
    return Document(words.title(figures, zone), _summary(found, counted=False), tuple(_full(found, zone, mean=mean)))


def _weekly(found: Gathered, zone: str, mean: bool) -> Document:
    title = f"Weekly incident report, {_days(found.figures, zone)}"
    now, then = _total(found.figures), _total(found.before)
    pages, at_night = sum(found.before.by_hour), sum(found.before.at_night.values())
    against = line(f"The week before: {then:,} incidents, {pages:,} pages, {at_night:,} of them at night.")
    sections = [
        *([_by_day(found, zone), _services(found)] if now else []),
        *_times(found, mean=mean),
        prevention(found, zone),
    ]
    return Document(title, (*_summary(found), against), tuple(filter(None, sections)))


def _monthly(found: Gathered, zone: str, mean: bool) -> Document:
    local = found.figures.since.astimezone(ZoneInfo(zone))
    return Document(f"Monthly incident report, {local:%B %Y}", _summary(found), tuple(_full(found, zone, mean=mean)))


def _quarterly(found: Gathered, zone: str, mean: bool) -> Document:
    local = found.figures.since.astimezone(ZoneInfo(zone))
    title = f"Incident response effectiveness, quarter {(local.month + 2) // 3} of {local.year}"
    return Document(title, _summary(found), (_against(found), *_full(found, zone, mean=mean)))


_WRITTEN: Mapping[str, Callable[[Gathered, str, bool], Document]] = {
    "day": lambda found, zone, _: daily(found, zone),
    "week": _weekly,
    "month": _monthly,
    "quarter": _quarterly,
}


def _full(found: Gathered, zone: str, *, mean: bool) -> Iterator[Section]:
    """Yield every section of a comprehensive report; over nothing there are only those that stand on their own."""
    if _total(found.figures):
        yield _by_day(found, zone)
        yield from _times(found, mean=mean)
        yield Section("Promises", tuple(line(f"{said}.") for said in words.promises(found.figures)))
        if found.figures.causes:
            yield Section(
                "Causes", tuple(line(f"{name}: {how_many}.") for name, how_many in words.causes(found.figures))
            )
        yield _services(found)
    if sum(found.figures.by_hour):
        yield _pages(found.figures)
    over = f"in this period{of_all(found)}"
    yield Section("Tocsin's own punctuality", tuple(line(said) for said in objective_result(found.own, over)))
    yield prevention(found, zone)


def _summary(found: Gathered, *, counted: bool = True) -> tuple[Line, ...]:
    """Sum up the period. Whoever may choose it is not told how many were private: an hour would give one away."""
    how_many = f"{found.private:,} private {'incident is' if found.private == 1 else 'incidents are'}"
    private = f"{how_many if counted else 'Private incidents are'} not in these figures."
    return (
        *(line(said) for said in words.summary(found.figures)),
        *([line(private)] if found.private else []),
    )


# Sections ------------------------------------------------------------------------------------------------------------


def _by_day(found: Gathered, zone: str) -> Section:
    figures = found.figures
    edges, labels, part = _parts(figures, zone)
    seen = [s for s in figures.observations if not s.drill and not s.cancelled]
    series = tuple(
        Series(severity, tuple(_between(seen, severity, since, until) for since, until in pairwise(edges)))
        for severity in figures.severities
    )
    return Section("Incidents", chart=Chart(f"Incidents declared, by {part}", labels, series))


def _between(seen: Sequence[Observation], severity: str, since: datetime, until: datetime) -> int:
    start, end = since.timestamp(), until.timestamp()
    return sum(s.severity == severity and start <= s.declared < end for s in seen)


def _parts(figures: IncidentReport, zone: str) -> tuple[list[datetime], tuple[str, ...], str]:
    """Cut a period at local midnights into days, weeks or months: the edges, a label for each part, and which."""
    length, local = figures.until - figures.since, ZoneInfo(zone)
    first, last = figures.since.astimezone(local), figures.until.astimezone(local)
    days = [first.date() + n * DAY for n in range(1, (last.date() - first.date()).days + 1)]
    if length > MONTHS_FROM:
        part, form, cuts = "month", "%b %Y", [day for day in days if day.day == 1]
    elif length > WEEKS_FROM:
        part, form, cuts = "week", "%d %b", [day for day in days if day.weekday() == 0]
    else:
        part, form, cuts = "day", "%a %d %b", days
    inner = [_midnight(day, local) for day in cuts]
    edges = [figures.since, *(at for at in inner if figures.since < at < figures.until), figures.until]
    return edges, tuple(f"{at.astimezone(local):{form}}" for at in edges[:-1]), part


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _times(found: Gathered, *, mean: bool) -> Iterator[Section]:
    figures = found.figures
    if not _total(figures):
        return
    header = (*words.HEADER, *([words.MEAN] if mean else []))
    # Without those that have no times: a column sorts as numbers where all of it is numbers.
    rows = tuple(_time_row(row, mean=mean) for row in figures.rows if row.n)
    said = (*words.definitions(figures), *([words.MEAN_HIDES] if mean and rows else []))
    yield Section(
        "Times", tuple(line(text) for text in said), Table("Times by severity", header, rows) if rows else None
    )


def _time_row(row: Row, *, mean: bool) -> tuple[Cell, ...]:
    title, severity, _, *shown = words.cells(row, mean=mean)
    values = (row.p50, row.p90, row.most, row.total, *([row.mean] if mean else []))
    return (title, severity, count(row.n), *(Number(value, text) for value, text in zip(values, shown, strict=True)))


def _services(found: Gathered) -> Section:
    """Show what each service had; incidents without one stand together."""
    counted = [s for s in found.figures.observations if not s.drill and not s.cancelled]
    by_service = Counter(s.service for s in counted)
    again = _recurring(found)
    rows = tuple(
        (
            name or "no service",
            count(n),
            count(sum(len(s.pages) for s in counted if s.service == name)),
            count(sum(s.reopened > 0 for s in counted if s.service == name)),
            count(again[name]),
        )
        for name, n in by_service.most_common(MAX_ROWS)
    )
    said = f"Again: within {RECURS_WITHIN.days} days of another incident of the same service."
    left = len(by_service) - len(rows)
    more = [line(f"{left:,} more services are not shown.")] if left > 0 else []
    table = Table("Incidents by service", ("service", "incidents", "pages", "reopened", "again"), rows)
    return Section("Services", (line(said), *more), table)


def _recurring(found: Gathered) -> Counter[str]:
    """Count, by service, the incidents of the period that followed another one of it within RECURS_WITHIN."""
    again, latest = Counter[str](), dict[str, float]()
    start, end = found.figures.since.timestamp(), found.figures.until.timestamp()
    for seen in sorted(found.seen, key=lambda s: s.declared):
        if seen.drill or seen.cancelled or not seen.service:
            continue
        former = latest.get(seen.service)
        if former is not None and seen.declared - former <= RECURS_WITHIN.total_seconds():
            again[seen.service] += start <= seen.declared < end
        latest[seen.service] = seen.declared
    return again


def _pages(figures: IncidentReport) -> Section:
    hours = figures.by_hour
    values = tuple(float(sum(hours[h : h + HOURS_TOGETHER])) for h in range(0, 24, HOURS_TOGETHER))
    labels = tuple(f"{h:02d}:00" for h in range(0, 24, HOURS_TOGETHER))
    chart = Chart("Pages by local hour", labels, (Series("pages", values),))
    return Section("Pages", (line(words.pages(figures)),), chart=chart)


def _against(found: Gathered) -> Section:
    """Compare with the quarter before; below MIN_FOR_TREND in either nothing is called a change."""
    then = {row.measure: row for row in found.before.rows if row.severity == ALL or _single(found.before)}
    now = [row for row in found.figures.rows if row.severity == ALL or _single(found.figures)]
    times = tuple(_compared(row, then.get(row.measure)) for row in now)
    shares = tuple(
        (name, *_share_cells(before), *_share_cells(after), NOTHING if _few(before, after) else _points(before, after))
        for name, before, after in (
            ("Acknowledged in time", found.before.acknowledged_in_time, found.figures.acknowledged_in_time),
            ("Resolved in time", found.before.resolved_in_time, found.figures.resolved_in_time),
            ("Severity never changed", found.before.severity_kept, found.figures.severity_kept),
            ("Communications in time", found.before.promises_kept, found.figures.promises_kept),
            ("Reviews in time", found.before.reviews_in_time, found.figures.reviews_in_time),
        )
    )
    header = ("what", "n before", "before", "n", "now", "change")
    said = (
        line(f"Incidents: {_total(found.figures):,}; {_total(found.before):,} in the quarter before."),
        line(f"Times are p50. A change is only shown where both quarters have {MIN_FOR_TREND} or more."),
    )
    return Section(
        "Against the quarter before", said, Table("This quarter and the one before", header, (*times, *shares))
    )


def _compared(row: Row, before: Row | None) -> tuple[Cell, ...]:
    n = before.n if before else 0
    then = Number(before.p50, words.time_of(before.p50)) if before and before.n else NOTHING
    now = Number(row.p50, words.time_of(row.p50)) if row.n else NOTHING
    change = NOTHING
    if before and min(row.n, n) >= MIN_FOR_TREND:
        by = row.p50 - before.p50
        shown = f"{words.time_of(abs(by))} {'longer' if by > 0 else 'shorter'}" if by else "the same"
        change = Number(by, shown)
    return (words.measure_of(row).title, count(n), then, count(row.n), now, change)


def _share_cells(share: Share) -> tuple[Cell, Cell]:
    if share.value is None:
        return count(0), NOTHING
    return count(share.of), Number(share.value, f"{share.value * 100:.0f} %")


def _few(before: Share, after: Share) -> bool:
    return min(before.of, after.of) < MIN_FOR_TREND


def _points(before: Share, after: Share) -> Number:
    by = ((after.value or 0.0) - (before.value or 0.0)) * 100
    return Number(by, f"{by:+.0f} points" if round(by) else "the same")


# Words ---------------------------------------------------------------------------------------------------------------


def _single(report: IncidentReport) -> bool:
    """True if there is one severity, which then stands for all."""
    return len(report.severities) == 1


def _total(report: IncidentReport) -> int:
    return sum(report.severities.values())


def _days(report: IncidentReport, zone: str) -> str:
    first = report.since.astimezone(ZoneInfo(zone))
    last = (report.until - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    return f"{first:%d %b} to {last:%d %b %Y}"
