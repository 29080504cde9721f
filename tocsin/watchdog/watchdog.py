"""The watchdog itself: looks, finds what did not happen, and tells by ways of its own, once each."""

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

BEAT_EVERY = timedelta(minutes=1)
REMEMBERED = timedelta(days=30)
NAMED = 10  # of what is ahead, when everything is down

log = structlog.get_logger()


class Memory:
    """What was told and what is wrong, in a JSON file: a watchdog that is started anew does not tell it again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        self.told: dict[str, float] = known.get("told", {})
        self.alerted: list[str] = known.get("alerted", [])
        self.down: float | None = known.get("down")
        self.down_told: bool = known.get("down_told", False)

    def keep(self) -> None:
        """Write it, whole or not at all."""
        fields = {"told": self.told, "alerted": self.alerted, "down": self.down, "down_told": self.down_told}
        fresh = self._path.with_name(f"{self._path.name}.new")
        fresh.write_text(json.dumps(fields))
        fresh.replace(self._path)

    def tell(self, name: str, now: datetime) -> None:
        """Something was told just now; what is long ago is forgotten."""
        old = (now - REMEMBERED).timestamp()
        self.told = {n: at for n, at in self.told.items() if at > old} | {name: now.timestamp()}
        self.keep()


class Notifier:
    """Tells by mail to `to`, and in PagerDuty; what one way did not take is tried again, the others are not."""

    def __init__(
        self, mail: MailClient | None, to: Sequence[str], pagerduty: PagerDutyClient | None, memory: Memory
    ) -> None:
        self._mail = mail
        self._to = tuple(to)
        self._pagerduty = pagerduty
        self._memory = memory
        self._failures: dict[str, tuple[int, datetime]] = {}

    def tell(self, notice: Notice, addresses: Sequence[str], now: datetime) -> bool:
        """Whether it is out by every way."""
        out = [self._once(f"{notice.key} {way}", send, now) for way, send in self._ways(notice, addresses)]
        return all(out)

    def resolve(self, dedup: str) -> None:
        """What was told is over; Failed when that was not taken."""
        if self._pagerduty:
            self._pagerduty.resolve(dedup)

    def _ways(self, notice: Notice, addresses: Sequence[str]) -> Iterator[tuple[str, Callable[[], None]]]:
        """Each address has a mail of its own: one that is refused does not take the others along."""
        mail, pagerduty = self._mail, self._pagerduty
        if mail:
            for address in dict.fromkeys((*self._to, *addresses)):
                yield address, partial(mail.send, [address], notice.letter, notice.key)
        if pagerduty and notice.ends:
            yield "pagerduty", partial(pagerduty.resolve, notice.dedup)
        elif pagerduty:
            summary = notice.letter.subject
            yield "pagerduty", partial(pagerduty.trigger, notice.dedup, summary, notice.severity, notice.at)

    def _once(self, name: str, send: Callable[[], None], now: datetime) -> bool:
        times, again = self._failures.get(name, (0, now))
        if name in self._memory.told or now < again:
            return name in self._memory.told
        try:
            send()
        except Failed as failed:
            log.error("the watchdog could not tell", what=name, error=failed.error)
            if failed.kind is not Kind.PERSON:
                wait = timedelta(seconds=back_off(failed, times + 1))
                self._failures[name] = (times + 1, now + wait)
                return False
        self._memory.tell(name, now)
        return True


class Watchdog:
    """Looks once, each time it is asked. `beat` tells somebody outside that all is well."""

    def __init__(
        self,
        lookout: Observer,
        voice: Notifier,
        memory: Memory,
        limit: timedelta,
        beat: Callable[[], None] | None = None,
    ) -> None:
        self._lookout = lookout
        self._voice = voice
        self._memory = memory
        self._limit = limit
        self._beat = beat
        self._beaten: datetime | None = None

    def round(self) -> list[str]:
        """Look, and tell. What is wrong, a line each."""
        now = self._lookout.look()
        wrong = [*self._outage(now), *self._overdue(now)]
        if not wrong:
            self._all_is_well(now)
        return wrong

    # Tocsin as a whole -----------------------------------------------------------------------------------------------

    def _outage(self, now: datetime) -> list[str]:
        why = self._why_down()
        if why:
            return self._is_down(why, now)
        return self._is_up(now)

    def _why_down(self) -> str:
        if not self._lookout.reachable:
            return "Redis cannot be reached"
        missing = self._lookout.missing
        return f"No worker runs the part {', '.join(missing)}" if missing else ""

    def _is_down(self, why: str, now: datetime) -> list[str]:
        memory = self._memory
        if memory.down is None:
            memory.down, memory.down_told = now.timestamp(), False
            memory.keep()
        since = datetime.fromtimestamp(memory.down, UTC)
        if now - since < self._limit:
            return [why]
        memory.down_told = True
        ahead = tuple(a for a in self._lookout.alarms if a.checkpoint)[:NAMED]
        out = self._voice.tell(notices.down(why, since, ahead), (), now)
        return [why] if out else [why, "not everybody could be told of that"]

    def _is_up(self, now: datetime) -> list[str]:
        memory = self._memory
        if memory.down is None:
            return []
        since = datetime.fromtimestamp(memory.down, UTC)
        if memory.down_told and not self._voice.tell(notices.back(since, now), (), now):
            return ["not everybody could be told that Tocsin is back"]
        memory.down, memory.down_told = None, False
        memory.keep()
        return []

    # Single checkpoints ----------------------------------------------------------------------------------------------

    def _overdue(self, now: datetime) -> list[str]:
        found = [a for a in self._lookout.alarms if a.due <= self._until(now)]
        overdue = [a for a in found if not (self._lookout.reachable and self._lookout.settled(a))]
        wrong = [line for alarm in overdue for line in self._tell(alarm, now)]
        if self._lookout.reachable:
            wrong += self._resolve({a.incident for a in overdue})
        return wrong

    def _until(self, now: datetime) -> datetime:
        """What was due by then is overdue. With Redis gone for good nobody else will do it: no more waiting."""
        down = self._memory.down
        gone = (
            not self._lookout.reachable and down is not None and now.timestamp() - down >= self._limit.total_seconds()
        )
        return now if gone else now - self._limit

    def _tell(self, alarm: Alarm, now: datetime) -> Iterator[str]:
        yield f"{alarm.incident}: {alarm.checkpoint or alarm.effect} is overdue since {alarm.due:%Y-%m-%d %H:%M:%S UTC}"
        notice = notices.overdue(alarm, self._lookout, now)
        if notice is None:
            return
        if alarm.incident not in self._memory.alerted:
            self._memory.alerted.append(alarm.incident)
        addresses = [a for p in notice.people if (a := self._lookout.address(p))]
        if not self._voice.tell(notice, addresses, now):
            yield f"{alarm.incident}: not everybody could be told of that"

    def _resolve(self, overdue: set[str]) -> Iterator[str]:
        """Where nothing is overdue any more, the paging service hears that it is over."""
        for incident in [i for i in self._memory.alerted if i not in overdue]:
            try:
                self._voice.resolve(f"{incident}-watchdog")
            except Failed as failed:
                yield f"{incident}: it is over, and PagerDuty could not be told: {failed.error}"
                continue
            self._memory.alerted.remove(incident)
            self._memory.keep()

    def _all_is_well(self, now: datetime) -> None:
        if self._beat and (self._beaten is None or now - self._beaten >= BEAT_EVERY):
            self._beaten = now
            self._beat()
