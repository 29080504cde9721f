"""Outcomes of failed sends: an event for the incident, or a plain retry."""

from datetime import datetime, timedelta

from escalation.incident.effects import SLACK, Effect, PostCard, Refresh, RemindPerson, SendPage, Tell, Withdrawable
from escalation.incident.events import Dropped, OutcomeEvent, PersonRefused, Trouble
from escalation.incident.model import CopyKind, Incident
from workers.channels.failures import Failed, Kind
from workers.delivery.problems import lasting, not_taken

# Where it stands says more than the error alone.
_CHANNEL_REASONS = {
    "is_archived": "#{channel} is archived: unarchive it, or set workspace.incidents_channel",
    "name_taken": "there is a private channel #{channel} that the bot is not in: invite it there",
    "not_in_channel": "the bot is not in the channel, and cannot join it: invite it",
}


GIVE_UP_AFTER = timedelta(hours=24)  # in vain; what has not arrived by then is of no use to anybody
GIVE_UP_WHEN_OVER = timedelta(hours=1)  # after the end of an incident, whose last messages should still arrive


def outcome_of(
    incident: Incident, effect: Effect, failed: Failed, incidents_channel: str, now: datetime
) -> OutcomeEvent | None:
    """Decide the outcome of a failed send: None is a plain retry; a Trouble is recorded and retried as well."""
    outcome = _outcome(incident, effect, failed, incidents_channel)
    if outcome is None and lasting(effect, now):
        outcome = Trouble(effect=effect.id, why=not_taken(effect, failed), passing=True)
    if isinstance(outcome, Trouble) and _over(incident, effect, now):
        return Dropped(effect=effect.id, why=outcome.why, lasting=True)
    return outcome


def _over(incident: Incident, effect: Effect, now: datetime) -> bool:
    """True if a send has failed for long enough: what is optional ends with its incident."""
    closed_at = incident.closed_at
    if closed_at is None or incident.open:
        return now - effect.at > GIVE_UP_AFTER
    return now - closed_at > GIVE_UP_WHEN_OVER or (effect.optional and effect.at < closed_at)


def _outcome(incident: Incident, effect: Effect, failed: Failed, incidents_channel: str) -> OutcomeEvent | None:
    """The outcome by the kind of failure alone."""
    match failed.kind:
        case Kind.PASSING:
            return None
        case _ if isinstance(effect, Withdrawable) and effect.withdrawn:  # an unseen card needs no redacting
            return Dropped(effect=effect.id, why=failed.error)
        case _ if effect.carried_by != SLACK:
            return _other_channel_outcome(effect, failed)
        case Kind.TOKEN:
            return _trouble(effect, failed, incidents_channel)
        case Kind.LOST if failed.error == "channel_not_found" and _is_channel_card(effect):
            return None
        case Kind.LOST if _channel_lost(incident, effect, failed):
            return Dropped(effect=effect.id, why=failed.error, gone=failed.channel)
        case Kind.PERSON if isinstance(effect, SendPage):
            return PersonRefused(effect=effect.id, why=failed.reason.text)
        case Kind.OURS if effect.optional:
            return Dropped(effect=effect.id, why=failed.reason.sentence(), lasting=True)
    if effect.optional or _not_worth_retrying(incident, effect, failed):
        return Dropped(effect=effect.id, why=failed.error)
    return _trouble(effect, failed, incidents_channel)


def _other_channel_outcome(effect: Effect, failed: Failed) -> OutcomeEvent:
    """Outcome on another channel than Slack: a bad address is final and said, a refusal of us can be fixed."""
    if failed.kind is Kind.PERSON:
        return PersonRefused(effect=effect.id, why=failed.reason.text)
    return _trouble(effect, failed, "")


def _is_channel_card(effect: Effect) -> bool:
    """True for the card in the incidents channel: if that was deleted, the next try finds or creates one."""
    return isinstance(effect, PostCard) and effect.place == "channel"


def _channel_lost(incident: Incident, effect: Effect, failed: Failed) -> bool:
    """True if the channel is gone for good: a war room or a deleted one. An archived incidents channel can be fixed."""
    in_room = incident.room is not None and failed.channel == incident.room.channel
    return in_room or failed.error == "channel_not_found" or _outside_incidents_channel(incident, effect)


def _not_worth_retrying(incident: Incident, effect: Effect, failed: Failed) -> bool:
    """True if a retry cannot help: the message is gone, or the person that a note or a copy was for."""
    if failed.kind is Kind.GONE:
        return True
    return failed.kind is Kind.PERSON and (
        isinstance(effect, Tell | RemindPerson) or _outside_incidents_channel(incident, effect)
    )


def _outside_incidents_channel(incident: Incident, effect: Effect) -> bool:
    """True for a copy in a direct message or a former room: nobody will bring that channel back for it."""
    copy = incident.copy_of(effect.copy_id) if isinstance(effect, Refresh) else None
    return copy is not None and copy.kind is not CopyKind.CHANNEL


def _trouble(effect: Effect, failed: Failed, incidents_channel: str) -> Trouble:
    """An outcome that an operator has to fix, with what to do about it."""
    why = _CHANNEL_REASONS.get(failed.error, "").format(channel=incidents_channel)
    return Trouble(effect=effect.id, why=why or failed.reason.sentence())
