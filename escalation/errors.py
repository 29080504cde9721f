"""What can go wrong for whoever asked: refused, not found, written by a newer version."""

from escalation.text import Line


class Refused(Exception):
    """`words` go to the one who tried."""

    def __init__(self, words: str | Line) -> None:
        self.words: Line = (words,) if isinstance(words, str) else words
        super().__init__("".join(s if isinstance(s, str) else "…" for s in self.words))


class NotFound(KeyError):
    """There is no incident of that id."""

    def __str__(self) -> str:
        return f"There is no incident {self.args[0]}."


class TooNew(Exception):
    """A newer Tocsin wrote this document: it is left to the workers that know it."""

    def __init__(self, incident_id: str, version: int, urgent: bool = False) -> None:
        self.incident, self.version, self.urgent = incident_id, version, urgent
        super().__init__(f"{incident_id} was written by a newer Tocsin (state version {version})")
