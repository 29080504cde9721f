"""Which route an alert takes: its severity, its service, and the group of alerts that are one problem with it."""

import re
from collections.abc import Collection, Container
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Literal

from escalation.alerts.alert import Alert
from escalation.config.alerts import IGNORE, UNKNOWN, AlertRoute, Alerts, Match
from escalation.config.policy import Severity
from escalation.values import Frozen

INHIBITOR = "InfoInhibitor"  # kube-prometheus' own: it silences others, and means nothing to people
DEFAULT = AlertRoute()
ENDLESS = timedelta(days=7)  # what never ends by itself is forgotten after so long without another word


class Routed(Frozen):
    """What is to happen with an alert.

    `group` names the problem it belongs to. `dropped` says why nothing happens; `heartbeat` is how long the alert may
    be absent. `assumed` is True if its severity is ours, because the source named none that is known.
    """

    severity: Severity
    group: str
    service: str = ""
    assumed: bool = False
    dropped: str = ""
    wait: timedelta = timedelta()
    when_resolved: Literal["ask", "resolve"] = "ask"
    close_after: timedelta | None = None
    raises: bool = False
    hold: bool = False
    heartbeat: timedelta | None = None


def routed(alert: Alert, rules: Alerts, services: Container[str], levels: Collection[Severity]) -> Routed:
    """Find what is to happen with an alert: by the first route that matches, else by what its severity means.

    `levels` are the severities that the policy has.
    """
    route = next((r for r in rules.routes if matches(alert, r.match)), DEFAULT)
    mapped = rules.severity_of(alert.severity)
    known = alert.own_severity or (mapped if mapped not in (None, IGNORE) else None)
    severity = route.severity or known or UNKNOWN
    service = route.service or (alert.service if alert.service in services else "")
    return Routed(
        severity=nearest(Severity(severity), levels),
        group=_group(alert, service, route.group_by or ()),
        service=service,
        assumed=route.severity is None and known is None,
        dropped=_dropped(alert, route, ignored=mapped == IGNORE),
        wait=route.wait or timedelta(),
        when_resolved=route.when_resolved,
        close_after=route.close_after or (None if alert.ends else ENDLESS),
        raises=route.raise_,
        hold=route.hold or alert.hold,
        heartbeat=route.heartbeat,
    )


def matches(alert: Alert, match: Match) -> bool:
    """Check whether all conditions of a route hold for an alert; a label that it does not have matches nothing."""
    conditions = [
        (match.source, alert.source),
        (match.severity, alert.severity),
        (match.service, alert.service),
        (match.title, alert.title),
        *((patterns, alert.labels.get(name)) for name, patterns in match.labels.items()),
    ]
    return all(value is not None and _one_of(patterns, value) for patterns, value in conditions if patterns)


def _one_of(patterns: tuple[str, ...], value: str) -> bool:
    return any(fnmatchcase(value.lower(), pattern.lower()) for pattern in patterns)


def nearest(severity: Severity, levels: Collection[Severity]) -> Severity:
    """Find the severity that stands for one in a policy: itself, else the next worse, else the worst there is."""
    worse = [level for level in levels if level <= severity]
    return max(worse) if worse else min(levels, default=severity)


def covers(first: Match, then: Match) -> bool:
    """Check whether a condition takes every alert that another one takes. False where that is not certain."""
    fixed = ((getattr(first, key), getattr(then, key)) for key in ("source", "severity", "service", "title"))
    labels = ((wide, then.labels.get(name, ())) for name, wide in first.labels.items())
    # Every alert has a source, severity, service and title, if an empty one; a label it may lack.
    return all(any(map(_anything, wide)) or _include(wide, narrow) for wide, narrow in fixed if wide) and all(
        _include(wide, narrow) for wide, narrow in labels if wide
    )


def _include(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    return bool(narrow) and all(any(_includes(w.lower(), n.lower()) for w in wide) for n in narrow)


def _includes(wide: str, narrow: str) -> bool:
    """Check whether a pattern matches whatever another one matches: `api-*` includes `api-eu-?`."""
    if wide == narrow or _anything(wide):
        return True
    if "[" in wide or "[" in narrow:
        return "[" in wide and not set("*?[") & set(narrow) and fnmatchcase(narrow, wide)
    # The other pattern is read as text, in which * stands for many characters: only * includes it.
    pattern = "".join({"*": ".*", "?": "[^*]"}.get(letter, re.escape(letter)) for letter in wide)
    return re.fullmatch(pattern, narrow, re.DOTALL) is not None


def _anything(pattern: str) -> bool:
    return not pattern.strip("*")


def _dropped(alert: Alert, route: AlertRoute, *, ignored: bool) -> str:
    """Why nothing happens with an alert; empty when something does."""
    if route.ignore:
        return "its route ignores it"
    if alert.labels.get("alertname") == INHIBITOR:
        return f"{INHIBITOR} only silences other alerts"
    # A route that gives the alert something to do was written for it, whatever its severity.
    if ignored and route.severity is None and route.heartbeat is None and not route.hold:
        return f"severity {alert.severity} is ignored"
    return ""


def _group(alert: Alert, service: str, labels: tuple[str, ...]) -> str:
    """Name the problem: its service, else its source and name, and the labels that its route groups by."""
    about = ("service", service) if service else ("alert", alert.source, alert.labels.get("alertname") or alert.title)
    return " ".join(_quoted(part) for part in (*about, *(f"{name}={alert.labels.get(name, '')}" for name in labels)))


def _quoted(part: str) -> str:
    """A part of a name that cannot be mistaken for two."""
    return part.replace("\\", "\\\\").replace(" ", "\\ ")
