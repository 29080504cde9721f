"""Other paging services: told of an incident, and kept in step with it from then on."""

from typing import Literal

from escalation.config.notify import Via
from escalation.engine.change import Change
from escalation.incident.effects import Alert
from escalation.incident.model import Incident


def begin(change: Change) -> None:
    """Tell other paging services of the incident, once: they know it from then on. A drill is none of theirs."""
    if not change.incident.drill:
        add(change, change.incident.ways.page)


def add(change: Change, ways: tuple[Via, ...]) -> None:
    """Have the paging services among these channels know the incident from now on."""
    known = _services(change.incident)
    new = tuple(via for via in ways if via.is_service and via not in known)
    if new:
        change.set(alerted=True, alerted_by=(*known, *new), alert_face="")


def _services(incident: Incident) -> tuple[Via, ...]:
    """Return the paging services that know an incident."""
    return (incident.alerted_by or (Via.PAGERDUTY,)) if incident.alerted else ()


def _alert(change: Change, action: Literal["trigger", "acknowledge", "resolve"]) -> None:
    for via in _services(change.incident):
        lane = "alert" if via is Via.PAGERDUTY else f"alert-{via}"
        change.add_effect(Alert, lane, via=via, action=action)


def follow(change: Change) -> None:
    """Trigger the alert in other paging services, and again whenever what it says there is no longer so.

    That is the severity, the title (of a private incident: none), and the tiers paged, after an acknowledgement too.
    """
    incident = change.incident
    if not incident.alerted or not incident.open:
        return
    title = "" if incident.private else incident.facts.title
    face = "\n".join((incident.severity, ",".join(map(str, incident.tiers_paged)), title))
    if face != incident.alert_face:
        change.set(alert_face=face)
        _alert(change, "trigger")


def tell(change: Change, action: Literal["acknowledge", "resolve"]) -> None:
    """Acknowledge or resolve the incident in another paging service that was told of it."""
    _alert(change, action)
    if action == "resolve":
        change.set(alerted=False, alerted_by=())
