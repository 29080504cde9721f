"""Deletions of our own messages: what still lives, a card, a page or a reminder, is posted anew at once.

Slack tells an app of what it deleted itself in the same way (https://github.com/slackapi/bolt-python/issues/724). Such
a message lives no longer by then: the decision to delete it took it out of its incident's record.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import structlog

from bot.access import Access, StoreUnavailable
from bot.handlers.perform import Perform
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

    def __init__(self, access: Access, perform: Perform) -> None:
        self._access = access
        self._perform = perform

    async def on_deleted(self, gone: Deletion) -> None:
        """Record that one of our messages is gone; tried again for a while when Redis is away, or during an upgrade.

        After that it is noticed when something is to be shown on it.
        """
        for wait in (*WAITS, None):
            try:
                for incident, living in await self._access.run(self._found, gone):
                    await self._perform.note(incident, MessageGone(effect=living, shown=living))
                return
            except (StoreUnavailable, Refused) as error:
                if isinstance(error, StoreUnavailable):
                    log.warning("redis unavailable, deletion not recorded", channel=gone.channel, retry_in=wait)
                if wait is not None:
                    await asyncio.sleep(wait)

    def _found(self, gone: Deletion) -> list[tuple[str, str]]:
        """The incident whose message it was, with the message's id there; none for one that lives no longer."""
        deps = self._access.deps
        deps.store.deleted.add(gone.channel, gone.ts, deps.service.clock())
        found = ((i.id, living.id) for i in self._candidates(gone) if (living := i.living_at(gone.channel, gone.ts)))
        return list(islice(found, 1))

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
