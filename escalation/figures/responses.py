"""Work of people in an incident, from its timeline: from their answer until it is over, silences left out."""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.values import machine_title

SILENCE = timedelta(hours=1)  # for so long after anybody's act work goes on unseen
_BEGINS = frozenset(
    {
        *(EntryKind.ACKNOWLEDGED, EntryKind.JOINED, EntryKind.LEADING, EntryKind.UPDATE, EntryKind.ROOT_CAUSE),
        *(EntryKind.FIX_STARTED, EntryKind.FIX_APPLIED, EntryKind.FIX_FAILED, EntryKind.WORKAROUND, EntryKind.VERIFIED),
    }
)
_ENDS = frozenset({EntryKind.RESOLVED, EntryKind.CANCELLED})


class Response(NamedTuple):
    """Somebody's work in an incident, in epoch seconds: from (inclusive) until (exclusive)."""

    person: str
    starts: float
    ends: float


def responses(incident: Incident) -> tuple[Response, ...]:
    """Return everybody's work in an incident, by time. Of an open one it ends an hour after the last act at most.

    It begins when somebody acknowledges, answers a page or does something to it, and ends when the incident is closed,
    or their part in it goes to others. Where nobody did anything for longer than SILENCE the rest is left out.
    """
    worked = tuple(_worked(incident))
    found = (
        Response(person, max(starts, begun), min(ends, over))
        for person, starts, ends in _present(incident)
        for begun, over in worked
        if max(starts, begun) < min(ends, over)
    )
    return tuple(sorted(found, key=lambda response: (response.starts, response.person)))


def _worked(incident: Incident) -> Iterator[tuple[float, float]]:
    """Yield the stretches in which somebody did something at least each SILENCE."""
    acts = [entry.at.timestamp() for entry in incident.timeline if _is_persons(entry)]
    starts = ends = None
    for act in acts:
        if starts is None or ends is None:
            starts = act
        elif act > ends:
            yield starts, ends
            starts = act
        ends = act + SILENCE.total_seconds()
    if starts is not None and ends is not None:
        yield starts, ends


def _present(incident: Incident) -> Iterator[Response]:
    """Yield the stretches in which somebody takes part."""
    since: dict[str, float] = {}
    for entry in incident.timeline:
        at = entry.at.timestamp()
        gone = set(since) if entry.kind in _ENDS else {_leaves(entry)}
        yield from (Response(person, since.pop(person), at) for person in sorted(gone & set(since)))
        if entry.kind in _BEGINS and _is_persons(entry):
            since.setdefault(entry.by, at)
    yield from (Response(person, at, float("inf")) for person, at in since.items())


def _leaves(entry: Entry) -> str:
    """Whose part in it ends with an entry: they declined, or others hold their role now."""
    if entry.kind is EntryKind.MOVED and entry.fields.get("acknowledged") == "yes":
        return entry.fields.get("from", "")
    return entry.by if entry.kind is EntryKind.DECLINED else ""


def _is_persons(entry: Entry) -> bool:
    return bool(entry.by) and not machine_title(entry.by)
