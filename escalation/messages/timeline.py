"""Words of each timeline entry, as lines of spans; no Block Kit, no escaping."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from escalation.config.notify import Via
from escalation.config.tickets import TICKETS
from escalation.incident.actions import RunState
from escalation.incident.events.news import MAX_TITLES
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.leads import Lead
from escalation.incident.state.pages import Page, PageState
from escalation.messages import communications, noted, reviews, tickets
from escalation.messages.template import Wording
from escalation.text import Channel, Line, Lines, Link, Person, Strong, Time, Verbatim, line, people
from escalation.times import after_every, spoken_duration
from escalation.values import PersonId

WORDING = Wording()
_SUBJECTS = {"update": "progress update", "stable": "is it stable?", "communications": "communications"}
MARKS = {"P0": "🚨", "P1": "🟠", "P2": "🟡", "P3": "🟢"}


def entry_lines(incident: Incident, entry: Entry, wording: Wording = WORDING) -> Lines:
    """Render one timeline entry, as things stood when it was made: the first line is the headline.

    `wording` has the company's own templates.
    """
    # Of a message on the timeline its present state is shown: what was taken out of it is not repeated.
    then = incident if entry.kind is EntryKind.NOTED else incident.as_of(entry)
    templated = _TEMPLATED.get(entry.kind)
    lines = templated(then, entry, wording) if templated else _LINES[entry.kind](then, entry)
    if incident.speed == 1:
        return lines
    return tuple(tuple(replace(s, seconds=True) if isinstance(s, Time) else s for s in spans) for spans in lines)


def page_reason(incident: Incident, page_n: int) -> Lines:
    """Render the head of a page: that you are paged, as whom, and why."""
    page = incident.page(page_n)
    is_open = page.state is PageState.OPEN and incident.open
    return (
        line(Strong("You're being paged: "), _as_whom(page), ".", *_count(incident, page)),
        line("Why: ", *_why(page), "."),
        *(line("Also: ", other.why, ".") for other in _at_once_with(incident, page)),
        *((_ask(incident, page),) if is_open else ()),
    )


def _as_whom(page: Page) -> str:
    """Name the tier, and the role where that says more."""
    if not page.rung:
        return page.role or "directly"
    same = not page.role or page.rung.lower().endswith(f", {page.role.lower()}")
    return page.rung if same else f"{page.rung} ({page.role})"


def _count(incident: Incident, page: Page) -> Line:
    """Return which page this is, of how many at most."""
    repeats = incident.policy.repeats_of(page.tier)
    most = max(page.sent, 1 + repeats.times if repeats else 1)
    return line(" ", Strong(f"Page {page.sent} of {most}"), ".") if most > 1 else ()


def _why(page: Page) -> Line:
    if not page.moved_from:
        return (page.why,)
    return ("you took over ", page.role, " from ", Person(page.moved_from), f", who had not acknowledged ({page.why})")


def _ask(incident: Incident, page: Page) -> Line:
    done = incident.acknowledgement
    if done is None:
        return line("Acknowledge to take this page.")
    if page.tier:
        return line(Person(done.by), " has acknowledged; you are asked to respond as well.")
    return line(Person(done.by), " has acknowledged. Acknowledge to respond as well.")


def _at_once_with(incident: Incident, page: Page) -> tuple[Page, ...]:
    """Return earlier pages of the same instant: after an outage several may be due at once, the last covers all."""
    return tuple(
        p
        for p in incident.pages[: page.n - 1]
        if (p.person, p.at, p.state) == (page.person, page.at, PageState.REPLACED) and p.why != page.why
    )


def initial_alert(incident: Incident, entry: Entry, wording: Wording = WORDING) -> Lines:
    """Render the first alert by its template."""
    facts, cadence = incident.facts, incident.policy.updates
    return wording.lines(
        "initial_alert",
        **_head(incident),
        time=Time(incident.declared_at, clock=False),
        impact=facts.impact,
        description=facts.description,
        status=incident.status,
        assigned=_assigned(incident),
        war_room=war_room(incident),
        declared_by=Person(entry.by),
        detection=facts.detection,
        update_every=after_every(cadence.every.spoken()) if cadence else "",
    )


def _head(incident: Incident) -> dict[str, str]:
    return {
        "mark": MARKS[incident.severity],
        "id": incident.id,
        "severity": incident.severity,
        "severity_name": incident.policy.name,
        "title": Verbatim(incident.facts.title),
        "service": incident.facts.service,
    }


def war_room(incident: Incident) -> Line:
    """Link to the one war room, and to the meeting while it goes on; nothing where there is neither."""
    room, parts = incident.war_room, list[Line]()
    awaited = incident.open and incident.room is None and (incident.policy.room or incident.private)
    if awaited and not incident.shared_room:
        parts.append(("opening",))
    elif room:
        parts.append((Channel(room.channel, room.name), *([" (archived)"] if room.lost else [])))
    if incident.call_url and incident.open and parts:
        parts.append((Link(incident.call_url, "join the call"),))
    return tuple(span for n, part in enumerate(parts) for span in ((" · ", *part) if n else part))


def _assigned(incident: Incident) -> Line:
    if incident.assigned:
        return people(incident.assigned)
    paged = tuple(dict.fromkeys(p.person for p in incident.pages if p.role))
    return (*people(paged[:1]), " (paged, not acknowledged)") if paged else ("nobody yet",)


def progress_update(incident: Incident, entry: Entry, wording: Wording = WORDING) -> Lines:
    """Render a progress update by its template."""
    fields = entry.fields
    status = {"identified": "root cause identified"}.get(fields["status"], fields["status"])
    return wording.lines(
        "progress_update",
        **_head(incident),
        time=Time(entry.at, clock=False),
        elapsed=spoken_duration(entry.at - incident.declared_at),
        status=status,
        progress=entry.text,
        next_steps=fields["next_steps"],
        eta=eta(entry),
        impact=fields["impact"],
        next_update=Time(_time(fields["next_update"])) if fields["next_update"] else "",
        war_room=war_room(incident),
        by=Person(entry.by),
    )


def resolution_notice(incident: Incident, entry: Entry, wording: Wording = WORDING) -> Lines:
    """Render the resolution notice by its template. The review's date is a due date."""
    done, review_by = incident.resolution, incident.review_by
    if done is None:  # reopened since: only the entry is left of that notice
        return (line(Strong(f"✅ {incident.severity} INCIDENT RESOLVED - {incident.id}")), line(entry.text))
    return wording.lines(
        "resolution_notice",
        **_head(incident),
        time=Time(done.at, clock=False),
        duration=duration(incident, done.at),
        summary=done.summary,
        resolution=done.resolution,
        verification=done.verification,
        impact=done.final_impact or incident.facts.impact,
        data_loss=_DATA_LOSS[done.data_loss],
        review_due=Time(review_by, clock=False) if review_by else "",
        next_steps=done.next_steps,
        by=Person(done.by),
    )


def duration(incident: Incident, until: datetime) -> str:
    """Return how long it lasted, from the declaration; of a reopened one both figures, with where each begins."""
    whole = spoken_duration(until - incident.declared_at)
    if not incident.stretches:
        return whole
    return f"{spoken_duration(until - incident.sla_from)} since reopening ({whole} in total)"


_DATA_LOSS = {True: "Data was lost.", False: "No data was lost.", None: ""}


def _paged(incident: Incident, entry: Entry) -> Lines:
    tier = int(entry.fields["tier"])
    what = f"Tier {tier} ({entry.fields['name']}) paged: " if tier else "Paged directly: "
    by = (" by ", Person(entry.by)) if entry.by else ()
    assigned = tuple(entry.fields.get("assigned", "").split())
    needless = (". Already responding, so perhaps needless: ", *people(assigned)) if assigned else ()
    lines = [line("📟 ", Strong(what), *people(entry.people), *by, *needless), line("Why: ", entry.why, ".")]
    if entry.fields.get("empty_roles"):
        lines.append(line("⚠️ Nobody holds: ", entry.fields["empty_roles"], "."))
    return tuple(lines)


def _repeated(incident: Incident, entry: Entry) -> Lines:
    return (line("📟 Paged again: ", *people(entry.people)), line("Why: ", entry.why, "."))


def _skipped(incident: Incident, entry: Entry) -> Lines:
    who = (
        f"Tier {entry.fields['tier']} ({entry.fields['name']})" if entry.fields["tier"] != "0" else entry.fields["name"]
    )
    return (
        line("⚠️ ", Strong(f"{who} has nobody to page"), ": the next tier is paged now."),
        line("Why: ", entry.why, "."),
    )


_UNREACHED = {
    "page_by": "mail the page to",
    "mail_out": "mail",
    "invite": "invite",
    "mail_review": "mail the review to",
    "invitation": "mail an invitation to",
    "tell": "message",
    "remind_person": "message",
}
_NOBODY_ELSE = "Nobody else is responsible: page someone by name."


def refused(entry: Entry) -> Lines:
    """Say whom a page, a mail or an invitation could not reach."""
    via = entry.fields.get("via", "")
    what = _UNREACHED.get(via, "page")
    said = line("⚠️ ", Strong(f"Could not {what} "), *people(entry.people), ": ", entry.why, ".")
    if "offer" in entry.fields:
        return (said, line("The role is free: offer it to somebody else."))
    if "to" not in entry.fields:
        return (said,)
    successors = tuple(entry.fields["to"].split())
    return (said, line(*people(successors), " gets the reminders now.") if successors else line(_NOBODY_ELSE))


def _nobody_left(incident: Incident, entry: Entry) -> Lines:
    return (
        line("🚫 ", Strong("Nobody is left to page.")),
        line("Why: ", entry.why, ". Page someone by name, or call them."),
    )


def _acknowledged(incident: Incident, entry: Entry) -> Lines:
    note = "" if entry.fields.get("paged") == "yes" else " (was not paged)"
    after = spoken_duration(entry.at - incident.sla_from)
    since = "after it was reopened" if incident.stretches else "after the declaration"
    return (line("👀 ", Strong("Acknowledged"), " by ", Person(entry.by), _how(entry), note, f", {after} {since}."),)


def _how(entry: Entry) -> str:
    """How somebody answered; nothing of an answer in Slack."""
    how = entry.fields.get("how")
    return f" by {how}" if how else ""


def _joined(incident: Incident, entry: Entry) -> Lines:
    return (line("👀 ", Person(entry.by), f" acknowledged{_how(entry)} and is responding."),)


def _declined(incident: Incident, entry: Entry) -> Lines:
    role = f" ({entry.fields['role']})" if entry.fields["role"] else ""
    following: dict[str, Line] = {
        "next": ("Paging the next.",),
        "acknowledged": (*people(entry.people), " has it: nobody else is paged."),
        "still paged": ("Nobody else is left to page. Still paged: ", *people(entry.people), "."),
        "nobody": ("Nobody else is left to page.",),
    }
    words = (line("Why: ", entry.text, "."),) if entry.text else ()
    head = line(
        "🙅 ",
        Strong("Can't take it: "),
        Person(entry.by),
        role,
        _how(entry),
        ". ",
        *following[entry.fields["following"]],
    )
    return (head, *words)


def _moved(incident: Incident, entry: Entry) -> Lines:
    """Render a role that changed hands in the middle of an incident."""
    fields = entry.fields
    former, now = Person(fields["from"]), people(entry.people)
    by = (" (by ", Person(entry.by), ")") if entry.by and entry.by not in entry.people else ()
    head = line("🔁 ", Strong(f"Now {fields['role']}: "), *now, ", after ", former, *by, ".")
    if fields["acknowledged"]:
        return (head, line(former, " had acknowledged. Updates and reminders go to ", *now, " now."))
    return (head, line(former, " had not acknowledged and is no longer paged."))


def _with_text(mark: str, headline: str) -> Callable[[Incident, Entry], Lines]:
    """Return a renderer of a headline, who did it, and what they said."""

    def lines_of(incident: Incident, entry: Entry) -> Lines:
        words = entry.text or entry.why
        return (line(f"{mark} ", Strong(headline), " by ", Person(entry.by)), *((line(words),) if words else ()))

    return lines_of


def _root_cause(incident: Incident, entry: Entry) -> Lines:
    category = entry.fields.get("category")
    told = (line("Category: ", Verbatim(category)),) if category else ()
    return (*_with_text("🔎", "Root cause found")(incident, entry), *told)


def _fix_applied(incident: Incident, entry: Entry) -> Lines:
    until = Time(_time(entry.fields["until"]))
    head = line("🩹 ", Strong("Fix applied"), " by ", Person(entry.by), ". Monitoring until ", until, ".")
    return (head, *((line(entry.text),) if entry.text else ()))


def _silence(incident: Incident, entry: Entry) -> Lines:
    head = line("🔕 ", *people(entry.people), ": ", Strong(f"{incident.id} still has no progress update."))
    return (head, line("Why: ", entry.why, "."))


def _snoozed(incident: Incident, entry: Entry) -> Lines:
    what = ", ".join(_SUBJECTS.get(about, about) for about in entry.fields["what"].split(","))
    until = Time(_time(entry.fields["until"]))
    return (line("😴 ", Strong("Reminders snoozed"), f" ({what}) until ", until, " by ", Person(entry.by), "."),)


def _monitored(incident: Incident, entry: Entry) -> Lines:
    lasted = spoken_duration(incident.policy.monitor_for)
    addressed = (*people(entry.people), ": ") if entry.people else ()
    return (
        line("🩺 ", *addressed, Strong(f"Monitored for {lasted}. Is it stable?")),
        line("Resolve it, or report that the fix failed."),
    )


def _escalated(incident: Incident, entry: Entry) -> Lines:
    return (line("⬆️ ", Strong("Escalated"), " by ", Person(entry.by), f" to tier {entry.fields['tier']}."),)


def _severity(incident: Incident, entry: Entry) -> Lines:
    change = f"{entry.fields['from']} → {entry.fields['to']}"
    head = line("🎚️ ", Strong(f"Severity {change}"), " by ", Person(entry.by))
    withdrawn = (line("🔕 No longer paged: ", *people(entry.people), "."),) if entry.people else ()
    return (head, line("Why: ", entry.why), *withdrawn)


def _security(incident: Incident, entry: Entry) -> Lines:
    head = line("🔒 ", Strong("Now a security incident"), ", marked by ", Person(entry.by), ".")
    rest = line("Updates are posted only here. Public cards were redacted and get no further updates.")
    return (head, *((line("Why: ", entry.why),) if entry.why else ()), rest)


def _exposed(incident: Incident, entry: Entry) -> Lines:
    fields = entry.fields
    channels = fields["channels"].split() if "channels" in fields else [fields["channel"], fields["room"]]
    places = [Channel(c, c) for c in channels if c]
    elsewhere = ", ".join(_ELSEWHERE.get(name, name.replace("_", " ")) for name in fields.get("elsewhere", "").split())
    told = (line("👤 ", Strong("Told directly: "), *people(entry.people)),) if entry.people else ()
    if not (places or elsewhere or told):
        return (line("Nothing about it was public."),)
    where = tuple(part for place in places for part in (", ", place))[1:]
    here = (line("👁️ ", Strong("Previously public, now redacted: "), "messages in ", *where, "."),) if places else ()
    left = (line("📤 ", Strong("Not undone: "), f"{elsewhere}. Ask for corrections there."),) if elsewhere else ()
    former = fields["room"]
    topic = (line("📌 Slack's own topic messages remain in ", Channel(former, former), "."),) if former else ()
    title = line("Title: ", Verbatim(incident.facts.title))
    return (*here, *told, *left, *topic, title)


_ELSEWHERE: dict[str, str] = {TICKETS: "its ticket"} | {via: via.words for via in Via}


def _invited(incident: Incident, entry: Entry) -> Lines:
    """Say who was invited by mail to which meeting, and when it is; or that it changed, or is off."""
    about = {"call": "the call", "review": "the post-incident review"}[entry.fields["about"]]
    said = {"invited": f"Invited to {about}", "changed": f"Invitation to {about} changed"}
    what = said.get(entry.fields["what"], f"Invitation to {about} withdrawn")
    starts = Time(datetime.fromisoformat(entry.fields["starts"]), clock=False)
    return (line("📅 ", Strong(what), " by email: ", *people(entry.people), " (", starts, ")."),)


def _room_opened(incident: Incident, entry: Entry) -> Lines:
    return (line("🚪 War room: ", Channel(entry.fields["channel"], entry.fields["name"])),)


def _room_lost(incident: Incident, entry: Entry) -> Lines:
    return (
        line(
            "⚠️ ", Strong("The war room is gone"), f" (#{entry.fields['name']}: {entry.why}). We go on in this thread."
        ),
    )


def _card_lost(incident: Incident, entry: Entry) -> Lines:
    return (line("🗑️ ", Strong("The incident's card was deleted."), " This is a new one; the thread goes on here."),)


def _redacted(incident: Incident, entry: Entry) -> Lines:
    return (line("🧹 ", Strong("Somebody was forgotten."), " Who they were and what they wrote was removed here."),)


def _action(incident: Incident, entry: Entry) -> Lines:
    """What an action did; whom it called is said where nothing was, and the rest of its address never."""
    fields, name = entry.fields, Strong(f"Action {entry.fields['action']}")
    match RunState(fields["state"]):
        case RunState.STARTED:
            by = (" by ", Person(entry.by)) if entry.by else ()
            return (line("🤖 ", name, " was started", *by, "."),)
        case RunState.DRY_RUN:
            why = "this is a drill" if incident.drill else "it is a dry run"
            return (line("🤖 ", name, f" was not started, since {why}. It would call {fields['host']}."),)
        case RunState.DONE:
            return (line("🤖 ", name, f" is done: its system answered {fields['status']}."),)
        case RunState.FAILED:
            return (line("⚠️ ", name, " failed: ", entry.why, "."),)


def _trouble(incident: Incident, entry: Entry) -> Lines:
    state, end = ("Not done", ".") if entry.fields.get("given_up") else ("Not delivered yet", ". Retrying.")
    return (line("⚠️ ", Strong(f"{state} ({entry.fields['what']}): "), entry.why, end),)


def _alerts(incident: Incident, entry: Entry) -> Lines:
    """Say which alerts began to fire and which ended; long lists are counted."""
    lines = [
        line(
            "🔔 ",
            Strong(f"{entry.fields['firing']} of {entry.fields['total']} alerts firing"),
            " (",
            Person(entry.by),
            ").",
        )
    ]
    lines += [line(f"Firing: {title}") for title in _first(entry, "began")]
    lines += [line(f"Resolved: {title}") for title in _first(entry, "ended")]
    return tuple(lines)


def _first(entry: Entry, name: str) -> list[str]:
    listed = [title for title in entry.fields.get(name, "").split("\n") if title]
    more = int(entry.fields.get(f"more_{name}", "0")) + max(0, len(listed) - MAX_TITLES)
    return [*listed[:MAX_TITLES], *([f"and {more} more"] if more else [])]


def _alerts_ended(incident: Incident, entry: Entry) -> Lines:
    return (line("🔕 ", Strong("All alerts have ended"), " (", Person(entry.by), "). Is the incident over?"),)


def _resolved_there(incident: Incident, entry: Entry) -> Lines:
    who = Verbatim(entry.fields["known_as"]) if entry.fields["known_as"] else Person(entry.by)
    return (line("🔕 ", Strong(f"Resolved in {entry.fields['service']}"), " by ", who, ". Is the incident over?"),)


def _mail(incident: Incident, entry: Entry) -> Lines:
    return line("✉️ ", Person(entry.by), " wrote by email:"), *(line(text) for text in entry.text.splitlines() if text)


def _cancelled(incident: Incident, entry: Entry) -> Lines:
    what = f"duplicate of {entry.fields['duplicate_of']}" if entry.fields.get("duplicate_of") else "false alarm"
    by = Person(entry.by)
    head = line("⚪ ", Strong(f"Cancelled: {what}"), " by ", by, ". Escalations and reminders stopped.")
    if entry.fields.get("corrects"):
        head = line("⚪ Reason corrected to ", Strong(what), " by ", by, ".")
    return (head, *((line("Why: ", entry.why),) if entry.why else ()))


def eta(entry: Entry) -> Time | str:
    """Return the ETA that an update stated: the instant where it names one, else its words."""
    at = entry.fields.get("eta_at")
    return Time(_time(at)) if at else entry.fields["eta"]


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


LEADS = {
    Lead.COMMANDER: "incident commander",
    Lead.COMMUNICATIONS: "communications lead",
    Lead.SCRIBE: "scribe",
}
_EDITED = {
    "title": "title",
    "impact": "impact",
    "description": "description",
    "service": "affected service",
    "public_wording": "public message",
    "detection": "detection",
    "data_loss": "data loss",
    "outage": "customer-facing outage",
    "major_impact": "major business impact",
}


def checkpoint(incident: Incident, entry: Entry) -> Lines:
    """Render a checkpoint that fired, with what it asks for."""
    head = line("⏰ ", Strong("Checkpoint: "), entry.why, ".")
    return (head, line(Strong(entry.fields["say"]))) if entry.fields.get("say") else (head,)


def notified(incident: Incident, entry: Entry) -> Lines:
    """Render who was notified without being paged."""
    who = f"Notified ({entry.fields['roles']}): "
    nobody = () if entry.people else (line("⚠️ Nobody holds: ", entry.fields["roles"], "."),)
    return (line("📨 ", Strong(who), *people(entry.people), ", not paged."), line("Why: ", entry.why, "."), *nobody)


def otherwise(incident: Incident, entry: Entry) -> Lines:
    """Render pages that go by other channels too: written during a Slack outage, read after it, taken or not."""
    ways = line("📨 ", Strong(f"Paging by {entry.fields['ways']} as well"), ": ", *people(entry.people), ".")
    return (ways, line(f"Why: Slack had not taken the page after {entry.fields['after']}."))


def ticket(incident: Incident, entry: Entry) -> Lines:
    """Render the ticket for the owning team."""
    team = entry.fields["team"]
    whose = f"the team {team}" if team else "a team (no service is named, or nobody owns it)"
    what = "in the backlog of" if entry.fields["ticket"] == "backlog" else "for"
    return (
        line("🎫 ", Strong(f"{incident.id} is a ticket {what} {whose}"), ": ", Verbatim(incident.facts.title)),
        line(
            f"{incident.severity} - {incident.policy.name}. Acknowledge by ", Time(incident.acknowledge_by, clock=False)
        ),
    )


def scheduled(incident: Incident, entry: Entry) -> Lines:
    """Render the planned time of the work."""
    return (line("🗓️ ", Strong("Scheduled: "), entry.text, " (by ", Person(entry.by), ")"),)


def edited(incident: Incident, entry: Entry) -> Lines:
    """Render the corrected fields, one line each."""
    lines = [line("✏️ ", Strong("Corrected"), " by ", Person(entry.by), ".")]
    for name, value in entry.fields.items():
        value_text = {"True": "yes", "False": "no", "None": "not known"}.get(value, value) or "(empty)"
        lines.append(line(Strong(f"{_EDITED[name].capitalize()}: "), Verbatim(value_text)))
    return tuple(lines)


def update_due(incident: Incident, entry: Entry) -> Lines:
    """Render the reminder that a progress update is due."""
    head = line("⏳ ", Strong("A progress update is due."), " Post a status update, even if nothing has changed.")
    if not entry.fields.get("promised_by"):
        return (head,)
    due = Time(datetime.fromisoformat(entry.fields["due"]))
    return (head, line("It was promised for ", due, " by ", Person(entry.fields["promised_by"]), "."))


# War room --------------------------------------------------------------------------------------------------------


def phase(incident: Incident, entry: Entry) -> Lines:
    """Render a phase of the war room that begins, or whose time box is over."""
    fields = entry.fields
    if fields.get("over"):
        return (line("⏱️ The time box of ", Strong(fields["over"]), " is over. Where do we stand?"),)
    box = f" ({fields['lasts']})" if fields["lasts"] else ""
    led = (line("Incident commander: ", *people(entry.people)),) if entry.people else ()
    asks = tuple(line(f"• {ask}") for ask in fields["ask"].split("\n") if ask)
    return (line("🧭 ", Strong(f"{fields['number']}. {fields['name']}"), box), *led, *asks)


def leading(incident: Incident, entry: Entry) -> Lines:
    """Render a role of the response that was offered or taken."""
    role = LEADS[Lead(entry.fields["lead"])]
    by = Person(entry.by)
    if entry.fields["what"] == "offered":
        return (
            line("🤝 ", by, " asks ", *people(entry.people), " to be ", Strong(role), "."),
            line("Pending acceptance."),
        )
    if entry.fields["what"] == "declined":
        return (line("🤝 ", by, " declined to be ", Strong(role), ". ", *people(entry.people), ": ask somebody else."),)
    former: Line = (", after ", *people(entry.people)) if entry.people else ()
    took = " accepted and is " if entry.fields["what"] == "accepted" else " is "
    return (line("🎖️ ", by, took, Strong(role), *former, "."),)


def linked(incident: Incident, entry: Entry) -> Lines:
    """Render the incidents that share a war room with this one."""
    others, room = entry.fields["others"], entry.fields["coordinated_in"]
    where = "this one" if room == incident.id else room
    head = line("🔗 ", Strong("Several incidents are open at once: "), others)
    return (head, line("All of them are coordinated in the war room of ", Strong(where), "."))


def reviewed(incident: Incident, entry: Entry) -> Lines:
    """Render that the post-incident review was held."""
    archive = ". The war room is archived now." if incident.room and not incident.room.lost else "."
    words = (line(entry.text),) if entry.text else ()
    return (line("📋 ", Strong("Post-incident review done"), " (marked by ", Person(entry.by), ")", archive), *words)


def recovered(incident: Incident, entry: Entry) -> Lines:
    """Render Tocsin's own outage, and what went out late because of it."""
    fields = entry.fields
    head = line("🕓 ", Strong("Late"), ". These were due, and are done only now:")
    if fields["from"]:
        start, end = (Time(datetime.fromisoformat(fields[name])) for name in ("from", "to"))
        head = line(
            "🕓 ", Strong("Tocsin was away"), " from ", start, " until ", end, ". Due meanwhile, and done only now:"
        )
    lines = [head]
    for missed in fields["missed"].split("\n"):
        at, _, what = missed.partition(" ")
        due = datetime.fromisoformat(at)
        lines.append(line("• ", Time(due), f" {what} ({spoken_duration(entry.at - due)} late)"))
    return tuple(lines)


def stood_in(incident: Incident, entry: Entry) -> Lines:
    """Render a page that Slack sent by itself while Tocsin was away."""
    at = Time(datetime.fromisoformat(entry.fields["at"]))
    return (
        line(
            "🛟 ", Strong("Slack paged by itself"), " while Tocsin was away: ", *people(entry.people), " at ", at, "."
        ),
        line("That message is the page now."),
    )


# Drills ----------------------------------------------------------------------------------------------------------


def drill_report(incident: Incident, entry: Entry) -> Lines:
    """Render a drill's report: who acknowledged, how fast, and what was missed."""
    return (
        line("🧪 ", Strong(f"Drill report of {incident.id}")),
        _drill_acknowledged(incident),
        _answered(incident),
        *_missed(incident),
    )


def _drill_acknowledged(incident: Incident) -> Line:
    done = incident.acknowledgement
    if done is None:
        return line("Nobody acknowledged.")
    late = "in time" if done.at <= incident.acknowledge_by else "late"
    return line("Acknowledged by ", Person(done.by), f" after {spoken_duration(done.at - incident.sla_from)} ({late}).")


def _answered(incident: Incident) -> Line:
    answered = tuple(dict.fromkeys(p.person for p in incident.pages if p.state is PageState.ANSWERED))
    return line("Answered their page: ", *people(answered), ". Did not: ", *people(_silent(incident)), ".")


def _silent(incident: Incident) -> tuple[PersonId, ...]:
    answered = {p.person for p in incident.pages if p.state is PageState.ANSWERED}
    return tuple(dict.fromkeys(p.person for p in incident.pages if p.person not in answered))


def _missed(incident: Incident) -> tuple[Line, ...]:
    """List each missed target: checkpoints that fired, updates and communications that came late or never."""
    kinds = (EntryKind.CHECKPOINT, EntryKind.UPDATE_DUE, EntryKind.OVERDUE)
    missed = [e for e in incident.timeline if e.kind in kinds]
    done = incident.acknowledgement
    if not missed and not _silent(incident) and done and done.at <= incident.acknowledge_by:
        return (line("Nothing was missed."),)
    if not missed:
        return (line("No checkpoint fired, and every update was on time."),)
    return (line("Missed:"), *(line("• ", Time(e.at), f" {e.why}") for e in missed))


_LINES: dict[EntryKind, Callable[[Incident, Entry], Lines]] = {
    EntryKind.PAGED: _paged,
    EntryKind.REPEATED: _repeated,
    EntryKind.CHECKPOINT: checkpoint,
    EntryKind.SKIPPED: _skipped,
    EntryKind.REFUSED: lambda incident, entry: refused(entry),
    EntryKind.NOBODY_LEFT: _nobody_left,
    EntryKind.ACKNOWLEDGED: _acknowledged,
    EntryKind.JOINED: _joined,
    EntryKind.DECLINED: _declined,
    EntryKind.MOVED: _moved,
    EntryKind.ROOT_CAUSE: _root_cause,
    EntryKind.FIX_STARTED: _with_text("🔧", "Fix started"),
    EntryKind.FIX_APPLIED: _fix_applied,
    EntryKind.FIX_FAILED: _with_text("❌", "Fix reported as failed"),
    EntryKind.OTHERWISE: otherwise,
    EntryKind.RECOVERED: recovered,
    EntryKind.STOOD_IN: stood_in,
    EntryKind.WORKAROUND: _with_text("🩹", "Workaround in place"),
    EntryKind.TICKET: ticket,
    EntryKind.SCHEDULED: scheduled,
    EntryKind.VERIFIED: _with_text("🔬", "Fix verified"),
    EntryKind.NOTIFIED: notified,
    EntryKind.EDITED: edited,
    EntryKind.COMMUNICATED: communications.communicated,
    EntryKind.OVERDUE: communications.overdue,
    EntryKind.PHASE: phase,
    EntryKind.LEADING: leading,
    EntryKind.LINKED: linked,
    EntryKind.REVIEWED: reviewed,
    EntryKind.REVIEW_PLANNED: reviews.planned,
    EntryKind.REVIEW_DUE: reviews.reminded,
    EntryKind.RECURRED: reviews.recurred,
    EntryKind.DRILL_REPORT: drill_report,
    EntryKind.UPDATE_DUE: update_due,
    EntryKind.SILENCE: _silence,
    EntryKind.MONITORED: _monitored,
    EntryKind.SNOOZED: _snoozed,
    EntryKind.ESCALATED: _escalated,
    EntryKind.SEVERITY: _severity,
    EntryKind.SECURITY: _security,
    EntryKind.EXPOSED: _exposed,
    EntryKind.ROOM_OPENED: _room_opened,
    EntryKind.INVITED: _invited,
    EntryKind.SENT: communications.sent,
    EntryKind.ROOM_LOST: _room_lost,
    EntryKind.CARD_LOST: _card_lost,
    EntryKind.TROUBLE: _trouble,
    EntryKind.ALERTS: _alerts,
    EntryKind.ACTION: _action,
    EntryKind.ISSUE: tickets.issue,
    EntryKind.ISSUE_CLOSED: tickets.closed_there,
    EntryKind.ISSUE_REOPENED: tickets.reopened_there,
    EntryKind.ALERTS_ENDED: _alerts_ended,
    EntryKind.RESOLVED_THERE: _resolved_there,
    EntryKind.MAIL: _mail,
    EntryKind.NOTED: noted.noted,
    EntryKind.REOPENED: _with_text("🔁", "Reopened"),
    EntryKind.CANCELLED: _cancelled,
    EntryKind.REDACTED: _redacted,
}
_TEMPLATED: dict[EntryKind, Callable[[Incident, Entry, Wording], Lines]] = {
    EntryKind.DECLARED: initial_alert,
    EntryKind.UPDATE: progress_update,
    EntryKind.RESOLVED: resolution_notice,
    EntryKind.COMMUNICATION: communications.communication,
}
