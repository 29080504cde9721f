"""The incident's card, made to be read at 3 a.m. on a phone: what is wrong, who has it, what fires next, the buttons.

Nothing on it goes stale by itself: instants are shown in each reader's own zone, never as a distance from now.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bot.controls import controls
from bot.kit import HEADER, context, header, section, sections
from bot.message import Message
from bot.mrkdwn import CLOCK, DAY, brief, clean, cut, emphasised, escape, link, moment, person, render
from escalation.checkpoints import Upcoming, resting
from escalation.incident import CheckpointKind, EntryKind, Incident, PageState, Status
from escalation.policy import Unless
from escalation.templates import MARKS, war_room, why_you
from escalation.values import spoken_duration

STATUS = {
    Status.INVESTIGATING: "Investigating",
    Status.IDENTIFIED: "Root cause identified",
    Status.FIXING: "Fixing",
    Status.MONITORING: "Monitoring",
    Status.RESOLVED: "Resolved",
    Status.CANCELLED: "Cancelled",
}
_UNLESS = {
    Unless.ACKNOWLEDGED: "if nobody acknowledges",
    Unless.ROOT_CAUSE: "if no root cause is found",
    Unless.RESOLVED: "if it is not resolved",
}
Names = Mapping[str, str]
NOBODYS: Names = {}
_TITLE = 400  # 200 characters, some of them escaped
_SHORT = 300
_SHOWN_AHEAD = 3
_SHOWN_PEOPLE = 8
_NEAR = timedelta(hours=12)


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
        *sections(_ahead(incident, ahead, names), "card-ahead"),
        *row,
        *sections(_details(incident), "card-details"),
        context(_footer(incident), "card-footer"),
    ]
    return Message(text=summary(incident), blocks=blocks)


def page(
    incident: Incident, page_n: int, ahead: tuple[Upcoming, ...], *, buttons: bool = True, names: Names = NOBODYS
) -> Message:
    """The direct message of a page: why you, then the card."""
    shown = card(incident, ahead, incident.page(page_n).person, buttons=buttons, names=names)
    why = [render(line) for line in why_you(incident, page_n)]
    called = incident.page(page_n)
    again = f" again (no answer to {called.sent - 1})" if called.sent > 1 else ""
    reason = brief(called.why, _SHORT)
    named = f"{incident.severity} {brief(_title(incident), _TITLE)}"
    text = f"{_mark(incident)} You are paged{again}: {named}. Why: {reason}. ({incident.id})"
    return Message(text=text, blocks=[*sections(why, "page-why"), *shown.blocks])


def redacted(incident: Incident) -> Message:
    """What is left of a public card when its incident became a security matter: no word of it."""
    words = f"🔒 {incident.id} moved. Those concerned were invited to where it is handled; nothing more is said here."
    return Message(text=words, blocks=[section(words, "card")])


def summary(incident: Incident) -> str:
    """One escaped line, for notifications and lists."""
    mark = _mark(incident)
    return f"{mark} {incident.severity} {brief(_title(incident), _TITLE)} ({incident.id}, {STATUS[incident.status]})"


def headline(incident: Incident) -> str:
    """Severity and status as plain text. The title is outside text: it stands below, where it can be escaped."""
    return cut(f"{_mark(incident)} {incident.severity} {incident.policy.name} · {STATUS[incident.status]}", HEADER)


def title(incident: Incident, limit: int = _TITLE) -> str:
    """The title in bold, escaped, on one line."""
    return emphasised(brief(_title(incident).replace("*", "∗"), limit))


def near(at: datetime, incident: Incident) -> str:
    """A time of day; with its day when it is far from the moment the clocks started."""
    return moment(at, CLOCK if abs(at - incident.clock_from) < _NEAR else DAY)


def called(people: tuple[str, ...], names: Names) -> str:
    """The same by name, which notifies nobody; who has no known name is mentioned."""
    more = f" and {len(people) - _SHOWN_PEOPLE} more" if len(people) > _SHOWN_PEOPLE else ""
    return ", ".join(brief(names[p], _SHORT) if p in names else person(p) for p in people[:_SHOWN_PEOPLE]) + more


def mentions(people: tuple[str, ...]) -> str:
    """`@a @b`, and how many more."""
    more = f" and {len(people) - _SHOWN_PEOPLE} more" if len(people) > _SHOWN_PEOPLE else ""
    return " ".join(person(p) for p in people[:_SHOWN_PEOPLE]) + more


def _title(incident: Incident) -> str:
    return clean(incident.facts.title).strip() or "(no title)"


def _mark(incident: Incident) -> str:
    closed = {Status.RESOLVED: "✅", Status.CANCELLED: "⚪"}
    return closed.get(incident.status, MARKS[incident.severity])


def _labelled(label: str, text: str) -> list[str]:
    """`*Label:* text`, or nothing when there is no text. `text` is outside text."""
    return [f"*{label}:* {brief(text, _SHORT)}"] if clean(text).strip() else []


# Head: what is wrong, and who has it -----------------------------------------------------------------------------


def _head(incident: Incident) -> list[str]:
    impact = incident.resolution.final_impact if incident.resolution else ""
    return [
        title(incident),
        *_labelled("Impact", impact or incident.facts.impact),
        *_flags(incident),
        *(_open_state(incident) if incident.open else _closed_state(incident)),
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
    lines = [_acknowledgement(incident), _who_has_it(incident)]
    if incident.nobody_left:
        lines.append("🚫 *Nobody is left to page.* Page someone by name, or call them.")
    return lines


def _acknowledgement(incident: Incident) -> str:
    target = incident.clock_from + incident.scaled(incident.policy.acknowledge_within)
    done = incident.acknowledgement
    if done is None:
        return f"🔴 *Nobody has acknowledged.* Target: {near(target, incident)}"
    met = "in time" if done.at <= target else f"*late*, target was {near(target, incident)}"
    return f"👀 *Acknowledged* by {person(done.by)} at {near(done.at, incident)} ({met})"


def _who_has_it(incident: Incident) -> str:
    waiting = tuple(dict.fromkeys(p.person for p in incident.pages if p.state is PageState.OPEN))
    unanswered = f" · paged, no answer yet: {mentions(waiting)}" if waiting else ""
    return f"🙋 *Assigned:* {mentions(incident.assigned) or 'nobody yet'}{unanswered}"


def _closed_state(incident: Incident) -> list[str]:
    closed_at = incident.closed_at or incident.declared_at
    lasted = spoken_duration(closed_at - incident.declared_at)
    when = f"{near(closed_at, incident)} after {lasted}"
    if incident.resolution is None:
        return _cancelled_state(incident, when)
    by = person(incident.resolution.by)
    return [
        f"✅ *Resolved* by {by} at {when}{_kept(incident, closed_at)}",
        *_labelled("Summary", incident.resolution.summary),
    ]


def _cancelled_state(incident: Incident, when: str) -> list[str]:
    entry = incident.latest(EntryKind.CANCELLED)
    if entry is None:
        return [f"*Cancelled* at {when}"]
    duplicate = entry.fields.get("duplicate_of")
    what = f"duplicate of {brief(duplicate, _SHORT)}" if duplicate else "false alarm"
    return [f"⚪ *Cancelled: {what}*, by {person(entry.by)} at {when}", *_labelled("Why", entry.why)]


def _kept(incident: Incident, closed_at: datetime) -> str:
    target = _resolve_target(incident)
    return " (in time)" if closed_at <= target else f" (*late*, target was {near(target, incident)})"


def _resolve_target(incident: Incident) -> datetime:
    return incident.clock_from + incident.scaled(incident.policy.resolve_within)


def _troubles(incident: Incident) -> list[str]:
    """What could not be delivered because of us: once for each reason."""
    whys = tuple(dict.fromkeys(incident.troubles.values()))
    return [f"⚠️ *Not delivered yet:* {brief(why, _SHORT)}. It is being retried." for why in whys[:3]]


# Ahead: what fires next, when, and whom it pages -----------------------------------------------------------------


def _ahead(incident: Incident, ahead: tuple[Upcoming, ...], names: Names) -> list[str]:
    if not incident.open:
        return []
    lines = [f"• {near(u.due, incident)} {_foretold(incident, u, names)}" for u in _soonest(_merged(ahead))]
    if _unheard(incident, ahead):
        lines.insert(0, "• 🚫 *Nobody else will be paged:* every tier was. Page someone by name, or call them.")
    if any(resting(c, incident) for c in incident.checkpoints):
        lines.append("• Escalation rests while the fix is watched.")
    return ["⏭️ *What fires next*", *(lines or ["• Nothing: no checkpoint is ahead."])]


def _unheard(incident: Incident, ahead: tuple[Upcoming, ...]) -> bool:
    """Nobody acknowledged, and no page is to come any more."""
    pages = (CheckpointKind.POLICY, CheckpointKind.REPEAT)
    return not incident.acknowledgement and not incident.nobody_left and not any(u.kind in pages for u in ahead)


def _merged(ahead: tuple[Upcoming, ...]) -> list[Upcoming]:
    """What several pages have in common is said once."""
    merged: dict[tuple[datetime, CheckpointKind, str], Upcoming] = {}
    for one in ahead:
        key = (one.due, one.kind, one.why)
        before = merged.get(key)
        people = tuple(dict.fromkeys((*(before.people if before else ()), *one.people)))
        tiers = before.tiers if before else one.tiers
        merged[key] = replace(one, tiers=tiers, people=people)
    return list(merged.values())


def _soonest(ahead: list[Upcoming]) -> list[Upcoming]:
    """The next few, the next climb of the ladder always among them."""
    shown = ahead[:_SHOWN_AHEAD]
    climbs = [u for u in ahead if u.kind is CheckpointKind.POLICY]
    return shown if not climbs or climbs[0] in shown else [*shown[:-1], climbs[0]]


def _foretold(incident: Incident, upcoming: Upcoming, names: Names) -> str:
    whom = called(upcoming.people, names) or "nobody"
    match upcoming.kind:
        case CheckpointKind.POLICY:
            return f"{_condition(upcoming)} → {_tiers(incident, upcoming, names)}"
        case CheckpointKind.REPEAT:
            return f"if the page stays unanswered → again: {whom}"
        case CheckpointKind.UPDATE:
            return "a progress update is due"
        case CheckpointKind.SILENCE:
            return f"if no progress update comes → tells {whom}"
        case CheckpointKind.MONITORING:
            return f"the fix was watched long enough → asks {whom} whether it held"


def _condition(upcoming: Upcoming) -> str:
    """`if nobody acknowledges`: the plan's own reason is worded for the time when it has happened."""
    return _UNLESS[upcoming.unless] if upcoming.unless else f"if {brief(upcoming.why, _SHORT)}"


def _tiers(incident: Incident, upcoming: Upcoming, names: Names) -> str:
    if not upcoming.people:
        return "*nobody is left to page*"
    tiers = incident.policy.tiers
    rungs = " and ".join(f"tier {t} ({brief(tiers[t - 1].name, _SHORT)})" for t in upcoming.tiers)
    return f"{rungs}: {called(upcoming.people, names)}"


# Details, below the buttons --------------------------------------------------------------------------------------


def _details(incident: Incident) -> list[str]:
    facts = incident.facts
    source = [f"*Source:* {link(facts.source_link, 'the message')}"] if facts.source_link else []
    by = [f"*Resolve by:* {near(_resolve_target(incident), incident)}"] if incident.open else []
    return [
        *by,
        *_labelled("ETA", incident.eta),
        *_labelled("Root cause", incident.root_cause.text if incident.root_cause else ""),
        *_labelled("Fix", incident.fix.text if incident.fix else ""),
        f"*War room:* {render(war_room(incident))}",
        *_labelled("Service", facts.service),
        *_labelled("Description", facts.description),
        *source,
    ]


def _footer(incident: Incident) -> str:
    since = moment(incident.declared_at, DAY)
    found = f"declared {since} by {person(incident.reporter)} ({escape(incident.facts.detection)})"
    pace = f" · ⏩ Clocks run {incident.speed:g}x faster" if incident.speed != 1 else ""
    return f"{incident.id} · {found}{pace}"
