"""Outcomes of effects: delivered, refused, held up or dropped."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import StringConstraints

from escalation.incident.events.news import (
    AlertsChanged,
    AlikeFound,
    AlikeHidden,
    IssueSeen,
    Linked,
    MailReceived,
    MessageNoted,
    OriginalOver,
    PreventionsFound,
    Redacted,
    ResolvedThere,
    ReviewSeen,
    SameProblem,
)
from escalation.incident.reach import ReachState
from escalation.incident.state.rooms import Meeting, Room
from escalation.incident.tracked import Issue
from escalation.values import Frozen, PersonId


class Delivered(Frozen):
    """An effect was delivered. `channel` and `ts` identify the message; `face` is the one that a card shows.

    `refused`: of a send to several, whom it could not reach, and why; `reached`: how many it did. `status`: what an
    action's system answered.
    `by_slack_at`: when Slack sent it by itself.
    """

    kind: Literal["delivered"] = "delivered"
    effect: str
    channel: str = ""
    ts: str = ""
    face: int = 0
    person: PersonId = ""
    refused: dict[PersonId, str] = {}
    reached: int = 0
    status: int = 0
    by_slack_at: datetime | None = None


class RoomOpened(Frozen):
    """The war room was opened."""

    kind: Literal["room_opened"] = "room_opened"
    effect: str
    room: Room


class MeetingOpened(Frozen):
    """The war room's meeting was made."""

    kind: Literal["meeting_opened"] = "meeting_opened"
    effect: str
    meeting: Meeting


class IssueUpdated(Frozen):
    """The ticket in the tracker was opened or changed. `lost`: what the tracker left out without a word."""

    kind: Literal["issue_updated"] = "issue_updated"
    effect: str
    issue: Issue
    lost: tuple[str, ...] = ()


class PersonRefused(Frozen):
    """A page cannot reach its person (left, deactivated, cannot be messaged): escalate at once."""

    kind: Literal["person_refused"] = "person_refused"
    effect: str
    why: str


class PageStatus(Frozen):
    """News of a page from a channel that carries it (`effect`): accepted, delivered, or failed, and why.

    It may come before the outcome of the send, late, twice, or out of order: no state is taken back. A failed one is
    replaced by its person's next method at once, a busy line as well as a number that does not exist.
    """

    kind: Literal["page_status"] = "page_status"
    effect: str
    status: ReachState
    why: Annotated[str, StringConstraints(max_length=300)] = ""


class Dropped(Frozen):
    """An effect was dropped for good (an optional feature that the workspace lacks, an archived room).

    `gone` is the channel, if it no longer exists. `lasting`: because of us, or given up: people are told.
    """

    kind: Literal["dropped"] = "dropped"
    effect: str
    why: str
    gone: str = ""
    lasting: bool = False


class PageGathered(Frozen):
    """Another incident's page to this person was delayed too: it was posted in the thread of this one (`effect`)."""

    kind: Literal["page_gathered"] = "page_gathered"
    effect: str
    other: str


class MessageGone(Frozen):
    """The card or message `shown`, which an effect updates or answers to, was deleted by hand."""

    kind: Literal["message_gone"] = "message_gone"
    effect: str
    shown: str


class Trouble(Frozen):
    """An effect was refused because of us (token, scope, archived channel): it is retried, and people see it.

    `passing`: it is not refused, but the other side has not taken it for a while.
    `ask`: the people of the response can mend it themselves, so whoever leads is asked directly.
    """

    kind: Literal["trouble"] = "trouble"
    effect: str
    why: str
    passing: bool = False
    ask: bool = False


OutcomeEvent = (
    Delivered
    | RoomOpened
    | MeetingOpened
    | PersonRefused
    | PageStatus
    | Dropped
    | Linked
    | AlikeFound
    | AlikeHidden
    | SameProblem
    | OriginalOver
    | PageGathered
    | MessageGone
    | Trouble
    | AlertsChanged
    | ResolvedThere
    | MailReceived
    | MessageNoted
    | IssueUpdated
    | IssueSeen
    | Redacted
    | ReviewSeen
    | PreventionsFound
)
