"""Names and topics of war rooms in Slack."""

import re
import unicodedata

from escalation.incident.model import Incident
from escalation.text import clean

ROOM_NAME_LIMIT = 80  # https://docs.slack.dev/reference/methods/conversations.create
_NAMES_TRIED = 9
_KINDS = ("inc", "drill")
_ID = re.compile(r"inc-(\d{4})(\d{4})-(\d+)")


def room_name(incident: Incident, private: bool) -> str:
    """Return the war room's name, in the letters that Slack allows: `inc-001-checkout-is-down`.

    Short, so that a narrow sidebar shows what is broken. Numbers begin again each day: where a name is taken, one of
    `candidates` is next. A second room of one incident has its number in it, and a drill's begins with `drill`.
    """
    _, _, number = _parts(incident.id)
    stem = f"{'drill' if incident.drill else 'inc'}-{number}"
    if private:
        stem += "-private"
    if incident.old_rooms:
        stem += f"-{len(incident.old_rooms) + 1}"
    ascii_title = unicodedata.normalize("NFKD", incident.facts.title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_title).strip("-")
    return f"{stem}-{slug}"[: ROOM_NAME_LIMIT - 11].rstrip("-")  # 11 characters stay free for the day and "-2"


def candidates(name: str, incident_id: str) -> tuple[str, ...]:
    """Return the names to try, in order: the name, then with the month and day, with the year, and numbered.

    `inc-001-checkout` becomes `inc-1218-001-checkout`, `inc-20241218-001-checkout`, `inc-20241218-001-checkout-2`.
    """
    year, day, number = _parts(incident_id)
    dated, whole = (_with(name, number, prefix) for prefix in (day, year + day))
    return tuple(dict.fromkeys((name, dated, whole, *(f"{whole}-{n}" for n in range(2, _NAMES_TRIED)))))


def is_room_name(name: str) -> bool:
    """True for the name of a channel that can be a war room, where nothing but the name is known."""
    return name.startswith(tuple(f"{kind}-" for kind in _KINDS))


def _with(name: str, number: str, day: str) -> str:
    """Put the day before the number of the incident; a name that an earlier version chose has it already."""
    return re.sub(rf"^({'|'.join(_KINDS)})-{number}(?=-|$)", rf"\1-{day}-{number}", name)


def _parts(incident_id: str) -> tuple[str, str, str]:
    """Split an id into year, month and day, and number."""
    match = _ID.fullmatch(incident_id.lower())
    return (match[1], match[2], match[3]) if match else ("", "", incident_id.lower().removeprefix("inc-"))


def former_room_name(incident: Incident) -> str:
    """Return the new name for the public room of what became a security incident: the old one held the title."""
    return f"{incident.id.lower()}-moved"


MEETING_TOPIC_LIMIT = 200  # https://developers.zoom.us/docs/api/meetings/#tag/meetings/POST/users/{userId}/meetings


def meeting_topic(incident: Incident) -> str:
    """Return the topic of the incident's meeting; of a private one it says the id alone."""
    drill = "DRILL " if incident.drill else ""
    if incident.private:
        return f"{drill}{incident.id}"
    return f"{drill}{incident.id} {incident.severity}: {' '.join(clean(incident.facts.title).split())}"[
        :MEETING_TOPIC_LIMIT
    ]


def topic(incident: Incident) -> tuple[str, str]:
    """Return the room's topic in plain text, and the link to its call; the medium escapes and cuts them."""
    drill = "🧪 DRILL | " if incident.drill else ""
    words = f"{drill}{incident.severity} {incident.status} | {incident.id} | {incident.facts.title}"
    return words, incident.call_url if incident.open else ""
