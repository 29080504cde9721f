"""Rules for post-incident reviews: which need one, what is in it, and the categories of causes."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from escalation.config.business_time import Wait, WaitFor
from escalation.config.references import suggest
from escalation.config.rules.communications import ListName
from escalation.config.rules.words import Role, one_or_several
from escalation.times import Duration
from escalation.values import Frozen


class ReviewSection(StrEnum):
    """Section of a review."""

    SUMMARY = "summary"
    TIMELINE = "timeline"
    ROOT_CAUSE = "root_cause"
    IMPACT = "impact"
    RESOLUTION = "resolution"
    WENT_WELL = "went_well"
    IMPROVE = "improve"
    PREVENTIVE = "preventive"
    PROCESS = "process"
    ACTIONS = "actions"
    LESSONS = "lessons"
    PUBLIC = "public"

    @property
    def heading(self) -> str:
        """Its title."""
        return _TITLES[self]

    @property
    def question(self) -> str:
        """What only people know. The timeline asks nothing: what belongs there is an update, or an entry of its own."""
        return _QUESTIONS.get(self, "")


_TITLES = {
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
_QUESTIONS = {
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
# Those of the first policy's template.
REVIEW_SECTIONS = ("summary", "timeline", "root_cause", "impact", "went_well", "improve", "actions", "lessons")


SectionKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
SectionTitle = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Question = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]


class ReviewHeading(Frozen):
    """A section of a company's own, or one of ours in its words.

    `record` are the sections of ours whose lines of the record stand in it. What is left out is as in ours; a section
    of a company's own has no record and asks nothing, unless said.
    """

    title: SectionTitle | None = None
    ask: Question | None = None
    record: Annotated[tuple[ReviewSection, ...], BeforeValidator(one_or_several)] | None = None


def _inside(lists: tuple[ListName, ...]) -> tuple[ListName, ...]:
    """Return lists of people who may read a review; ValueError for customers, who are told in public words."""
    if ListName.CUSTOMERS in lists:
        raise ValueError("a review has words of the team: customers are told by a communication")
    return lists


NO_HEADING = ReviewHeading()
OURS = frozenset(ReviewSection)


def _letters(title: str) -> str:
    """What tells one heading from another, however it is written: Slack may write signs of Markdown differently."""
    return "".join(filter(str.isalnum, title.casefold()))


class ReviewRule(Frozen):
    """Rule for post-incident reviews: which need one, by when after the resolution, what is in it, who takes part.

    Whoever was involved is invited anyway, and the holders of the roles in `invite` as well. The finished
    review is mailed to the lists in `mail`, and with `ticket` put into the incident's ticket. It belongs to the holder
    of `owner`, else to whoever resolved the incident. Overdue, it goes up `escalate_to`, a role each `escalate_every`.
    """

    within: Duration
    sections: tuple[SectionKey, ...] = Field(default=REVIEW_SECTIONS, min_length=1, max_length=40)
    headings: dict[SectionKey, ReviewHeading] = {}
    invite: Annotated[tuple[Role, ...], BeforeValidator(one_or_several)] = ()
    always: bool = False
    lasted: Duration | None = None
    security: bool = True
    data_loss: bool = True
    mail: Annotated[tuple[ListName, ...], BeforeValidator(one_or_several), AfterValidator(_inside)] = ()
    ticket: bool = False
    recurrence: Duration | None = None
    owner: Role | None = None
    meeting: Literal["required", "optional", "none"] = "optional"
    remind_before: Duration = timedelta(hours=18)  # the afternoon before one that is due in the morning
    escalate_to: Annotated[tuple[Role, ...], BeforeValidator(one_or_several)] = ()
    escalate_every: WaitFor = Wait(days=1)

    @model_validator(mode="after")
    def _is_a_template(self) -> "ReviewRule":
        """Refuse a template that nobody could write by: each section is known, once, and says or asks something."""
        titles: dict[str, str] = {}
        for key in self.sections:
            if self.sections.count(key) > 1:
                raise ValueError(f"section '{key}' stands there twice")
            if key not in OURS | self.headings.keys():
                near = suggest(key, {*OURS, *self.headings})
                raise ValueError(f"section '{key}' is unknown{near}; one of your own stands under `headings`")
            if not self.title_of(key):
                raise ValueError(f"section '{key}' is one of your own: give it a `title`")
            if not self.question_of(key) and not self.record_of(key):
                raise ValueError(f"section '{key}' asks nothing and has no record: give it `ask` or `record`")
            if not _letters(self.title_of(key)):
                raise ValueError(f"section '{key}' needs a title with letters or digits")
            same = titles.setdefault(_letters(self.title_of(key)), key)
            if same != key:
                raise ValueError(f"section '{key}' has the title of section '{same}'")
        if unused := next((key for key in self.headings if key not in self.sections), None):
            raise ValueError(f"heading '{unused}' is of no section: add it to `sections`")
        return self

    def title_of(self, key: str) -> str:
        """Heading of a section; empty for an unknown one."""
        ours = ReviewSection(key).heading if key in OURS else ""
        return self.headings.get(key, NO_HEADING).title or ours

    def question_of(self, key: str) -> str:
        """What a section asks people; empty for nothing."""
        ask = self.headings.get(key, NO_HEADING).ask
        return ask if ask is not None else ReviewSection(key).question if key in OURS else ""

    def record_of(self, key: str) -> tuple[ReviewSection, ...]:
        """The sections of ours whose lines of the record stand in a section."""
        record = self.headings.get(key, NO_HEADING).record
        return record if record is not None else (ReviewSection(key),) if key in OURS else ()

    def asking(self) -> tuple[str, ...]:
        """The sections that ask people something."""
        return tuple(key for key in self.sections if self.question_of(key))

    def roles(self) -> set[str]:
        """Every role that it names."""
        return {*self.invite, *self.escalate_to, *((self.owner,) if self.owner else ())}


CauseCategory = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
# Those of the second policy's source document.
CAUSE_CATEGORIES = (
    "Database issues",
    "Application bugs",
    "Infrastructure problems",
    "External service failures",
    "Configuration errors",
)


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"'{twice}' stands there twice")
    return names


CauseCategories = Annotated[tuple[CauseCategory, ...], Field(min_length=1, max_length=50), AfterValidator(_each_once)]
