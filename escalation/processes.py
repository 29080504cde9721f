"""The parts of a worker by name, as Redis, `ps` and the health page have them: who rings, who audits, who works.

Checkpoints and pages have queues of their own, so that no message stands before them; the worst incidents have theirs.
"""

from typing import Literal

Queue = Literal["urgent", "normal", "urgent-messages", "messages"]
Part = Literal["ticker", "sweep"] | Queue
URGENT, NORMAL, URGENT_MESSAGES, MESSAGES = QUEUES = ("urgent", "normal", "urgent-messages", "messages")
PARTS: tuple[Part, ...] = ("ticker", "sweep", "urgent", "normal", "urgent-messages", "messages")
