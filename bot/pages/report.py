"""A report in the browser: server-rendered, without script, to read, to print, and to hear.

A dot for each incident on a logarithmic axis shows what no mean does: https://www.thevoid.community/report
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from html import escape
from itertools import groupby
from operator import itemgetter
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from escalation.figures.observation import Observation
from escalation.figures.report import MEASURES, NIGHT, Measure
from escalation.figures.words import time_of
from escalation.reports.model import Cell, Document, Number
from escalation.text import Line, Strong, text
from escalation.values import INCIDENT_ID, PersonId

MAX_DOTS = 1000  # the longest of a period are always among them
MAX_ROWS = 300
LEFT, RIGHT = 9.0, 97.0  # per cent of the width between which dots stand
ROW = 46  # pixels for a severity
TICKS = (60, 300, 900, 3600, 4 * 3600, 86_400, 7 * 86_400, 30 * 86_400)  # seconds
SPREAD = (0, 8, -8, 14, -14, 4, -4)  # pixels: dots of like times beside each other

Names = Mapping[PersonId, str]


@dataclass(frozen=True)
class Filters:
    """The filters of a page as they are set, and what may be chosen. `csv` is the address of the same as a file."""

    period: str = ""
    severity: str = ""
    service: str = ""
    severities: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    error: str = ""
    csv: str = ""


@dataclass(frozen=True)
class Row:
    """An incident in the list: what it is, then each time, or a dash and why there is none."""

    id: str
    severity: str
    service: str
    declared: str
    times: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Dot:
    """An incident: where it stands (per cent and pixels), and what it says."""

    x: str
    y: int
    severity: str
    said: str


@dataclass(frozen=True)
class Plot:
    """The dots, a row for each severity, the ticks, and how many are not drawn."""

    dots: tuple[Dot, ...]
    rows: tuple[tuple[str, int], ...]
    ticks: tuple[tuple[str, str], ...]
    height: int
    left_out: int


def report_html(
    document: Document,
    observations: Sequence[Observation],
    names: Names | None = None,
    filters: Filters | None = None,
    made: datetime | None = None,
    zone: str = "UTC",
    titles: Mapping[str, str] | None = None,
) -> str:
    """Build the page, with times in a zone; without `filters` it is a file that stands by itself, without links.

    `titles` of those `listed`, by id; others are called by their ids.
    """
    known, local = names or {}, ZoneInfo(zone)
    counted = _counted(observations)
    # A column without any time says nothing that the definitions do not; the last is of all that were resolved.
    measures = [m for m in MEASURES if any(not isinstance(m.of(s), str) for s in counted)] or MEASURES[-1:]
    return _ENVIRONMENT.get_template("report.html.jinja").render(
        document=document,
        plot=plot(counted, local),
        incidents=[_row(s, measures, local) for s in listed(observations)],
        titles=titles or {},
        earlier=max(0, len(counted) - MAX_ROWS),
        measures=measures,
        night=NIGHT,
        filters=filters,
        made=f"{made.astimezone(local):%Y-%m-%d %H:%M}" if made else "",
        zone=zone,
        spans=lambda line: _spans(line, known),
        cell=_cell,
    )


def plot(counted: Sequence[Observation], zone: tzinfo = UTC) -> Plot | None:
    """Place a dot for each incident that was resolved, by the time that took; None where there is none."""
    timed = [(s.resolved - s.declared, s) for s in counted if s.resolved is not None and s.resolved > s.declared]
    if not timed:
        return None
    shown = sorted(sorted(timed, key=lambda t: -t[0])[:MAX_DOTS], key=lambda t: (t[1].severity, t[0]))
    low, high = min(60.0, shown[0][0], *(t for t, _ in shown)), max(3600.0, *(t for t, _ in shown))
    severities = sorted({s.severity for _, s in shown})
    middle = {severity: ROW // 2 + n * ROW + 8 for n, severity in enumerate(severities)}
    dots = tuple(
        Dot(_x(t, low, high), middle[s.severity] + SPREAD[n % len(SPREAD)], s.severity, _said(s, t, zone))
        for n, (t, s) in enumerate(shown)
    )
    ticks = tuple((time_of(tick), _x(tick, low, high)) for tick in TICKS if low <= tick <= high)
    return Plot(dots, tuple(middle.items()), ticks, ROW * len(severities) + 40, len(timed) - len(shown))


def _x(seconds: float, low: float, high: float) -> str:
    share = math.log(seconds / low) / math.log(high / low)
    return f"{LEFT + (RIGHT - LEFT) * share:.2f}%"


def _said(seen: Observation, took: float, zone: tzinfo) -> str:
    of = f", {seen.service}" if seen.service else ""
    return f"{seen.id}, {seen.severity}{of}: {time_of(took)}, declared {_at(seen.declared, zone)}"


def listed(observations: Sequence[Observation]) -> tuple[Observation, ...]:
    """Return what the list of incidents shows, the newest first."""
    return tuple(_counted(observations)[-MAX_ROWS:][::-1])


def _counted(observations: Iterable[Observation]) -> list[Observation]:
    return [s for s in observations if not s.drill and not s.cancelled and not s.private]


def _row(seen: Observation, measures: Iterable[Measure], zone: tzinfo) -> Row:
    found = (measure.of(seen) for measure in measures)
    times = tuple(("–", t) if isinstance(t, str) else (time_of(t), "") for t in found)
    return Row(seen.id, seen.severity, seen.service, _at(seen.declared, zone), times)


def _at(seconds: float, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(seconds, zone):%Y-%m-%d %H:%M}"


def _spans(line: Line, names: Names) -> Markup:
    shown = ((escape(text(((span,),), names)), isinstance(span, Strong)) for span in line)
    # Each piece is escaped above.
    return Markup("".join(f"<b>{words}</b>" if strong else words for words, strong in shown))  # noqa: S704  # escaped


def _cell(cell: Cell) -> tuple[str, bool]:
    """The text of a cell, and whether it is a number."""
    return (cell.shown, True) if isinstance(cell, Number) else (text(((cell,),)), False)


def _grouped(rows: Iterable[Sequence[Cell]]) -> Iterator[tuple[int, Sequence[Cell]]]:
    """Yield each row with how many rows its first cell stands for: 0 where the row above has said it."""
    for _, same in groupby(rows, key=itemgetter(0)):
        for n, row in enumerate(found := list(same)):
            yield (0 if n else len(found)), row


def _most(series: Iterable[Sequence[float]]) -> float:
    """The highest of the stacked bars."""
    return max((sum(values) for values in zip(*series, strict=True)), default=0.0) or 1.0


_ENVIRONMENT = Environment(
    loader=PackageLoader("bot", "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals["grouped"] = _grouped
_ENVIRONMENT.globals["is_id"] = INCIDENT_ID.fullmatch
_ENVIRONMENT.globals["most"] = lambda chart: _most([one.values for one in chart.series])
