"""Mails as they were written (MIME): headers, the text that a person reads, names of what is attached.

Nothing in a mail can be trusted to be well made; what cannot be read is left out, and the rest is still taken.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from email.errors import HeaderParseError, MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from html import unescape
from typing import NamedTuple

from bot.alerts.mail.forms import decoded

Headers = Mapping[str, tuple[str, ...]]  # values by name in lower case, in their order, undecoded
MAX_HEADER = 8_000  # characters of one header, References included
MAX_HEADERS = 20  # kept of one name
MAX_HEAD = 2_000_000  # bytes of all headers
MAX_HTML = 500_000  # characters
MAX_PARTS = 500
MAX_NAMED = 50  # recipients in a report
KEPT = {
    *("from", "to", "subject", "message-id", "references", "in-reply-to", "return-path", "content-type"),
    *("auto-submitted", "precedence", "list-id", "x-autoreply", "x-autorespond", "x-failed-recipients"),
    *("dkim-signature", "x-mailgun-spf", "x-mailgun-dkim-check-result", "x-mailgun-sflag"),
}
UNREADABLE = "(The text of this mail could not be read.)"


class DeliveryReport(NamedTuple):
    """What a report says of a mail that was sent (https://www.rfc-editor.org/rfc/rfc3464), if it is one.

    `actions` are in lower case, one for each recipient; `returned` are the Message-ID and the Reply-To of that mail.
    """

    actions: tuple[str, ...] = ()
    diagnosis: str = ""
    returned: tuple[str, ...] = ()


class Content(NamedTuple):
    """A mail as it was read."""

    headers: "Headers"
    text: str
    files: tuple[str, ...]
    report: DeliveryReport = DeliveryReport()


def headers_of(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Keep the headers that matter, from pairs of name and value."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        values = found.setdefault(name.lower(), []) if name.lower() in KEPT else None
        if values is not None and len(values) < MAX_HEADERS:
            values.append(" ".join(value[:MAX_HEADER].split()))
    return {name: tuple(values) for name, values in found.items()}


def head(raw: bytes) -> Headers:
    """Read the headers at the beginning of a mail, or alone."""
    return headers_of(_pairs(BytesHeaderParser().parsebytes(raw[:MAX_HEAD])))


def message(raw: bytes) -> Content:
    """Read a mail: its headers, its text, the names of its attachments, and what it reports of another."""
    try:
        parsed = BytesParser().parsebytes(raw)
        text, names = _content(parsed)
        return Content(headers_of(_pairs(parsed)), text, names, _report(parsed))
    except (RecursionError, MessageError, ValueError, LookupError):  # nested a thousand deep, or broken in a new way
        return Content(head(raw), UNREADABLE, ())


def words(header: str) -> str:
    """Decode a header for reading, as https://www.rfc-editor.org/rfc/rfc2047 has it; as it stands where that fails."""
    try:
        parts = decode_header(header[:MAX_HEADER])
        plain = "".join(p if isinstance(p, str) else decoded(p, charset or "utf-8") for p, charset in parts)
    except (HeaderParseError, ValueError, LookupError):
        plain = header
    return " ".join(plain.split())


def _pairs(parsed: Message) -> Iterator[tuple[str, str]]:
    """Headers as they stand; raw bytes beyond ASCII are read as UTF-8."""
    for name, value in parsed.raw_items():
        yield name, str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _content(parsed: Message) -> tuple[str, tuple[str, ...]]:
    plain, html, names = "", "", list[str]()
    for n, part in enumerate(parsed.walk()):
        if n > MAX_PARTS:
            break
        kind = part.get_content_type()
        if part.is_multipart():
            if kind == "message/rfc822":
                names.append("a forwarded mail")
            continue
        if (file := part.get_filename()) or part.get_content_disposition() == "attachment":
            names.append(words(file or "unnamed"))
        elif kind == "text/calendar":
            names.append("invite.ics")
        elif kind == "text/plain" and not plain:
            plain = _text(part)
        elif kind == "text/html" and not html:
            html = _text(part)
    return plain if plain.strip() else html_text(html), tuple(names)


def _report(parsed: Message) -> DeliveryReport:
    """Read a delivery report; an empty one for any other mail."""
    if parsed.get_content_type() != "multipart/report" or not parsed.is_multipart():
        return DeliveryReport()
    actions, diagnosis, returned = list[str](), "", tuple[str, ...]()
    for part in _parts(parsed)[:MAX_PARTS]:
        inner = _parts(part)
        match part.get_content_type():
            case "message/delivery-status":
                groups = [dict(_pairs(group)) for group in inner[:MAX_NAMED]]
                fields = [{k.lower(): " ".join(v[:MAX_HEADER].split()) for k, v in group.items()} for group in groups]
                actions += [f["action"].lower() for f in fields if "action" in f]
                found = [f"{f.get('status', '')} {f.get('diagnostic-code', '')}".strip() for f in fields]
                diagnosis = diagnosis or next(filter(None, found), "")
            case "message/rfc822" | "message/global":
                returned = _answered_at(_pairs(inner[0])) if inner else returned
            case "text/rfc822-headers" | "message/rfc822-headers" | "message/global-headers":
                returned = _answered_at(_pairs(BytesHeaderParser().parsebytes(_text(part).encode())))
    return DeliveryReport(tuple(actions), diagnosis, returned)


def _parts(parsed: Message) -> list[Message]:
    payload = parsed.get_payload()
    return [part for part in payload if isinstance(part, Message)] if isinstance(payload, list) else []


def _answered_at(pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    named = {name.lower(): " ".join(value[:MAX_HEADER].split()).strip("<> ") for name, value in pairs}
    return tuple(named[name] for name in ("message-id", "reply-to") if named.get(name))


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return decoded(payload if isinstance(payload, bytes) else b"", part.get_content_charset() or "utf-8")


def html_text(html: str) -> str:
    """Return the text of HTML as a person sees it, without what it quotes, unless that is all."""
    shown = _HIDDEN.sub(" ", html[:MAX_HTML])
    return _lines_of(shown, quotes=False) or _lines_of(shown, quotes=True)


# Not the library's parser: what is left open makes it take quadratic time (https://www.cve.org/CVERecord?id=CVE-2025-6069)
_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|title|template)\b.*?(?:</\1\b[^<>]*>|\Z)", re.DOTALL | re.IGNORECASE
)
_PIECE = re.compile(r"<[^<>]*>|[^<]+|<")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_QUOTES = re.compile(r"\b(?:gmail_quote|yahoo_quoted)\b|divRplyFwdMsg")  # how Gmail, Yahoo and Outlook mark them
_LINES = frozenset(("p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "table", "ul", "ol", "pre", "hr"))


def _lines_of(html: str, *, quotes: bool) -> str:
    pieces, quoted, depth = list[str](), "", 0
    for piece in _PIECE.findall(html):
        tag = _TAG.match(piece) if piece.endswith(">") else None
        name = tag[2].lower() if tag else ""
        if quoted:
            depth += {quoted: -1 if tag and tag[1] else 1}.get(name, 0)
            quoted = quoted if depth else ""
        elif not quotes and tag and not tag[1] and (name == "blockquote" or _QUOTES.search(piece)):
            quoted, depth = name, 1
        elif name in _LINES:
            pieces.append("\n")
        elif not piece.startswith("<") or piece == "<":
            pieces.append(unescape(piece))
    text = re.sub(r"[ \t\r\f\v\xa0]+", " ", "".join(pieces))
    return re.sub(r" ?\n[ \n]*\n ?", "\n\n", re.sub(r" ?\n ?", "\n", text)).strip()
