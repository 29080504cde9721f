"""What goes out by other ways than Slack: the mail of a page, and the incident as another paging service shows it.

Of a security incident they say that there is one, and no word of what it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from escalation.incident.model import Entry, Incident, Page
from escalation.messages.communications import outward
from escalation.messages.template import Wording
from escalation.messages.timeline import war_room, why_you
from escalation.text import Line, Strong, Time, clean, line, text
from escalation.values import PersonId

HIDDEN = "a security incident"
_ALSO = line("You are paged for what follows too; all of this comes late.")


@dataclass(frozen=True)
class Letter:
    """A mail: one line, and plain text."""

    subject: str
    body: str


def title(incident: Incident) -> str:
    """What the incident is called where others may read it."""
    drill = "DRILL: " if incident.drill else ""
    return drill + (HIDDEN if incident.private else " ".join(clean(incident.facts.title).split()))


@dataclass(frozen=True)
class Call:
    """A page, with the incident that it is about."""

    incident: Incident
    page: Page


def page_letter(calls: Sequence[Call], names: Mapping[PersonId, str]) -> Letter:
    """One person's pages, the worst first. Why you, what it is, where it is handled."""
    first, *others = sorted(calls, key=lambda call: (call.incident.severity, call.incident.id))
    incident, again = first.incident, " again" if first.page.sent > 1 else ""
    more = f" and {len(others)} more" if others else ""
    subject = f"[{incident.severity}] You are paged{again}: {title(incident)} ({incident.id}){more}"
    parts = [_called(first), *([(_ALSO,)] if others else []), *map(_called, others)]
    return Letter(subject, "\n\n".join(text(lines, names) for lines in parts))


def _called(call: Call) -> tuple[Line, ...]:
    """One page. A reason may be people's words, so a private one goes without."""
    incident, why = call.incident, why_you(call.incident, call.page.n)
    return (*(why[:1] if incident.private else why), *_facts(incident), _answer_in_slack(incident))


def stakeholder_letter(incident: Incident, entry: Entry, wording: Wording, names: Mapping[PersonId, str]) -> Letter:
    """A communication's words."""
    subject = f"[{incident.severity}] {title(incident)}: {entry.fields['status']} ({incident.id})"
    return Letter(subject, text(outward(incident, entry, wording), names))


def alert_summary(incident: Incident) -> str:
    """One line for another paging service (PagerDuty takes 1,024 characters)."""
    return f"{incident.severity} {title(incident)} ({incident.id})"[:1024]


def _facts(incident: Incident) -> tuple[Line, ...]:
    since = line(Strong("Since: "), Time(incident.declared_at, clock=False))
    if incident.private:
        return (line(Strong("What: "), HIDDEN, "; the rest stands in its private room."), since)
    return (
        line(Strong("What: "), incident.facts.title),
        line(Strong("Impact: "), incident.facts.impact or "not stated"),
        since,
        line(Strong("War room: "), *war_room(incident)),
    )


def _answer_in_slack(incident: Incident) -> Line:
    return line(f"Acknowledge it in Slack: the button on its card, or /incident ack {incident.id}.")
