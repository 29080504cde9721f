"""Find routes of alerts that do not do what they seem to, and severities that the policy lacks."""

from collections.abc import Collection, Iterator
from datetime import timedelta
from fnmatch import fnmatchcase

from escalation.alerts.routing import covers, nearest
from escalation.config.alerts import IGNORE, AlertRoute, Alerts, Match
from escalation.config.company import Company
from escalation.config.policy import Policy, Severity, SeverityPolicy
from escalation.config.references import Finding, Path, suggest
from escalation.times import format_duration

ROUTES: Path = ("alerts", "routes")


def doubtful_routes(rules: Alerts, policy: Policy, sources: Collection[str]) -> Iterator[Finding]:
    """Find routes that never match, take too much, or let an alert wait for longer than the policy does."""
    yield from _never_tried(rules.routes)
    for n, route in enumerate(rules.routes):
        place = (*ROUTES, n)
        yield from (((*place, "match", "source"), text) for text in _unknown_sources(route, sources))
        if route.heartbeat and not route.match.source:
            yield (
                place,
                "this heartbeat names no source, so that whatever any tool sends with these conditions keeps it quiet; "
                "add `source: …` to its match",
            )
        if text := _too_long(route, rules, policy):
            yield (*place, "wait"), text


def missing_severities(company: Company, policy: Policy) -> Iterator[Finding]:
    """Find severities that alerts and checks are given, and the policy lacks."""
    rules = company.alerts
    given: list[tuple[Path, str | None]] = [
        *((("alerts", "severities", word), severity) for word, severity in rules.severities.items()),
        *(((*ROUTES, n, "severity"), route.severity) for n, route in enumerate(rules.routes)),
        *((("checks", n, "severity"), check.severity) for n, check in enumerate(company.checks)),
    ]
    for place, severity in given:
        if severity and severity not in (IGNORE, *policy.severities):
            instead, known = nearest(Severity(severity), policy.severities), ", ".join(sorted(policy.severities))
            yield place, f"policy {policy.name} has no {severity}, so it becomes a {instead}; choose one of: {known}"


def _never_tried(routes: tuple[AlertRoute, ...]) -> Iterator[Finding]:
    """Find routes behind one that takes everything, and routes all of whose alerts an earlier one takes."""
    for n, route in enumerate(routes):
        earlier = next((e for e in range(n) if covers(routes[e].match, route.match)), None)
        later = len(routes) - n - 1
        if earlier is None and later and covers(route.match, Match()):
            behind = "the route after it is" if later == 1 else f"the {later} routes after it are"
            text = f"route {n + 1} takes every alert, so that {behind} never tried; move it to the end"
            yield (*ROUTES, n), text
            return
        if earlier is not None:
            text = f"route {n + 1} never matches: route {earlier + 1} takes all its alerts; move it up, or remove it"
            yield (*ROUTES, n), text


def _unknown_sources(route: AlertRoute, sources: Collection[str]) -> Iterator[str]:
    for pattern in route.match.source:
        if not any(fnmatchcase(name, pattern.lower()) for name in sources):
            yield f"no source is called '{pattern}'{suggest(pattern, set(sources))}"


def _too_long(route: AlertRoute, rules: Alerts, policy: Policy) -> str:
    """Why its wait is too long: the policy's first checkpoint would be over by then; empty when it is not."""
    for severity in sorted(_severities(route, rules, policy)):
        first = _first_checkpoint(policy.severities[severity])
        if route.wait and first and route.wait >= first[0]:
            wait, due = format_duration(route.wait), f"{first[1]} is due after {format_duration(first[0])}"
            return f"a {severity} may wait {wait} here before anybody is told, and its {due}; wait for less"
    return ""


def _severities(route: AlertRoute, rules: Alerts, policy: Policy) -> set[Severity]:
    """Severities that its alerts may have: its own, else what its words mean, else all."""
    if route.severity:
        return {nearest(route.severity, policy.severities)}
    meant = [rules.severity_of(word) for word in route.match.severity]
    known = {nearest(Severity(found), policy.severities) for found in meant if found and found != IGNORE}
    return known if meant and None not in meant else set(policy.severities)


def _first_checkpoint(rules: SeverityPolicy) -> tuple[timedelta, str] | None:
    timed = [(p.after.length, p.id) for p in rules.checkpoints if p.after.length and not p.after.counts_business]
    return min(timed, default=None)
