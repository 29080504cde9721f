"""Recurrence rules of shifts: their occurrences, and the layers that say the same.

https://www.rfc-editor.org/rfc/rfc5545#section-3.3.10. What no layer can say is a problem, or has no layers at all.
"""

import math
import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tocsin.imports import reading
from tocsin.imports.model import WEEKDAYS, ImportFault, Repeated, SourceLayer, Span, WeeklyHours

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
ONCE = timedelta(weeks=52)  # the turn of a shift that is not repeated
SHORTEST = 2  # hours: no turn of ours is shorter
MOST_PLACES = 1000  # of a layer that lists a whole cycle
FAR = timedelta(days=366 * 20)  # a last occurrence that lies behind it is none
LAST_YEAR = 2200
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
PERIODS = {"HOURLY": HOUR, "DAILY": DAY, "WEEKLY": WEEK}
MONTHS = ("BYMONTH", "BYMONTHDAY")  # no layer knows months: the proof lists what differs
KNOWN = {"FREQ", "INTERVAL", "BYDAY", "UNTIL", "COUNT", "WKST"}
_DAY = "|".join(DAYS)
PATTERNS = {
    "INTERVAL": re.compile("[1-9][0-9]{0,3}"),
    "COUNT": re.compile("[1-9][0-9]{0,11}"),
    "WKST": re.compile(_DAY),
    "BYDAY": re.compile(f"(([+-]?[1-9][0-9]?)?({_DAY}))?"),  # like MO, or 1MO and -1FR in a month
    "BYMONTH": re.compile("(0?[1-9]|1[0-2])?"),
    "BYMONTHDAY": re.compile("([+-]?(0?[1-9]|[12][0-9]|3[01]))?"),
}
Places = tuple[tuple[str, ...], ...]


def parse_rule(text: str, where: str) -> dict[str, str]:
    """Parse `RRULE:FREQ=WEEKLY;BYDAY=MO`; ImportFault for what is no rule."""
    parts = [part.partition("=") for part in text.removeprefix("RRULE:").split(";") if part]
    if not all(mark for _, mark, _ in parts):
        raise ImportFault(f"{where}: '{text}' is no recurrence rule")
    return checked_rule({name.upper(): value.upper() for name, _, value in parts}, where)


def checked_rule(rule: dict[str, str], where: str) -> dict[str, str]:
    """Return a rule as it is; ImportFault names what means nothing in it."""
    for name, pattern in PATTERNS.items():
        values = rule.get(name, "").split(",") if name in rule else []
        if wrong := [value for value in values if not pattern.fullmatch(value)]:
            raise ImportFault(f"{where}: {name}={rule[name]} is no recurrence rule: '{wrong[0]}' means nothing there")
    return rule


def _listed(rule: dict[str, str]) -> list[str]:
    return [day for day in rule.get("BYDAY", "").split(",") if day]


def parse_dates(line: str, where: str, zone: str) -> list[datetime]:
    """Parse the dates of `EXDATE;TZID=Europe/Berlin:20261225T090000,…`, as instants in UTC."""
    head, _, values = line.partition(":")
    named = [part.partition("=")[2] for part in head.split(";")[1:] if part.upper().startswith("TZID=")]
    local = reading.zone([*named, zone][0], where)
    return [instant for value in values.split(",") if (instant := _date(value, local, where))]


def until_of(rule: dict[str, str], where: str, zone: str) -> datetime | None:
    """Return the last instant at which an occurrence may begin, UTC; None when a rule says none."""
    return _date(rule.get("UNTIL", ""), zone, where)


def _date(text: str, zone: str, where: str) -> datetime | None:
    """Parse `20261225T090000Z`; without the Z it is local."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.rstrip("Z"))
        return found.replace(tzinfo=UTC if text.endswith("Z") else ZoneInfo(zone)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ImportFault(f"{where}: '{text}' is no date of a recurrence") from None


def ending(shift: Repeated, last: datetime | None, count: int = 0) -> datetime | None:
    """Return when the last occurrence ends that begins at an instant or before; None for a shift without end."""
    if not count and (last is None or last - shift.starts > FAR):
        return None
    endless = replace(shift, until=None, left_out=())
    found = endless.ends
    for n, (_, starts, ends) in enumerate(_occurrences(endless), start=1):
        if (last and starts > last) or (count and n > count) or starts - shift.starts > FAR:
            break
        found = ends
    return found


def occurrences(shift: Repeated, until: datetime) -> Iterator[Span]:
    """Yield the occurrences that begin before an instant, in order."""
    zone, left_out = ZoneInfo(shift.zone), set(shift.left_out)
    for place, starts, ends in _occurrences(shift):
        if starts >= until:
            return
        if shift.whole and shift.begins and starts < shift.begins:
            continue
        begins, stops = max(filter(None, (starts, shift.begins))), min(filter(None, (ends, shift.until)))
        if begins < stops and starts.astimezone(zone).replace(tzinfo=None) not in left_out:
            yield Span(place, begins, stops)


def _occurrences(shift: Repeated) -> Iterator[tuple[tuple[str, ...], datetime, datetime]]:
    """Yield people, start and end of each occurrence from the beginning, without end when it is repeated."""
    length = _length(shift)
    for n, (at, period) in enumerate(_starts(shift)):
        turn = n // shift.each if shift.each else period
        place = shift.places[turn % len(shift.places)]
        yield place, _instant(at, shift.zone), _instant(at + length, shift.zone)


def _starts(shift: Repeated) -> Iterator[tuple[datetime, int]]:
    """Yield the local starts of a rule, each with the number of its period. Its parts are those of KNOWN and MONTHS."""
    rule, at = shift.rule, _local(shift, shift.starts)
    kind = rule.get("FREQ", "")
    if not kind:
        yield at, 0
        return
    period, interval = PERIODS[kind], int(rule.get("INTERVAL", "1"))
    days, step = _days(shift), min(period, DAY)
    first = at - (at.weekday() - _first_day(rule)) % 7 * DAY if period == WEEK else at
    months, dates = ({int(n) for n in rule.get(name, "").split(",") if n} for name in MONTHS)
    while at.year < LAST_YEAR:
        number, rest = divmod((at - first) // period, interval)
        backwards = at.day - monthrange(at.year, at.month)[1] - 1  # -1 is the last day of a month
        in_month = (not months or at.month in months) and (not dates or {at.day, backwards} & dates)
        if not rest and at.weekday() in days and in_month:
            yield at, number
        at += step


def _days(shift: Repeated) -> set[int]:
    if listed := _listed(shift.rule):
        return {DAYS.index(day) for day in listed}
    return {_local(shift, shift.starts).weekday()} if shift.rule["FREQ"] == "WEEKLY" else set(WEEKDAYS)


def _first_day(rule: dict[str, str]) -> int:
    return DAYS.index(rule.get("WKST", "MO"))


def problems(shift: Repeated) -> list[str]:
    """Return what the layers of a shift do not say of its rule."""
    return [
        f"{name}={shift.rule[name]} has no counterpart here and is left out" for name in MONTHS if name in shift.rule
    ]


def layers(shift: Repeated) -> tuple[SourceLayer, ...]:
    """Return the layers that say the same as a repeated shift; none where no layer can."""
    rule = shift.rule
    parts = rule.keys() - {*KNOWN, *MONTHS}
    if parts or rule.get("FREQ", "DAILY") not in PERIODS or any(day not in DAYS for day in _listed(rule)):
        return ()
    return tuple(piece for layer in _layers(shift) or _cycle(shift) for piece in _without(layer, shift))


def _layers(shift: Repeated) -> list[SourceLayer]:
    """Return layers as people write them; none where there are no such."""
    rule, length = shift.rule, _length(shift)
    kind, interval = rule.get("FREQ", ""), int(rule.get("INTERVAL", "1"))
    one_day = kind == "WEEKLY" and len(_days(shift)) == 1
    if not kind:
        return [_layer(shift, shift.starts, ONCE, shift.places, until=shift.ends)]
    at_once = _local(shift, shift.starts).weekday() in _days(shift)
    if length == interval * PERIODS[kind] >= SHORTEST * HOUR and (one_day or not _listed(rule)) and at_once:
        return [_layer(shift, shift.starts, length, _in_turn(shift))]
    if kind == "DAILY" and not _listed(rule) and length <= DAY:
        at = _local(shift, shift.starts).time()
        places = tuple(place for turn in _in_turn(shift) for place in (turn, *_gaps(interval)))
        return [_layer(shift, shift.starts, DAY, places, tuple(WeeklyHours(day, at, length) for day in WEEKDAYS))]
    if (kind == "WEEKLY" or (kind == "DAILY" and interval == 1 and shift.each)) and length <= WEEK:
        return list(_weekly(shift, length, interval))
    return []


def _in_turn(shift: Repeated) -> Places:
    return tuple(place for place in shift.places for _ in range(max(1, shift.each)))


def _gaps(interval: int) -> Places:
    return ((),) * (interval - 1)


def _weekly(shift: Repeated, length: timedelta, interval: int) -> Iterator[SourceLayer]:
    """A layer for each day of the week that is named: each has its own order of people."""
    start, first = _local(shift, shift.starts), _first_day(shift.rule)
    days = sorted((day - first) % 7 for day in _days(shift))
    monday = start - (start.weekday() - first) % 7 * DAY  # the first day of the week that begins the count
    skipped = sum(monday + day * DAY < start for day in days)
    for n, day in enumerate(days):
        begin = monday + day * DAY
        places = _order(shift, n - skipped, len(days))
        spread = tuple(place for turn in places for place in (turn, *_gaps(interval)))
        hours = (WeeklyHours(begin.weekday(), begin.time(), length),)
        yield _layer(shift, _instant(begin, shift.zone), WEEK, spread, hours)


def _order(shift: Repeated, first: int, a_week: int) -> Places:
    """Return who has a day's occurrence, week after week. `first`: its number, counted from the first of all."""
    many = len(shift.places)
    if shift.each == 0:
        return shift.places
    period = many * shift.each // math.gcd(a_week, many * shift.each)
    return tuple(shift.places[(first + week * a_week) // shift.each % many] for week in range(period))


def _cycle(shift: Repeated) -> list[SourceLayer]:
    """Return one layer that lists the turns of a whole cycle, gaps and overlaps included; none where it is too long."""
    kind, interval, length = shift.rule["FREQ"], int(shift.rule.get("INTERVAL", "1")), _length(shift)
    once = interval * PERIODS[kind]
    weeks = math.lcm(once // HOUR, WEEK // HOUR) * HOUR if _listed(shift.rule) and kind != "WEEKLY" else once
    start = _local(shift, shift.starts)
    base = _within(shift, start, weeks)
    turns, counted = (len(base), len(shift.places) * shift.each) if shift.each else (weeks // once, len(shift.places))
    if not turns:
        return []
    whole = weeks * (counted // math.gcd(turns, counted))
    if whole // HOUR > MOST_PLACES * 24:
        return []
    found = _within(shift, start, whole)
    grain = math.gcd(*(int(part.total_seconds()) for part in (whole, length, *(at for at, _ in found))))
    cells = int(whole.total_seconds()) // grain
    if grain % 3600 or grain < SHORTEST * 3600 or cells > MOST_PLACES:
        return []
    taken: list[dict[str, None]] = [{} for _ in range(cells)]
    for at, place in found:
        first = int(at.total_seconds()) // grain
        for n in range(first, first + int(length.total_seconds()) // grain):
            taken[n % cells] |= dict.fromkeys(place)
    return [_layer(shift, shift.starts, timedelta(seconds=grain), tuple(map(tuple, taken)))]


def _within(shift: Repeated, start: datetime, length: timedelta) -> list[tuple[timedelta, tuple[str, ...]]]:
    """Return the occurrences of so long from the start: how far they are behind it, and who has them."""
    found = []
    for n, (at, period) in enumerate(_starts(replace(shift, rule={**shift.rule, "BYMONTH": "", "BYMONTHDAY": ""}))):
        if at - start >= length:
            break
        turn = n // shift.each if shift.each else period
        found.append((at - start, shift.places[turn % len(shift.places)]))
    return found


def _without(layer: SourceLayer, shift: Repeated) -> Iterator[SourceLayer]:
    """Yield what is left of a layer without the occurrences that are left out."""
    for at in sorted(shift.left_out):
        if not layer.hours or any((h.day, h.starts) == (at.weekday(), at.time()) for h in layer.hours):
            starts, ends = _instant(at, shift.zone), _instant(at + _length(shift), shift.zone)
            yield from cut(layer, None, starts)
            layer = next(cut(layer, ends, None), replace(layer, places=((),)))
    if any(layer.places):
        yield layer


def cut(layer: SourceLayer, begins: datetime | None, ends: datetime | None) -> Iterator[SourceLayer]:
    """Yield the part of a layer between two instants, if there is any."""
    first = max(filter(None, (layer.begins, begins)), default=None)
    last = min(filter(None, (layer.ends, ends)), default=None)
    if first is None or last is None or first < last:
        yield replace(layer, begins=first, ends=last)


def _layer(
    shift: Repeated,
    start: datetime,
    every: timedelta,
    places: Places,
    hours: Sequence[WeeklyHours] = (),
    until: datetime | None = None,
) -> SourceLayer:
    begins = max(filter(None, (shift.starts, shift.begins)))
    ends = min(filter(None, (shift.until, until)), default=None)
    return SourceLayer(
        shift.name, places, start, every, shift.zone, begins, ends, tuple(hours), shift.level, id=shift.id
    )


def _length(shift: Repeated) -> timedelta:
    return _local(shift, shift.ends) - _local(shift, shift.starts)


def _local(shift: Repeated, at: datetime) -> datetime:
    return at.astimezone(ZoneInfo(shift.zone)).replace(tzinfo=None)


def _instant(at: datetime, zone: str) -> datetime:
    return at.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
