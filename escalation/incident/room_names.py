"""Names that an incident gives to things in Slack: its war room and that room's topic."""

import re
import unicodedata

from escalation.incident.model import Incident

ROOM_NAME_LIMIT = 80  # https://docs.slack.dev/reference/methods/conversations.create


def room_name(incident: Incident, private: bool) -> str:
    """`inc-20241218-001-checkout-is-down`: date, the day's number and the title, in the letters that Slack allows.

    The number makes the name this incident's own; a second room of one incident says so, and a drill's that it is one.
    """
    stem = f"drill-{incident.id.lower()}" if incident.drill else incident.id.lower()
    if private:
        stem += "-private"
    if incident.old_rooms:
        stem += f"-{len(incident.old_rooms) + 1}"
    ascii_title = unicodedata.normalize("NFKD", incident.facts.title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_title).strip("-")
    return f"{stem}-{slug}"[: ROOM_NAME_LIMIT - 4].rstrip("-")  # 4 characters stay free for "-2" and the like


def former_room_name(incident: Incident) -> str:
    """What the public room of a security incident is called from then on: its name held the title."""
    return f"{incident.id.lower()}-moved"


def topic(incident: Incident) -> str:
    """What the room's topic says, plain text; the medium escapes it and cuts it to its limit."""
    drill = "🧪 DRILL | " if incident.drill else ""
    return f"{drill}{incident.severity} {incident.status} | {incident.id} | {incident.facts.title}"
