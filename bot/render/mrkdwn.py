"""Words as Slack's mrkdwn, escaped and cut to Slack's limits, and as plain text for terminals.

Slack does not say in which unit it counts; here an emoji outside the basic plane counts as two, the stricter reading.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from escalation.text import Channel, Line, Link, Person, Span, Strong, Time, clean

CLOCK = "{time_secs}"
EXACT = "{date_num} {time_secs}"
DAY = "{date_short_pretty} at {time_secs}"
_FALLBACK = "%Y-%m-%d %H:%M:%S UTC"

_USER = re.compile(r"[UW][A-Z0-9]{2,}")
_CHANNEL = re.compile(r"[CDG][A-Z0-9]{2,}")
_URL_ESCAPES = str.maketrans({"<": "%3C", ">": "%3E", "|": "%7C", "&": "&amp;", " ": "%20", "\n": "", "\t": ""})
_LONGEST_URL = 2000
_LONGEST_LABEL = 200


def escape(text: str) -> str:
    """Text from outside, for mrkdwn. https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def brief(text: str, limit: int) -> str:
    """Text from outside as one escaped line of at most so many characters."""
    return cut(" ".join(escape(text).split()), limit)


def strong(text: str) -> str:
    """Text from outside in bold, on one line. Blanks at its ends go outside: Slack wants the stars at the words."""
    inner = escape(text).replace("*", "∗").replace("\n", " ")
    return emphasised(inner)


def emphasised(escaped: str) -> str:
    """The same for text that was escaped (and cut) before."""
    bare = escaped.strip()
    before, _, after = escaped.partition(bare) if bare else (escaped, "", "")
    return f"{before}*{bare}*{after}" if bare else escaped


def moment(at: datetime, form: str = CLOCK) -> str:
    """An instant in each reader's own zone, with UTC for whatever cannot show it (notifications, old clients)."""
    fallback = at.astimezone(UTC).strftime("%H:%M:%S UTC" if form == CLOCK else _FALLBACK)
    return f"<!date^{int(at.timestamp())}^{form}|{fallback}>"


def link(url: str, label: str) -> str:
    """A link, if its address is one that a browser opens; else only its label."""
    shown = brief(label, _LONGEST_LABEL)
    address = clean(url).translate(_URL_ESCAPES)
    if not address.startswith(("https://", "http://")) or len(address) > _LONGEST_URL:
        return shown
    return f"<{address}|{shown}>"


def person(who: str) -> str:
    """A mention; a key of the configuration that is no member id (yet) as plain text."""
    return f"<@{who}>" if _USER.fullmatch(who) else escape(who)


def _channel(channel: Channel) -> str:
    return f"<#{channel.id}>" if _CHANNEL.fullmatch(channel.id) else "#" + escape(channel.name)


def render(line: Line) -> str:
    """One line of words as mrkdwn, complete."""
    return "".join(_span(span) for span in line)


def _span(span: Span) -> str:
    match span:
        case str():
            return escape(span)
        case Strong():
            return strong(span.text)
        case Person():
            return person(span.id)
        case Time():
            return moment(span.at, CLOCK if span.clock else EXACT)
        case Link():
            return link(span.url, span.label)
        case Channel():
            return _channel(span)


def plain(line: Line, names: Mapping[str, str] | None = None) -> str:
    """One line of words for a terminal; `names` maps member ids to what people are called."""
    known = names or {}
    return "".join(_plain_span(span, lambda who: known.get(who, who)) for span in line)


def _plain_span(span: Span, name: Callable[[str], str]) -> str:
    match span:
        case str():
            return clean(span)
        case Strong():
            return clean(span.text)
        case Person():
            return "@" + clean(name(span.id))
        case Time():
            return span.at.astimezone(UTC).strftime(_FALLBACK)
        case Link():
            return clean(f"{span.label} ({span.url})")
        case Channel():
            return "#" + clean(span.name)


# Length ----------------------------------------------------------------------------------------------------------


def size(text: str) -> int:
    """Its length in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, limit: int) -> str:
    """Escaped text of at most `limit` units, with `…` where something is missing, never inside an entity."""
    return text if size(text) <= limit else text[: _beginning(text, limit - 1)] + "…"


def pieces(text: str, limit: int) -> list[str]:
    """All of an escaped text in pieces of at most `limit` units, broken at lines or words where that is possible."""
    out = []
    while size(text) > limit:
        end = _break(text, _beginning(text, limit))
        out.append(text[:end].strip())
        text = text[end:]
    return [piece for piece in (*out, text.rstrip()) if piece]


def share(texts: list[str], budget: int) -> list[str]:
    """Escaped texts that together keep to a budget: the longest are cut, down to one length, until it suffices."""
    cap, left = budget, budget
    for waiting, length in zip(range(len(texts), 0, -1), sorted(map(size, texts)), strict=True):
        cap = left // waiting
        if length > cap:
            break
        left -= length
        cap = budget
    return [cut(text, cap) for text in texts]


def _beginning(text: str, limit: int) -> int:
    """Where the longest beginning of at most `limit` units ends that breaks no entity and no token."""
    end = limit
    while (over := size(text[:end]) - limit) > 0:
        end -= (over + 1) // 2
    return _outside(text, end)


def _outside(text: str, end: int) -> int:
    """`end`, or the start of the entity (`&amp;`) or token (`<@U…>`) that it would break."""
    opened = text.rfind("<", 0, end)
    if opened > text.rfind(">", 0, end):
        return opened
    entity = text.rfind("&", max(0, end - 4), end)
    return entity if entity >= 0 and ";" not in text[entity:end] else end


def _break(text: str, end: int) -> int:
    """The last line end or blank in the second half before `end`; `end` if there is none."""
    for mark in ("\n", " "):
        at = text.rfind(mark, end // 2, end)
        if at > 0 and _outside(text, at) == at:
            return at + 1
    return end
