"""The details of a card, below its buttons: what is known, who is told outside, where it is handled. Pure."""

from bot.render.common import SHORT, labelled, near
from bot.render.mrkdwn import DAY, brief, escape, link, moment, person, render
from escalation.config.plans import Means
from escalation.incident.model import Incident
from escalation.incident.records import EntryKind, Owed, OwedState
from escalation.messages.timeline import war_room


def details(incident: Incident) -> list[str]:
    """Never empty."""
    facts = incident.facts
    source = [f"*Source:* {link(facts.source_link, 'the message')}"] if facts.source_link else []
    by = [f"*Resolve by:* {near(incident.resolve_by, incident)}"] if incident.open else []
    return [
        *by,
        *labelled("ETA", incident.eta),
        *labelled("Workaround", incident.workaround.text if incident.workaround else ""),
        *labelled("Root cause", incident.root_cause.text if incident.root_cause else ""),
        *labelled("Fix", incident.fix.text if incident.fix else ""),
        *labelled("Verified", (incident.verified.text or "yes") if incident.verified else ""),
        f"*War room:* {render(war_room(incident))}",
        *_told_outside(incident),
        *labelled("Service", facts.service),
        *labelled("Vendor", incident.vendor),
        *labelled("Description", facts.description),
        *source,
    ]


def footer(incident: Incident) -> str:
    """Id, who declared it when and how it was noticed."""
    since = moment(incident.declared_at, DAY)
    found = f"declared {since} by {person(incident.reporter)} ({escape(incident.facts.detection)})"
    pace = f" · ⏩ Clocks run {incident.speed:g}x faster" if incident.speed != 1 else ""
    return f"{incident.id} · {found}{pace}"


def together(incident: Incident) -> list[str]:
    """The other incidents at the same time, and where all of them are coordinated."""
    if not incident.linked or not incident.open:
        return []
    here = incident.coordinated_in == incident.id
    where = "here" if here else f"in the war room of {brief(incident.coordinated_in, SHORT)}"
    return [f"🔗 *At the same time:* {brief(', '.join(incident.linked), SHORT)}, all coordinated {where}"]


def _told_outside(incident: Incident) -> list[str]:
    """The latest word of each communication: who still has to do something about it, or that it is out."""
    latest = {o.plan.id: o for o in incident.communications if o.state is not OwedState.REPLACED}
    return [f"📣 *{_through(owed)}:* {_standing(owed, incident)}" for owed in latest.values()]


def _through(owed: Owed) -> str:
    """`Status page`; what goes through Slack alone is called after its audience."""
    by_hand = ", ".join(m.replace("_", " ") for m in owed.through if m is not Means.SLACK)
    return (by_hand or str(owed.plan.audience)).capitalize()


def _standing(owed: Owed, incident: Incident) -> str:
    by = f" by {person(owed.by)}" if owed.by else ""
    match owed.state:
        case OwedState.WAITING:
            return f"waits for approval, {_deadline(owed, incident)}" if owed.due else "waits for approval"
        case OwedState.OWED:
            return _deadline(owed, incident)
        case OwedState.DECLINED:
            return f"not needed, says{by.removeprefix(' by')}"
        case _:
            return f"done{by}"


def _deadline(owed: Owed, incident: Incident) -> str:
    if owed.due is None:
        return "owed"
    missed = any(e.kind is EntryKind.OVERDUE and e.fields["n"] == str(owed.n) for e in incident.timeline)
    return f"*overdue* since {near(owed.due, incident)}" if missed else f"owed by {near(owed.due, incident)}"
