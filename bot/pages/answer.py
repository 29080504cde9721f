"""The page behind a page's link: what is acknowledged, how it stands, and two buttons. Opening it changes nothing.

Mail scanners open every link, and some run scripts: so an answer needs a press of a button whose form holds a nonce.
"""

from html import escape
from zoneinfo import ZoneInfo

from starlette.responses import HTMLResponse

from bot.pages.layout import page as layout
from escalation.answers import Answer, PageToAnswer
from escalation.config.company import Company, Directory
from escalation.incident.model import Incident
from escalation.incident.state.pages import Page, PageState
from escalation.messages.entries.paging import page_reason
from escalation.messages.mail import title
from escalation.text import clean, text
from escalation.values import PersonId

HELP = "If it is urgent, write to people in Slack, or call the next person on the escalation policy."


class AnswerPage:
    """Renders the page of a link."""

    def __init__(self, company: Company, directory: Directory) -> None:
        self._names = directory.names
        self._zone = ZoneInfo(company.timezone)

    def show(self, found: PageToAnswer, nonce: str, note: str = "") -> HTMLResponse:
        """Show a page as it stands; `note` is what the press of a button came to."""
        incident, page = found.incident, found.page
        parts = [f"<p role=status><strong>{escape(note)}</strong></p>" if note else "", self._what(incident, page)]
        state = self._state(incident, page)
        parts.append(f"<p>{escape(state)}</p>" if state else "")
        asked = incident.open and page.state not in _DONE and not _responds(incident, page)
        parts.append(_buttons(page, nonce) if asked else "")
        return layout(f"{incident.severity} {incident.id}", "".join(parts))

    def _what(self, incident: Incident, page: Page) -> str:
        severity = f"<span class=sev>{incident.severity}</span>"
        if incident.private:  # id and severity only: a link may be read by others
            return f"<h1>{severity} {escape(incident.id)}</h1>"
        since = incident.declared_at.astimezone(self._zone)
        impact = f"<p>Impact: {escape(clean(incident.facts.impact))}</p>" if incident.facts.impact else ""
        why = escape(text(page_reason(incident, page.n)[1:2], self._names))
        return (
            f"<h1>{severity} {escape(title(incident))}</h1>{impact}<p class=soft>{why}</p>"
            f"<p class=soft>{escape(incident.id)}, since {since:%H:%M} ({escape(str(self._zone))}).</p>"
        )

    def _state(self, incident: Incident, page: Page) -> str:
        """How it stands, in one sentence; empty while nobody has answered."""
        if not incident.open:
            return f"It is {incident.status}. Nothing is left to do here."
        acknowledged = incident.acknowledgement
        others = self._name(acknowledged.by) if acknowledged else ""
        at = f" at {acknowledged.at.astimezone(self._zone):%H:%M}" if acknowledged else ""
        if acknowledged and acknowledged.by == page.person:
            return f"You acknowledged it{at}."
        if acknowledged and page.person in incident.assigned:
            return f"You are responding as well: {others} acknowledged it{at}."
        if page.state is PageState.DECLINED:
            return "You said that you can't take it. You can still acknowledge it."
        if acknowledged:
            return f"{others} acknowledged it{at}. You can acknowledge it as well."
        return {
            PageState.OPEN: "Nobody has acknowledged it yet.",
            PageState.ANSWERED: "You have answered. Nobody has acknowledged it yet.",
        }.get(page.state, "This page is over: another one took its place, or somebody else is paged.")

    def _name(self, person: PersonId) -> str:
        return self._names.get(person, person)


_DONE = (PageState.MOVED, PageState.WITHDRAWN, PageState.REFUSED)


def _responds(incident: Incident, page: Page) -> bool:
    """True if its person has nothing left to answer."""
    return incident.acknowledgement is not None and page.person in incident.assigned


def _buttons(page: Page, nonce: str) -> str:
    decline = f'<button name=answer value="{Answer.DECLINE}">Can\'t take it</button>'
    return (
        f'<form method=post><input type=hidden name=nonce value="{nonce}">'
        f'<button class=go name=answer value="{Answer.ACKNOWLEDGE}">Acknowledge</button>'
        f"{decline if page.state is PageState.OPEN else ''}</form>"
    )


def unknown(why: str) -> HTMLResponse:
    """A link that was never ours."""
    return layout("Not found", f"<h1>{escape(why)}</h1><p>{HELP}</p>", 404)


def unavailable() -> HTMLResponse:
    """Nothing could be read or recorded."""
    words = "Nothing was recorded: Tocsin cannot reach its store."
    return layout("Try again", f"<h1>{words}</h1><p>Try again in a moment. {HELP}</p>", 503)
