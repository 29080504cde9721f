"""Find what did not happen in time, and notify operators and people once each, without Slack."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from tocsin.watchdog import notices
from tocsin.watchdog.notices import Notice
from tocsin.watchdog.observe import Alarm, Observer
from workers.channels.failures import Failed, Kind, back_off
from workers.channels.pagerduty import PagerDutyClient
from workers.channels.smtp import MailClient

HEARTBEAT_EVERY = timedelta(minutes=1)
KEEP_FOR = timedelta(days=30)
MAX_LISTED = 10  # upcoming checkpoints, when everything is down

log = structlog.get_logger()


class Memory:
    """Notices sent and alerts open, kept in a JSON file: a restarted watchdog sends nothing twice."""

    def __init__(self, path: Path) -> None:
        self._path = path
        known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        self.sent: dict[str, float] = known.get("told", {})
        self.alerted: list[str] = known.get("alerted", [])
        self.down: float | None = known.get("down")
        self.down_sent: bool = known.get("down_told", False)

    def save(self) -> None:
        """Write the file atomically."""
        fields = {"told": self.sent, "alerted": self.alerted, "down": self.down, "down_told": self.down_sent}
        fresh = self._path.with_name(f"{self._path.name}.new")
        fresh.write_text(json.dumps(fields))
        fresh.replace(self._path)

    def record(self, name: str, now: datetime) -> None:
        """Record a send, and forget those older than KEEP_FOR."""
        old = (now - KEEP_FOR).timestamp()
        self.sent = {n: at for n, at in self.sent.items() if at > old} | {name: now.timestamp()}
        self.save()


class Notifier:
    """Send notices by mail to `to` and to PagerDuty; a send that failed is retried alone."""

    def __init__(
        self, mail: MailClient | None, to: Sequence[str], pagerduty: PagerDutyClient | None, memory: Memory
    ) -> None:
        self._mail = mail
        self._to = tuple(to)
        self._pagerduty = pagerduty
        self._memory = memory
        self._failures: dict[str, tuple[int, datetime]] = {}

    def send(self, notice: Notice, addresses: Sequence[str], now: datetime) -> bool:
        """Send a notice. True once every send of it has succeeded or was refused for good."""
        results = [self._send_once(f"{notice.key} {to}", send, now) for to, send in self._sends(notice, addresses)]
        return all(results)

    def resolve(self, dedup: str) -> None:
        """Resolve an alert in PagerDuty; Failed when that is refused."""
        if self._pagerduty:
            self._pagerduty.resolve(dedup)

    def _sends(self, notice: Notice, addresses: Sequence[str]) -> Iterator[tuple[str, Callable[[], None]]]:
        """The sends of a notice. Each address gets its own mail, so that a refused one fails alone."""
        mail, pagerduty = self._mail, self._pagerduty
        if mail:
            for address in dict.fromkeys((*self._to, *addresses)):
                yield address, partial(mail.send, [address], notice.mail, notice.key)
        if pagerduty and notice.resolves:
            yield "pagerduty", partial(pagerduty.resolve, notice.dedup)
        elif pagerduty:
            summary = notice.mail.subject
            yield "pagerduty", partial(pagerduty.trigger, notice.dedup, summary, notice.severity, notice.at)

    def _send_once(self, name: str, send: Callable[[], None], now: datetime) -> bool:
        times, retry_at = self._failures.get(name, (0, now))
        if name in self._memory.sent or now < retry_at:
            return name in self._memory.sent
        try:
            send()
        except Failed as failed:
            log.error("sending notice failed", what=name, error=failed.error)
            if failed.kind is not Kind.PERSON:
                wait = timedelta(seconds=back_off(failed, times + 1))
                self._failures[name] = (times + 1, now + wait)
                return False
        self._memory.record(name, now)
        return True


class Watchdog:
    """One check at each call. `heartbeat` pings the dead man's switch outside while nothing is wrong."""

    def __init__(
        self,
        observer: Observer,
        notifier: Notifier,
        memory: Memory,
        limit: timedelta,
        heartbeat: Callable[[], None] | None = None,
    ) -> None:
        self._observer = observer
        self._notifier = notifier
        self._memory = memory
        self._limit = limit
        self._heartbeat = heartbeat
        self._last_heartbeat: datetime | None = None

    def check(self) -> list[str]:
        """Check everything and send notices. Returns the problems, a line each."""
        now = self._observer.refresh()
        problems = [*self._outage(now), *self._overdue(now)]
        if not problems:
            self._send_heartbeat(now)
        return problems

    # Tocsin as a whole -----------------------------------------------------------------------------------------------

    def _outage(self, now: datetime) -> list[str]:
        why = self._why_down()
        if why:
            return self._report_down(why, now)
        return self._report_recovery(now)

    def _why_down(self) -> str:
        if not self._observer.reachable:
            return "Redis cannot be reached"
        missing = self._observer.missing_parts
        return f"No worker runs the part {', '.join(missing)}" if missing else ""

    def _report_down(self, why: str, now: datetime) -> list[str]:
        memory = self._memory
        if memory.down is None:
            memory.down, memory.down_sent = now.timestamp(), False
            memory.save()
        since = datetime.fromtimestamp(memory.down, UTC)
        if now - since < self._limit:
            return [why]
        memory.down_sent = True
        ahead = tuple(a for a in self._observer.alarms if a.checkpoint)[:MAX_LISTED]
        sent = self._notifier.send(notices.down(why, since, ahead), (), now)
        return [why] if sent else [why, "not everybody could be told of that"]

    def _report_recovery(self, now: datetime) -> list[str]:
        memory = self._memory
        if memory.down is None:
            return []
        since = datetime.fromtimestamp(memory.down, UTC)
        if memory.down_sent and not self._notifier.send(notices.recovered(since, now), (), now):
            return ["not everybody could be told that Tocsin is back"]
        memory.down, memory.down_sent = None, False
        memory.save()
        return []

    # Single checkpoints ----------------------------------------------------------------------------------------------

    def _overdue(self, now: datetime) -> list[str]:
        due = [a for a in self._observer.alarms if a.due <= self._overdue_before(now)]
        overdue = [a for a in due if not (self._observer.reachable and self._observer.is_handled(a))]
        problems = [line for alarm in overdue for line in self._report_overdue(alarm, now)]
        if self._observer.reachable:
            problems += self._resolve({a.incident for a in overdue})
        return problems

    def _overdue_before(self, now: datetime) -> datetime:
        """Alarms due before this instant are overdue. No grace period once Redis has been down for `limit`."""
        down = self._memory.down
        lost = (
            not self._observer.reachable and down is not None and now.timestamp() - down >= self._limit.total_seconds()
        )
        return now if lost else now - self._limit

    def _report_overdue(self, alarm: Alarm, now: datetime) -> Iterator[str]:
        yield f"{alarm.incident}: {alarm.checkpoint or alarm.effect} is overdue since {alarm.due:%Y-%m-%d %H:%M:%S UTC}"
        notice = notices.overdue(alarm, self._observer, now)
        if notice is None:
            return
        if alarm.incident not in self._memory.alerted:
            self._memory.alerted.append(alarm.incident)
        addresses = [a for p in notice.people if (a := self._observer.address(p))]
        if not self._notifier.send(notice, addresses, now):
            yield f"{alarm.incident}: not everybody could be told of that"

    def _resolve(self, overdue: set[str]) -> Iterator[str]:
        """Resolve the alerts of incidents that have nothing overdue any more."""
        for incident in [i for i in self._memory.alerted if i not in overdue]:
            try:
                self._notifier.resolve(f"{incident}-watchdog")
            except Failed as failed:
                yield f"{incident}: it is over, and PagerDuty could not be told: {failed.error}"
                continue
            self._memory.alerted.remove(incident)
            self._memory.save()

    def _send_heartbeat(self, now: datetime) -> None:
        if self._heartbeat and (self._last_heartbeat is None or now - self._last_heartbeat >= HEARTBEAT_EVERY):
            self._last_heartbeat = now
            self._heartbeat()
