"""`tocsin pay`: time on call and its pay by person and rotation, a table, JSON or CSV; a draft until it is final."""

import csv
import sys
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import click

from escalation.config.company import Company
from escalation.errors import Refused
from escalation.figures.load import COUNTS, Load, by_person
from escalation.figures.load_words import hours_of, least, unrecorded
from escalation.figures.periods import Period, parse_period
from escalation.pay.report import Change, PayReport, PayRow, changes, pay_report
from escalation.storage.oncall.evidence import evidence
from escalation.storage.oncall.pay import FinalPay, FinalPays
from tocsin.commands.incidents import NEEDS, open_store
from tocsin.commands.terminal import as_json, parse_instant, print_json, print_table
from tocsin.config import loader
from tocsin.config.settings import load
from tocsin.errors import Refusal

MINUTES = (
    *("minutes", "nights", "weekends", "holidays", "response", "working", "ordinary", "night", "weekend", "holiday"),
    *("overtime_minutes", "time_off"),
)
MONEY = ("stipend", "on_call", "overtime")
COLUMNS = ("person", "rotation", *MINUTES, "pages", "night_pages", *MONEY, "total", "currency", "state")
TABLE = ("person", "rotation", "on call", "nights", "weekends", "holidays", "pages", "at night", "in incidents")
TABLE_MONEY = ("overtime", "time off", "stipend", "on-call pay", "overtime pay", "total")


@click.command()
@click.option("--from", "since", metavar="DAY", help="First day, like 2026-11-01, or a time (default: last month's).")
@click.option("--to", "until", metavar="DAY", help="Last day, which is included, or a time (default: last month's).")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, a line for each person and rotation, in minutes.")
@click.option("--final", is_flag=True, help="Mark it as final: these figures stay, and later runs say what changed.")
@click.option("--reopen", is_flag=True, help="Make a final report of this period a draft again.")
@as_json
def pay(since: str | None, until: str | None, as_csv: bool, final: bool, reopen: bool, as_json: bool) -> None:
    """Report time on call, pages and pay by person and rotation, from who was really on call."""
    settings = load(NEEDS)
    company, store = loader.load(settings.config).company, open_store(settings)
    period, now = _period(since, until, company, store.now()), store.now()
    finals = FinalPays(store.redis)
    if reopen and not finals.reopen(*period):
        raise Refusal("There is no final report of exactly this period.")
    made, kept = pay_report(company, evidence(store, company, *period)), finals.of(*period)
    if final:
        kept = _mark(finals, made, kept, now)
    shown = kept.report if kept else made
    changed = changes(kept.report, made) if kept and made.whole else ()
    if as_json:
        print_json(pay_data(shown, kept, changed))
    elif as_csv:
        _print_csv(shown, kept)
        if not shown.whole:
            click.echo(unrecorded(shown.recorded_since, shown.removed_until, shown.start), err=True)
    else:
        _show(shown, kept, changed, company, _unknown(made, kept, finals))


def _period(since: str | None, until: str | None, company: Company, now: datetime) -> Period:
    """The period asked for, in whole minutes; what is still to come is left out."""
    if not since and not until:
        return parse_period("last month", now, company.timezone)
    if not since:
        raise Refusal("Give --from as well: what is paid needs a beginning.")
    start = parse_instant(since, company.timezone)
    end = parse_instant(until, company.timezone, last=True) if until else now
    start, end = (at.replace(second=0, microsecond=0) for at in (start, min(end, now)))
    if start >= end:
        raise Refusal("--from has to be before --to, and before now.")
    return Period(start, end)


def _unknown(made: PayReport, kept: FinalPay | None, finals: FinalPays) -> str:
    """What cannot be said any more of whether it is final, because of what retention removed; empty if all can."""
    if kept:
        return "" if made.whole else "What changed since it was marked as final is not known: the record was removed."
    return finals.forgotten(made.start) or ("" if made.whole else "What is left of it cannot be marked as final.")


def _mark(finals: FinalPays, made: PayReport, kept: FinalPay | None, now: datetime) -> FinalPay:
    if kept:
        raise Refusal(
            f"It is final since {kept.at:%Y-%m-%d %H:%M} UTC. Run it without --final to see what changed since; "
            "--reopen makes it a draft again."
        )
    if not made.whole:
        raise Refusal(f"{unrecorded(made.recorded_since, made.removed_until, made.start)} That cannot be final.")
    try:
        finals.keep(made, now)
    except Refused as refused:
        raise Refusal(str(refused)) from None
    return FinalPay(at=now, report=made)


# What is shown ---------------------------------------------------------------------------------------------------


def pay_data(report: PayReport, kept: FinalPay | None, changed: tuple[Change, ...]) -> dict[str, Any]:
    """The report for scripts: minutes as numbers, money as text, so that it stays exact."""
    return {
        "since": report.start.isoformat(),
        "until": report.end.isoformat(),
        "state": _state(kept),
        "final_since": kept.at.isoformat() if kept else None,
        "currency": report.currency or None,
        "cover_recorded_since": report.recorded_since.isoformat() if report.recorded_since else None,
        "cover_removed_until": report.removed_until.isoformat() if report.removed_until else None,
        "rows": [{**row.model_dump(mode="json"), "total": f"{row.total:f}"} for row in report.rows],
        "uncovered_minutes": report.uncovered,
        "still_open": list(report.still_open),
        "least": [load.person for load in _ranked(report)],
        "changed": [change.model_dump() for change in changed],
    }


def _state(kept: FinalPay | None) -> str:
    return "final" if kept else "draft"


def _ranked(report: PayReport) -> tuple[Load, ...]:
    """Everybody of a rotation, whoever did least first."""
    rows = [row for row in report.rows if row.rotation]
    return by_person([Load(row.person, row.rotation, **{name: getattr(row, name) for name in COUNTS}) for row in rows])


def _print_csv(report: PayReport, kept: FinalPay | None) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in report.rows:
        money = [f"{getattr(row, name):f}" for name in MONEY] + [f"{row.total:f}"]
        minutes = [getattr(row, name) for name in MINUTES]
        about = [report.currency, _state(kept)]
        writer.writerow([row.person, row.rotation, *minutes, row.pages, row.night_pages, *money, *about])


def _show(
    report: PayReport, kept: FinalPay | None, changed: tuple[Change, ...], company: Company, unknown: str
) -> None:
    zone = ZoneInfo(company.timezone)
    start, end = (f"{at.astimezone(zone):%Y-%m-%d %H:%M}" for at in (report.start, report.end))
    state = f"final since {kept.at.astimezone(zone):%Y-%m-%d %H:%M}" if kept else "draft"
    click.echo(f"On call from {start} until {end} {company.timezone}: {state}")
    click.echo()
    rows = [_cells(row, report) for row in report.rows]
    print_table((*TABLE, *(TABLE_MONEY if report.currency else ())), [*rows, *_total(report)])
    click.echo()
    for note in notes(report, kept, changed, company, unknown):
        click.echo(note)


def _cells(row: PayRow, report: PayReport) -> list[str]:
    hours = [hours_of(getattr(row, name)) for name in ("minutes", "nights", "weekends", "holidays")]
    cells = [row.person, row.rotation or "(none)", *hours, str(row.pages), str(row.night_pages), hours_of(row.response)]
    if report.currency:
        cells += [hours_of(row.overtime_minutes), hours_of(row.time_off)]
        cells += [f"{amount:,f}" for amount in (row.stipend, row.on_call, row.overtime, row.total)]
    return cells


def _total(report: PayReport) -> list[list[str]]:
    if not report.rows:
        return []
    sums = {name: sum(getattr(row, name) for row in report.rows) for name in (*MINUTES, "pages", "night_pages")}
    money = {name: sum((getattr(row, name) for row in report.rows), Decimal(0)) for name in MONEY}
    person, _, *cells = _cells(PayRow(person="all", rotation="", **sums, **money), report)
    return [[person, "", *cells]]


def notes(
    report: PayReport, kept: FinalPay | None, changed: tuple[Change, ...], company: Company, unknown: str
) -> list[str]:
    """What a reader has to know of the figures: how they were made, what is missing, and what changed."""
    found = []
    if ranked := _ranked(report):
        found.append(least(ranked))
    if report.currency and company.pay:
        unit = Decimal(1).scaleb(-company.pay.decimals)
        found.append(f"Money in {report.currency}, each cell rounded half up to {unit:f}; sums are sums of cells.")
    elif not report.currency:
        found.append("No rates: `pay` is not in the configuration.")
    for rotation, minutes in report.uncovered.items():
        found.append(f"Nobody was on call in {rotation} for {hours_of(minutes)}.")
    if report.still_open:
        found.append(f"Still open, their work counts until the end of the period: {', '.join(report.still_open)}.")
    if missing := unrecorded(report.recorded_since, report.removed_until, report.start):
        found.append(missing)
    if changed:
        found.append("Changed since it was marked as final:")
        found += [f"  {c.person} {c.rotation or '(none)'}: {c.field} {c.before} -> {c.after}" for c in changed]
    elif unknown:
        found.append(unknown)
    elif kept:
        found.append("Nothing changed since it was marked as final.")
    else:
        found.append("This is a draft: check it, then mark it with --final.")
    return found
