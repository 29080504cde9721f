"""Settings that people make for themselves: their order of methods, quiet hours, a reminder before their shifts."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import model_validator

from escalation.config.notify import By, Notify, NotifyStep
from escalation.times import Duration, Zone, parse_duration
from escalation.values import Frozen

DAY = timedelta(days=1)


class QuietHours(Frozen):
    """Hours in which pages that are not urgent wait, local time; those that end before they begin go over midnight."""

    starts: time
    ends: time
    zone: Zone = "UTC"

    @model_validator(mode="after")
    def _has_length(self) -> "QuietHours":
        if self.starts == self.ends:
            raise ValueError("quiet hours begin when they end; write them like 22:00-07:00")
        return self

    def __str__(self) -> str:
        return f"{self.starts:%H:%M}-{self.ends:%H:%M} ({self.zone})"

    def over_at(self, at: datetime) -> datetime:
        """Return when they are over: `at` itself outside of them."""
        zone = ZoneInfo(self.zone)
        local = at.astimezone(zone)
        for day in (local.date() - DAY, local.date()):
            last = day if self.starts < self.ends else day + DAY
            starts = datetime.combine(day, self.starts, zone).astimezone(at.tzinfo)
            ends = datetime.combine(last, self.ends, zone).astimezone(at.tzinfo)
            if starts <= at < ends:
                return ends
        return at


class Preferences(Frozen):
    """What one person set for themselves. `shift_reminder`: how long before a shift they are reminded; None: not."""

    notify: Notify = Notify()
    quiet: QuietHours | None = None
    shift_reminder: Duration | None = None


def parse_quiet(text: str, zone: str) -> QuietHours:
    """Parse `22:00-07:00`, and perhaps a zone behind it. ValueError says how to write them."""
    hours, _, own = text.strip().partition(" ")
    starts, _, ends = hours.replace("–", "-").partition("-")
    wanted: dict[str, Any] = {"zone": own.strip() or zone}
    try:
        wanted |= {"starts": time.fromisoformat(starts.rjust(5, "0")), "ends": time.fromisoformat(ends.rjust(5, "0"))}
    except ValueError:
        raise ValueError(f"'{hours}' are no hours; write them like 22:00-07:00") from None
    return QuietHours.model_validate(wanted)


def parse_steps(text: str) -> tuple[NotifyStep, ...]:
    """Parse `push mail, 1m sms, 3m call`: steps with commas between, each perhaps with its time first. ValueError."""
    return tuple(_parse_step(part.split()) for part in text.split(",") if part.strip())


def _parse_step(words: list[str]) -> NotifyStep:
    after = words[0] if words[0][:1].isdigit() else ""
    methods = [word.lower().strip("+&") for word in words if word is not after and word.lower() != "and"]
    methods = [{"email": "mail", "phone": "call", "text": "sms"}.get(word, word) for word in methods if word]
    if unknown := [word for word in methods if word not in list(By)]:
        raise ValueError(f"'{unknown[0]}' is no contact method; the methods are {', '.join(By)}")
    if not methods:
        raise ValueError(f"'{' '.join(words)}' names no contact method; write one like 1m sms")
    return NotifyStep(after=parse_duration(after) if after else timedelta(), by=tuple(By(word) for word in methods))
