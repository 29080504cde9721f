"""The incident's card, made for a phone at 3 a.m.: what is wrong, who has it, what fires next, the buttons.

Nothing on it goes stale by itself: instants are shown in each reader's own zone, never as a distance from now.
"""

from datetime import datetime

from bot.render.blockkit import HEADER, Block, Message, context, header, section, sections
from bot.render.buttons import card_buttons, details_menu
from bot.render.common import (
    DRILL,
    MAX_TITLE,
    NO_NAMES,
    SHORT,
    STATUS,
    Names,
    labelled,
    mark,
    mentions,
    plain_title,
    short_time,
    summary,
    title,
)
from bot.render.mrkdwn import DAY, brief, cut, escape, link, moment, person, render
from bot.render.upcoming import what_fires_next
from escalation.config.policy import Means
from escalation.engine.upcoming import Upcoming
from escalation.incident.model import MAX_ALSO, EntryKind, Incident, OwedCommunication, OwedState, PageState
from escalation.incident.tickets import TicketState, ticket_state
from escalation.messages.timeline import LEADS, page_reason, refused, war_room
from escalation.times import spoken_duration

MAX_IN_THREAD = 10  # listed on a page; the others are in its thread


def card(
    incident: Incident, ahead: tuple[Upcoming, ...], person: str = "", *, buttons: bool = True, names: Names = NO_NAMES
) -> Message:
    """Build the card; with `person`, the copy in their direct messages.

    People whom the next checkpoints will page are shown by `names` (member id -> name): a mention would page them now.
    """
    row = card_buttons(incident, "card-actions", person) if buttons else []
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
    """Details below the buttons, with the menu that corrects them."""
    first, *rest = sections(details(incident), "card-details")
    menu = details_menu(incident) if buttons else None
    return [{**first, "accessory": menu} if menu else first, *rest]


def page(
    incident: Incident,
    page_n: int,
    ahead: tuple[Upcoming, ...],
    *,
    buttons: bool = True,
    names: Names = NO_NAMES,
    also: tuple[Incident, ...] = (),
) -> Message:
    """Build the direct message of a page: why you, then the card. `also` are the incidents paged in its thread."""
    the_card = card(incident, ahead, incident.page(page_n).person, buttons=buttons, names=names)
    why = [*(render(line) for line in page_reason(incident, page_n)), *_also_paged(also)]
    the_page = incident.page(page_n)
    again = f" again (no answer to {the_page.sent - 1})" if the_page.sent > 1 else ""
    reason = brief(the_page.why, SHORT)
    incident_line = f"{incident.severity} {brief(plain_title(incident), MAX_TITLE)}"
    more = f" You are paged for {_how_many(also)}." if also else ""
    text = f"{mark(incident)} You are paged{again}: {incident_line}. Why: {reason}. ({incident.id}){more}"
    return Message(text=text, blocks=[*sections([*drill_banner(incident), *why], "page-why"), *the_card.blocks])


def _also_paged(also: tuple[Incident, ...]) -> list[str]:
    """Lines about the other incidents of this page, the worst first."""
    if not also:
        return []
    worst = sorted(also, key=lambda other: (other.severity, other.id))
    listed = [f"• {summary(other)}" for other in worst[:MAX_IN_THREAD]]
    rest = ["… and the others in the thread"] if len(also) > MAX_IN_THREAD else []
    return ["*You are paged for these too.* They were held up as well; their cards are in this thread:", *listed, *rest]


def _how_many(also: tuple[Incident, ...]) -> str:
    return f"{len(also)} or more" if len(also) >= MAX_ALSO else f"{len(also)} more"


def redacted(incident: Incident) -> Message:
    """Build the message that replaces a public card once its incident is private; it reveals nothing."""
    words = f"🔒 {incident.id} moved. Those concerned were invited to where it is handled; nothing more is said here."
    return Message(text=words, blocks=[section(words, "card")])


def headline(incident: Incident) -> str:
    """Severity and status as plain text. The title is outside text: it comes below, where it can be escaped."""
    return cut(f"{mark(incident)} {incident.severity} {incident.policy.name} · {STATUS[incident.status]}", HEADER)


def drill_banner(incident: Incident) -> list[str]:
    """Line that every message about a drill begins with."""
    return [f"*{DRILL}*: this is an exercise."] if incident.drill else []


# Head: what is wrong, and who has it -----------------------------------------------------------------------------


def _head(incident: Incident) -> list[str]:
    impact = incident.resolution.final_impact if incident.resolution else ""
    return [
        *drill_banner(incident),
        title(incident),
        *labelled("Impact", impact or incident.facts.impact),
        *_flags(incident),
        *(_open_state(incident) if incident.open else _closed_state(incident)),
        *_ticket(incident),
        *linked_incidents(incident),
        *_delivery_problems(incident),
    ]


def _flags(incident: Incident) -> list[str]:
    facts = incident.facts
    flags = {
        "🔒 Security breach": facts.security,
        "💾 Data loss": facts.data_loss,
        "💾 No data loss": facts.data_loss is False,
        "🔌 Customer-facing outage": facts.outage,
        "📉 Major business impact": facts.major_impact,
    }
    raised = " · ".join(flag for flag, is_so in flags.items() if is_so)
    return [raised] if raised else []


def _open_state(incident: Incident) -> list[str]:
    lines = [_acknowledgement(incident), _assigned(incident), *_leads(incident)]
    if incident.nobody_left:
        lines.append("🚫 *Nobody is left to page.* Page someone by name, or call them.")
    return lines


def _acknowledgement(incident: Incident) -> str:
    target = incident.acknowledge_by
    ack = incident.acknowledgement
    if ack is None:
        return f"🔴 *Nobody has acknowledged.* Target: {short_time(target, incident)}"
    met = "in time" if ack.at <= target else f"*late*, target was {short_time(target, incident)}"
    return f"👀 *Acknowledged* by {person(ack.by)} at {short_time(ack.at, incident)} ({met})"


def _assigned(incident: Incident) -> str:
    waiting = tuple(dict.fromkeys(p.person for p in incident.pages if p.state is PageState.OPEN))
    unanswered = f" · paged, no answer yet: {mentions(waiting)}" if waiting else ""
    return f"🙋 *Assigned:* {mentions(incident.assigned) or 'nobody yet'}{unanswered}"


def _leads(incident: Incident) -> list[str]:
    """Lines about the roles of the response; an offered role counts once it is accepted."""
    taken = [f"{name}: {person(incident.leads[lead])}" for lead, name in LEADS.items() if lead in incident.leads]
    waiting = [f"{name}: {person(incident.offers[lead])}" for lead, name in LEADS.items() if lead in incident.offers]
    lines = [f"🎖️ *Leading:* {' · '.join(taken)}"] if taken else []
    return lines + ([f"🤝 *Offered, not accepted yet:* {' · '.join(waiting)}"] if waiting else [])


def _ticket(incident: Incident) -> list[str]:
    """Line about a ticket: its team, its state and what it is scheduled for."""
    if incident.policy.ticket is None:
        return []
    team, state = f" of {brief(incident.team, SHORT)}" if incident.team else ", of no team yet", ticket_state(incident)
    planned = state is TicketState.SCHEDULED and incident.schedule
    when = f" for {brief(planned.text, SHORT)}" if planned else ""
    return [f"🎫 *Ticket{team}:* {state}{when}"]


def _closed_state(incident: Incident) -> list[str]:
    closed_at = incident.closed_at or incident.declared_at
    lasted = spoken_duration(closed_at - incident.declared_at)
    when = f"{short_time(closed_at, incident)} after {lasted}"
    if incident.resolution is None:
        return _cancelled_state(incident, when)
    by = person(incident.resolution.by)
    return [
        f"✅ *Resolved* by {by} at {when}{_in_time(incident, closed_at)}",
        *labelled("Summary", incident.resolution.summary),
        *_review(incident),
    ]


def _review(incident: Incident) -> list[str]:
    """Line about the post-incident review: held, or due."""
    if review := incident.reviewed:
        return [f"📋 *Review held*, says {person(review.by)} at {short_time(review.at, incident)}"]
    due = incident.review_by
    return [f"📋 *Review due by* {short_time(due, incident)}"] if due else []


def _cancelled_state(incident: Incident, when: str) -> list[str]:
    entry = incident.latest(EntryKind.CANCELLED)
    if entry is None:
        return [f"*Cancelled* at {when}"]
    duplicate = entry.fields.get("duplicate_of")
    what = f"duplicate of {brief(duplicate, SHORT)}" if duplicate else "false alarm"
    return [f"⚪ *Cancelled: {what}*, by {person(entry.by)} at {when}", *labelled("Why", entry.why)]


def _in_time(incident: Incident, closed_at: datetime) -> str:
    target = incident.resolve_by
    return " (in time)" if closed_at <= target else f" (*late*, target was {short_time(target, incident)})"


def _delivery_problems(incident: Incident) -> list[str]:
    """Lines about sends that fail and are retried: one for each reason."""
    optional = {e.id for e in incident.effects if e.optional}
    whys = tuple(dict.fromkeys(why for effect, why in incident.troubles.items() if effect not in optional))
    return [f"⚠️ *Not delivered yet:* {brief(why, SHORT)}. Retrying." for why in whys[:3]]


def _shortcomings(incident: Incident) -> list[str]:
    """Lines about what the incident goes on without: optional sends that fail or were given up, one for each reason."""
    failing = [incident.troubles[e.id] for e in incident.effects if e.optional and e.id in incident.troubles]
    lines = [f"⚠️ *Not done yet:* {brief(why, SHORT)}. Retrying." for why in dict.fromkeys(failing)]
    given_up = [e for e in incident.timeline if e.kind is EntryKind.TROUBLE and e.fields.get("given_up")]
    lines += [f"⚠️ *Not done:* {brief(why, SHORT)}." for why in dict.fromkeys(e.why for e in given_up)]
    return lines[:3]


def details(incident: Incident) -> list[str]:
    """Lines of details; never empty."""
    facts = incident.facts
    source = [f"*Source:* {link(facts.source_link, 'the message')}"] if facts.source_link else []
    by = [f"*Resolve by:* {short_time(incident.resolve_by, incident)}"] if incident.open else []
    return [
        *by,
        *labelled("ETA", incident.eta),
        *labelled("Workaround", incident.workaround.text if incident.workaround else ""),
        *labelled("Root cause", incident.root_cause.text if incident.root_cause else ""),
        *labelled("Fix", incident.fix.text if incident.fix else ""),
        *labelled("Verified", (incident.verified.text or "yes") if incident.verified else ""),
        f"*War room:* {render(war_room(incident))}",
        *_communications(incident),
        *_unreached(incident),
        *_shortcomings(incident),
        *labelled("Service", facts.service),
        *labelled("Vendor", incident.vendor),
        *labelled("Description", facts.description),
        *source,
    ]


def _unreached(incident: Incident) -> list[str]:
    """Lines about people whom mail or an invitation could not reach: one for each reason."""
    entries = [e for e in incident.timeline if e.kind is EntryKind.REFUSED and e.fields.get("via")]
    said = dict.fromkeys(render(each) for entry in entries for each in refused(entry))
    return list(said)[-3:]


def footer(incident: Incident) -> str:
    """Footer: id, who declared it, when, and how it was detected."""
    since = moment(incident.declared_at, DAY)
    declared = f"declared {since} by {person(incident.reporter)} ({escape(incident.facts.detection)})"
    pace = f" · ⏩ Clocks run {incident.speed:g}x faster" if incident.speed != 1 else ""
    return f"{incident.id} · {declared}{pace}"


def linked_incidents(incident: Incident) -> list[str]:
    """Line about other incidents at the same time, and where they are coordinated."""
    if not incident.linked or not incident.open:
        return []
    here = incident.coordinated_in == incident.id
    where = "here" if here else f"in the war room of {brief(incident.coordinated_in, SHORT)}"
    return [f"🔗 *At the same time:* {brief(', '.join(incident.linked), SHORT)}, all coordinated {where}"]


def _communications(incident: Incident) -> list[str]:
    """Lines about the latest version of each communication: waiting, due, done or declined."""
    latest = {o.plan.id: o for o in incident.communications if o.state is not OwedState.REPLACED}
    return [f"📣 *{_medium(owed)}:* {_communication_state(owed, incident)}" for owed in latest.values()]


def _medium(owed: OwedCommunication) -> str:
    """Name a communication after its channels, as `Status page`; one that goes by Slack alone, after its audience."""
    by_hand = ", ".join(m.replace("_", " ") for m in owed.through if m is not Means.SLACK)
    return (by_hand or str(owed.plan.audience)).capitalize()


def _communication_state(owed: OwedCommunication, incident: Incident) -> str:
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
    due = short_time(owed.due, incident)
    return f"*overdue* since {due}" if missed else f"owed by {due}"
