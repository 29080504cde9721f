"""One part of a worker as a process of its own: `python -m tests.support.worker_part PART REDIS API_URL TOKEN`."""

import sys
from typing import Any

from escalation.service import IncidentService
from escalation.storage.store import Store
from tests.support.company import example
from tests.support.story import kars
from tests.support.worker import connect
from workers.channels import Channels
from workers.channels.slack import SlackClient
from workers.context import Context
from workers.process import run_part
from workers.queue import outbox


def main(part: Any, where: str, url: str, token: str) -> None:
    redis = connect(int(where) if where.isdigit() else where)
    store = Store(redis, outbox.post)
    service = IncidentService(store, example(), kars(), store.now)
    run_part(part, Context(redis, store, service, Channels(SlackClient(token, url, redis)), store.now, paced=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
