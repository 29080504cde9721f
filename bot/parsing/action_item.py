"""Words of `/incident action`: what is to be done, by whom, by when. Pure."""

import re
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from escalation.errors import Refused
from escalation.reviews.action_items import MAX_TEXT
from escalation.times import local_instant
from escalation.values import PersonId

USAGE = "Use `/incident action [ID] what is to be done @owner friday`. Without an owner and a day it is an idea."
_USER = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_DUE = re.compile(r"^(.*?)[\s,;]+(?:due|by|until)\s+(.+)$", re.IGNORECASE | re.DOTALL)
_LEADING = re.compile(r"^(?:due|by|until|on)\s+", re.IGNORECASE)


class Noted(NamedTuple):
    """A new action item as it was typed."""

    text: str
    owner: PersonId
    due: date | None


def parse_action_item(typed: str, zone: str, now: datetime) -> Noted:
    """Parse `TEXT [@owner] [day]`; the day stands last, as people write it. Raises Refused with what to write."""
    owner, due = "", None
    mentions = list(_USER.finditer(typed))
    text = typed
    if mentions:
        owner, text, after = mentions[-1][1], typed[: mentions[-1].start()], typed[mentions[-1].end() :].strip()
        due = day_of(after, zone, now) if after else None
    if due is None and (said := _DUE.match(text.strip())):
        try:
            due = day_of(said[2], zone, now)
            text = said[1]
        except Refused:  # "by hand" is no day
            if not owner:
                due = None
    text = " ".join(text.split()).rstrip(" ,;:")
    if not text:
        raise Refused(USAGE)
    return Noted(text[:MAX_TEXT], owner, due)


def day_of(text: str, zone: str, now: datetime) -> date:
    """Parse a day as people write it. Raises Refused for anything else, and for a day that is over."""
    try:
        day = local_instant(_LEADING.sub("", text.strip()), zone, now).astimezone(ZoneInfo(zone)).date()
    except ValueError as error:
        raise Refused(f"{error}. {USAGE}") from None
    if day < now.astimezone(ZoneInfo(zone)).date():
        raise Refused(f"{day:%Y-%m-%d} is over. {USAGE}")
    return day
