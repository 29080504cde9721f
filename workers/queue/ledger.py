"""What happened when, for the objectives: the stream `tocsin:ledger`, each entry a JSON list of records.

What a commit decides is written in its transaction; that the other side accepted something just before that is
recorded on the incident, so that a crash between the two leaves a record too many, which counts once, and never one
too few.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from redis.client import Pipeline

from escalation.engine import checkpoints
from escalation.incident.effects import Alert, Effect, MailOut, PageBy, PostCard, Say, SendPage, Tell
from escalation.incident.events import Delivered
from escalation.incident.model import Checkpoint, Incident, PageState
from escalation.slo import Record, What, encode
from escalation.storage.alarms import Commit
from escalation.storage.store import LEDGER
from workers import metrics
from workers.delivery.plan import SendResult

KEPT = 50_000  # entries, give or take a node of the stream
PAGES = (SendPage, PageBy)
MESSAGES = (*PAGES, Alert, MailOut, PostCard, Say, Tell)
ACKNOWLEDGED_BUCKETS = (60.0, 300.0, 900.0, 1800.0, 3600.0, 14400.0)  # seconds; the policies' targets


def post(pipe: "Pipeline", changes: Sequence[Commit]) -> None:
    """Write down what a commit decides; `pipe` is in its transaction."""
    records = [record for change in changes for record in _decided(change.before, change.after)]
    if records:
        _write(pipe, records)
    for record in records:
        if record.what is What.ACKNOWLEDGED:
            seconds, labels = [record.at - record.since], {"severity": record.kind}
            metrics.add(pipe, "acknowledgement_seconds", seconds, labels, ACKNOWLEDGED_BUCKETS)


def accepted(pipe: "Pipeline", effect: Effect, went: SendResult, at: datetime) -> None:
    """Write down that the other side took a page or a message. Before its outcome is recorded: see above."""
    if isinstance(effect, MESSAGES) and isinstance(went.outcome, Delivered):
        due, mark = effect.at.timestamp(), went.outcome.ts
        taken = Record(What.ACCEPTED, effect.id, effect.kind, due, at.timestamp(), mark=mark, adopted=went.adopted)
        _write(pipe, [taken])


def _write(pipe: "Pipeline", records: Sequence[Record]) -> None:
    pipe.xadd(LEDGER, {"r": encode(records)}, maxlen=KEPT, approximate=True)


def _decided(before: Incident | None, after: Incident) -> Iterator[Record]:
    now = _moment(before, after)
    fired = _fired(before, after, now) if before else []
    for c in fired:
        name = f"{after.id}:{c.id}@{c.due.timestamp()}"
        yield Record(What.FIRED, name, c.kind, c.due.timestamp(), now.timestamp())
    old = {e.id: e for e in before.effects if isinstance(e, PAGES)} if before else {}
    new = {e.id: e for e in after.effects if isinstance(e, PAGES)}
    for page in (e for id, e in new.items() if id not in old):
        due = min((c.due for c in fired), default=page.at)  # of several at once, after an outage, the oldest
        yield Record(What.DECIDED, page.id, page.kind, due.timestamp(), page.at.timestamp())
    for page in old.values():
        if _wanted(page, before) and not (page.id in new and _wanted(page, after)) and not after.copy_of(page.id):
            yield Record(What.CALLED_OFF, page.id, page.kind, page.at.timestamp(), max(now, page.at).timestamp())
    yield from _acknowledged(before, after)


def _wanted(effect: SendPage | PageBy, incident: Incident | None) -> bool:
    """Whether a page that waits still has to go out."""
    page = incident.page(effect.page) if incident and incident.open else None
    return page is not None and page.state is PageState.OPEN and effect.nth >= page.sent


def _moment(before: Incident | None, after: Incident) -> datetime:
    """When it was decided, by what is new; as long ago as can be when nothing is."""
    known = {e.id for e in before.effects} if before else set()
    entries = after.timeline[len(before.timeline) if before else 0 :]
    return max((*(e.at for e in entries), *(e.at for e in after.effects if e.id not in known), after.declared_at))


def _fired(before: Incident, after: Incident, now: datetime) -> list[Checkpoint]:
    """What was due and is gone, other than for being moot."""
    left = {c.id for c in after.checkpoints}
    due = (c for c in before.checkpoints if c.id not in left and c.due <= now)
    return [c for c in due if not (checkpoints.resting(c, before) or checkpoints.moot(c, before))]


def _acknowledged(before: Incident | None, after: Incident) -> Iterator[Record]:
    """An exercise says nothing of how fast people are."""
    said = after.acknowledgement
    if said and not after.drill and not (before and before.acknowledgement):
        due, since = after.acknowledge_by.timestamp(), after.sla_from.timestamp()
        yield Record(
            What.ACKNOWLEDGED, f"{after.id}-{after.round}", after.severity, due, said.at.timestamp(), since=since
        )
