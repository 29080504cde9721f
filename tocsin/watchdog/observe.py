"""What the watchdog sees: what is due when, and who is alive. It keeps the last good copy for when Redis is gone."""

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

MOST = 1000  # alarms that are watched, the soonest first


@dataclass(frozen=True)
class Alarm:
    """A member of the alarm set: a checkpoint (`c:INC-…:id`) or a pending effect (`e:INC-…-n`)."""

    member: str
    due: datetime

    @property
    def incident(self) -> str:
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
    """Reads, and changes nothing. `own` is this machine's clock; the server's is the one that counts."""

    def __init__(self, store: Store, company: Company, own: Callable[[], datetime]) -> None:
        self._store = store
        self._own = own
        self._ahead = timedelta(0)
        self._company = company
        self._directory, self._duty = Directory(), OncallState()
        self._incidents: dict[str, tuple[frozenset[str], Incident | None]] = {}
        self._signs: dict[str, str] = {}
        self.reachable = False
        self.alarms: tuple[Alarm, ...] = ()
        self.missing: tuple[str, ...] = ()

    def look(self) -> datetime:
        """Take a new copy, or keep the old one while Redis is gone. The time, by the server's clock."""
        try:
            now = self._store.now()
            self._read()
        except RedisError:
            self.reachable = False
            return self._own() + self._ahead
        self.reachable, self._ahead = True, now - self._own()
        return now

    def incident(self, alarm: Alarm) -> Incident | None:
        """As it stood at the last good look; None when it cannot be read."""
        return self._incidents.get(alarm.incident, (frozenset(), None))[1]

    def settled(self, alarm: Alarm) -> bool:
        """Whether somebody has dealt with an alarm since the copy was taken."""
        try:
            fresh = self._get(alarm.incident)
        except RedisError:
            return False
        return fresh is not None and alarm.member not in agenda.alarms(fresh)

    def roster(self, at: datetime) -> Roster:
        """Who holds each role at an instant."""
        return roster(self._company, self._directory, at, self._duty)

    def name(self, person: str) -> str:
        return self._directory.names.get(person, person)

    def address(self, person: str) -> str:
        """Where somebody's mail goes; empty when that is not known."""
        return self._company.mail_of(person, self._directory)

    def _read(self) -> None:
        found: Any = self._store.redis.zrange(ALARMS, 0, MOST - 1, withscores=True)
        alarms = tuple(Alarm(str(m, "utf-8"), datetime.fromtimestamp(at, UTC)) for m, at in found)
        self._directory, self._duty = self._store.directory(), self._store.duty()
        self._keep_incidents(alarms)
        self.missing = self._dead()
        self.alarms = alarms

    def _keep_incidents(self, alarms: tuple[Alarm, ...]) -> None:
        """Read those whose alarms have changed: whatever matters here changes one."""
        members: dict[str, set[str]] = {}
        for alarm in alarms:
            members.setdefault(alarm.incident, set()).add(f"{alarm.member} {alarm.due.timestamp()}")
        kept = {}
        for incident, now in members.items():
            known = self._incidents.get(incident)
            kept[incident] = known if known and known[0] == now else (frozenset(now), self._get(incident))
        self._incidents = kept

    def _get(self, incident: str) -> Incident | None:
        try:
            return self._store.get(incident)
        except (KeyError, ValueError, TooNew):  # not there, broken, of another version
            return None

    def _dead(self) -> tuple[str, ...]:
        """The parts that nobody runs. All keys are only searched when a known sign of life is gone."""
        redis = self._store.redis
        if set(self._signs) != set(PARTS) or redis.exists(*self._signs.values()) < len(PARTS):
            keys = (str(key, "utf-8") for key in redis.scan_iter("tocsin:alive:*", count=500))
            self._signs = {part: key for key in keys if (part := key.split(":")[2]) in PARTS}
        return tuple(part for part in PARTS if part not in self._signs)
