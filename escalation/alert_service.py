"""Alerts become incidents: route each, take it into its group, and do what the group asks for.

Every action may be repeated: a declaration has the key of its group and number, an incident that shows its alerts
already is left as it is. So a job that dies half-way is simply run again.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from escalation.alerts.alert import Alert, AlertState
from escalation.alerts.backlog import Backlog, Batch, Incoming
from escalation.alerts.groups import (
    SETTLE,
    Action,
    AlertsEnded,
    DeclareIncident,
    Firing,
    Group,
    JoinIncident,
    OpenIncident,
    RaiseSeverity,
    Seen,
    changed,
    promoted,
)
from escalation.alerts.routing import Routed, routed
from escalation.config.alerts import Alerts
from escalation.errors import NotFound, Refused, TooNew
from escalation.incident.events.moves import ChangeSeverity, Resolve
from escalation.incident.events.news import AlertsChanged
from escalation.incident.model import Incident
from escalation.incident.state.alerts import AlertSummary, SeenAlert
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Detection, Facts, Status
from escalation.service import IncidentService
from escalation.storage.intake import Intake, Outcome, group_digest
from escalation.values import PersonId, machine

SLICE = 500  # alerts of one group that are taken in at once: a worse one that comes meanwhile waits no longer
MAX_SHOWN = 10  # alerts on a card; the rest is a count
MAX_DUPLICATES = 5  # of duplicates of duplicates
ENDED = "All alerts have ended"
DECLARED = "alerts:"  # begins the key of an incident that alerts declared
DEAF = timedelta(seconds=30)  # an outage of ours, and no storm, in which a heartbeat is looked at within seconds
PRIVATE = "It is private because the former incident of these alerts is."
SILENCE = "silence of "  # begins the fingerprint of a heartbeat's absence


class AlertService:
    """Take alerts in, and look at groups whose time has come. `titles`: a source's name -> what people call it."""

    def __init__(self, intake: Intake, service: IncidentService, rules: Alerts, titles: dict[str, str]) -> None:
        self.intake = intake
        self._service = service
        self._rules = rules
        self._titles = titles

    def route(self, alerts: Iterable[Alert], now: datetime, received: float, body: str = "") -> list[Incoming]:
        """Find what is to happen with the alerts of a body that came by now; of heartbeats note the beat."""
        return [Incoming(alert, *self._beaten(alert, now), received, body) for alert in alerts]

    def admit(self, backlog: Backlog, given: Sequence[Incoming]) -> list[tuple[Incoming, Outcome]]:
        """Add alerts to the backlog of their group. Returns what became of those that are dropped."""
        now, dropped = self._service.clock(), list[tuple[Incoming, Outcome]]()
        # One that fires stays in its group: its end often lacks the labels that its beginning was routed by.
        known = self.intake.groups_of([incoming.name for incoming in given if incoming.counts])
        for incoming in given:
            fires_in = incoming.counts and (backlog.group_of(incoming.name) or known.get(incoming.name))
            ends = incoming.counts and incoming.counts.state is not AlertState.FIRING
            if incoming.counts and (not incoming.how.dropped or (fires_in and ends)):
                backlog.add(fires_in or incoming.how.group, incoming)
            else:
                dropped.append((incoming, _outcome(incoming, now, f"dropped: {incoming.how.dropped}")))
        return dropped

    def take(self, backlog: Backlog, goes_on: Callable[[], bool] = lambda: True) -> Iterator[tuple[Incoming, Outcome]]:
        """Take alerts in, some of one group at once, the worst group first, for as long as it `goes_on`.

        Yields what became of each. What is left stays in the backlog, also when this ends with an error.
        """
        left = list[Batch]()
        try:
            while batch := backlog.next(SLICE):
                left.append(batch)
                with contextlib.suppress(TooNew):  # a newer worker can read its incident
                    became = self._take_batch(batch)
                    left.pop()
                    yield from became
                if not goes_on():
                    break
        finally:
            for batch in reversed(left):
                backlog.put_back(batch)

    def _take_batch(self, batch: Batch) -> list[tuple[Incoming, Outcome]]:
        seen, now = [incoming.seen for incoming in batch.alerts], self._service.clock()
        taken = self._change(batch.group, seen, now)
        results = zip(batch.alerts, _results(seen, *taken), strict=True)
        return [(i, _taken_in(i, now, result, taken.group)) for i, result in results]

    def _beaten(self, alert: Alert, now: datetime) -> tuple[Alert | None, Routed]:
        """Return the alert that counts, and its route. A heartbeat's beat ends its silence, and its end begins that."""
        how = self._routed(alert)
        if how.heartbeat is None or alert.fingerprint.startswith(SILENCE):
            return alert, how
        if alert.state is AlertState.FIRING:
            self.intake.beat(alert, now + how.heartbeat)
        silence = {AlertState.FIRING: AlertState.RESOLVED, AlertState.RESOLVED: AlertState.FIRING}.get(alert.state)
        counts = _silence(alert, silence) if silence else None
        return counts, self._routed(counts) if counts else how

    def _routed(self, alert: Alert) -> Routed:
        """Find an alert's route. Its waits pass as fast as the policies' clocks; a heartbeat is the sender's time."""
        how = routed(alert, self._rules, self._service.company.services, self._service.policy.severities)
        close_after = how.close_after / self._service.speed if how.close_after else None
        return how.model_copy(update={"wait": how.wait / self._service.speed, "close_after": close_after})

    def beat_missed(self, member: str) -> list[Outcome]:
        """A heartbeat did not come in time: its absence is an alert like any other, and repeated while it lasts.

        One that is found so late was not missed by its sender, for nobody listened: it is waited for anew. The silence
        of a heartbeat that no route asks for any more ends. Raises TooNew.
        """
        alert, due = self.intake.last_beat(member), self.intake.beat_due(member)
        now, backlog = self._service.clock(), Backlog()
        if due is None or due > now:
            return []
        period = self._routed(alert).heartbeat if alert else None
        if alert and period and now - due > DEAF:
            self.intake.beat(alert, now + period)
            return []
        silence = [_silence(alert, AlertState.FIRING if period else AlertState.RESOLVED)] if alert else []
        became = self.admit(backlog, self.route(silence, now, now.timestamp()))
        while batch := backlog.next(SLICE):
            became += self._take_batch(batch)
        if alert and period:
            self.intake.beat(alert, now + period)
        else:
            self.intake.beat_over(member)
        return [outcome for _, outcome in became]

    def promote(self, digest: str, by: PersonId) -> Incident:
        """Declare the incident of a group that is held; the one that it has by now, if somebody was faster.

        Raises NotFound for an unknown group, Refused when its alerts have ended.
        """
        known = self.intake.held_group(digest)
        if known is None:
            raise NotFound("these alerts")

        def step(group: Group) -> Group:
            after, action = promoted(group)
            return after.model_copy(update={"incident": self._declare(action, after, by).id}) if action else group

        group = self.intake.update_group(known.key, step)
        if not group.incident:
            raise Refused("These alerts have ended; nothing was declared.")
        return self._service.store.get(group.incident)

    def look_again(self, key: str) -> None:
        """Look at a group whose time has come: a wait is over, an alert was silent for long, or it stayed quiet."""
        self._change(key, [], self._service.clock())

    def moved(self, incident: Incident) -> None:
        """Look at the group that declared an incident which was reopened or cancelled: no other body may follow."""
        for digest in {key.split(":")[1] for key in incident.keys if key.startswith(DECLARED)}:
            if group := self.intake.group_of_member(f"g:{digest}"):
                with contextlib.suppress(TooNew):
                    self.look_again(group)
                if incident.open:
                    self.intake.update_group(group, lambda known: _unsettled(known, incident))

    def _change(self, key: str, seen: Sequence[Seen], now: datetime) -> "_Taken":
        before, actions = Group(key=key), tuple[Action, ...]()

        def step(group: Group) -> Group:
            nonlocal before, actions
            before, incident = group, self._service.find(group.incident)
            original = self._original(incident) if incident else None
            if original and _takes_over(original, group):
                group = group.model_copy(update={"incident": original.id})
                self._show(original.id, group, self._latest(group), (), ())
                incident, original = original, None
            own = _as_seen(original or incident)
            former = None if own and own.open else self._former(group)
            after, actions = changed(group, seen, now, own, SETTLE / self._service.speed, _as_seen(former))
            for action in actions:
                after = self._act(action, after, None if former else original)
            return after

        after = self.intake.update_group(key, step)
        return _Taken(before, after, actions)

    def _former(self, group: Group) -> Incident | None:
        """Find the latest open one of a group's former incidents: a lesser one, or one that somebody has reopened."""
        found = (self._service.find(incident) for incident in reversed(group.former))
        return next((incident for incident in found if incident and incident.open), None)

    def _original(self, incident: Incident) -> Incident | None:
        """Find the incident that goes on in place of one that was cancelled as a duplicate; None if it was not."""
        found = None
        for _ in range(MAX_DUPLICATES):
            cancelled = incident.latest(EntryKind.CANCELLED) if incident.status is Status.CANCELLED else None
            original = self._service.find(cancelled.fields.get("duplicate_of", "")) if cancelled else None
            if original is None:
                break
            found = incident = original
        return found

    def _act(self, action: Action, group: Group, original: Incident | None) -> Group:
        """Carry out one action; a move that is not legal any more is none.

        Of a duplicate's alerts the `original` hears a worse one only: it has its own to show, and to end by.
        """
        by = self._latest(group)
        match action:
            case DeclareIncident():
                return group.model_copy(update={"incident": self._declare(action, group, by).id})
            case JoinIncident() | AlertsEnded() if original:
                pass
            case JoinIncident():
                self._show(action.incident, group, by, action.new, action.ended)
            case RaiseSeverity():
                policy = self._service.severity(action.severity)
                title = action.because.alert.title
                raised = original.id if original else action.incident
                self._move(raised, ChangeSeverity(by=by, policy=policy, why=f"worse alert: {title}"))
            case AlertsEnded():
                for former in filter(None, map(self._service.find, group.former)):  # its alerts are over as well
                    if former.alerts.firing and former.id != action.incident:
                        self._over(former, by, _ended(former.alerts), resolve=action.resolve)
                if incident := self._service.find(action.incident):
                    self._over(incident, by, _summary(group, self._titles), resolve=action.resolve)
        return group

    def _declare(self, action: DeclareIncident, group: Group, by: PersonId) -> Incident:
        facts = _facts(action.alerts, private=group.private)
        severity, key = action.severity, f"{DECLARED}{group_digest(group.key)}:{action.number}"
        detected = min(f.detected for f in action.alerts)
        return self._service.declare(by, severity, facts, key, alerts=_summary(group, self._titles), detected=detected)

    def _over(self, incident: Incident, by: PersonId, alerts: AlertSummary, *, resolve: bool) -> None:
        """Resolve an incident whose alerts have ended, or ask whether it is over: always where a person declared it."""
        resolved = Resolve(by=by, summary=ENDED, resolution="Not stated: its alerts ended by themselves")
        asked = AlertsChanged(by=by, alerts=alerts, over=True)
        own = any(key.startswith(DECLARED) for key in incident.keys)
        self._move(incident.id, resolved if resolve and own else asked)

    def _show(
        self, incident: str, group: Group, by: PersonId, new: tuple[Firing, ...], ended: tuple[Firing, ...]
    ) -> None:
        began, over = (tuple(f.alert.title for f in part) for part in (new, ended))
        summary = _summary(group, self._titles)
        self._move(incident, AlertsChanged(by=by, alerts=summary, began=began, ended=over))

    def _move(self, incident: str, event: AlertsChanged | ChangeSeverity | Resolve) -> None:
        try:
            self._service.handle(incident, event)
        except (Refused, NotFound):
            return  # somebody was faster: it is resolved, raised, or gone

    def _latest(self, group: Group) -> PersonId:
        """Who reported what came last: a person, else its source as a machine."""
        latest = max(group.alerts.values(), key=lambda f: f.last, default=None)
        if latest and latest.alert.reporter:
            return latest.alert.reporter
        source = latest.alert.source if latest else ""
        return machine(self._titles.get(source, source or "Monitoring"))


def _silence(alert: Alert, state: AlertState) -> Alert:
    """The alert that stands for the absence of a heartbeat; how bad that is says its route, else it is assumed."""
    changes = {"fingerprint": f"{SILENCE}{alert.fingerprint}"[:300], "state": state, "severity": ""}
    return alert.model_copy(update={**changes, "title": f"Monitoring is silent: no {alert.title}"[:200]})


def _unsettled(group: Group, incident: Incident) -> Group:
    """The group once somebody has reopened its incident: that its alerts had ended by then does not resolve it."""
    if group.incident != incident.id or group.fires:
        return group
    return group.model_copy(update={"settling": None, "asked": True})


def _takes_over(original: Incident, group: Group) -> bool:
    """Check whether what goes on in place of a duplicate has no alerts but those of this group: they are its own then.

    What a private incident was told is for no other.
    """
    own = original.id in group.former or not original.alerts.total
    return own and original.open and (original.private or not group.private)


def _as_seen(incident: Incident | None) -> OpenIncident | None:
    if incident is None:
        return None
    closed_at = None if incident.open else incident.closed_at or incident.declared_at
    return OpenIncident(
        incident.severity, closed_at, incident.status is Status.CANCELLED, incident.private, incident.id
    )


def _facts(alerts: tuple[Firing, ...], *, private: bool) -> Facts:
    """The facts of a declaration: those of the worst alert, and the others by name."""
    worst = alerts[0].alert
    others = [f"• {f.alert.title}" for f in alerts[1:MAX_SHOWN]]
    more = [f"and {len(alerts) - MAX_SHOWN} more"] if len(alerts) > MAX_SHOWN else []
    named = sorted(worst.labels.items()) if not worst.reporter else []  # who reports it stands on the card
    labels = [", ".join(f"{name}={value}" for name, value in named)[:500]]
    why = [PRIVATE] if private else []
    description = "\n".join(filter(None, [*why, worst.description, *labels, *others, *more]))
    return Facts(
        title=worst.title,
        description=description[:3000],
        service=alerts[0].routed.service,
        detection=Detection.USER_REPORT if worst.reporter else Detection.MONITORING,
        source_link=next((link.url for link in worst.links), ""),
        security=private,
    )


def _summary(group: Group, titles: dict[str, str]) -> AlertSummary:
    """What a card shows of a group: what fires first, the worst first."""
    firing = group.firing
    ended = sorted((f for f in group.alerts.values() if not f.firing), key=lambda f: f.last, reverse=True)
    shown = [*firing, *ended][:MAX_SHOWN]
    return AlertSummary(
        shown=tuple(_seen(f, titles) for f in shown),
        firing=len(firing),
        total=len(group.alerts),
        assumed=bool(shown) and all(f.routed.assumed for f in shown),
        reports=bool(shown) and all(f.alert.reporter for f in shown),
    )


def _ended(alerts: AlertSummary) -> AlertSummary:
    """What a card shows of its alerts once all have ended."""
    over = tuple(seen.model_copy(update={"firing": False}) for seen in alerts.shown)
    return alerts.model_copy(update={"shown": over, "firing": 0})


def _seen(fired: Firing, titles: dict[str, str]) -> SeenAlert:
    alert = fired.alert
    return SeenAlert(
        title=alert.title,
        source=titles.get(alert.source, alert.source),
        firing=fired.firing,
        since=fired.first,
        severity=alert.severity,
        url=next((link.url for link in alert.links), ""),
    )


class _Taken(NamedTuple):
    """What taking alerts in did to their group."""

    before: Group
    group: Group
    actions: tuple[Action, ...]


def _results(seen: Sequence[Seen], before: Group, group: Group, actions: tuple[Action, ...]) -> Iterator[str]:
    """What became of each of a group's alerts, one after the other: the same one may be there more than once."""
    firing = {name for name, fired in before.alerts.items() if fired.firing}
    declared = any(isinstance(action, DeclareIncident) for action in actions)
    for alert, how, _ in seen:
        if alert.state is not AlertState.FIRING:
            yield alert.state if alert.name in firing else f"{alert.state}: nothing was open"
            firing -= {alert.name} if alert.state is AlertState.RESOLVED else set()
            continue
        repeated = alert.name in firing and not _fires_anew(alert.name, before, group)
        firing.add(alert.name)
        if group.incident:
            yield "repeated" if repeated else "declared" if declared else "joined"
        else:
            yield "repeated" if repeated else "held" if how.hold else "waiting" if how.wait else "known"


def _fires_anew(name: str, before: Group, after: Group) -> bool:
    """True if an alert that has fired all along is counted anew: its incident was resolved too early."""
    was, fired = before.alerts.get(name), after.alerts.get(name)
    return was is not None and fired is not None and fired.firing and fired.times > was.times


def _taken_in(incoming: Incoming, now: datetime, result: str, group: Group) -> Outcome:
    """What became of an alert of a group. Its end often names it by its key alone: it is listed as it began."""
    outcome = _outcome(incoming, now, result, group.incident, incoming.how.severity)
    began = group.alerts.get(incoming.name) if incoming.alert.state is not AlertState.FIRING else None
    if began is None or incoming.counts is not incoming.alert:
        return outcome
    return replace(outcome, title=began.alert.title, severity=began.routed.severity)


def _outcome(incoming: Incoming, now: datetime, result: str, incident: str = "", severity: str = "") -> Outcome:
    alert, beat = incoming.alert, incoming.counts is not incoming.alert
    return Outcome(
        at=now.timestamp(),
        source=alert.source,
        title=alert.title,
        result="heartbeat" if beat else result,
        incident="" if beat else incident,
        severity="" if beat else severity,
        fingerprint=alert.fingerprint,
    )
