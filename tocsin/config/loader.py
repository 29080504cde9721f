"""Load and validate a configuration and its policy. All errors are reported at once, each as `FILE:LINE: what`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

import escalation
from bot.alerts.sources import ALL_SOURCES
from bot.render.blockkit import OPTION
from bot.render.inputs import MAX_VALUE
from bot.render.mrkdwn import size
from escalation.config import references
from escalation.config.company import DYNAMIC, Company
from escalation.config.notify import Via
from escalation.config.policy import Policy
from escalation.incident.events.moves import Move
from escalation.messages import template
from tocsin.config import action_checks, alert_checks, errors, holidays, policy_checks, yaml_lines
from tocsin.config.yaml_lines import Document, Fault

PERMISSIONS = {"declare", *(str(m) for m in Move)}
SHIPPED = Path(escalation.__file__).with_name("policies")
M = TypeVar("M", bound=BaseModel)


class Finding(NamedTuple):
    """An error or warning about a line of a file."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


class ConfigError(Exception):
    """All errors of a configuration, one line each."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(map(str, findings)))


@dataclass(frozen=True)
class Loaded:
    """A valid configuration. `warnings` do not stop it; `gaps` are first tiers in which nobody would be paged."""

    company: Company
    policy: Policy
    warnings: tuple[Finding, ...] = ()
    gaps: tuple[Finding, ...] = ()


class Source:
    """One YAML file while it is validated, with its faults so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.document = yaml_lines.parse(path.read_text(encoding="utf-8"))
        except OSError as error:
            self.document = Document(faults=[Fault(1, f"cannot be read: {error.strerror}")])
        except UnicodeDecodeError:
            self.document = Document(faults=[Fault(1, "cannot be read: it is not UTF-8 text")])
        self.faults = list(self.document.faults)

    def add_fault(self, path: references.Path, text: str) -> None:
        """Record a fault at the line of a path."""
        self.faults.append(Fault(self.document.line(path), text))

    def finding(self, path: references.Path, text: str) -> Finding:
        """A finding at the line of a path."""
        return Finding(str(self.path), self.document.line(path), text)

    def findings(self) -> list[Finding]:
        """All faults, in the order of their lines."""
        unique = dict.fromkeys(sorted(self.faults, key=lambda f: f.line))
        return [Finding(str(self.path), f.line, f.text) for f in unique]

    def validate(self, model: type[M], unknown: Callable[[Any], Iterable[references.Finding]]) -> M | None:
        """Validate the file: its value, or None and faults. `unknown` finds undefined names, each with its own line.

        The model finds them too, but only the first, for the file as a whole, and only when nothing else is wrong.
        """
        named = list(unknown(self.document.data))
        for path, text in named:
            self.add_fault(path, text)
        if not isinstance(self.document.data, dict):
            if not self.faults:
                self.add_fault((), "holds no settings; `tocsin init` writes a configuration")
            return None
        try:
            return model.model_validate(self.document.data)
        except ValidationError as error:
            self.faults += errors.faults(error, model, self.document, whole=not named)
            return None


def load(path: Path) -> Loaded:
    """Load a configuration and the policy that it names. ConfigError lists all errors of both files."""
    source = Source(path)
    company = source.validate(Company, _unknown)
    _check_countries(source)
    _check_templates(source)
    _check_names(source, "services")
    policy_source = _policy_source(source)
    policy = policy_source.validate(Policy, references.unknown_roles) if policy_source else None
    if policy_source:
        _check_names(policy_source, "roles")
    findings = source.findings() + (policy_source.findings() if policy_source else [])
    if findings or company is None or policy_source is None or policy is None:
        raise ConfigError(findings)
    if unknown := [source.finding(place, text) for place, text in action_checks.unknown_moments(company, policy)]:
        raise ConfigError(unknown)
    company = _with_holidays(company, datetime.now(UTC).year)
    ineffective = [policy_source.finding(place, text) for place, text in policy_checks.ineffective_checkpoints(policy)]
    warnings = (*_warnings(source, company, policy), *ineffective)
    return Loaded(company, policy, warnings, tuple(_gaps(source, company, policy)))


def _with_holidays(company: Company, year: int) -> Company:
    """Add the public holidays to the calendars of the company and its offices."""
    offices = {name: holidays.with_holidays(office, year) for name, office in company.offices.items()}
    return company.model_copy(update={"calendar": holidays.with_holidays(company.calendar, year), "offices": offices})


def load_policy(name: str) -> Policy:
    """Load a policy: a shipped one by its name, or a file. ConfigError lists its errors."""
    policy_source = Source(Path(name) if is_path(name) else SHIPPED / f"{name}.yml")
    policy = policy_source.validate(Policy, references.unknown_roles)
    if policy is None or policy_source.faults:
        raise ConfigError(policy_source.findings())
    return policy


def shipped_policies() -> list[str]:
    """Names of the shipped policies."""
    return sorted(p.stem for p in SHIPPED.glob("*.yml"))


def is_path(policy: str) -> bool:
    """True if `policy:` names a file rather than a shipped policy."""
    return "/" in policy or policy.endswith((".yml", ".yaml"))


def _unknown(data: Any) -> Iterator[references.Finding]:
    """Find undefined names in a configuration, and unknown moves in its permissions."""
    yield from references.unknown_names(data)
    for move in references.section(data, "permissions"):
        if move not in PERMISSIONS:
            hint = references.suggest(move, PERMISSIONS)
            yield ("permissions", move), f"nothing is called '{move}' that could be permitted{hint}"


def _check_countries(source: Source) -> None:
    """Check that the country of each calendar is known."""
    data = source.document.data
    paths = (("calendar",), *(("offices", name) for name in references.section(data, "offices")))
    for path in paths:
        where = references.section(data, *path).get("holidays")
        if isinstance(where, str) and (why := holidays.place_error(where)):
            source.add_fault((*path, "holidays"), why)


def _check_templates(source: Source) -> None:
    """Check each of the company's own templates by rendering it."""
    for name, text in references.section(source.document.data, "templates").items():
        if isinstance(text, str) and (why := template.check(name, text)):
            source.add_fault(("templates", name), f"templates.{name}: {why}")


def _check_names(source: Source, key: str) -> None:
    """Check that Slack's menus take the names under a key: a form with a longer one would not open at all."""
    for name in references.section(source.document.data, key):
        if size(str(name)) > MAX_VALUE:
            source.add_fault(
                (key, name), f"'{name}' is too long a name for Slack's menus: {MAX_VALUE} characters at most"
            )


def _policy_source(source: Source) -> Source | None:
    """Open the policy's file, relative to the configuration. A missing one is a fault of the configuration."""
    name = references.section(source.document.data).get("policy")
    if not isinstance(name, str):
        return None
    shipped = shipped_policies()
    path = source.path.parent / Path(name).expanduser() if is_path(name) else SHIPPED / f"{name}.yml"
    if is_path(name) and not path.is_file():
        source.add_fault(("policy",), f"there is no policy file {path}; the path is relative to this file")
    elif not is_path(name) and name not in shipped:
        source.add_fault(
            ("policy",), f"there is no policy '{name}'; shipped are: {', '.join(shipped)}; or give a file's path"
        )
    else:
        return Source(path)
    return None


def _warnings(source: Source, company: Company, policy: Policy) -> Iterator[Finding]:
    yield from _without_address(source, company)
    yield from _without_country(source, company)
    doubts = chain(
        alert_checks.missing_severities(company, policy),
        alert_checks.doubtful_routes(company.alerts, policy, ALL_SOURCES),
        action_checks.open_addresses(company),
        policy_checks.untold(company, policy),
        _cut_names(company),
    )
    yield from (source.finding(place, text) for place, text in doubts)
    for role in company.roles:
        if role not in policy.roles:
            yield source.finding(
                ("roles", role), f"policy {policy.name} never pages the role '{role}'; people still can"
            )
    paged = {role for severity in policy.severities.values() for role in severity.roles()}
    for role, name in policy.roles.items():
        if not company.roles.get(role) and role not in DYNAMIC:
            skipped = ", or that page is skipped" if role in paged else ""
            place = ("roles", role) if role in company.roles else ("roles",)
            yield source.finding(place, f"nobody is {name}; add `{role}: …` under roles{skipped}")


def _cut_names(company: Company) -> Iterator[references.Finding]:
    """Warn about services whose names a menu does not show to their end."""
    for name in company.services:
        if size(name) > OPTION:
            yield (
                ("services", name),
                f"Slack's menus show {OPTION} characters of '{name}'; a shorter name is told apart",
            )


def _without_address(source: Source, company: Company) -> Iterator[Finding]:
    """Warn about people whom a page by mail would not reach, unless Slack shows an address."""
    if Via.MAIL not in (*company.other_ways.page, *company.other_ways.slack_down):
        return
    for key, entry in company.people.items():
        if not (entry.mail or entry.email):
            text = f"{key} has no address, and pages go by mail too; add `mail: …`, or Slack's profile has to show one"
            yield source.finding(("people", key), text)


def _without_country(source: Source, company: Company) -> Iterator[Finding]:
    """Warn about telephone numbers that nobody can call from elsewhere, and that are never used therefore."""
    for key, entry in company.people.items():
        if entry.phone and not entry.number:
            text = (
                f"'{entry.phone}' has no country code, so {key} gets no SMS and no call; "
                'write + and the country code, like "+4915112345678", in quotes'
            )
            yield source.finding(("people", key, "phone"), text)


def _gaps(source: Source, company: Company, policy: Policy) -> Iterator[Finding]:
    """Find severities that would page nobody at first. Tickets are exempt: they notify their team's channel."""
    for severity, rules in policy.severities.items():
        first = rules.tiers[0]
        if rules.ticket and not rules.at_once:
            continue
        if not any(company.roles.get(role) or company.follows_service(role) for role in first.roles):
            who = ", ".join(first.roles)
            empty = next((role for role in first.roles if role in company.roles), "")
            yield source.finding(
                ("roles", empty) if empty else ("roles",),
                f"a {severity} would page nobody at first; give one of these roles to somebody: {who}",
            )
