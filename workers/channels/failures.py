"""Failures of calls, and what Slack means by its error codes; what the other vendors mean stands in `refusals`.

Redis has its own table (escalation.storage.redis_faults): the bot needs it too.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """Kind of a failed call.

    Passing: retry. Person: that person cannot be reached. Lost: the channel is gone or archived. Gone: the message is.
    Ours: token, scope, settings; an operator has to fix it. Token: ours, and nothing at all will work until then.
    Bug: a fault of Tocsin itself; nobody else is to blame.
    """

    PASSING = "passing"
    PERSON = "person"
    LOST = "lost"
    GONE = "gone"
    OURS = "ours"
    TOKEN = "token"  # noqa: S105  # a kind, not a secret
    BUG = "bug"


class Reason(NamedTuple):
    """A failure in words, and what to do about it (empty where nothing can be done)."""

    text: str
    remedy: str = ""

    def sentence(self) -> str:
        """Both as one sentence, without its full stop."""
        return f"{self.text}: {self.remedy}" if self.remedy else self.text


# Slack ---------------------------------------------------------------------------------------------------------------

# https://docs.slack.dev/reference/methods lists each method's errors.
_SLACK = {
    Kind.PASSING: (
        "ratelimited rate_limited message_limit_exceeded too_many_requests internal_error fatal_error "
        "service_unavailable request_timeout team_added_to_org update_failed fetch_members_failed "
        "external_channel_migrating timeout connection_failed unreadable_response"
    ),
    Kind.PERSON: (
        "user_not_found users_not_found user_disabled user_not_visible user_is_restricted cannot_dm_bot "
        "invalid_user_combination org_user_not_in_team invitee_cant_see_channel ura_max_channels user_not_in_team"
    ),
    Kind.LOST: "channel_not_found is_archived not_in_channel list_not_found",
    Kind.GONE: (
        "message_not_found cant_update_message thread_not_found cannot_reply_to_message not_pinnable card_gone "
        "record_not_found record_deleted invalid_row_id"
    ),
    Kind.TOKEN: (
        "not_authed invalid_auth account_inactive token_revoked token_expired org_login_required "
        "team_access_not_granted two_factor_setup_required not_allowed_token_type"
    ),
}
# The same words mean something else there: the person named, and not the bot, lacks the permission.
_SLACK_OF_METHOD = {
    "conversations.invite": {
        Kind.PERSON: "cant_invite no_permission no_external_invite_permission app_cannot_join_channel"
    },
    "slackLists.items.update": {Kind.LOST: "file_not_found"},
}
_REASONS = {
    "user_disabled": Reason("the account is deactivated"),
    "user_not_found": Reason("there is no such member of the workspace"),
    "users_not_found": Reason("the workspace has nobody with that e-mail address"),
    "user_not_visible": Reason("the bot cannot see that person"),
    "cannot_dm_bot": Reason("it is a bot"),
    "channel_not_found": Reason("their direct messages cannot be opened"),
    "user_is_restricted": Reason("guests cannot be in that channel"),
    "ura_max_channels": Reason("a single-channel guest cannot join a second channel"),
    "cant_invite": Reason("Slack does not let that person join"),
    "no_permission": Reason("Slack does not let the bot invite that person"),
    "no_external_invite_permission": Reason("the bot may not invite people of other companies"),
    "messages_tab_disabled": Reason(
        "the app's Messages tab is off", "switch it on under App Home, Show Tabs, in the app's settings"
    ),
    "not_enough_users": Reason(
        "Slack opens no direct messages for the app", "update the app from manifest.yml and reinstall it"
    ),
    "missing_scope": Reason("the bot token lacks a scope", "see tocsin doctor, then reinstall the app"),
    "restricted_action": Reason(
        "the workspace's settings do not let the bot do this", "ask a workspace admin to allow it for the app"
    ),
    "edit_window_closed": Reason(
        "the workspace lets no message be edited after a while",
        "ask a workspace admin to allow it at any time: cards say what is no longer so",
    ),
    "ekm_access_denied": Reason("your admins switched off messages there", "ask them to allow the app"),
    "app_access_restricted": Reason("the app is restricted in the workspace", "ask a workspace admin to approve it"),
    "no_free_name": Reason("every name for the war room is taken", "archive or rename older rooms"),
    "permission_denied": Reason(
        "the workspace does not let the app change user groups", "ask a workspace admin to allow it for the app"
    ),
    "no_such_subteam": Reason("Slack has no user group of that handle", "correct rotations.*.group, or create it"),
    "invalid_users": Reason("Slack refuses the group's members", "look at who is on call with /incident oncall"),
    "no_users_provided": Reason("nobody on call can be a member", "give the shift to somebody who is there"),
    "plan_upgrade_required": Reason("the workspace's plan does not include this", "upgrade it, or do without"),
    "over_list_file_maximum": Reason("the workspace has as many Slack Lists as it may", "delete some"),
    "over_row_maximum": Reason("the Slack List has as many rows as it may", "close action items, or drop them"),
    "too_many_pins": Reason("the channel has too many pins", "remove some"),
    "too_many_bookmarks": Reason("the channel has too many bookmarks", "remove some"),
    "invalid_auth": Reason("Slack refuses the bot token", "set SLACK_BOT_TOKEN"),
    "not_authed": Reason("Slack got no bot token", "set SLACK_BOT_TOKEN"),
    "token_expired": Reason("the bot token expired", "install the app again, and set SLACK_BOT_TOKEN"),
    "token_revoked": Reason("the bot token was revoked", "install the app again, and set SLACK_BOT_TOKEN"),
    "account_inactive": Reason("the bot's account is deactivated", "install the app again"),
}


def kind_of(error: str, method: str = "") -> Kind:
    """Classify a Slack error code, as that method means it."""
    special = _BY_METHOD.get(method, {})
    return special.get(error) or _BY_ERROR.get(error, Kind.OURS)


def _by_error(table: dict[Kind, str]) -> dict[str, Kind]:
    return {error: kind for kind, errors in table.items() for error in errors.split()}


_BY_ERROR = _by_error(_SLACK)
_BY_METHOD = {method: _by_error(table) for method, table in _SLACK_OF_METHOD.items()}

# A failed call --------------------------------------------------------------------------------------------------------


class Failed(Exception):
    """A call failed, or may have. `wait`: seconds that the other side asked for; `channel`: where, if known.

    `reason` is the failure in words, by default those of Slack's error code. `reported`: it stands among the problems.
    `for_now`: it is the person's, and they can end it, as a full mailbox: their address is good. `about` is what it
    concerns of all that goes that way, as numbers of one country (`+49`); empty: everything.
    """

    def __init__(
        self,
        error: str,
        kind: Kind | None = None,
        *,
        wait: float = 0.0,
        channel: str = "",
        reason: Reason | None = None,
        reported: bool = False,
        for_now: bool = False,
        about: str = "",
    ) -> None:
        super().__init__(error)
        self.error = error
        self.kind = kind or kind_of(error)
        self.wait = wait
        self.reported = reported
        self.for_now = for_now
        self.about = about
        self.channel = channel
        self.reason = reason or _REASONS.get(error) or Reason(f"Slack says {error}", "see tocsin doctor")


def bug(error: Exception) -> Failed:
    """Classify an error that nothing expected: a fault of Tocsin, never said to be a vendor's or a person's."""
    name = type(error).__name__
    remedy = 'look for "delivery failed" in the log, and report it'
    return Failed(name, Kind.BUG, reason=Reason(f"a fault in Tocsin itself ({name})", remedy))


_FIRST_WAIT = 0.5
_LONGEST_WAIT = {Kind.OURS: 60.0, Kind.TOKEN: 60.0, Kind.BUG: 60.0}
_LONGEST_OPTIONAL_WAIT = 300.0


def back_off(failed: Failed, times: int, *, optional: bool = False) -> float:
    """Seconds until the next retry: what the other side asked for, else doubling from half a second."""
    if failed.wait:
        return failed.wait
    longest = _LONGEST_OPTIONAL_WAIT if optional else _LONGEST_WAIT.get(failed.kind, 30.0)
    return min(longest, _FIRST_WAIT * float(1 << min(max(times, 1) - 1, 10)))


def no_answer(vendor: str, error: Exception, *, wait: float = 0.0) -> Failed:
    """A request that got no answer; it may have been carried out all the same, unless no connection was made."""
    reason = Reason(f"{vendor} does not answer ({type(error).__name__})")
    return Failed(f"{vendor.lower()}: {type(error).__name__}", Kind.PASSING, wait=wait, reason=reason)


def asked_wait(headers: Mapping[str, str]) -> float:
    """Seconds that an answer's Retry-After asks for; 0 if it asks for nothing, or for a date."""
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0.0
