"""Dependencies of a worker process; the composition root builds them for `workers.process.run_part`."""

from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from escalation.service import Clock, IncidentService
from escalation.storage.public.folder import StatusFolder
from escalation.storage.store import Store
from workers.channels import Channels
from workers.channels.slack import SlackClient


@dataclass(frozen=True)
class Context:
    """Dependencies of a worker process.

    `store` must have `queue.outbox.post` as its outbox; `redis` must not decode responses (RQ cannot take that).

    `patience` is how many seconds a job waits for its sends (None: until all are done). They go on in their threads, so
    that a slow Slack does not delay the checkpoints behind them.
    `spool`: the folder of this host for bodies of alerts that came while Redis was away.
    `status` is the folder of our own status page, where the configuration has one.
    `paced` False ignores the rate limits: for tests, whose clock stands still.
    """

    redis: Redis
    store: Store
    service: IncidentService
    channels: Channels
    clock: Clock
    paced: bool = True
    patience: float | None = 0.0
    threads: int = 16
    spool: Path | None = None
    status: StatusFolder | None = None

    @property
    def slack(self) -> SlackClient:
        """The Slack client, for work in Slack that is not an effect."""
        return self.channels.slack
