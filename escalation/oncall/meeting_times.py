"""Find an hour for a meeting: in the working hours of whoever takes part, each in their own zone. Pure."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from escalation.config.business_time import Calendar

LENGTH = timedelta(hours=1)
_STEP = timedelta(minutes=30)
_SEARCHED = timedelta(days=14)
Sessions = tuple[tuple[datetime, datetime], ...]


def meeting_time(owner: Calendar, others: Collection[Calendar], since: datetime, due: datetime) -> datetime:
    """Return the earliest start at which its owner and most of the others are at work.

    Over by `due` if any such hour is; else it is the next. `due` less an hour where there is none at all.
    """
    until = max(since, due) + _SEARCHED
    own = owner.sessions(since, until)
    at_work = [calendar.sessions(since, until) for calendar in others]
    starts = [start for start in _starts(since, until) if _works(own, start)]
    in_time = [start for start in starts if start + LENGTH <= due]
    found = in_time or _of_day(starts)
    return min(found, key=lambda start: (-sum(_works(each, start) for each in at_work), start), default=due - LENGTH)


def _starts(since: datetime, until: datetime) -> list[datetime]:
    first = since.astimezone(UTC).replace(second=0, microsecond=0)
    first -= timedelta(minutes=first.minute % 30)
    first += _STEP if first < since else timedelta()
    return [first + n * _STEP for n in range((until - first) // _STEP + 1)]


def _of_day(starts: list[datetime]) -> list[datetime]:
    """Those of the first day: once it is late, a common hour next week is no better."""
    return [start for start in starts if start - starts[0] < timedelta(hours=12)]


def _works(sessions: Sessions, start: datetime) -> bool:
    return any(opens <= start and start + LENGTH <= closes for opens, closes in sessions)
