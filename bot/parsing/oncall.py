"""Parser of /incident oncall: a command becomes a change of the state of on call. Pure.

Whatever cannot be parsed raises Refused, with words that say how to write it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo

from bot.parsing.command import parse_targets, unescape
from escalation.config.company import Company, Directory
from escalation.config.references import suggest
from escalation.errors import Refused
from escalation.oncall import overrides
from escalation.oncall.overrides import NoticeKind, add_notice, next_shift_of
from escalation.oncall.schedule import OncallState, upcoming_shifts
from escalation.text import Person, line
from escalation.times import begins_time, clock_after, has_clock, local_instant, parse_length
from escalation.values import PersonId

USAGE = (
    "`/incident oncall` who is on call, and what was arranged",
    "`/incident oncall take [rotation]` the shift is yours from now on until it ends",
    "`/incident oncall override [rotation] @person from tomorrow 6pm to 1 Dec 9:00 [because …]` · `@person for 8h`",
    "`/incident oncall swap [rotation] 2026-12-21 with 2026-12-28` · `swap [rotation] with @person`",
    "`/incident oncall away [@person] 2026-12-24 to 2027-01-02 [because …]` both days included",
    "`/incident oncall cancel 3` cancels override or absence 3",
)
NOT_LISTED = " isn't set up in Tocsin. An admin can add them under `people:`."
YOU_ARE_NOT_LISTED = "You aren't set up in Tocsin. An admin can add you under `people:`."
_BECAUSE = re.compile(r"(?:^|\s)because\s+(.+)$", re.IGNORECASE | re.DOTALL)
_FROM_TO = re.compile(r"(?:(?:from\s+)?(.+?)\s+)?(?:to|until|till)\s+(.+)", re.IGNORECASE | re.DOTALL)
_FOR = re.compile(r"(?:(?:from\s+)?(.+?)\s+)?for\s+(.+?)(?:\s+from\s+(.+))?", re.IGNORECASE | re.DOTALL)
_WITH = re.compile(r"(.*?)\s*\bwith\s+(.+)", re.IGNORECASE | re.DOTALL)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class OncallCommand:
    """A typed command: its text as Slack sent it, who typed it, and the people of the configuration."""

    text: str
    by: PersonId
    company: Company
    directory: Directory

    @property
    def key(self) -> str:
        """The requester's key in the configuration. Raises Refused when it does not list them."""
        return _requester_key(self)


@dataclass(frozen=True)
class _Arguments:
    """Arguments of a command: its words without verb and reason, the reason, the current state."""

    command: OncallCommand
    rest: str
    why: str
    state: OncallState
    now: datetime


def apply_command(command: OncallCommand, state: OncallState, now: datetime) -> OncallState:
    """Return the state of on call after a command, with a notice of the change. Raises Refused."""
    verb, _, rest = command.text.strip().partition(" ")
    if verb.lower() not in _VERBS:
        raise Refused(_unknown_verb(verb, command))
    change, did = _VERBS[verb.lower()]
    _requester_key(command)
    reason = _BECAUSE.search(rest)
    why = unescape(reason[1], command.directory.names) if reason else ""
    arguments = rest[: reason.start()] if reason else rest
    changed = change(_Arguments(command, arguments.strip(), why, state, now))
    return add_notice(state, changed, did, command.by, now, command.company)


def _unknown_verb(verb: str, command: OncallCommand) -> str:
    close = get_close_matches(verb.lower(), _VERBS, n=1, cutoff=0.6)
    hint = f" Did you mean `{close[0]}`?" if close else ""
    return "\n".join((f"Unknown command `oncall {unescape(verb, command.directory.names)}`.{hint}", *USAGE))


def _take(args: _Arguments) -> OncallState:
    rotation, _ = _rotation(args)
    command = args.command
    return overrides.take_shift(args.state, command.company, rotation, command.key, args.now, command.by, args.why)


def _override(args: _Arguments) -> OncallState:
    rotation, rest = _rotation(args)
    person, times = _person(rest, args.command)
    if not person:
        raise Refused(f"Who? {USAGE[2]}")
    starts, ends = _period(times, args, args.command.company.rotations[rotation].timezone, USAGE[2])
    command = args.command
    return overrides.add_override(
        args.state, command.company, rotation, person, starts, ends, args.now, command.by, args.why
    )


def _swap(args: _Arguments) -> OncallState:
    rotation, rest = _rotation(args)
    match = _WITH.fullmatch(rest)
    if not match:
        raise Refused(f"Which two shifts? {USAGE[3]}")
    mine, theirs = match[1].strip(), match[2].strip()
    person, remaining = _person(theirs, args.command)
    command = args.command
    first = _shift_at(mine, rotation, args) if mine else _next_shift(command.key, rotation, args)
    second = _next_shift(person, rotation, args) if person and not remaining else _shift_at(theirs, rotation, args)
    return overrides.swap_shifts(args.state, command.company, rotation, first, second, args.now, command.by, args.why)


def _away(args: _Arguments) -> OncallState:
    command, zone = args.command, args.command.company.timezone
    person, days = _person(args.rest, command)
    if days and not _FROM_TO.fullmatch(days) and not _FOR.fullmatch(days) and not has_clock(days):
        days = f"{days} to {days.removeprefix('from ')}"  # one day
    starts, ends = _period(days, args, zone, USAGE[4], whole_days=True)
    return overrides.add_absence(
        args.state, command.company, person or command.key, starts, ends, args.now, command.by, args.why
    )


def _cancel(args: _Arguments) -> OncallState:
    if not args.rest:
        raise Refused(f"Which one? {USAGE[5]}. `/incident oncall` shows the numbers.")
    return overrides.cancel(args.state, *args.rest.replace(",", " ").split())


_VERBS: dict[str, tuple[Callable[[_Arguments], OncallState], NoticeKind]] = {
    "take": (_take, "took"),
    "override": (_override, "override"),
    "swap": (_swap, "swapped"),
    "away": (_away, "away"),
    "cancel": (_cancel, "cancelled"),
}


# Words -----------------------------------------------------------------------------------------------------------


def _rotation(args: _Arguments) -> tuple[str, str]:
    """Take the rotation from the start of the words, or the only one there is; return it and the remaining words."""
    names = args.command.company.rotations
    word, _, rest = args.rest.partition(" ")
    if word in names:
        return word, rest.strip()
    if len(names) == 1 and (not word or not _is_rotation_name(word, args.command)):
        return next(iter(names)), args.rest
    if not names:
        raise Refused("The configuration has no rotation; add one under `rotations`.")
    if word and _is_rotation_name(word, args.command):
        raise Refused(f"There is no rotation called '{unescape(word)}'{suggest(word, set(names))}")
    raise Refused(f"Which rotation? Name it first: {', '.join(sorted(names))}.")


def _is_rotation_name(word: str, command: OncallCommand) -> bool:
    """True if a word can only be meant as a rotation's name."""
    keyword = word.lower() == "with" or begins_time(word) or word.startswith(("<", "@"))
    return not keyword and word.lower() not in command.company.people


def _person(text: str, command: OncallCommand) -> tuple[str, str]:
    """Take a person from the start of the words; return their key (empty without one) and the remaining words."""
    members = {key: command.company.member(key, command.directory) for key in command.company.people}
    targets = parse_targets(text, {}, members)
    if targets.groups or len(targets.people) > 1:
        raise Refused("Name one person, not a group.")
    if mistyped := [word for word in targets.unknown if word.startswith("@")]:
        raise Refused(f"{mistyped[0]}{NOT_LISTED}")
    if not targets.people:
        return "", text
    return _person_key(targets.people[0], command), targets.why


def _person_key(member: PersonId, command: OncallCommand) -> str:
    key = command.company.key_of(member, command.directory)
    if key is None:
        raise Refused(line(Person(member), NOT_LISTED))
    return key


def _requester_key(command: OncallCommand) -> str:
    key = command.company.key_of(command.by, command.directory)
    if key is None:
        raise Refused(YOU_ARE_NOT_LISTED)
    return key


def _period(
    text: str, args: _Arguments, zone: str, usage: str, *, whole_days: bool = False
) -> tuple[datetime, datetime]:
    """Parse `from … to …`. A bare time as the end is the next one after the start.

    With `whole_days`, an end without a time of day is the end of that day.
    """
    if lasting := _FOR.fullmatch(text.strip()):
        starts = _instant(
            lasting[1] or lasting[3] or ("today" if whole_days and _days(lasting[2]) else "now"), zone, args.now
        )
        return starts, _later(starts, lasting[2], zone)
    match = _FROM_TO.fullmatch(text.strip())
    if not match:
        raise Refused(f"Give a start and an end: {usage}")
    starts = _instant(match[1] or "now", zone, args.now)
    if clock := clock_after(match[2], zone, starts):  # "22:00 to 06:00"
        return starts, clock
    ends = _instant(match[2], zone, args.now)
    if ends < starts:  # "friday to monday": relative to the start
        ends = _instant(match[2], zone, starts)
    if whole_days and not has_clock(match[2]):
        ends = _day_later(ends, zone)
    return starts, ends


def _days(length: str) -> bool:
    """True for whole days or weeks."""
    return not _length(length) % _DAY


def _later(start: datetime, length: str, zone: str) -> datetime:
    """Return the end of a length; whole days end at the same local time, over a clock change too."""
    if not _days(length):
        return start + _length(length)
    local = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None) + _length(length)
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(start.tzinfo)


def _length(text: str) -> timedelta:
    try:
        return parse_length(text)
    except ValueError as error:
        raise Refused(f"{error}.") from None


def _instant(text: str, zone: str, now: datetime) -> datetime:
    try:
        return local_instant(text, zone, now)
    except ValueError as error:
        raise Refused(f"{error}.") from None


def _day_later(midnight: datetime, zone: str) -> datetime:
    local = midnight.astimezone(ZoneInfo(zone))
    return (local.replace(tzinfo=None) + _DAY).replace(tzinfo=ZoneInfo(zone)).astimezone(midnight.tzinfo)


def _shift_at(text: str, rotation: str, args: _Arguments) -> datetime:
    """Return an instant within the shift that begins on a day, or that covers a time."""
    zone = args.command.company.rotations[rotation].timezone
    at = _instant(text, zone, args.now)
    if has_clock(text):
        return at
    shifts = upcoming_shifts(rotation, args.command.company, args.state, at, _day_later(at, zone))
    on_that_day = [t.starts for t in shifts if t.starts >= at]
    if len(on_that_day) > 1:
        raise Refused(f"{len(on_that_day)} shifts begin on that day; say the time too, like 2026-12-21 18:00.")
    return on_that_day[0] if on_that_day else at


def _next_shift(person: str, rotation: str, args: _Arguments) -> datetime:
    shift = next_shift_of(rotation, person, args.command.company, args.state, args.now)
    if shift is None:
        raise Refused(f"{person} has no shift in {rotation} in the next half year.")
    return max(shift.starts, args.now)
