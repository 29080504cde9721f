"""Words about the post-incident review: its plan, what it still lacks, which incident is repeated, and despite what."""

from collections.abc import Iterator
from datetime import date, datetime

from escalation.incident.closing.reviews import NO_WORK, ReviewTask, asked, missing, outstanding, owner_of, unwritten
from escalation.incident.effects import Reminded
from escalation.incident.model import Incident
from escalation.incident.responders import Duty
from escalation.incident.state.entries import Entry
from escalation.incident.state.posted import Reminder
from escalation.oncall.roster import Roster
from escalation.text import Line, Lines, Person, Strong, Time, Verbatim, line, people
from escalation.values import PersonId

_MISSING = {
    ReviewTask.OWNER: "an owner",
    ReviewTask.MEETING: "a meeting",
    ReviewTask.TEXT: "the text",
    ReviewTask.FOLLOW_UPS: "action items with an owner and a due date",
}


def planned(incident: Incident, entry: Entry) -> Lines:
    """Render what was planned about a review: its meeting, its owner, the category of the cause."""
    return tuple(_planned(entry))


def _planned(entry: Entry) -> list[Line]:
    fields = entry.fields
    by = (" by ", Person(entry.by)) if entry.by else ()
    found = []
    if owner := fields.get("owner"):
        found.append(line("📋 ", Strong("Post-incident review"), " belongs to ", Person(owner), *_set_by(by), "."))
    if meeting := fields.get("meeting"):
        what = "moved to " if entry.by else "meeting proposed for "
        at = Time(datetime.fromisoformat(meeting), clock=False)
        found.append(line("📅 ", Strong("Post-incident review: "), what, at, ", 60 minutes", *by, "."))
    if why := fields.get("no_meeting"):
        found.append(line("📋 ", Strong("Post-incident review: no meeting needed"), *by, ": ", Verbatim(why)))
    if why := fields.get("no_follow_ups"):
        found.append(line("📋 ", Strong("Post-incident review: no action items needed"), *by, ": ", Verbatim(why)))
    if category := fields.get("category"):
        found.append(line("🏷️ ", Strong("Cause category: "), Verbatim(category), *by, "."))
    return found


def _set_by(by: Line) -> Line:
    return (" (set", *by, ")") if by else ()


def recurred(incident: Incident, entry: Entry) -> Lines:
    """Render which earlier incident this one repeats."""
    what = (" repeats ", Strong(entry.fields["repeats"]))
    alike = (": the same service, and the same cause category (", Verbatim(entry.fields["category"]), ").")
    return (
        line("🔁 ", Strong("Recurring incident: "), incident.id, *what, *alike),
        *((_sentence(entry.why),) if entry.why else ()),
    )


def prevention(incident: Incident, entry: Entry) -> Lines:
    """Render an open action item that was meant to prevent this incident: whose it is, and how long it is overdue."""
    fields = entry.fields
    head = (
        "An open action item of a similar incident" if fields.get("like") else "An open action item was to prevent this"
    )
    owner = Person(fields["owner"]) if fields["owner"] else "nobody has promised it"
    return (line("📌 ", Strong(f"{head}: "), f"{fields['item']} (", owner, f", {_since(entry)})."),)


def _since(entry: Entry) -> str:
    """How long it is overdue or, if it is not, how long ago it was noted."""
    day, due, noted = entry.at.date(), entry.fields["due"], datetime.fromisoformat(entry.fields["at"]).date()
    late = (day - date.fromisoformat(due)).days if due else 0
    if late > 0:
        return f"{_days(late)} overdue"
    ago = f"noted {_days((day - noted).days)} ago" if day > noted else "noted today"
    return f"{ago}{f', due {due}' if due else ''}"


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"


def _sentence(words: str) -> Line:
    return line(f"{words[:1].upper()}{words[1:]}.")


def reminded(incident: Incident, entry: Entry) -> Lines:
    """Render that people were asked about a review, and what it lacked then."""
    lacked = entry.fields.get("missing", "").split()
    what = f" Missing: {', '.join(_MISSING[ReviewTask(task)] for task in lacked)}." if lacked else ""
    return (line("📋 ", Strong("Post-incident review: "), f"{entry.why}. Told: ", *people(entry.people), f".{what}"),)


def reminder(incident: Incident, standing: Reminder) -> Lines:
    """Render a standing reminder of a review: by when, and what there is of it as things stand."""
    due, word = incident.review_by or standing.since, "overdue since " if is_overdue(incident, standing) else "due by "
    head = line("📋 ", Strong("Post-incident review "), word, Time(due, clock=False), ".")
    return (head, *progress(incident), *(() if missing(incident) else (_READY,)))


def is_overdue(incident: Incident, standing: Reminder) -> bool:
    """True once people were told that the review is overdue: not at night, when nobody works on it."""
    return incident.entry(standing.entry).fields.get("stage") == "overdue"


_READY = line("Everything is there. Mark it as done once it was held.")


def progress(incident: Incident) -> Lines:
    """Render what there is of a review, and what is missing: a line for owner, meeting, text and follow-ups each."""
    lacks, work = missing(incident), incident.review_work or NO_WORK
    rule = incident.policy.review
    told = {
        ReviewTask.OWNER: ("Owner: ", *people((owner,) if (owner := owner_of(incident)) else ())),
        ReviewTask.MEETING: ("Meeting: ", *_meeting(incident)),
        ReviewTask.TEXT: ("Text: ", _text(incident)),
        ReviewTask.FOLLOW_UPS: ("Follow-ups: ", *_follow_ups(incident)),
    }
    if work.meeting is None and rule and rule.meeting == "none":
        del told[ReviewTask.MEETING]
    return tuple(line("▫️ " if task in lacks else "✅ ", *said) for task, said in told.items())


def _meeting(incident: Incident) -> Line:
    work = incident.review_work or NO_WORK
    if work.no_meeting:
        return line("not needed (", Verbatim(work.no_meeting.text), ")")
    return line(Time(work.meeting, clock=False), ", 60 minutes") if work.meeting else line("none yet")


def _text(incident: Incident) -> str:
    rule, left = incident.policy.review, unwritten(incident)
    if rule is None or not left:
        return "written"
    return f"still to be written: {', '.join(rule.title_of(key).lower() for key in left)}"


def _follow_ups(incident: Incident) -> Line:
    work = incident.review_work or NO_WORK
    if work.commitments:
        return line(f"{work.commitments} action item{'s' if work.commitments > 1 else ''} with owner and due date")
    if work.no_follow_ups:
        return line("none needed (", Verbatim(work.no_follow_ups.text), ")")
    return line("no action item with owner and due date yet")


def why_you(incident: Incident, standing: Reminder, person: PersonId) -> str:
    """Say why somebody is reminded of a review."""
    owner = owner_of(incident)
    if person == owner:
        return "the review is yours"
    roles = incident.entry(standing.entry).fields.get("roles", "").split()
    if not roles:
        return "the review has no owner" if not owner else "the review was yours to see to"
    return f"you are the {' and '.join(map(incident.policy.role_name, roles))}, and the review is overdue"


def review_duties(incident: Incident, roster: Roster, person: PersonId) -> Iterator[Duty]:
    """Yield the required review that is somebody's, with what it lacks and by when."""
    if not outstanding(incident) or person not in asked(incident, roster):
        return
    lacks, standing = missing_words(incident), incident.reminders.get(Reminded.REVIEW)
    late = standing is not None and is_overdue(incident, standing)
    what = f"post-incident review, missing: {lacks}" if lacks else "mark the post-incident review as done"
    yield Duty(incident, what, incident.review_by, late)


def missing_words(incident: Incident) -> str:
    """List what a review still lacks, for a line on the card; empty for nothing."""
    return ", ".join(_MISSING[task] for task in missing(incident))
