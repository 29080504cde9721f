"""The daily report: what is open, what is outstanding, what happened since the last one, what is due."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from escalation.figures.observation import Observation
from escalation.figures.periods import Period
from escalation.figures.words import time_of
from escalation.incident.model import Incident
from escalation.reports.gather import MAX_NAMED, Gathered, concerns
from escalation.reports.model import Document, Number, Section, Table
from escalation.reviews.action_items import ActionItem, ItemState, in_order, item_line
from escalation.text import Line, Time, Verbatim, line

SOON = timedelta(days=7)


def daily(found: Gathered, zone: str) -> Document:
    """Write the daily report. On a quiet day it is one line: its silence would mean nothing."""
    period = Period(found.figures.since, found.figures.until)
    happened = concerns(found.seen, period)
    today = found.now.astimezone(ZoneInfo(zone)).date()
    due = _due(found.items, today)
    outstanding = tuple(_outstanding(found))
    title = f"Daily incident report, {found.now.astimezone(ZoneInfo(zone)):%A %d %B %Y}"
    declared = sum(period.since.timestamp() <= s.declared for s in happened)
    ended = sum(not s.open for s in happened)
    since = _since(period, zone)
    said = [f"{_n(len(found.open), 'incident')} open. Since {since}: {declared:,} declared, {ended:,} closed."]
    if found.private or found.private_open:
        said.append(f"Of private incidents, {found.private:,} were declared and {found.private_open:,} are open.")
    if not (found.open or happened or due or outstanding or found.private or found.private_open):
        return Document(title, (line(f"Nothing is open, nothing is due, and nothing happened since {since}."),))
    sections = [
        _open(found),
        Section("Outstanding", outstanding),
        Section("What happened", tuple(_happened(found, happened))),
    ]
    sections.append(Section("Action items due", tuple(_items(due, today))))
    shown = tuple(s for s in sections if s.lines or (s.table and s.table.rows))
    return Document(title, tuple(map(line, said)), shown)


def _open(found: Gathered) -> Section:
    rows = tuple(_row(incident, found) for incident in found.open[:MAX_NAMED])
    left = len(found.open) - len(rows)
    more = (line(f"{left:,} more: `/incident list`."),) if left > 0 else ()
    header = ("severity", "incident", "title", "status", "with", "open for")
    return Section("Open incidents", more, Table("Who has what", header, rows))


def _row(incident: Incident, found: Gathered) -> tuple[str | Number, ...]:
    acknowledged = incident.acknowledgement
    holder = acknowledged.by if acknowledged else ""
    seconds = (found.now - incident.declared_at).total_seconds()
    who = found.names.get(holder, holder) if acknowledged else "nobody"
    length = Number(seconds, time_of(seconds))
    title = " ".join(incident.facts.title.split())
    return (incident.severity, incident.id, title, str(incident.status), who, length)


def _outstanding(found: Gathered) -> Iterator[Line]:
    """Yield what somebody owes: acknowledgements, fixes that are past their target, and reviews."""
    now = found.now
    for incident in found.open:
        late = [
            *(["not acknowledged"] if not incident.acknowledgement and incident.acknowledge_by <= now else []),
            *(["past its time to resolve"] if incident.resolve_by <= now else []),
        ]
        if late:
            yield line(f"{incident.id} is {' and '.join(late)}.")
    overdue = [s for s in found.seen if s.review_by and s.reviewed is None and s.review_by <= now.timestamp()]
    if reviews := [s.id for s in overdue if not s.drill]:
        more = f" and {len(reviews) - MAX_NAMED:,} more" if len(reviews) > MAX_NAMED else ""
        yield line(f"Reviews overdue: {', '.join(reviews[:MAX_NAMED])}{more}.")


def _happened(found: Gathered, happened: Sequence[Observation]) -> Iterator[Line]:
    for seen in happened[-MAX_NAMED:]:
        incident = found.named.get(seen.id)
        if incident is None:
            continue
        state = incident.status if not incident.open else "open"
        took = time_of(seen.resolved - seen.declared) if seen.resolved else ""
        how = f": {state}{f' after {took}' if took else ''}, declared "
        title = " ".join(incident.facts.title.split())
        yield line(f"{seen.severity} {seen.id} ", Verbatim(title), how, Time(incident.declared_at, clock=False), ".")
    if (left := len(happened) - MAX_NAMED) > 0:
        yield line(f"{left:,} earlier ones are not named here.")


def _due(items: Sequence[ActionItem], today: date) -> list[ActionItem]:
    """Return the open commitments that are overdue or due within a week."""
    soon = [i for i in items if i.state is ItemState.OPEN and i.due is not None and i.due <= today + SOON]
    return in_order(soon, today)


def _items(due: Sequence[ActionItem], today: date) -> Iterator[Line]:
    yield from (item_line(item, today) for item in due[:MAX_NAMED])
    if (left := len(due) - MAX_NAMED) > 0:
        yield line(f"{left:,} more: `/incident actions`.")


def _since(period: Period, zone: str) -> str:
    return f"{period.since.astimezone(ZoneInfo(zone)):%A}"


def _n(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
