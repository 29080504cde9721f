"""Retention: remove what is older than the configuration says, and note that in the audit log.

Key: `tocsin:removed` the ids of incidents that were removed: their numbers are missing for a reason. Figures of them
stay, and their place in the list of all that were declared.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from redis import WatchError

from escalation.incident.model import Incident
from escalation.records.retention import Retention
from escalation.reviews.action_items import ItemState
from escalation.storage import indexes
from escalation.storage.action_items import ITEMS, MADE, ActionItems
from escalation.storage.indexes import REVIEWS_HELD, REVIEWS_PRIVATE
from escalation.storage.intake import DROPPED, LOG
from escalation.storage.keeping import audit
from escalation.storage.keeping.audit import AUDIT
from escalation.storage.keeping.packed import settled
from escalation.storage.oncall.pay import FinalPays
from escalation.storage.reviews import canvases
from escalation.storage.reviews.documents import DOCUMENTS, slots_of
from escalation.storage.search import documents
from escalation.storage.store import BATCH, Store

REMOVED = "tocsin:removed"


@dataclass
class Due:
    """What is to be removed: incidents, and how many outcomes of alerts, entries of the audit log, stretches of who was
    on call, and final pay reports.

    `kept` are incidents that would be due, and why they stay.
    """

    incidents: list[str] = field(default_factory=list)
    alerts: int = 0
    audit: int = 0
    oncall: int = 0
    pay: int = 0
    kept: dict[str, str] = field(default_factory=dict)

    @property
    def anything(self) -> bool:
        """True if there is anything to remove."""
        return bool(self.incidents or self.alerts or self.audit or self.oncall or self.pay)

    def __str__(self) -> str:
        said = f"{len(self.incidents)} incidents, {self.alerts} outcomes of alerts, {self.audit} entries of this log"
        on_call = f", {self.oncall} stretches of who was on call" if self.oncall else ""
        return said + on_call + (f", {self.pay} final pay reports" if self.pay else "")


def due(store: Store, rules: Retention, now: datetime) -> Due:
    """Find what is older than the rules allow."""
    found = Due()
    if rules.closed:
        _find_incidents(store, rules, now - rules.closed, found)
    if rules.alerts:
        found.alerts = len(list(_outcomes(store, now - rules.alerts)))
    if rules.audit:
        found.audit = _old_entries(store, now - rules.audit)
    if rules.oncall:
        found.oncall = store.cover.ended_before(now - rules.oncall)
    if rules.pay:
        found.pay = len(FinalPays(store.redis).ended_before(now - rules.pay))
    return found


def remove(store: Store, rules: Retention, now: datetime) -> Due:
    """Remove what is due. What was removed is noted, unless it was nothing."""
    found = due(store, rules, now)
    removed = [incident_id for incident_id in found.incidents if _remove_incident(store, rules, incident_id)]
    found.incidents = removed
    if rules.alerts:
        for stream in (LOG, DROPPED):
            store.redis.xtrim(stream, minid=_millisecond(now - rules.alerts), approximate=False)
    if found.audit:
        store.redis.ltrim(AUDIT, found.audit, -1)
    if rules.oncall and found.oncall:
        store.cover.remove_before(now - rules.oncall)
    if rules.pay and found.pay:
        FinalPays(store.redis).remove_before(now - rules.pay)
    if found.anything:
        audit.note(store.redis, "retention", f"removed {found}: {' '.join(removed)}".rstrip(": "))
    return found


def removed_ids(store: Store) -> frozenset[str]:
    """Return the ids of incidents that were removed."""
    found: Any = store.redis.smembers(REMOVED)
    return frozenset(str(raw, "utf-8") for raw in found)


def _find_incidents(store: Store, rules: Retention, before: datetime, found: Due) -> None:
    declared: Any = store.redis.zrangebyscore(indexes.ALL, "-inf", repr(before.timestamp()))
    gone = removed_ids(store)
    ids = [i for raw in declared if (i := str(raw, "utf-8")) not in gone]
    busy = {item.incident for item in ActionItems(store.redis).all() if item.state is ItemState.OPEN}
    for start in range(0, len(ids), BATCH):
        for incident in store.read(ids[start : start + BATCH]):
            if incident.closed_at is None or incident.closed_at > before:
                continue
            why = _why_kept(incident, rules, busy)
            if why:
                found.kept[incident.id] = why
            else:
                found.incidents.append(incident.id)


def _why_kept(incident: Incident, rules: Retention, busy: set[str]) -> str:
    if incident.id in rules.keep:
        return "it is under legal hold (`retention.keep`)"
    if incident.id in busy:
        return "it has open action items"
    return "" if settled(incident) else "something is still to be done for it"


def _remove_incident(store: Store, rules: Retention, incident_id: str) -> bool:
    """Remove one incident with its review and action items; False if somebody reopened it meanwhile."""
    redis = store.redis
    with redis.pipeline() as pipe:
        pipe.watch(indexes.key(incident_id))  # type: ignore[no-untyped-call]  # redis-py left it untyped
        incident = next(iter(store.read([incident_id])), None)
        if incident is None or not settled(incident):
            return False
        items = [item.id for item in ActionItems(redis).of(incident_id)]
        pipe.multi()
        pipe.delete(indexes.key(incident_id), f"tocsin:review:{incident_id}", canvases.key(incident_id))
        pipe.hdel(MADE, incident_id)
        pipe.hdel(DOCUMENTS, *slots_of(incident_id))
        for looked_at in (REVIEWS_HELD, REVIEWS_PRIVATE):
            pipe.srem(looked_at, incident_id)
        if items:
            pipe.hdel(ITEMS, *items)
        if rooms := indexes.rooms(incident):
            pipe.hdel(indexes.ROOMS, *rooms)
        documents.remove(pipe, incident_id)
        pipe.sadd(REMOVED, incident_id)
        return bool(_executed(pipe))


def _executed(pipe: Any) -> bool:
    try:
        pipe.execute()
    except WatchError:
        return False
    return True


def _outcomes(store: Store, before: datetime) -> Iterator[Any]:
    found: Any = store.redis.xrange(LOG, max=f"({_millisecond(before)}")
    yield from found


def _millisecond(at: datetime) -> int:
    return max(0, int(at.timestamp() * 1000))


def _old_entries(store: Store, before: datetime) -> int:
    stored: Any = store.redis.lrange(AUDIT, 0, -1)
    return sum(datetime.fromisoformat(json.loads(raw)["at"]) < before for raw in stored)
