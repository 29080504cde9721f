"""Backlogs: whoever runs Tocsin hears of a queue that is behind, and of updates that Slack's limit holds up."""

from datetime import datetime

import structlog
from redis import Redis

from escalation.processes import ALERTS, MESSAGES, NORMAL, URGENT, URGENT_MESSAGES
from escalation.storage.problems import Problems
from workers.delivery import rate_limits
from workers.queue.waiting import waiting

EVERY = 10.0  # seconds
KEPT = 60.0  # seconds that a backlog stands among the problems after it was seen last
LATE = {URGENT: 15.0, NORMAL: 15.0, URGENT_MESSAGES: 60.0, MESSAGES: 120.0, ALERTS: 120.0}  # seconds
LATE_UPDATES = 300.0  # seconds: cards show an older state until then
_WHAT = {
    URGENT: "checkpoints and pages of urgent incidents",
    NORMAL: "checkpoints and pages",
    URGENT_MESSAGES: "messages of urgent incidents",
    MESSAGES: "messages",
    ALERTS: "alerts that came in",
}
MORE_WORKERS = "start another `tocsin worker`, or look what keeps this machine's processors busy"
WAIT = "nothing is lost, and no page or new message waits for it: Slack takes 50 updates a minute"

log = structlog.get_logger()


class Backlogs:
    """Watch over the queues. Any number can run side by side."""

    def __init__(self, redis: Redis, problems: Problems) -> None:
        self._redis = redis
        self._problems = problems
        self._next = 0.0

    def tell(self, now: datetime) -> None:
        """Report what is behind, and clear what no longer is; now and then."""
        if now.timestamp() < self._next:
            return
        self._next = now.timestamp() + EVERY
        for name, queue in waiting(self._redis, now).items():
            late = now.timestamp() - queue.drained_until if queue.drained_until else 0.0  # none of it can be read
            text = f"{_WHAT[name]} wait for {late:.0f} s: {queue.length} jobs are in the queue {name}"
            self._tell(f"queue:{name}", text, MORE_WORKERS, late > LATE[name])
        wait = rate_limits.longest_update(self._redis, now)
        text = f"updates of cards wait for {wait / 60:.0f} min at most, so that cards show how things stood before"
        self._tell("queue:updates", text, WAIT, wait > LATE_UPDATES)

    def _tell(self, key: str, text: str, remedy: str, behind: bool) -> None:
        if not behind:
            if self._problems.known(key):
                self._problems.clear(key)
        elif self._problems.report(key, text, remedy, kept=KEPT):
            log.warning("queue is behind", about=key, why=text)
