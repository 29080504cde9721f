"""Errors for the requester: refused, overtaken, not found, written by a newer version."""

from escalation.text import Line


class Refused(Exception):
    """A request that was refused; `words` go to the requester."""

    def __init__(self, words: str | Line) -> None:
        self.words: Line = (words,) if isinstance(words, str) else words
        super().__init__("".join(s if isinstance(s, str) else "…" for s in self.words))


class Outdated(Refused):
    """What was to be recorded follows from something that has changed since it was read: read it again."""


class NotFound(KeyError):
    """An unknown incident id."""

    def __str__(self) -> str:
        return f"There is no incident {self.args[0]}."


class TooNew(Exception):
    """A document written by a newer Tocsin: it is left to the workers that can read it."""

    def __init__(self, incident_id: str, version: int, urgent: bool = False) -> None:
        self.incident, self.version, self.urgent = incident_id, version, urgent
        super().__init__(f"{incident_id} was written by a newer Tocsin (state version {version})")
