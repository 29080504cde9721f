"""Groups of alerts that are one problem, and what a group asks for when its alerts change. Pure.

A group lives as long as one of its alerts fires or its incident is open. Its alerts join its open incident; a worse one
never joins unheard. An alert that is absent from a later body still fires: only its own end resolves it. One that began
and ended before it was looked at was a problem all the same, unless it cleared within its `wait`.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from escalation.alerts.alert import Alert, AlertState
from escalation.alerts.routing import Routed
from escalation.config.policy import Severity
from escalation.times import claimed_instant
from escalation.values import Frozen

SETTLE = timedelta(minutes=5)  # without any firing alert until an incident resolves by itself: flapping stays one
CLAIMED_BEFORE = timedelta(days=1)  # some senders say when they saw it for the first time ever
MAX_FORMER = 5  # incidents
MAX_ENDED = 200  # ended alerts that a group remembers; the firing ones are all kept
MAX_WHOLE = 50  # of its alerts that are kept with labels, values and text: a card shows ten, and a storm has thousands


class Firing(Frozen):
    """One alert of a group: its latest body, how it is routed, and when it fired.

    `first` and `last` are when the first and the latest body of this occurrence were taken in; `received` is when the
    first came, in epoch seconds of its host, where the alert may clear by itself. `times` counts how often it began to
    fire, or got worse while it did. `told` is True once an incident shows it, `left` once that was closed while it
    fired, `muted` if it was called a false alarm. `eased` is when a body called it less bad than the one before, and
    `eased_from` as how bad until then.
    """

    alert: Alert
    routed: Routed
    first: datetime
    last: datetime
    received: float = 0.0
    times: int = 1
    firing: bool = True
    told: bool = False
    left: bool = False
    muted: bool = False
    eased: datetime | None = None
    eased_from: Severity | None = None

    @property
    def worst(self) -> Severity:
        """As how bad it was reported while it fired."""
        return min(self.routed.severity, self.eased_from or self.routed.severity)

    @property
    def detected(self) -> datetime:
        """When it began to fire: as its sender says, where that can be; else when we received it."""
        claimed = claimed_instant(self.alert.started)
        return claimed if claimed and self.first - CLAIMED_BEFORE <= claimed <= self.first else self.first


class Group(Frozen):
    """A problem: its alerts by source and fingerprint, the incident that they join, and when it is due again.

    `declared` counts the incidents it has declared. Until `quiet_until`, repeats of what fired when somebody closed the
    incident declare no new one: the bodies that end it may be on their way. `settling` is the end of the time for which
    no alert must fire before its incident resolves. `asked`: people were asked whether it is over. `private`: the
    incident of its alerts is or was, so whatever they declare next is too: it repeats the words of that one. `heard`:
    as how bad its alerts declared or raised the incident, whatever people called it since. `former` are its incidents
    before that one, the latest last: a lesser one that is open, or one that was closed and may be reopened.
    """

    key: str
    alerts: dict[str, Firing] = {}
    incident: str = ""
    declared: int = 0
    settling: datetime | None = None
    asked: bool = False
    quiet_until: datetime | None = None
    private: bool = False
    heard: Severity | None = None
    former: tuple[str, ...] = ()

    @property
    def firing(self) -> tuple[Firing, ...]:
        """The alerts that fire, the worst and oldest first. To be asked for once: in a storm they are thousands."""
        return _worst_first(f for f in self.alerts.values() if f.firing)

    @property
    def fires(self) -> bool:
        """True if any of its alerts fires."""
        return any(f.firing for f in self.alerts.values())

    @property
    def finished(self) -> bool:
        """True if nothing is left to remember."""
        return not self.incident and not self.fires

    @property
    def held(self) -> bool:
        """True if it waits for somebody to declare it."""
        return not self.incident and any(f.firing and f.routed.hold and not f.told for f in self.alerts.values())

    def due(self) -> datetime | None:
        """Return when the group has to be looked at again without any new alert."""
        alerts = () if self.incident else self.alerts.values()
        waiting = (_waits_until(f) for f in alerts if f.firing and _declares(f))
        times = [self.settling, *waiting, *_closings(self)]
        return min((at for at in times if at is not None), default=None)


class OpenIncident(NamedTuple):
    """The group's incident as it stands: how bad, since when it is closed, whether as a false alarm, and if private."""

    severity: Severity
    closed_at: datetime | None = None
    cancelled: bool = False
    private: bool = False
    id: str = ""

    @property
    def open(self) -> bool:
        """True unless it is closed."""
        return self.closed_at is None


class Seen(NamedTuple):
    """An alert of a body, what is to happen with it, and when the body was received, in epoch seconds of its host."""

    alert: Alert
    routed: Routed
    received: float = 0.0


class DeclareIncident(NamedTuple):
    """Declare an incident of the alerts that fire, and of those that were over before anybody looked at them.

    `number` makes its key: the same one is declared once.
    """

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
    seen: Iterable[Seen],
    now: datetime,
    incident: OpenIncident | None,
    settle: timedelta = SETTLE,
    former: OpenIncident | None = None,
) -> tuple[Group, tuple[Action, ...]]:
    """Take alerts into a group, none if only time has passed.

    `incident` is the group's own as it stands; None while it has none. `former` is the latest of its former ones that
    is open, while its own is not. `settle` is SETTLE by the clock of the policies. Returns the group as it is then, and
    what is to be done.
    """
    before = group
    private = incident.private if incident else group.private and not group.finished
    if private is not group.private:
        group = group.model_copy(update={"private": private})
    if incident is not None and incident.closed_at is not None:
        group, incident = _left(group, incident, incident.closed_at + settle), None
    group, touched = _after_bodies(group, seen, now)
    group, closed = _closed(group, now)
    if former is not None and (former.private or not group.private):  # words of a private one are for no other
        group, incident = _back(group, former, asked=not before.fires), former
    change = _change(before, group, [*touched.names, *closed], touched, settle)
    if change.over:  # it fired anew in between, so its end is an end of its own
        group = group.model_copy(update={"asked": False, "settling": None})
    actions = tuple(_actions(group, change, now, incident))
    return _slimmed(_after(group, actions, change, now, settle), change.firing), actions


def promoted(group: Group) -> tuple[Group, DeclareIncident | None]:
    """Declare what is held, as somebody asks for: None when nothing of it fires any more, or it has its incident."""
    if group.incident or not group.firing:
        return group, None
    action = DeclareIncident(group.declared + 1, group.firing[0].routed.severity, group.firing)
    alerts = {name: f.model_copy(update={"told": True}) for name, f in group.alerts.items()}
    return group.model_copy(update={"declared": action.number, "alerts": alerts, "heard": action.severity}), action


def _left(group: Group, incident: OpenIncident, quiet_until: datetime) -> Group:
    """The group after its incident was closed: what still fires was known then, all else is that incident's."""
    fires = {name: f for name, f in group.alerts.items() if f.firing and f.alert.ends}
    alerts = {name: f.model_copy(update={"muted": incident.cancelled, "left": True}) for name, f in fires.items()}
    changes = {"incident": "", "settling": None, "asked": False, "quiet_until": quiet_until}
    more = {"former": _former(group), "private": group.private and bool(alerts)}
    return group.model_copy(update={"alerts": alerts, **changes, **more})


def _former(group: Group) -> tuple[str, ...]:
    """The incidents that a group has had once it leaves its present one."""
    return (*group.former, group.incident)[-MAX_FORMER:]


def _back(group: Group, incident: OpenIncident, *, asked: bool) -> Group:
    """The group at a former incident. Who reopens the last one knows what fires, and that a false alarm is none.

    `asked`: nothing fired any more, as they have seen. A lesser one has heard of nothing worse than it is.
    """
    changes: dict[str, object] = {"incident": incident.id, "private": incident.private}
    changes["former"] = tuple(other for other in group.former if other != incident.id)
    if incident.id == group.former[-1]:
        known = {name: f.model_copy(update={"muted": False, "left": False}) for name, f in group.alerts.items()}
        changes |= {"alerts": known, "quiet_until": None, "asked": asked}
    else:
        changes["heard"] = incident.severity
    return group.model_copy(update=changes)


class _Touched(NamedTuple):
    """The alerts that bodies changed, by name, and for how many seconds those fired that began and ended with them."""

    names: list[str]
    lasted: dict[str, float]


def _after_bodies(group: Group, seen: Iterable[Seen], now: datetime) -> tuple[Group, _Touched]:
    alerts, names = dict(group.alerts), dict[str, None]()
    began, lasted = dict[str, float](), dict[str, float]()
    for alert, how, received in seen:
        name, known = alert.name, alerts.get(alert.name)
        if (taken := _taken(group, known, Seen(alert, how, received), now)) is None:
            continue
        alerts[name], names[name] = taken, None
        if taken.firing and _began(known, taken):
            began[name] = received
        elif known and not taken.firing and _outlasts(known, received):
            began[name] = known.received
        if not taken.firing and name in began:
            lasted[name] = max(lasted.get(name, 0.0), received - began[name])
    over = {name: seconds for name, seconds in lasted.items() if not alerts[name].firing}
    return group.model_copy(update={"alerts": _bounded(alerts)}), _Touched(list(names), over)


def _outlasts(known: Firing, received: float) -> bool:
    """Check whether an end came after the time for which its alert was waited for: nobody looked at it in between."""
    waited = known.firing and _declares(known) and known.received
    return bool(waited) and received - known.received >= known.routed.wait.total_seconds()


class _Change(NamedTuple):
    """What is different in a group: the alerts that began or ended, and whether one says something else now.

    `firing` are all that fire, the worst first. `over` are those of `new` that have ended since, `lasting` those of
    them that did not clear within their wait. `flapping` are names of `new` that had ended just before. `back` is True
    if the group has its incident again, which somebody reopened.
    """

    firing: tuple[Firing, ...]
    new: tuple[Firing, ...]
    ended: tuple[Firing, ...]
    over: tuple[Firing, ...]
    lasting: tuple[Firing, ...]
    flapping: frozenset[str]
    reworded: bool
    back: bool


def _change(before: Group, group: Group, names: list[str], touched: _Touched, settle: timedelta) -> _Change:
    """Compare a group with what it was. Only these names can differ: in a storm most alerts are old."""
    pairs = [(name, before.alerts.get(name), group.alerts[name]) for name in names if name in group.alerts]
    over = tuple(f for name, _, f in pairs if name in touched.lasted)
    lasting = (f for f in over if touched.lasted[f.alert.name] >= f.routed.wait.total_seconds())
    new = (f for _, old, f in pairs if f.firing and _began(old, f))
    ended = (f for name, old, f in pairs if not (f.firing or name in touched.lasted) and old and old.firing)
    flapping = frozenset(name for name, old, f in pairs if old and _flaps(old, f, group.heard, settle))
    reworded = any(old is not None and old.alert.title != f.alert.title for _, old, f in pairs)
    back = bool(group.incident) and not before.incident
    return _Change(group.firing, (*new, *over), (*ended, *over), over, tuple(lasting), flapping, reworded, back)


def _taken(group: Group, known: Firing | None, seen: Seen, now: datetime) -> Firing | None:
    """One alert as it stands in the group once its latest body is taken in; None if that changes nothing."""
    alert, how, received = seen
    if alert.state is AlertState.ACKNOWLEDGED:
        return None  # somebody took it over in another tool; here it still fires
    if alert.state is AlertState.RESOLVED:
        return known.model_copy(update={"firing": False, "last": now}) if known and known.firing else None
    if known is None or not known.firing or _worsens(known, how) or _goes_on(group, known, now):
        times, came = known.times + 1 if known else 1, received if how.wait else 0.0
        return Firing(alert=alert, routed=how, first=now, last=now, received=came, times=times)
    if how.assumed:  # some bodies of a source do not say how bad it is; others did
        how = how.model_copy(update={"severity": known.routed.severity, "assumed": known.routed.assumed})
    changes = {"eased": now, "eased_from": known.worst} if how.severity > known.routed.severity else {}
    return known.model_copy(update={"alert": alert, "routed": how, "last": now, **changes})


def _worsens(known: Firing, how: Routed) -> bool:
    """Check whether an alert that fires is said to be worse than people know: that is as much news as another alert."""
    return known.told and not how.assumed and how.severity < known.routed.severity


def _goes_on(group: Group, known: Firing, now: datetime) -> bool:
    """Check whether an alert still fires though its incident was resolved: the problem was not solved."""
    closed = known.told and (known.left or not group.incident) and not known.muted
    return closed and (group.quiet_until is None or now >= group.quiet_until)


def _bounded(alerts: dict[str, Firing]) -> dict[str, Firing]:
    """Forget the oldest ended alerts beyond what a group remembers."""
    ended = sorted((name for name, f in alerts.items() if not f.firing), key=lambda name: alerts[name].last)
    forgotten = set(ended[:-MAX_ENDED])
    return {name: f for name, f in alerts.items() if name not in forgotten} if forgotten else alerts


def _slimmed(group: Group, firing: Iterable[Firing]) -> Group:
    """The group without the details of all but its worst and oldest alerts; a repeat of one brings its own again."""
    beyond = (group.alerts[f.alert.name] for f in islice(firing, MAX_WHOLE, None) if not f.alert.is_slim)
    slim = {f.alert.name: f.model_copy(update={"alert": f.alert.slim()}) for f in beyond}
    return group.model_copy(update={"alerts": {**group.alerts, **slim}}) if slim else group


def _closed(group: Group, now: datetime) -> tuple[Group, list[str]]:
    """End the alerts of sources that never say so, once they were silent for as long as their route allows."""
    closing = ((name, f, _closes(f)) for name, f in group.alerts.items() if f.firing)
    ended = {name: f.model_copy(update={"firing": False}) for name, f, at in closing if at and at <= now}
    return (group.model_copy(update={"alerts": {**group.alerts, **ended}}) if ended else group), list(ended)


def _actions(group: Group, change: _Change, now: datetime, incident: OpenIncident | None) -> Iterator[Action]:
    if not group.incident or incident is None:
        waited = (f for f in change.firing if _declares(f) and _waits_until(f) <= now)
        if due := _worst_first((*waited, *(f for f in change.lasting if _declares(f)))):
            yield _declaration(group, due[0], change)
        return
    unheard = [f for f in change.firing if not f.told] if change.back else [f for f in change.new if f.firing]
    heard = [*unheard, *change.lasting]
    heard = [f for f in heard if not f.routed.hold and f.alert.name not in change.flapping]
    worse = [f for f in heard if f.routed.severity < incident.severity]
    worst = min(worse, key=lambda f: f.routed.severity, default=None)
    if worst and not worst.routed.raises:
        yield _declaration(group, worst, change)
        return
    if change.new or change.ended or change.reworded or change.back:
        yield JoinIncident(group.incident, change.new, change.ended)
    if worst:
        yield RaiseSeverity(group.incident, worst.routed.severity, worst)
    if not change.firing and (change.ended or group.settling):
        yield from _ending(group, now)


def _declaration(group: Group, worst: Firing, change: _Change) -> DeclareIncident:
    alerts = _worst_first((*change.firing, *change.lasting)) if change.lasting else change.firing
    return DeclareIncident(group.declared + 1, worst.routed.severity, alerts)


def _ending(group: Group, now: datetime) -> Iterator[Action]:
    """All alerts are over: ask once; resolve when nothing has fired for a while. Nothing follows from a silence."""
    if not _says_ends(group):
        return
    if _resolves(group):
        if group.settling is not None and group.settling <= now:
            yield AlertsEnded(group.incident, resolve=True)
    elif not group.asked:
        yield AlertsEnded(group.incident, resolve=False)


def _says_ends(group: Group) -> bool:
    """Check whether any of its alerts is of a source that says when one is over."""
    return any(f.alert.ends for f in group.alerts.values())


def _resolves(group: Group) -> bool:
    """Check whether the end of all its alerts resolves the incident, as all their routes say."""
    return all(f.routed.when_resolved == "resolve" for f in group.alerts.values())


def _after(group: Group, actions: tuple[Action, ...], change: _Change, now: datetime, settle: timedelta) -> Group:
    """The group once its actions are done; the caller adds an incident's id.

    It settles until its incident resolves. One that was declared of nothing but ended alerts is looked at again at
    once, to ask whether it is over.
    """
    declares = any(isinstance(a, DeclareIncident) for a in actions)
    asked = not change.firing and (group.asked or any(isinstance(a, AlertsEnded) for a in actions))
    settling = None
    if (group.incident or declares) and not change.firing and not asked and _says_ends(group):
        settling = group.settling or (now + settle if _resolves(group) or not declares else now)
    alerts = group.alerts
    if any(isinstance(a, DeclareIncident | JoinIncident) for a in actions):
        alerts = {name: f if f.told else f.model_copy(update={"told": True}) for name, f in alerts.items()}
    heard = next((a.severity for a in actions if isinstance(a, DeclareIncident | RaiseSeverity)), group.heard)
    changes = {"declared": group.declared + declares, "asked": asked, "settling": settling, "alerts": alerts}
    former = _former(group) if declares and group.incident else group.former
    return group.model_copy(update={**changes, "heard": heard, "former": former})


def _began(before: Firing | None, now: Firing) -> bool:
    return before is None or not before.firing or before.times != now.times


def _flaps(before: Firing, now: Firing, heard: Severity | None, settle: timedelta) -> bool:
    """Check whether an alert is as bad again soon after it was, no worse than heard: who called that less bad knew it.

    It ended in between, or its source called it less bad.
    """
    until = before.eased if before.firing else before.last
    known = heard is not None and now.routed.severity >= max(heard, before.worst)
    return before.told and now.firing and known and until is not None and now.first - until < settle


def _declares(fired: Firing) -> bool:
    """Check whether an alert is a reason for a new incident."""
    return not (fired.told or fired.routed.hold)


def _waits_until(fired: Firing) -> datetime:
    return fired.first + fired.routed.wait


def _closes(fired: Firing) -> datetime | None:
    return None if fired.routed.close_after is None else fired.last + fired.routed.close_after


def _closings(group: Group) -> Iterator[datetime | None]:
    return (_closes(f) for f in group.alerts.values() if f.firing)


def _worst_first(alerts: Iterable[Firing]) -> tuple[Firing, ...]:
    return tuple(sorted(alerts, key=lambda f: (f.routed.severity, f.first)))
