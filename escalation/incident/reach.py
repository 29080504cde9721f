"""How a person was reached: the sends of a page through channels beside Slack, and how it was answered."""

from datetime import datetime
from enum import StrEnum

from escalation.config.notify import Via
from escalation.values import Frozen


class ReachState(StrEnum):
    """State of one send of a page through a channel beside Slack. Later news never takes it back to an earlier one.

    `failed`: it did not reach the person, though the channel may have accepted it.
    """

    SENDING = "sending"
    ACCEPTED = "accepted"
    FAILED = "failed"
    DELIVERED = "delivered"
    ANSWERED = "answered"

    @property
    def rank(self) -> int:
        """Rank among the states."""
        return list(ReachState).index(self)


class How(StrEnum):
    """How somebody answered a page without Slack, in words that go on after `by`."""

    KEY = "phone key"
    SMS = "SMS"
    LINK = "link"
    MAIL = "email"
    PUSHOVER = "Pushover"
    NTFY = "ntfy"
    PAGERDUTY = "PagerDuty"
    OPSGENIE = "Opsgenie"

    @property
    def via(self) -> Via | None:
        """The channel that carried the page; None where it cannot be told."""
        return _ANSWERED.get(self)


_ANSWERED = {
    How.KEY: Via.CALL,
    How.SMS: Via.SMS,
    How.MAIL: Via.MAIL,
    How.PUSHOVER: Via.PUSHOVER,
    How.NTFY: Via.NTFY,
    How.PAGERDUTY: Via.PAGERDUTY,
    How.OPSGENIE: Via.OPSGENIE,
}


class Reach(Frozen):
    """One send of a page through a channel beside Slack: what became of it, since when, and why it failed.

    `effect` is the id of the effect that sent it: the vendor's later news name it.
    """

    effect: str
    via: Via
    state: ReachState = ReachState.SENDING
    at: datetime
    why: str = ""
