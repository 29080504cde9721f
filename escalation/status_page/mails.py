"""Mails to subscribers of the status page: the request to confirm, updates and maintenance, in public words only."""

from escalation.config.status_page import StatusPage
from escalation.messages.mail import Mail
from escalation.status_page import words
from escalation.status_page.maintenance import Notice
from escalation.status_page.publications import Publication
from escalation.status_page.standing import PublicIncident

_WHY = "You get this mail because you subscribed to {title} with this address."


def confirmation_mail(page: StatusPage, link: str) -> Mail:
    """Write the mail that asks to confirm a subscription; nothing happens to who ignores it."""
    body = (
        f"Somebody, probably you, asked for the updates of {page.title} by mail.\n\n"
        f"To confirm, open this link and press the button:\n{link}\n\n"
        "The link is good for two days. If it was not you, do nothing: no other mail will come."
    )
    return Mail(f"Confirm your subscription to {page.title}", body)


def subscribed_mail(page: StatusPage, leave: str) -> Mail:
    """Write the mail to somebody who has subscribed already, and asked once more."""
    body = (
        f"Somebody, probably you, asked for the updates of {page.title} by mail. This address gets them already.\n\n"
        f"To end that, open this link and press the button:\n{leave}"
    )
    return Mail(f"You are subscribed to {page.title}", body, headers=_leaving(leave))


def update_mail(page: StatusPage, incident: PublicIncident, update: Publication, leave: str) -> Mail:
    """Write the mail of an update or a correction. All of an incident are one thread, by its first name."""
    told = next((n for n, u in enumerate(incident.updates) if u.n == update.n), 0)
    was = next((c.was.body for cs in incident.corrections.values() for c in cs if c.by == update.n), "")
    status = "Correction" if update.corrects else words.STATUSES[update.status]
    states = [f"{name}: {words.STATES[state].lower()}" for name, state in update.components.items()]
    parts = [
        f"{status}: {update.name}",
        update.body,
        *([f"Before, it said:\n{was}"] if was else []),
        *(["\n".join(states)] if states else []),
        *([] if update.corrects else ["\n".join(words.promises(update, told, None, update.at))]),
        *_end(page, leave),
    ]
    first = incident.updates[0]
    original = incident.corrections[first.n][0].was if first.n in incident.corrections else first
    subject = f"{page.title}: {original.name or 'Incident'}"
    return Mail(subject, "\n\n".join(parts), f"status-{incident.id}", headers=_leaving(leave))


def maintenance_mail(page: StatusPage, notice: Notice, leave: str) -> Mail:
    """Write the mail of planned maintenance in a phase of it. All of a window are one thread."""
    planned = notice.planned
    parts = [
        f"{words.PHASES[notice.phase]}: {planned.title}",
        f"From {words.instant(planned.starts)} to {words.instant(planned.ends)}",
        *([planned.words] if planned.words else []),
        *(["\n".join(planned.components)] if planned.components else []),
        *_end(page, leave),
    ]
    subject = f"{page.title}: Maintenance: {planned.title}"
    return Mail(subject, "\n\n".join(parts), f"status-maintenance-{notice.window}", headers=_leaving(leave))


def _end(page: StatusPage, leave: str) -> list[str]:
    where = [f"All updates: {page.url}"] if page.url else []
    return [*where, f"{_WHY.format(title=page.title)}\nTo end that: {leave}"]


def _leaving(leave: str) -> tuple[tuple[str, str], ...]:
    """Headers of one click to leave: https://www.rfc-editor.org/rfc/rfc8058."""
    return (("List-Unsubscribe", f"<{leave}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
