"""Messages that join an incident's timeline: pinned, with the configured reaction, or about a deployment.

Only what is written in the incident's own places counts: its war room, and the thread under its card.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import structlog

from bot.access import Access, Requester, requester_of
from bot.handlers.after.item_notes import ItemNotes
from bot.handlers.messages.deleted import OwnMessages, deletion
from bot.handlers.messages.marks import Marks
from bot.handlers.perform import Perform
from bot.parsing.message import readable_text
from bot.slack.client import UNREACHABLE, slack_error
from escalation.errors import Outdated, Refused
from escalation.incident.events.moves import Move
from escalation.incident.events.news import MessageNoted
from escalation.incident.model import Incident
from escalation.incident.noted import Noting, standing_message
from escalation.values import PersonId, machine

log = structlog.get_logger("bot")
Json = Mapping[str, Any]
MOST_READ = 5  # times that a message is read for one mark, while others about it are recorded
DEPLOYS_UNSEEN = "the names of channels, so deployments are not on timelines"
DEPLOYS_REMEDY = "see `tocsin doctor` for a missing scope, or set workspace.deploys_channel to the channel's id"


class _Marked(NamedTuple):
    """A message that somebody marked, and the incident in whose place it stands."""

    incident: Incident
    message: Json


class NotedMessages:
    """Listener of pins, reactions, and of what becomes of messages in channels."""

    def __init__(self, access: Access, perform: Perform, items: ItemNotes) -> None:
        self._access = access
        self._items = items
        self._perform = perform
        self._marks = Marks(access)
        self._own = OwnMessages(access, perform)
        self._names: dict[str, str] = {}
        # One mark of a message at a time in this process; another process's is found out when ours is recorded.
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def _in_turn(self, act: Callable[[], Awaitable[None]], event: Json, channel: str, ts: str) -> None:
        """Do what follows from a mark, after what follows from earlier ones of its message."""
        async with self._turns.setdefault((channel, ts), asyncio.Lock()):
            await self._marks.until_stored(act, channel, str(event.get("user", "")))

    async def on_pin_added(self, event: dict[str, Any], body: dict[str, Any]) -> None:
        """A message was pinned."""
        item = event.get("item") or {}
        if item.get("type") == "message" and not _by_us(item["message"], body):  # we pin the card of a room
            channel, ts = str(event["channel_id"]), str(item["message"]["ts"])
            await self._in_turn(lambda: self._add(event, body, channel, ts, "pin"), event, channel, ts)

    async def on_pin_removed(self, event: dict[str, Any], body: dict[str, Any]) -> None:
        """A pin was taken away."""
        if (event.get("item") or {}).get("type") == "message":
            channel, ts = str(event["channel_id"]), str(event["item"]["message"]["ts"])
            await self._in_turn(lambda: self._remove(event, body, channel, ts), event, channel, ts)

    async def on_reaction_added(self, event: dict[str, Any], body: dict[str, Any]) -> None:
        """A message got a reaction: it joins the timeline, or is noted as an action item."""
        if not (self._notes_item(event) or self._is_ours(event)):
            return
        channel, ts = event["item"]["channel"], event["item"]["ts"]

        async def act() -> None:
            if self._notes_item(event):
                await self._items.on_reaction(event, body)
            if self._is_ours(event):
                await self._add(event, body, channel, ts, "reaction")

        await self._in_turn(act, event, channel, ts)

    async def on_reaction_removed(self, event: dict[str, Any], body: dict[str, Any]) -> None:
        """A reaction was taken away."""
        if not (self._notes_item(event) or self._is_ours(event)):
            return
        channel, ts = event["item"]["channel"], event["item"]["ts"]

        async def act() -> None:
            if self._notes_item(event):
                await self._items.on_reaction_removed(event, body)
            if self._is_ours(event):
                await self._remove(event, body, channel, ts)

        await self._in_turn(act, event, channel, ts)

    def _is_ours(self, event: Json) -> bool:
        wanted = self._access.deps.company.timeline_reaction
        named = str(event.get("reaction", "")).partition("::")[0]  # pushpin::skin-tone-2
        return bool(wanted) and named == wanted and (event.get("item") or {}).get("type") == "message"

    def _notes_item(self, event: Json) -> bool:
        on_message = (event.get("item") or {}).get("type") == "message"
        return on_message and self._items.is_meant(str(event.get("reaction", "")))

    async def on_message(self, event: dict[str, Any], body: dict[str, Any]) -> None:
        """A message is new, was edited, or was deleted. In direct messages only ours are followed."""
        channel, gone = str(event.get("channel", "")), deletion(event)
        if gone:
            by_us = _by_us(gone.before, body)
            if by_us or not gone.before:
                await self._own.on_deleted(gone)
            if not by_us and event.get("channel_type") != "im":
                known = {**(gone.before or event.get("message") or {}), "ts": gone.ts}
                await self._marks.until_stored(lambda: self._follow(Noting.DELETED, channel, known), channel)
        elif event.get("channel_type") == "im" or _by_us(event.get("message") or event, body):
            return  # each card is edited often
        elif event.get("subtype") == "message_changed":
            edited = event.get("message") or {}
            await self._marks.until_stored(lambda: self._follow(Noting.EDITED, channel, edited), channel)
        elif event.get("bot_id"):
            await self._marks.until_stored(lambda: self._deployment(channel, event), channel)

    # Joining and leaving ---------------------------------------------------------------------------------------------

    async def _add(self, event: Json, body: dict[str, Any], channel: str, ts: str, how: Any) -> None:
        """Put a message on the timeline. After something else was heard meanwhile only if it is marked still."""

        def joining(message: Json, again: bool) -> MessageNoted | None:
            gone = _by_us(message, body) or (again and not self._is_marked(message))  # our own are on it already
            return None if gone else self._joining(message, channel, str(event["user"]), how)

        await self._note(event, body, (channel, ts), joining)

    async def _remove(self, event: Json, body: dict[str, Any], channel: str, ts: str) -> None:
        """Take a message out, unless another pin or reaction holds it."""
        removed = MessageNoted(by=str(event["user"]), what=Noting.REMOVED, channel=channel, ts=ts)
        await self._note(event, body, (channel, ts), lambda m, _: None if self._is_marked(m) else removed)

    def _is_marked(self, message: Json) -> bool:
        """True while a pin or a reaction holds a message on the timeline."""
        wanted = self._access.deps.company.timeline_reaction
        reactions = (str(r.get("name", "")).partition("::")[0] for r in message.get("reactions") or ())
        return bool(message.get("pinned_to")) or wanted in reactions

    async def _note(
        self,
        event: Json,
        body: dict[str, Any],
        place: tuple[str, str],
        noting: Callable[[Json, bool], MessageNoted | None],
    ) -> None:
        """Read a marked message and record what follows, anew when another process was faster.

        `noting` says that of the message, and whether it was read again. Whoever marked it hears why it could not be.
        """
        for n in range(MOST_READ):
            marked = await self._marked(event, body, *place)
            noted = noting(marked.message, n > 0) if marked else None
            if marked is None or noted is None:
                return
            try:
                await self._record(marked.incident, noted.model_copy(update={"heard": marked.incident.heard}))
                return
            except Refused as refused:
                if not isinstance(refused, Outdated) or n == MOST_READ - 1:
                    await self._marks.tell(str(event["user"]), place[0], str(refused))
                    return

    async def _follow(self, what: Noting, channel: str, message: Json) -> None:
        """Follow an edit or a deletion of a message that is on a timeline."""
        ts, edit = str(message.get("ts", "")), message.get("edited") or {}
        incident = await self._incident(channel, message)
        standing = standing_message(incident, channel, ts) if incident else None
        if incident is None or not (standing or edit or what is Noting.DELETED):
            return  # of one that joins at this moment its reader hears too; a link that unfolds is no edit
        by = str(edit.get("user") or (standing.entry.by if standing else ""))
        text = readable_text(message, self._access.directory.names) if what is Noting.EDITED else ""
        files, edited = tuple(_files(message)) if what is Noting.EDITED else (), str(edit.get("ts", ""))
        noted = MessageNoted(by=by, what=what, channel=channel, ts=ts, text=text, files=files, edited=edited)
        await self._perform.note(incident.id, noted)

    def _joining(self, message: Json, channel: str, by: PersonId, how: Any) -> MessageNoted:
        ts = str(message["ts"])
        return MessageNoted(
            by=by,
            what=Noting.ADDED,
            channel=channel,
            ts=ts,
            author=_author(message),
            text=readable_text(message, self._access.directory.names),
            sent_at=datetime.fromtimestamp(float(ts), UTC),
            files=tuple(_files(message)),
            how=how,
            edited=str((message.get("edited") or {}).get("ts", "")),
        )

    async def _record(self, incident: Incident, event: MessageNoted) -> None:
        if event.what is Noting.ADDED:
            event = event.model_copy(update={"url": await self._permalink(event.channel, event.ts)})
        await self._perform.note(incident.id, event)

    # Deployments ---------------------------------------------------------------------------------------------------

    async def _deployment(self, channel: str, message: Json) -> None:
        """Note an app's message in the channel of deployments in the open incidents of the services that it names."""
        wanted = self._access.deps.company.workspace.deploys_channel
        if not wanted or wanted.lstrip("#") not in (channel, await self._name(channel)):
            return
        text = readable_text(message, self._access.directory.names).lower()
        found = await self._access.run(self._access.deps.store.open_incidents)
        for incident in found:
            if not incident.private and incident.facts.service and _names(text, incident.facts.service):
                author = _author(message)
                await self._record(incident, self._joining(message, channel, author, "deploy"))

    async def _name(self, channel: str) -> str:
        if channel not in self._names:
            try:
                told = await self._access.client.conversations_info(channel=channel)
            except UNREACHABLE as error:
                log.warning("channel not known", channel=channel, error=slack_error(error))
                await self._access.slack_refuses("deploys", DEPLOYS_UNSEEN, error, DEPLOYS_REMEDY)
                return ""
            await self._access.slack_takes("deploys")
            self._names[channel] = str((told.get("channel") or {}).get("name", ""))
        return self._names[channel]

    # Finding ---------------------------------------------------------------------------------------------------------

    async def _marked(self, event: Json, body: dict[str, Any], channel: str, ts: str) -> _Marked | None:
        """Find a marked message of an incident's place, as it stands now; None for another, or for who may not write.

        Whoever marked it is told why it does not join.
        """
        requester = Requester(str(event["user"]), requester_of(body).team)
        room = None
        try:
            room = await self._access.incident_of_room(channel)
            await self._access.admit(Move.UPDATE, requester, room)
            message = await self._message(channel, ts)
            incident = room or (await self._incident(channel, message) if message else None)
            if incident and room is None:
                await self._access.admit(Move.UPDATE, requester, incident)
                message = await self._message(channel, ts)  # as it stands after the incident was read
            if message is None or incident is None:
                return None
        except Refused as refused:
            if room:
                await self._marks.tell(str(event["user"]), channel, str(refused))
            return None
        except UNREACHABLE as error:
            await self._marks.unread(requester.id, channel, error, "on the incident's timeline", "/incident update")
            return None
        return _Marked(incident, message)

    async def _incident(self, channel: str, message: Json) -> Incident | None:
        if of_room := await self._access.incident_of_room(channel):
            return of_room
        thread = message.get("thread_ts")
        return await self._access.incident_of_thread(channel, str(thread)) if thread else None

    async def _message(self, channel: str, ts: str) -> Json | None:
        """Read a marked message as it stands now; None if it is gone. Raises what a call raises."""
        message = await self._access.message(channel, ts)
        await self._access.slack_takes("timeline")
        return message

    async def _permalink(self, channel: str, ts: str) -> str:
        try:
            return str((await self._access.client.chat_getPermalink(channel=channel, message_ts=ts))["permalink"])
        except UNREACHABLE:
            return ""


def _by_us(message: Json, body: Json) -> bool:
    app = message.get("app_id") or (message.get("bot_profile") or {}).get("app_id")
    return bool(app) and app == body.get("api_app_id")


def _author(message: Json) -> PersonId:
    """Who wrote a message: a person, or an app as a machine."""
    if message.get("bot_id"):
        profile = message.get("bot_profile") or {}
        return machine(str(message.get("username") or profile.get("name") or "an app"))
    return str(message.get("user", ""))


def _files(message: Json) -> Iterator[str]:
    """Name and link of each file: it stays in Slack, for those who may see it."""
    for file in message.get("files") or ():
        name = str(file.get("title") or file.get("name") or "file").replace("\t", " ").replace("\n", " ")
        yield f"{name}\t{file.get('permalink', '')}"


def _names(text: str, service: str) -> bool:
    """True if a text names a service as a word of its own."""
    before, found, after = text.partition(service.lower())
    return bool(found) and not before[-1:].isalnum() and not after[:1].isalnum()
