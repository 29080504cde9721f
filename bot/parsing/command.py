"""Parser of /incident: verb, incident and the remaining words. Pure."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from bot.vocabulary import MOVES, VERB_OF
from escalation.config.policy import Policy

ID = re.compile(r"INC-\d{8}-\d{3,}", re.IGNORECASE)
ROOM = re.compile(r"<#(C[A-Z0-9]{2,})(?:\|[^>]*)?>")
_LIKE_AN_ID = re.compile(r"INC-[\w-]*", re.IGNORECASE)
# A day is 1218 or 20241218; 2026-12 is a month that somebody plans for.
_NUMBER = re.compile(r"(?:#?(?:inc|drill)-|#)?(?:((?:\d{4})?(?:0[1-9]|1[0-2])\d{2})-)?0*(\d+)(?=$|-)", re.IGNORECASE)
_SEVERITY = re.compile(r"[\[(]?(?:p|sev|severity)[-_]?(\d)[\])]?:?", re.IGNORECASE)
_USER = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_GROUP = re.compile(r"<!subteam\^(S[A-Z0-9]+)(?:\|[^>]*)?>")
_BETWEEN = re.compile(r"^(?:[,;:]\s*|(?:and|&amp;)\s+(?=[<@]))+", re.IGNORECASE)  # between two names
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_MARKED = re.compile(r"<([@#!]?)([^<>|]+)(?:\|([^<>]*))?>")


# After these a number alone is an incident's: nobody says a cause, an update or a reason in one. A snooze it may be.
_TAKES_NUMBER = frozenset({*MOVES, "review", "action", "alerts"} - {"snooze"})
_FIX_VERBS = {"applied": "fix-applied", "failed": "fix-failed"}
_ID_SECOND = ("severity", "page", "lead", "run")  # of these the id may follow the first argument


@dataclass(frozen=True)
class ParsedCommand:
    """A parsed command. `verb` is empty for an unknown `word`; `incident`, when none was named.

    `incident` is what was typed: an id, a number, or the id of its war room's channel. `text` is still as Slack sent
    it: mentions in angle brackets, `&`, `<` and `>` as entities.
    """

    verb: str
    word: str = ""
    incident: str = ""
    text: str = ""


def nearest_incident(typed: str, ids: Sequence[str]) -> str:
    """Suggest the incident that an unknown id or number was probably meant for; empty when none is similar."""
    number = not _LIKE_AN_ID.fullmatch(typed)
    candidates = {(i.rsplit("-", 1)[-1] if number else i): i for i in reversed(ids)}  # of equal numbers, the newest
    close = get_close_matches(typed.upper(), candidates, n=1, cutoff=0.6)
    return candidates[close[0]] if close else ""


def has_number(incident_id: str, typed: str) -> bool:
    """True if an incident is meant by `14`, `#014`, `INC-14`, `1218-14` or by its room's name, `inc-014-checkout`."""
    match = _NUMBER.match(typed)
    if match is None:
        return False
    *_, day, number = incident_id.split("-")
    return int(number) == int(match[2]) and day.endswith(match[1] or "")


def parse(text: str) -> ParsedCommand:
    """Parse what follows /incident. The id may come first, or second after a severity, a person or a role."""
    word, rest = _split_first(text)
    second, others = _split_first(rest)
    if f"{word}-{second}".lower() in VERB_OF:  # `root cause`, `on call`, `false alarm`
        word, rest = f"{word}-{second}", others
    verb = VERB_OF.get(word.lower(), "") if word else "help"
    if verb == "fix":
        verb, rest = _fix_verb(rest)
    incident, rest = (rest, "") if verb == "show" and not _take_id(rest)[0] else _take_named(verb, rest)
    if verb in _ID_SECOND and not incident:
        first, others = _split_first(rest)
        incident, others = _take_named(verb, others)
        rest = f"{first} {others}".strip()
    return ParsedCommand(verb, word, incident, rest)


def _split_first(text: str) -> tuple[str, str]:
    first, *others = text.strip().split(maxsplit=1) or [""]
    return first, others[0].strip() if others else ""


def _fix_verb(rest: str) -> tuple[str, str]:
    """Tell `fix applied` and `fix INC-... failed` from `fix`."""
    incident, after = _take_id(rest)
    number, words = _split_first(rest)
    if not incident and _NUMBER.fullmatch(number) and words.lower() in _FIX_VERBS:
        incident, after = number, words
    word, rest_after = _split_first(after)
    verb = _FIX_VERBS.get(word.lower(), "")
    return (verb, f"{incident} {rest_after}".strip()) if verb else ("fix", rest)


def _take_named(verb: str, text: str) -> tuple[str, str]:
    """Take an incident's id, or its number where no words follow it; a review's words follow a number as well."""
    incident, rest = _take_id(text)
    number, words = _split_first(text)
    if incident or verb not in _TAKES_NUMBER or not _NUMBER.fullmatch(number) or (words and verb != "review"):
        return incident, rest
    return number, words


def number_before_words(text: str) -> str:
    """Return the number of an incident that words begin with, which is one of them; empty where they do not."""
    number, words = _split_first(text)
    return number if words and _NUMBER.fullmatch(number) else ""


def _take_id(text: str) -> tuple[str, str]:
    first, others = _split_first(text)
    if room := ROOM.match(first):
        return room[1], others
    return (first.upper(), others) if _LIKE_AN_ID.fullmatch(first) else ("", text)


def nearest_verb(word: str) -> str:
    """Suggest the verb that was probably meant; empty when none is similar."""
    close = get_close_matches(word.lower(), VERB_OF, n=1, cutoff=0.6)
    return VERB_OF[close[0]] if close else ""


def severity_named(word: str, policy: Policy) -> str:
    """Return the policy's severity that a word names: `P0`, `p0:`, `[P0]`, `sev0` or `SEV-0`; empty for any other."""
    match = _SEVERITY.fullmatch(word)
    named = f"P{match[1]}" if match else ""
    return named if named in {s.value for s in policy.severities} else ""


def unescape(text: str, names: Mapping[str, str] | None = None) -> str:
    """Undo Slack's escapes: `<@U1|dana>` becomes `@dana`, `&amp;` becomes `&`."""

    def replace(match: re.Match[str]) -> str:
        sign, target, label = match[1], match[2], match[3]
        if sign == "@":
            return "@" + (label or (names or {}).get(target) or target)
        if sign == "#":
            return "#" + (label or target)
        if sign == "!":
            return "@" + (label or target.split("^")[-1]).lstrip("@")
        return target.removeprefix("mailto:")

    return html.unescape(_MARKED.sub(replace, text)).strip()


@dataclass(frozen=True)
class Targets:
    """People whom a command names: member ids, user groups and roles, and why.

    `unknown` are the words that were meant as names and are none: `@somebody`, an address, or the first word.
    """

    people: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    why: str = ""
    unknown: tuple[str, ...] = ()


def parse_targets(text: str, roles: Mapping[str, str], member_ids: Mapping[str, str]) -> Targets:
    """Parse names until the first word that is none: `@dana @dbas, cto the disk is full`.

    `roles` maps a role to its display name, `member_ids` a person's key or address to their member id.
    """
    named: dict[str, list[str]] = {"people": [], "groups": [], "roles": [], "unknown": []}
    rest = text.strip()
    while rest and (found := _target(rest, roles, member_ids)):
        kind, name, rest = found
        named[kind].append(name)
        rest = _BETWEEN.sub("", rest.strip())
    if not any(named.values()):
        named["unknown"].append(unescape(_split_first(rest)[0]))
    unique = {kind: tuple(dict.fromkeys(filter(None, names))) for kind, names in named.items()}
    return Targets(**unique, why=rest)


def _target(text: str, roles: Mapping[str, str], member_ids: Mapping[str, str]) -> tuple[str, str, str] | None:
    """Parse one name: its kind, the name and the remaining text; None for a word that is no name."""
    if match := _USER.match(text):
        return "people", match[1], text[match.end() :]
    if match := _GROUP.match(text):
        return "groups", match[1], text[match.end() :]
    word, rest = _split_first(text)
    name = unescape(word).rstrip(",;:").lower()
    if member := member_ids.get(name.lstrip("@")):
        return "people", member, rest
    if role := _role(text.removeprefix("@"), roles):
        return "roles", *role
    is_meant = name.startswith("@") or _ADDRESS.fullmatch(name)
    return ("unknown", unescape(word).rstrip(",;:"), rest) if is_meant else None


def group_name(text: str, group: str) -> str:
    """Name of a user group that a text mentions, as it was typed: `@dbas`."""
    match = re.search(rf"<!subteam\^{re.escape(group)}(?:\|@?([^>]*))?>", text)
    return f"@{(match[1] if match else '') or group}"


def _role(text: str, roles: Mapping[str, str]) -> tuple[str, str] | None:
    """Match a role by key or name, the longest first, so that `on call engineer` is not read as `on call`."""
    role_names = {key.replace("_", " "): key for key in roles} | {name.lower(): key for key, name in roles.items()}
    flat = re.sub(r"[_-]+", " ", text.lower())
    for name in sorted(role_names, key=len, reverse=True):
        flat_name = re.sub(r"[_-]+", " ", name)
        if re.match(rf"{re.escape(flat_name)}(?![\w])", flat):
            return role_names[name], text[len(flat_name) :]
    return None


def parse_duplicate(text: str) -> tuple[str, str]:
    """Parse `duplicate of INC-... why`, or `duplicate of 14`, into the other incident and the reason.

    Without another incident all is the reason.
    """
    said = re.match(r"(?:a\s+)?duplicate\s+(?:of\s+)?(\S+?)[:,.]?(?:\s+|$)(.*)", text, re.IGNORECASE | re.DOTALL)
    if said and (ID.fullmatch(said[1]) or _NUMBER.fullmatch(said[1])):
        return said[1].upper(), said[2]
    return "", text
