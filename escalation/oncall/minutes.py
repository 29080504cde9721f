"""Whole minutes of a stretch, sorted by what they are where somebody works: night, weekend, holiday. Pure.

Minutes are counted since the epoch. A change within a minute counts for the whole of it, so that every minute is
exactly one person's, and the sum of all is the length of the stretch, also on a day of 23 or 25 hours.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from escalation.config.business_time import Calendar

NIGHT_BEGINS, NIGHT_ENDS = time(22), time(7)  # local: who is paged between them was asleep
_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Stretch(NamedTuple):
    """Minutes since the epoch, from (inclusive) until (exclusive)."""

    starts: int
    ends: int

    @property
    def length(self) -> int:
        """How many minutes it has."""
        return max(0, self.ends - self.starts)


class Piece(NamedTuple):
    """A stretch within one local day, all of it night or not, `working` hours or not.

    `of_day` is how many minutes that day has.
    """

    starts: int
    ends: int
    night: bool
    weekend: bool
    holiday: bool
    working: bool
    of_day: int

    @property
    def length(self) -> int:
        """How many minutes it has."""
        return self.ends - self.starts


def minute_of(at: datetime) -> int:
    """Return the minute in which an instant lies."""
    return (at - _EPOCH) // _MINUTE


def instant_of(minute: int) -> datetime:
    """Return the instant at which a minute begins, UTC."""
    return _EPOCH + minute * _MINUTE


def is_night(at: datetime, zone: str) -> bool:
    """True for an instant between NIGHT_BEGINS and NIGHT_ENDS of a zone."""
    clock = at.astimezone(ZoneInfo(zone)).time()
    return clock >= NIGHT_BEGINS or clock < NIGHT_ENDS


def pieces(stretch: Stretch, place: Calendar) -> Iterator[Piece]:
    """Yield the pieces of a stretch, where its person works by this calendar. A weekend is a day without opening."""
    zone = ZoneInfo(place.timezone)
    day = instant_of(stretch.starts).astimezone(zone).date()
    while (cuts := _cuts(day, place.timezone)) and cuts[0] < stretch.ends:
        weekend, holiday, session = day.weekday() not in place.days, day in place.closed, working_hours(day, place)
        for starts, ends in pairwise(sorted({*cuts, *session})):
            begins, over = max(starts, stretch.starts), min(ends, stretch.ends)
            if begins < over:
                night = is_night(instant_of(starts), place.timezone)
                working = session.starts <= starts < session.ends
                yield Piece(begins, over, night, weekend, holiday, working, cuts[-1] - cuts[0])
        day += timedelta(days=1)


def working_hours(day: date, place: Calendar) -> Stretch:
    """Return the working hours of a local day; on a day off, none at its beginning."""
    if session := place.opening(day):
        return Stretch(minute_of(session[0]), minute_of(session[1]))
    return Stretch(*(_cuts(day, place.timezone)[:1] * 2))


@lru_cache(maxsize=4096)
def _cuts(day: date, zone: str) -> tuple[int, ...]:
    """Return the minutes at which a local day begins, its nights begin or end, and the next day begins."""
    local = ((day, time()), (day, NIGHT_ENDS), (day, NIGHT_BEGINS), (day + timedelta(days=1), time()))
    return tuple(minute_of(datetime.combine(*when, ZoneInfo(zone)).astimezone(UTC)) for when in local)


def merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return what is in any of these stretches, each minute once, in order."""
    found: list[Stretch] = []
    for stretch in sorted(s for s in stretches if s.length):
        if found and stretch.starts <= found[-1].ends:
            found[-1] = Stretch(found[-1].starts, max(found[-1].ends, stretch.ends))
        else:
            found.append(stretch)
    return found


def without(stretch: Stretch, taken: Iterable[Stretch]) -> Iterator[Stretch]:
    """Yield what of a stretch is in none of the others."""
    at = stretch.starts
    for other in merged(taken):
        if other.ends <= at:
            continue
        if other.starts >= stretch.ends:
            break
        if at < other.starts:
            yield Stretch(at, other.starts)
        at = other.ends
    if at < stretch.ends:
        yield Stretch(at, stretch.ends)
