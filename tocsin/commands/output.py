"""Incidents as text for a terminal, data for scripts and Markdown for documents. Private ones show no words."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from bot.render.mrkdwn import plain
from escalation.config.company import Company
from escalation.config.status_page import Maintenance
from escalation.engine.upcoming import Upcoming
from escalation.incident.closing.reviews import owner_of
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.facts import Signed
from escalation.messages import timeline
from escalation.messages.entries import notices
from escalation.messages.reviews import missing_words
from escalation.oncall.coverage import Gap
from escalation.oncall.edits import left_shifts, plan_changes
from escalation.oncall.schedule import Feed, OncallState, kept_shift, on_call_at
from escalation.text import one_line, people
from escalation.times import spoken_duration
from escalation.values import PersonId, title_of

PRIVATE = "private incident"
INTERNAL = {"version", "stamp", "effects", "lanes", "keys", "copies", "made", "policy"}
Names = Mapping[str, str]
MARKDOWN_SIGNS = re.compile(r"([\\`*_\[\]<>|#])")


def summary(incident: Incident) -> dict[str, Any]:
    """One incident of a list, for scripts. A private one has no words."""
    shared = {
        "id": incident.id,
        "severity": incident.severity,
        "status": incident.status,
        "private": incident.private,
        "declared_at": incident.declared_at.isoformat(),
        "acknowledged": incident.acknowledgement is not None,
    }
    words = (
        {"title": PRIVATE} if incident.private else {"title": incident.facts.title, "service": incident.facts.service}
    )
    return shared | words


def incident_data(incident: Incident) -> dict[str, Any]:
    """A whole incident for scripts, without internal fields."""
    return incident.model_dump(mode="json", exclude=INTERNAL)


def row(incident: Incident, names: Names) -> tuple[str, ...]:
    """One incident of a list, as cells of a table."""
    acknowledgement = incident.known("acknowledgement")
    earlier = " (before it was reopened)" if acknowledgement and not incident.acknowledgement else ""
    return (
        incident.id,
        incident.severity,
        incident.status,
        f"{incident.declared_at:%Y-%m-%d %H:%M:%S}",
        "" if not acknowledgement else ("yes" if incident.private else _name(acknowledgement.by, names)) + earlier,
        PRIVATE if incident.private else incident.facts.title,
    )


def upcoming_data(ahead: Upcoming) -> dict[str, Any]:
    """A checkpoint that fires next, for scripts."""
    return {"due": ahead.due.isoformat(), "why": ahead.why, "tiers": ahead.tiers, "people": ahead.people}


def incident_lines(incident: Incident, ahead: tuple[Upcoming, ...], names: Names) -> list[str]:
    """An incident as lines of text."""
    checkpoints = [f"  {u.due:%H:%M:%S} UTC  {u.why}{_whom(u, names)}" for u in ahead]
    entries = [line for entry in incident.timeline for line in _entry(incident, entry, names)]
    title = one_line(incident.facts.title)
    head = f"{incident.id}  {incident.severity} {incident.policy.name}  {incident.status}  {title}"
    return [head, "", "Next:", *(checkpoints or ["  nothing"]), "", "Timeline (UTC):", *entries]


def markdown(incident: Incident, names: Names) -> str:
    """An incident as a Markdown document: its facts, then the whole timeline, repeats of a page in one line."""
    details = [f"- **{name}:** {_escaped(text)}" for name, text in _details(incident, names) if text]
    entries = [_entry_markdown(incident, run, names) for run in _runs(incident.timeline)]
    title = _escaped(incident.facts.title)
    return "\n".join([f"# {incident.id}: {title}", "", *details, "", "## Timeline (UTC)", "", *entries])


def _runs(timeline: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Entries one by one, but repeats of a page that follow each other together."""
    for repeated, together in groupby(timeline, key=lambda entry: entry.kind is EntryKind.REPEATED):
        run = list(together)
        yield from [run] if repeated else ([entry] for entry in run)


def oncall_lines(state: dict[str, Any]) -> list[str]:
    """Rotations, overrides and absences as lines of text, from what `tocsin oncall --json` prints."""
    rotations = [line for name, rotation in state["rotations"].items() for line in _rotation(name, rotation)]
    rotations += [row for name, shifts in state["schedule"].items() for row in _schedule(name, shifts)]
    overrides = [f"Override {o['id']}: {o['person']} in {o['rotation']}{_stretch(o)}" for o in state["overrides"]]
    away = [f"{_absence(a)}: {a['person']}{_stretch(a)}" for a in state["away"]]
    return [one_line(line) for line in (*rotations, *overrides, *away)]


def _schedule(name: str, shifts: list[dict[str, Any]]) -> Iterator[str]:
    yield f"Schedule of {name}:"
    for shift in shifts:
        who = " and ".join(shift["people"]) or "nobody"
        number = f"override {shift['override']}, " if shift["override"] else ""
        instead = f" ({number}instead of {' and '.join(shift['planned']) or 'nobody'})"
        until = f" until {_when(shift['ends'])}" if shift["ends"] else ""
        yield f"  {_when(shift['starts'])}{until}: {who}{'' if shift['people'] == shift['planned'] else instead}"


def rotation_notes(name: str, company: Company, state: OncallState, now: datetime) -> Iterator[str]:
    """Lines about a rotation that was edited, whose shifts go to others by it, and about its calendar."""
    kept, feed = kept_shift(name, company, state), state.feeds.get(name, Feed(rotation=name))
    if kept and kept.ends:
        who = f"{' and '.join(kept.people)} stays on call until {_utc(kept.ends)}"
        yield f"rotation {name} differs from the one that runs: {who}."
        for change in plan_changes(name, company, state):
            before, after = " and ".join(change.before), " and ".join(change.after) or "nobody"
            yield f"  From {_utc(change.at)}: {after} instead of {before}."
    if company.rotations[name].ical:
        said = (*filter(None, [feed.error]), *feed.problems, *feed.notes)
        yield from (one_line(f"calendar of rotation {name}: {what}.") for what in said)


def left_notes(company: Company, state: OncallState, now: datetime) -> Iterator[str]:
    """Lines about who is not on call any more, since they or their rotation left the configuration."""
    for left in left_shifts(state, company, now):
        known = left.rotation in company.rotations
        at = max(now, left.starts)
        instead = " and ".join(on_call_at(left.rotation, company, state, at) if known else ()) or "nobody"
        gone = f"{left.person} left `people`" if known else "the rotation is gone"
        what = f"override {left.number} of {left.person}" if left.number else f"{left.person}'s shift"
        yield one_line(
            f"rotation {left.rotation}: {gone}, so {what}, until {_utc(left.ends)}, counts no more: "
            f"{instead} from {'now' if at == now else _utc(at)} on."
        )


def taken_out(window: Maintenance) -> str:
    """Line about planned maintenance that is no longer in the configuration."""
    span = f"{_utc(window.starts)} to {_utc(window.ends)}"
    return one_line(
        f"maintenance {window.title}, {span}, is announced and no longer in the configuration: it will be cancelled, "
        "on the status page and to subscribers."
    )


def gap_lines(gaps: tuple[Gap, ...]) -> list[str]:
    """The first gap of each tier of each severity, and of each person whom nothing wakes, a line each."""
    first: dict[tuple[str, int, str | None], Gap] = {}
    for gap in gaps:
        first.setdefault((gap.severity, gap.tier, gap.person), gap)
    return [_gap(gap) for gap in first.values()]


def _gap(gap: Gap) -> str:
    of = f" for {gap.service}" if gap.service else ""
    span = f"from {gap.starts:%Y-%m-%d %H:%M} until {gap.ends:%Y-%m-%d %H:%M} UTC"
    return f"not covered: {gap.severity} tier {gap.tier} ({gap.name}){of}, {span}: {gap.why}"


def _rotation(name: str, rotation: dict[str, Any]) -> Iterator[str]:
    people = " and ".join(rotation["people"]) or "nobody"
    replaced = (
        "" if rotation["people"] == rotation["planned"] else f" (planned: {', '.join(rotation['planned']) or 'nobody'})"
    )
    then = [f"{_when(h['at'])} {' and '.join(h['people']) or 'nobody'}" for h in rotation["handovers"][1:]]
    until = f" until {_when(rotation['until'])}" if rotation["until"] else ", with no handover in sight"
    following = (
        f", then {' and '.join(rotation['handovers'][0]['people']) or 'nobody'}" if rotation["handovers"] else ""
    )
    yield f"Rotation {name}: {people}{replaced}{until}{following}."
    if then:
        yield f"  After that: {'; '.join(then)}."
    if test := rotation["test_page"]:
        answered = f"answered {_when(test['answered_at'])}" if test["answered_at"] else "not answered yet"
        yield f"  Test page to {test['person']}: sent {_when(test['sent_at'])}, {answered}."
    if rotation["feed_error"]:
        yield f"  Its calendar cannot be used, the last good copy holds: {rotation['feed_error']}"
    yield from (f"  Its calendar: {said}" for said in (*rotation["feed_problems"], *rotation["feed_notes"]))


def _absence(piece: dict[str, Any]) -> str:
    return f"Away {piece['id']}" if piece["id"] else "Away by the configuration"


def _stretch(piece: dict[str, Any]) -> str:
    why = f" ({piece['why']})" if piece["why"] else ""
    return f" from {_when(piece['starts'])} until {_when(piece['ends'])}{why}"


def _when(instant: str) -> str:
    return _utc(datetime.fromisoformat(instant))


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%A %Y-%m-%d %H:%M} UTC"


def _details(incident: Incident, names: Names) -> list[tuple[str, str]]:
    facts, done, room = incident.facts, incident.resolution, incident.war_room
    cause, workaround = incident.known("root_cause"), incident.known("workaround")
    loss = {True: "data was lost", False: "no data was lost", None: ""}[facts.data_loss]
    return [
        ("Severity", f"{incident.severity} {incident.policy.name}"),
        ("Status", incident.status),
        ("Declared", f"{_second(incident.declared_at)} by {_name(incident.reporter, names)}"),
        ("Detected by", facts.detection),
        ("Service", facts.service),
        ("Impact", (done.final_impact if done else "") or facts.impact),
        ("Data loss", loss),
        ("Description", facts.description),
        *_acknowledgements(incident, names),
        ("Root cause", cause.text if cause else ""),
        ("Cause category", incident.cause_category),
        ("Repeats", incident.repeats),
        ("Workaround", workaround.text if workaround else ""),
        ("Summary", done.summary if done else ""),
        ("Resolution", done.resolution if done else ""),
        ("War room", f"#{room.name}" if room else ""),
        ("Closed", _second(incident.closed_at) if incident.closed_at else ""),
        ("Duration", notices.duration(incident, incident.closed_at) if incident.closed_at else ""),
        ("Review", _review(incident, names)),
        *((name, url) for name, url in incident.service_links),
    ]


def _review(incident: Incident, names: Names) -> str:
    """By when the required review is due, whose it is, and what it lacks; empty once it was held."""
    due = incident.review_by
    if due is None or incident.reviewed:
        return ""
    owner, lacks = owner_of(incident), missing_words(incident)
    whose = f", {_name(owner, names)}" if owner else ""
    return f"due by {_second(due)}{whose}{f'; missing: {lacks}' if lacks else ''}"


def _acknowledgements(incident: Incident, names: Names) -> Iterator[tuple[str, str]]:
    """Who acknowledged each stretch, and how long after its start; where the next one began."""
    for stretch in incident.stretches:
        yield "Acknowledged", _acknowledged(stretch.acknowledgement, stretch.started, names)
        yield "Closed", _second(stretch.closed_at)
    if incident.stretches:
        yield "Reopened", _second(incident.sla_from)
    yield "Acknowledged", _acknowledged(incident.acknowledgement, incident.sla_from, names)


def _acknowledged(by: Signed | None, start: datetime, names: Names) -> str:
    return f"{_second(by.at)} by {_name(by.by, names)}, after {spoken_duration(by.at - start)}" if by else ""


def _name(member: PersonId, names: Names) -> str:
    return title_of(member) or names.get(member, member)


def _second(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _whom(ahead: Upcoming, names: Names) -> str:
    return f" → {plain(people(ahead.people), names)}" if ahead.people else ""


def _entry(incident: Incident, entry: Entry, names: Names) -> list[str]:
    """An entry's lines: its time and headline, the others below."""
    first, *rest = (one_line(plain(line, names)) for line in timeline.entry_lines(incident, entry))
    return [f"  {entry.at:%Y-%m-%d %H:%M:%S}  {first}", *(f"{' ' * 25}{line}" for line in rest)]


def _entry_markdown(incident: Incident, run: list[Entry], names: Names) -> str:
    """One entry, or a run of repeats of pages, as an item of the list; its further lines as items below it."""
    entry = run[0]
    first, *rest = (_escaped(plain(line, names)) for line in timeline.entry_lines(incident, entry) if line)
    if len(run) > 1:
        paged = tuple(dict.fromkeys(person for each in run for person in each.people))
        first = _escaped(f"📟 Paged again {len(run)} times, until {run[-1].at:%H:%M:%S}: {plain(people(paged), names)}")
    items = [f"  - {line.removeprefix('• ')}" for line in rest if line.strip()]
    return "\n".join([f"- {entry.at:%Y-%m-%d %H:%M:%S} — {first}", *items])


def _escaped(text: str) -> str:
    """Escape Markdown and HTML in people's words."""
    return MARKDOWN_SIGNS.sub(r"\\\1", one_line(text))
