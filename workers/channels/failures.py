"""Failures of calls, classified in one place: a table for each vendor. What no table knows is ours.

Redis has its own table (escalation.storage.redis_faults): the bot needs it too.
"""

import re
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """Kind of a failed call.

    Passing: retry. Person: that person cannot be reached. Lost: the channel is gone or archived. Gone: the message is.
    Ours: token, scope, settings; an operator has to fix it. Token: ours, and nothing at all will work until then.
    """

    PASSING = "passing"
    PERSON = "person"
    LOST = "lost"
    GONE = "gone"
    OURS = "ours"
    TOKEN = "token"  # noqa: S105  # a kind, not a secret


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
    Kind.LOST: "channel_not_found is_archived not_in_channel",
    Kind.GONE: (
        "message_not_found cant_update_message edit_window_closed is_inactive thread_not_found "
        "cannot_reply_to_message not_pinnable card_gone"
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

# SMTP ----------------------------------------------------------------------------------------------------------------

# https://www.rfc-editor.org/rfc/rfc3463#section-3.2: what is wrong with a recipient's address. 5.1.10: RFC 7505.
# Any other refusal is ours, 5.1.7 and 5.1.8 (the sender's address) and a bare 550 too: relays are denied with it.
BAD_ADDRESS = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
_ENHANCED_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
_MAIL_REMEDIES = {
    "530": "put user and password into SMTP_URL",
    "535": "correct user and password in SMTP_URL",
    "550": "let the mail server relay for this host and for SMTP_FROM",
    "554": "let the mail server relay for this host and for SMTP_FROM",
}


def smtp_failure(code: int, text: bytes | str) -> "Failed":
    """Classify a reply, to whichever command: 4xx is passing (RFC 5321, 4.2.1)."""
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    found = _ENHANCED_CODE.match(words)
    status = found[0] if found else ""
    error = f"smtp: {code} {status}".rstrip()
    if 400 <= code < 500:
        return Failed(error, Kind.PASSING, reason=Reason(f"the mail server does not take it now ({error})"))
    if status in BAD_ADDRESS:
        return Failed(error, Kind.PERSON, reason=Reason(f"the mail server does not know the address ({error})"))
    remedy = _MAIL_REMEDIES.get(str(code), "check SMTP_URL and SMTP_FROM")
    return Failed(error, Kind.OURS, reason=Reason(f"the mail server refuses us ({error})", remedy))


# PagerDuty -----------------------------------------------------------------------------------------------------------

_PAGERDUTY_PASSING = frozenset({408, 425, 429})


def pagerduty_failure(status: int, wait: float = 0.0) -> "Failed":
    """Classify a status. https://developer.pagerduty.com/docs/send-alert-event#api-response-codes--retry-logic"""
    error = f"pagerduty: {status}"
    if status in _PAGERDUTY_PASSING or status >= 500:
        return Failed(error, Kind.PASSING, wait=wait, reason=Reason(f"PagerDuty does not take it ({status})"))
    reason = Reason(f"PagerDuty refuses us ({status})", "correct PAGERDUTY_ROUTING_KEY")
    return Failed(error, Kind.OURS, reason=reason)


# A failed call -------------------------------------------------------------------------------------------------------


class Failed(Exception):
    """A call failed, or may have. `wait`: seconds that the other side asked for; `channel`: where, if known.

    `reason` is the failure in words, by default those of Slack's error code. `reported`: it stands among the problems.
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
    ) -> None:
        super().__init__(error)
        self.error = error
        self.kind = kind or kind_of(error)
        self.wait = wait
        self.reported = reported
        self.channel = channel
        self.reason = reason or _REASONS.get(error) or Reason(f"Slack says {error}", "see tocsin doctor")


_FIRST_WAIT = 0.5
_LONGEST_WAIT = {Kind.OURS: 60.0, Kind.TOKEN: 60.0}
_LONGEST_OPTIONAL_WAIT = 300.0


def back_off(failed: Failed, times: int, *, optional: bool = False) -> float:
    """Seconds until the next retry: what the other side asked for, else doubling from half a second."""
    if failed.wait:
        return failed.wait
    longest = _LONGEST_OPTIONAL_WAIT if optional else _LONGEST_WAIT.get(failed.kind, 30.0)
    return min(longest, _FIRST_WAIT * float(1 << min(max(times, 1) - 1, 10)))
