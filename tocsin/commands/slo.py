"""`tocsin slo`: report how well Tocsin met its own objective, from the latencies that its workers recorded."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from escalation.slo import REPORT_PERIOD, Report, objective_result, percent, seconds
from tocsin.commands.incidents import NEEDS, open_store
from tocsin.commands.terminal import Length, as_json, print_json, print_table
from tocsin.config import loader
from tocsin.config.settings import load


@click.command()
@click.option(
    "--last", type=Length(), default=REPORT_PERIOD, metavar="D", help="How far to look back: 24h, 7d (default: 30d)."
)
@as_json
def slo(last: timedelta, as_json: bool) -> None:
    """Report late, lost and doubled pages and checkpoints. Exit code 1 when the objective was missed."""
    settings = load(NEEDS)
    objective, store = loader.load(settings.config).company.objective, open_store(settings)
    report = store.report(objective, last, store.now())
    canaries = sorted(store.canary.times(report.since))
    if as_json:
        print_json(report_data(report) | {"canary": canaries})
    else:
        _show(report)
        if canaries:
            middle, most = seconds(canaries[len(canaries) // 2]), seconds(canaries[-1])
            click.echo(f"\nCanary: {len(canaries):,} arrived; p50 {middle}, max {most}.")
    raise SystemExit(1 if report.met is False else 0)


def report_data(report: Report) -> dict[str, Any]:
    """The report for scripts: times in seconds, shares in per cent. `met` and `share` are null if nobody was paged."""
    objective = {"within": report.objective.within.total_seconds(), "share": report.objective.share}
    return {
        "since": report.since.isoformat(),
        "until": report.until.isoformat(),
        "objective": objective,
        "met": report.met,
        "share": report.share,
        "pages": report.pages,
        "pages_in_time": report.pages_in_time,
        "lost": report.lost,
        "doubled": report.doubled,
        "early": report.early,
        "kinds": [asdict(row) for row in report.rows],
    }


def _show(report: Report) -> None:
    click.echo("\n".join(objective_result(report)))
    rows = [
        (r.kind, f"{r.count:,}", f"{percent(100 * r.in_time / r.count)} %", *map(seconds, (r.p50, r.p99, r.most)))
        for r in report.rows
    ]
    if rows:
        click.echo()
        print_table(("what", "count", "in time", "p50", "p99", "max"), rows)
