"""What somebody typed after /incident oncall, as a step from one Duty to the next. Pure.

Everything that cannot be taken is Refused, with words that say how to write it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo

from bot.parsing.command import spoken, who
from escalation.config.company import Company, Directory
from escalation.config.references import suggest
from escalation.errors import Refused
from escalation.oncall import overrides as arranging
from escalation.oncall.overrides import Did, next_turn_of, noted
from escalation.oncall.schedule import OncallState, upcoming_shifts
from escalation.times import local_instant
from escalation.values import PersonId

USAGE = (
    "`/incident oncall` who is on call, and what was arranged",
    "`/incident oncall take [rotation]` the shift is yours from now on until it ends",
    "`/incident oncall override [rotation] @person from tomorrow 18:00 to 2026-12-24 09:00 [because …]`",
    "`/incident oncall swap [rotation] 2026-12-21 with 2026-12-28` · `swap [rotation] with @person`",
    "`/incident oncall away [@person] 2026-12-24 to 2027-01-02 [because …]` both days included",
    "`/incident oncall cancel 3` takes override or absence 3 back",
)
NOT_LISTED = "not among the people of Tocsin's configuration. Whoever keeps it can add them under `people`."
_BECAUSE = re.compile(r"(?:^|\s)because\s+(.+)$", re.IGNORECASE | re.DOTALL)
_FROM_TO = re.compile(r"(?:from\s+)?(.+?)\s+(?:to|until|till)\s+(.+)", re.IGNORECASE | re.DOTALL)
_WITH = re.compile(r"(.*?)\s*\bwith\s+(.+)", re.IGNORECASE | re.DOTALL)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Wish:
    """What somebody wants: the words as Slack sent them, who it is, and whom the configuration means."""

    text: str
    by: PersonId
    company: Company
    directory: Directory

    @property
    def key(self) -> str:
        """The key of whoever asks; Refused when the configuration does not list them."""
        return _listed(self.by, self, "You are")


@dataclass(frozen=True)
class _Asking:
    """One order on its way: what is left of its words, and the reason that was given."""

    wish: Wish
    rest: str
    why: str
    duty: OncallState
    now: datetime


def wanted(wish: Wish, duty: OncallState, now: datetime) -> OncallState:
    """The state of on call after the wish, with a notice of it."""
    verb, _, rest = wish.text.strip().partition(" ")
    if verb.lower() not in _STEPS:
        raise Refused(_no_such(verb, wish))
    step, did = _STEPS[verb.lower()]
    _listed(wish.by, wish, "You are")
    reason = _BECAUSE.search(rest)
    why = spoken(reason[1], wish.directory.names) if reason else ""
    words = rest[: reason.start()] if reason else rest
    return noted(duty, step(_Asking(wish, words.strip(), why, duty, now)), did, wish.by, now)


def _no_such(verb: str, wish: Wish) -> str:
    near = get_close_matches(verb.lower(), _STEPS, n=1, cutoff=0.6)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    return "\n".join((f"There is no `/incident oncall {spoken(verb, wish.directory.names)}`.{hint}", *USAGE))


def _take(asking: _Asking) -> OncallState:
    rotation, _ = _rotation(asking)
    wish = asking.wish
    return arranging.take(asking.duty, wish.company, rotation, wish.key, asking.now, wish.by, asking.why)


def _override(asking: _Asking) -> OncallState:
    rotation, rest = _rotation(asking)
    person, times = _person(rest, asking.wish)
    if not person:
        raise Refused(f"Say who: {USAGE[2]}")
    starts, ends = _stretch(times, asking, asking.wish.company.rotations[rotation].timezone, USAGE[2])
    wish = asking.wish
    return arranging.override(
        asking.duty, wish.company, rotation, person, starts, ends, asking.now, wish.by, asking.why
    )


def _swap(asking: _Asking) -> OncallState:
    rotation, rest = _rotation(asking)
    match = _WITH.fullmatch(rest)
    if not match:
        raise Refused(f"Say which two shifts: {USAGE[3]}")
    mine, theirs = match[1].strip(), match[2].strip()
    person, left = _person(theirs, asking.wish)
    wish = asking.wish
    first = _shift_named(mine, rotation, asking) if mine else _turn_of(wish.key, rotation, asking)
    second = _turn_of(person, rotation, asking) if person and not left else _shift_named(theirs, rotation, asking)
    return arranging.swap(asking.duty, wish.company, rotation, first, second, asking.now, wish.by, asking.why)


def _away(asking: _Asking) -> OncallState:
    wish, zone = asking.wish, asking.wish.company.timezone
    person, days = _person(asking.rest, wish)
    if not _FROM_TO.fullmatch(days) and days:
        days = f"{days} to {days.removeprefix('from ')}"  # one day
    starts, ends = _stretch(days, asking, zone, USAGE[4], whole_days=True)
    return arranging.away(asking.duty, wish.company, person or wish.key, starts, ends, asking.now, wish.by, asking.why)


def _cancel(asking: _Asking) -> OncallState:
    if not asking.rest:
        raise Refused(f"Say which: {USAGE[5]}. `/incident oncall` shows the numbers.")
    return arranging.cancel(asking.duty, asking.rest)


_STEPS: dict[str, tuple[Callable[[_Asking], OncallState], Did]] = {
    "take": (_take, "took"),
    "override": (_override, "override"),
    "swap": (_swap, "swapped"),
    "away": (_away, "away"),
    "cancel": (_cancel, "cancelled"),
}


# Words -----------------------------------------------------------------------------------------------------------


def _rotation(asking: _Asking) -> tuple[str, str]:
    """The rotation that stands first, else the only one; and what is left."""
    names = asking.wish.company.rotations
    word, _, left = asking.rest.partition(" ")
    if word in names:
        return word, left.strip()
    if len(names) == 1 and (not word or not _is_name(word, asking.wish)):
        return next(iter(names)), asking.rest
    if not names:
        raise Refused("The configuration has no rotation; add one under `rotations`.")
    if word and _is_name(word, asking.wish):
        raise Refused(f"There is no rotation called '{spoken(word)}'{suggest(word, set(names))}")
    raise Refused(f"Say which rotation first: {', '.join(sorted(names))}.")


def _is_name(word: str, wish: Wish) -> bool:
    """Whether a word can only have been meant as a rotation's name."""
    keyword = word.lower() in ("from", "with") or word[:1].isdigit() or word.startswith(("<", "@"))
    return not keyword and word.lower() not in wish.company.people and not _is_day(word)


def _is_day(word: str) -> bool:
    days = ("today", "tomorrow", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    return len(word) >= 3 and any(day.startswith(word.lower()) for day in days)


def _person(text: str, wish: Wish) -> tuple[str, str]:
    """The key of the person who stands first, and what is left; no key when nobody does."""
    members = {key: wish.company.member(key, wish.directory) for key in wish.company.people}
    named = who(text, {}, members)
    if named.groups or len(named.people) > 1:
        raise Refused("Name one person, not a group.")
    if not named.people:
        if text.startswith("@"):
            raise Refused(f"{spoken(text.split()[0])} is {NOT_LISTED}")
        return "", text
    return _listed(named.people[0], wish, "They are"), named.why


def _listed(member: PersonId, wish: Wish, subject: str) -> str:
    key = wish.company.key_of(member, wish.directory)
    if key is None:
        raise Refused(f"{subject} {NOT_LISTED}")
    return key


def _stretch(
    text: str, asking: _Asking, zone: str, usage: str, *, whole_days: bool = False
) -> tuple[datetime, datetime]:
    """`from … to …`. With `whole_days` an end without a time of day is the end of that day."""
    match = _FROM_TO.fullmatch(text.strip())
    if not match:
        raise Refused(f"Say from when until when: {usage}")
    starts = _instant(match[1], zone, asking.now)
    ends = _instant(match[2], zone, asking.now)
    if ends < starts:  # "tomorrow 18:00 to 22:00", "friday to monday": counted from its beginning
        ends = _instant(match[2], zone, starts)
    if whole_days and ":" not in match[2]:
        ends = _day_later(ends, zone)
    return starts, ends


def _instant(text: str, zone: str, now: datetime) -> datetime:
    if text.strip().lower() == "now":
        return now
    try:
        return local_instant(text, zone, now)
    except ValueError as wrong:
        raise Refused(f"{wrong}.") from None


def _day_later(midnight: datetime, zone: str) -> datetime:
    local = midnight.astimezone(ZoneInfo(zone))
    return (local.replace(tzinfo=None) + _DAY).replace(tzinfo=ZoneInfo(zone)).astimezone(midnight.tzinfo)


def _shift_named(text: str, rotation: str, asking: _Asking) -> datetime:
    """An instant of the shift that begins on a day, or holds at a time."""
    zone = asking.wish.company.rotations[rotation].timezone
    at = _instant(text, zone, asking.now)
    if ":" in text or text.strip().lower() == "now":
        return at
    turns = upcoming_shifts(rotation, asking.wish.company, asking.duty, at, _day_later(at, zone))
    begun = [t.starts for t in turns if t.starts >= at]
    if len(begun) > 1:
        raise Refused(f"{len(begun)} shifts begin on that day; say the time too, like 2026-12-21 18:00.")
    return begun[0] if begun else at


def _turn_of(person: str, rotation: str, asking: _Asking) -> datetime:
    turn = next_turn_of(rotation, person, asking.wish.company, asking.duty, asking.now)
    if turn is None:
        raise Refused(f"{person} has no shift in {rotation} in the next half year.")
    return max(turn.starts, asking.now)
