"""Names and topics of war rooms in Slack."""

import re
import unicodedata

from escalation.incident.model import Incident

ROOM_NAME_LIMIT = 80  # https://docs.slack.dev/reference/methods/conversations.create


def room_name(incident: Incident, private: bool) -> str:
    """Return the war room's name, in the letters that Slack allows: `inc-20241218-001-checkout-is-down`.

    The id makes the name unique; a second room of one incident has its number in it, and a drill's begins with `drill`.
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
    """Return the new name for the public room of what became a security incident: the old one held the title."""
    return f"{incident.id.lower()}-moved"


def topic(incident: Incident) -> str:
    """Return the room's topic in plain text; the medium escapes it and cuts it to its limit."""
    drill = "🧪 DRILL | " if incident.drill else ""
    return f"{drill}{incident.severity} {incident.status} | {incident.id} | {incident.facts.title}"
