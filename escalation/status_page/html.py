"""HTML of the status page: no script, no cookie, no font and no request elsewhere. Everything outside is escaped."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import NamedTuple

from escalation.config.status_page import UNDER_MAINTENANCE, ComponentState, Maintenance, StatusPage
from escalation.status_page import words
from escalation.status_page.maintenance import Phase, in_progress, shown_maintenance
from escalation.status_page.publications import Publication
from escalation.status_page.standing import (
    Correction,
    Interval,
    PublicIncident,
    Run,
    runs,
    shown_state,
    state_now,
    worst,
)

REFRESH = 60  # seconds
STYLE = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1a1d21;--dim:#545a63;--line:#d9dce1;--card:#f7f8fa;
--ok:#1a7f43;--degraded:#8a6100;--partial:#b3470b;--major:#b3212a;--link:#0b5cad}
@media(prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#eceef1;--dim:#a9b0ba;--line:#353b43;--card:#1c2025;
--ok:#4cc27c;--degraded:#e0b03c;--partial:#f28b4b;--major:#ff7b7b;--link:#7db8ff}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.25rem 1rem 3rem;max-width:46rem;background:var(--bg);color:var(--fg);
font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}h3{font-size:1.05rem;margin:0}
a{color:var(--link)}p{margin:.4rem 0}time,.dim{color:var(--dim)}
.now{margin:1rem 0;padding:1rem;border-radius:.5rem;border:1px solid var(--line);border-left:.5rem solid var(--state);
background:var(--card)}
.now strong{font-size:1.15rem}
.operational{--state:var(--ok)}.degraded_performance{--state:var(--degraded)}
.partial_outage{--state:var(--partial)}.major_outage{--state:var(--major)}.under_maintenance{--state:var(--link)}
article,.component{padding:1rem 0;border-top:1px solid var(--line)}
ul,ol{list-style:none;margin:0;padding:0}article li+li{margin-top:1rem}
.component>div{display:flex;gap:.25rem 1rem;justify-content:space-between;flex-wrap:wrap}
.state{color:var(--state);font-weight:600}
.days{display:flex;height:2rem;margin:.5rem 0 .25rem}
.days li{flex:var(--n) 0 0;min-width:0;overflow:hidden;background:repeating-linear-gradient(90deg,var(--state) 0
calc(100%/var(--n) - 1px),transparent 0 calc(100%/var(--n)))}
.days span{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.ends{display:flex;justify-content:space-between;font-size:.85rem}
.words{white-space:pre-line}blockquote{margin:.4rem 0 .4rem .5rem;padding-left:.75rem;border-left:3px solid var(--line)}
nav,footer{margin-top:2rem;padding-top:1rem;border-top:1px solid var(--line)}
nav ul,footer{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
"""


# What a reader sees once nobody renews the page: no state, no green. A double quote would end it where it waits, and
# nginx takes 256 bytes: https://nginx.org/en/docs/http/ngx_http_ssi_module.html#ssi_value_length.
STALE = (
    "<style>.now,.component .state,.days,.component .ends{display:none}</style>"
    "<p role='alert'><strong>This page is out of date.</strong> It does not say how things stand now.</p>"
)
STALE_HERE = '<!--# echo var="stale" encoding="none" default="" -->'


def _goes_stale(now: datetime, valid_until: datetime) -> str:
    """Commands by which nginx (`ssi on`) shows STALE once the time is over; comments to every other server.

    Its expressions compare words, so the minutes that hold are listed:
    https://nginx.org/en/docs/http/ngx_http_ssi_module.html.
    """
    count = int((valid_until - now).total_seconds() // 60) + 1
    minutes = "|".join(f"{(now + timedelta(minutes=n)).astimezone(UTC):%Y%m%d%H%M}" for n in range(count))
    return (
        f'<!--# config timefmt="%Y%m%d%H%M" --><!--# set var="stale" value="{STALE}" -->'
        f'<!--# if expr="$date_gmt = /({minutes})/" --><!--# set var="stale" value="" --><!--# endif -->{STALE_HERE}'
    )


class Detail(NamedTuple):
    """How much a page shows, so that it stays small: updates of an incident, letters of each, past incidents."""

    updates: int = 10
    letters: int = 1200
    past: int = 5
    most: int = 30


def document(title: str, body: Iterable[str], *, up: str = "", feed: str = "feed.atom") -> str:
    """A whole page; `up` leads to the folder's root."""
    return "\n".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="refresh" content="{REFRESH}">',
            f'<title>{escape(title)}</title><link rel="alternate" type="application/atom+xml" href="{up}{feed}">',
            f'<link rel="icon" href="data:,"><style>{STYLE}</style></head><body>',
            *body,
            "</body></html>\n",
        )
    )


def index(
    page: StatusPage,
    incidents: Sequence[PublicIncident],
    of: Sequence[Interval],
    now: datetime,
    valid_until: datetime,
    detail: Detail,
    subscribe: str,
) -> str:
    """The first page: how things stand, open incidents, components, and what ended lately."""
    current = [i for i in reversed(incidents) if i.open]
    past = [i for i in reversed(incidents) if not i.open][: detail.past]
    head = f"<header><h1>{escape(page.title)}</h1></header><main>"
    parts = [head, _goes_stale(now, valid_until), _now(page, current, of, now, valid_until)]
    if current:
        parts += ["<h2>Open incidents</h2>", *(article(i, now, detail) for i in current[: detail.most])]
        if len(current) > detail.most:
            parts.append(f'<p><a href="history/">{len(current) - detail.most} more open incidents</a></p>')
    if windows := shown_maintenance(page, now)[: detail.most]:
        parts += ["<h2>Maintenance</h2>", *(_maintenance(window, phase) for window, phase in windows)]
    if page.components:
        parts += ["<h2>Components</h2><ul>", *(_component(name, of, page, now) for name in page.components), "</ul>"]
    if past:
        parts += ["<h2>Past incidents</h2>", *(article(i, now, detail) for i in past)]
    parts += ["</main>", _foot(subscribe)]
    return document(page.title, parts)


def history(title: str, months: Sequence[tuple[str, str]], articles: Sequence[str], stamp: str, *, up: str) -> str:
    """A page of history: links to the others (address and name), and its incidents."""
    links = "".join(f'<li><a href="{escape(address)}">{escape(name)}</a></li>' for address, name in months)
    body = ["<h2>Incidents</h2>", *articles] if articles else ["<p>Nothing was published yet.</p>"]
    head = f'<header><h1>{escape(title)}: history</h1></header><main><p><a href="{up}">Status now</a></p>'
    by_month = f'<nav aria-label="By month"><ul>{links}</ul></nav>' if links else ""
    return document(
        f"{title}: history", [head, *body, "</main>", by_month, f'<footer class="dim">{escape(stamp)}</footer>'], up=up
    )


def article(incident: PublicIncident, now: datetime, detail: Detail) -> str:
    """An incident with its updates, the newest first."""
    updates = list(enumerate(incident.updates))
    following = [*incident.updates[1:], None]
    shown = [
        _update(u, n, following[n], now, detail.letters, incident.corrections.get(u.n, ()))
        for n, u in reversed(updates)
    ][: detail.updates]
    left = len(updates) - len(shown)
    more = f'<p><a href="history/#{incident.id}">{left} earlier updates</a></p>' if left else ""
    facts = " · ".join((words.IMPACTS[incident.impact], *incident.latest.components))
    heading = f'<h3>{escape(incident.name)}</h3><p class="dim">{escape(facts)}</p>'
    return f'<article id="{incident.id}">{heading}<ol>{"".join(shown)}</ol>{more}</article>'


def _update(
    update: Publication,
    nth: int,
    following: Publication | None,
    now: datetime,
    letters: int,
    corrections: Sequence[Correction],
) -> str:
    body = _cut(update.body, letters)
    told = " ".join(words.promises(update, nth, following, now))
    return (
        f"<li><p><strong>{words.STATUSES[update.status]}</strong> · "
        f'<time datetime="{update.at.isoformat()}">{words.instant(update.at)}</time></p>'
        f'<p class="words">{escape(body)}</p><p class="dim">{escape(told)}</p>'
        f"{''.join(_correction(each, update, letters) for each in reversed(corrections))}</li>"
    )


def _correction(correction: Correction, update: Publication, letters: int) -> str:
    said, was = words.correction(correction, update.components)
    return f'<p class="dim">{escape(said)}</p><blockquote class="words dim">{escape(_cut(was, letters))}</blockquote>'


def _cut(body: str, letters: int) -> str:
    return body if len(body) <= letters else f"{body[:letters].rstrip()}…"


def _now(
    page: StatusPage,
    current: Sequence[PublicIncident],
    of: Sequence[Interval],
    now: datetime,
    valid_until: datetime,
) -> str:
    states = [state_now(name, of, now) for name in page.components]
    state: str = worst([*states, *([ComponentState.DEGRADED] if current else [])])
    under = bool(in_progress(page.maintenance, now))
    if under and state == ComponentState.OPERATIONAL:
        state = UNDER_MAINTENANCE
    said = escape(words.headline(list(current), now, valid_until, maintained=under))
    return f'<section class="now {state}" aria-label="Status now"><strong>{said}</strong></section>'


def _component(name: str, of: Sequence[Interval], page: StatusPage, now: datetime) -> str:
    state, found = shown_state(name, of, page.maintenance, now), runs(name, of, now)
    listed = "".join(_run(run) for run in found)
    return (
        f'<li class="component"><div><h3>{escape(name)}</h3>'
        f'<span class="state {state}">{words.SHOWN[state]}</span></div>'
        f'<ol class="days" aria-label="{escape(name)}, the last 90 days">{listed}</ol>'
        '<div class="ends dim" aria-hidden="true"><span>90 days ago</span><span>today</span></div></li>'
    )


def _run(run: Run) -> str:
    when = words.day(run.first) if run.days == 1 else f"{words.day(run.first)} to {words.day(run.last)}"
    said = f"{when}: {words.STATES[run.state]}"
    return f'<li class="{run.state}" style="--n:{run.days}" title="{said}"><span>{said}</span></li>'


def _maintenance(window: Maintenance, phase: Phase) -> str:
    facts = " · ".join((words.PHASES[phase], *window.components))
    when = f"{words.instant(window.starts)} to {words.instant(window.ends)}"
    said = f'<p class="words">{escape(window.words)}</p>' if window.words else ""
    heading = f'<h3>{escape(window.title)}</h3><p class="dim">{escape(facts)}</p>'
    return f"<article>{heading}<p>{when}</p>{said}</article>"


def _foot(subscribe: str) -> str:
    by_mail = ((subscribe, "Updates by mail"),) if subscribe else ()
    links = (("history/", "History"), *by_mail, ("feed.atom", "Atom feed"), ("summary.json", "JSON"))
    return "<footer>" + "".join(f'<a href="{escape(path)}">{name}</a>' for path, name in links) + "</footer>"
