"""Outcomes of failed sends: an event for the incident, or a plain retry."""

from datetime import datetime, timedelta

from escalation.incident.effects import (
    SLACK,
    Effect,
    OpenMeeting,
    Place,
    Refresh,
    Remind,
    RemindPerson,
    Retract,
    RunAction,
    Say,
    SendPage,
    Tell,
    UpdateIssue,
    Withdrawable,
)
from escalation.incident.events.outcomes import Dropped, MessageGone, OutcomeEvent, PersonRefused, Trouble
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.posted import CopyKind
from workers.channels.failures import Failed, Kind
from workers.delivery.problems import lasting, not_taken

_WHERE: dict[str, str] = {
    CopyKind.CHANNEL: "its former card",
    CopyKind.ROOM: "the card of its former war room",
    Place.THREAD: "its former thread",
    Place.ROOM: "its former war room",
    Place.TEAM: "the team's channel",
    Place.STAKEHOLDERS: "the stakeholders' channel",
}
DELETED = ("message_not_found", "thread_not_found", "card_gone")
ASKED_FOR = timedelta(minutes=10)  # how long people are asked to let the bot into a private room again


GIVE_UP_AFTER = timedelta(hours=24)  # in vain; what has not arrived by then is of no use to anybody
ACTION_GIVE_UP_AFTER = timedelta(minutes=5)  # a restart that comes later surprises those who are at work
GIVE_UP_WHEN_OVER = timedelta(hours=1)  # after the end of an incident, whose last messages should still arrive


def outcome_of(incident: Incident, effect: Effect, failed: Failed, now: datetime) -> OutcomeEvent | None:
    """Decide the outcome of a failed send: None is a plain retry; a Trouble is recorded and retried as well."""
    if isinstance(effect, RunAction):
        outcome = _action_outcome(effect, failed, now)
    elif isinstance(effect, UpdateIssue):
        return _issue_outcome(effect, failed, now)
    else:
        outcome = _outcome(incident, effect, failed, now)
    if outcome is None and lasting(effect, now):
        outcome = Trouble(effect=effect.id, why=not_taken(effect, failed), passing=True)
    if isinstance(outcome, Trouble) and _over(incident, effect, now):
        return Dropped(effect=effect.id, why=outcome.why, lasting=True)
    return outcome


def _action_outcome(effect: RunAction, failed: Failed, now: datetime) -> OutcomeEvent | None:
    """None while the retry, when the other side asked for it, is not too late."""
    again = now + timedelta(seconds=failed.wait)
    if failed.kind is Kind.PASSING and again - effect.at <= ACTION_GIVE_UP_AFTER:
        return None
    return Dropped(effect=effect.id, why=failed.reason.sentence(), lasting=True)


def _issue_outcome(effect: UpdateIssue, failed: Failed, now: datetime) -> OutcomeEvent | None:
    """A ticket is retried for a day, also after the end of its incident: it is to say how that ended."""
    if failed.kind is Kind.PASSING and not lasting(effect, now):
        return None
    if failed.kind is Kind.LOST:  # the tracker has no way to do it: somebody has to, by hand
        return Dropped(effect=effect.id, why=failed.reason.sentence(), lasting=True)
    passing = failed.kind is Kind.PASSING
    why = not_taken(effect, failed) if passing else failed.reason.sentence()
    if now - effect.at > GIVE_UP_AFTER:
        return Dropped(effect=effect.id, why=why, lasting=True)
    return Trouble(effect=effect.id, why=why, passing=passing)


def _over(incident: Incident, effect: Effect, now: datetime) -> bool:
    """True if a send has failed for long enough: what is optional ends with its incident."""
    closed_at = incident.closed_at
    if closed_at is None or incident.open:
        return now - effect.at > GIVE_UP_AFTER
    return now - closed_at > GIVE_UP_WHEN_OVER or (effect.optional and effect.at < closed_at)


def _outcome(incident: Incident, effect: Effect, failed: Failed, now: datetime) -> OutcomeEvent | None:
    """The outcome by the kind of failure alone."""
    match failed.kind:
        case _ if isinstance(effect, OpenMeeting) and not effect.withdrawn:  # people wait for a link: the fixed one
            return Dropped(effect=effect.id, why=failed.reason.sentence(), lasting=True)
        case Kind.PASSING:
            return None
        case _ if isinstance(effect, Withdrawable) and effect.withdrawn:  # an unseen card needs no redacting
            return Dropped(effect=effect.id, why=failed.error)
        case _ if effect.carried_by != SLACK:
            return _other_channel_outcome(effect, failed)
        case Kind.TOKEN:
            return _trouble(effect, failed)
        case Kind.LOST if incident.room and failed.channel == incident.room.channel:
            return _room_outcome(incident, effect, failed, now)
        case Kind.LOST if not isinstance(effect, SendPage):
            return Dropped(effect=effect.id, why=failed.error, gone=failed.channel)
        case Kind.OURS if isinstance(effect, Refresh) and (left := _still_read(incident, effect)):
            return Trouble(effect=effect.id, why=f"{left}: delete it there ({failed.reason.text})", ask=True)
        case Kind.GONE if failed.error in DELETED and (shown := _shown(incident, effect)):
            return MessageGone(effect=effect.id, shown=shown)
        case Kind.PERSON if isinstance(effect, SendPage | Tell | RemindPerson):
            return PersonRefused(effect=effect.id, why=failed.reason.text)
        case Kind.OURS | Kind.BUG if effect.optional:
            return Dropped(effect=effect.id, why=failed.reason.sentence(), lasting=True)
    if effect.optional or _not_worth_retrying(incident, effect, failed):
        return Dropped(effect=effect.id, why=failed.error)
    return _trouble(effect, failed)


def _other_channel_outcome(effect: Effect, failed: Failed) -> OutcomeEvent:
    """Outcome on another channel than Slack: a bad address is final and said, a refusal of us can be fixed."""
    if failed.kind is Kind.PERSON:
        return PersonRefused(effect=effect.id, why=failed.reason.text)
    return _trouble(effect, failed)


def _room_outcome(incident: Incident, effect: Effect, failed: Failed, now: datetime) -> OutcomeEvent:
    """A room that is archived or deleted is lost. One without the bot is not: its people are asked to invite it.

    Slack says the same of a private room that was deleted, so that one counts as lost after a while.
    """
    room = incident.room
    if room is None or failed.error == "is_archived" or not (room.private or failed.error == "not_in_channel"):
        return Dropped(effect=effect.id, why=failed.error, gone=failed.channel)
    why = f"the bot is no longer in #{room.name}: invite it there again with /invite"
    asked = next((e.at for e in incident.timeline if e.kind is EntryKind.TROUBLE and e.why == why), now)
    if now - asked > incident.scaled(ASKED_FOR):
        return Dropped(effect=effect.id, why="the bot was not invited again", gone=failed.channel)
    return Trouble(effect=effect.id, why=why, ask=True)


def _shown(incident: Incident, effect: Effect) -> str:
    """The id of the card or message that an effect updates or answers to; empty for another effect."""
    if isinstance(effect, Refresh):
        return effect.copy_id
    card = incident.card() if isinstance(effect, Say | Remind) and effect.place is Place.THREAD else None
    return card.id if card else ""


def _still_read(incident: Incident, effect: Refresh) -> str:
    """Say where words stand that must not be read any more; empty for any other message."""
    copy, post = incident.copy_of(effect.copy_id), incident.post_of(effect.copy_id)
    where = copy.kind if copy and copy.redacted else post.place if post and post.redacted else ""
    return f"its words still stand in {_WHERE.get(where, 'Slack')}" if where else ""


def _not_worth_retrying(incident: Incident, effect: Effect, failed: Failed) -> bool:
    """True if a retry cannot help: the message is gone, or the person that a copy was for."""
    person_gone = failed.kind is Kind.PERSON and isinstance(effect, Refresh | Retract)
    return failed.kind is Kind.GONE or person_gone


def _trouble(effect: Effect, failed: Failed) -> Trouble:
    """An outcome that an operator has to fix, with what to do about it."""
    return Trouble(effect=effect.id, why=failed.reason.sentence())
