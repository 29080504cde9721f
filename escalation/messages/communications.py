"""Words of communications to stakeholders, customers and the public, and of their entries on the timeline.

Those for customers and the public have the public wording, or the policy's fixed text; never a title or a description.
"""

from datetime import datetime

from escalation.config.policy import Audience
from escalation.incident.model import Entry, Incident, Stage
from escalation.messages.template import Wording
from escalation.text import Line, Lines, Person, Strong, Time, Verbatim, line, people
from escalation.times import spoken_duration

_TEMPLATES = {
    (Audience.STAKEHOLDERS, Stage.FIRST): "stakeholder_notice",
    (Audience.STAKEHOLDERS, Stage.UPDATE): "stakeholder_update",
    (Audience.STAKEHOLDERS, Stage.RESTORED): "stakeholder_restored",
    (Audience.CUSTOMERS, Stage.FIRST): "public_notice",
    (Audience.CUSTOMERS, Stage.UPDATE): "public_update",
    (Audience.CUSTOMERS, Stage.RESTORED): "public_restored",
    (Audience.SOCIAL, Stage.FIRST): "social_post",
    (Audience.SOCIAL, Stage.UPDATE): "social_post",
    (Audience.SOCIAL, Stage.RESTORED): "social_restored",
}
_AUDIENCES = {
    Audience.STAKEHOLDERS: "Stakeholders",
    Audience.CUSTOMERS: "Customers",
    Audience.SOCIAL: "The public on social media",
}
_ABOUT = {
    Stage.FIRST: "are to be told",
    Stage.UPDATE: "are to be told of the update",
    Stage.RESTORED: "are to be told that it works again",
    Stage.FOLLOW_UP: "are to be told what came of the review",
}
_ANSWERED = {"approved": "approved by", "published": "published by", "declined": "not needed, says"}


def published_words(incident: Incident, entry: Entry, wording: Wording) -> Lines:
    """Render the words of a communication alone, as its audience reads them, as things stood when it was made."""
    incident = incident.as_of(entry)
    audience, stage = Audience(entry.fields["audience"]), Stage(entry.fields["stage"])
    name = _TEMPLATES.get((audience, stage), "customer_follow_up")
    fields = _inside(incident, entry) if audience is Audience.STAKEHOLDERS else _outside(incident, entry)
    ended = {
        "resolved_at": Time(incident.closed_at, clock=False) if incident.closed_at else "",
        "duration": _duration(incident),
    }
    if stage in (Stage.FIRST, Stage.UPDATE):
        fields |= {"next_update": _instant(entry.fields["next_update"], clock=True)}
    else:
        fields |= ended
    return wording.lines(name, **fields)


def communication(incident: Incident, entry: Entry, wording: Wording) -> Lines:
    """Render a communication for the responders: whom to tell, how, by when, why, and the words to publish."""
    fields = entry.fields
    audience, stage = Audience(fields["audience"]), Stage(fields["stage"])
    by: Line = (", by ", _instant(fields["due"], clock=True)) if fields["due"] else ()
    state: Line = (" A person has to approve it first.",) if fields["state"] == "waiting" else ()
    if not fields["through"]:
        head = line("📣 ", Strong(f"{_AUDIENCES[audience]} were told in their channel"), ".")
        return (head, line("Why: ", entry.why, "."))
    return (
        line("📣 ", Strong(f"{_AUDIENCES[audience]} {_ABOUT[stage]}"), f" ({fields['through']})", *by, ".", *state),
        line("Why: ", entry.why, "."),
        line(Strong("The words:")),
        *published_words(incident, entry, wording),
    )


def communicated(incident: Incident, entry: Entry) -> Lines:
    """Render the answer to a communication: approved, published or not needed."""
    fields = entry.fields
    return (
        line("📣 ", Strong(fields["through"].capitalize()), f": {_ANSWERED[fields['answer']]} ", Person(entry.by), "."),
    )


def overdue(incident: Incident, entry: Entry) -> Lines:
    """Render the reminder of an overdue communication."""
    fields = entry.fields
    audience = _AUDIENCES[Audience(fields["audience"])]
    missing = "approved" if fields["state"] == "waiting" else "marked as published"
    return (
        line("⌛ ", *people(entry.people), ": ", Strong(f"{audience} should have been told by now"), "."),
        line(
            f"{fields['through'].capitalize()} was due at ",
            _instant(fields["due"], clock=True),
            f" and is not {missing}.",
        ),
        line("Why: ", entry.why, "."),
    )


def _inside(incident: Incident, entry: Entry) -> dict[str, Line | Time | str]:
    facts = incident.facts
    at, ongoing = entry.fields.get("eta_at"), entry.fields["stage"] in (Stage.FIRST, Stage.UPDATE)
    eta = {"eta": _instant(at, clock=True) if at else entry.fields["eta"]} if ongoing else {}
    return {
        "id": incident.id,
        "severity": incident.severity,
        "severity_name": incident.policy.name,
        "title": Verbatim(facts.title),
        "service": facts.service,
        "impact": facts.impact,
        "status": entry.fields["status"],
        "since": Time(incident.declared_at, clock=False),
        **eta,
    }


def _outside(incident: Incident, entry: Entry) -> dict[str, Line | Time | str]:
    return {
        "severity_name": incident.policy.name,
        "service": incident.facts.service,
        "public_wording": entry.text,
        "status": entry.fields["status"],
        "since": Time(incident.declared_at, clock=False),
    }


def _duration(incident: Incident) -> str:
    return spoken_duration(incident.closed_at - incident.declared_at) if incident.closed_at else ""


def _instant(text: str, *, clock: bool) -> Time | str:
    return Time(datetime.fromisoformat(text), clock=clock) if text else ""
