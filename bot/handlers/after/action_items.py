"""Action items in Slack: /incident action notes one, /incident actions lists, closes and takes them."""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import partial
from typing import Any

from bot.access import Access, Requester
from bot.handlers.after.item_notes import ItemNotes
from bot.handlers.filters import parse_filters
from bot.handlers.reply import Reply
from bot.parsing.action_item import day_of, parse_action_item
from bot.parsing.command import unescape
from bot.render.blockkit import Block, Message, action_row
from bot.render.lists import say
from bot.render.replies import lines_reply
from escalation.errors import Refused
from escalation.incident.events.moves import Move
from escalation.incident.model import Incident
from escalation.reviews.action_items import ActionItem, ItemState, closed, given_to, in_order, item_line, reopened
from escalation.search.rows import item_row
from escalation.search.selection import ACTION_ITEMS, Selection, listed
from escalation.storage.action_items import ActionItems
from escalation.storage.reviews.listed import ListRecords
from escalation.text import Lines, Link, Strong, line

USAGE = (
    f"Use `/incident actions`, `actions all` or `actions mine`, with filters: {listed(ACTION_ITEMS)}; "
    "or `actions done`, `drop`, `take`, `promise` or `reopen` and the item's number."
)
NONE = "No open action items. `/incident action` notes one."
NO_MATCH = "No open action item matches."
SHOWN = 20
PROMISE = "promise"
IDEAS = "Ideas, which nobody has promised"
Json = dict[str, Any]
_CLOSING = {"done": ItemState.DONE, "drop": ItemState.DROPPED}


class ActionItemLists:
    """Handler of both commands. An item of a private incident is for those who may see the incident."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._items = ActionItems(access.deps.redis)
        self._lists = ListRecords(access.deps.redis)
        self._notes = ItemNotes(access)

    async def note(
        self, requester: Requester, incident: Incident, typed: str, body: Json, reply: Reply, also: Lines = ()
    ) -> None:
        """Answer `action [ID] TEXT [@owner] [day]`, and say something `also`; without words the form opens."""
        incident = await self._access.see(requester, incident.id)
        if not typed.strip():
            await self._notes.open(incident, body, reply)
            return
        now, zone = await self._now(), self._access.deps.company.timezone
        noted = parse_action_item(typed, zone, now)
        text = unescape(noted.text, self._access.directory.names)
        once = str(body.get("trigger_id", ""))
        said = await self._notes.add(requester, incident, text, noted.owner, noted.due, once=once)
        await reply(lines_reply((*said, *also)))

    async def answer(self, requester: Requester, typed: str, body: Json, reply: Reply) -> None:
        """Answer `actions [mine | all] [filters]`, and `actions [done | drop | take | promise | reopen] ID`."""
        await self._access.admit("see", requester)
        verb, _, rest = typed.strip().partition(" ")
        verb = verb.lower()
        if verb == PROMISE:
            incident, item = await self._item(requester, rest)
            await self._notes.open(incident, body, reply, item=item)
        elif verb in (*_CLOSING, "take", "reopen"):
            await reply(await self._changed(requester, verb, rest))
        else:
            await reply(await self._listed(requester, typed))

    async def _listed(self, requester: Requester, typed: str) -> Message:
        verb, _, rest = typed.strip().partition(" ")
        kind, filters = (verb.lower(), rest) if verb.lower() in ("all", "mine") else ("", typed)
        selection, words = await parse_filters(self._access, requester, filters, ACTION_ITEMS)
        if words:
            raise Refused(f"There is no `/incident actions {unescape(typed.strip())}`. {USAGE}")
        everything = await self._access.run(self._items.all)
        found = [item for item in everything if item.state is ItemState.OPEN and selection.takes(item_row(item))]
        if kind == "mine" or (not kind and selection == Selection()):
            mine = [item for item in found if item.owner == requester.id]
            found = mine if kind or mine else found
        visible, today = await self._visible(requester, found), self._notes.day_of(await self._now())
        also = await self._slack_list(requester)
        return self._listing(visible, today, NONE if selection == Selection() else NO_MATCH, also)

    async def _slack_list(self, requester: Requester) -> Lines:
        """Where the commitments stand as a Slack List, once people can see it."""
        there = await self._access.run(self._lists.get) if self._access.deps.company.follow_up_list else None
        if there is None or not there.shared or not self._access.directory.url:
            return ()
        url = f"{self._access.directory.url.rstrip('/')}/lists/{requester.team}/{there.id}"
        return (line(Link(url, "Commitments as a Slack List")),)

    async def _item(self, requester: Requester, typed: str) -> tuple[Incident, ActionItem]:
        """Find the item that is named, for somebody who may change it. Raises Refused."""
        item_id = typed.strip().upper()
        incident = await self._access.see(requester, item_id.partition("/")[0])
        await self._access.admit(Move.REVIEWED, requester, incident)
        item = await self._access.run(self._items.get, item_id)
        if item is None:
            raise Refused(f"There is no action item {item_id}. `/incident actions` lists them.")
        return incident, item

    async def _changed(self, requester: Requester, verb: str, rest: str) -> Message:
        item_id, _, words = rest.strip().partition(" ")
        incident, item = await self._item(requester, item_id)
        now, zone = await self._now(), self._access.deps.company.timezone
        step: Callable[[ActionItem], ActionItem] = reopened
        if verb == "take":
            due = day_of(words, zone, now) if words.strip() else None
            step = partial(given_to, owner=requester.id, due=due)
        elif verb in _CLOSING:
            why = unescape(words, self._access.directory.names)
            step = partial(closed, state=_CLOSING[verb], by=requester.id, at=now, why=why)
        item = await self._access.run(self._items.change, item.id, step)
        await self._access.run(self._access.deps.service.see_review, incident.id)
        return lines_reply((item_line(item, self._notes.day_of(now)),))

    async def mine(self, requester: Requester) -> list[Block]:
        """The requester's open commitments, for Home; nothing where there are none."""
        everything = await self._access.run(self._items.all)
        found = [i for i in everything if i.state is ItemState.OPEN and i.owner == requester.id]
        seen = await self._visible(requester, found)
        return self._listing(seen, self._notes.day_of(await self._now())).blocks if seen else []

    async def _visible(self, requester: Requester, items: Iterable[ActionItem]) -> list[ActionItem]:
        """Those whose incidents the requester may see."""
        found = list(items)
        ids = sorted({item.incident for item in found})
        incidents = await self._access.run(self._access.deps.store.read, ids)
        visible = {incident.id for incident in await self._access.visible_to(requester, incidents)}
        return [item for item in found if item.incident in visible]

    def _listing(self, items: list[ActionItem], today: date, none: str = NONE, also: Lines = ()) -> Message:
        if not items:
            return lines_reply((line(none), *also))
        ordered = in_order(items, today)[:SHOWN]
        late = sum(item.overdue(today) for item in items)
        heading = f"Open action items: {len(items)}{f', {late} overdue' if late else ''}"
        apart = {"Commitments": [i for i in ordered if i.commitment], IDEAS: [i for i in ordered if not i.commitment]}
        lines = [line(Strong(heading))]
        for title, group in apart.items():
            lines += [line(Strong(title)), *(item_line(item, today) for item in group)] if group else []
        lines += [line(f"… and {len(items) - SHOWN} more.")] if len(items) > SHOWN else []
        lines += also
        message, offered = lines_reply(tuple(lines)), [_button(item) for item in ordered[:5]]
        return Message(text=message.text, blocks=[*message.blocks, *action_row(offered, "action-items")])

    async def _now(self) -> datetime:
        return await self._access.run(self._access.deps.service.clock)


def _button(item: ActionItem) -> Block:
    """Of a commitment that it is done; of an idea who promises it, and for when."""
    number = item.id[4:]
    if item.commitment:
        return say(f"actions done {item.id}", f"Done: {number}", f"done-{item.id}")
    return say(f"actions {PROMISE} {item.id}", f"Promise: {number}", f"promise-{item.id}")
