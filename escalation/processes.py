"""Names of a worker's parts, as in Redis, `ps` and the health page: ticker, sweep, and one for each queue.

Checkpoints and pages have queues of their own, so that they wait for no message; urgent incidents have theirs, and
alerts that come in, of which there may be thousands at once.
"""

from typing import Literal

Queue = Literal["urgent", "normal", "urgent-messages", "messages", "alerts"]
Part = Literal["ticker", "sweep"] | Queue
URGENT, NORMAL, URGENT_MESSAGES, MESSAGES, ALERTS = QUEUES = (
    "urgent",
    "normal",
    "urgent-messages",
    "messages",
    "alerts",
)
PARTS: tuple[Part, ...] = ("ticker", "sweep", "urgent", "normal", "urgent-messages", "messages", "alerts")
