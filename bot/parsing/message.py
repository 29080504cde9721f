"""Reader of other apps' and people's messages: everything that can be read, in the order shown. Pure."""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bot.alerts.source import STATE_MARK
from bot.parsing.command import unescape

_LABEL = re.compile(r"\|[^<>]*(?=>)")
_LINKED = re.compile(r"<(https?://[^|<>\s]+)\|([^<>]+)>")
_MARKS = re.compile(r"(?<!\w)[*~`_]+(?=\S)|(?<=\S)[*~`_]+(?!\w)")
_EMOJI = re.compile(r"^(?::[a-z0-9_+'-]+:\s*)+(?=\S)")
# What Slack puts where an app gave nothing to read in its place.
_EMPTY = frozenset(("This content can't be displayed.", "[no preview available]"))
_CONTAINERS = ("rich_text_list", "rich_text")
_ELEMENTS = {  # https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
    "user": ("<@{}>", "user_id"),
    "usergroup": ("<!subteam^{}>", "usergroup_id"),
    "channel": ("<#{}>", "channel_id"),
    "broadcast": ("<!{}>", "range"),
    "emoji": (":{}:", "name"),
}


def readable_text(message: Mapping[str, Any], names: Mapping[str, str] | None = None) -> str:
    """Read a message: text, blocks, attachments; nothing that its text already says is repeated."""
    pieces = (_LINKED.sub(_with_address, piece) for piece in _pieces(message))
    return "\n".join(plain for piece in pieces if (plain := unescape(piece, names)))


def headline(message: Mapping[str, Any], names: Mapping[str, str] | None = None) -> str:
    """Return a message's first line as a title: links by their words, without markup and without its present state."""
    pieces = (unescape(_LINKED.sub(r"\2", piece), names) for piece in _pieces(message))
    line = first_line("\n".join(pieces))
    plain = STATE_MARK.sub("", _EMOJI.sub("", _MARKS.sub("", line)))
    return plain.strip() or line


def _pieces(message: Mapping[str, Any]) -> list[str]:
    text = _read(message.get("text"))
    said = _words(text)
    rest = [*_blocks(message.get("blocks")), *_attachments(message.get("attachments"))]
    return [text, *(piece for piece in rest if _words(piece) not in said)]


def _read(text: Any) -> str:
    return text if isinstance(text, str) and text.strip() not in _EMPTY else ""


def _with_address(link: re.Match[str]) -> str:
    """A link by its words and its address; by the address alone where the words are a part of it."""
    url, words = link[1], link[2].strip()
    return f"<{url}>" if html.unescape(words) in html.unescape(url) else f"{words} ({url})"


def first_line(text: str) -> str:
    """Return the first line with words, its blanks collapsed."""
    return next((" ".join(line.split()) for line in text.splitlines() if line.strip()), "")


def _words(text: str) -> str:
    """Reduce a text to its words, each between blanks, so that formatting makes no difference."""
    words = re.findall(r"\w+", html.unescape(_LABEL.sub("", text)).replace("_", " "))
    return f" {' '.join(words)} ".casefold() if words else " "


def _attachments(attachments: Any) -> Iterator[str]:
    for attachment in attachments or ():
        pieces = [attachment.get(part) or "" for part in ("pretext", "author_name", "title", "text")]
        for field in attachment.get("fields") or ():
            pieces.append(": ".join(part for part in (field.get("title"), field.get("value")) if part))
        pieces += _blocks(attachment.get("blocks"))
        for shared in attachment.get("message_blocks") or ():  # of a message that somebody passed on
            pieces += _blocks((shared.get("message") or {}).get("blocks"))
        read = [piece for piece in pieces if piece.strip()] or [_read(attachment.get("fallback"))]
        yield from read
        yield from filter(None, map(_address_of, attachment.get("actions") or ()))
        yield _escaped(attachment.get("title_link") or "")
        yield attachment.get("footer") or ""


def _blocks(blocks: Any) -> Iterator[str]:
    for block in blocks or ():
        kind = block.get("type")
        if kind == "rich_text":
            yield from _rich_lines(block)
        elif kind == "table":
            for row in block.get("rows") or ():
                yield " | ".join(" ".join(_rich_lines(cell)) or _text_of(cell) for cell in row)
        elif kind == "actions":
            yield from filter(None, map(_address_of, block.get("elements") or ()))
        else:  # section, header, context, markdown, image, video
            elements = block.get("elements") or () if kind == "context" else ()
            parts = (block.get("title"), block.get("text"), block.get("description"))
            yield from filter(None, map(_text_of, (*parts, *(block.get("fields") or ()), *elements)))
            yield _address_of(block.get("accessory"))


def _address_of(button: Any) -> str:
    """Where a button leads, with its label; nothing of one that does something in Slack."""
    url = button.get("url") if isinstance(button, Mapping) else ""
    return f"<{_escaped(url)}|{_text_of(button.get('text')) or 'link'}>" if url else ""


def _escaped(url: str) -> str:
    """An address as text has it: Slack escapes those in texts, and hands on others as the app wrote them."""
    return url if "&amp;" in url else html.escape(url, quote=False)


def _text_of(part: Any) -> str:
    """Text of a text object, of a plain string, or of an element that has either."""
    if isinstance(part, Mapping):
        return _text_of(part.get("text"))
    return part if isinstance(part, str) else ""


def _rich_lines(block: Mapping[str, Any]) -> Iterable[str]:
    """Lines of rich text, escaped as in a message's text; a list has one for each of its items."""
    for element in block.get("elements") or ():
        if element.get("type") in _CONTAINERS:
            yield from _rich_lines(element)
        else:
            yield from "".join(map(_rich_element, element.get("elements") or ())).splitlines()


def _rich_element(element: Mapping[str, Any]) -> str:
    if element.get("type") == "link" and element.get("url"):
        words = html.escape(str(element.get("text") or ""), quote=False)
        url = _escaped(element["url"])
        return f"<{url}|{words}>" if words else f"<{url}>"
    pattern, key = _ELEMENTS.get(str(element.get("type")), ("", ""))
    if pattern and element.get(key):
        return pattern.format(element[key])
    return html.escape(str(element.get("text") or element.get("fallback") or ""), quote=False)
