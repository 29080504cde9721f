"""Read what is due and which parts are alive. The last good copy is kept for when Redis is down."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from redis import RedisError

from escalation.config.company import Company, Directory
from escalation.errors import TooNew
from escalation.incident.model import Incident
from escalation.oncall.roster import Roster, roster
from escalation.oncall.schedule import OncallState
from escalation.processes import PARTS
from escalation.storage import alarms as agenda
from escalation.storage.indexes import ALARMS
from escalation.storage.store import Store

MAX_ALARMS = 1000  # watched, the soonest first


@dataclass(frozen=True)
class Alarm:
    """A member of the alarm set: a checkpoint (`c:INC-…:id`) or a pending effect (`e:INC-…-n`)."""

    member: str
    due: datetime

    @property
    def incident(self) -> str:
        """The incident's id."""
        kind, _, rest = self.member.partition(":")
        return rest.partition(":")[0] if kind == "c" else agenda.incident_of(rest)

    @property
    def checkpoint(self) -> str:
        """The checkpoint's id; empty for an effect."""
        kind, _, rest = self.member.partition(":")
        return rest.partition(":")[2] if kind == "c" else ""

    @property
    def effect(self) -> str:
        """The effect's id; empty for a checkpoint."""
        return "" if self.checkpoint else self.member.partition(":")[2]


class Observer:
    """Read-only view of the state in Redis. `local_clock` is this machine's clock; all times are by the server's."""

    def __init__(self, store: Store, company: Company, local_clock: Callable[[], datetime]) -> None:
        self._store = store
        self._local_clock = local_clock
        self._offset = timedelta(0)
        self._company = company
        self._directory, self._oncall_state = Directory(), OncallState()
        self._incidents: dict[str, tuple[frozenset[str], Incident | None]] = {}
        self._heartbeat_keys: dict[str, str] = {}
        self.reachable = False
        self.alarms: tuple[Alarm, ...] = ()
        self.missing_parts: tuple[str, ...] = ()

    def refresh(self) -> datetime:
        """Read a new copy, or keep the old one while Redis is down. Returns the time by the server's clock."""
        try:
            now = self._store.now()
            self._read()
        except RedisError:
            self.reachable = False
            return self._local_clock() + self._offset
        self.reachable, self._offset = True, now - self._local_clock()
        return now

    def incident(self, alarm: Alarm) -> Incident | None:
        """An alarm's incident as of the last good copy; None when it cannot be read."""
        return self._incidents.get(alarm.incident, (frozenset(), None))[1]

    def is_handled(self, alarm: Alarm) -> bool:
        """True if an alarm has been handled since the copy was read."""
        try:
            fresh = self._get(alarm.incident)
        except RedisError:
            return False
        return fresh is not None and alarm.member not in agenda.alarms(fresh)

    def roster(self, at: datetime) -> Roster:
        """The holders of each role at an instant."""
        return roster(self._company, self._directory, at, self._oncall_state)

    def name(self, person: str) -> str:
        """Somebody's display name; the member id when that is not known."""
        return self._directory.names.get(person, person)

    def address(self, person: str) -> str:
        """Somebody's e-mail address; empty when that is not known."""
        return self._company.mail_of(person, self._directory)

    def _read(self) -> None:
        members: Any = self._store.redis.zrange(ALARMS, 0, MAX_ALARMS - 1, withscores=True)
        alarms = tuple(Alarm(str(m, "utf-8"), datetime.fromtimestamp(at, UTC)) for m, at in members)
        self._directory, self._oncall_state = self._store.directory(), self._store.oncall_state()
        self._read_changed_incidents(alarms)
        self.missing_parts = self._find_missing_parts()
        self.alarms = alarms

    def _read_changed_incidents(self, alarms: tuple[Alarm, ...]) -> None:
        """Read only incidents whose alarms have changed: whatever matters here changes an alarm."""
        members: dict[str, set[str]] = {}
        for alarm in alarms:
            members.setdefault(alarm.incident, set()).add(f"{alarm.member} {alarm.due.timestamp()}")
        incidents = {}
        for incident, now in members.items():
            known = self._incidents.get(incident)
            incidents[incident] = known if known and known[0] == now else (frozenset(now), self._get(incident))
        self._incidents = incidents

    def _get(self, incident: str) -> Incident | None:
        try:
            return self._store.get(incident)
        except (KeyError, ValueError, TooNew):  # not there, broken, of another version
            return None

    def _find_missing_parts(self) -> tuple[str, ...]:
        """The parts that nobody runs. All keys are scanned only when a known heartbeat is gone."""
        redis = self._store.redis
        if set(self._heartbeat_keys) != set(PARTS) or redis.exists(*self._heartbeat_keys.values()) < len(PARTS):
            keys = (str(key, "utf-8") for key in redis.scan_iter("tocsin:alive:*", count=500))
            self._heartbeat_keys = {part: key for key in keys if (part := key.split(":")[2]) in PARTS}
        return tuple(part for part in PARTS if part not in self._heartbeat_keys)
