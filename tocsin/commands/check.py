"""`tocsin check`: validate a configuration and its policy, and prove on-call coverage."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from escalation.hosts import is_loopback
from escalation.oncall.coverage import Gap, gaps
from escalation.times import parse_duration
from tocsin.commands import output
from tocsin.commands.incidents import NO_ARRANGEMENTS, arrangements
from tocsin.commands.terminal import as_json, print_json
from tocsin.config import loader
from tocsin.config.action_checks import unusable_secrets
from tocsin.config.loader import ConfigError, Finding
from tocsin.config.settings import Settings, load, read
from tocsin.run import channels
from workers.recurring.probes import Seen, probe


def _parse_length(_: click.Context, __: click.Parameter, text: str | None) -> timedelta | None:
    try:
        return parse_duration(text) if text else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--coverage",
    "window",
    metavar="LENGTH",
    callback=_parse_length,
    help="Also find gaps in on-call coverage, in every tier of every severity, for this long from now, like 90d.",
)
@as_json
def check(file: Path | None, window: timedelta | None, as_json: bool) -> None:
    """Validate a configuration: FILE, or TOCSIN_CONFIG. Prints file and line, what is wrong, and how to fix it."""
    path = file or load(("TOCSIN_CONFIG",)).config
    errors, warnings = findings(path)
    covered = coverage(path, window) if window and not errors else None
    running = [] if errors else compared_with_running(path)
    exposed = [*exposures(read()[0]), *([] if errors else map(str, unusable_secrets(loader.load(path).company)))]
    tried = [] if errors else tried_once(path)
    places = [] if errors else places_tried(path)
    if as_json:
        report = {"file": str(path), "ok": not errors, "errors": _rows(errors), "warnings": _rows(warnings)}
        report |= {
            "running": running,
            "settings": exposed,
            "checks": [{"name": name, **seen._asdict()} for name, seen in tried],
            "reviews": [{"place": place, "ok": not why, "text": why} for place, why in places],
        }
        print_json(report | ({"coverage": covered.as_data()} if covered else {}))
    else:
        lines = [*finding_lines(path, errors, warnings), *running, *exposed, *(covered.lines() if covered else [])]
        lines += [f"check {name} {'works' if seen.ok else 'fails'}: {seen.text}" for name, seen in tried]
        lines += [f"reviews can go to {place}" if not why else f"reviews: {place}: {why}" for place, why in places]
        click.echo("\n".join(lines))
    if errors or (covered and covered.gaps):
        raise click.exceptions.Exit(1)


def exposures(settings: Settings) -> list[str]:
    """Warnings about our own address, one line each."""
    parts = urlsplit(settings.public_url)
    if parts.scheme != "http" or is_loopback(parts.hostname or ""):
        return []
    return ["TOCSIN_URL: http lets others on the way read links that acknowledge pages; use https where you can"]


@dataclass(frozen=True)
class Coverage:
    """Gaps in on-call coverage between two instants.

    `complete` is true if overrides, absences and calendars of a running instance were taken into account.
    """

    start: datetime
    end: datetime
    gaps: tuple[Gap, ...]
    complete: bool

    def lines(self) -> list[str]:
        """The gaps as lines, or a verdict."""
        span = f"from {self.start:%Y-%m-%d %H:%M} until {self.end:%Y-%m-%d %H:%M} UTC"
        verdict = [] if self.gaps else [f"covered: every tier of every severity has somebody at every instant {span}."]
        return [*output.gap_lines(self.gaps), *verdict, *([] if self.complete else [NO_ARRANGEMENTS])]

    def as_data(self) -> dict[str, Any]:
        """The gaps for scripts."""
        return {
            "from": self.start.isoformat(),
            "until": self.end.isoformat(),
            "covered": not self.gaps,
            "arrangements": self.complete,
            "gaps": [gap.model_dump(mode="json") for gap in self.gaps],
        }


def coverage(path: Path, window: timedelta) -> Coverage:
    """Find gaps in all rotations from now on, with the overrides and absences of the running instance."""
    loaded = loader.load(path)
    start = datetime.now(UTC)
    known = arrangements(load(("REDIS_URL", "TOCSIN_DATA")))
    uncovered = gaps(loaded.company, loaded.policy, known.state, start, start + window, known.directory)
    return Coverage(start, start + window, uncovered, known.available)


def compared_with_running(path: Path) -> list[str]:
    """What an edit changes for those on call, and what their calendars say, by the instance that runs now."""
    company = loader.load(path).company
    known = arrangements(load(("REDIS_URL", "TOCSIN_DATA"))) if company.rotations else None
    if known is None or not known.available:
        return []
    now = datetime.now(UTC)
    lines = (output.rotation_notes(name, company, known.state, now) for name in company.rotations)
    return list(chain.from_iterable(lines))


def tried_once(path: Path) -> list[tuple[str, Seen]]:
    """Try each of the configuration's `checks` once, from here: the workers may see something else.

    A heartbeat is left out: it comes by itself.
    """
    checks = [check for check in loader.load(path).company.checks if not check.heartbeat]
    with ThreadPoolExecutor(max(1, min(32, len(checks)))) as pool:
        return list(zip((check.name for check in checks), pool.map(probe, checks), strict=True))


def places_tried(path: Path) -> list[tuple[str, str]]:
    """Try the places where finished reviews are published, each with what is wrong there; nothing is created."""
    tried = channels.try_places(read()[0], loader.load(path).company)
    return [
        (f"{name} in {vendor.words}", refusal.reason.sentence() if refusal else "") for vendor, name, refusal in tried
    ]


def findings(path: Path) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Errors and warnings of a configuration. A severity that would page nobody at first is an error."""
    try:
        loaded = loader.load(path)
    except ConfigError as error:
        return error.findings, ()
    return loaded.gaps, loaded.warnings


def finding_lines(path: Path, errors: tuple[Finding, ...], warnings: tuple[Finding, ...]) -> list[str]:
    """Errors and warnings as lines, and a verdict."""
    lines = [*map(str, errors), *(f"{w.file}:{w.line}: warning: {w.text}" for w in warnings)]
    count = f"{len(errors)} {'thing is' if len(errors) == 1 else 'things are'} wrong"
    return [*lines, f"{path}: {count}." if errors else f"{path} is fine."]


def _rows(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [f._asdict() for f in findings]
