"""Rules for post-incident reviews: which need one, what is in it, and the categories of causes."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from escalation.config.business_time import Wait, WaitFor
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
    def asks(self) -> bool:
        """True if it asks people something that the record does not have."""
        return self is not ReviewSection.TIMELINE


# Those of the first policy's template.
REVIEW_SECTIONS = (
    ReviewSection.SUMMARY,
    ReviewSection.TIMELINE,
    ReviewSection.ROOT_CAUSE,
    ReviewSection.IMPACT,
    ReviewSection.WENT_WELL,
    ReviewSection.IMPROVE,
    ReviewSection.ACTIONS,
    ReviewSection.LESSONS,
)


def _inside(lists: tuple[ListName, ...]) -> tuple[ListName, ...]:
    """Return lists of people who may read a review; ValueError for customers, who are told in public words."""
    if ListName.CUSTOMERS in lists:
        raise ValueError("a review has words of the team: customers are told by a communication")
    return lists


class ReviewRule(Frozen):
    """Rule for post-incident reviews: which need one, by when after the resolution, what is in it, who takes part.

    Whoever was involved is invited anyway, and the holders of the roles in `invite` as well. The finished
    review is mailed to the lists in `mail`, and with `ticket` put into the incident's ticket. It belongs to the holder
    of `owner`, else to whoever resolved the incident. Overdue, it goes up `escalate_to`, a role each `escalate_every`.
    """

    within: Duration
    sections: tuple[ReviewSection, ...] = Field(default=REVIEW_SECTIONS, min_length=1)
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
