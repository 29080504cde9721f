"""Routes of reports in the browser, for colleagues with a session. Private incidents are not in them."""

from html import escape
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bot.access import Access, StoreUnavailable
from bot.http.sessions import Sessions
from bot.pages.layout import HEADERS, page
from bot.pages.report import Filters, listed, report_html
from bot.render.common import plain_title
from escalation.errors import NotFound, Refused
from escalation.figures.periods import parse_period
from escalation.figures.spreadsheet import csv_of
from escalation.reports.documents import on_request
from escalation.reports.gather import gather
from escalation.reports.schedule import asks_for_means
from escalation.storage.answers.person_links import REPORTS
from escalation.text import text

LONGEST = 100  # characters of a filter
DEFAULT = "30d"


def report_routes(access: Access) -> list[Route]:
    """Build the routes."""
    reports = _Reports(access)
    return [Route(REPORTS, reports.show), Route(f"{REPORTS}open/{{token}}", reports.open)]


class _Reports:
    """The page of reports."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._sessions = Sessions(access)

    async def open(self, request: Request) -> Response:
        """Follow a link from Slack."""
        try:
            return await self._sessions.open(request.path_params["token"], REPORTS)
        except NotFound as unknown:
            return _refused(str(unknown.args[0]))
        except (StoreUnavailable, Refused):
            return _unavailable()

    async def show(self, request: Request) -> Response:
        """Show the report of a period, or send it as CSV."""
        period, severity, service = (
            str(request.query_params.get(name, ""))[:LONGEST] for name in ("period", "severity", "service")
        )
        asked = Filters(period, severity, service)
        as_csv = request.query_params.get("format") == "csv"
        try:
            await self._sessions.requester(request)
            return await self._access.report(self._report, asked, as_csv=as_csv)
        except NotFound as unknown:
            return _refused(str(unknown.args[0]))
        except Refused as refused:
            return _refused(text([refused.words]))
        except StoreUnavailable:
            return _unavailable()

    def _report(self, asked: Filters, *, as_csv: bool) -> Response:
        deps = self._access.deps
        now, zone, error, period_text = deps.service.clock(), deps.company.timezone, "", asked.period or DEFAULT
        try:
            period = parse_period(period_text, now, zone)
        except ValueError as wrong:
            error, period_text = str(wrong), DEFAULT
            period = parse_period(DEFAULT, now, zone)
        severities, services = tuple(map(str, deps.policy.severities)), tuple(sorted(deps.company.services))
        severity = asked.severity if asked.severity in severities else ""
        service = asked.service if asked.service in services else ""
        before = period.since - (period.until - period.since)
        found = gather(deps.store, deps.company, period, before, now, service=service, severity=severity)
        if as_csv:
            name = f"incidents-{period.since:%Y-%m-%d}.csv"
            headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
            sheet = csv_of(found.figures.observations, found.figures.recurred)
            return Response(sheet, media_type="text/csv; charset=utf-8", headers=headers)
        query = {"period": period_text, "severity": severity, "service": service, "format": "csv"}
        csv = f"{REPORTS}?{urlencode(query)}"
        filters = Filters(period_text, severity, service, severities, services, error, csv)
        document = on_request(found, zone, mean=asks_for_means(deps.company, deps.policy))
        seen = found.figures.observations
        known = deps.store.read([s.id for s in listed(seen)])
        titles = {i.id: " ".join(plain_title(i).split()) for i in known if not i.private}
        html = report_html(document, seen, found.names, filters, now, zone, titles)
        return HTMLResponse(html, headers=HEADERS)


def _refused(why: str) -> Response:
    return page("Not available", f"<h1>Not available</h1><p>{escape(why)}</p>", 403)


def _unavailable() -> Response:
    return page("Not now", "<h1>Not now</h1><p>Tocsin cannot read its store. Try again in a moment.</p>", 503)
