"""Words of communications to stakeholders, customers and the public, and of their entries on the timeline.

Those for customers and the public have the public wording, or the policy's fixed text; never a title or a description.
"""

import json
from datetime import datetime

from escalation.config.rules.communications import Audience
from escalation.incident.communications import name_of
from escalation.incident.model import Incident
from escalation.incident.state.communications import OwedCommunication, Stage
from escalation.incident.state.entries import Entry
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
_ANSWERED = {"approved": "approved by ", "published": "published by ", "declined": "not needed, marked by "}


def task_name(owed: OwedCommunication) -> str:
    """Name a communication at the beginning of a line: `Stakeholder email`, `Customer update (status page)`."""
    name = name_of(owed)
    return name[0].upper() + name[1:]


def published_words(incident: Incident, entry: Entry, wording: Wording) -> Lines:
    """Render the words of a communication alone, as its audience reads them, as things stood when it was made."""
    incident = incident.as_of(entry)
    audience, stage = Audience(entry.fields["audience"]), Stage(entry.fields["stage"])
    name = _TEMPLATES.get((audience, stage), "customer_follow_up")
    fields = _inside(incident, entry) if audience is Audience.STAKEHOLDERS else _outside(incident, entry)
    over = datetime.fromisoformat(said) if (said := entry.fields.get("over")) else incident.closed_at
    ended = {
        "resolved_at": Time(over, clock=False) if over else "",
        "duration": spoken_duration(over - incident.declared_at) if over else "",
    }
    if stage in (Stage.FIRST, Stage.UPDATE):
        fields |= {"next_update": _instant(entry.fields["next_update"], clock=True)}
    else:
        fields |= ended
    return wording.lines(name, **fields)


def communication(incident: Incident, entry: Entry, wording: Wording) -> Lines:
    """Render a communication for the responders: what is due, by when, why, and its draft."""
    fields = entry.fields
    states = (state_words(entry),) if state_words(entry) else ()
    if fields["state"] == "done":
        inside = fields["audience"] == Audience.STAKEHOLDERS
        told = "Stakeholders told in Slack" if inside else f"{_task(incident, entry)} published"
        by_whom: Line = (" by ", Person(entry.by)) if entry.by else ()
        return (line("📣 ", Strong(told), *by_whom, "."), *states, line("Why: ", entry.why, "."))
    by: Line = (" by ", _instant(fields["due"], clock=True)) if fields["due"] else ()
    approval: Line = (" It needs approval first.",) if fields["state"] == "waiting" else ()
    return (
        line("📣 ", Strong(f"{_task(incident, entry)} due"), *by, ".", *approval),
        line("Why: ", entry.why, "."),
        line(Strong("Draft:")),
        *published_words(incident, entry, wording),
        *states,
    )


def state_words(entry: Entry) -> Line:
    """`Components: checkout: major outage.`, where somebody chose them for the status page; else nothing."""
    chosen = json.loads(entry.fields.get("components") or "{}")
    named = ", ".join(f"{name}: {str(state).replace('_', ' ')}" for name, state in chosen.items())
    return (f"Components: {named}.",) if named else ()


def communicated(incident: Incident, entry: Entry) -> Lines:
    """Render the answer to a communication: approved, published or not needed."""
    answer = _ANSWERED[entry.fields["answer"]]
    return (line("📣 ", Strong(_task(incident, entry)), f": {answer}", Person(entry.by), "."),)


def sent(incident: Incident, entry: Entry) -> Lines:
    """Say what was sent to whom, and whether in time: `Stakeholder email sent by email to support (2), in time.`"""
    fields = entry.fields
    to = f" to {fields['to']}" if fields["to"] else ""
    reached, failed = int(fields["reached"]), int(fields["refused"])
    how_many = f" ({reached} address{'es' * (reached != 1)})" if fields["means"] == "email" else ""
    missing = f", {failed} refused" if failed else ""
    due: Line = ()
    if fields["deadline"]:
        late = "late" if entry.at > datetime.fromisoformat(fields["deadline"]) else "in time"
        due = (f", {late} (due by ", _instant(fields["deadline"], clock=True), ")")
    return (
        line("📤 ", Strong(_task(incident, entry)), f" sent by {fields['means']}{to}{how_many}{missing}", *due, "."),
    )


def overdue(incident: Incident, entry: Entry) -> Lines:
    """Render the reminder of an overdue communication."""
    fields = entry.fields
    since = (" since ", _instant(fields["due"], clock=True), ".")
    waiting = (line("It needs approval first."),) if fields["state"] == "waiting" else ()
    head = line("⌛ ", *people(entry.people), ": ", Strong(f"{_task(incident, entry)} overdue"), *since)
    return (head, *waiting, line("Why: ", entry.why, "."))


def _task(incident: Incident, entry: Entry) -> str:
    return task_name(incident.owed(int(entry.fields["n"])))


def _inside(incident: Incident, entry: Entry) -> dict[str, Line | Time | str]:
    facts = incident.facts
    at, ongoing = entry.fields.get("eta_at"), entry.fields["stage"] in (Stage.FIRST, Stage.UPDATE)
    eta = {"eta": _instant(at, clock=True) if at else entry.fields["eta"]} if ongoing else {}
    return {
        "id": incident.id,
        "severity": incident.severity,
        "severity_name": incident.policy.name,
        "title": Verbatim(facts.title),
        "service": Verbatim(facts.service),
        "impact": Verbatim(facts.impact),
        "status": entry.fields["status"],
        "since": Time(incident.declared_at, clock=False),
        **eta,
    }


def _outside(incident: Incident, entry: Entry) -> dict[str, Line | Time | str]:
    return {
        "severity_name": incident.policy.name,
        "service": Verbatim(incident.facts.service),
        "public_wording": entry.text,
        "status": entry.fields["status"],
        "since": Time(incident.declared_at, clock=False),
    }


def _instant(text: str, *, clock: bool) -> Time | str:
    return Time(datetime.fromisoformat(text), clock=clock) if text else ""
