"""Filters of lists: severity, service, owner, source, days, open or closed. Pure."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from escalation.config.company import Company, Directory
from escalation.config.policy import Severity
from escalation.config.references import suggest
from escalation.times import parse_duration
from escalation.values import PersonId

OPEN_OR_CLOSED = ("open", "closed")
INCIDENTS = ("severity", "service", "owner", "from", "to", *OPEN_OR_CLOSED)
"""Filters of lists of incidents. The owner is who is assigned, has acknowledged, or leads."""
TICKETS = ("severity", "service", "owner", "from", "to")
ACTION_ITEMS = ("service", "owner", "from", "to")
ALERTS = ("severity", "service", "source", "from", "to")
_LIKE = {
    "severity": ":P0",
    "service": ":NAME",
    "owner": ":@dana",
    "source": ":NAME",
    "from": ":2026-11-01",
    "to": ":2026-11-30",
}
_SYNONYMS = {"sev": "severity", "since": "from", "until": "to", "assignee": "owner"}
_FILTER = re.compile(r"([a-z][a-z-]*):(?!//)(\S*)", re.IGNORECASE)
_MEMBER = re.compile(r"[UW][A-Z0-9]{2,}")
_DAYS = "a day like 2026-11-30, a month like 2026-11, or how long ago, like 7d"


class Selectable(Protocol):
    """What can be filtered."""

    @property
    def severity(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def owners(self) -> Sequence[PersonId]: ...
    @property
    def source(self) -> str: ...
    @property
    def declared_at(self) -> datetime: ...
    @property
    def open(self) -> bool: ...


@dataclass(frozen=True)
class Row:
    """A row of a list that is no incident; `declared_at` is when it came to be. What it does not have is empty."""

    declared_at: datetime
    severity: str = ""
    service: str = ""
    owners: Sequence[PersonId] = ()
    source: str = ""
    open: bool = True


@dataclass(frozen=True)
class Selection:
    """Which rows a list shows. Empty sets and None take all. `until` is not in it any more."""

    severities: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    owners: frozenset[PersonId] = frozenset()
    sources: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    is_open: bool | None = None

    def takes(self, seen: Selectable) -> bool:
        """True if the list shows it."""
        return (
            (not self.severities or seen.severity in self.severities)
            and (not self.services or seen.service in self.services)
            and (not self.owners or not self.owners.isdisjoint(seen.owners))
            and (not self.sources or seen.source in self.sources)
            and (self.since is None or seen.declared_at >= self.since)
            and (self.until is None or seen.declared_at < self.until)
            and (self.is_open is None or seen.open is self.is_open)
        )


@dataclass(frozen=True)
class Known:
    """What filters are read with. `people` finds the members who are called so; `sources` are those of alerts."""

    services: frozenset[str]
    zone: str
    now: datetime
    people: Callable[[str], frozenset[PersonId]] = lambda typed: frozenset()
    sources: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, company: Company, directory: Directory, now: datetime, me: PersonId = "", sources: Iterable[str] = ()
    ) -> "Known":
        """Read them with a company's names. `me` is who asks."""

        def people(typed: str) -> frozenset[PersonId]:
            name = typed.removeprefix("@")
            if name == "me" and me:
                return frozenset((me,))
            if name in company.people:
                return frozenset((company.member(name, directory),))
            if _MEMBER.fullmatch(name):
                return frozenset((name,))
            named = {i for i, shown in directory.names.items() if shown.casefold() == name.casefold()}
            return frozenset(named | {directory.people.get(name.lower(), "")} - {""})

        return cls(frozenset(company.services), company.timezone, now, people, frozenset(sources))


def listed(names: Sequence[str]) -> str:
    """Name the filters of a list, each as somebody may type it."""
    return ", ".join(f"`{name}{_LIKE.get(name, '')}`" for name in names)


def parse_selection(text: str, known: Known, names: Sequence[str] = INCIDENTS) -> tuple[Selection, str]:
    """Parse the filters among the words; returns them and the other words. ValueError says what to write.

    `names` are the filters that this list has: another one is refused, never ignored.
    """
    selection, words = Selection(), []
    for word in text.split():
        if word.lower() in OPEN_OR_CLOSED and word.lower() in names:
            selection = replace(selection, is_open=word.lower() == "open")
        elif match := _FILTER.fullmatch(word):
            name = _SYNONYMS.get(match[1].lower(), match[1].lower())
            if name not in names or name in OPEN_OR_CLOSED:
                raise ValueError(f"there is no filter `{match[1]}:` here, but {listed(names)}")
            selection = _with(selection, name, match[2], known)
        else:
            words.append(word)
    if selection.since and selection.until and selection.since >= selection.until:
        raise ValueError("`from:` is after `to:`")
    return selection, " ".join(words)


def _with(selection: Selection, name: str, value: str, known: Known) -> Selection:
    match name:
        case "severity":
            return replace(selection, severities=selection.severities | _severities(value))
        case "service":
            services = selection.services | _named(value, known.services, "service")
            return replace(selection, services=services)
        case "source":
            return replace(selection, sources=selection.sources | _named(value, known.sources, "source of alerts"))
        case "owner":
            return replace(selection, owners=selection.owners | _owners(value, known))
        case "from":
            return replace(selection, since=first_instant(value, known.zone, known.now))
        case _:
            return replace(selection, until=end_instant(value, known.zone, known.now))


def _owners(text: str, known: Known) -> frozenset[PersonId]:
    found = {name: known.people(name) for name in text.split(",")}
    if unknown := [name for name, members in found.items() if not members]:
        raise ValueError(f"nobody is called '{unknown[0]}': write one like owner:@dana")
    return frozenset().union(*found.values())


def _severities(text: str) -> frozenset[str]:
    named = frozenset(text.upper().split(","))
    if unknown := sorted(named - set(Severity)):
        raise ValueError(f"'{unknown[0]}' is no severity: write one like severity:P0,P1")
    return named


def _named(text: str, known: frozenset[str], what: str) -> frozenset[str]:
    named = frozenset(text.split(","))
    if unknown := sorted(named - known):
        raise ValueError(f"there is no {what} '{unknown[0]}'{suggest(unknown[0], set(known))}")
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
