"""Slack messages, blocks and their limits. Texts are escaped mrkdwn, except where a parameter is plain text.

Limits: https://docs.slack.dev/reference/block-kit/blocks
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from bot.render.mrkdwn import cut, pieces, size
from escalation.text import clean

Block = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """A Slack message. `text` is escaped mrkdwn of at most 3,000 characters; `blocks` are at most 50.

    `stand_ins`: the id of a table or chart -> the blocks that say the same where Slack does not take it.
    """

    text: str
    blocks: list[Block] = field(default_factory=list)
    stand_ins: dict[str, list[Block]] = field(default_factory=dict)


CONTAINER = "container"
DATA_TABLE = "data_table"
CHART = "data_visualization"
OPTIONAL = frozenset({CONTAINER, DATA_TABLE, CHART})  # Slack hands them out workspace by workspace
HEADER = 150
SECTION = 3000
BUTTON = 75
OPTION = 75
CONFIRM = 300
TEXT = 3000
# Undocumented: messages of 13,000 characters in all are refused (slackapi/bolt-js#2509), some of 11,400 too (#2867).
WHOLE_MESSAGE = 10_000


def plain_text(text: str, limit: int) -> Block:
    """Plain text object, cut to `limit`."""
    return {"type": "plain_text", "text": cut(clean(text), limit), "emoji": True}


def header(text: str, block_id: str) -> Block:
    """Header block. `text` is plain and never from outside: Slack does not say whether it unescapes it."""
    return {"type": "header", "block_id": block_id, "text": plain_text(text, HEADER)}


def action_row(elements: list[Block], block_id: str) -> list[Block]:
    """Build a row of buttons; nothing for none."""
    return [{"type": "actions", "block_id": block_id, "elements": elements}] if elements else []


def section(text: str, block_id: str) -> Block:
    """Section block, cut to its limit."""
    return {"type": "section", "block_id": block_id, "text": {"type": "mrkdwn", "text": cut(text, SECTION)}}


def context(text: str, block_id: str) -> Block:
    """Context block (small type), cut to its limit."""
    return {"type": "context", "block_id": block_id, "elements": [{"type": "mrkdwn", "text": cut(text, SECTION)}]}


def folded(title: str, blocks: list[Block], block_id: str) -> list[Block]:
    """Container that its reader unfolds, of at most ten blocks; none for no blocks. Slack takes it in messages only.

    https://docs.slack.dev/reference/block-kit/blocks/container-block. Where it is refused, its blocks stand there.
    """
    container = {
        "type": CONTAINER,
        "block_id": block_id,
        "title": plain_text(title, HEADER),
        "child_blocks": blocks[:10],
    }
    return [{**container, "is_collapsible": True, "default_collapsed": True}] if blocks else []


def optional_kinds(blocks: list[Block]) -> frozenset[str]:
    """Return the kinds of blocks that Slack may not take here."""
    return OPTIONAL & {str(block.get("type")) for block in blocks}


def without(message: Message, kinds: Collection[str]) -> Message:
    """The message without blocks of these kinds: what says the same, or is in a container, stands in their place."""

    def shown(block: Block) -> list[Block]:
        if block["type"] not in kinds:
            return [block]
        inside: list[Block] = block.get("child_blocks", [])
        return message.stand_ins.get(block.get("block_id", ""), inside)

    return replace(message, blocks=[inner for block in message.blocks for inner in shown(block)])


def link_button(action_id: str, label: str, url: str) -> Block:
    """Button that opens an address."""
    return {"type": "button", "action_id": action_id, "text": plain_text(label, BUTTON), "url": url}


def sections(lines: Iterable[str], block_id: str) -> list[Block]:
    """Pack lines into as few sections as possible; a line too long for one continues in the next."""
    packed: list[str] = []
    for line in lines:
        for piece in pieces(line, SECTION):
            if packed and size(packed[-1]) + 1 + size(piece) <= SECTION:
                packed[-1] += "\n" + piece
            else:
                packed.append(piece)
    return [section(text, block_id if n == 0 else f"{block_id}-{n + 1}") for n, text in enumerate(packed)]
