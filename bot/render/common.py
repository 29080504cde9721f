"""Short pieces that cards and lists share: titles, marks, people and instants. Escaped mrkdwn, pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.render.mrkdwn import CLOCK, DAY, brief, emphasised, moment, person
from escalation.incident.model import Incident, Status
from escalation.messages.timeline import MARKS
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
NOBODYS: Names = {}
LONGEST_TITLE = 400  # 200 characters, some of them escaped
SHORT = 300
_SHOWN_PEOPLE = 8
_NEAR = timedelta(hours=12)


def summary(incident: Incident) -> str:
    """One escaped line, for notifications and lists."""
    named = f"{mark(incident)} {incident.severity} {brief(plain_title(incident), LONGEST_TITLE)}"
    return f"{named} ({incident.id}, {STATUS[incident.status]})"


def mark(incident: Incident) -> str:
    """Its colour, or how it ended; a drill says so before anything else."""
    closed = {Status.RESOLVED: "✅", Status.CANCELLED: "⚪"}
    colour = closed.get(incident.status, MARKS[incident.severity])
    return f"{DRILL} {colour}" if incident.drill else colour


def title(incident: Incident, limit: int = LONGEST_TITLE) -> str:
    """The title in bold, escaped, on one line."""
    return emphasised(brief(plain_title(incident).replace("*", "∗"), limit))


def plain_title(incident: Incident) -> str:
    """As it was given, without what nobody can see."""
    return clean(incident.facts.title).strip() or "(no title)"


def near(at: datetime, incident: Incident) -> str:
    """A time of day; with its day when it is far from the moment the clocks started."""
    return moment(at, CLOCK if abs(at - incident.clock_from) < _NEAR else DAY)


def called(people: tuple[str, ...], names: Names) -> str:
    """The same by name, which notifies nobody; who has no known name is mentioned."""
    more = f" and {len(people) - _SHOWN_PEOPLE} more" if len(people) > _SHOWN_PEOPLE else ""
    return ", ".join(brief(names[p], SHORT) if p in names else person(p) for p in people[:_SHOWN_PEOPLE]) + more


def mentions(people: tuple[str, ...]) -> str:
    """`@a @b`, and how many more."""
    more = f" and {len(people) - _SHOWN_PEOPLE} more" if len(people) > _SHOWN_PEOPLE else ""
    return " ".join(person(p) for p in people[:_SHOWN_PEOPLE]) + more


def labelled(label: str, text: str) -> list[str]:
    """`*Label:* text`, or nothing when there is no text. `text` is outside text."""
    return [f"*{label}:* {brief(text, SHORT)}"] if clean(text).strip() else []
