"""What a failed send means for the incident: an outcome of its own, or only another try."""

from escalation.incident.effects import SLACK, Effect, PostCard, Refresh, SendPage, Tell, Withdrawable
from escalation.incident.events import Dropped, OutcomeEvent, PersonRefused, Trouble
from escalation.incident.model import CopyKind, Incident
from workers.channels.failures import Failed, Kind

_PERSON = {
    "user_disabled": "the account is deactivated",
    "user_not_found": "there is no such member of the workspace",
    "users_not_found": "the workspace has nobody with that e-mail address",
    "cannot_dm_bot": "it is a bot",
    "user_not_visible": "the bot cannot see that person",
}
_OURS = {
    "is_archived": "#{channel} is archived: unarchive it, or set workspace.incidents_channel",
    "invalid_auth": "Slack refuses the bot token: set SLACK_BOT_TOKEN",
    "token_revoked": "the bot token was revoked: install the app again",
    "account_inactive": "the bot's account is deactivated: install the app again",
    "missing_scope": "the bot token lacks a scope: see tocsin doctor",
    "restricted_action": "the workspace's settings do not let the bot do this",
    "name_taken": "there is a private channel #{channel} that the bot is not in: invite it there",
    "no_free_name": "every name for the war room is taken",
    "not_in_channel": "the bot is not in the channel, and cannot join it: invite it",
}


def settle(incident: Incident, effect: Effect, failed: Failed, incidents_channel: str) -> OutcomeEvent | None:
    """The outcome to record; None when it simply has to be tried again. A Trouble has to be tried again as well."""
    match failed.kind:
        case Kind.PASSING:
            return None
        case _ if isinstance(effect, Withdrawable) and effect.withdrawn:  # what cannot be seen needs no redacting
            return Dropped(effect=effect.id, why=failed.error)
        case _ if effect.carried_by != SLACK:
            return _otherwise(effect, failed)
        case Kind.TOKEN:
            return _trouble(effect, failed, incidents_channel)
        case Kind.LOST if failed.error == "channel_not_found" and _new_card(effect):
            return None
        case Kind.LOST if _lost(incident, effect, failed):
            return Dropped(effect=effect.id, why=failed.error, gone=failed.channel)
        case Kind.PERSON if isinstance(effect, SendPage):
            return PersonRefused(effect=effect.id, why=_PERSON.get(failed.error, f"Slack says {failed.error}"))
    if effect.optional or _pointless(incident, effect, failed):
        return Dropped(effect=effect.id, why=failed.error)
    return _trouble(effect, failed, incidents_channel)


def _otherwise(effect: Effect, failed: Failed) -> OutcomeEvent:
    """Another way than Slack: an address that refuses mail stays so, a key that is refused can be mended."""
    if failed.kind is Kind.PERSON:
        return Dropped(effect=effect.id, why=failed.error)
    return Trouble(effect=effect.id, why=f"refused ({failed.error}): see the variables of that way")


def _new_card(effect: Effect) -> bool:
    """The incidents channel was deleted: the next try finds or makes one."""
    return isinstance(effect, PostCard) and effect.place == "channel"


def _lost(incident: Incident, effect: Effect, failed: Failed) -> bool:
    """A channel is gone: the room is final, a deleted one too; an archived incidents channel can be mended."""
    at_home = incident.room is not None and failed.channel == incident.room.channel
    return at_home or failed.error == "channel_not_found" or _in_an_old_place(incident, effect)


def _pointless(incident: Incident, effect: Effect, failed: Failed) -> bool:
    """Trying again would not help: the message is gone, or the person of a note or a copy is."""
    if failed.kind is Kind.GONE:
        return True
    return failed.kind is Kind.PERSON and (isinstance(effect, Tell) or _in_an_old_place(incident, effect))


def _in_an_old_place(incident: Incident, effect: Effect) -> bool:
    """A card in a direct message or in a former room: nobody will bring that channel back for it."""
    copy = incident.copy_of(effect.copy_id) if isinstance(effect, Refresh) else None
    return copy is not None and copy.kind is not CopyKind.CHANNEL


def _trouble(effect: Effect, failed: Failed, incidents_channel: str) -> Trouble:
    why = _OURS.get(failed.error, f"Slack says {failed.error}").format(channel=incidents_channel)
    return Trouble(effect=effect.id, why=why)
