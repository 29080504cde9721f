"""Words about the load of on call: one person's, and everybody's for their lead."""

from collections.abc import Sequence
from datetime import datetime

from escalation.figures.load import Load

LOAD_HEADER = ("person", "on call", "nights", "weekends", "pages", "at night", "in incidents")


def own_load(load: Load, days: int) -> str:
    """Somebody's own time on call and pages: `Your last 30 days: 56 h on call, …`."""
    if not (load.minutes or load.pages or load.response):
        return f"Your last {days} days: not on call, and no pages."
    of_it = f", of them {_hours(load.nights)} at night and {_hours(load.weekends)} on weekends" if load.minutes else ""
    night = f", {load.night_pages} of them at night" if load.night_pages else ""
    work = f"; {_hours(load.response)} in incidents" if load.response else ""
    on_call = f"{_hours(load.minutes)} on call" if load.minutes else "not on call"
    return f"Your last {days} days: {on_call}{of_it}; {_pages(load.pages)}{night}{work}."


def load_cells(load: Load) -> tuple[str, ...]:
    """A row of the table of everybody's load."""
    minutes = (load.minutes, load.nights, load.weekends)
    return (load.person, *map(hours_of, minutes), str(load.pages), str(load.night_pages), hours_of(load.response))


def load_line(load: Load) -> str:
    """Somebody's load after their name, in a list."""
    of_it = f"{hours_of(load.nights)} at night, {hours_of(load.weekends)} on weekends"
    on_call = f"{hours_of(load.minutes)} h ({of_it})" if load.minutes else "not on call"
    pages = f"{_pages(load.pages)}, {load.night_pages} at night" if load.pages else _pages(0)
    return f": {on_call}; {pages}; {hours_of(load.response)} h in incidents"


def least(loads: Sequence[Load]) -> str:
    """Who did least, in their order."""
    return f"Least on call first: {', '.join(f'{load.person} {hours_of(load.minutes)}' for load in loads)}."


def unrecorded(recorded_since: datetime | None, removed_until: datetime | None, start: datetime) -> str:
    """What is not on record of a period from `start`; empty if all of it is."""
    if removed_until and removed_until > start:
        until = f"{removed_until:%Y-%m-%d %H:%M} UTC"
        return (
            f"Who was on call before {until} was removed, as `retention.oncall` says: no hours before it are counted."
        )
    if recorded_since is None or recorded_since > start:
        since = f"before {recorded_since:%Y-%m-%d %H:%M} UTC" if recorded_since else "in this period"
        return f"Who was on call {since} was not recorded: it is taken from the schedule as it stands now."
    return ""


def hours_of(minutes: int) -> str:
    """`168:30`: hours and minutes."""
    return f"{minutes // 60}:{minutes % 60:02d}"


def _hours(minutes: int) -> str:
    """`56 h`, or minutes where that would be none."""
    return f"{minutes} min" if minutes < 60 else f"{minutes / 60:.0f} h"


def _pages(count: int) -> str:
    return "no pages" if not count else f"{count} page{'' if count == 1 else 's'}"
