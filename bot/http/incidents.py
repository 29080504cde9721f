"""Routes of incidents in the browser, for a colleague with a session: theirs is what they may see in Slack."""

from datetime import UTC, date, datetime, time, timedelta
from html import escape
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.access import Access, Requester, StoreUnavailable
from bot.http.sessions import Sessions
from bot.pages.incidents import Filters, IncidentPages
from bot.pages.layout import page
from bot.render.common import card_url
from escalation.errors import NotFound, Refused
from escalation.figures.observation import Observation, observe
from escalation.incident.model import Incident
from escalation.reviews.action_items import ActionItem
from escalation.reviews.draft import draft
from escalation.reviews.model import Section
from escalation.storage.action_items import ActionItems
from escalation.storage.answers.person_links import INCIDENTS
from escalation.storage.reviews import Reviews
from escalation.text import text
from escalation.values import INCIDENT_ID

ON_A_PAGE = 50
BATCH = 200  # incidents that are read at once
LONGEST = 100  # characters of a filter
STATES = ("open", "closed", "all")


def incident_routes(access: Access) -> list[Route]:
    """Build the routes."""
    pages = _Pages(access)
    return [
        Route(INCIDENTS, pages.listing),
        Route(f"{INCIDENTS}open/{{token}}", pages.open),
        Route(f"{INCIDENTS}{{id}}", pages.one),
    ]


class Hidden(Exception):
    """An incident that there is not, or that this person may not see: nobody learns which."""


class _Pages:
    """The list, one incident, and the link that opens them."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._sessions = Sessions(access)
        self._items, self._reviews = ActionItems(access.deps.redis), Reviews(access.deps.redis)

    async def open(self, request: Request) -> Response:
        """Follow a link from Slack, to the list or to one incident."""
        wanted = request.query_params.get("to", "")
        path = INCIDENTS + (wanted if INCIDENT_ID.fullmatch(wanted) else "")
        try:
            return await self._sessions.open(request.path_params["token"], path)
        except (NotFound, Refused, StoreUnavailable) as error:
            return _failed(error)

    async def listing(self, request: Request) -> Response:
        """Show a page of the list."""
        try:
            requester = await self._sessions.requester(request)
            filters = self._filters(request)
            shown, more = await self._visible(requester, filters)
            return (await self._access.run(self._pages)).listing(shown, filters, more=more)
        except (NotFound, Refused, StoreUnavailable) as error:
            return _failed(error)

    async def one(self, request: Request) -> Response:
        """Show an incident."""
        try:
            requester = await self._sessions.requester(request)
            incident = await self._seen(requester, request.path_params["id"])
            sections, items = await self._access.run(self._review, incident)
            in_slack = card_url(incident, self._access.directory.url)
            return (await self._access.run(self._pages)).one(incident, sections, items, in_slack)
        except Hidden:
            return page("Not found", "<h1>Not found</h1><p>There is no such incident, or you may not see it.</p>", 404)
        except (NotFound, Refused, StoreUnavailable) as error:
            return _failed(error)

    async def _visible(self, requester: Requester, filters: Filters) -> tuple[list[Incident], bool]:
        """Read a page of what they may see, and whether more follows: what is hidden leaves no gap."""
        ids = await self._access.run(self._ids, filters)
        first = (filters.page - 1) * ON_A_PAGE
        found: list[Incident] = []
        for start in range(0, len(ids), BATCH):
            batch = await self._access.run(self._access.deps.store.read, ids[start : start + BATCH])
            found += await self._access.visible_to(requester, batch)
            if len(found) > first + ON_A_PAGE:
                break
        return found[first : first + ON_A_PAGE], len(found) > first + ON_A_PAGE

    async def _seen(self, requester: Requester, name: str) -> Incident:
        """Read an incident; one that they may not see is as good as none. Raises Hidden."""
        try:
            if INCIDENT_ID.fullmatch(name):
                return await self._access.see(requester, name)
        except (NotFound, Refused):
            pass
        raise Hidden

    def _pages(self) -> IncidentPages:
        directory, deps = self._access.deps.store.directory(), self._access.deps
        return IncidentPages(directory.names, deps.company.timezone)

    def _review(self, incident: Incident) -> tuple[tuple[Section, ...], list[ActionItem]]:
        items = self._items.of(incident.id)
        if incident.open:
            return (), items
        return draft(incident, self._reviews.written(incident.id), items).sections, items

    def _filters(self, request: Request) -> Filters:
        deps = self._access.deps
        given = {name: value[:LONGEST] for name, value in request.query_params.items()}
        severities, services = tuple(map(str, deps.policy.severities)), tuple(sorted(deps.company.services))
        dates = {name: given.get(name, "") for name in ("since", "until")}
        wrong = [value for value in dates.values() if value and _day(value) is None]
        number = given.get("page", "")
        return Filters(
            state=given["state"] if given.get("state") in STATES else STATES[0],
            severity=given["severity"] if given.get("severity") in severities else "",
            service=given["service"] if given.get("service") in services else "",
            since=dates["since"] if dates["since"] not in wrong else "",
            until=dates["until"] if dates["until"] not in wrong else "",
            page=int(number) if number.isascii() and number.isdigit() and 0 < len(number) < 6 and int(number) else 1,
            severities=severities,
            services=services,
            error=f"'{wrong[0]}' is no date like 2026-11-29." if wrong else "",
        )

    def _ids(self, filters: Filters) -> list[str]:
        """Find the ids that match, the newest first; of closed incidents nothing else is read."""
        zone = ZoneInfo(self._access.deps.company.timezone)
        since, until = _day(filters.since), _day(filters.until)
        begins = datetime.combine(since, time(), zone) if since else datetime.fromtimestamp(0, UTC)
        ends = datetime.combine(until + timedelta(days=1), time(), zone).timestamp() if until else float("inf")
        store = self._access.deps.store
        if filters.state == "open":  # of thousands of closed ones nothing is read
            found = [o for o in map(observe, store.open_incidents()) if o.declared >= begins.timestamp()]
            found.sort(key=lambda o: o.declared)
        else:
            found = list(store.observations(begins))
        return [seen.id for seen in reversed(found) if seen.declared < ends and _matches(seen, filters)]


def _matches(seen: Observation, filters: Filters) -> bool:
    state = filters.state == "all" or seen.open == (filters.state == "open")
    return state and filters.severity in ("", seen.severity) and filters.service in ("", seen.service)


def _day(value: str) -> date | None:
    try:
        found = date.fromisoformat(value) if value else None
    except ValueError:
        return None
    return found if found and 1970 < found.year < 9999 else None


def _failed(error: Exception) -> Response:
    """Say why there is nothing to see."""
    match error:
        case StoreUnavailable():
            return page("Not now", "<h1>Not now</h1><p>Tocsin cannot read its store. Try again in a moment.</p>", 503)
        case Refused():
            why = text([error.words])
        case _:  # no session, or a link that is not valid
            why = str(error.args[0])
    return page("Not available", f"<h1>Not available</h1><p>{escape(why)}</p>", 403)
