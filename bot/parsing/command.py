"""What somebody typed after /incident: which verb, which incident, and the words that are left. Pure."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from bot.vocabulary import VERB_OF

ID = re.compile(r"INC-\d{8}-\d{3,}", re.IGNORECASE)
_LIKE_AN_ID = re.compile(r"INC-[\w-]*", re.IGNORECASE)
_USER = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
_GROUP = re.compile(r"<!subteam\^(S[A-Z0-9]+)(?:\|[^>]*)?>")
_MARKED = re.compile(r"<([@#!]?)([^<>|]+)(?:\|([^<>]*))?>")


@dataclass(frozen=True)
class ParsedCommand:
    """A command as it was typed. `verb` is empty for one that we do not know; `incident` when none was named.

    `text` is still as Slack sent it: mentions in angle brackets, `&`, `<` and `>` as entities.
    """

    verb: str
    word: str = ""
    incident: str = ""
    text: str = ""


def parse(text: str) -> ParsedCommand:
    """Read what follows /incident. The id may stand first, or second where a severity or a person stands first."""
    word, rest = _first(text)
    verb = VERB_OF.get(word.lower(), "") if word else "help"
    if verb == "fix":
        verb, rest = _which_fix(rest)
    incident, rest = _take_id(rest)
    if verb in ("severity", "page", "lead") and not incident:
        head, tail = _first(rest)
        incident, tail = _take_id(tail)
        rest = f"{head} {tail}".strip()
    return ParsedCommand(verb, word, incident, rest)


def _first(text: str) -> tuple[str, str]:
    head, *tail = text.strip().split(maxsplit=1) or [""]
    return head, tail[0].strip() if tail else ""


def _which_fix(rest: str) -> tuple[str, str]:
    """`fix applied`, `fix INC-... failed`: the second word may make it another move."""
    incident, after = _take_id(rest)
    word, left = _first(after)
    verb = {"applied": "fix-applied", "failed": "fix-failed"}.get(word.lower(), "")
    return (verb, f"{incident} {left}".strip()) if verb else ("fix", rest)


def _take_id(text: str) -> tuple[str, str]:
    head, tail = _first(text)
    return (head.upper(), tail) if _LIKE_AN_ID.fullmatch(head) else ("", text)


def nearest(word: str) -> str:
    """The verb that was probably meant; empty when none is near."""
    near = get_close_matches(word.lower(), VERB_OF, n=1, cutoff=0.6)
    return VERB_OF[near[0]] if near else ""


def spoken(text: str, names: Mapping[str, str] | None = None) -> str:
    """Slack's escaped text as a person would write it: `<@U1|dana>` becomes `@dana`, `&amp;` becomes `&`."""

    def plain(match: re.Match[str]) -> str:
        sign, target, label = match[1], match[2], match[3]
        if sign == "@":
            return "@" + (label or (names or {}).get(target) or target)
        if sign == "#":
            return "#" + (label or target)
        if sign == "!":
            return "@" + (label or target.split("^")[-1]).lstrip("@")
        return target.removeprefix("mailto:")

    return html.unescape(_MARKED.sub(plain, text)).strip()


@dataclass(frozen=True)
class Named:
    """Who is to be paged: member ids, user groups, or a role; and why."""

    people: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    role: str = ""
    why: str = ""
    unknown: str = ""


def who(text: str, roles: Mapping[str, str], keys: Mapping[str, str]) -> Named:
    """Read `@dana @omar the disk is full` or `backend lead the disk is full`.

    `roles` maps a role to what people call it, `keys` a person's key in the configuration to the member id.
    """
    people: list[str] = []
    groups: list[str] = []
    rest = text.strip()
    while match := _USER.match(rest) or _GROUP.match(rest):
        (people if match.re is _USER else groups).append(match[1])
        rest = rest[match.end() :].lstrip(" ,")
    if people or groups:
        return Named(tuple(people), tuple(groups), why=rest)
    word, left = _first(rest)
    named = word.lstrip("@").lower()
    if named in keys:
        return Named((keys[named],), why=left)
    return _role(rest, roles) or Named(unknown=word)


def _role(text: str, roles: Mapping[str, str]) -> Named | None:
    """A role by its key or by its name, the longest first, so that `on call engineer` is not read as `on call`."""
    spoken_as = {key.replace("_", " "): key for key in roles} | {name.lower(): key for key, name in roles.items()}
    flat = re.sub(r"[_-]+", " ", text.lower())
    for name in sorted(spoken_as, key=len, reverse=True):
        said = re.sub(r"[_-]+", " ", name)
        if flat == said or flat.startswith(said + " "):
            return Named(role=spoken_as[name], why=text[len(said) :].strip())
    return None


def duplicate_of(text: str) -> tuple[str, str]:
    """(id, why): `duplicate of INC-...` at the beginning names another incident; otherwise all of it is the reason."""
    match = re.match(rf"(?:a\s+)?duplicate\s+(?:of\s+)?({ID.pattern})\b[:,.]?\s*(.*)", text, re.IGNORECASE | re.DOTALL)
    return (match[1].upper(), match[2]) if match else ("", text)
