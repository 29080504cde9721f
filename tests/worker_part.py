"""One part of a worker as a process of its own: `python worker_part.py PART REDIS API_URL TOKEN`."""

import sys
from typing import Any

from working import connect, example, kars

from escalation.desk import Desk
from escalation.store import Store
from workers import outbox
from workers.channels.slack import SlackDoor
from workers.context import Context
from workers.processes import run_part


def main(part: Any, where: str, url: str, token: str) -> None:
    redis = connect(int(where) if where.isdigit() else where)
    store = Store(redis, outbox.post)
    desk = Desk(store, example(), kars(), store.now)
    run_part(part, Context(redis, store, desk, SlackDoor(token, url, redis), store.now, paced=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
