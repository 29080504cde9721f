"""Ledger for the objectives: the stream `tocsin:ledger`, each entry a JSON list of records.

The records of a commit are written in its transaction. That the other side accepted a send is written just before its
outcome is recorded on the incident, so that a crash between the two leaves a duplicate record, which counts once, and
never a missing one.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from redis.client import Pipeline

from escalation.engine import checkpoints
from escalation.incident.effects import Effect, PagePerson
from escalation.incident.events.outcomes import Delivered, OutcomeEvent
from escalation.incident.model import Incident
from escalation.incident.state.checkpoints import Checkpoint
from escalation.slo import Record, RecordKind, encode
from escalation.storage.alarms import Commit
from escalation.storage.store import LEDGER
from workers import metrics

MAX_ENTRIES = 50_000  # entries, give or take a node of the stream
ACKNOWLEDGED_BUCKETS = (60.0, 300.0, 900.0, 1800.0, 3600.0, 14400.0)  # seconds; the policies' targets


def post(pipe: "Pipeline", changes: Sequence[Commit]) -> None:
    """Write the records of a commit; `pipe` is in its transaction."""
    records = [record for change in changes for record in _records(change)]
    if records:
        _write(pipe, records)
    for record in records:
        if record.what is RecordKind.ACKNOWLEDGED:
            seconds, labels = [record.at - record.since], {"severity": record.kind}
            metrics.add(pipe, "acknowledgement_seconds", seconds, labels, ACKNOWLEDGED_BUCKETS)


def accepted(pipe: "Pipeline", effect: Effect, outcome: OutcomeEvent, at: datetime, *, adopted: bool) -> None:
    """Record that the other side accepted a page or a message. Called before its outcome is recorded: see above."""
    if effect.message and isinstance(outcome, Delivered):
        due = effect.at.timestamp()
        record = Record(
            RecordKind.ACCEPTED, effect.id, effect.kind, due, at.timestamp(), mark=outcome.ts, adopted=adopted
        )
        _write(pipe, [record])


def _write(pipe: "Pipeline", records: Sequence[Record]) -> None:
    pipe.xadd(LEDGER, {"r": encode(records)}, maxlen=MAX_ENTRIES, approximate=True)


def _records(change: Commit) -> Iterator[Record]:
    before, after = change.before, change.after
    now = _decided_at(before, after)
    fired = _fired(before, change, now) if before else []
    for c in fired:
        name = f"{after.id}:{c.id}@{c.due.timestamp()}"
        yield Record(RecordKind.FIRED, name, c.kind, c.due.timestamp(), now.timestamp())
    old = {e.id: e for e in before.effects if isinstance(e, PagePerson)} if before else {}
    new = {e.id: e for e in after.effects if isinstance(e, PagePerson)}
    for page in (e for id, e in new.items() if id not in old):
        due = min((c.due for c in fired), default=page.at)  # of several at once, after an outage, the oldest
        yield Record(RecordKind.DECIDED, page.id, page.kind, due.timestamp(), page.at.timestamp())
    for page in old.values():
        if before and before.page_to_send(page) and not _pending_or_sent(page, after):
            yield Record(RecordKind.CALLED_OFF, page.id, page.kind, page.at.timestamp(), max(now, page.at).timestamp())
    yield from _acknowledged(before, after)


def _pending_or_sent(effect: PagePerson, incident: Incident) -> bool:
    """True if a page is still pending, or has arrived."""
    pending = incident.effect(effect.id) is not None and incident.page_to_send(effect) is not None
    return pending or incident.copy_of(effect.id) is not None


def _decided_at(before: Incident | None, after: Incident) -> datetime:
    """Time at which a commit was decided: the latest time of what is new in it, else of the declaration."""
    known = {e.id for e in before.effects} if before else set()
    entries = after.timeline[len(before.timeline) if before else 0 :]
    return max((*(e.at for e in entries), *(e.at for e in after.effects if e.id not in known), after.declared_at))


def _fired(before: Incident, change: Commit, now: datetime) -> list[Checkpoint]:
    """Checkpoints that fired: due, and gone from the incident without being moot or resting."""
    remaining = {c.id for c in change.after.checkpoints}
    removed = (c for c in before.checkpoints if c.id not in remaining and c.due <= now)
    return [c for c in removed if c.id in change.old.due_checkpoints and not checkpoints.moot(c, before)]


def _acknowledged(before: Incident | None, after: Incident) -> Iterator[Record]:
    """The record of a commit's acknowledgement. None of an exercise: it says nothing of how fast people are."""
    acknowledgement = after.acknowledgement
    if acknowledgement and not after.drill and not (before and before.acknowledgement):
        due, since = after.acknowledge_by.timestamp(), after.sla_from.timestamp()
        yield Record(
            RecordKind.ACKNOWLEDGED,
            f"{after.id}-{after.round}",
            after.severity,
            due,
            acknowledgement.at.timestamp(),
            since=since,
        )
