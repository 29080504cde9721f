"""Channels beside Slack, and how people are reached when they are paged: contact methods and their order."""

import re
from collections.abc import Collection, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from escalation.config.rules.words import one_or_several
from escalation.times import Duration, parse_duration
from escalation.values import Frozen


class Via(StrEnum):
    """Channels beside Slack to reach the people who are paged."""

    PUSHOVER = "pushover"
    NTFY = "ntfy"
    APPRISE = "apprise"
    SMS = "sms"
    CALL = "call"
    MAIL = "mail"
    PAGERDUTY = "pagerduty"
    OPSGENIE = "opsgenie"

    @property
    def words(self) -> str:
        """What people call it."""
        return _TITLES.get(self, self.value)

    @property
    def is_service(self) -> bool:
        """True for another paging service, which knows incidents and pages people itself; the others page a person."""
        return self in (Via.PAGERDUTY, Via.OPSGENIE)

    @property
    def once(self) -> bool:
        """True if a page goes by it once, repeats or not: an unread mail stays, Pushover repeats itself."""
        return self in (Via.MAIL, Via.PUSHOVER)

    @property
    def repeats(self) -> bool:
        """True if it sounds the alarm again by itself, until it is stopped."""
        return self is Via.PUSHOVER

    @property
    def wakes(self) -> bool:
        """True if it can wake somebody who sleeps."""
        return self in (Via.PUSHOVER, Via.NTFY, Via.APPRISE, Via.SMS, Via.CALL)


_TITLES = {
    Via.PUSHOVER: "Pushover",
    Via.NTFY: "ntfy",
    Via.APPRISE: "Apprise",
    Via.SMS: "SMS",
    Via.CALL: "call",
    Via.MAIL: "email",
    Via.PAGERDUTY: "PagerDuty",
    Via.OPSGENIE: "Opsgenie",
}


class OtherWays(Frozen):
    """Channels beside Slack that a company uses, and when.

    `page`: with every page; where it is not said, the paging services that the environment sets up. `slack_down`: when
    Slack has not taken a page `after` that time (real time, not scaled). `stakeholders`: for the mail due to them.
    """

    page: Annotated[tuple[Via, ...], BeforeValidator(one_or_several)] = ()
    slack_down: Annotated[tuple[Via, ...], BeforeValidator(one_or_several)] = ()
    after: Duration = timedelta(seconds=30)
    stakeholders: Annotated[tuple[Literal[Via.MAIL], ...], BeforeValidator(one_or_several)] = ()

    def all(self) -> frozenset[Via]:
        """Return every channel that has to be set up."""
        return frozenset((*self.page, *self.slack_down, *self.stakeholders))

    def with_services(self, set_up: Collection[Via]) -> "OtherWays":
        """Return them with the paging services that are set up under `page`, unless they are said or wait for Slack."""
        services = tuple(via for via in Via if via.is_service and via in set_up and via not in self.slack_down)
        return self if "page" in self.model_fields_set or not services else self.model_copy(update={"page": services})


class MeetingKind(StrEnum):
    """Meetings to which people are invited by mail: the call of the war room, the post-incident review."""

    CALL = "call"
    REVIEW = "review"


class By(StrEnum):
    """Contact methods as a configuration names them. `push` is every push service that a person has."""

    SLACK = "slack"
    PUSH = "push"
    PUSHOVER = "pushover"
    NTFY = "ntfy"
    APPRISE = "apprise"
    SMS = "sms"
    CALL = "call"
    MAIL = "mail"

    @property
    def channels(self) -> tuple[Via, ...]:
        """The channels that it stands for; none for Slack, where every page stands."""
        return _CHANNELS.get(self, ())

    @property
    def words(self) -> str:
        """What people call it."""
        return "Slack" if self is By.SLACK else Via(self.value).words


_PUSH = (Via.PUSHOVER, Via.NTFY, Via.APPRISE)
_CHANNELS: Mapping[By, tuple[Via, ...]] = {
    By.PUSH: _PUSH,
    **{By(via): (via,) for via in (*_PUSH, Via.SMS, Via.CALL, Via.MAIL)},
}


def _parse_after(text: Any) -> timedelta:
    """Parse the time of a step; `0s` is the first one's."""
    return timedelta() if str(text).strip() in ("0", "0s") else parse_duration(text)


class NotifyStep(Frozen):
    """A step: `after` so long since the page, unless its person has answered, they are reached `by` these methods."""

    after: Annotated[Duration, BeforeValidator(_parse_after)] = timedelta()
    by: Annotated[tuple[By, ...], BeforeValidator(one_or_several)] = Field(min_length=1)

    @model_validator(mode="after")
    def _slack_at_once(self) -> "NotifyStep":
        if By.SLACK in self.by and self.after:
            raise ValueError("slack has no `after`: every page stands in Slack at once; name it in the first step")
        if self.after < timedelta():
            raise ValueError("after is before the page; write a time like 1m")
        return self


Steps = Annotated[tuple[NotifyStep, ...], Field(min_length=1)]
_MINUTE = timedelta(minutes=1)
URGENT = (
    NotifyStep(by=(By.SLACK, By.PUSH, By.MAIL)),
    NotifyStep(after=_MINUTE, by=(By.SMS,)),
    NotifyStep(after=3 * _MINUTE, by=(By.CALL,)),
)
NORMAL = (NotifyStep(by=(By.SLACK,)), NotifyStep(after=10 * _MINUTE, by=(By.MAIL,)))


class Notify(Frozen):
    """Steps by which somebody is reached, by urgency. None: the company's, and where it says nothing the defaults."""

    urgent: Steps | None = None
    normal: Steps | None = None


def parse_number(text: Any) -> str:
    """Parse a telephone number that can be called from anywhere into E.164 (`+4930123456`); ValueError otherwise.

    https://www.itu.int/rec/T-REC-E.164: a country code, which begins with no 0, and 15 digits at most.
    """
    number = re.sub(r"\(0\)|[ ()./-]", "", str(text).strip())
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", number):
        raise ValueError(
            f"'{text}' is no international number; write + and the country code, like \"+4915112345678\", in quotes"
        )
    return number


def parse_local_number(text: Any) -> str:
    """Parse a telephone number into E.164 where it says its country; one that does not is kept as it is written."""
    try:
        return parse_number(text)
    except ValueError:
        if re.fullmatch(r"[0-9(][0-9 ()./-]{3,30}", str(text).strip()):
            return str(text).strip()
        raise


Number = Annotated[str, BeforeValidator(parse_local_number)]
# https://pushover.net/api: 30 letters and digits, for a user or a group; other servers of its API have other keys.
PushoverUser = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
# https://docs.ntfy.sh/publish: the topic's name is part of the address.
NtfyTopic = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
AppriseTag = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]*$", max_length=60)]
