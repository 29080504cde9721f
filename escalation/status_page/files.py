"""The files of the status page, from what was published, the configuration and the time."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape

from escalation.config.status_page import Maintenance, StatusPage
from escalation.status_page import html, words
from escalation.status_page.maintenance import Phase, shown_maintenance
from escalation.status_page.publications import Publication
from escalation.status_page.standing import PublicIncident, incidents_of, intervals, shown_state
from escalation.text import clean

FRESH_FOR = timedelta(minutes=5)
MOST_BYTES = 30_000  # of a page
INDEX, SUMMARY, FEED = "index.html", "summary.json", "feed.atom"
FEED_LENGTH = 25
_NOT_XML = re.compile(r"[\ud800-\udfff\ufffe\uffff]")  # https://www.w3.org/TR/xml/#charsets
_DETAILS = (
    html.Detail(),
    html.Detail(updates=3, letters=400, past=3),
    html.Detail(updates=1, letters=200, past=0),
    html.Detail(updates=1, letters=80, past=0, most=10),
)


def render(
    page: StatusPage, publications: Sequence[Publication], now: datetime, subscribe: str = ""
) -> Mapping[str, bytes]:
    """Render every file of the folder, by its path. `subscribe` is where people subscribe by mail, if they can."""
    incidents, valid_until = incidents_of(publications), now + FRESH_FOR
    pages = {INDEX: _index(page, incidents, now, valid_until, subscribe), **_history(page, incidents, now, valid_until)}
    return {
        **{path: text.encode() for path, text in pages.items()},
        FEED: _feed(page, publications, now, valid_until).encode(),
        SUMMARY: _summary(page, incidents, now, valid_until).encode(),
    }


def _index(
    page: StatusPage, incidents: Sequence[PublicIncident], now: datetime, valid_until: datetime, subscribe: str
) -> str:
    """The first page in as much detail as fits."""
    of = intervals(incidents)
    text = ""
    for detail in _DETAILS:
        text = html.index(page, incidents, of, now, valid_until, detail, subscribe)
        if len(text.encode()) < MOST_BYTES:
            break
    return text


def _history(
    page: StatusPage, incidents: Sequence[PublicIncident], now: datetime, valid_until: datetime
) -> dict[str, str]:
    """The newest page of history, and each older one in a folder of its own, named by month."""
    stamp = words.stamp(now, valid_until)
    pages = _packed(incidents, now)
    names = [name for name, _ in pages]
    links = [("" if n == 0 else f"{name}/", name) for n, name in enumerate(names)]
    if not pages:
        return {"history/index.html": html.history(page.title, [], [], stamp, up="../")}
    files = dict[str, str]()
    for n, (name, articles) in enumerate(pages):
        prefix = "" if n == 0 else "../"
        here = [(f"{prefix}{address}" or "./", label) for address, label in links]
        path = "history/index.html" if n == 0 else f"history/{name}/index.html"
        files[path] = html.history(page.title, here, articles, stamp, up=f"{prefix}../")
    return files


def _packed(incidents: Sequence[PublicIncident], now: datetime) -> list[tuple[str, list[str]]]:
    """Articles by month, the newest first, in parts that stay small."""
    room = MOST_BYTES - len(html.STYLE) - 8_000
    detail = html.Detail(updates=50, letters=600)
    pages, sizes = dict[str, list[str]](), dict[str, int]()
    part = dict[str, int]()
    for incident in reversed(incidents):
        month = incident.updates[0].at.astimezone(UTC).strftime("%Y-%m")
        text = html.article(incident, now, detail)
        if len(text.encode()) > room:
            text = html.article(incident, now, html.Detail(updates=15, letters=400))
        name = _part(month, part.setdefault(month, 1))
        if sizes.get(name, 0) and sizes[name] + len(text.encode()) > room:
            part[month] += 1
            name = _part(month, part[month])
        pages.setdefault(name, []).append(text)
        sizes[name] = sizes.get(name, 0) + len(text.encode())
    return list(pages.items())


def _part(month: str, n: int) -> str:
    return month if n == 1 else f"{month}-{n}"


def _summary(page: StatusPage, incidents: Sequence[PublicIncident], now: datetime, valid_until: datetime) -> str:
    of = intervals(incidents)
    return json.dumps(
        {
            "page": {"title": page.title, "url": page.url},
            "generated_at": _iso(now),
            "valid_until": _iso(valid_until),
            "components": [
                {"name": name, "status": shown_state(name, of, page.maintenance, now)} for name in page.components
            ],
            "incidents": [_summarised(i) for i in reversed(incidents) if i.open],
            "maintenance": [_maintained(window, phase) for window, phase in shown_maintenance(page, now)],
        },
        indent=1,
    )


def _summarised(incident: PublicIncident) -> dict[str, object]:
    latest = incident.latest
    return {
        "id": incident.id,
        "name": incident.name,
        "status": latest.status,
        "impact": latest.impact,
        "started_at": _iso(incident.updates[0].knew_at),
        "updates": [
            {
                "at": _iso(u.at),
                "status": u.status,
                "body": u.body,
                "components": u.components,
                "next_by": _iso(u.next_by) if u.next_by else None,
                "corrected": [{"at": _iso(c.at), "was": c.was.body} for c in incident.corrections.get(u.n, ())],
            }
            for u in reversed(incident.updates)
        ],
    }


def _maintained(window: Maintenance, phase: Phase) -> dict[str, object]:
    times = {"starts": _iso(window.starts), "ends": _iso(window.ends)}
    return {"name": window.title, "status": phase, **times, "components": window.components, "body": window.words}


def _feed(page: StatusPage, publications: Sequence[Publication], now: datetime, valid_until: datetime) -> str:
    """The Atom feed (RFC 4287). Ids are by the page's address, else by name."""
    latest = publications[-1].at if publications else now
    names = {i.id: i.name for i in incidents_of(publications)}
    root = page.url or "urn:tocsin:status"
    entries = "".join(_feed_entry(p, names[p.incident], root) for p in reversed(publications[-FEED_LENGTH:]))
    links = f'<link href="{escape(page.url)}"/><link rel="self" href="{escape(page.url)}{FEED}"/>' if page.url else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
        f"<title>{_xml(page.title)}</title><subtitle>{_xml(words.stamp(now, valid_until))}</subtitle>"
        f"<id>{_xml(root)}</id><updated>{_iso(latest)}</updated>{links}"
        f"<author><name>{_xml(page.title)}</name></author>{entries}</feed>\n"
    )


def _feed_entry(update: Publication, name: str, root: str) -> str:
    link = f'<link href="{_xml(root)}history/#{update.incident}"/>' if root.startswith("http") else ""
    title = "Correction" if update.corrects else words.STATUSES[update.status]
    return (
        f"<entry><title>{_xml(f'{title}: {name}')}</title>"
        f"<id>urn:tocsin:status:{update.incident}:{update.n}</id><updated>{_iso(update.at)}</updated>{link}"
        f'<content type="text">{_xml(update.body)}</content></entry>'
    )


def _xml(text: str) -> str:
    """Escape text; what XML 1.0 does not allow is left out, or no reader could read any of the feed."""
    return escape(_NOT_XML.sub("", clean(text)))


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
