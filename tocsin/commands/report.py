"""`tocsin report`: figures of the incidents of a period, as a table, JSON, or CSV with a line for each incident."""

import csv
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

from escalation.config.company import Company
from escalation.figures import words
from escalation.figures.observation import Observation
from escalation.figures.report import MEASURES, IncidentReport, incident_report
from escalation.slo import REPORT_PERIOD
from tocsin.commands.incidents import NEEDS, open_store
from tocsin.commands.terminal import as_json, print_json, print_table
from tocsin.config import loader
from tocsin.config.settings import load
from tocsin.errors import Refusal

INSTANTS = ("declared", "first_page", "acknowledged", "root_cause", "fix", "resolved")
COLUMNS = (
    *("id", "severity", "first_severity", "status", "service", "team", "source", "drill"),
    *(f"{name}_at" for name in INSTANTS),
    *(f"{measure.key}_seconds" for measure in MEASURES),
    *("acknowledged_in_time", "resolved_in_time", "reopened", "pages"),
)


@click.command()
@click.option("--from", "since", metavar="DAY", help="First day, like 2026-11-01, or a time (default: 30 days ago).")
@click.option("--to", "until", metavar="DAY", help="Last day, which is included, or a time (default: now).")
@click.option("--service", default="", metavar="S", help="Only incidents of one service.")
@click.option("--mean", is_flag=True, help="Show means too, beside what they hide.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, a line for each incident, for spreadsheets.")
@as_json
def report(since: str | None, until: str | None, service: str, mean: bool, as_csv: bool, as_json: bool) -> None:
    """Report MTTA, MTTR and other times, promises and pages of the incidents of a period."""
    settings = load(NEEDS)
    company, store = loader.load(settings.config).company, open_store(settings)
    if service and service not in company.services:
        raise Refusal(f"There is no service called {service}; there are: {', '.join(sorted(company.services))}.")
    end = _instant(until, company, last=True) if until else store.now()
    start = _instant(since, company) if since else end - REPORT_PERIOD
    if start >= end:
        raise Refusal("--from has to be before --to.")
    seen = store.observations(start - (end - start))
    figures = incident_report(seen, start, end, service=service, zone=company.timezone)
    if as_json:
        print_json(report_data(figures))
    elif as_csv:
        _print_csv(figures)
    else:
        _show(figures, mean=mean)


def _instant(text: str, company: Company, *, last: bool = False) -> datetime:
    """Parse a day or a time; without an offset it is the company's. The last day is meant with all its hours."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(f"Not a day or a time: {text}. Write it like 2026-11-01 or 2026-11-01T09:00.") from None
    if last and len(text) <= len("2026-11-01"):
        at += timedelta(days=1)
    zone = ZoneInfo(company.timezone)
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


def report_data(figures: IncidentReport) -> dict[str, Any]:
    """The report for scripts: times in seconds, shares as count, of and value."""
    shares = ("acknowledged_in_time", "resolved_in_time", "severity_kept", "promises_kept", "reviews_in_time")
    return {
        "since": figures.since.isoformat(),
        "until": figures.until.isoformat(),
        "service": figures.service,
        "severities": figures.severities,
        "left_out": figures.left_out,
        "open": figures.open,
        "reopened": figures.reopened,
        "definitions": {m.key: {"title": m.title, "from": m.starts, "to": m.ends} for m in MEASURES},
        "times": [asdict(row) for row in figures.rows],
        **{name: _share(getattr(figures, name)) for name in shares},
        "false_alarms": {source: _share(share) for source, share in figures.false_alarms.items()},
        "pages_by_hour": figures.by_hour,
        "pages_at_night": figures.at_night,
    }


def _share(share: Any) -> dict[str, Any]:
    return {"count": share.count, "of": share.of, "value": share.value}


def _show(figures: IncidentReport, *, mean: bool) -> None:
    click.echo(words.title(figures))
    click.echo("\n".join(words.summary(figures)))
    if not figures.severities:
        return
    click.echo()
    print_table(*words.table(figures, mean=mean))
    click.echo()
    click.echo("\n".join((*words.definitions(figures), *([words.MEAN_HIDES] if mean else []))))
    click.echo()
    click.echo("\n".join((*words.promises(figures), words.pages(figures))))


def _print_csv(figures: IncidentReport) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for seen in figures.observations:
        writer.writerow(_csv_row(seen))


def _csv_row(seen: Observation) -> list[str]:
    """One incident; of a private one neither service nor team. A time that is left out is empty."""
    named = ("private", "", "") if seen.private else (seen.service, seen.team, seen.source)
    times = [measure.of(seen) for measure in MEASURES]
    return [
        *(seen.id, seen.severity, seen.first_severity, seen.status, *named, _cell(seen.drill)),
        *(_cell(_iso(getattr(seen, name))) for name in INSTANTS),
        *(f"{t:.3f}" if isinstance(t, float) else "" for t in times),
        *(_cell(seen.acknowledged_in_time), _cell(seen.resolved_in_time), str(seen.reopened), str(len(seen.pages))),
    ]


def _iso(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _cell(value: str | bool | None) -> str:
    """A cell: `yes`, `no`, or nothing. What begins like a formula is quoted, so that no spreadsheet runs it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value or ""
