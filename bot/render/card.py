"""The incident's card, made for a phone at 3 a.m.: what is wrong, who has it, what fires next, the buttons.

Nothing on it goes stale by itself: instants are shown in each reader's own zone, never as a distance from now.
"""

from datetime import datetime
from typing import Literal

from bot.render.blockkit import HEADER, Message, context, folded, header, section, sections
from bot.render.buttons import card_buttons
from bot.render.common import (
    DRILL,
    NO_NAMES,
    SHORT,
    STATUS,
    Names,
    labelled,
    mark,
    mentions,
    short_time,
    summary,
    title,
)
from bot.render.mrkdwn import DAY, brief, cut, dialled, escape, link, literal, moment, person, render, with_seconds
from bot.render.upcoming import next_escalations
from escalation.engine.upcoming import Upcoming
from escalation.incident.actions import RunState, last_states
from escalation.incident.closing.reviews import NO_WORK, owner_of
from escalation.incident.communications import tasks
from escalation.incident.effects import PageBy, Reminded, SendPage
from escalation.incident.model import Incident
from escalation.incident.reach import Reach
from escalation.incident.state.alerts import AlertSummary, SeenAlert
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.leads import Lead
from escalation.incident.state.pages import Page, PageState
from escalation.incident.tickets import TicketState, ticket_state
from escalation.messages.communications import task_name
from escalation.messages.entries.notices import duration, war_room
from escalation.messages.entries.paging import refused, under_maintenance
from escalation.messages.entries.rooms import LEADS
from escalation.messages.reminders import task_state
from escalation.messages.reviews import missing_words
from escalation.reviews.draft import headlines
from escalation.text import Line, Person
from escalation.values import PersonId, machine_title

TIMELINE = "card-timeline"
LATEST = 12  # entries of the timeline on a card; LONGEST_LINE: characters of each
LONGEST_LINE = 200
MAX_ALERTS = 3  # listed on a card; the others are a count


def card(incident: Incident, ahead: tuple[Upcoming, ...], *, buttons: bool = True, names: Names = NO_NAMES) -> Message:
    """Build the card.

    People whom the next checkpoints will page are shown by `names` (member id -> name): a mention would page them now.
    """
    row = card_buttons(incident, "card-actions") if buttons else []
    blocks = [
        header(headline(incident), "card"),
        *sections(_head(incident), "card-head"),
        *sections(next_escalations(incident, ahead, names), "card-ahead"),
        *row,
        *sections(_at_hand(incident), "card-at-hand"),
        *folded("Details", sections(details(incident), "card-details"), "card-folded"),
        *folded("Timeline", sections(_latest(incident, names), "card-entries"), TIMELINE),
        context(footer(incident), "card-footer"),
    ]
    # Where Slack folds nothing, the timeline is left to the thread.
    return Message(text=summary(incident), blocks=blocks, stand_ins={TIMELINE: []})


def _latest(incident: Incident, names: Names) -> list[str]:
    """Lines of the latest entries, by name: a mention would ring."""
    told = headlines(incident, incident.timeline[-3 * LATEST :])  # some entries have no line
    shown = [f"{short_time(at, incident)} {_by_name(said, names)}" for at, said, _ in told]
    left_out = len(shown) > LATEST or len(incident.timeline) > 3 * LATEST
    return [*([f"_The whole timeline: `/incident web {incident.id}`_"] if left_out else []), *shown[-LATEST:]]


def _by_name(said: Line, names: Names) -> str:
    known = (names.get(span.id, span) if isinstance(span, Person) else span for span in said)
    return cut(render(tuple(known)), LONGEST_LINE)


def redacted(incident: Incident) -> Message:
    """Build the message that replaces a public card once its incident is private; it reveals nothing."""
    words = f"🔒 {incident.id} is now private. Responders have been invited to its channel."
    return Message(text=words, blocks=[section(words, "card")])


def headline(incident: Incident) -> str:
    """Severity and status as plain text. The title is outside text: it comes below, where it can be escaped."""
    return cut(f"{mark(incident)} {incident.severity} {incident.policy.name} · {STATUS[incident.status]}", HEADER)


def drill_banner(incident: Incident) -> list[str]:
    """Line that every message about a drill begins with."""
    return [f"*{DRILL}*: this is an exercise."] if incident.drill else []


MAX_REACHED = 5  # people whose channels a card lists
SHORT_WHY = 80  # characters

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
        *_war_room(incident),
        *_alerts(incident),
        *linked_incidents(incident),
        *_recurrence(incident),
        *delivery_problems(incident),
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


def _alerts(incident: Incident) -> list[str]:
    """Lines about the alerts behind the incident: how many fire, and the worst of them."""
    alerts = incident.alerts
    if not alerts.total:
        return []
    if alerts.reports:
        return _reports(alerts)
    shown = [_alert(alert) for alert in alerts.shown[:MAX_ALERTS]]
    more = [f"and {alerts.total - len(shown)} more"] if alerts.total > len(shown) else []
    assumed = " · severity assumed: the alert names none that is known" if alerts.assumed else ""
    state = f"{alerts.firing} of {alerts.total} firing" if alerts.firing else "all have ended"
    return [f"🔔 *Alerts:* {state}{assumed}", *(f"• {line}" for line in (*shown, *more))]


def _reports(alerts: AlertSummary) -> list[str]:
    """Lines about people's reports; a single one has the incident's own title."""
    assumed = " · severity assumed: the report names none" if alerts.assumed else ""
    counted = f"{alerts.total} reports" if alerts.total > 1 else "1 report"
    titles = dict.fromkeys(alert.title for alert in alerts.shown[:MAX_ALERTS]) if alerts.total > 1 else ()
    return [f"✉️ *Reported by email:* {counted}{assumed}", *(f"• {literal(title)}" for title in titles)]


def _alert(alert: SeenAlert) -> str:
    linked = link(alert.url, alert.title)
    return f"{linked} ({escape(alert.source)})" if alert.firing else f"~{linked}~ ({escape(alert.source)}, ended)"


def _open_state(incident: Incident) -> list[str]:
    lines = [_acknowledgement(incident), *_earlier_acknowledgement(incident), _assigned(incident)]
    lines += [*_reached(incident), *_leads(incident)]
    lines.append(f"⏱️ *Resolve by* {_target(incident.resolve_by, incident)}")
    if incident.nobody_left:
        lines.append("🚫 *Nobody is left to page.* Page someone by name, or call them.")
    return lines + _update_overdue(incident)


def _acknowledgement(incident: Incident) -> str:
    target = incident.acknowledge_by
    ack = incident.acknowledgement
    if ack is None and incident.policy.ticket:  # nobody is called about a ticket: no alarm
        return f"▫️ *Not acknowledged yet.* Target: {_target(target, incident)}"
    if ack is None:
        return f"🔴 *Nobody has acknowledged.* Target: {_target(target, incident)}"
    met = "in time" if ack.at <= target else f"*late*, target was {short_time(target, incident)}"
    how = next((f" by {page.how}" for page in incident.pages if page.how and page.person == ack.by), "")
    return f"👀 *Acknowledged* by {person(ack.by)}{how} at {short_time(ack.at, incident)} ({met})"


def _earlier_acknowledgement(incident: Incident) -> list[str]:
    """Line about who had acknowledged before the incident was reopened, while nobody has again."""
    known = incident.known("acknowledgement")
    if incident.acknowledgement or not known:
        return []
    return [f"👀 *Before it was reopened:* acknowledged by {person(known.by)} at {_when(known.at, incident)}"]


def _target(at: datetime, incident: Incident) -> str:
    """A time by which something has to be done; the card is drawn again once it has passed."""
    overdue = " (*overdue*)" if incident.passed(at) else ""
    return f"{short_time(at, incident)}{overdue}"


def _when(at: datetime, incident: Incident) -> str:
    return moment(at, with_seconds(DAY) if incident.speed != 1 else DAY)


def _assigned(incident: Incident) -> str:
    stuck = {e.page for e in incident.effects if isinstance(e, SendPage) and e.id in incident.troubles}
    pages = [p for p in incident.pages if p.state is PageState.OPEN and p.person not in incident.assigned]
    declined = [p.person for p in incident.declined()]
    groups = {
        "paged, not acknowledged": [p.person for p in pages if p.n not in stuck or p.taken_by],
        "not delivered in Slack yet": [p.person for p in pages if p.n in stuck],
        "can't take it": declined,
    }
    rest = "".join(f" · {what}: {mentions(tuple(dict.fromkeys(who)))}" for what, who in groups.items() if who)
    return f"🙋 *Assigned:* {mentions(incident.assigned) or 'nobody yet'}{rest}"


def _reached(incident: Incident) -> list[str]:
    """Lines about how people were reached, one for each: whether Slack is silent, then the latest of each channel."""
    latest = {page.person: page for page in incident.pages if page.reached or _is_silent(page)}
    lines = []
    for who, page in list(latest.items())[:MAX_REACHED]:
        silent = [f"Slack is silent until {short_time(page.silent_until, incident)}"] if page.silent_until else []
        channels = {reach.via: reach for reach in page.reached}
        states = ", ".join([*silent, *(_reach(reach) for reach in channels.values())])
        lines.append(f"📟 {person(who)}: {states}")
    more = len(latest) - MAX_REACHED
    return [*lines, f"📟 and {more} more"] if more > 0 else lines


def _is_silent(page: Page) -> bool:
    return page.silent_until is not None and page.state is PageState.OPEN


def _reach(reach: Reach) -> str:
    why = f" ({escape(cut(reach.why, SHORT_WHY))})" if reach.why else ""
    return f"{reach.via.words} {reach.state}{why}"


def _leads(incident: Incident) -> list[str]:
    """Lines about the roles of the response; an offered role counts once it is accepted."""
    if incident.policy.ticket and not incident.leads and not incident.offers:
        return []
    held = {lead: person(incident.leads[lead]) for lead in LEADS if lead in incident.leads}
    named = {Lead.COMMANDER: "nobody yet"} | held
    lines = [f"🎖️ {' · '.join(f'*{_capital(LEADS[lead])}:* {who}' for lead, who in named.items())}"]
    waiting = [f"{name}: {person(incident.offers[lead])}" for lead, name in LEADS.items() if lead in incident.offers]
    return lines + ([f"🤝 *Offered, not accepted yet:* {' · '.join(waiting)}"] if waiting else [])


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _war_room(incident: Incident) -> list[str]:
    """Line about the one war room; a ticket has none, nor a thread to coordinate in."""
    room = war_room(incident)
    return [f"🚪 *War room:* {render(room)}"] if room else []


def _ticket(incident: Incident) -> list[str]:
    """Line about a ticket: its team, its state, what it is scheduled for, and where the tracker has it."""
    there = _issue(incident)
    if incident.policy.ticket is None:
        return [f"🎫 *Ticket* · {there}"] if there else []
    team, state = f"{brief(incident.team, SHORT)}" if incident.team else "no team", ticket_state(incident)
    planned = state is TicketState.SCHEDULED and incident.schedule
    when = f" for {brief(planned.text, SHORT)}" if planned else ""
    return [f"🎫 *Ticket* · {team} · {state}{when}{f' · {there}' if there else ''}"]


def _issue(incident: Incident) -> str:
    """The ticket in a tracker, linked."""
    issue = incident.issue
    if issue is None:
        return ""
    state = "deleted" if issue.gone else "open" if issue.open else "closed"
    return f"{link(issue.url, issue.key)} ({state} in {issue.vendor.words})"


def _closed_state(incident: Incident) -> list[str]:
    closed_at = incident.closed_at or incident.declared_at
    when = f"{short_time(closed_at, incident)} after {duration(incident, closed_at)}"
    if incident.resolution is None:
        return _cancelled_state(incident, when)
    by = person(incident.resolution.by)
    return [
        f"✅ *Resolved* by {by} at {when}{_in_time(incident, closed_at)}",
        *labelled("Summary", incident.resolution.summary),
        *_review(incident),
    ]


def _review(incident: Incident) -> list[str]:
    """Lines about the post-incident review: held, or due, whose it is, when, and what it lacks."""
    if review := incident.reviewed:
        return [f"📋 *Post-incident review done* (marked by {person(review.by)} at {short_time(review.at, incident)})"]
    due = incident.review_by
    if due is None:
        return []
    work, owner = incident.review_work or NO_WORK, owner_of(incident)
    whose = f" · owner: {person(owner)}" if owner else ""
    meeting = f" · meeting: {moment(work.meeting, DAY)}" if work.meeting else ""
    lacks = missing_words(incident)
    return [
        f"📋 *Post-incident review due by* {short_time(due, incident)}{whose}{meeting}",
        *([f"📋 *Missing:* {lacks}"] if lacks else []),
    ]


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


def delivery_problems(incident: Incident) -> list[str]:
    """Lines about sends that fail and are retried: one for each reason."""
    optional = {e.id for e in incident.effects if e.optional}
    whose: dict[str, list[PersonId]] = {}
    for effect_id, why in incident.troubles.items():
        if effect_id not in optional:
            effect = incident.effect(effect_id)
            whose.setdefault(why, []).extend([incident.page(effect.page).person] if isinstance(effect, PageBy) else [])
    to = {why: f" (to {mentions(tuple(dict.fromkeys(people)))})" if people else "" for why, people in whose.items()}
    return [f"⚠️ *Not delivered yet:* {brief(why, SHORT)}{to[why]}. Retrying." for why in list(whose)[:3]]


def _shortcomings(incident: Incident) -> list[str]:
    """Lines about what the incident goes on without: optional sends that fail or were given up, one for each reason."""
    failing = [incident.troubles[e.id] for e in incident.effects if e.optional and e.id in incident.troubles]
    lines = [f"⚠️ *Not done yet:* {brief(why, SHORT)}. Retrying." for why in dict.fromkeys(failing)]
    given_up = [e for e in incident.timeline if e.kind is EntryKind.TROUBLE and e.fields.get("given_up")]
    lines += [f"⚠️ *Not done:* {brief(why, SHORT)}." for why in dict.fromkeys(e.why for e in given_up)]
    return lines[:3]


def _at_hand(incident: Incident) -> list[str]:
    """Lines below the buttons that are not folded: what is promised, and what fails."""
    return [
        *map(render, under_maintenance(incident)),
        *_service_links(incident),
        *_eta(incident),
        *_communications(incident),
        *_actions(incident),
        *_shortcomings(incident),
    ]


_RUNS = {RunState.STARTED: "running", RunState.DRY_RUN: "dry run", RunState.DONE: "done", RunState.FAILED: "*failed*"}


def _actions(incident: Incident) -> list[str]:
    """Line about the automatic actions: the latest state of each."""
    latest = last_states(incident).items()
    told = " · ".join(f"{brief(name, SHORT)}: {_RUNS[RunState(last.fields['state'])]}" for name, last in latest)
    return [f"🤖 *Actions:* {told}"] if told else []


def details(incident: Incident) -> list[str]:
    """Lines of details."""
    facts = incident.facts
    what = "the alert" if machine_title(incident.reporter) else "the message"
    source = [f"*Source:* {link(facts.source_link, what)}"] if facts.source_link else []
    return [
        *_found("Workaround", "workaround", incident),
        *_found("Root cause", "root_cause", incident),
        *labelled("Cause category", incident.cause_category),
        *labelled("Fix", incident.fix.text if incident.fix else ""),
        *labelled("Verified", (incident.verified.text or "yes") if incident.verified else ""),
        *_unreached(incident),
        *labelled("Service", facts.service),
        *([f"*Vendor:* {cut(dialled(incident.vendor), SHORT)}"] if incident.vendor.strip() else []),
        *labelled("Description", facts.description),
        *source,
    ]


def _service_links(incident: Incident) -> list[str]:
    """Line of links that are needed at hand: the runbook of the service, and its others."""
    links = " · ".join(link(url, title) for title, url in incident.service_links)
    return [f"📖 {links}"] if links else []


def _eta(incident: Incident) -> list[str]:
    """Line about the ETA: a time, passed once it is; other words as somebody said them, and when."""
    if not incident.eta:
        return []
    if incident.eta_at:
        passed = " (*passed*)" if incident.passed(incident.eta_at) else ""
        return [f"*ETA:* {short_time(incident.eta_at, incident)}{passed}"]
    update = incident.latest(EntryKind.UPDATE)
    said = f" (as said at {short_time(update.at, incident)})" if update else ""
    return [f"*ETA:* {brief(incident.eta, SHORT)}{said}"]


def _found(label: str, fact: Literal["root_cause", "workaround"], incident: Incident) -> list[str]:
    """Line about what was found; of a reopened incident what an earlier stretch had found, until it is found again."""
    known = incident.known(fact)
    earlier = " (before it was reopened)" if known and getattr(incident, fact) is None else ""
    return labelled(f"{label}{earlier}", known.text) if known else []


def _unreached(incident: Incident) -> list[str]:
    """Lines about people whom mail or an invitation could not reach: one for each reason."""
    entries = [e for e in incident.timeline if e.kind is EntryKind.REFUSED and e.fields.get("via")]
    said = dict.fromkeys(render(each) for entry in entries for each in refused(entry))
    return list(said)[-3:]


def footer(incident: Incident) -> str:
    """Footer: id, who declared it, when, and how it was detected."""
    since = _when(incident.declared_at, incident)
    declared = f"declared {since} by {person(incident.reporter)} ({escape(incident.facts.detection)})"
    pace = f" · ⏩ Clocks run {incident.speed:g}x faster" if incident.speed != 1 else ""
    return f"{incident.id} · {declared}{pace}"


def linked_incidents(incident: Incident) -> list[str]:
    """Line about other incidents at the same time, and which one they are coordinated in."""
    if not incident.linked or not incident.open:
        return []
    here = incident.coordinated_in == incident.id
    where = "coordinated here" if here else f"coordinated in {brief(incident.coordinated_in, SHORT)}"
    return [f"🔗 *Concurrent incidents:* {brief(', '.join(incident.linked), SHORT)} ({where})"]


def _recurrence(incident: Incident) -> list[str]:
    """Line about the earlier incident of the same service and cause category."""
    if not incident.repeats:
        return []
    return [f"🔁 *Repeats {brief(incident.repeats, SHORT)}:* the same service and cause category"]


def _communications(incident: Incident) -> list[str]:
    """List of the communications, each with where it stands; nothing while there are none."""
    lines = [f"• {render((task_name(owed), ': ', *task_state(owed, incident)))}" for owed in tasks(incident)]
    return ["📣 *Communications*", *lines] if lines else []


def _update_overdue(incident: Incident) -> list[str]:
    """Line about a progress update that is due and did not come."""
    standing = incident.reminders.get(Reminded.UPDATE)
    if standing is None:
        return []
    until = standing.snoozed_until
    snoozed = f" · reminder snoozed until {short_time(until, incident)}" if until else ""
    return [f"⏳ *Progress update overdue* since {short_time(standing.since, incident)}{snoozed}"]
