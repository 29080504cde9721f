"""Messages of ours outside incidents, as Slack has them: forgetting and privacy reach them too.

They are those in channels, and those to one person that name an incident.

Keys: `tocsin:posted:{channel}:{ts}` JSON, for KEPT; `tocsin:posted:stale` those that read otherwise in Slack.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from redis import Redis

from escalation.incident.model import Incident
from escalation.values import PersonId

PREFIX = "tocsin:posted:"
STALE = f"{PREFIX}stale"
KEPT = timedelta(days=400)  # a year's reports, and the time to notice
_IDS = re.compile(r"INC-\d{8}-\d{3,}")


@dataclass(frozen=True)
class Posted:
    """A message as it should read in Slack. `person`: whose direct messages it stands in."""

    channel: str
    ts: str
    text: str
    blocks: list[dict[str, Any]]
    person: PersonId = ""

    @property
    def names_incident(self) -> bool:
        """True if it names any incident."""
        return bool(_IDS.search(json.dumps([self.text, self.blocks])))


class PostedMessages:
    """Register of messages. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def note(self, posted: Posted) -> None:
        """Keep what was posted."""
        kept = {"text": posted.text, "blocks": posted.blocks} | ({"person": posted.person} if posted.person else {})
        words = json.dumps(kept, ensure_ascii=False)
        self._redis.set(f"{PREFIX}{posted.channel}:{posted.ts}", words, ex=KEPT)

    def stale(self) -> Iterator[Posted]:
        """Yield the messages whose words were removed here, and still stand in Slack."""
        names: Any = self._redis.smembers(STALE)
        for name in sorted(str(raw, "utf-8") for raw in names):
            raw: Any = self._redis.get(name)
            if raw is None:
                self._redis.srem(STALE, name)
            else:
                yield _posted(name, raw)

    def naming(self, incident_id: str) -> Iterator[Posted]:
        """Yield the messages that say anything about an incident."""
        for name in sorted(str(raw, "utf-8") for raw in self._redis.scan_iter(match=f"{PREFIX}*", count=1000)):
            raw: Any = self._redis.get(name) if is_posted(name) else None
            if raw and incident_id in _IDS.findall(str(raw, "utf-8")):
                posted = _posted(name, raw)
                if hidden(posted, incident_id) != posted:
                    yield posted

    def hide(self, incident: Incident) -> None:
        """Remove all that is said about an incident, which is private now, but to its own people."""
        for posted in list(self.naming(incident.id)):
            if posted.person not in incident.people():
                self.note(hidden(posted, incident.id))
                self._redis.sadd(STALE, f"{PREFIX}{posted.channel}:{posted.ts}")

    def shown(self, posted: Posted) -> None:
        """Note that Slack has a message as it should read, or not at all any more."""
        self._redis.srem(STALE, f"{PREFIX}{posted.channel}:{posted.ts}")


def is_posted(key: str) -> bool:
    """True for the key of a message."""
    return key.startswith(PREFIX) and key != STALE


def hidden(posted: Posted, incident_id: str) -> Posted:
    """Return a message in which the lines and rows about an incident say nothing but that it is private."""
    text, blocks = _without(posted.text, incident_id), _without(posted.blocks, incident_id)
    return replace(posted, text=text, blocks=blocks)


def _posted(key: str, raw: bytes) -> Posted:
    channel, _, ts = key.removeprefix(PREFIX).partition(":")
    stored = json.loads(raw)
    return Posted(channel, ts, stored["text"], stored["blocks"], stored.get("person", ""))


def _without(value: Any, incident_id: str) -> Any:
    match value:
        case str() if incident_id in value:
            return "\n".join(_hidden_line(line, incident_id) for line in value.split("\n"))
        case list() if any(_is_cell(cell, incident_id) for cell in value):
            return [cell if _is_cell(cell, incident_id) else _without_words(cell) for cell in value]
        case list():
            return [_without(inner, incident_id) for inner in value]
        case dict():
            return {key: _without(inner, incident_id) for key, inner in value.items()}
        case _:
            return value


def _is_cell(cell: Any, incident_id: str) -> bool:
    """True for the cell of a table that names the incident of its row."""
    return isinstance(cell, dict) and cell.get("type") == "raw_text" and cell.get("text") == incident_id


def _without_words(cell: Any) -> Any:
    return cell if isinstance(cell, dict) and cell.get("type") == "raw_number" else {"type": "raw_text", "text": "–"}


def _hidden_line(line: str, incident_id: str) -> str:
    """Without the words of a line about the incident; ids stay, those of others with it."""
    named = tuple(dict.fromkeys(_IDS.findall(line)))
    if incident_id not in named:
        return line
    others = ", ".join(name for name in named if name != incident_id)
    return f"🔒 {incident_id} is private" + (f" (beside {others})" if others else "")
