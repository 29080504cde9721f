"""The figures of each incident as CSV, for spreadsheets. Of a private incident neither service nor team is in it."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from escalation.figures.observation import Observation
from escalation.figures.recurrence import Recurrence
from escalation.figures.report import MEASURES

INSTANTS = (
    *("began", "detected", "declared", "first_page", "acknowledged", "root_cause", "fix", "ended", "told", "resolved"),
)
COLUMNS = (
    *("id", "severity", "first_severity", "status", "service", "team", "source", "drill"),
    *(f"{name}_at" for name in INSTANTS),
    *(f"{measure.key}_seconds" for measure in MEASURES),
    *("acknowledged_in_time", "resolved_in_time", "reopened", "pages"),
    *("repeats", "open_action_items", "closed_action_items"),
)
NOT_AGAIN = Recurrence("")


def csv_of(observations: Iterable[Observation], recurred: Mapping[str, Recurrence]) -> str:
    """Write a header, and a line for each incident; of a recurrence what it repeats, and what was to prevent it."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(COLUMNS)
    for seen in observations:
        again = recurred.get(seen.id, NOT_AGAIN)
        writer.writerow([*_row(seen), again.of, " ".join(again.open), " ".join(again.closed)])
    return written.getvalue()


def _row(seen: Observation) -> list[str]:
    """One incident. A time that is left out is empty."""
    named = ("private", "", "") if seen.private else (seen.service, seen.team, seen.source)
    times = [measure.of(seen) for measure in MEASURES]
    return [
        *(seen.id, seen.severity, seen.first_severity, seen.status, *map(_harmless, named), _cell(seen.drill)),
        *(_cell(_iso(getattr(seen, name))) for name in INSTANTS),
        *(f"{t:.3f}" if isinstance(t, float) else "" for t in times),
        *(_cell(seen.acknowledged_in_time), _cell(seen.resolved_in_time), str(seen.reopened), str(len(seen.pages))),
    ]


def _harmless(name: str) -> str:
    """Quote what begins like a formula, so that no spreadsheet runs it: https://owasp.org/www-community/attacks/CSV_Injection"""
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name


def _iso(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _cell(value: str | bool | None) -> str:
    """A cell: `yes`, `no`, or nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value or ""
