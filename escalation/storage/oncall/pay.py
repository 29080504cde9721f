"""Final pay reports in Redis.

Keys: `tocsin:pay`, a hash: the period (epoch seconds) -> the report (JSON); `tocsin:pay:removed`, the end of the latest
period whose report was removed (ISO 8601).
"""

from datetime import UTC, datetime
from typing import Any

from redis import Redis, WatchError

from escalation.errors import Refused
from escalation.pay.report import PayReport
from escalation.values import Frozen

PAY, REMOVED = "tocsin:pay", "tocsin:pay:removed"
MAX_TRIES = 20


class FinalPay(Frozen):
    """A pay report as it was marked final, and when."""

    at: datetime
    report: PayReport

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """True if its period and another have time in common."""
        return self.report.start < end and start < self.report.end


class FinalPays:
    """Register of final pay reports. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def all(self) -> list[FinalPay]:
        """Return every final report, the earliest period first."""
        stored: Any = self._redis.hvals(PAY)
        return sorted((_parse(raw) for raw in stored), key=lambda final: final.report.start)

    def of(self, start: datetime, end: datetime) -> FinalPay | None:
        """Return the final report of exactly this period; None if there is none."""
        raw: Any = self._redis.hget(PAY, _field(start, end))
        return _parse(raw) if raw else None

    def keep(self, report: PayReport, now: datetime) -> None:
        """Mark a report as final. Refused when time of its period was paid already, or may have been."""
        if said := self.forgotten(report.start):
            raise Refused(said)
        for _ in range(MAX_TRIES):
            with self._redis.pipeline() as pipe:
                pipe.watch(PAY)  # type: ignore[no-untyped-call]  # redis-py left it untyped
                taken = [final for final in self.all() if final.overlaps(report.start, report.end)]
                if taken:
                    raise Refused(
                        f"The pay report of {period_of(taken[0].report)} is final and shares time with this one."
                    )
                pipe.multi()
                pipe.hset(PAY, _field(report.start, report.end), FinalPay(at=now, report=report).model_dump_json())
                try:
                    pipe.execute()
                except WatchError:
                    continue
                return
        raise Refused("Too many people mark pay reports as final at once. Try again.")

    def forgotten(self, start: datetime) -> str:
        """Say that final reports of a period from `start` may have been removed; empty if that cannot be."""
        raw: Any = self._redis.get(REMOVED)
        until = datetime.fromisoformat(str(raw, "utf-8")) if raw else start
        if until <= start:
            return ""
        at = f"{until:%Y-%m-%d %H:%M} UTC"
        return (
            f"Final pay reports before {at} were removed, as `retention.pay` says: whether this was paid is not known."
        )

    def ended_before(self, at: datetime) -> list[FinalPay]:
        """Return the reports whose period ended before an instant."""
        return [final for final in self.all() if final.report.end < at]

    def remove_before(self, at: datetime) -> None:
        """Remove the reports whose period ended before an instant, and note until when they were."""
        if not (gone := self.ended_before(at)):
            return
        latest = max(final.report.end for final in gone)
        with self._redis.pipeline() as pipe:
            pipe.hdel(PAY, *(_field(final.report.start, final.report.end) for final in gone))
            pipe.set(REMOVED, latest.astimezone(UTC).isoformat())
            pipe.execute()

    def reopen(self, start: datetime, end: datetime) -> bool:
        """Make a final report a draft again; False if it was none."""
        return bool(self._redis.hdel(PAY, _field(start, end)))


def period_of(report: PayReport) -> str:
    """The period of a report, in UTC."""
    return f"{report.start:%Y-%m-%d %H:%M} until {report.end:%Y-%m-%d %H:%M} UTC"


def _field(start: datetime, end: datetime) -> str:
    return f"{start.timestamp():.0f}-{end.timestamp():.0f}"


def _parse(raw: Any) -> FinalPay:
    return FinalPay.model_validate_json(raw, extra="ignore")
