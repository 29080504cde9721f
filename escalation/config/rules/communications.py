"""Rules for communications: to whom, through what, and by when."""

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from escalation.config.business_time import Wait, WaitFor
from escalation.config.rules.checkpoints import Facts, Sayings
from escalation.config.rules.words import Line, Slug, one_or_several
from escalation.times import Duration
from escalation.values import Frozen


class Audience(StrEnum):
    """Audience of a communication. Stakeholders are colleagues; the others are outside the company."""

    STAKEHOLDERS = "stakeholders"
    CUSTOMERS = "customers"
    SOCIAL = "social"

    @property
    def outside(self) -> bool:
        """True for customers and the public."""
        return self is not Audience.STAKEHOLDERS


class Means(StrEnum):
    """Means of a communication. Tocsin posts to Slack itself; people see to the others until a channel carries them."""

    SLACK = "slack"
    MAIL = "mail"
    STATUS_PAGE = "status_page"
    SUPPORT_PORTAL = "support_portal"
    CUSTOMER_MAIL = "customer_mail"
    SOCIAL_MEDIA = "social_media"


class ListName(StrEnum):
    """Lists of people outside the response whom a company may keep, each by mail addresses or a channel."""

    STAKEHOLDERS = "stakeholders"
    EXECUTIVES = "executives"
    SUPPORT = "support"
    CUSTOMERS = "customers"


_LISTS = {
    Audience.STAKEHOLDERS: (ListName.STAKEHOLDERS, ListName.SUPPORT),
    Audience.CUSTOMERS: (ListName.CUSTOMERS,),
}


class Communication(Frozen):
    """A communication to people outside the response: through what, and by when; never of a security incident.

    It goes to the lists in `to`; unless said colleagues' to those of stakeholders and support, customers' to theirs.

    It begins `after` so long (and `only_if` something was said), and has to be out `within` that time of its beginning.
    With `approval` a person approves it first. With `updates` each progress update follows, with `restored` the end,
    with `follow_up` a message after the review.
    """

    id: Slug
    audience: Audience
    through: Annotated[tuple[Means, ...], BeforeValidator(one_or_several)] = Field(min_length=1)
    to: Annotated[tuple[ListName, ...], BeforeValidator(one_or_several)] = ()
    after: WaitFor = Wait()
    within: Duration | None = None
    unless: Facts = ()
    only_if: Sayings = ()
    approval: bool = False
    updates: bool = False
    restored: bool = True
    follow_up: bool = False
    why: Line

    @model_validator(mode="after")
    def _slack_is_inside(self) -> "Communication":
        if self.audience.outside and Means.SLACK in self.through:
            raise ValueError(f"communication {self.id}: slack reaches colleagues, not {self.audience}")
        if self.audience.outside is not (ListName.CUSTOMERS in self.lists) and self.lists:
            raise ValueError(f"communication {self.id}: {', '.join(self.lists)} are no lists of {self.audience}")
        return self

    @property
    def lists(self) -> tuple[ListName, ...]:
        """Lists that it goes to, where the company keeps them."""
        return self.to or _LISTS.get(self.audience, ())
