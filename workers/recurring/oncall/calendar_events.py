"""Events of an iCal feed: read one by one, so that a bad one never spoils the others. Pure.

Only the properties that say who is on call and when are read. A feed is split by its text before the library sees it:
what the library refuses, or would expand for ever, is then one event, which is left out and named.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from functools import partial
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events  # type: ignore[import-untyped]  # it has hints, and no py.typed
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from escalation.config.company import Company
from escalation.config.rotations import Rotation, Shift
from escalation.times import known_zone

BEFORE, AHEAD = timedelta(days=7), timedelta(days=100)
MARGIN = timedelta(days=2)  # the library misjudges instants around a DST change: it is asked for more than is used
LONGEST = timedelta(days=400)  # an event without repeats that begins or ends further away from the window is not in it
MOST_EVENTS = 1000
MOST_STEPS = 100_000  # the library walks over every repeat since a rule began; about half a second
MOST_NAMED = 5
_PROPERTY = re.compile(r"[A-Za-z0-9-]+")
_READ = frozenset(
    [
        "UID",
        "SEQUENCE",
        "RECURRENCE-ID",
        "DTSTART",
        "DTEND",
        "DURATION",
        "RRULE",
        "RDATE",
        "EXDATE",
        "EXRULE",
        "STATUS",
        "SUMMARY",
        "ATTENDEE",
    ]
)
_WORDS = frozenset(("SUMMARY", "ATTENDEE"))  # who, not when: one that cannot be read names nobody
_STEP = {"HOURLY": timedelta(hours=1), "DAILY": timedelta(days=1)}  # rarer rules are cheap
_HOURLY_FILTERS = frozenset(("BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"))  # may match nothing until the year 9999
_ERRORS = (ValueError, KeyError, TypeError, AttributeError, OverflowError, IndexError)


class FeedProblem(Exception):
    """Raised when a calendar cannot be used; the message is shown to people on call.

    `passing` is True if its server may answer again by itself.
    """

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


@dataclass(frozen=True)
class CalendarEvent:
    """Event of a calendar: the people on call from `starts` (inclusive) until `ends` (exclusive), and its title.

    `declined`: all of them said no. Where no other event is they hold it all the same, which beats nobody.
    """

    people: tuple[str, ...]
    starts: datetime
    ends: datetime
    title: str
    declined: bool = False


@dataclass(frozen=True)
class Reading:
    """What a calendar says: its events, those that had to be left out (`problems`), and what was assumed (`notes`)."""

    events: tuple[CalendarEvent, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Source:
    """The parts of a calendar's text, as lines: its zone, the time zones that it defines, its events."""

    zone: str
    zones: tuple[list[str], ...]
    events: tuple[list[str], ...]


class _BadEvent(Exception):
    """Raised for an event that cannot be used: why."""


@dataclass(frozen=True)
class _Window:
    starts: datetime
    ends: datetime

    def far_away(self, lines: list[str]) -> bool:
        """True if an event that cannot be read does not matter: it happens once, long ago or in the far future."""
        day = _day_of(lines)
        repeats = any(_name(line) in ("RRULE", "RDATE") for line in lines)
        return bool(day and not repeats and not self.starts - LONGEST < day < self.ends + MARGIN)


def read(text: bytes, rotation: Rotation, company: Company, now: datetime) -> Reading:
    """Read the events from a week ago to a hundred days ahead. Raises FeedProblem for no calendar, or no event."""
    source = _split(text)
    window = _Window(now - BEFORE, now + AHEAD)
    zone = _zone(source, rotation)
    good, bad = _parse(source, window)
    used: list[CalendarEvent] = []
    for group in _by_uid(good):
        used += _expand(group, window, lambda event: _event(event, zone, company), bad)
    problems = [*_named(bad), *_too_many(used), *_unknown_people(used), *_declined(used)]
    if not used:
        raise FeedProblem("; ".join((f"it has no shift in the next {AHEAD.days} days", *problems)))
    return Reading(tuple(used[:MOST_EVENTS]), tuple(problems), tuple(_notes(source, good, rotation, zone)))


# The text --------------------------------------------------------------------------------------------------------


def _split(text: bytes) -> _Source:
    """Split a calendar into its events and time zones. Raises FeedProblem for anything else."""
    unfolded = re.sub(r"\r?\n[ \t]", "", text.decode("utf-8-sig", "replace"))
    lines = [line for line in re.split(r"[\r\n]+", unfolded) if line.strip()]
    if not lines or lines[0].strip().upper() != "BEGIN:VCALENDAR":
        raise FeedProblem("it is not a calendar")
    if lines[-1].strip().upper() != "END:VCALENDAR":
        raise FeedProblem("it breaks off in the middle")
    zones: list[list[str]] = []
    events: list[list[str]] = []
    part: list[str] = []
    zone = ""
    for line in lines:
        mark = line.strip().upper()
        if mark in ("BEGIN:VEVENT", "BEGIN:VTIMEZONE"):  # one that was not ended is left for the reader to refuse
            part = [line]
            (events if mark.endswith("VEVENT") else zones).append(part)
        elif mark == "END:VCALENDAR":
            part = []
        elif part:
            part.append(line)
            part = [] if mark in ("END:VEVENT", "END:VTIMEZONE") else part
        elif mark.startswith("X-WR-TIMEZONE"):
            zone = zone or line.partition(":")[2].strip()
    return _Source(zone, tuple(zones), tuple(_relevant(event) for event in events))


def _relevant(event: list[str]) -> list[str]:
    """Keep what says who and when: no alarm, no description can spoil a shift."""
    kept, inside = [], 0
    for line in event[1:]:
        name = _name(line)
        if name in ("BEGIN", "END"):
            inside = max(0, inside + (1 if name == "BEGIN" else -1))
        elif not inside and name in _READ:
            kept.append(line)
    return kept


def _name(line: str) -> str:
    match = _PROPERTY.match(line)
    return match[0].upper() if match else ""


def _value(lines: list[str], name: str) -> str:
    return next((line.partition(":")[2].strip() for line in lines if _name(line) == name), "")


def _day_of(lines: list[str]) -> datetime | None:
    """Day on which an event begins, else ends, as far as it can be told."""
    for name in ("DTSTART", "DTEND", "RECURRENCE-ID"):
        if match := re.match(r"\d{8}", _value(lines, name)):
            try:
                return datetime.strptime(match[0], "%Y%m%d").replace(tzinfo=UTC)
            except ValueError:
                continue
    return None


# Zones -----------------------------------------------------------------------------------------------------------


def _zone(source: _Source, rotation: Rotation) -> str:
    """The zone of times without one, of whole days and of unknown zones: the rotation's, else the calendar's."""
    return rotation.timezone if _is_set(rotation) else _own_zone(source) or rotation.timezone


def _is_set(rotation: Rotation) -> bool:
    return "timezone" in rotation.model_fields_set


def _own_zone(source: _Source) -> str:
    """The zone that a calendar names; empty for none, and for one that nobody knows."""
    defined = {_value(lines, "TZID") for lines in source.zones}
    named = source.zone or (defined.pop() if len(defined) == 1 else "")
    named = WINDOWS_TO_OLSON.get(named, named)
    try:
        return known_zone(named) if named else ""
    except ValueError:
        return ""


def _notes(source: _Source, good: list[Any], rotation: Rotation, zone: str) -> Iterator[str]:
    """Say which zone was assumed, wherever one had to be."""
    starts = [event["DTSTART"] for event in good]
    assumed = [start for start in starts if not isinstance(start.dt, datetime) or start.dt.tzinfo is None]
    if not assumed:
        return
    unknown = sorted({str(start.params["TZID"]) for start in assumed if "TZID" in start.params})
    if unknown:
        yield f"its time zone {' and '.join(unknown)} is unknown: such times are read in {zone}"
    own = _own_zone(source)
    if _is_set(rotation) and own and ZoneInfo(own) != ZoneInfo(zone):
        yield f"its own time zone is {own}; whole days, and times without a zone, are read in the rotation's {zone}"
    elif not _is_set(rotation) and own:
        yield f"whole days, and times without a zone, are read in the calendar's {zone}: the rotation has no `timezone`"
    elif not _is_set(rotation):
        yield f"whole days, and times without a zone, are read in {zone}: neither it nor the rotation names a time zone"


# Events ----------------------------------------------------------------------------------------------------------


def _parse(source: _Source, window: _Window) -> tuple[list[Any], list[tuple[list[str], str]]]:
    """Return the library's events, and the lines of those that cannot be read, each with the reason."""
    for lines in source.zones:  # the library remembers them by their names
        _try(partial(icalendar.Timezone.from_ical, "\r\n".join(lines)))
    good, bad = [], []
    for n, lines in enumerate(source.events):
        named = lines if _value(lines, "UID") else [f"UID:without-{n}", *lines]
        try:
            good.append(_checked(named, window))
        except _BadEvent as problem:
            if not window.far_away(lines):
                bad.append((lines, str(problem)))
    return good, bad


def _try(step: Callable[[], Any]) -> Any:
    try:
        return step()
    except _ERRORS:
        return None


def _checked(lines: list[str], window: _Window) -> Any:
    event: Any = _try(lambda: icalendar.Event.from_ical("\r\n".join(("BEGIN:VEVENT", *lines, "END:VEVENT"))))
    if event is None:
        raise _BadEvent("it cannot be read")
    for name, _ in event.errors:
        if name not in _WORDS:
            raise _BadEvent(f"its {name or 'properties'} cannot be read")
    if not hasattr(event.get("DTSTART"), "dt"):
        raise _BadEvent("it has no DTSTART" if "DTSTART" not in event else "it has more than one DTSTART")
    if "EXRULE" in event:
        raise _BadEvent("EXRULE is not supported; write EXDATE")
    if str(event.get("STATUS", "")).upper() != "CANCELLED":
        _check_end(event)
    for rule in _listed(event.get("RRULE", [])):
        _check_rule(rule, event["DTSTART"].dt, window)
    return event


def _check_end(event: Any) -> None:
    ends, starts = event.get("DTEND"), event["DTSTART"].dt
    comparable = hasattr(ends, "dt") and isinstance(ends.dt, datetime) == isinstance(starts, datetime)
    if comparable and _try(lambda: ends.dt < starts):
        raise _BadEvent("it ends before it begins")
    if "DTEND" not in event and "DURATION" not in event and isinstance(starts, datetime):
        raise _BadEvent("it has no end")


def _check_rule(rule: Any, start: date | datetime, window: _Window) -> None:
    """Refuse a rule that the library would pass over, or expand for ever."""
    frequency = str(next(iter(rule.get("FREQ", [])), "")).upper()
    if not frequency:
        raise _BadEvent("its RRULE cannot be read")
    if frequency in ("SECONDLY", "MINUTELY"):
        raise _BadEvent("it comes round every minute")
    interval = next(iter(rule.get("INTERVAL", [])), 1)
    if interval < 1 or next(iter(rule.get("COUNT", [])), 1) < 1:
        raise _BadEvent("its RRULE counts from zero")
    if frequency == "HOURLY" and _HOURLY_FILTERS & set(rule):
        raise _BadEvent("its hourly RRULE is too narrow")
    begins = datetime(start.year, start.month, start.day, tzinfo=UTC)
    often = max(1, len(rule.get("BYHOUR", []))) * max(1, len(rule.get("BYMINUTE", [])))
    often *= max(1, len(rule.get("BYSECOND", [])))
    if (window.ends - begins) / _STEP.get(frequency, timedelta(days=1)) / interval * often > MOST_STEPS:
        raise _BadEvent("it comes round too often")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _by_uid(events: Iterable[Any]) -> Iterator[list[Any]]:
    """Group events by UID: one with its changed repeats.

    Of two that neither of them changes the other, the later version (SEQUENCE) counts; equal ones are two events.
    """
    groups: dict[str, list[Any]] = {}
    for event in events:
        groups.setdefault(str(event["UID"]), []).append(event)
    for group in groups.values():
        whole = [e for e in group if "RECURRENCE-ID" not in e]
        newest = max((_version(e) for e in whole), default=0)
        first, *others = [e for e in whole if _version(e) == newest] or [None]
        yield [*([first] if first else []), *(e for e in group if "RECURRENCE-ID" in e)]
        yield from ([other] for other in others)


def _version(event: Any) -> int:
    return int(_try(lambda: int(event.get("SEQUENCE", 0))) or 0)


def _expand(
    group: list[Any], window: _Window, read: Callable[[Any], CalendarEvent | None], bad: list[tuple[list[str], str]]
) -> list[CalendarEvent]:
    """Expand an event and its changed repeats; those that cannot be, each by itself, are added to `bad`."""
    found = _try(lambda: _occurrences(group, window, read))
    if found is None and len(group) > 1:
        sound = [event for event in group if _try(partial(_occurrences, [event], window, read)) is not None]
        bad += [(_lines(event), "it cannot be read") for event in group if event not in sound]
        group, found = sound, _try(lambda: _occurrences(sound, window, read))
    if found is None or len(found) > MOST_EVENTS:
        why = "it cannot be read" if found is None else f"it comes round more than {MOST_EVENTS} times"
        bad.append((_lines(group[0]), why))
    return [] if found is None or len(found) > MOST_EVENTS else found


def _lines(event: Any) -> list[str]:
    return str(event.to_ical(), "utf-8").splitlines()


def _occurrences(group: list[Any], window: _Window, read: Callable[[Any], CalendarEvent | None]) -> list[CalendarEvent]:
    calendar: Any = icalendar.Calendar()
    for event in group:
        calendar.add_component(event)
    events = recurring_ical_events.of(calendar).between(window.starts - MARGIN, window.ends + MARGIN)
    found = (read(event) for event in events)
    return [e for e in found if e and e.starts < window.ends and e.ends > window.starts]


def _named(bad: list[tuple[list[str], str]]) -> Iterator[str]:
    """Name the events that were left out, by title and date."""
    for lines, why in bad[:MOST_NAMED]:
        day = _day_of(lines)
        dated = f"of {day:%Y-%m-%d}" if day else "without a date"
        yield f"the event '{_value(lines, 'SUMMARY')[:80]}' {dated} is left out: {why}"
    if len(bad) > MOST_NAMED:
        yield f"{len(bad) - MOST_NAMED} more events are left out"


def _too_many(used: list[CalendarEvent]) -> Iterator[str]:
    """Order the events by time and people, and say from when on they are not read any more."""
    used.sort(key=lambda e: (not e.people, e.starts))
    if len(used) > MOST_EVENTS and used[MOST_EVENTS].people:
        yield f"it has more than {MOST_EVENTS} shifts: those from {used[MOST_EVENTS].starts:%Y-%m-%d} on are not read"


def _unknown_people(used: list[CalendarEvent]) -> Iterator[str]:
    unknown = [event for event in used if not event.people]
    if unknown:
        names = ", ".join(dict.fromkeys(f"'{event.title}'" for event in unknown[:MOST_NAMED]))
        first = f"first on {unknown[0].starts:%Y-%m-%d %H:%M} UTC"
        yield f"the configuration has nobody called {names} ({first})"


def _declined(used: list[CalendarEvent]) -> Iterator[str]:
    for event in [event for event in used if event.declined][:MOST_NAMED]:
        who, day = " and ".join(event.people), f"{event.starts:%Y-%m-%d}"
        yield f"{who} declined '{event.title[:80]}' of {day}, and is on call only where no other event is"


# People and shifts -----------------------------------------------------------------------------------------------


def _event(event: Any, zone: str, company: Company) -> CalendarEvent | None:
    starts, ends = (_instant(event[name].dt, zone) for name in ("DTSTART", "DTEND"))
    if starts >= ends or str(event.get("STATUS", "")).upper() == "CANCELLED":
        return None
    people, title, declined = _people(event, company)
    return CalendarEvent(people, starts, ends, title, declined)


def _instant(at: date | datetime, zone: str) -> datetime:
    """Convert to UTC; whole days and times without a zone are in this one."""
    local = at if isinstance(at, datetime) else datetime.combine(at, time_of_day())
    return (local if local.tzinfo else local.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def _people(event: Any, company: Company) -> tuple[tuple[str, ...], str, bool]:
    """The people and the title of an event, and whether all of them declined it.

    People by the addresses of the attendees who did not decline, else by the one key, name or address in the summary;
    none if that is not clear.
    """
    listed = _listed(event.get("ATTENDEE", []))
    attendees = [str(a).lower().removeprefix("mailto:") for a in listed]
    summary = str(event.get("SUMMARY", "")).strip()
    if by_address := _at_addresses(attendees, company):
        coming = [a for a, given in zip(attendees, listed, strict=True) if not _has_declined(given)]
        people = _at_addresses(coming, company)
        return people or by_address, summary, not people
    named = tuple(key for key in company.people if _is_named(key, summary, company))
    return (named if len(named) == 1 else ()), summary or ", ".join(attendees) or "no name", False


def _has_declined(attendee: Any) -> bool:
    """True if somebody said no to an event: https://www.rfc-editor.org/rfc/rfc5545#section-3.2.12"""
    return str(getattr(attendee, "params", {}).get("PARTSTAT", "")).upper() == "DECLINED"


def _at_addresses(addresses: list[str], company: Company) -> tuple[str, ...]:
    return tuple(dict.fromkeys(k for a in addresses for k in company.people if a in _addresses(k, company)))


def _addresses(key: str, company: Company) -> set[str]:
    entry = company.people[key]
    return {a.lower() for a in (entry.email, entry.mail) if a}


def _is_named(key: str, summary: str, company: Company) -> bool:
    names = {key, company.people[key].name or key, *_addresses(key, company)}
    return any(re.search(rf"(?<![\w.@-]){re.escape(n)}(?![\w@-])", summary, re.IGNORECASE) for n in names)


def shifts(events: Iterable[CalendarEvent]) -> Iterator[Shift]:
    """Convert events to shifts: where they overlap, the later one wins; adjacent ones of a person are joined.

    Events that begin at the same time hold together, like two attendees of one.

    An event of unknown people hides no other, nor does one that its people declined.
    """
    joined: list[tuple[tuple[str, ...], datetime, datetime]] = []
    for people, starts, ends in _without_overlaps([s for s in events if s.people]):
        if joined and joined[-1][0] == people and joined[-1][2] == starts:
            starts = joined.pop()[1]
        joined.append((people, starts, ends))
    for people, starts, ends in joined:
        yield from (Shift(person=p, starts=starts, ends=ends) for p in people)


def _without_overlaps(events: list[CalendarEvent]) -> Iterator[tuple[tuple[str, ...], datetime, datetime]]:
    edges = sorted({e.starts for e in events} | {e.ends for e in events})
    for starts, ends in pairwise(edges):
        found = [e for e in events if e.starts <= starts < e.ends]
        if active := [e for e in found if not e.declined] or found:
            latest = max(e.starts for e in active)
            tied = sorted((e for e in active if e.starts == latest), key=lambda e: e.title)
            yield tuple(dict.fromkeys(p for e in tied for p in e.people)), starts, ends
