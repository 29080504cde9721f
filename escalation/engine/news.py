"""News of an incident: its alerts, other paging services, mail, a forgotten person."""

from escalation.engine import cards
from escalation.engine.change import Change
from escalation.incident.effects import SetTopic
from escalation.incident.events.news import MAX_TITLES, AlertsChanged, MailReceived, Redacted, ResolvedThere
from escalation.incident.state.entries import EntryKind


def alerts_changed(change: Change, event: AlertsChanged) -> None:
    """Show what the alerts of an open incident are now, and ask whether it is over once all have ended."""
    if not change.incident.open:  # the record of a closed incident stays as it was
        return
    if event.alerts != change.incident.alerts:
        change.set(alerts=event.alerts)
        change.advance_face()
    if event.began or event.ended:
        counts = {"firing": str(event.alerts.firing), "total": str(event.alerts.total)}
        titles = {**_titles("began", event.began), **_titles("ended", event.ended)}
        change.note(EntryKind.ALERTS, by=event.by, fields=counts | titles)
    if event.over:
        change.say(change.note(EntryKind.ALERTS_ENDED, by=event.by))


def _titles(name: str, titles: tuple[str, ...]) -> dict[str, str]:
    """The first titles, and how many more there are: those of a storm would fill the incident."""
    more = {f"more_{name}": str(len(titles) - MAX_TITLES)} if len(titles) > MAX_TITLES else {}
    return {name: "\n".join(titles[:MAX_TITLES]), **more}


def resolved_there(change: Change, event: ResolvedThere) -> None:
    """Ask whether an open incident is over, now that another paging service has it as resolved."""
    if change.incident.open:
        fields = {"service": event.service, "known_as": event.known_as}
        change.say(change.note(EntryKind.RESOLVED_THERE, by=event.by, fields=fields))


def mail_received(change: Change, event: MailReceived) -> None:
    """Post what somebody wrote, also once the incident is closed: they may say that it is not over."""
    if event.key in change.incident.keys:
        return
    change.set(keys=(*change.incident.keys[-49:], event.key))
    change.say(change.note(EntryKind.MAIL, by=event.by, text=event.text))


def redacted(change: Change, event: Redacted) -> None:
    """Note that somebody was forgotten, and show every card and message anew: they are rendered from the record."""
    change.note(EntryKind.REDACTED, fields=event.digests)
    cards.show_anew(change)
    room = change.incident.room
    if room and not room.lost:
        change.add_effect(SetTopic, face=change.incident.face)
