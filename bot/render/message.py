"""A Slack message before it is posted: the blocks, and the text that notifications and screen readers use."""

from dataclasses import dataclass, field
from typing import Any

Block = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """`text` is mrkdwn, escaped, at most 3,000 characters; `blocks` at most 50."""

    text: str
    blocks: list[Block] = field(default_factory=list)
