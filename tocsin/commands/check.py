"""`tocsin check`: validate a configuration and its policy, and prove on-call coverage."""

from collections.abc import Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from redis import RedisError

from bot.render.inputs import MAX_OPTIONS
from escalation.config.actions import BUTTON
from escalation.hosts import is_loopback
from escalation.notify.methods import PERSONAL
from escalation.oncall.coverage import Gap, gaps
from escalation.storage.public.maintenance import PlannedMaintenance
from escalation.times import parse_duration
from tocsin.accounts import UNREACHABLE, accounts, client_of, error_of
from tocsin.commands import output
from tocsin.commands.incidents import NO_ARRANGEMENTS, arrangements, open_store
from tocsin.commands.terminal import as_json, print_json
from tocsin.config import loader
from tocsin.config.action_checks import unusable_secrets
from tocsin.config.loader import ConfigError, Finding
from tocsin.config.settings import Settings, load, read
from tocsin.errors import Refusal
from tocsin.run import channels
from workers.recurring.probes import Seen, probe

OPTIONS_URL = (
    "Over HTTP that needs an Options Load URL: Interactivity & Shortcuts, Select Menus, "
    "the same address as the Request URL (`message_menu_options_url` in the manifest)."
)
NOTHING_SET_UP = "Neither SMS, calls nor push are set up here: whoever has an address for them counts as woken."
UNASKED = "Not all Slack accounts could be looked at ({}). `tocsin doctor` says more."


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
    doubts, unasked = ((), "") if errors else accounts_asked(path)
    menus = [] if errors else searched_menus(path)
    if as_json:
        report = {"file": str(path), "ok": not errors, "errors": _rows(errors), "warnings": _rows(warnings)}
        report |= {
            "running": running,
            "settings": exposed,
            "accounts": _rows(doubts),
            "accounts_unasked": unasked,
            "menus": menus,
            "checks": [{"name": name, **seen._asdict()} for name, seen in tried],
            "reviews": [{"place": place, "ok": not why, "text": why} for place, why in places],
        }
        print_json(report | ({"coverage": covered.as_data()} if covered else {}))
    else:
        lines = [
            *finding_lines(path, errors, (*warnings, *doubts)),
            *([unasked] if unasked else []),
            *running,
            *menus,
            *exposed,
            *(covered.lines() if covered else []),
        ]
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

    `complete` is true if overrides, absences and calendars of a running instance were taken into account, `assumed` if
    no channel that wakes anybody is set up here.
    """

    start: datetime
    end: datetime
    gaps: tuple[Gap, ...]
    complete: bool
    assumed: bool = False

    def lines(self) -> list[str]:
        """The gaps as lines, or a verdict."""
        span = f"from {self.start:%Y-%m-%d %H:%M} until {self.end:%Y-%m-%d %H:%M} UTC"
        verdict = [] if self.gaps else [f"covered: every tier of every severity has somebody at every instant {span}."]
        notes = [*([] if self.complete else [NO_ARRANGEMENTS]), *([NOTHING_SET_UP] if self.assumed else [])]
        return [*output.gap_lines(self.gaps), *verdict, *notes]

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
    wakes = frozenset(via for via in channels.set_up(read()[0]) if via.wakes)
    found = gaps(loaded.company, loaded.policy, known.state, start, start + window, known.directory, wakes or PERSONAL)
    return Coverage(start, start + window, found, known.available, not wakes)


def compared_with_running(path: Path) -> list[str]:
    """What an edit changes, compared with the instance that runs now."""
    return [*oncall_changes(path), *maintenance_changes(path)]


def maintenance_changes(path: Path) -> list[str]:
    """Planned maintenance that the running instance announced and this configuration lacks: it will be cancelled."""
    page = loader.load(path).company.status_page
    if page is None:  # nothing of it is shown, or told, any more
        return []
    try:
        store = open_store(load(("REDIS_URL", "TOCSIN_DATA")))
        taken_out = PlannedMaintenance(store.redis).taken_out(page.maintenance, datetime.now(UTC))
    except (Refusal, RedisError):
        return []
    return [output.taken_out(gone.window) for gone in taken_out]


def oncall_changes(path: Path) -> list[str]:
    """What an edit changes for those on call, and what their calendars say."""
    company = loader.load(path).company
    known = arrangements(load(("REDIS_URL", "TOCSIN_DATA"))) if company.rotations else None
    if known is None or not known.available:
        return []
    now = datetime.now(UTC)
    lines = (output.rotation_notes(name, company, known.state, now) for name in company.rotations)
    return [*output.left_notes(company, known.state, now), *chain.from_iterable(lines)]


def searched_menus(path: Path) -> list[str]:
    """Say of what there is more than one of Slack's menus shows: nothing is left out, but found by typing.

    Over HTTP Slack asks for what fits at an address of its own: https://docs.slack.dev/reference/app-manifest
    """
    loaded, settings = loader.load(path), read()[0]
    page, by_hand = loaded.company.status_page, [a for a in loaded.company.actions if BUTTON in a.when]
    listed: dict[str, Sized] = {
        "services": loaded.company.services,
        "roles": loaded.policy.roles,
        "components of the status page": page.components if page else (),
        "actions with a button": by_hand,
    }
    beside = {"services": 1}  # "None of these"
    many = [f"{len(names)} {what}" for what, names in listed.items() if len(names) + beside.get(what, 0) > MAX_OPTIONS]
    if not many:
        return []
    said = f"{', '.join(many)}: a menu in Slack shows {MAX_OPTIONS}, so forms search all of them as one types."
    over_http = settings.app_token is None and bool(settings.signing_secret)
    return [f"{said} {OPTIONS_URL}" if over_http else said]


def accounts_asked(path: Path) -> tuple[tuple[Finding, ...], str]:
    """Ask Slack who stands behind the roles: what keeps them from answering, and why not all were asked.

    As `tocsin init` does, only with SLACK_BOT_TOKEN; elsewhere `tocsin doctor` tells.
    """
    settings = read()[0]
    if settings.local or not settings.bot_token.get_secret_value():
        return (), ""
    client, source, doubts = client_of(settings), loader.Source(path), list[Finding]()
    try:
        own_team = client.auth_test()["team_id"]
    except UNREACHABLE as error:
        return (), UNASKED.format(error_of(error))
    for account in accounts(client, loader.load(path).company, own_team):
        if not account.asked:
            return tuple(doubts), UNASKED.format(account.what)
        if account.remedy:
            doubts.append(source.finding(account.place, f"{account.what}; {account.remedy}"))
    return tuple(doubts), ""


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
