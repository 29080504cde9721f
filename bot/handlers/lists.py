"""Lists of incidents, page by page, and incidents found by their number."""

from collections.abc import Sequence

from bot.access import Access, Requester
from bot.handlers.filters import parse_filters
from bot.parsing.command import has_number, nearest_incident, unescape
from bot.render.blockkit import Message
from bot.render.lists import NO_TICKETS, PAGE, Page, listing, tickets
from bot.render.mrkdwn import brief
from escalation.config.references import suggest
from escalation.errors import NotFound, Refused
from escalation.incident.model import Incident
from escalation.incident.tickets import backlog, in_listed_order
from escalation.search.document import Document, document
from escalation.search.selection import INCIDENTS, TICKETS, Selection, listed

USAGE = f"Use `/incident list`, `list all`, `list closed` or `list mine`, with filters: {listed(INCIDENTS)}."
SEARCH_USAGE = f"Use `/incident search` and words of the incident, filters, or both: {listed(INCIDENTS)}."
SAID = 100  # characters of a search that its answer repeats
NO_MATCH = "No incident matches."
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

    async def search(self, requester: Requester, typed: str) -> Message:
        """Answer `search WORDS [filters] [START]`. Raises Refused without any, and for a wrong filter."""
        await self._access.admit("see", requester)
        words, start = _start(typed, " +")  # a search may well end with a number
        if not words:
            raise Refused(SEARCH_USAGE)
        selection, rest = await parse_filters(self._access, requester, words)
        if not rest and selection == Selection():
            raise Refused(SEARCH_USAGE)
        ids = [d.id for d in await self._access.run(self._found, rest, selection)]
        said = f"`{brief(unescape(words), SAID)}`"
        empty = f"Nothing found for {said}. Fewer words find more."
        return await self._paged(requester, ids, start, f"search {words} +", f"Found for {said}", empty)

    def _found(self, words: str, selection: Selection) -> list[Document]:
        with self._access.search as index:
            return index.search(words, selection.takes)

    async def _paged(
        self, requester: Requester, ids: Sequence[str], first: int, command: str, heading: str, empty: str
    ) -> Message:
        """Page of these incidents, as far as the requester may see them. Reads on until it is full."""
        rows: list[Incident] = []
        at = first
        while at < len(ids) and len(rows) < PAGE:
            batch = ids[at : at + PAGE - len(rows)]
            rows += await self._access.visible_to(
                requester, await self._access.run(self._access.deps.store.read, batch)
            )
            at += len(batch)
        page = Page(command, heading, tuple(rows), first, at if at < len(ids) else None, empty)
        return listing(page, self._access.directory.url)

    async def page(self, requester: Requester, typed: str) -> Message:
        """Answer `list [open|all|closed|mine] [filters] [START]`. Raises Refused for any other word."""
        await self._access.admit("see", requester)
        words, start = _start(typed)
        kind, _, filters = words.partition(" ")
        if kind.lower() not in _EMPTY:
            kind, filters = "open", words
        kind = kind.lower()
        selection, rest = await parse_filters(self._access, requester, filters)
        if rest:
            raise Refused(f"There is no `/incident list {unescape(words)}`. {USAGE}")
        if selection.is_open is not None and kind == "open":  # `list severity:P0 closed` names the list too
            kind = "open" if selection.is_open else "closed"
        command = f"list {words or kind}"
        if kind in ("open", "mine"):
            return listing(await self._open(requester, kind, selection, start, command), self._access.directory.url)
        return await self._archive(requester, kind, selection, start, command)

    async def _open(self, requester: Requester, kind: str, selection: Selection, first: int, command: str) -> Page:
        incidents = in_listed_order(await self._access.open_incidents(requester, None))
        if kind == "mine":
            incidents = tuple(i for i in incidents if requester.id in i.people() or requester.id in i.leads.values())
        if selection != Selection():
            incidents = tuple(i for i in incidents if selection.takes(document(i)))
        none = _EMPTY[kind] if selection == Selection() else NO_MATCH
        return Page.of(incidents, first, command, _HEADINGS[kind], none)

    async def _archive(
        self, requester: Requester, kind: str, selection: Selection, first: int, command: str
    ) -> Message:
        """Page of closed incidents, or of all: the open ones first."""
        store = self._access.deps.store
        ids: Sequence[str] = await self._access.run(store.closed_ids)
        if kind == "all":
            still_open = in_listed_order(await self._access.open_incidents(requester, None))
            ids = (*(i.id for i in still_open), *ids)
        if selection != Selection():
            taken = {d.id for d in await self._access.run(self._found, "", selection)}
            ids = [i for i in ids if i in taken]
        none = _EMPTY[kind] if selection == Selection() else NO_MATCH
        return await self._paged(requester, ids, first, command, _HEADINGS[kind], none)

    async def tickets(self, requester: Requester, words: str) -> Message:
        """Answer `tickets [team] [filters] [START]`: open tickets, all or some. Raises Refused for another word."""
        typed, start = _start(words)
        selection, team = await parse_filters(self._access, requester, typed, TICKETS)
        incidents = await self._access.open_incidents(requester, None)
        teams = {i.team for i in incidents if i.policy.ticket and i.team} | set(self._access.deps.company.teams)
        if team and team not in teams:
            filters = f" Filters: {listed(TICKETS)}."
            raise Refused(f"No team called '{team}' has tickets{suggest(team, teams)}.{filters}")
        heading, command = f"Open tickets of {team}" if team else "Open tickets", f"tickets {typed}".strip()
        shown = [i for i in backlog(incidents, team) if selection.takes(document(i))]
        none = NO_TICKETS if selection == Selection() else "No open ticket matches."
        page = Page.of(shown, start, command, heading, none)
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


def _start(typed: str, mark: str = "") -> tuple[str, int]:
    """Split off the number of the first row, which the buttons that turn pages append after the mark."""
    words, _, start = typed.strip().rpartition(" ")
    if not start.isdecimal() or not words.endswith(mark):
        return (typed.strip(), 0) if mark or not typed.strip().isdecimal() else ("", int(typed))
    return words.removesuffix(mark).strip(), int(start)
