"""Public holidays of a country or region for a calendar: `DE`, `DE-BE` (Berlin), `US-CA` (California)."""

from datetime import date
from difflib import get_close_matches

import holidays
from holidays.registry import COUNTRIES

from escalation.config.business_time import Calendar
from escalation.config.references import suggest

YEARS_BEFORE, YEARS_AHEAD = 1, 5  # open incidents began last year at the earliest; processes are restarted


def with_holidays(calendar: Calendar, year: int) -> Calendar:
    """Add the public holidays around a year to a calendar. Days that the calendar names itself take precedence."""
    if not calendar.holidays:
        return calendar
    days = days_off(calendar.holidays, range(year - YEARS_BEFORE, year + YEARS_AHEAD + 1))
    return calendar.model_copy(update={"closed": {**days, **calendar.closed}})


def days_off(where: str, years: range) -> dict[date, str]:
    """Public holidays of a country or region, with their names. ValueError when there is no such place."""
    if why := place_error(where):
        raise ValueError(why)
    country, _, part = where.partition("-")
    return dict(holidays.country_holidays(country, subdiv=part or None, years=years))


def place_error(where: str) -> str | None:
    """Message about an unknown place, with a similar one; None when its holidays are known."""
    country, _, part = where.partition("-")
    parts = holidays.list_supported_countries(include_aliases=False).get(country)
    if parts is None and where:
        return (
            f"no holidays are known of '{country}'{_nearest_country(country)}; write a country like DE, DE-BE or US-CA"
        )
    if part and part not in (parts or ()):
        return f"{country} has no part '{part}'{suggest(part, set(parts or ()))}"
    return None


def _nearest_country(name: str) -> str:
    """Suggest a country by its name (Germany) or other code (DEU)."""
    codes = {word.lower(): words[1] for words in COUNTRIES.values() for word in words}
    near = get_close_matches(name.lower(), codes, n=1)
    return f"; did you mean '{codes[near[0]]}'?" if near else ""
