"""Public holidays by country, for a calendar: `DE`, `DE-BE` (Berlin), `US-CA` (California)."""

from datetime import date
from difflib import get_close_matches

import holidays
from holidays.registry import COUNTRIES

from escalation.config.business_time import Calendar
from escalation.config.references import suggest

BEFORE, AHEAD = 1, 5  # years: an incident that is still open began last year at the earliest; a process is restarted


def with_holidays(calendar: Calendar, year: int) -> Calendar:
    """The calendar with the days off of its country around a year; what it says of a day itself counts for more."""
    if not calendar.holidays:
        return calendar
    days = days_off(calendar.holidays, range(year - BEFORE, year + AHEAD + 1))
    return calendar.model_copy(update={"closed": {**days, **calendar.closed}})


def days_off(where: str, years: range) -> dict[date, str]:
    """Each day off of a country, or of a part of it, and its name. ValueError when there is no such place."""
    if why := unknown(where):
        raise ValueError(why)
    country, _, part = where.partition("-")
    return dict(holidays.country_holidays(country, subdiv=part or None, years=years))


def unknown(where: str) -> str | None:
    """What is wrong with a place, and the nearest one that there is; None when its holidays are known."""
    country, _, part = where.partition("-")
    parts = holidays.list_supported_countries(include_aliases=False).get(country)
    if parts is None and where:
        return (
            f"no holidays are known of '{country}'{_nearest_country(country)}; write a country like DE, DE-BE or US-CA"
        )
    if part and part not in (parts or ()):
        return f"{country} has no part '{part}'{suggest(part, set(parts or ()))}"
    return None


def _nearest_country(asked: str) -> str:
    """By its names (Germany) and its other codes (DEU)."""
    codes = {word.lower(): words[1] for words in COUNTRIES.values() for word in words}
    near = get_close_matches(asked.lower(), codes, n=1)
    return f"; did you mean '{codes[near[0]]}'?" if near else ""
