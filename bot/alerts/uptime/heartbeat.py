"""Signs of life of jobs, at `/alerts/heartbeat/{name}`: a check of that name waits for them. No body is read."""

from collections.abc import Collection

from bot.alerts.document import Unreadable
from bot.alerts.source import Received, Source
from escalation.alerts.alert import Parsed

NAME = "heartbeat"
MAX_BYTES = 100_000  # a job may send the end of its log; nobody reads it


def heartbeats(names: Collection[str]) -> Source:
    """The source of these checks' heartbeats."""

    def parse(received: Received) -> Parsed:
        if received.path not in names:
            raise Unreadable(f"no check with a heartbeat is called '{received.path[:80]}'")
        return Parsed(note="a heartbeat")

    return Source(NAME, "Heartbeats", parse, max_bytes=MAX_BYTES)
