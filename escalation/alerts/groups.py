"""Groups of alerts that are one problem, and what a group asks for when its alerts change. Pure.

A group lives as long as one of its alerts fires or its incident is open. Its alerts join its open incident; a worse one
never joins unheard. An alert that is absent from a later body still fires: only its own end resolves it.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from escalation.alerts.alert import Alert, AlertState
from escalation.alerts.routing import Routed
from escalation.config.policy import Severity
from escalation.values import Frozen

SETTLE = timedelta(minutes=5)  # without any firing alert until an incident resolves by itself: flapping stays one
MAX_ENDED = 200  # ended alerts that a group remembers; the firing ones are all kept
MAX_WHOLE = 50  # of its alerts that are kept with labels, values and text: a card shows ten, and a storm has thousands


class Firing(Frozen):
    """One alert of a group: its latest body, how it is routed, and when it fired.

    `first` and `last` are when we received the first and the latest body of this occurrence; `times` counts how often
    it began to fire. `told` is True once an incident shows it, `muted` once that incident was called a false alarm.
    """

    alert: Alert
    routed: Routed
    first: datetime
    last: datetime
    times: int = 1
    firing: bool = True
    told: bool = False
    muted: bool = False


class Group(Frozen):
    """A problem: its alerts by source and fingerprint, the incident that they join, and when it is due again.

    `declared` counts the incidents it has declared. Until `quiet_until`, repeats of what fired when somebody closed the
    incident declare no new one: the bodies that end it may be on their way. `settling` is the end of the time for which
    no alert must fire before its incident resolves. `asked`: people were asked whether it is over.
    """

    key: str
    alerts: dict[str, Firing] = {}
    incident: str = ""
    declared: int = 0
    settling: datetime | None = None
    asked: bool = False
    quiet_until: datetime | None = None

    @property
    def firing(self) -> tuple[Firing, ...]:
        """The alerts that fire, the worst and oldest first."""
        found = (f for f in self.alerts.values() if f.firing)
        return tuple(sorted(found, key=lambda f: (f.routed.severity, f.first)))

    @property
    def finished(self) -> bool:
        """True if nothing is left to remember."""
        return not self.firing and not self.incident

    @property
    def held(self) -> bool:
        """True if it waits for somebody to declare it."""
        return not self.incident and any(f.routed.hold and not f.told for f in self.firing)

    def due(self) -> datetime | None:
        """Return when the group has to be looked at again without any new alert."""
        waiting = () if self.incident else (_waits_until(f) for f in self.firing if _declares(f))
        times = [self.settling, *waiting, *_closings(self)]
        return min((at for at in times if at is not None), default=None)


class OpenIncident(NamedTuple):
    """The group's incident as it stands: how bad, since when it is closed, and whether as a false alarm."""

    severity: Severity
    closed_at: datetime | None = None
    cancelled: bool = False

    @property
    def open(self) -> bool:
        """True unless it is closed."""
        return self.closed_at is None


class DeclareIncident(NamedTuple):
    """Declare an incident of the group's firing alerts. `number` makes its key: the same one is declared once."""

    number: int
    severity: Severity
    alerts: tuple[Firing, ...]


class JoinIncident(NamedTuple):
    """Show the group's alerts on its incident; `new` began to fire just now, `ended` are over."""

    incident: str
    new: tuple[Firing, ...]
    ended: tuple[Firing, ...]


class RaiseSeverity(NamedTuple):
    """Raise the incident's severity because of an alert that is worse."""

    incident: str
    severity: Severity
    because: Firing


class AlertsEnded(NamedTuple):
    """All alerts of the incident are over: ask whether it is, or resolve it."""

    incident: str
    resolve: bool


Action = DeclareIncident | JoinIncident | RaiseSeverity | AlertsEnded


def changed(
    group: Group,
    seen: Iterable[tuple[Alert, Routed]],
    now: datetime,
    incident: OpenIncident | None,
    settle: timedelta = SETTLE,
) -> tuple[Group, tuple[Action, ...]]:
    """Take alerts into a group, none if only time has passed.

    `incident` is the group's own as it stands; None while it has none. `settle` is SETTLE by the clock of the policies.
    Returns the group as it is then, and what is to be done.
    """
    before = group
    if incident is not None and incident.closed_at is not None:
        group, incident = _left(group, incident, incident.closed_at + settle), None
    alerts = dict(group.alerts)
    for alert, how in seen:
        if taken := _taken(group, alerts.get(alert.name), alert, how, now):
            alerts[alert.name] = taken
    group = _closed(group.model_copy(update={"alerts": _bounded(alerts)}), now)
    actions = tuple(_actions(before, group, now, incident))
    return _slimmed(_after(group, actions, now + settle)), actions


def promoted(group: Group) -> tuple[Group, DeclareIncident | None]:
    """Declare what is held, as somebody asks for: None when nothing of it fires any more, or it has its incident."""
    if group.incident or not group.firing:
        return group, None
    action = DeclareIncident(group.declared + 1, group.firing[0].routed.severity, group.firing)
    alerts = {name: f.model_copy(update={"told": True}) for name, f in group.alerts.items()}
    return group.model_copy(update={"declared": action.number, "alerts": alerts}), action


def _left(group: Group, incident: OpenIncident, quiet_until: datetime) -> Group:
    """The group after its incident was closed: what still fires was known then, all else is that incident's."""
    fires = {name: f for name, f in group.alerts.items() if f.firing and f.alert.ends}
    alerts = {name: f.model_copy(update={"muted": incident.cancelled}) for name, f in fires.items()}
    changes = {"incident": "", "settling": None, "asked": False, "quiet_until": quiet_until}
    return group.model_copy(update={"alerts": alerts, **changes})


def _taken(group: Group, known: Firing | None, alert: Alert, how: Routed, now: datetime) -> Firing | None:
    """One alert as it stands in the group once its latest body is taken in; None if that changes nothing."""
    if alert.state is AlertState.ACKNOWLEDGED:
        return None  # somebody took it over in another tool; here it still fires
    if alert.state is AlertState.RESOLVED:
        return known.model_copy(update={"firing": False, "last": now}) if known and known.firing else None
    if known is None or not known.firing or _goes_on(group, known, now):
        return Firing(alert=alert, routed=how, first=now, last=now, times=known.times + 1 if known else 1)
    return known.model_copy(update={"alert": alert, "routed": how, "last": now})


def _goes_on(group: Group, known: Firing, now: datetime) -> bool:
    """Check whether an alert still fires though its incident was resolved: the problem was not solved."""
    closed = known.told and not group.incident and not known.muted
    return closed and (group.quiet_until is None or now >= group.quiet_until)


def _bounded(alerts: dict[str, Firing]) -> dict[str, Firing]:
    """Forget the oldest ended alerts beyond what a group remembers."""
    ended = sorted((name for name, f in alerts.items() if not f.firing), key=lambda name: alerts[name].last)
    forgotten = set(ended[:-MAX_ENDED])
    return {name: f for name, f in alerts.items() if name not in forgotten} if forgotten else alerts


def _slimmed(group: Group) -> Group:
    """The group without the details of all but its worst and oldest alerts; a repeat of one brings its own again."""
    beyond = group.firing[MAX_WHOLE:]
    slim = {f.alert.name: f.model_copy(update={"alert": f.alert.slim()}) for f in beyond if not f.alert.is_slim}
    return group.model_copy(update={"alerts": {**group.alerts, **slim}}) if slim else group


def _closed(group: Group, now: datetime) -> Group:
    """End the alerts of sources that never say so, once they were silent for as long as their route allows."""
    over = {name: f for name, f in group.alerts.items() if f.firing and _closes(f) <= now}
    if not over:
        return group
    ended = {name: f.model_copy(update={"firing": False}) for name, f in over.items()}
    return group.model_copy(update={"alerts": {**group.alerts, **ended}})


def _actions(before: Group, group: Group, now: datetime, incident: OpenIncident | None) -> Iterator[Action]:
    new = tuple(f for name, f in group.alerts.items() if f.firing and _began(before.alerts.get(name), f))
    ended = tuple(f for name, f in group.alerts.items() if not f.firing and _was_firing(before.alerts.get(name)))
    if not group.incident or incident is None:
        if due := [f for f in group.firing if _declares(f) and _waits_until(f) <= now]:
            yield DeclareIncident(group.declared + 1, due[0].routed.severity, group.firing)
        return
    worse = [f for f in new if f.routed.severity < incident.severity and not f.routed.hold]
    worst = min(worse, key=lambda f: f.routed.severity, default=None)
    if worst and not worst.routed.raises:
        yield DeclareIncident(group.declared + 1, worst.routed.severity, group.firing)
        return
    if new or ended or _changed_text(before, group):
        yield JoinIncident(group.incident, new, ended)
    if worst:
        yield RaiseSeverity(group.incident, worst.routed.severity, worst)
    if not group.firing and (ended or group.settling):
        yield from _ending(group, now)


def _ending(group: Group, now: datetime) -> Iterator[Action]:
    """All alerts are over: ask once; resolve when nothing has fired for a while. Nothing follows from a silence."""
    if not any(f.alert.ends for f in group.alerts.values()):
        return
    resolves = all(f.routed.when_resolved == "resolve" for f in group.alerts.values())
    if resolves and group.settling is not None and group.settling <= now:
        yield AlertsEnded(group.incident, resolve=True)
    elif not resolves and not group.asked:
        yield AlertsEnded(group.incident, resolve=False)


def _after(group: Group, actions: tuple[Action, ...], settled: datetime) -> Group:
    """The group once its actions are done, settled at that time at the earliest; the caller adds an incident's id."""
    declared = group.declared + sum(isinstance(a, DeclareIncident) for a in actions)
    asked = not group.firing and (group.asked or any(isinstance(a, AlertsEnded) for a in actions))
    settling = None
    if group.incident and not group.firing and group.alerts and not asked:
        settling = group.settling or settled
    alerts = group.alerts
    if any(isinstance(a, DeclareIncident | JoinIncident) for a in actions):
        alerts = {name: f if f.told else f.model_copy(update={"told": True}) for name, f in alerts.items()}
    return group.model_copy(update={"declared": declared, "asked": asked, "settling": settling, "alerts": alerts})


def _began(before: Firing | None, now: Firing) -> bool:
    return before is None or not before.firing or before.times != now.times


def _was_firing(before: Firing | None) -> bool:
    return before is not None and before.firing


def _changed_text(before: Group, group: Group) -> bool:
    """Check whether an alert that goes on firing says something else now."""
    pairs = ((before.alerts.get(name), fired) for name, fired in group.alerts.items())
    return any(old is not None and old.alert.title != fired.alert.title for old, fired in pairs)


def _declares(fired: Firing) -> bool:
    """Check whether an alert is a reason for a new incident."""
    return not (fired.told or fired.routed.hold)


def _waits_until(fired: Firing) -> datetime:
    return fired.first + fired.routed.wait


def _closes(fired: Firing) -> datetime:
    never = datetime.max.replace(tzinfo=fired.last.tzinfo)
    return never if fired.routed.close_after is None else fired.last + fired.routed.close_after


def _closings(group: Group) -> Iterator[datetime]:
    return (_closes(f) for f in group.firing if f.routed.close_after is not None)
