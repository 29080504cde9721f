"""Words for channels other than Slack: the mail of a page, and the alert in another paging service.

Of a security incident they say only that there is one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from html import escape

from escalation.config.notify import MeetingKind
from escalation.config.rules.communications import Audience
from escalation.incident.effects import SendInvitation
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry
from escalation.incident.state.pages import Page
from escalation.messages.calendar import CalendarEvent
from escalation.messages.communications import published_words
from escalation.messages.entries.notices import war_room
from escalation.messages.entries.paging import page_reason
from escalation.messages.template import Wording
from escalation.text import Line, Strong, Time, clean, line, text
from escalation.values import PersonId

HIDDEN = "a security incident"
# The keys of a call, too: `escalation.messages.pages`.
_REPLY = "Or reply to this email with 1 to acknowledge {0}, or with 2 if you can't take it."
MEETING_LENGTH = timedelta(hours=1)
_WHAT = {
    MeetingKind.CALL: "The call of the war room is open now.",
    MeetingKind.REVIEW: "What happened, what went well, what to change. Propose another time if this does not suit.",
}
_ALSO = line("You're being paged for these too. All of them were delayed.")


@dataclass(frozen=True)
class Attachment:
    """A file with a mail, of the type `maintype/subtype`."""

    name: str
    maintype: str
    subtype: str
    content: bytes


@dataclass(frozen=True)
class Mail:
    """A mail: a subject of one line, a body of plain text, perhaps the same as HTML, and an event to invite to.

    `headers` are further ones, `attachments` files with it.

    Readers fold mails of one `thread`; some only if their subjects are the same, so no subject tells what changes.
    """

    subject: str
    body: str
    thread: str = ""
    html: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    event: CalendarEvent | None = None
    attachments: tuple[Attachment, ...] = ()


def title(incident: Incident) -> str:
    """Return the incident's title for channels that others may read."""
    drill = "DRILL: " if incident.drill else ""
    return drill + (HIDDEN if incident.private else " ".join(clean(incident.facts.title).split()))


@dataclass(frozen=True)
class IncidentPage:
    """A page with its incident; `link` answers it, where people can reach us, and so does a mail to `reply_to`."""

    incident: Incident
    page: Page
    link: str = ""
    reply_to: str = ""


def page_mail(pages: Sequence[IncidentPage], names: Mapping[PersonId, str]) -> Mail:
    """Write the mail of one person's pages, the worst first: why you, what it is, where it is handled."""
    first, *others = sorted(pages, key=lambda item: (item.incident.severity, item.incident.id))
    incident, more = first.incident, f" and {len(others)} more" if others else ""
    subject = f"[{incident.severity}] You're being paged: {title(incident)} ({incident.id}){more}"
    reply = ((line(_REPLY.format(incident.id)),),) if first.reply_to else ()
    parts = [_page_lines(first), *reply, *([(_ALSO,)] if others else []), *map(_page_lines, others)]
    body = "\n\n".join(text(lines, names) for lines in parts)
    headers = (("Reply-To", first.reply_to),) if first.reply_to else ()
    return Mail(subject, body, _thread(incident), _html(body, first.link), headers)


def _page_lines(item: IncidentPage) -> tuple[Line, ...]:
    """Render one page. A reason may be people's words, so a private one goes without."""
    incident, why = item.incident, page_reason(item.incident, item.page.n)
    link = (line("Acknowledge, or say that you can't take it: ", item.link),) if item.link else ()
    calls = {"Hotline: ": incident.hotline, "Vendor: ": "" if incident.private else incident.vendor}
    numbers = (line(Strong(name), contact) for name, contact in calls.items() if contact)
    links = () if incident.private else incident.service_links
    return (
        *(why[:1] if incident.private else why),
        *_facts(incident),
        *numbers,
        *(line(Strong(f"{name}: "), url) for name, url in links),
        *link,
        _how_to_acknowledge(incident, item.link),
    )


def _html(body: str, link: str) -> str:
    """The same as HTML, with a button; the link stands in the text as well, for who reads that."""
    paragraphs = "".join(f"<p>{escape(part)}</p>".replace("\n", "<br>") for part in body.split("\n\n"))
    style = (
        "display:inline-block;padding:14px 28px;background:#0b6b3a;color:#ffffff;text-decoration:none;font-weight:600"
    )
    button = f'<p><a href="{escape(link)}" style="{style}">Acknowledge</a></p>' if link else ""
    return f'<!doctype html><html lang="en"><body style="font:16px/1.5 sans-serif">{button}{paragraphs}</body></html>'


def stakeholder_mail(incident: Incident, entry: Entry, wording: Wording, names: Mapping[PersonId, str]) -> Mail:
    """Write the mail of a communication. To customers it is in the words meant for the public, the subject too."""
    inside = not Audience(entry.fields["audience"]).outside
    subject = f"[{incident.severity}] {title(incident)} ({incident.id})" if inside else "Service update"
    return Mail(subject, text(published_words(incident, entry, wording), names), _thread(incident))


def review_mail(incident: Incident, document: str, html: str) -> Mail:
    """Write the mail of a finished review: the document as Markdown, and the same as HTML."""
    return Mail(f"Review of {incident.id}: [{incident.severity}] {title(incident)}", document, html=html)


def invitation_mail(incident: Incident, effect: SendInvitation, names: Mapping[PersonId, str]) -> Mail:
    """Write an invitation to the call or to the review, or that it is off; of a private incident, id and severity."""
    invitation = incident.invited[effect.n - 1]
    what = {MeetingKind.CALL: "Incident call", MeetingKind.REVIEW: "Post-incident review"}[invitation.about]
    about = f"{incident.severity} {incident.id}" if incident.private else f"{incident.severity} {title(incident)}"
    summary = f"{what}: {about}" if incident.private else f"{what}: {about} ({incident.id})"
    off = effect.cancelled
    url = "" if off else invitation.url
    due = None if off or invitation.about is not MeetingKind.REVIEW else incident.review_by
    lines = (
        line("This meeting is off." if off else _WHAT[invitation.about]),
        *([line(Strong("Join: "), url)] if url else []),
        line(Strong("When: "), Time(effect.starts, clock=False)),
        *([line(Strong("Due by: "), Time(due, clock=False))] if due else []),
        *([line(Strong("War room: "), *room)] if not incident.private and (room := war_room(incident)) else []),
    )
    body = text(lines, names)
    event = CalendarEvent(
        uid=f"{_thread(incident)}-{invitation.about}-{invitation.n}",
        sequence=effect.sequence,
        starts=effect.starts,
        ends=effect.starts + MEETING_LENGTH,
        stamp=effect.at,
        summary=summary,
        description=body,
        location=url,
        cancelled=off,
    )
    return Mail(f"{'Off: ' if off else ''}{summary}", body, html=_html(body, ""), event=event)


def _thread(incident: Incident) -> str:
    """Name the thread of an incident's mails; another installation has incidents of the same ids."""
    return f"{incident.id}-{int(incident.declared_at.timestamp())}"


def alert_summary(incident: Incident) -> str:
    """Return the alert's summary for another paging service (PagerDuty takes 1,024 characters)."""
    highest = max(incident.tiers_paged, default=0)
    paged = f", tier {highest} paged" if highest > 1 else ""
    return f"{incident.severity} {title(incident)} ({incident.id}){paged}"[:1024]


def _facts(incident: Incident) -> tuple[Line, ...]:
    since = line(Strong("Since: "), Time(incident.declared_at, clock=False))
    if incident.private:
        return (line(Strong("What: "), HIDDEN, "; the details are in its private channel."), since)
    return (
        line(Strong("What: "), incident.facts.title),
        line(Strong("Impact: "), incident.facts.impact or "not stated"),
        since,
        *([line(Strong("War room: "), *room)] if (room := war_room(incident)) else []),
    )


def _how_to_acknowledge(incident: Incident, link: str) -> Line:
    return line(
        f"{'Or' if link else 'Acknowledge it'} in Slack: the button on its card, or /incident ack {incident.id}."
    )
