"""An incident as text for a terminal, as JSON for scripts, as Markdown for a document. A private one has no words."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from bot.render.mrkdwn import plain
from escalation.engine.upcoming import Upcoming
from escalation.incident.model import Entry, Incident
from escalation.messages import timeline
from escalation.oncall.coverage import Gap
from escalation.text import people

PRIVATE = "private incident"
INTERNAL = {"version", "stamp", "effects", "lanes", "keys", "copies", "made", "policy"}
Names = Mapping[str, str]
MARKDOWN_SIGNS = re.compile(r"([\\`*_\[\]<>|#])")


def summary(incident: Incident) -> dict[str, Any]:
    """One line of a list, for scripts. A private incident has no words."""
    seen = {
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
    return seen | words


def facts(incident: Incident) -> dict[str, Any]:
    """Everything that people may want to know about an incident, without its machinery."""
    return incident.model_dump(mode="json", exclude=INTERNAL)


def row(incident: Incident, names: Names) -> tuple[str, ...]:
    signed = incident.acknowledgement
    return (
        incident.id,
        incident.severity,
        incident.status,
        f"{incident.declared_at:%Y-%m-%d %H:%M:%S}",
        "" if not signed else "yes" if incident.private else names.get(signed.by, signed.by),
        PRIVATE if incident.private else incident.facts.title,
    )


def foretold(ahead: Upcoming) -> dict[str, Any]:
    return {"due": ahead.due.isoformat(), "why": ahead.why, "tiers": ahead.tiers, "people": ahead.people}


def told(incident: Incident, ahead: tuple[Upcoming, ...], names: Names) -> list[str]:
    """An incident as lines of text."""
    coming = [f"  {u.due:%H:%M:%S} UTC  {u.why}{_whom(u, names)}" for u in ahead]
    told = [line for entry in incident.timeline for line in _entry(incident, entry, names)]
    title = one_line(incident.facts.title)
    head = f"{incident.id}  {incident.severity} {incident.policy.name}  {incident.status}  {title}"
    return [head, "", "Next:", *(coming or ["  nothing"]), "", "Timeline (UTC):", *told]


def markdown(incident: Incident, names: Names) -> str:
    """An incident as a document: its facts, then the whole timeline, the resolution included."""
    stated = [f"- **{name}:** {_escaped(text)}" for name, text in _stated(incident, names) if text]
    entries = [f"- {e.at:%Y-%m-%d %H:%M:%S} — {_entry_markdown(incident, e, names)}" for e in incident.timeline]
    title = _escaped(incident.facts.title)
    return "\n".join([f"# {incident.id}: {title}", "", *stated, "", "## Timeline (UTC)", "", *entries])


def on_call(found: dict[str, Any]) -> list[str]:
    """Rotations, overrides and absences as lines of text, from what `tocsin oncall --json` prints."""
    rotations = [line for name, turn in found["rotations"].items() for line in _rotation(name, turn)]
    overrides = [f"Override {o['id']}: {o['person']} in {o['rotation']}{_stretch(o)}" for o in found["overrides"]]
    away = [f"{_absence(a)}: {a['person']}{_stretch(a)}" for a in found["away"]]
    return [one_line(line) for line in (*rotations, *overrides, *away)]


def coverage(gaps: tuple[Gap, ...]) -> list[str]:
    """The first gap of each tier of each severity, a line each."""
    first: dict[tuple[str, int], Gap] = {}
    for gap in gaps:
        first.setdefault((gap.severity, gap.tier), gap)
    return [_gap(gap) for gap in first.values()]


def _gap(gap: Gap) -> str:
    of = f" for {gap.service}" if gap.service else ""
    span = f"from {gap.starts:%Y-%m-%d %H:%M} until {gap.ends:%Y-%m-%d %H:%M} UTC"
    return f"not covered: {gap.severity} tier {gap.tier} ({gap.name}){of}, {span}: {gap.why}"


def _rotation(name: str, turn: dict[str, Any]) -> Iterator[str]:
    people = " and ".join(turn["people"]) or "nobody"
    stands_in = "" if turn["people"] == turn["planned"] else f" (planned: {', '.join(turn['planned']) or 'nobody'})"
    then = [f"{_when(h['at'])} {' and '.join(h['people']) or 'nobody'}" for h in turn["handovers"][1:]]
    until = f" until {_when(turn['until'])}" if turn["until"] else ", with no handover in sight"
    following = f", then {' and '.join(turn['handovers'][0]['people']) or 'nobody'}" if turn["handovers"] else ""
    yield f"Rotation {name}: {people}{stands_in}{until}{following}."
    if then:
        yield f"  After that: {'; '.join(then)}."
    if test := turn["test_page"]:
        heard = f"answered {_when(test['answered_at'])}" if test["answered_at"] else "not answered yet"
        yield f"  Test page to {test['person']}: sent {_when(test['sent_at'])}, {heard}."
    if turn["feed_error"]:
        yield f"  Its calendar cannot be read, the last good copy holds: {turn['feed_error']}"


def _absence(piece: dict[str, Any]) -> str:
    return f"Away {piece['id']}" if piece["id"] else "Away by the configuration"


def _stretch(piece: dict[str, Any]) -> str:
    why = f" ({piece['why']})" if piece["why"] else ""
    return f" from {_when(piece['starts'])} until {_when(piece['ends'])}{why}"


def _when(instant: str) -> str:
    return f"{datetime.fromisoformat(instant).astimezone(UTC):%A %Y-%m-%d %H:%M} UTC"


def one_line(text: str) -> str:
    """Control characters must neither break a line nor move a terminal's cursor."""
    return "".join(c if c.isprintable() else " " for c in text)


def _stated(incident: Incident, names: Names) -> list[tuple[str, str]]:
    said, signed = incident.facts, incident.acknowledgement
    return [
        ("Severity", f"{incident.severity} {incident.policy.name}"),
        ("Status", incident.status),
        (
            "Declared",
            f"{incident.declared_at:%Y-%m-%d %H:%M:%S} UTC by {names.get(incident.reporter, incident.reporter)}",
        ),
        ("Detected by", said.detection),
        ("Service", said.service),
        ("Impact", said.impact),
        ("Description", said.description),
        ("Acknowledged", f"{signed.at:%Y-%m-%d %H:%M:%S} UTC by {names.get(signed.by, signed.by)}" if signed else ""),
        ("Root cause", incident.root_cause.text if incident.root_cause else ""),
        ("Closed", f"{incident.closed_at:%Y-%m-%d %H:%M:%S} UTC" if incident.closed_at else ""),
    ]


def _whom(ahead: Upcoming, names: Names) -> str:
    return f" → {plain(people(ahead.people), names)}" if ahead.people else ""


def _entry(incident: Incident, entry: Entry, names: Names) -> list[str]:
    """An entry's lines: its time and headline, the others below."""
    first, *rest = (one_line(plain(line, names)) for line in timeline.tell(incident, entry))
    return [f"  {entry.at:%Y-%m-%d %H:%M:%S}  {first}", *(f"{' ' * 25}{line}" for line in rest)]


def _entry_markdown(incident: Incident, entry: Entry, names: Names) -> str:
    first, *rest = (_escaped(plain(line, names)) for line in timeline.tell(incident, entry))
    return "\n".join([first, *(f"  - {line}" for line in rest)])


def _escaped(text: str) -> str:
    """People's words are words: they format nothing and bring no HTML."""
    return MARKDOWN_SIGNS.sub(r"\\\1", one_line(text))
