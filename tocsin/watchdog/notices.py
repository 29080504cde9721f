"""Notices of the watchdog and their recipients. Of a private incident they hold only the id."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from escalation.engine.upcoming import upcoming
from escalation.incident.effects import Alert, PagePerson
from escalation.incident.model import Incident
from escalation.incident.state.checkpoints import Checkpoint
from escalation.messages.mail import Mail, title
from escalation.times import spoken_duration
from tocsin.watchdog.observe import Alarm, Observer

DOWN = "tocsin-watchdog-down"
NEXT = "It catches up by itself once it is back. Until then, contact the people named here yourself."


@dataclass(frozen=True)
class Notice:
    """A notice to send once. `key` is its id, `dedup` the paging service's; `people` get it besides the operators.

    `resolves` marks the one that closes the alert in the paging service.
    """

    key: str
    dedup: str
    mail: Mail
    severity: str
    at: datetime
    people: tuple[str, ...] = ()
    resolves: bool = False


@dataclass(frozen=True)
class _Missed:
    """A missed page or checkpoint, and the people whom it would have paged."""

    what: str
    people: tuple[str, ...] = ()


def overdue(alarm: Alarm, observer: Observer, now: datetime) -> Notice | None:
    """Notice of an overdue alarm; None for one that pages nobody: a card that was not refreshed, a drill."""
    incident = observer.incident(alarm)
    missed = _missed(alarm, incident, observer)
    if missed is None or (incident and incident.drill):
        return None
    if incident is None or incident.private:
        subject, about = f"Overdue: {alarm.incident}", [f"Incident: {alarm.incident}"]
    else:
        subject = f"[{incident.severity}] Overdue: {title(incident)} ({incident.id})"
        about = list(_details(incident, missed, observer))
    why = "Tocsin should have acted by now and has not; its watchdog tells you instead."
    outage = [] if observer.reachable else ["Redis is gone; this checkpoint was due now."]
    late = f"Due: {_clock(alarm.due)}, {spoken_duration(now - alarm.due)} ago"
    body = "\n".join([why, *outage, "", *about, late, "", NEXT])
    return Notice(
        key=f"{alarm.incident}-watchdog-{alarm.checkpoint or alarm.effect}-{alarm.due.timestamp():.0f}",
        dedup=f"{alarm.incident}-watchdog",
        mail=Mail(subject, body),
        severity=incident.severity if incident else "P1",
        at=alarm.due,
        people=missed.people,
    )


def down(why: str, since: datetime, ahead: tuple[Alarm, ...]) -> Notice:
    """Notice that Tocsin is down; `ahead` are the next alarms, which will not fire."""
    waiting = [f"  {_clock(a.due)}  {a.incident}  {a.checkpoint or 'a message'}" for a in ahead]
    listed = ["", "What was due next:", *waiting] if waiting else []
    body = [f"{why}.", f"Since: {_clock(since)}", "", "No pages go out until it is back.", *listed]
    mail = Mail("Tocsin is down", "\n".join([*body, "", "Find the cause with `tocsin doctor`."]))
    return Notice(f"watchdog-down-{since.timestamp():.0f}", DOWN, mail, "P0", since)


def recovered(since: datetime, now: datetime) -> Notice:
    """Notice that Tocsin works again."""
    body = (
        f"It was down from {_clock(since)} to {_clock(now)}.\nWhat was due meanwhile is done now, and marked as late."
    )
    return Notice(
        f"watchdog-back-{since.timestamp():.0f}", DOWN, Mail("Tocsin is back", body), "P0", now, resolves=True
    )


def _missed(alarm: Alarm, incident: Incident | None, observer: Observer) -> _Missed | None:
    if incident is None:
        return _Missed("it cannot be read")
    if alarm.checkpoint:
        checkpoints = (c for c in incident.checkpoints if c.id == alarm.checkpoint)
        return next((_missed_checkpoint(c, incident, observer) for c in checkpoints), _Missed("a checkpoint"))
    match incident.effect(alarm.effect):
        case PagePerson(page=n):
            return _Missed("a page that was not sent", (incident.page(n).person,))
        case Alert(action="trigger"):
            return _Missed("an alert that was not sent")
        case _:
            return None


def _missed_checkpoint(checkpoint: Checkpoint, incident: Incident, observer: Observer) -> _Missed:
    alone = incident.model_copy(update={"checkpoints": (checkpoint,)})
    planned = next(iter(upcoming(alone, observer.roster)), None)
    if planned is None:
        return _Missed(checkpoint.kind.replace("_", " "))
    return _Missed(planned.why, planned.people or planned.notified)


def _details(incident: Incident, missed: _Missed, observer: Observer) -> Iterator[str]:
    yield f"Incident: {incident.severity} {title(incident)} ({incident.id})"
    yield f"Why: {missed.what}"
    yield f"Should have paged: {', '.join(map(observer.name, missed.people)) or 'nobody in person'}"
    yield f"Declared: {_clock(incident.declared_at)}"


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S UTC}"
