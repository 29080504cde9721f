"""Incidents in the browser, for one colleague: a list, and one with its timeline. No script, no font, no image.

What a page shows was checked before: nothing here asks who may read it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.responses import HTMLResponse

from bot.pages.layout import HEADERS
from bot.pages.timeline import timeline_page
from escalation.config.rules.reviews import ReviewSection
from escalation.incident.impact import INSTANTS, impact_times
from escalation.incident.model import Incident
from escalation.incident.noted import told_at
from escalation.incident.state.entries import Entry
from escalation.messages.entries.notices import duration
from escalation.messages.timeline import entry_lines
from escalation.records.holes import holes, spoken_hole
from escalation.reviews.action_items import ActionItem
from escalation.reviews.draft import headline_of
from escalation.reviews.model import Section
from escalation.text import Line, Lines, Link, Person, Strong, Time, clean, text
from escalation.values import PersonId

UNFOLDED = 2  # lines of an entry that stand in the open
_READER = MarkdownIt("commonmark", {"html": False}).disable("image")


@dataclass(frozen=True)
class Filters:
    """Filters of the list as they are set, what may be chosen, and what was wrong with them."""

    state: str = "open"
    severity: str = ""
    service: str = ""
    owner: str = ""
    since: str = ""
    until: str = ""
    page: int = 1
    severities: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    owners: Mapping[PersonId, str] = field(default_factory=dict)
    error: str = ""

    def at_page(self, page: int) -> str:
        """Query of another page of the same list."""
        names = ("state", "severity", "service", "owner", "since", "until")
        chosen = {name: getattr(self, name) for name in names if getattr(self, name)}
        return urlencode(chosen | {"page": str(page)})


@dataclass(frozen=True)
class Moment:
    """An entry of the timeline. `day` is named with its first one; what takes many lines is folded under a headline."""

    at: datetime
    day: str
    headline: Line
    lines: Lines


class IncidentPages:
    """Renders pages in a company's zone. `names` are people's."""

    def __init__(self, names: Mapping[PersonId, str], zone: str) -> None:
        self._names = names
        self._zone = ZoneInfo(zone)

    def listing(self, incidents: Sequence[Incident], filters: Filters, *, more: bool) -> HTMLResponse:
        """A page of the list; `more` is True if another one follows."""
        return self._page("incidents.html.jinja", incidents=incidents, filters=filters, more=more)

    def one(
        self,
        incident: Incident,
        sections: Sequence[Section],
        items: Sequence[ActionItem],
        in_slack: str = "",
        upto: int = 0,
    ) -> HTMLResponse:
        """One incident. `sections` are those of its review, if there is one; `in_slack` is the address of its card.

        `upto` is the last entry of the timeline that is shown, as its pages are linked; 0 for the latest.
        """
        part = timeline_page(incident, upto)
        return self._page(
            "incident.html.jinja",
            incident=incident,
            timeline=tuple(self._moments(incident, part.entries)),
            part=part,
            impact=[(said, at) for name, said in INSTANTS.items() if (at := impact_times(incident).get(name))],
            sections=[s for s in sections if s.key != ReviewSection.TIMELINE and not _only_items(s)],
            items=items,
            holes=[spoken_hole(h) for h in holes((e.n for e in incident.timeline), incident.chain.length)],
            lasted=duration(incident, incident.closed_at) if incident.closed_at else "",
            in_slack=in_slack,
        )

    def _moments(self, incident: Incident, entries: Iterable[Entry]) -> Iterator[Moment]:
        """Yield what happened."""
        day = ""
        for entry in entries:
            lines, at = entry_lines(incident, entry), told_at(entry)
            if lines:
                before, day = day, f"{at.astimezone(self._zone):%A %d %B %Y}"
                headline = headline_of(incident, entry) if len(lines) > UNFOLDED else ()
                yield Moment(at, day if day != before else "", headline, lines)

    def _page(self, template: str, **values: object) -> HTMLResponse:
        zone = str(self._zone)
        known = {"title": _title, "when": self._when, "spans": self._spans, "name": self._name, "prose": _prose}
        known["stretch"] = self._stretch
        html = _ENVIRONMENT.get_template(template).render(zone=zone, **known, **values)
        return HTMLResponse(html, headers=HEADERS)

    def _name(self, person: PersonId) -> str:
        return text(((Person(person),),), self._names)

    def _when(self, at: datetime, *, day: bool = True) -> Markup:
        shown = at.astimezone(self._zone).strftime("%Y-%m-%d %H:%M" if day else "%H:%M:%S")
        return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="seconds"), shown)

    def _stretch(self, at: datetime) -> str:
        """Where a page of the timeline begins, as its link says it."""
        return f"{at.astimezone(self._zone):%d %b %H:%M}"

    def _spans(self, line: Line) -> Markup:
        """A line as HTML; what people wrote is escaped by Markup's own `format`."""
        shown = Markup()
        for span in line:
            match span:
                case Time():
                    shown += self._when(span.at)
                case Strong():
                    shown += Markup("<strong>{}</strong>").format(clean(span.text))
                case Link() if span.url.startswith(("https://", "http://")):
                    shown += Markup('<a href="{}" rel="noreferrer">{}</a>').format(span.url, clean(span.label))
                case _:
                    shown += text(((span,),), self._names)  # Markup escapes what it is added to
        return shown


def _only_items(section: Section) -> bool:
    """True if it says nothing that the list of action items does not."""
    return section.key == ReviewSection.ACTIONS and not section.written.text.strip()


def _title(incident: Incident) -> str:
    return ("DRILL: " if incident.drill else "") + " ".join(clean(incident.facts.title).split())


def _prose(markdown: str) -> Markup:
    """People's words, which are Markdown; HTML in them is text."""
    return Markup(_READER.render(clean(markdown)))  # noqa: S704  # the reader escapes HTML


_ENVIRONMENT = Environment(
    loader=PackageLoader("bot", "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
