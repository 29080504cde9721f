"""Reader of other apps' and people's messages: everything that can be read, in the order shown. Pure."""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bot.parsing.command import unescape

_LABEL = re.compile(r"\|[^<>]*(?=>)")
_CONTAINERS = ("rich_text_list", "rich_text")
_ELEMENTS = {  # https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
    "user": ("<@{}>", "user_id"),
    "usergroup": ("<!subteam^{}>", "usergroup_id"),
    "channel": ("<#{}>", "channel_id"),
    "broadcast": ("<!{}>", "range"),
    "emoji": (":{}:", "name"),
    "link": ("<{}>", "url"),
}


def readable_text(message: Mapping[str, Any], names: Mapping[str, str] | None = None) -> str:
    """Read a message: text, blocks, attachments; nothing that its text already says is repeated."""
    text = message.get("text") or ""
    said = _words(text)
    rest = [*_blocks(message.get("blocks")), *_attachments(message.get("attachments"))]
    pieces = [text, *(piece for piece in rest if _words(piece) not in said)]
    return "\n".join(plain for piece in pieces if (plain := unescape(piece, names)))


def first_line(text: str) -> str:
    """Return the first line with words, its blanks collapsed."""
    return next((" ".join(line.split()) for line in text.splitlines() if line.strip()), "")


def _words(text: str) -> str:
    """Reduce a text to its words, each between blanks, so that formatting makes no difference."""
    words = re.findall(r"\w+", html.unescape(_LABEL.sub("", text)).replace("_", " "))
    return f" {' '.join(words)} ".casefold() if words else " "


def _attachments(attachments: Any) -> Iterator[str]:
    for attachment in attachments or ():
        pieces = [attachment.get(part) or "" for part in ("pretext", "title", "text")]
        for field in attachment.get("fields") or ():
            pieces.append(": ".join(part for part in (field.get("title"), field.get("value")) if part))
        pieces += _blocks(attachment.get("blocks"))
        read = [piece for piece in pieces if piece.strip()]
        yield from read or [attachment.get("fallback") or ""]


def _blocks(blocks: Any) -> Iterator[str]:
    for block in blocks or ():
        kind = block.get("type")
        if kind == "rich_text":
            yield from _rich_lines(block)
        elif kind == "table":
            for row in block.get("rows") or ():
                yield " | ".join(" ".join(_rich_lines(cell)) or _text_of(cell) for cell in row)
        else:  # section, header, context, markdown, image, video
            elements = block.get("elements") or () if kind == "context" else ()
            parts = (block.get("title"), block.get("text"), block.get("description"))
            yield from filter(None, map(_text_of, (*parts, *(block.get("fields") or ()), *elements)))


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
    pattern, key = _ELEMENTS.get(str(element.get("type")), ("", ""))
    if pattern and element.get(key):
        return pattern.format(element[key])
    return html.escape(str(element.get("text") or element.get("fallback") or ""), quote=False)
