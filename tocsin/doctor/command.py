"""`tocsin doctor`: run health checks, one line each, with a remedy beside each failure."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from escalation.hosts import drop_proxies_for
from tocsin.commands import check
from tocsin.commands.terminal import as_json, print_json
from tocsin.config import loader
from tocsin.config.loader import Loaded
from tocsin.config.settings import Problem, Settings, read
from tocsin.doctor.channel_checks import channel_findings, service_findings
from tocsin.doctor.finding import Finding, failed, ok, warning
from tocsin.doctor.people_checks import people_findings
from tocsin.doctor.redis_checks import redis_findings
from tocsin.doctor.slack_checks import slack_findings
from tocsin.doctor.tracker_checks import review_findings, tracker_findings
from tocsin.run import workspace

REMEDY = "no action is needed if that is intended; `/incident oncall` shows the schedule"
PUT_BACK = "no action is needed if that is intended; else put it back before the next restart"
MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


@click.command()
@as_json
def doctor(as_json: bool) -> None:
    """Run health checks. One line each, with a remedy beside each failure."""
    settings, problems = read()
    settings = workspace.at_its_address(settings)
    drop_proxies_for(settings.api_url, os.environ)
    findings = examine(settings, problems)
    if as_json:
        found = list(findings)
        print_json({"ok": not any(f.state == "failed" for f in found), "findings": [f._asdict() for f in found]})
    else:
        found = [_print(f) for f in findings]
    if any(f.state == "failed" for f in found):
        raise click.exceptions.Exit(1)


def examine(settings: Settings, problems: list[Problem]) -> Iterator[Finding]:
    """Yield every finding as soon as it is known."""
    yield from (failed("settings", p.variable, p.text) for p in problems)
    config = None if any(p.variable == "TOCSIN_CONFIG" for p in problems) else settings.config
    if config:
        yield from config_findings(config)
    yield from redis_findings(settings)
    yield from channel_findings(settings)
    loaded = _loaded(config) if config else None
    yield from service_findings(settings, loaded.company) if loaded else ()
    yield from people_findings(settings, loaded.company if loaded else None)
    yield from tracker_findings(settings, loaded.company if loaded else None)
    yield from review_findings(settings, loaded.company if loaded else None)
    yield from slack_findings(settings, loaded)


def config_findings(path: Path) -> Iterator[Finding]:
    """Check the configuration and its policy."""
    errors, warnings = check.findings(path)
    yield from (failed("configuration", f"{e.file}:{e.line}", e.text) for e in errors)
    yield from (warning("configuration", f"{w.file}:{w.line}", w.text) for w in warnings)
    if not errors:
        yield ok("configuration", f"{path} is usable")
        yield from (warning("on call", said.strip(), REMEDY) for said in check.oncall_changes(path))
        yield from (warning("maintenance", said, PUT_BACK) for said in check.maintenance_changes(path))


def _loaded(path: Path) -> Loaded | None:
    """The configuration whose channels and people are looked up; None for an invalid one, which was reported."""
    try:
        return loader.load(path)
    except loader.ConfigError:
        return None


def _print(finding: Finding) -> Finding:
    """Print a finding at once: later checks wait for the network."""
    mark, colour = MARKS[finding.state]
    remedy = f" → {finding.remedy}" if finding.remedy else ""
    click.echo(f"{click.style(mark, fg=colour)} {finding.about}: {finding.what}{remedy}")
    sys.stdout.flush()
    return finding
