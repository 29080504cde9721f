"""What the watchdog tells, and whom. Of a private incident it tells the id, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from escalation.engine.upcoming import upcoming
from escalation.incident.effects import Alert, PagePerson
from escalation.incident.model import Checkpoint, Incident
from escalation.messages.mail import Letter, title
from escalation.times import spoken_duration
from tocsin.watchdog.observe import Alarm, Observer

DOWN = "tocsin-watchdog-down"
NEXT = "It acts by itself once it works again; until then, see to it that whoever is named here knows."


@dataclass(frozen=True)
class Notice:
    """Something to tell once. `key` names it for ever, `dedup` in a paging service; `people` hear of it too."""

    key: str
    dedup: str
    letter: Letter
    severity: str
    at: datetime
    people: tuple[str, ...] = ()
    ends: bool = False


@dataclass(frozen=True)
class _Missed:
    """What should have happened, and for whom."""

    what: str
    people: tuple[str, ...] = ()


def overdue(alarm: Alarm, lookout: Observer, now: datetime) -> Notice | None:
    """What did not happen; None for what calls nobody: a card that was not refreshed, an exercise."""
    incident = lookout.incident(alarm)
    missed = _missed(alarm, incident, lookout)
    if missed is None or (incident and incident.drill):
        return None
    if incident is None or incident.private:
        subject, about = f"Overdue: {alarm.incident}", [f"Incident: {alarm.incident}"]
    else:
        subject = f"[{incident.severity}] Overdue: {title(incident)} ({incident.id})"
        about = list(_about(incident, missed, lookout))
    why = "Tocsin should have acted by now and has not; its watchdog tells you instead."
    gone = [] if lookout.reachable else ["Redis is gone; this checkpoint was due now."]
    late = f"Due: {_clock(alarm.due)}, {spoken_duration(now - alarm.due)} ago"
    body = "\n".join([why, *gone, "", *about, late, "", NEXT])
    return Notice(
        key=f"{alarm.incident}-watchdog-{alarm.checkpoint or alarm.effect}-{alarm.due.timestamp():.0f}",
        dedup=f"{alarm.incident}-watchdog",
        letter=Letter(subject, body),
        severity=incident.severity if incident else "P1",
        at=alarm.due,
        people=missed.people,
    )


def down(why: str, since: datetime, ahead: tuple[Alarm, ...]) -> Notice:
    """Tocsin as a whole does not work; `ahead` is what will not happen."""
    waiting = [f"  {_clock(a.due)}  {a.incident}  {a.checkpoint or 'a message'}" for a in ahead]
    listed = ["", "What was due next:", *waiting] if waiting else []
    body = [f"{why}.", f"Since: {_clock(since)}", "", "Nobody is paged until it works again.", *listed]
    letter = Letter("Tocsin is down", "\n".join([*body, "", "Look closer with `tocsin doctor`."]))
    return Notice(f"watchdog-down-{since.timestamp():.0f}", DOWN, letter, "P0", since)


def back(since: datetime, now: datetime) -> Notice:
    """It works again."""
    body = (
        f"It was down from {_clock(since)} to {_clock(now)}.\nWhat was due meanwhile is done now, and marked as late."
    )
    return Notice(f"watchdog-back-{since.timestamp():.0f}", DOWN, Letter("Tocsin is back", body), "P0", now, ends=True)


def _missed(alarm: Alarm, incident: Incident | None, lookout: Observer) -> _Missed | None:
    if incident is None:
        return _Missed("it cannot be read")
    if alarm.checkpoint:
        found = (c for c in incident.checkpoints if c.id == alarm.checkpoint)
        return next((_of_checkpoint(c, incident, lookout) for c in found), _Missed("a checkpoint"))
    match incident.effect(alarm.effect):
        case PagePerson(page=n):
            return _Missed("a page that was not sent", (incident.page(n).person,))
        case Alert(action="trigger"):
            return _Missed("an alert that was not sent")
        case _:
            return None


def _of_checkpoint(checkpoint: Checkpoint, incident: Incident, lookout: Observer) -> _Missed:
    alone = incident.model_copy(update={"checkpoints": (checkpoint,)})
    told = next(iter(upcoming(alone, lookout.roster)), None)
    if told is None:
        return _Missed(checkpoint.kind.replace("_", " "))
    return _Missed(told.why, told.people or told.told)


def _about(incident: Incident, missed: _Missed, lookout: Observer) -> Iterator[str]:
    yield f"Incident: {incident.severity} {title(incident)} ({incident.id})"
    yield f"Why: {missed.what}"
    yield f"Should have paged: {', '.join(map(lookout.name, missed.people)) or 'nobody in person'}"
    yield f"Declared: {_clock(incident.declared_at)}"


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S UTC}"
