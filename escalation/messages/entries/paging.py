"""Entries about pages: who was paged and why, who answered, who could not be reached."""

from datetime import datetime

from escalation.config.notify import Via
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry
from escalation.incident.state.pages import Page, PageState
from escalation.text import Line, Lines, Person, Strong, Time, Verbatim, agree, line, people
from escalation.times import spoken_duration


def page_reason(incident: Incident, page_n: int) -> Lines:
    """Render the head of a page: that you are paged, as whom, and why."""
    page = incident.page(page_n)
    is_open = page.state is PageState.OPEN and incident.open
    return (
        line(Strong("You're being paged: "), _as_whom(page), ".", *_count(incident, page)),
        line("Why: ", *_why(page), "."),
        *(line("Also: ", other.why, ".") for other in _at_once_with(incident, page)),
        *under_maintenance(incident),
        *((_ask(incident, page),) if is_open else ()),
    )


def under_maintenance(incident: Incident) -> Lines:
    """Say that the service was in planned maintenance when it was declared: it may be the reason."""
    return tuple(
        line(
            "🛠️ ",
            Strong("In planned maintenance"),
            ": ",
            Verbatim(ongoing.title),
            ", until ",
            Time(ongoing.ends, clock=False),
            ".",
        )
        for ongoing in incident.maintenance
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


def paged(incident: Incident, entry: Entry) -> Lines:
    """Render who was paged, as which tier or by name, and why."""
    tier = int(entry.fields["tier"])
    what = f"Tier {tier} ({entry.fields['name']}) paged: " if tier else "Paged directly: "
    by = (" by ", Person(entry.by)) if entry.by else ()
    assigned = tuple(entry.fields.get("assigned", "").split())
    needless = (". Already responding, so perhaps needless: ", *people(assigned)) if assigned else ()
    lines = [line("📟 ", Strong(what), *people(entry.people), *by, *needless), line("Why: ", entry.why, ".")]
    if entry.fields.get("empty_roles"):
        lines.append(line("⚠️ Nobody holds: ", entry.fields["empty_roles"], "."))
    return tuple(lines)


def repeated(incident: Incident, entry: Entry) -> Lines:
    """Render a repeated page."""
    return (line("📟 Paged again: ", *people(entry.people)), line("Why: ", entry.why, "."))


def skipped(incident: Incident, entry: Entry) -> Lines:
    """Render a tier with nobody to page."""
    who = (
        f"Tier {entry.fields['tier']} ({entry.fields['name']})" if entry.fields["tier"] != "0" else entry.fields["name"]
    )
    return (
        line("⚠️ ", Strong(f"{who} has nobody to page"), ": the next tier is paged now."),
        line("Why: ", entry.why, "."),
    )


_UNREACHED = {
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
    via, channel = entry.fields.get("via", ""), entry.fields.get("channel", "")
    what, by = _UNREACHED.get(via, "page"), f" by {Via(channel).words}" if channel else ""
    said = line("⚠️ ", Strong(f"Could not {what} "), *people(entry.people), f"{by}: ", entry.why, ".")
    if "offer" in entry.fields:
        return (said, line("The role is free: offer it to somebody else."))
    if "to" not in entry.fields:
        return (said,)
    successors = tuple(entry.fields["to"].split())
    get = agree(successors, "gets", "get")
    return (said, line(*people(successors), f" {get} the reminders now.") if successors else line(_NOBODY_ELSE))


def nobody_left(incident: Incident, entry: Entry) -> Lines:
    """Render that nobody is left to page."""
    return (
        line("🚫 ", Strong("Nobody is left to page.")),
        line("Why: ", entry.why, ". Page someone by name, or call them."),
    )


def acknowledged(incident: Incident, entry: Entry) -> Lines:
    """Render the acknowledgement, and after how long it came."""
    note = "" if entry.fields.get("paged") == "yes" else " (was not paged)"
    after = spoken_duration(entry.at - incident.sla_from)
    since = "after it was reopened" if incident.stretches else "after the declaration"
    return (line("👀 ", Strong("Acknowledged"), " by ", Person(entry.by), _how(entry), note, f", {after} {since}."),)


def _how(entry: Entry) -> str:
    """How somebody answered; nothing of an answer in Slack."""
    how = entry.fields.get("how")
    return f" by {how}" if how else ""


def joined(incident: Incident, entry: Entry) -> Lines:
    """Render that somebody else is responding as well."""
    return (line("👀 ", Person(entry.by), f" acknowledged{_how(entry)} and is responding."),)


def declined(incident: Incident, entry: Entry) -> Lines:
    """Render a declined page, and what follows from it."""
    role = f" ({entry.fields['role']})" if entry.fields["role"] else ""
    following: dict[str, Line] = {
        "next": ("Paging the next.",),
        "acknowledged": (
            *people(entry.people),
            f" {agree(entry.people, 'has', 'have')} it: nobody else is paged.",
        ),
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


def moved(incident: Incident, entry: Entry) -> Lines:
    """Render a role that changed hands in the middle of an incident."""
    fields = entry.fields
    former, now = Person(fields["from"]), people(entry.people)
    by = (" (by ", Person(entry.by), ")") if entry.by and entry.by not in entry.people else ()
    head = line("🔁 ", Strong(f"Now {fields['role']}: "), *now, ", after ", former, *by, ".")
    if fields["acknowledged"]:
        return (head, line(former, " had acknowledged. Updates and reminders go to ", *now, " now."))
    return (head, line(former, " had not acknowledged and is no longer paged."))


def escalated(incident: Incident, entry: Entry) -> Lines:
    """Render an escalation by a person."""
    return (line("⬆️ ", Strong("Escalated"), " by ", Person(entry.by), f" to tier {entry.fields['tier']}."),)


def notified(incident: Incident, entry: Entry) -> Lines:
    """Render who was notified without being paged."""
    who = f"Notified ({entry.fields['roles']}): "
    nobody = () if entry.people else (line("⚠️ Nobody holds: ", entry.fields["roles"], "."),)
    return (line("📨 ", Strong(who), *people(entry.people), ", not paged."), line("Why: ", entry.why, "."), *nobody)


def otherwise(incident: Incident, entry: Entry) -> Lines:
    """Render pages that go by other channels too: written during a Slack outage, read after it, taken or not."""
    ways = line("📨 ", Strong(f"Paging by {entry.fields['ways']} as well"), ": ", *people(entry.people), ".")
    return (ways, line(f"Why: Slack had not taken the page after {entry.fields['after']}."))


def stood_in(incident: Incident, entry: Entry) -> Lines:
    """Render a page that Slack sent by itself while Tocsin was away."""
    at = Time(datetime.fromisoformat(entry.fields["at"]))
    return (
        line(
            "🛟 ", Strong("Slack paged by itself"), " while Tocsin was away: ", *people(entry.people), " at ", at, "."
        ),
        line("That message is the page now."),
    )
