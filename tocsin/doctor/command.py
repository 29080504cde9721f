"""`tocsin doctor`: looks at everything that Tocsin needs, one line each, with a remedy beside each failure."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from escalation.config.company import Company
from escalation.hosts import forget_proxies_for
from tocsin.commands import check
from tocsin.commands.terminal import as_json, print_json
from tocsin.config import loader
from tocsin.config.settings import Problem, Settings, read
from tocsin.doctor.finding import Finding, fine, no, perhaps
from tocsin.doctor.redis_checks import redis_findings
from tocsin.doctor.slack_checks import slack_findings

MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


@click.command()
@as_json
def doctor(as_json: bool) -> None:
    """Look at everything that Tocsin needs. One line each, with a remedy beside each failure."""
    settings, problems = read()
    forget_proxies_for(settings.api_url, os.environ)
    findings = examine(settings, problems)
    if as_json:
        found = list(findings)
        print_json({"ok": not any(f.state == "failed" for f in found), "findings": [f._asdict() for f in found]})
    else:
        found = [_said(f) for f in findings]
    if any(f.state == "failed" for f in found):
        raise click.exceptions.Exit(1)


def examine(settings: Settings, problems: list[Problem]) -> Iterator[Finding]:
    """Every finding, as soon as it is known."""
    yield from (no("settings", p.variable, p.text) for p in problems)
    named = None if any(p.variable == "TOCSIN_CONFIG" for p in problems) else settings.config
    if named:
        yield from config_findings(named)
    yield from redis_findings(settings)
    yield from slack_findings(settings, _company(named) if named else None)


def config_findings(path: Path) -> Iterator[Finding]:
    """The configuration and its policy."""
    errors, warnings = check.findings(path)
    yield from (no("configuration", f"{e.file}:{e.line}", e.text) for e in errors)
    yield from (perhaps("configuration", f"{w.file}:{w.line}", w.text) for w in warnings)
    if not errors:
        yield fine("configuration", f"{path} is usable")


def _company(path: Path) -> Company | None:
    """The people to look for; None when the configuration cannot be used, which was said line by line."""
    try:
        return loader.load(path).company
    except loader.ConfigError:
        return None


def _said(finding: Finding) -> Finding:
    """Print it at once: some of what follows waits for the network."""
    mark, colour = MARKS[finding.state]
    remedy = f" → {finding.remedy}" if finding.remedy else ""
    click.echo(f"{click.style(mark, fg=colour)} {finding.about}: {finding.what}{remedy}")
    sys.stdout.flush()
    return finding
