"""News of an incident that is neither a move nor an outcome: due checkpoints, alerts, mail, messages, tickets."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, StringConstraints

from escalation.config.rules.reviews import SectionKey
from escalation.incident.noted import Noting
from escalation.incident.state.alerts import AlertSummary
from escalation.incident.tracked import Issue
from escalation.values import Frozen, PersonId


class CheckpointDue(Frozen):
    """A due checkpoint. Which one is for the log only: whatever is due now fires, in order.

    `away` is start and end of the outage, if that is why it comes late.
    """

    kind: Literal["checkpoint_due"] = "checkpoint_due"
    checkpoint: str
    away: tuple[datetime, datetime] | None = None


class SignOfLife(Frozen):
    """Somebody pressed a button of an incident, or typed a command about it, that changes nothing."""

    kind: Literal["sign_of_life"] = "sign_of_life"
    by: PersonId


class RolesChanged(Frozen):
    """Somebody else may hold a role now. `by` changed who is on call; empty for a handover by the schedule."""

    kind: Literal["roles_changed"] = "roles_changed"
    by: PersonId = ""


class IssueSeen(Frozen):
    """The state of the ticket in the tracker, from a webhook or a poll; nothing follows from what is known already.

    `by` is who changed it there, if that is a member; `known_as` their name there.
    """

    kind: Literal["issue_seen"] = "issue_seen"
    issue: Issue
    by: PersonId = ""
    known_as: Annotated[str, StringConstraints(max_length=100)] = ""


class Linked(Frozen):
    """Another incident was declared while this one is open; `coordinated_in` has the room for both."""

    kind: Literal["linked"] = "linked"
    effect: str = ""
    other: str
    coordinated_in: str


class AlikeFound(Frozen):
    """Other incidents are like this one: `open` ones, which may be the same problem, and those of the `past`.

    `join` is the open one that this one may be closed as a duplicate of.
    """

    kind: Literal["alike_found"] = "alike_found"
    open: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    join: str = ""


class OriginalOver(Frozen):
    """The incident that this one was cancelled as a duplicate of is over."""

    kind: Literal["original_over"] = "original_over"
    other: str


class AlikeHidden(Frozen):
    """Another incident that was found to be like this one became private: what was said of it is taken back."""

    kind: Literal["alike_hidden"] = "alike_hidden"
    other: str


class SameProblem(Frozen):
    """Somebody reported the problem of this incident again, with that `text`.

    `by` cancelled the `other` incident as a duplicate of this one; without one, the reporter declared none.
    """

    kind: Literal["same_problem"] = "same_problem"
    other: str = ""
    by: PersonId
    reporter: PersonId
    text: str


MAX_TITLES = 10  # of alerts in one entry of the timeline


class AlertsChanged(Frozen):
    """Alerts of the incident began to fire or ended; `alerts` are all of them as they stand.

    `by` is the source, as a machine. `began` and `ended` are titles, for the timeline. With `over` all have ended, and
    people are asked whether the incident has.
    """

    kind: Literal["alerts_changed"] = "alerts_changed"
    by: PersonId
    alerts: AlertSummary
    began: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    over: bool = False


class ResolvedThere(Frozen):
    """Somebody resolved the incident in another paging service: people are asked whether it is over.

    `by` is a member, or the service as a machine; `known_as` is what a person whom we do not know is called there.
    """

    kind: Literal["resolved_there"] = "resolved_there"
    by: PersonId
    service: str
    known_as: str = ""


class MailReceived(Frozen):
    """Somebody wrote about the incident by mail, what is no answer to a page. The same `key` twice is one mail."""

    kind: Literal["mail_received"] = "mail_received"
    by: PersonId
    text: str
    key: str


MAX_NOTED_TEXT = 2000  # characters of a message on the timeline


class MessageNoted(Frozen):
    """A message in one of the incident's places joined its timeline, was edited, or left it.

    `by` did that; `author` wrote it at `sent_at`. `files` are names and links, with a tab between. `how` it joined: by
    a pin, a reaction, or as a notice of a deployment. `edited` is Slack's time of its last edit. `heard`: the number of
    events like this one that the incident had when the message was read in Slack, for what follows from such a reading.
    """

    kind: Literal["message_noted"] = "message_noted"
    by: PersonId
    what: Noting
    channel: str
    ts: str
    author: PersonId = ""
    text: Annotated[str, AfterValidator(lambda text: text[:MAX_NOTED_TEXT])] = ""
    sent_at: datetime | None = None
    url: str = ""
    files: tuple[str, ...] = ()
    how: Literal["", "pin", "reaction", "deploy"] = ""
    edited: str = ""
    heard: int | None = None


class Redacted(Frozen):
    """Somebody was forgotten: `digests` are those of what stands now in place of what was removed (records.chain)."""

    kind: Literal["redacted"] = "redacted"
    digests: dict[str, str]


class ReviewSeen(Frozen):
    """What there is of the review: sections with people's words, and action items with owner and day.

    Nothing follows from what is known already.
    """

    kind: Literal["review_seen"] = "review_seen"
    written: tuple[SectionKey, ...] = ()
    commitments: int = 0


class Prevention(Frozen):
    """An open action item of an earlier incident, noted at `at`; without `owner` or `due` it is an idea.

    `like`: the earlier incident is like this one; otherwise it had the same service and the same cause. What the item
    says is looked up when it is shown: that incident may become private.
    """

    item: str
    at: datetime
    owner: PersonId = ""
    due: date | None = None
    like: bool = False


class PreventionsFound(Frozen):
    """Open action items that were meant to prevent this incident. Nothing follows from those that are known already."""

    kind: Literal["preventions_found"] = "preventions_found"
    items: tuple[Prevention, ...]
