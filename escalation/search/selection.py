"""Filters of lists: severity, service, days, open or closed. Pure."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from escalation.config.policy import Severity
from escalation.config.references import suggest
from escalation.times import parse_duration

FILTERS = "severity:, service:, from:, to:, open, closed"
_DAYS = "a day like 2026-11-30, a month like 2026-11, or how long ago, like 7d"


class Selectable(Protocol):
    """What can be filtered."""

    @property
    def severity(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def declared_at(self) -> datetime: ...
    @property
    def open(self) -> bool: ...


@dataclass(frozen=True)
class Selection:
    """Which incidents a list shows. Empty sets and None take all. `until` is not in it any more."""

    severities: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    is_open: bool | None = None

    def takes(self, seen: Selectable) -> bool:
        """True if the list shows it."""
        return (
            (not self.severities or seen.severity in self.severities)
            and (not self.services or seen.service in self.services)
            and (self.since is None or seen.declared_at >= self.since)
            and (self.until is None or seen.declared_at < self.until)
            and (self.is_open is None or seen.open is self.is_open)
        )


def parse_selection(text: str, services: set[str], zone: str, now: datetime) -> tuple[Selection, str]:
    """Parse the filters among the words; returns them and the other words. ValueError says what to write."""
    selection, words = Selection(), []
    for word in text.split():
        name, colon, value = word.partition(":")
        match name.lower():
            case "severity" | "sev" if colon:
                selection = replace(selection, severities=selection.severities | _severities(value))
            case "service" if colon:
                selection = replace(selection, services=selection.services | _services(value, services))
            case "from" if colon:
                selection = replace(selection, since=first_instant(value, zone, now))
            case "to" if colon:
                selection = replace(selection, until=end_instant(value, zone, now))
            case "open" | "closed" if not colon:
                selection = replace(selection, is_open=name.lower() == "open")
            case _:
                words.append(word)
    if selection.since and selection.until and selection.since >= selection.until:
        raise ValueError("`from:` is after `to:`")
    return selection, " ".join(words)


def _severities(text: str) -> frozenset[str]:
    named = frozenset(text.upper().split(","))
    if unknown := sorted(named - set(Severity)):
        raise ValueError(f"'{unknown[0]}' is no severity: write one like severity:P0,P1")
    return named


def _services(text: str, known: set[str]) -> frozenset[str]:
    named = frozenset(text.split(","))
    if unknown := sorted(named - known):
        raise ValueError(f"there is no service '{unknown[0]}'{suggest(unknown[0], known)}")
    return named


def first_instant(text: str, zone: str, now: datetime) -> datetime:
    """Return the start of a day or month, or the instant so long ago."""
    return _span(text, zone, now)[0]


def end_instant(text: str, zone: str, now: datetime) -> datetime:
    """Return the end of a day or month, or the instant so long ago."""
    return _span(text, zone, now)[1]


def _span(text: str, zone: str, now: datetime) -> tuple[datetime, datetime]:
    try:
        if re.fullmatch(r"\d{4}-\d{2}", text):
            first = date.fromisoformat(f"{text}-01")
            after = (first + timedelta(days=31)).replace(day=1)
        elif re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            first = date.fromisoformat(text)
            after = first + timedelta(days=1)
        else:
            instant = now - parse_duration(text)
            return instant, instant
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is no time: write {_DAYS}") from None
    return _midnight(first, zone), _midnight(after, zone)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
