"""The review of one incident: sections in the policy's order, each with generated lines and people's own words."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from escalation.text import Line


class Generated(NamedTuple):
    """A line that follows from the record, and the timeline entry that it came from (0: an action item)."""

    line: Line
    entry: int


class Written(NamedTuple):
    """Words of people in a section, as they wrote them; who wrote last, and when. Empty words: nobody wrote yet."""

    text: str = ""
    by: str = ""
    at: datetime | None = None


NOBODY = Written()


@dataclass(frozen=True)
class Section:
    """A section: its heading, what is generated, what to ask people (may be empty), and what they wrote.

    `left`: the incident's policy has it no more, after a change of the severity, and it is only there for their words.
    """

    key: str
    title: str
    prompt: str
    lines: tuple[Generated, ...]
    written: Written = NOBODY
    left: bool = False


@dataclass(frozen=True)
class Review:
    """A review. `due` is None where the policy asks for none; `held` is when it was, with `result` in a sentence.

    `demand` says what the policy asks for while there is no due time.
    """

    incident: str
    title: str
    private: bool
    due: datetime | None
    held: datetime | None
    result: str
    sections: tuple[Section, ...]
    demand: str = "The policy asks for no review."

    @property
    def missing(self) -> tuple[Section, ...]:
        """Sections that ask people something and that nobody answered."""
        return tuple(s for s in self.sections if s.prompt and not s.written.text.strip())
