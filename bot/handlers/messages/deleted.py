"""Deletions of our own messages: what still lives, a card, a page or a reminder, is posted anew at once.

Slack tells an app of what it deleted itself in the same way (https://github.com/slackapi/bolt-python/issues/724). Such
a message lives no longer by then: the decision to delete it took it out of its incident's record.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import structlog

from bot.access import Access, StoreUnavailable
from bot.parsing.command import ID
from escalation.errors import NotFound, Refused
from escalation.incident.events.outcomes import MessageGone
from escalation.incident.model import Incident

WAITS = (0.5, 2.0, 10.0)  # seconds; the event was acknowledged, so Slack does not send it again
GONE = ("message_deleted", "tombstone")

log = structlog.get_logger("bot")
Json = Mapping[str, Any]


class Deletion(NamedTuple):
    """A message that was deleted: where it stood, and what it was (empty where Slack does not tell)."""

    channel: str
    ts: str
    before: Json


def deletion(event: Json) -> Deletion | None:
    """Return what a `message` event says was deleted; None for another event.

    Slack sends `message_deleted`, but of a message with replies `message_changed`: it has become a tombstone
    (https://github.com/42wim/matterbridge/issues/600).
    """
    after, before = event.get("message") or {}, event.get("previous_message") or {}
    buried = event.get("subtype") == "message_changed" and after.get("subtype") in GONE
    if not buried and event.get("subtype") != "message_deleted":
        return None
    ts = after.get("ts") if buried else event.get("deleted_ts") or before.get("ts")
    return Deletion(str(event.get("channel", "")), str(ts or ""), before)


class OwnMessages:
    """Listener of the deletions of our own messages."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def on_deleted(self, gone: Deletion) -> None:
        """Record that one of our messages is gone; tried again for a while when Redis is away, or during an upgrade.

        After that it is noticed when something is to be shown on it.
        """
        for wait in (*WAITS, None):
            try:
                await self._access.run(self._record, gone)
                return
            except (StoreUnavailable, Refused) as error:
                if isinstance(error, StoreUnavailable):
                    log.warning("redis unavailable, deletion not recorded", channel=gone.channel, retry_in=wait)
                if wait is not None:
                    await asyncio.sleep(wait)

    def _record(self, gone: Deletion) -> None:
        store, service = self._access.deps.store, self._access.deps.service
        store.deleted.add(gone.channel, gone.ts, service.clock())
        for incident in self._candidates(gone):
            if living := incident.living_at(gone.channel, gone.ts):
                service.handle(incident.id, MessageGone(effect=living.id, shown=living.id))
                return

    def _candidates(self, gone: Deletion) -> Iterator[Incident]:
        """The incidents that a message may be of: those that its buttons name; if it shows none, any."""
        store = self._access.deps.store
        if named := {found.upper() for found in ID.findall(json.dumps(gone.before))}:
            yield from store.read(sorted(named))
            return
        try:
            if of_room := store.of_room(gone.channel):
                yield of_room
        except NotFound:
            pass
        yield from store.open_incidents()
        yield from store.recent()
