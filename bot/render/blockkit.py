"""A Slack message, its blocks and their limits. Texts come in as escaped mrkdwn, except where plain text is asked for.

Limits: https://docs.slack.dev/reference/block-kit/blocks
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bot.render.mrkdwn import cut, pieces, size
from escalation.text import clean

Block = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """`text` is mrkdwn, escaped, at most 3,000 characters; `blocks` at most 50."""

    text: str
    blocks: list[Block] = field(default_factory=list)


HEADER = 150
SECTION = 3000
BUTTON = 75
OPTION = 75
CONFIRM = 300
TEXT = 3000
# Undocumented: messages of 13,000 characters in all are refused (slackapi/bolt-js#2509), some of 11,400 too (#2867).
WHOLE_MESSAGE = 10_000


def plain_text(text: str, limit: int) -> Block:
    return {"type": "plain_text", "text": cut(clean(text), limit), "emoji": True}


def header(text: str, block_id: str) -> Block:
    """Large type. `text` is plain, and ours: Slack does not say whether it unescapes it."""
    return {"type": "header", "block_id": block_id, "text": plain_text(text, HEADER)}


def section(text: str, block_id: str) -> Block:
    return {"type": "section", "block_id": block_id, "text": {"type": "mrkdwn", "text": cut(text, SECTION)}}


def context(text: str, block_id: str) -> Block:
    """Small type."""
    return {"type": "context", "block_id": block_id, "elements": [{"type": "mrkdwn", "text": cut(text, SECTION)}]}


def sections(lines: Iterable[str], block_id: str) -> list[Block]:
    """Lines in as few sections as hold them, complete; a line too long for one goes on in the next."""
    packed: list[str] = []
    for line in lines:
        for piece in pieces(line, SECTION):
            if packed and size(packed[-1]) + 1 + size(piece) <= SECTION:
                packed[-1] += "\n" + piece
            else:
                packed.append(piece)
    return [section(text, block_id if n == 0 else f"{block_id}-{n + 1}") for n, text in enumerate(packed)]
