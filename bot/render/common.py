"""Pieces that cards and lists share: titles, marks, people and instants, as escaped mrkdwn. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.render.mrkdwn import CLOCK, DAY, brief, cut, emphasised, literal, moment, person, with_seconds
from escalation.incident.model import Incident
from escalation.incident.state.facts import Status
from escalation.messages.entries.notices import MARKS
from escalation.text import clean

STATUS = {
    Status.INVESTIGATING: "Investigating",
    Status.IDENTIFIED: "Root cause identified",
    Status.FIXING: "Fixing",
    Status.MONITORING: "Monitoring",
    Status.RESOLVED: "Resolved",
    Status.CANCELLED: "Cancelled",
}
DRILL = "🧪 DRILL"
Names = Mapping[str, str]
NO_NAMES: Names = {}
MAX_TITLE = 400  # 200 characters, some of them escaped
SHORT = 300
_MAX_PEOPLE = 8
SAME_DAY = timedelta(hours=12)


def summary(incident: Incident) -> str:
    """One-line summary of an incident, for notifications and lists."""
    text = f"{mark(incident)} {incident.severity} {shown_title(incident)}"
    return f"{text} ({incident.id}, {STATUS[incident.status]})"


def mark(incident: Incident) -> str:
    """Emoji of the severity, or of how the incident ended; a drill's label comes first."""
    closed = {Status.RESOLVED: "✅", Status.CANCELLED: "⚪"}
    colour = closed.get(incident.status, MARKS[incident.severity])
    return f"{DRILL} {colour}" if incident.drill else colour


def title(incident: Incident, limit: int = MAX_TITLE) -> str:
    """Title in bold, on one line."""
    return emphasised(shown_title(incident, limit))


def shown_title(incident: Incident, limit: int = MAX_TITLE) -> str:
    """Title as mrkdwn on one line, where nothing in it is markup."""
    return cut(" ".join(literal(plain_title(incident)).split()), limit)


def plain_title(incident: Incident) -> str:
    """Title as it was given, without invisible characters."""
    return clean(incident.facts.title).strip() or "(no title)"


def message_url(workspace_url: str, channel: str, ts: str) -> str:
    """Address of a message, as `chat.getPermalink` answers it; empty while the workspace's own is not known."""
    return f"{workspace_url.rstrip('/')}/archives/{channel}/p{ts.replace('.', '')}" if workspace_url and ts else ""


def card_url(incident: Incident, workspace_url: str) -> str:
    """Address of the incident's card; empty until it is posted."""
    posted = incident.card()
    return message_url(workspace_url, posted.channel, posted.ts) if posted else ""


def room_url(incident: Incident, workspace_url: str) -> str:
    """Address of the incident's war room, for a button; empty without one."""
    room = incident.room
    return f"{workspace_url.rstrip('/')}/archives/{room.channel}" if workspace_url and room and not room.lost else ""


def short_time(at: datetime, incident: Incident) -> str:
    """Time of day; with its date when it is far from the moment the clocks started."""
    form = CLOCK if abs(at - incident.clock_from) < SAME_DAY else DAY
    return moment(at, with_seconds(form) if incident.speed != 1 else form)


def names_of(people: tuple[str, ...], names: Names) -> str:
    """List people by name, which notifies nobody; somebody without a known name is mentioned."""
    more = f" and {len(people) - _MAX_PEOPLE} more" if len(people) > _MAX_PEOPLE else ""
    return ", ".join(brief(names[p], SHORT) if p in names else person(p) for p in people[:_MAX_PEOPLE]) + more


def mentions(people: tuple[str, ...]) -> str:
    """Mention people: `@a @b`, and how many more."""
    more = f" and {len(people) - _MAX_PEOPLE} more" if len(people) > _MAX_PEOPLE else ""
    return " ".join(person(p) for p in people[:_MAX_PEOPLE]) + more


def labelled(label: str, text: str) -> list[str]:
    """Line `*Label:* text`, or nothing when there is no text. `text` is outside text."""
    return [f"*{label}:* {brief(text, SHORT)}"] if clean(text).strip() else []
