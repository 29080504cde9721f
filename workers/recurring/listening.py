"""Be in the channels that are listened in: Slack tells us nothing of what is written in another."""

from datetime import datetime, timedelta

import structlog

from escalation.config.company import HEARD
from workers.channels.failures import Failed, Kind
from workers.context import Context
from workers.delivery.destinations import Destinations
from workers.delivery.members import Members

LOOK_EVERY = timedelta(minutes=10)

log = structlog.get_logger()


class Listening:
    """Joins those channels. One that cannot be joined stands among the problems until it can."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._destinations = Destinations(context.service, context.slack, Members(context.service, context.slack))
        self._next: dict[str, datetime] = {}

    def refresh(self, now: datetime) -> None:
        """Look whether we are in each of them, and join; now and then, for people archive and remove."""
        channels = self._context.service.company.channels()
        for name in (channels[key] for key in HEARD if key in channels):
            if now < self._next.get(name, now):
                continue
            try:
                self._destinations.reach(name, self._context.slack.rooms.check_member)
            except Failed as failed:
                log.warning("channel not listened in", channel=name, error=failed.error)
                if failed.kind is Kind.PASSING:
                    continue
            self._next[name] = now + LOOK_EVERY
