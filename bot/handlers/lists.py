"""Lists of incidents, page by page, and incidents found by their number."""

from collections.abc import Sequence

from bot.access import Access, Requester
from bot.parsing.command import has_number, nearest_incident, unescape
from bot.render.blockkit import Message
from bot.render.lists import NO_TICKETS, PAGE, Page, listing, tickets
from escalation.config.references import suggest
from escalation.errors import NotFound, Refused
from escalation.incident.model import Incident
from escalation.incident.tickets import backlog, in_listed_order

USAGE = "Use `/incident list`, `list all`, `list closed` or `list mine`."
_HEADINGS = {
    "open": "Open incidents",
    "mine": "Open incidents with you",
    "all": "All incidents",
    "closed": "Closed incidents",
}
_EMPTY = {
    "open": "✅ No open incidents.",
    "mine": "✅ You are not involved in any open incident.",
    "all": "No incidents yet.",
    "closed": "No closed incidents yet.",
}


class Lists:
    """Reader of lists: what a requester may see of all incidents there are, a page at a time."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def page(self, requester: Requester, words: str) -> Message:
        """Answer `list [open|all|closed|mine] [START]`. Raises Refused for any other word."""
        await self._access.admit("see", requester)
        word, _, start = words.strip().lower().partition(" ")
        kind = word or "open"
        if kind not in _EMPTY or not (start or "0").isdecimal():
            raise Refused(f"There is no `/incident list {unescape(words)}`. {USAGE}")
        read = self._open if kind in ("open", "mine") else self._archive
        return listing(await read(requester, kind, int(start or 0)), self._access.directory.url)

    async def _open(self, requester: Requester, kind: str, first: int) -> Page:
        incidents = in_listed_order(await self._access.open_incidents(requester, None))
        if kind == "mine":
            incidents = tuple(i for i in incidents if requester.id in i.people() or requester.id in i.leads.values())
        return Page.of(incidents, first, f"list {kind}", _HEADINGS[kind], _EMPTY[kind])

    async def _archive(self, requester: Requester, kind: str, first: int) -> Page:
        """Page of closed incidents, or of all: the open ones first. Reads on until the page is full."""
        store = self._access.deps.store
        ids: Sequence[str] = await self._access.run(store.closed_ids)
        if kind == "all":
            still_open = in_listed_order(await self._access.open_incidents(requester, None))
            ids = (*(i.id for i in still_open), *ids)
        rows: list[Incident] = []
        at = first
        while at < len(ids) and len(rows) < PAGE:
            batch = ids[at : at + PAGE - len(rows)]
            rows += await self._access.visible_to(requester, await self._access.run(store.read, batch))
            at += len(batch)
        return Page(f"list {kind}", _HEADINGS[kind], tuple(rows), first, at if at < len(ids) else None, _EMPTY[kind])

    async def tickets(self, requester: Requester, words: str) -> Message:
        """Answer `tickets [team] [START]`: the open tickets of one team, or of all. Raises Refused for another word."""
        incidents = await self._access.open_incidents(requester, None)
        team, _, start = words.strip().rpartition(" ")
        if not start.isdecimal():
            team, start = words.strip(), "0"
        teams = {i.team for i in incidents if i.policy.ticket and i.team} | set(self._access.deps.company.teams)
        if team and team not in teams:
            raise Refused(f"No team called '{unescape(team)}' has tickets{suggest(team, teams)}.")
        heading, command = f"Open tickets of {team}" if team else "Open tickets", f"tickets {team}".strip()
        page = Page.of(backlog(incidents, team), int(start), command, heading, NO_TICKETS)
        return tickets(page, self._access.directory.url)

    async def numbered(self, requester: Requester, typed: str) -> Incident:
        """Find the latest incident that `14`, `INC-14` or `1218-014` may mean. Raises Refused when there is none."""
        await self._access.admit("see", requester)
        ids = await self._access.run(self._access.deps.store.all_ids)
        meant = [i for i in ids if has_number(i, typed)]
        found = await self._access.visible_to(requester, await self._access.run(self._access.deps.store.read, meant))
        if found:
            return found[0]
        if meant:  # private ones only: the refusal says so
            return await self._access.see(requester, meant[0])
        raise await self.unknown(requester, typed)

    async def unknown(self, requester: Requester, typed: str) -> Refused:
        """Say that there is no such incident, and which was probably meant."""
        recent = await self._access.recent(requester)
        nearest = nearest_incident(typed, [i.id for i in recent])
        name = unescape(typed, self._access.directory.names)
        return Refused(f"{NotFound(name)}{f' Did you mean {nearest}?' if nearest else ''}")
