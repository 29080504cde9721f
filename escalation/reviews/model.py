"""The review of one incident: sections in the policy's order, each with generated lines and people's own words."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from escalation.config.rules.reviews import ReviewSection
from escalation.text import Line

TITLES = {
    ReviewSection.SUMMARY: "Incident summary",
    ReviewSection.TIMELINE: "Timeline",
    ReviewSection.ROOT_CAUSE: "Root cause analysis",
    ReviewSection.IMPACT: "Impact assessment",
    ReviewSection.RESOLUTION: "Resolution steps",
    ReviewSection.WENT_WELL: "What went well",
    ReviewSection.IMPROVE: "What could be improved",
    ReviewSection.PREVENTIVE: "Preventive measures",
    ReviewSection.PROCESS: "Process updates",
    ReviewSection.ACTIONS: "Action items",
    ReviewSection.LESSONS: "Lessons learned",
    ReviewSection.PUBLIC: "For the public",
}
# What only people know. The timeline has none: what belongs there is an update, or an entry of its own.
PROMPTS = {
    ReviewSection.SUMMARY: "What happened, for somebody who was not there?",
    ReviewSection.ROOT_CAUSE: "Why could this happen, and why was it not noticed earlier?",
    ReviewSection.IMPACT: "Who was affected, for how long, and what could they not do?",
    ReviewSection.RESOLUTION: "What was tried, and what made the difference?",
    ReviewSection.WENT_WELL: "What helped? What should be kept?",
    ReviewSection.IMPROVE: "What took longer than it should have, and what was missing?",
    ReviewSection.PREVENTIVE: "What would have prevented this, or made it smaller?",
    ReviewSection.PROCESS: "Which runbook, policy or alert has to change? Was the runbook updated?",
    ReviewSection.ACTIONS: "Who does what by when? Immediate fixes, long-term improvements, documentation, runbook.",
    ReviewSection.LESSONS: "What do we know now that we did not know before?",
    ReviewSection.PUBLIC: "What may everybody read: the cause, and what is done about it? No names, no customers.",
}


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
    """A section: what is generated, what to ask people (may be empty), and what they wrote."""

    key: ReviewSection
    lines: tuple[Generated, ...]
    written: Written = NOBODY

    @property
    def title(self) -> str:
        """The section's heading."""
        return TITLES[self.key]

    @property
    def prompt(self) -> str:
        """The question for people; empty where there is none."""
        return PROMPTS.get(self.key, "")


@dataclass(frozen=True)
class Review:
    """A review. `due` is None where the policy asks for none; `held` is when it was, with `result` in a sentence."""

    incident: str
    title: str
    private: bool
    due: datetime | None
    held: datetime | None
    result: str
    sections: tuple[Section, ...]

    @property
    def missing(self) -> tuple[Section, ...]:
        """Sections that ask people something and that nobody answered."""
        return tuple(s for s in self.sections if s.prompt and not s.written.text.strip())
