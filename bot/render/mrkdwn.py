"""Lines of text as Slack's mrkdwn, escaped and cut to Slack's limits, and as plain text for terminals.

Slack does not say in which unit it counts; here an emoji outside the basic plane counts as two, the stricter reading.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from escalation.text import Channel, Line, Link, Person, Span, Strong, Time, Verbatim, clean, local_time
from escalation.values import title_of

CLOCK = "{time}"
DAY = "{date_short_pretty} at {time}"
SECONDS = "{time_secs}"
_FALLBACK = "%Y-%m-%d %H:%M:%S"

_USER = re.compile(r"[UW][A-Z0-9]{2,}")
_CHANNEL = re.compile(r"[CDG][A-Z0-9]{2,}")
_URL_ESCAPES = str.maketrans({"<": "%3C", ">": "%3E", "|": "%7C", "&": "&amp;", " ": "%20", "\n": "", "\t": ""})
_MAX_URL = 2000
PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{1,30}")  # as `contacts` takes them
_MAX_LABEL = 200
_SHORTEST_NUMBER = 5  # `24/7` is none


def escape(text: str) -> str:
    """Escape text from outside for mrkdwn: https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def literal(text: str) -> str:
    """Escape text from outside so that it is no markup either: marks that would format become look-alikes.

    Within a word `_` and `~` format nothing, and stay: https://docs.slack.dev/messaging/formatting-message-text
    An address stays as it is: Slack makes a link of it before it looks for marks.
    """
    parts = _ADDRESS.split(escape(text))
    return "".join(part if n % 2 else _FORMATS.sub(_look_alike, part) for n, part in enumerate(parts))


def _look_alike(marks: re.Match[str]) -> str:
    return "".join(_LOOK_ALIKES[mark] for mark in marks[0])


_LOOK_ALIKES = {"*": "∗", "`": "ˋ", "_": "ˍ", "~": "∼"}
_ADDRESS = re.compile(r"(https?://[^\s*`]+)")
_FORMATS = re.compile(r"[*`]|(?<![^\W_])[_~]+|[_~]+(?![^\W_])")


def brief(text: str, limit: int) -> str:
    """Show text from outside as it was written, as one line of at most `limit` characters."""
    return cut(" ".join(literal(text).split()), limit)


def strong(text: str) -> str:
    """Escape text from outside as one line in bold."""
    inner = literal(text).replace("\n", " ")
    return emphasised(inner)


def emphasised(escaped: str) -> str:
    """Make escaped text bold. Blanks at its ends go outside: Slack wants the stars next to the words."""
    inner_text = escaped.strip()
    before, _, after = escaped.partition(inner_text) if inner_text else (escaped, "", "")
    return f"{before}*{inner_text}*{after}" if inner_text else escaped


def moment(at: datetime, form: str = CLOCK) -> str:
    """Format an instant in each reader's zone; UTC for what cannot show it (notifications, old clients)."""
    clock = "%H:%M:%S UTC" if form.endswith(SECONDS) else "%H:%M UTC"
    fallback = at.astimezone(UTC).strftime(f"%Y-%m-%d {clock}" if "{date" in form else clock)
    return f"<!date^{int(at.timestamp())}^{form}|{fallback}>"


def with_seconds(form: str) -> str:
    """Return the form that shows seconds too: for incidents whose clocks run faster, where minutes are seconds."""
    return form.replace("{time}", SECONDS)


def link(url: str, label: str) -> str:
    """Build a link if its URL is one that a browser opens; else only its label."""
    text = brief(label, _MAX_LABEL)
    address = clean(url).translate(_URL_ESCAPES)
    if not address.startswith(("https://", "http://")) or len(address) > _MAX_URL:
        return text
    return f"<{address}|{text}>"


def dialled(contact: str) -> str:
    """Escape a contact's words, each number in them a link that a phone dials: `AWS · +1 555 0100`."""
    return " · ".join(_number(word) for word in contact.split(" · "))


def _number(word: str) -> str:
    digits = re.sub(r"[^+0-9]", "", word)
    if PHONE.fullmatch(word) and len(digits.lstrip("+")) >= _SHORTEST_NUMBER:
        return f"<tel:{digits}|{word}>"
    return brief(word, _MAX_LABEL)


def is_member(name: str) -> bool:
    """True for a member id; the configuration's key of somebody who was not found in Slack is none."""
    return _USER.fullmatch(name) is not None


def person(member: str) -> str:
    """Mention a member; a machine, or a configuration key without a member id (yet), becomes plain text."""
    return f"<@{member}>" if is_member(member) else literal(title_of(member) or member)


def _channel(channel: Channel) -> str:
    return f"<#{channel.id}>" if _CHANNEL.fullmatch(channel.id) else "#" + literal(channel.name)


def render(line: Line) -> str:
    """Render a line as mrkdwn, uncut."""
    return "".join(_span(span) for span in line)


def _span(span: Span) -> str:
    match span:
        case Verbatim():
            return literal(span)
        case str():
            return escape(span)
        case Strong():
            return strong(span.text)
        case Person():
            return person(span.id)
        case Time():
            form = CLOCK if span.clock else DAY
            return moment(span.at, with_seconds(form) if span.seconds else form)
        case Link():
            return link(span.url, span.label)
        case Channel():
            return _channel(span)


def plain(line: Line, names: Mapping[str, str] | None = None) -> str:
    """Render a line as plain text, for a terminal; `names` maps member ids to names."""
    names_known = names or {}
    return "".join(_plain_span(span, lambda member: names_known.get(member, member)) for span in line)


def _plain_span(span: Span, name: Callable[[str], str]) -> str:
    match span:
        case str():
            return clean(span)
        case Strong():
            return clean(span.text)
        case Person():
            return clean(title_of(span.id)) or "@" + clean(name(span.id))
        case Time():
            return local_time(span.at.astimezone(ZoneInfo(span.zone)), _FALLBACK)
        case Link():
            return clean(f"{span.label} ({span.url})")
        case Channel():
            return "#" + clean(span.name)


# Length ----------------------------------------------------------------------------------------------------------


def size(text: str) -> int:
    """Length of a text in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, limit: int) -> str:
    """Cut escaped text to `limit` units, with `…` where something is missing, never inside an entity."""
    return text if size(text) <= limit else text[: _prefix_end(text, limit - 1)] + "…"


def pieces(text: str, limit: int) -> list[str]:
    """Split escaped text into pieces of at most `limit` units, at line ends or blanks where possible."""
    out = []
    while size(text) > limit:
        end = _break_at(text, _prefix_end(text, limit))
        out.append(text[:end].strip())
        text = text[end:]
    return [piece for piece in (*out, text.rstrip()) if piece]


def share(texts: list[str], budget: int) -> list[str]:
    """Cut escaped texts so that together they fit a budget: the longest, all to one length."""
    limit_each, left = budget, budget
    for remaining, length in zip(range(len(texts), 0, -1), sorted(map(size, texts)), strict=True):
        limit_each = left // remaining
        if length > limit_each:
            break
        left -= length
        limit_each = budget
    return [cut(text, limit_each) for text in texts]


def _prefix_end(text: str, limit: int) -> int:
    """Find the end of the longest prefix of at most `limit` units that breaks no entity and no token."""
    end = limit
    while (over := size(text[:end]) - limit) > 0:
        end -= (over + 1) // 2
    return _whole_end(text, end)


def _whole_end(text: str, end: int) -> int:
    """Return `end`, or the start of the entity (`&amp;`) or token (`<@U…>`) that it would break."""
    token = text.rfind("<", 0, end)
    if token > text.rfind(">", 0, end):
        return token
    entity = text.rfind("&", max(0, end - 4), end)
    return entity if entity >= 0 and ";" not in text[entity:end] else end


def _break_at(text: str, end: int) -> int:
    """Find the last line end or blank in the second half before `end`; `end` if there is none."""
    for mark in ("\n", " "):
        at = text.rfind(mark, end // 2, end)
        if at > 0 and _whole_end(text, at) == at:
            return at + 1
    return end
