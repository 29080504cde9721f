"""`tocsin report`: figures of the incidents of a period, as a table, JSON, CSV by incident, or a page in one file."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from bot.pages.report import report_html
from escalation.config.company import Company
from escalation.figures import words
from escalation.figures.load import MOST, Load, loads, on_and_off_call
from escalation.figures.load_words import LOAD_HEADER, least, load_cells, unrecorded
from escalation.figures.periods import Period
from escalation.figures.report import MEASURES, IncidentReport, incident_report
from escalation.figures.spreadsheet import csv_of
from escalation.reports.documents import on_request
from escalation.reports.gather import LOOK_BACK, gather, recurrences_of
from escalation.reports.schedule import asks_for_means
from escalation.slo import REPORT_PERIOD
from escalation.storage.oncall.evidence import evidence
from escalation.storage.store import Store
from tocsin.commands.incidents import NEEDS, open_store
from tocsin.commands.terminal import as_json, parse_instant, print_json, print_table
from tocsin.config import loader
from tocsin.config.settings import load
from tocsin.errors import Refusal


@click.command()
@click.option("--from", "since", metavar="DAY", help="First day, like 2026-11-01, or a time (default: 30 days ago).")
@click.option("--to", "until", metavar="DAY", help="Last day, which is included, or a time (default: now).")
@click.option("--service", default="", metavar="S", help="Only incidents of one service.")
@click.option("--mean", is_flag=True, help="Show means too, beside what they hide, as where `reports` ask for them.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, a line for each incident, for spreadsheets.")
@click.option(
    "--html",
    "to_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a page for the browser, to read and to print, without private incidents.",
)
@as_json
def report(
    since: str | None, until: str | None, service: str, mean: bool, as_csv: bool, to_file: Path | None, as_json: bool
) -> None:
    """Report MTTA, MTTR and other times, promises and pages of a period's incidents, and who was on call how long."""
    settings = load(NEEDS)
    loaded, store = loader.load(settings.config), open_store(settings)
    company, mean = loaded.company, mean or asks_for_means(loaded.company, loaded.policy)
    if service and service not in company.services:
        raise Refusal(f"There is no service called {service}; there are: {', '.join(sorted(company.services))}.")
    end = parse_instant(until, company.timezone, last=True) if until else store.now()
    start = parse_instant(since, company.timezone) if since else end - REPORT_PERIOD
    if start >= end:
        raise Refusal("--from has to be before --to.")
    if to_file:
        _write_page(to_file, company, store, Period(start, end), service=service, mean=mean)
        return
    seen = store.observations(min(start - (end - start), start - LOOK_BACK))
    _, recurred = recurrences_of(store, seen)
    on_call, notes = _on_call(store, company, start, end) if not service and end - start <= MOST else ((), [])
    zones = store.directory().zones
    figures = incident_report(seen, start, end, service=service, zone=company.timezone, zones=zones, recurred=recurred)
    if as_json:
        print_json({**report_data(figures), "load": [asdict(load) for load in on_call]})
    elif as_csv:
        click.echo(csv_of(figures.observations, figures.recurred), nl=False)
    else:
        _show(figures, company.timezone, mean=mean)
        _show_on_call(on_call, notes)


def _write_page(file: Path, company: Company, store: Store, period: Period, *, service: str, mean: bool) -> None:
    """Write the page: it may be passed on, so nothing private is in it. Refusal for a file that cannot be written."""
    now = store.now()
    found = gather(store, company, period, period.since - (period.until - period.since), now, service=service)
    document, zone = on_request(found, company.timezone, mean=mean), company.timezone
    page = report_html(document, found.figures.observations, found.names, made=now, zone=zone)
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{file} cannot be written: {error.strerror}.") from None
    click.echo(f"Written to {file}.")


def _on_call(store: Store, company: Company, start: datetime, end: datetime) -> tuple[tuple[Load, ...], list[str]]:
    """Everybody's load, of rotations whoever did least first, then others; and what to say of it."""
    seen = evidence(store, company, start, min(end, store.now()))
    on_call, others = on_and_off_call(loads(company, seen))
    ranked = least(on_call) if on_call else ""
    return (*on_call, *others), list(filter(None, (ranked, unrecorded(seen.recorded_since, seen.removed_until, start))))


def _show_on_call(found: Sequence[Load], notes: Sequence[str]) -> None:
    if found:
        click.echo()
        print_table(LOAD_HEADER, [load_cells(load) for load in found])
        click.echo("\n".join(notes))


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
        "false_alarms_in_all": _share(figures.false_alarms_in_all),
        "causes": figures.causes,
        "recurrences": figures.recurrences,
        "recurred": {name: again._asdict() for name, again in figures.recurred.items()},
        "pages_by_hour": figures.by_hour,
        "pages_at_night": figures.at_night,
    }


def _share(share: Any) -> dict[str, Any]:
    return {"count": share.count, "of": share.of, "value": share.value}


def _show(figures: IncidentReport, zone: str, *, mean: bool) -> None:
    click.echo(words.title(figures, zone))
    click.echo("\n".join(words.summary(figures)))
    if not figures.severities:
        return
    click.echo()
    header, rows = words.table(figures, mean=mean)
    if rows:
        print_table(header, rows)
        click.echo()
    click.echo("\n".join((*words.definitions(figures), *([words.MEAN_HIDES] if mean and rows else []))))
    click.echo()
    causes = (f"Cause, {name}: {how_many}" for name, how_many in words.causes(figures))
    again = words.recurrences(figures)
    click.echo("\n".join((*words.promises(figures), *causes, *again, words.pages(figures))))
