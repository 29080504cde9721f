"""What a worker process works with; the composition root makes one and hands it to `workers.process.run_part`."""

from dataclasses import dataclass

from redis import Redis

from escalation.service import Clock, IncidentService
from escalation.storage.store import Store
from workers.channels import Channels
from workers.channels.slack import SlackClient


@dataclass(frozen=True)
class Context:
    """`store` must have `queue.outbox.post` as its outbox; `redis` must not decode responses (RQ cannot take that).

    `patience` is how many seconds a job waits for its sends (None: until all are done). They go on without it, so that
    a slow Slack does not hold up the checkpoints behind them.
    `paced` False sends as fast as it can: for tests, whose clock stands still.
    """

    redis: Redis
    store: Store
    service: IncidentService
    channels: Channels
    clock: Clock
    paced: bool = True
    patience: float | None = 0.0
    threads: int = 16

    @property
    def slack(self) -> SlackClient:
        """Slack, for whatever is done there beside effects."""
        return self.channels.slack
