"""Routes of incidents in the browser, for a colleague with a session: theirs is what they may see in Slack."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
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
from escalation.config.company import Company, Directory
from escalation.errors import NotFound, Refused
from escalation.incident.model import Incident
from escalation.reviews.action_items import ActionItem
from escalation.reviews.draft import draft
from escalation.reviews.model import Section
from escalation.search.selection import Selection
from escalation.storage.action_items import ActionItems
from escalation.storage.answers.person_links import INCIDENTS
from escalation.storage.reviews import Reviews
from escalation.text import text
from escalation.values import INCIDENT_ID, PersonId

ON_A_PAGE = 50
BATCH = 200  # incidents that are read at once
LONGEST = 100  # characters of a filter
STATES = ("open", "closed", "all")
DATES = ("since", "until")


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
            upto = _number(request.query_params.get("upto", ""))
            return (await self._access.run(self._pages)).one(incident, sections, items, in_slack, upto)
        except Hidden:
            return page("Not found", "<h1>Not found</h1><p>There is no such incident, or you may not see it.</p>", 404)
        except (NotFound, Refused, StoreUnavailable) as error:
            return _failed(error)

    async def _visible(self, requester: Requester, filters: Filters) -> tuple[list[Incident], bool]:
        """Read a page of what they may see, and whether more follows: what is hidden leaves no gap."""
        ids = await self._access.report(self._ids, filters)
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
        owners = _people(deps.company, self._access.directory)
        choices = {
            "state": STATES,
            "severity": tuple(map(str, deps.policy.severities)),
            "service": tuple(sorted(deps.company.services)),
            "owner": tuple(owners),
        }
        wrong = [
            *(_no_choice(name, given[name], known) for name, known in choices.items() if name in given),
            *(
                f"'{given[name]}' is no date like 2026-11-29."
                for name in DATES
                if given.get(name) and not _day(given[name])
            ),
        ]

        def chosen(name: str) -> str:
            return given.get(name, "") if given.get(name) in choices[name] else ""

        return Filters(
            state=chosen("state") or STATES[0],
            severity=chosen("severity"),
            service=chosen("service"),
            owner=chosen("owner"),
            since=given["since"] if _day(given.get("since", "")) else "",
            until=given["until"] if _day(given.get("until", "")) else "",
            page=_number(given.get("page", "")) or 1,
            severities=choices["severity"],
            services=choices["service"],
            owners=owners,
            error=" ".join(filter(None, wrong)),
        )

    def _ids(self, filters: Filters) -> list[str]:
        """Find the ids that match, the newest first; of closed incidents nothing else is read."""
        zone = ZoneInfo(self._access.deps.company.timezone)
        since, until = _day(filters.since), _day(filters.until)
        begins = datetime.combine(since, time(), zone) if since else None
        ends = datetime.combine(until + timedelta(days=1), time(), zone) if until else None
        selection = Selection(
            severities=_only(filters.severity),
            services=_only(filters.service),
            owners=_only(filters.owner),
            since=begins,
            until=ends,
            is_open=None if filters.state == "all" else filters.state == "open",
        )
        with self._access.search as index:
            return [d.id for d in index.search("", selection.takes)]


def _only(value: str) -> frozenset[str]:
    return frozenset((value,)) if value else frozenset()


def _people(company: Company, directory: Directory) -> dict[PersonId, str]:
    """Who may be chosen as the owner: the configuration's people, by member id, with their names."""
    members = ((company.member(key, directory), key) for key in company.people)
    named = {member: directory.names.get(member, key) for member, key in members}
    return dict(sorted(named.items(), key=lambda pair: pair[1].casefold()))


def _no_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """Say what may be chosen; nothing where that was done, or nothing chosen."""
    if not value or value in choices:
        return ""
    known = ", ".join(choices) if name != "owner" else "the people of the configuration"
    return f"'{value}' is no {name}. Choose one of: {known or 'none yet'}."


def _number(value: str) -> int:
    """Read a number of an address; 0 for anything else."""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else 0


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
