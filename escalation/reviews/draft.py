"""Draft of a review from an incident's record. Pure: the same incident gives the same draft."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from escalation.config.rules.reviews import ReviewRule, ReviewSection
from escalation.incident.impact import BEGAN, INSTANTS, STATED_BY, impact_times
from escalation.incident.model import Incident
from escalation.incident.noted import told_at
from escalation.incident.state.entries import Entry, EntryKind
from escalation.messages.entries.notices import duration
from escalation.messages.timeline import entry_lines
from escalation.records.holes import holes, spoken_hole
from escalation.reviews.action_items import ActionItem, item_line
from escalation.reviews.model import NOBODY, Generated, Review, Section, Written
from escalation.text import Line, Person, Strong, Time, Verbatim, line, one_line, people
from escalation.times import spoken_duration
from escalation.values import title_of

UNASKED = ReviewRule(within=timedelta())  # the sections of a review that the policy does not ask for
LEFT = "Written in a section that the template of this severity does not have: move it to where it belongs."
Generator = Callable[[Incident], Iterable[Generated]]
_NOT_LISTED = (EntryKind.DRILL_REPORT,)
_WITH_WORDS = frozenset(
    {
        *(EntryKind.UPDATE, EntryKind.ROOT_CAUSE, EntryKind.WORKAROUND, EntryKind.FIX_STARTED, EntryKind.FIX_APPLIED),
        *(EntryKind.FIX_FAILED, EntryKind.VERIFIED, EntryKind.RESOLVED, EntryKind.REVIEWED),
        *(EntryKind.MAIL, EntryKind.DECLINED),
    }
)
_WITH_REASON = frozenset({EntryKind.REOPENED, EntryKind.SEVERITY, EntryKind.SECURITY, EntryKind.CANCELLED})


def draft(incident: Incident, written: Mapping[str, Written], items: Sequence[ActionItem] = ()) -> Review:
    """Draft the review as the incident stands, with people's words by section and its action items.

    Times are by the clocks of the company, as its calendar says.
    """
    rule, zone = incident.policy.review or UNASKED, incident.calendar.timezone
    left = [key for key, words in written.items() if words.text.strip() and key not in rule.sections]
    return Review(
        incident=incident.id,
        title=incident.facts.title,
        private=incident.private,
        due=incident.review_by.astimezone(ZoneInfo(zone)) if incident.review_by else None,
        held=incident.reviewed.at.astimezone(ZoneInfo(zone)) if incident.reviewed else None,
        result=incident.reviewed.text if incident.reviewed else "",
        sections=(
            *(_section(rule, key, incident, items, written.get(key, NOBODY)) for key in rule.sections),
            *(_left(key, written[key]) for key in sorted(left)),
        ),
        **_demand(incident),
    )


def _demand(incident: Incident) -> dict[str, str]:
    """What the policy asks for of an incident that is still open; nothing else needs words."""
    rule = incident.policy.review
    if rule is None or not incident.open or incident.drill:
        return {}
    if incident.review_is_certain:
        return {"demand": f"Due {spoken_duration(incident.scaled(rule.within))} after the resolution."}
    return {"demand": "Whether the policy asks for a review is known at the resolution."}


def _section(rule: ReviewRule, key: str, incident: Incident, items: Sequence[ActionItem], words: Written) -> Section:
    """A section of the policy's template, with the record of each that it shows."""
    lines = [each for part in rule.record_of(key) for each in (*_GENERATED[part](incident), *_items(part, items))]
    return Section(key, rule.title_of(key), rule.question_of(key), _local(lines, incident.calendar.timezone), words)


def _left(key: str, words: Written) -> Section:
    """Words in a section that the template does not have, or no more: nobody's words are dropped."""
    title = UNASKED.title_of(key) or key.replace("_", " ").capitalize()
    return Section(key, title, LEFT, (), words, left=True)


def _local(lines: Iterable[Generated], zone: str) -> tuple[Generated, ...]:
    """Lines with every time in a zone."""
    return tuple(
        Generated(tuple(replace(s, zone=zone) if isinstance(s, Time) else s for s in each.line), each.entry)
        for each in lines
    )


def _summary(incident: Incident) -> Iterator[Generated]:
    declared, resolved = _first(incident, EntryKind.DECLARED), incident.latest(EntryKind.RESOLVED)
    what = f"{incident.severity} - {incident.policy.name}"
    service = f", service {incident.facts.service}" if incident.facts.service else ""
    by = _who(declared) if declared else Person(incident.reporter)
    yield Generated(
        line(Strong(what), service, ", declared ", Time(incident.declared_at, clock=False), " by ", by), _born(incident)
    )
    if acknowledged := _first(incident, EntryKind.ACKNOWLEDGED):
        after = spoken_duration(acknowledged.at - incident.declared_at)
        yield Generated(line("Acknowledged by ", _who(acknowledged), f" {after} after the declaration"), acknowledged.n)
    if resolved:
        lasted = duration(incident, resolved.at)
        yield Generated(line("Resolved by ", _who(resolved), f" after {lasted}"), resolved.n)
    if resolved and incident.resolution:
        yield Generated(line(incident.resolution.summary), resolved.n)


def _timeline(incident: Incident) -> Iterator[Generated]:
    """Every entry; what is missing is said first."""
    for hole in holes((entry.n for entry in incident.timeline), incident.chain.length):
        yield Generated(line(f"{spoken_hole(hole)} `tocsin verify` says more."), 0)
    for at, said, n in headlines(incident, incident.timeline):
        yield Generated(line(Time(at, seconds=True), " ", *said), n)


def headlines(incident: Incident, entries: Iterable[Entry]) -> Iterator[tuple[datetime, Line, int]]:
    """Yield entries as time, headline and number, as things happened; repeats of a page in a row are one."""
    repeats: list[Entry] = []
    for entry in sorted(entries, key=told_at):
        if entry.kind is EntryKind.REPEATED:
            repeats.append(entry)
            continue
        yield from _repeats(repeats)
        repeats = []
        headline = headline_of(incident, entry)
        if headline and entry.kind not in _NOT_LISTED:
            yield told_at(entry), headline, entry.n
    yield from _repeats(repeats)


def headline_of(incident: Incident, entry: Entry) -> Line:
    """An entry in one line, with what its author said; of a message from a template only that, not its heading."""
    reason = entry.why if entry.kind in _WITH_REASON and entry.by and not title_of(entry.by) else ""
    words = entry.text if entry.kind in _WITH_WORDS and entry.text else reason
    said: Line = (": ", Verbatim(one_line(words))) if words else ()
    match entry.kind:
        case EntryKind.DECLARED:
            return line(
                "🚨 ", Strong("Declared"), " by ", _who(entry), ": ", Verbatim(incident.as_of(entry).facts.title)
            )
        case EntryKind.UPDATE:
            return line("🔄 ", Strong("Update"), " by ", _who(entry), *said)
        case EntryKind.RESOLVED:
            return line("✅ ", Strong("Resolved"), " by ", _who(entry), *said)
        case EntryKind.DECLINED if said:
            return line("🙅 ", Strong("Can't take it"), ": ", _who(entry), *said)
        case _:
            head = next(iter(entry_lines(incident, entry)), ())
            return (*_without_stop(head), *said) if said else head


def _without_stop(head: Line) -> Line:
    """Cut the full stop behind which words follow."""
    *before, last = head
    return (*before, last.removesuffix(".")) if isinstance(last, str) else head


def _repeats(entries: list[Entry]) -> Iterator[tuple[datetime, Line, int]]:
    if entries:
        paged = tuple(dict.fromkeys(person for each in entries for person in each.people))
        times = "Paged again" if len(entries) == 1 else f"Paged again {len(entries)} times"
        yield entries[0].at, line(f"{times}: ", *people(paged)), entries[0].n


def _root_cause(incident: Incident) -> Iterator[Generated]:
    yield from _entries(incident, EntryKind.ROOT_CAUSE, EntryKind.WORKAROUND)
    if incident.cause_category:
        yield Generated(line("Cause category: ", Verbatim(incident.cause_category)), _categorised(incident))
    yield from _entries(incident, EntryKind.RECURRED, EntryKind.PREVENTION)


def _categorised(incident: Incident) -> int:
    """Return the entry that the category came with: the root cause, the resolution, or the review's plan."""
    said = (e for e in reversed(incident.timeline) if e.fields.get("category") == incident.cause_category)
    return next((entry.n for entry in said), _born(incident))


def _impact(incident: Incident) -> Iterator[Generated]:
    facts, resolved = incident.facts, incident.latest(EntryKind.RESOLVED)
    if incident.resolution and incident.resolution.final_impact and resolved:
        yield Generated(line(incident.resolution.final_impact), resolved.n)
    elif facts.impact:
        edited = incident.latest(EntryKind.EDITED)
        yield Generated(line(facts.impact), edited.n if edited else _born(incident))
    loss = incident.resolution.data_loss if incident.resolution else facts.data_loss
    if loss is not None:
        said = "Data was lost." if loss else "No data was lost."
        yield Generated(line(said), resolved.n if incident.resolution and resolved else _born(incident))
    yield from _entries(incident, EntryKind.SECURITY, EntryKind.SEVERITY)
    yield from _times(incident)


def _times(incident: Incident) -> Iterator[Generated]:
    """When the impact began, was detected and ended, each as it was stated last, and how long that took."""
    known = impact_times(incident)
    for name, said in INSTANTS.items():
        if (at := known.get(name)) is None:
            continue
        since = at - known.get(BEGAN, at)
        took = f", {spoken_duration(since)} after it began" if since > timedelta() else ""
        stated = next(e.n for e in reversed(incident.timeline) if e.kind in STATED_BY and e.fields.get(name))
        yield Generated(line(f"{said} ", Time(at), f"{took}."), stated)


def _resolution(incident: Incident) -> Iterator[Generated]:
    kinds = (EntryKind.FIX_STARTED, EntryKind.FIX_APPLIED, EntryKind.FIX_FAILED, EntryKind.MONITORED)
    yield from _entries(incident, *kinds)
    resolved = incident.latest(EntryKind.RESOLVED)
    if resolved and incident.resolution:
        yield Generated(line("Resolution: ", incident.resolution.resolution), resolved.n)
        if incident.resolution.verification:
            yield Generated(line("Verification: ", incident.resolution.verification), resolved.n)


def _went_well(incident: Incident) -> Iterator[Generated]:
    """What was in time."""
    acknowledged, resolved = _first(incident, EntryKind.ACKNOWLEDGED), incident.latest(EntryKind.RESOLVED)
    if acknowledged and (by := incident.as_of(acknowledged).acknowledge_by) >= acknowledged.at:
        yield Generated(line("Acknowledged in time, ", _margin(by - acknowledged.at, "before"), "."), acknowledged.n)
    if resolved and (by := incident.resolve_by) >= resolved.at:
        yield Generated(line("Resolved in time, ", _margin(by - resolved.at, "before"), "."), resolved.n)


def _improve(incident: Incident) -> Iterator[Generated]:
    """What was late, missed, or took another try."""
    acknowledged, resolved = _first(incident, EntryKind.ACKNOWLEDGED), incident.latest(EntryKind.RESOLVED)
    if acknowledged and (by := incident.as_of(acknowledged).acknowledge_by) < acknowledged.at:
        yield Generated(line("Acknowledged late, ", _margin(acknowledged.at - by, "after"), "."), acknowledged.n)
    if resolved and incident.resolve_by < resolved.at:
        yield Generated(line("Resolved late, ", _margin(resolved.at - incident.resolve_by, "after"), "."), resolved.n)
    late = (EntryKind.SKIPPED, EntryKind.REFUSED, EntryKind.NOBODY_LEFT, EntryKind.DECLINED, EntryKind.OVERDUE)
    yield from _entries(incident, *late, EntryKind.FIX_FAILED, EntryKind.REOPENED, EntryKind.TROUBLE)


def _actions(incident: Incident) -> Iterator[Generated]:
    resolved = incident.latest(EntryKind.RESOLVED)
    if resolved and incident.resolution and incident.resolution.next_steps:
        for step in filter(None, map(str.strip, incident.resolution.next_steps.splitlines())):
            yield Generated(line(step), resolved.n)
    if incident.runbook:
        yield Generated(line("Runbook: ", incident.runbook, ". Was it updated?"), _born(incident))
    for name, address in incident.links.items():
        yield Generated(line(Verbatim(name), ": ", address), _born(incident))


def _items(key: ReviewSection, items: Sequence[ActionItem]) -> Iterator[Generated]:
    """Action items, which have numbers of their own in place of an entry; commitments stand before ideas."""
    if key is ReviewSection.ACTIONS:
        yield from (Generated(item_line(item), 0) for item in sorted(items, key=lambda i: not i.commitment))


def _nothing(incident: Incident) -> Iterator[Generated]:
    yield from ()


_GENERATED: dict[ReviewSection, Generator] = {
    ReviewSection.SUMMARY: _summary,
    ReviewSection.TIMELINE: _timeline,
    ReviewSection.ROOT_CAUSE: _root_cause,
    ReviewSection.IMPACT: _impact,
    ReviewSection.RESOLUTION: _resolution,
    ReviewSection.WENT_WELL: _went_well,
    ReviewSection.IMPROVE: _improve,
    ReviewSection.PREVENTIVE: _nothing,
    ReviewSection.PROCESS: _nothing,
    ReviewSection.ACTIONS: _actions,
    ReviewSection.LESSONS: _nothing,
    ReviewSection.PUBLIC: _nothing,
}


def _entries(incident: Incident, *kinds: EntryKind) -> Iterator[Generated]:
    """Entries of these kinds, each in one line."""
    for entry in incident.timeline:
        if entry.kind in kinds and (said := headline_of(incident, entry)):
            yield Generated(said, entry.n)


def _first(incident: Incident, kind: EntryKind) -> Entry | None:
    return next((entry for entry in incident.timeline if entry.kind is kind), None)


def _born(incident: Incident) -> int:
    """Return the entry of the declaration, with which the facts came; 0 where it is missing."""
    declared = _first(incident, EntryKind.DECLARED)
    return declared.n if declared else 0


def _who(entry: Entry) -> Person | str:
    return Person(entry.by) if entry.by else "Tocsin"


def _margin(length: timedelta, side: str) -> str:
    return f"{spoken_duration(length)} {side} the policy's limit"


def due_line(review: Review) -> Line:
    """Line about the due time of a review."""
    return line("Due by ", Time(review.due, clock=False)) if review.due else line(review.demand)
