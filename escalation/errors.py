"""A move that is not legal (any more)."""

from escalation.text import Line


class Refused(Exception):
    """`words` go to the one who tried."""

    def __init__(self, words: str | Line) -> None:
        self.words: Line = (words,) if isinstance(words, str) else words
        super().__init__("".join(s if isinstance(s, str) else "…" for s in self.words))
