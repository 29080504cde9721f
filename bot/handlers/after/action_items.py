"""Action items in Slack: /incident action notes one, /incident actions lists, closes and takes them."""

from collections.abc import Iterable
from datetime import date, datetime
from functools import partial
from zoneinfo import ZoneInfo

from bot.access import Access, Requester
from bot.handlers.filters import parse_filters
from bot.parsing.action_item import day_of, parse_action_item
from bot.parsing.command import unescape
from bot.render.blockkit import Block, Message
from bot.render.lists import buttons, say
from bot.render.replies import lines_reply
from escalation.errors import Refused
from escalation.incident.events.moves import Move
from escalation.incident.model import Incident
from escalation.reviews.action_items import ActionItem, ItemState, closed, given_to, in_order, item_line
from escalation.search.rows import item_row
from escalation.search.selection import ACTION_ITEMS, Selection, listed
from escalation.storage.action_items import ActionItems
from escalation.text import Strong, line

USAGE = (
    "Use `/incident actions`, `actions all` or `actions mine`, with filters: "
    f"{listed(ACTION_ITEMS)}; or `actions done`, `drop` or `take` and the item's number."
)
NONE = "No open action items. `/incident action` notes one."
NO_MATCH = "No open action item matches."
SHOWN = 20
_CLOSING = {"done": ItemState.DONE, "drop": ItemState.DROPPED}


class ActionItemLists:
    """Handler of both commands. An item of a private incident is for those who may see the incident."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._items = ActionItems(access.deps.redis)

    async def note(self, requester: Requester, incident: Incident, typed: str) -> Message:
        """Answer `action [ID] TEXT [@owner] [day]`."""
        incident = await self._access.see(requester, incident.id)
        now, zone = await self._now(), self._access.deps.company.timezone
        noted = parse_action_item(typed, zone, now)
        text = unescape(noted.text, self._access.directory.names)

        def make(item_id: str) -> ActionItem:
            service = incident.facts.service
            return ActionItem(
                item_id, text, requester.id, now, noted.owner, noted.due, service, private=incident.private
            )

        item = await self._access.run(self._items.add, incident.id, make)
        await self._access.run(self._access.deps.service.see_review, incident.id)
        kind = "Noted" if item.commitment else "Noted as an idea: it has no owner and day yet"
        return lines_reply((line(Strong(f"{kind}. "), *item_line(item, self._today(now))),))

    async def answer(self, requester: Requester, typed: str) -> Message:
        """Answer `actions [mine | all] [filters]` and `actions [done ID | drop ID why | take ID [day]]`."""
        await self._access.admit("see", requester)
        verb, _, rest = typed.strip().partition(" ")
        if verb.lower() in (*_CLOSING, "take"):
            return await self._changed(requester, verb.lower(), rest)
        kind, filters = (verb.lower(), rest) if verb.lower() in ("all", "mine") else ("", typed)
        selection, words = await parse_filters(self._access, requester, filters, ACTION_ITEMS)
        if words:
            raise Refused(f"There is no `/incident actions {unescape(typed.strip())}`. {USAGE}")
        everything = await self._access.run(self._items.all)
        found = [item for item in everything if item.state is ItemState.OPEN and selection.takes(item_row(item))]
        if kind == "mine" or (not kind and selection == Selection()):
            mine = [item for item in found if item.owner == requester.id]
            found = mine if kind or mine else found
        visible, today = await self._visible(requester, found), self._today(await self._now())
        return self._listing(visible, today, NONE if selection == Selection() else NO_MATCH)

    async def _changed(self, requester: Requester, verb: str, rest: str) -> Message:
        item_id, _, words = rest.strip().partition(" ")
        item_id = item_id.upper()
        incident = await self._access.see(requester, item_id.partition("/")[0])
        await self._access.admit(Move.REVIEWED, requester, incident)
        now, zone = await self._now(), self._access.deps.company.timezone
        if verb == "take":
            due = day_of(words, zone, now) if words.strip() else None
            step = partial(given_to, owner=requester.id, due=due)
        else:
            why = unescape(words, self._access.directory.names)
            step = partial(closed, state=_CLOSING[verb], by=requester.id, at=now, why=why)
        item = await self._access.run(self._items.change, item_id, step)
        await self._access.run(self._access.deps.service.see_review, incident.id)
        return lines_reply((item_line(item, self._today(now)),))

    async def mine(self, requester: Requester) -> list[Block]:
        """The requester's open commitments, for Home; nothing where there are none."""
        everything = await self._access.run(self._items.all)
        found = [i for i in everything if i.state is ItemState.OPEN and i.owner == requester.id]
        seen = await self._visible(requester, found)
        return self._listing(seen, self._today(await self._now())).blocks if seen else []

    async def _visible(self, requester: Requester, items: Iterable[ActionItem]) -> list[ActionItem]:
        """Those whose incidents the requester may see."""
        found = list(items)
        ids = sorted({item.incident for item in found})
        incidents = await self._access.run(self._access.deps.store.read, ids)
        visible = {incident.id for incident in await self._access.visible_to(requester, incidents)}
        return [item for item in found if item.incident in visible]

    def _listing(self, items: list[ActionItem], today: date, none: str = NONE) -> Message:
        if not items:
            return lines_reply((line(none),))
        ordered = in_order(items, today)
        late = sum(item.overdue(today) for item in items)
        heading = f"Open action items: {len(items)}{f', {late} overdue' if late else ''}"
        more = [line(f"… and {len(ordered) - SHOWN} more.")] if len(ordered) > SHOWN else []
        message = lines_reply((line(Strong(heading)), *(item_line(i, today) for i in ordered[:SHOWN]), *more))
        done = [say(f"actions done {i.id}", f"Done: {i.id[4:]}", f"done-{i.id}") for i in ordered[:5]]
        return Message(text=message.text, blocks=[*message.blocks, *buttons(done, "action-items")])

    async def _now(self) -> datetime:
        return await self._access.run(self._access.deps.service.clock)

    def _today(self, now: datetime) -> date:
        return now.astimezone(ZoneInfo(self._access.deps.company.timezone)).date()
