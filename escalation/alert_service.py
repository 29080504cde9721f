"""Alerts become incidents: route each, take it into its group, and do what the group asks for.

Every action may be repeated: a declaration has the key of its group and number, an incident that shows its alerts
already is left as it is. So a job that dies half-way is simply run again.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from escalation.alerts.alert import Alert, AlertState
from escalation.alerts.groups import (
    Action,
    AlertsEnded,
    DeclareIncident,
    Firing,
    Group,
    JoinIncident,
    OpenIncident,
    RaiseSeverity,
    changed,
)
from escalation.alerts.routing import Routed, routed
from escalation.config.alerts import Alerts
from escalation.errors import NotFound, Refused
from escalation.incident.events import AlertsChanged, ChangeSeverity, Resolve
from escalation.incident.model import AlertSummary, Detection, Facts, Incident, SeenAlert, Status
from escalation.service import IncidentService
from escalation.storage.intake import Intake, Outcome, group_digest
from escalation.values import PersonId, machine

MAX_SHOWN = 10  # alerts on a card; the rest is a count
ENDED = "All alerts have ended"
SILENCE = "silence of "  # begins the fingerprint of a heartbeat's absence


class AlertService:
    """Take alerts in, and look at groups whose time has come. `titles`: a source's name -> what people call it."""

    def __init__(self, intake: Intake, service: IncidentService, rules: Alerts, titles: dict[str, str]) -> None:
        self.intake = intake
        self._service = service
        self._rules = rules
        self._titles = titles

    def take(self, alerts: Iterable[Alert]) -> list[Outcome]:
        """Take alerts in, those of one group at once. Returns what became of each."""
        now, outcomes = self._service.clock(), list[Outcome]()
        by_group: dict[str, list[tuple[Alert, Routed]]] = {}
        alerts = [*self._without_heartbeats(alerts, now, outcomes)]
        # One that fires stays in its group: its end often lacks the labels that its beginning was routed by.
        known = self.intake.groups_of([alert.name for alert in alerts])
        for alert in alerts:
            how = routed(alert, self._rules, self._service.company.services)
            firing_in = known.get(alert.name, "")
            if how.dropped and not firing_in:
                outcomes.append(_outcome(alert, now, f"dropped: {how.dropped}"))
            else:
                by_group.setdefault(firing_in or how.group, []).append((alert, how))
        for key, seen in by_group.items():
            group, actions = self._change(key, seen, now)
            outcomes += [_taken_outcome(alert, how, now, group, actions) for alert, how in seen]
        return outcomes

    def _without_heartbeats(self, alerts: Iterable[Alert], now: datetime, outcomes: list[Outcome]) -> Iterator[Alert]:
        """Note heartbeats, and yield the other alerts. A beat ends the alert of its silence; its end begins that."""
        for alert in alerts:
            how = routed(alert, self._rules, self._service.company.services)
            if how.heartbeat is None or alert.fingerprint.startswith(SILENCE):
                yield alert
                continue
            outcomes.append(_outcome(alert, now, "heartbeat"))
            if alert.state is AlertState.FIRING:
                self.intake.beat(alert, now + how.heartbeat)
                yield _silence(alert, AlertState.RESOLVED)
            elif alert.state is AlertState.RESOLVED:
                yield _silence(alert, AlertState.FIRING)

    def beat_missed(self, member: str) -> list[Outcome]:
        """A heartbeat did not come in time: its absence is an alert like any other."""
        alert = self.intake.missed_beat(member)
        return self.take([_silence(alert, AlertState.FIRING)]) if alert else []

    def look_again(self, key: str) -> None:
        """Look at a group whose time has come: a wait is over, an alert was silent for long, or it stayed quiet."""
        self._change(key, [], self._service.clock())

    def _change(
        self, key: str, seen: Sequence[tuple[Alert, Routed]], now: datetime
    ) -> tuple[Group, tuple[Action, ...]]:
        done: tuple[Action, ...] = ()

        def step(before: Group) -> Group:
            nonlocal done
            incident = self._incident(before.incident)
            after, done = changed(before, seen, now, _as_seen(incident))
            for action in done:
                after = self._act(action, after, incident)
            return after

        return self.intake.update_group(key, step), done

    def _incident(self, incident_id: str) -> Incident | None:
        try:
            return self._service.store.get(incident_id) if incident_id else None
        except NotFound:
            return None

    def _act(self, action: Action, group: Group, incident: Incident | None) -> Group:
        """Carry out one action; a move that is not legal any more is none."""
        by = self._machine(group)
        match action:
            case DeclareIncident():
                return group.model_copy(update={"incident": self._declare(action, group, by).id})
            case JoinIncident():
                self._show(action.incident, group, by, action.new, action.ended)
            case RaiseSeverity():
                policy = self._service.severity(action.severity)
                title = action.because.alert.title
                self._move(action.incident, ChangeSeverity(by=by, policy=policy, why=f"worse alert: {title}"))
            case AlertsEnded(resolve=True):
                ended = Resolve(by=by, summary=ENDED, resolution="Not stated: its alerts ended by themselves")
                self._move(action.incident, ended)
            case AlertsEnded():
                self._move(action.incident, AlertsChanged(by=by, alerts=_summary(group, self._titles), over=True))
        return group

    def _declare(self, action: DeclareIncident, group: Group, by: PersonId) -> Incident:
        facts = _facts(action.alerts)
        severity, key = action.severity, f"alerts:{group_digest(group.key)}:{action.number}"
        return self._service.declare(by, severity, facts, key, alerts=_summary(group, self._titles))

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

    def _machine(self, group: Group) -> PersonId:
        latest = max(group.alerts.values(), key=lambda f: f.last, default=None)
        source = latest.alert.source if latest else ""
        return machine(self._titles.get(source, source or "Monitoring"))


def _silence(alert: Alert, state: AlertState) -> Alert:
    """The alert that stands for the absence of a heartbeat; how bad that is says its route, else it is assumed."""
    changes = {"fingerprint": f"{SILENCE}{alert.fingerprint}"[:300], "state": state, "severity": ""}
    return alert.model_copy(update={**changes, "title": f"Monitoring is silent: no {alert.title}"[:200]})


def _as_seen(incident: Incident | None) -> OpenIncident | None:
    if incident is None:
        return None
    closed_at = None if incident.open else incident.closed_at or incident.declared_at
    return OpenIncident(incident.severity, closed_at, incident.status is Status.CANCELLED)


def _facts(alerts: tuple[Firing, ...]) -> Facts:
    """The facts of a declaration: those of the worst alert, and the others by name."""
    worst = alerts[0].alert
    others = [f"• {f.alert.title}" for f in alerts[1:MAX_SHOWN]]
    more = [f"and {len(alerts) - MAX_SHOWN} more"] if len(alerts) > MAX_SHOWN else []
    labels = (
        [", ".join(f"{name}={value}" for name, value in sorted(worst.labels.items()))[:500]] if worst.labels else []
    )
    description = "\n".join(filter(None, [worst.description, *labels, *others, *more]))
    return Facts(
        title=worst.title,
        description=description[:3000],
        service=alerts[0].routed.service,
        detection=Detection.MONITORING,
        source_link=next((link.url for link in worst.links), ""),
    )


def _summary(group: Group, titles: dict[str, str]) -> AlertSummary:
    """What a card shows of a group: what fires first, the worst first."""
    ended = sorted((f for f in group.alerts.values() if not f.firing), key=lambda f: f.last, reverse=True)
    shown = [*group.firing, *ended][:MAX_SHOWN]
    return AlertSummary(
        shown=tuple(_seen(f, titles) for f in shown),
        firing=len(group.firing),
        total=len(group.alerts),
        assumed=bool(shown) and all(f.routed.assumed for f in shown),
    )


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


def _taken_outcome(alert: Alert, how: Routed, now: datetime, group: Group, actions: tuple[Action, ...]) -> Outcome:
    """What became of an alert that was taken into its group."""
    if any(isinstance(action, DeclareIncident) for action in actions):
        result = "declared"
    elif group.incident:
        result = "joined" if alert.state is AlertState.FIRING else str(alert.state)
    elif alert.state is not AlertState.FIRING:
        result = f"{alert.state}: nothing was open"
    else:
        result = "held" if how.hold else "waiting" if how.wait else "known"
    return _outcome(alert, now, result, group.incident, how.severity)


def _outcome(alert: Alert, now: datetime, result: str, incident: str = "", severity: str = "") -> Outcome:
    return Outcome(
        at=now.timestamp(),
        source=alert.source,
        title=alert.title,
        result=result,
        incident=incident,
        severity=severity,
        fingerprint=alert.fingerprint,
    )
