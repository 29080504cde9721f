"""The incident's card, made to be read at 3 a.m. on a phone: what is wrong, who has it, what fires next, the buttons.

Nothing on it goes stale by itself: instants are shown in each reader's own zone, never as a distance from now.
"""

from datetime import datetime

from bot.render.blockkit import HEADER, Block, Message, context, header, section, sections
from bot.render.buttons import controls, corrections
from bot.render.common import (
    DRILL,
    LONGEST_TITLE,
    NOBODYS,
    SHORT,
    STATUS,
    Names,
    labelled,
    mark,
    mentions,
    near,
    plain_title,
    summary,
    title,
)
from bot.render.mrkdwn import DAY, brief, cut, escape, link, moment, person, render
from bot.render.upcoming import what_fires_next
from escalation.config.policy import Means
from escalation.engine.upcoming import Upcoming
from escalation.incident.model import MOST_ALSO, EntryKind, Incident, OwedCommunication, OwedState, PageState
from escalation.incident.tickets import TicketState, ticket_state
from escalation.messages.timeline import LEADS, war_room, why_you
from escalation.times import spoken_duration

MOST_IN_THREAD = 10  # the others are in the thread all the same


def card(
    incident: Incident, ahead: tuple[Upcoming, ...], person: str = "", *, buttons: bool = True, names: Names = NOBODYS
) -> Message:
    """The card as it stands; with `person` the copy in that person's direct messages.

    Whom the next checkpoints will page is told by `names` (member id -> name): a mention would page them now.
    """
    row = controls(incident, "card-actions", person) if buttons else []
    blocks = [
        header(headline(incident), "card"),
        *sections(_head(incident), "card-head"),
        *sections(what_fires_next(incident, ahead, names), "card-ahead"),
        *row,
        *_details(incident, buttons),
        context(footer(incident), "card-footer"),
    ]
    return Message(text=summary(incident), blocks=blocks)


def _details(incident: Incident, buttons: bool) -> list[Block]:
    """Below the buttons; what corrects them is a menu beside them."""
    first, *rest = sections(details(incident), "card-details")
    menu = corrections(incident) if buttons else None
    return [{**first, "accessory": menu} if menu else first, *rest]


def page(
    incident: Incident,
    page_n: int,
    ahead: tuple[Upcoming, ...],
    *,
    buttons: bool = True,
    names: Names = NOBODYS,
    also: tuple[Incident, ...] = (),
) -> Message:
    """The direct message of a page: why you, then the card. `also` are the incidents whose pages are in its thread."""
    shown = card(incident, ahead, incident.page(page_n).person, buttons=buttons, names=names)
    why = [*(render(line) for line in why_you(incident, page_n)), *_in_thread(also)]
    called = incident.page(page_n)
    again = f" again (no answer to {called.sent - 1})" if called.sent > 1 else ""
    reason = brief(called.why, SHORT)
    named = f"{incident.severity} {brief(plain_title(incident), LONGEST_TITLE)}"
    more = f" You are paged for {_many(also)}." if also else ""
    text = f"{mark(incident)} You are paged{again}: {named}. Why: {reason}. ({incident.id}){more}"
    return Message(text=text, blocks=[*sections([*exercise(incident), *why], "page-why"), *shown.blocks])


def _in_thread(also: tuple[Incident, ...]) -> list[str]:
    """What this page calls its person for as well, the worst first."""
    if not also:
        return []
    worst = sorted(also, key=lambda other: (other.severity, other.id))
    listed = [f"• {summary(other)}" for other in worst[:MOST_IN_THREAD]]
    rest = ["… and the others in the thread"] if len(also) > MOST_IN_THREAD else []
    return ["*You are paged for these too.* They were held up as well; their cards are in this thread:", *listed, *rest]


def _many(also: tuple[Incident, ...]) -> str:
    return f"{len(also)} or more" if len(also) >= MOST_ALSO else f"{len(also)} more"


def redacted(incident: Incident) -> Message:
    """What is left of a public card when its incident became a security matter: no word of it."""
    words = f"🔒 {incident.id} moved. Those concerned were invited to where it is handled; nothing more is said here."
    return Message(text=words, blocks=[section(words, "card")])


def headline(incident: Incident) -> str:
    """Severity and status as plain text. The title is outside text: it stands below, where it can be escaped."""
    return cut(f"{mark(incident)} {incident.severity} {incident.policy.name} · {STATUS[incident.status]}", HEADER)


def exercise(incident: Incident) -> list[str]:
    """The line that every message about a drill begins with."""
    return [f"*{DRILL}*: this is an exercise."] if incident.drill else []


# Head: what is wrong, and who has it -----------------------------------------------------------------------------


def _head(incident: Incident) -> list[str]:
    impact = incident.resolution.final_impact if incident.resolution else ""
    return [
        *exercise(incident),
        title(incident),
        *labelled("Impact", impact or incident.facts.impact),
        *_flags(incident),
        *(_open_state(incident) if incident.open else _closed_state(incident)),
        *_ticket(incident),
        *together(incident),
        *_troubles(incident),
    ]


def _flags(incident: Incident) -> list[str]:
    facts = incident.facts
    flags = {
        "🔒 Security breach": facts.security,
        "💾 Data loss": facts.data_loss,
        "🔌 Outage for customers": facts.outage,
        "📉 Major business impact": facts.major_impact,
    }
    raised = " · ".join(flag for flag, is_so in flags.items() if is_so)
    return [raised] if raised else []


def _open_state(incident: Incident) -> list[str]:
    lines = [_acknowledgement(incident), _who_has_it(incident), *_leads(incident)]
    if incident.nobody_left:
        lines.append("🚫 *Nobody is left to page.* Page someone by name, or call them.")
    return lines


def _acknowledgement(incident: Incident) -> str:
    target = incident.acknowledge_by
    done = incident.acknowledgement
    if done is None:
        return f"🔴 *Nobody has acknowledged.* Target: {near(target, incident)}"
    met = "in time" if done.at <= target else f"*late*, target was {near(target, incident)}"
    return f"👀 *Acknowledged* by {person(done.by)} at {near(done.at, incident)} ({met})"


def _who_has_it(incident: Incident) -> str:
    waiting = tuple(dict.fromkeys(p.person for p in incident.pages if p.state is PageState.OPEN))
    unanswered = f" · paged, no answer yet: {mentions(waiting)}" if waiting else ""
    return f"🙋 *Assigned:* {mentions(incident.assigned) or 'nobody yet'}{unanswered}"


def _leads(incident: Incident) -> list[str]:
    """Who took which role of the response; an offer counts once it is accepted."""
    taken = [f"{name}: {person(incident.leads[lead])}" for lead, name in LEADS.items() if lead in incident.leads]
    waiting = [f"{name}: {person(incident.offers[lead])}" for lead, name in LEADS.items() if lead in incident.offers]
    lines = [f"🎖️ *Leading:* {' · '.join(taken)}"] if taken else []
    return lines + ([f"🤝 *Offered, not accepted yet:* {' · '.join(waiting)}"] if waiting else [])


def _ticket(incident: Incident) -> list[str]:
    """Whose ticket it is and where it stands; what it waits for."""
    if incident.policy.ticket is None:
        return []
    team, state = f" of {brief(incident.team, SHORT)}" if incident.team else ", of no team yet", ticket_state(incident)
    planned = state is TicketState.SCHEDULED and incident.schedule
    when = f" for {brief(planned.text, SHORT)}" if planned else ""
    return [f"🎫 *Ticket{team}:* {state}{when}"]


def _closed_state(incident: Incident) -> list[str]:
    closed_at = incident.closed_at or incident.declared_at
    lasted = spoken_duration(closed_at - incident.declared_at)
    when = f"{near(closed_at, incident)} after {lasted}"
    if incident.resolution is None:
        return _cancelled_state(incident, when)
    by = person(incident.resolution.by)
    return [
        f"✅ *Resolved* by {by} at {when}{_kept(incident, closed_at)}",
        *labelled("Summary", incident.resolution.summary),
        *_review(incident),
    ]


def _review(incident: Incident) -> list[str]:
    """The post-incident review: held, or by when."""
    if done := incident.reviewed:
        return [f"📋 *Review held*, says {person(done.by)} at {near(done.at, incident)}"]
    due = incident.review_by
    return [f"📋 *Review due by* {near(due, incident)}"] if due else []


def _cancelled_state(incident: Incident, when: str) -> list[str]:
    entry = incident.latest(EntryKind.CANCELLED)
    if entry is None:
        return [f"*Cancelled* at {when}"]
    duplicate = entry.fields.get("duplicate_of")
    what = f"duplicate of {brief(duplicate, SHORT)}" if duplicate else "false alarm"
    return [f"⚪ *Cancelled: {what}*, by {person(entry.by)} at {when}", *labelled("Why", entry.why)]


def _kept(incident: Incident, closed_at: datetime) -> str:
    target = incident.resolve_by
    return " (in time)" if closed_at <= target else f" (*late*, target was {near(target, incident)})"


def _troubles(incident: Incident) -> list[str]:
    """What could not be delivered because of us: once for each reason."""
    whys = tuple(dict.fromkeys(incident.troubles.values()))
    return [f"⚠️ *Not delivered yet:* {brief(why, SHORT)}. It is being retried." for why in whys[:3]]


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


def _through(owed: OwedCommunication) -> str:
    """`Status page`; what goes through Slack alone is called after its audience."""
    by_hand = ", ".join(m.replace("_", " ") for m in owed.through if m is not Means.SLACK)
    return (by_hand or str(owed.plan.audience)).capitalize()


def _standing(owed: OwedCommunication, incident: Incident) -> str:
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


def _deadline(owed: OwedCommunication, incident: Incident) -> str:
    if owed.due is None:
        return "owed"
    missed = any(e.kind is EntryKind.OVERDUE and e.fields["n"] == str(owed.n) for e in incident.timeline)
    return f"*overdue* since {near(owed.due, incident)}" if missed else f"owed by {near(owed.due, incident)}"
