"""Atlassian Statuspage follows the public log: each publication goes there in its order, and what is withdrawn leaves.

Keys: `tocsin:public:statuspage` public id -> id there; `...:trying` public ids whose creation began; `...:done` the
number of the last publication that went; `...:next` when to try again, epoch seconds; `...:lock` one process at a time.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from redis import Redis

from escalation.status_page.publications import Publication
from escalation.status_page.standing import incidents_of
from escalation.storage.problems import Problems
from escalation.storage.public.log import PublicLog
from workers.channels.failures import Failed, Kind
from workers.channels.public.statuspage import StatuspageClient

IDS = "tocsin:public:statuspage"
TRYING, DONE, NEXT, LOCK = f"{IDS}:trying", f"{IDS}:done", f"{IDS}:next", f"{IDS}:lock"
LOCKED_FOR = 60  # seconds: more than the calls of one turn may take
PASSING_WAIT, OURS_WAIT = 5.0, 60.0  # seconds
REFUSED = 422
PROBLEM = "statuspage"


class Mirror:
    """Brings Statuspage up to the log, one publication a turn: it takes one request a second."""

    def __init__(self, redis: Redis, client: StatuspageClient, problems: Problems) -> None:
        self._redis = redis
        self._log = PublicLog(redis)
        self._client = client
        self._problems = problems
        self._components: dict[str, str] | None = None

    def step(self, now: datetime) -> bool:
        """Do what comes next; True if there was something. RedisError passes through."""
        if float(self._redis.get(NEXT) or 0) > now.timestamp() or not self._redis.set(
            LOCK, "1", nx=True, ex=LOCKED_FOR
        ):
            return False
        try:
            did = self._withdraw() or self._publish()
            if did:
                self._problems.clear(PROBLEM)
            return did
        except Failed as failed:
            self._on_failure(failed, now)
            return False
        finally:
            self._redis.delete(LOCK)

    def _withdraw(self) -> bool:
        for public_id in self._log.withdrawn_ids():
            there: Any = self._redis.hget(IDS, public_id)
            if there is None and not self._redis.sismember(TRYING, public_id):
                continue
            if found := str(there, "utf-8") if there else self._client.find(public_id):
                self._client.delete(found)
            self._redis.hdel(IDS, public_id)
            self._redis.srem(TRYING, public_id)
            return True
        return False

    def _publish(self) -> bool:
        done = int(self._redis.get(DONE) or 0)
        log = self._log.publications()
        update = next((p for p in log if p.n > done), None)
        if update is None:
            return False
        try:
            self._send(_as_update(update, log) if update.corrects else update)
        except Failed as failed:
            if failed.error != f"statuspage: {REFUSED}":
                raise
            text, remedy = failed.reason.text, failed.reason.remedy  # those behind it must not wait for it
            self._problems.report(f"{PROBLEM}:refused", text, remedy)
        self._redis.set(DONE, str(update.n))
        return True

    def _send(self, update: Publication) -> None:
        if self._components is None:
            self._components = self._client.components()
        there: Any = self._redis.hget(IDS, update.incident)
        if there is None and self._redis.sismember(TRYING, update.incident):
            there = self._client.find(update.incident).encode() or None  # its reply may have been lost
        if there is None:
            self._redis.sadd(TRYING, update.incident)
            there = self._client.create(update, self._components).encode()
        else:
            self._client.update(str(there, "utf-8"), update, self._components)
        self._redis.hset(IDS, update.incident, there)
        self._redis.srem(TRYING, update.incident)

    def _on_failure(self, failed: Failed, now: datetime) -> None:
        self._components = None
        ours = failed.kind is Kind.OURS
        self._redis.set(NEXT, repr(now.timestamp() + max(failed.wait, OURS_WAIT if ours else PASSING_WAIT)), ex=3600)
        self._problems.report(PROBLEM, failed.reason.text, failed.reason.remedy)


def _as_update(correction: Publication, log: Iterable[Publication]) -> Publication:
    """Return a correction as an update of its own, which Statuspage has none for: in today's status and states."""
    [incident] = incidents_of(p for p in log if p.incident == correction.incident)
    now = {name: getattr(incident.latest, name) for name in ("status", "impact", "components")}
    return correction.model_copy(update={**now, "body": f"Correction: {correction.body}"})
