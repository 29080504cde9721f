"""Atlassian Statuspage follows the public log: each publication goes there in its order, and what is withdrawn leaves.

Planned maintenance is planned there too. It begins and ends there by itself, so that it does while nobody of us lives.

Keys: `tocsin:public:statuspage` public id -> id there, of maintenance too; `...:trying` public ids whose creation
began; `...:harmed` public id -> names of the components that it ever named there, as JSON; `...:done` the number of the
last publication that went; `...:over` maintenance that nothing is left to do about, `...:begun` that whose beginning
hides no open incident any more; `...:next` when to try again, epoch seconds; `...:lock` one process at a time.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from escalation.config.status_page import Maintenance
from escalation.status_page.maintenance import Phase, phase_of, window_id
from escalation.status_page.publications import Publication
from escalation.status_page.standing import incidents_of, intervals, shown_state
from escalation.storage.problems import Problems
from escalation.storage.public.log import PublicLog
from escalation.storage.public.maintenance import PlannedMaintenance
from workers.channels.failures import Failed, Kind
from workers.channels.public.statuspage import StatuspageClient
from workers.delivery.problems import remedy_of

IDS = "tocsin:public:statuspage"
TRYING, HARMED, DONE = (f"{IDS}:{name}" for name in ("trying", "harmed", "done"))
OVER, BEGUN, NEXT, LOCK = (f"{IDS}:{name}" for name in ("over", "begun", "next", "lock"))
LOCKED_FOR = 60  # seconds: more than the calls of one turn may take
PASSING_WAIT, OURS_WAIT = 5.0, 60.0  # seconds
TURNS_WITHIN = timedelta(minutes=2)  # until Statuspage has begun or ended maintenance by itself
GONE, REFUSED = 404, 422
PROBLEM = "statuspage"


class Mirror:
    """Brings Statuspage up to the log, one publication a turn: it takes one request a second.

    `configured` is the maintenance of the configuration.
    """

    def __init__(
        self, redis: Redis, client: StatuspageClient, problems: Problems, configured: Sequence[Maintenance] = ()
    ) -> None:
        self._redis = redis
        self._log = PublicLog(redis)
        self._planned = PlannedMaintenance(redis)
        self._configured = configured
        self._client = client
        self._problems = problems
        self._components: dict[str, str] | None = None

    def step(self, now: datetime) -> bool:
        """Do what comes next; True if there was something. RedisError passes through."""
        if float(self._redis.get(NEXT) or 0) > now.timestamp() or not self._redis.set(
            LOCK, "1", nx=True, ex=LOCKED_FOR
        ):
            return False
        self._components = None  # they may have been made, renamed or made anew there since the last turn
        try:
            did = self._withdraw(now) or self._publish(now) or self._maintain(now)
            if did:
                self._problems.clear(PROBLEM)
            return did
        except Failed as failed:
            self._on_failure(failed, now)
            return False
        finally:
            self._redis.delete(LOCK)

    def _withdraw(self, now: datetime) -> bool:
        for public_id in self._log.withdrawn_ids():
            if not (self._redis.hexists(IDS, public_id) or self._redis.sismember(TRYING, public_id)):
                continue
            if found := self._there(public_id):
                self._heal(public_id, found, now)
                self._client.delete(found)
            self._redis.hdel(IDS, public_id)
            self._redis.hdel(HARMED, public_id)
            self._redis.srem(TRYING, public_id)
            return True
        return False

    def _heal(self, public_id: str, there: str, now: datetime) -> None:
        """State what holds without an incident for the components that it had named: with it they would stay down."""
        raw: Any = self._redis.hget(HARMED, public_id)
        if not (states := self._states(json.loads(raw or "[]"), now)):
            return
        try:
            self._client.restate(there, states)
        except Failed as failed:
            if failed.error != f"statuspage: {GONE}":  # somebody deleted it there
                raise

    def _maintain(self, now: datetime) -> bool:
        """Do what comes next for planned maintenance; True if there was something."""
        for window in self._planned.all(self._configured):
            mark = f"maintenance-{window_id(window)}"
            if self._redis.sismember(OVER, mark):
                continue
            try:
                did = self._bring_up(window, mark, now)
            except Failed as failed:
                self._report_refusal(failed)
                self._redis.sadd(OVER, mark)
                did = True
            if did:
                return True
        return False

    def _bring_up(self, window: Maintenance, mark: str, now: datetime) -> bool:
        was_known = self._redis.hexists(IDS, mark)
        phase, there = phase_of(window, now), self._there(mark)
        if phase in (Phase.SCHEDULED, Phase.IN_PROGRESS):
            begun = phase is Phase.IN_PROGRESS
            if not there:
                self._redis.sadd(TRYING, mark)
                states = self._states(window.components, now) if begun else None
                self._know(mark, self._client.plan(window, mark, self._ids(), states))
            elif begun and now >= window.starts + TURNS_WITHIN and not self._redis.sismember(BEGUN, mark):
                self._restate(window, now)
                self._redis.sadd(BEGUN, mark)
            return not was_known
        if there and phase is Phase.CANCELLED:
            self._client.call_off(there, self._states(window.components, now))
        elif there and now < window.ends + TURNS_WITHIN:
            return False
        elif there:
            self._restate(window, now)
        self._redis.sadd(OVER, mark)
        return True

    def _restate(self, window: Maintenance, now: datetime) -> None:
        """State what an open incident says of components that Statuspage itself changed at a beginning or an end."""
        for incident in incidents_of(self._log.publications()):
            harmed = [name for name in window.components if name in incident.latest.components]
            if incident.open and harmed and (there := self._there(incident.id)):
                self._client.restate(there, self._states(harmed, now))

    def _states(self, components: Iterable[str], now: datetime, upto: int | None = None) -> dict[str, str]:
        """The states of components by their ids there, as all incidents together were published `upto` a number."""
        log = (p for p in self._log.publications() if upto is None or p.n <= upto)
        known, ids = intervals(incidents_of(log)), self._ids()
        windows = self._planned.all(self._configured)
        return {ids[name]: shown_state(name, known, windows, now) for name in components if name in ids}

    def _publish(self, now: datetime) -> bool:
        done = int(self._redis.get(DONE) or 0)
        log = self._log.publications()
        update = next((p for p in log if p.n > done), None)
        if update is None:
            return False
        try:
            self._send(_as_update(update, log) if update.corrects else update, now)
        except Failed as failed:
            self._report_refusal(failed)
        self._redis.set(DONE, str(update.n))
        return True

    def _send(self, update: Publication, now: datetime) -> None:
        raw: Any = self._redis.hget(HARMED, update.incident)
        named = sorted({*json.loads(raw or "[]"), *update.components})
        self._redis.hset(HARMED, update.incident, json.dumps(named))
        states = self._states(named, now, update.n)
        if there := self._there(update.incident):
            self._client.update(there, update, self._ids(), states)
        else:
            self._redis.sadd(TRYING, update.incident)
            self._know(update.incident, self._client.create(update, self._ids(), states))

    def _ids(self) -> dict[str, str]:
        """The ids of the components there, by name; read once a turn."""
        if self._components is None:
            self._components = self._client.components()
        return self._components

    def _there(self, mark: str) -> str:
        """The id there of what has this mark of ours; empty if it is not there. The reply may have been lost."""
        raw: Any = self._redis.hget(IDS, mark)
        if raw is None and self._redis.sismember(TRYING, mark) and (found := self._client.find(mark)):
            self._know(mark, found)
            return found
        return str(raw, "utf-8") if raw else ""

    def _know(self, mark: str, there: str) -> None:
        self._redis.hset(IDS, mark, there)
        self._redis.srem(TRYING, mark)

    def _report_refusal(self, failed: Failed) -> None:
        """Name what Statuspage finds invalid, for a person to publish: what is behind it must not wait for it."""
        if failed.error != f"statuspage: {REFUSED}":
            raise failed
        self._problems.report(f"{PROBLEM}:refused", failed.reason.text, failed.reason.remedy)

    def _on_failure(self, failed: Failed, now: datetime) -> None:
        ours = failed.kind is Kind.OURS
        self._redis.set(NEXT, repr(now.timestamp() + max(failed.wait, OURS_WAIT if ours else PASSING_WAIT)), ex=3600)
        self._problems.report(PROBLEM, failed.reason.text, remedy_of(failed, "Statuspage"))


def _as_update(correction: Publication, log: Iterable[Publication]) -> Publication:
    """Return a correction as an update of its own, which Statuspage has none for: in today's status and states."""
    [incident] = incidents_of(p for p in log if p.incident == correction.incident)
    now = {name: getattr(incident.latest, name) for name in ("status", "impact", "components")}
    return correction.model_copy(update={**now, "name": incident.name, "body": f"Correction: {correction.body}"})
