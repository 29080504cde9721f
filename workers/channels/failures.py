"""Kinds of failure, by Slack's error codes. An unknown code is ours: retried, and shown to people."""

from enum import StrEnum


class Kind(StrEnum):
    """Kind of a failed send.

    Passing: retry. Person: that person cannot be reached. Lost: the channel is gone or archived. Gone: the message is.
    Ours: token, scope, settings; an operator has to fix it. Token: ours, and nothing at all will work until then.
    """

    PASSING = "passing"
    PERSON = "person"
    LOST = "lost"
    GONE = "gone"
    OURS = "ours"
    TOKEN = "token"  # noqa: S105  # a kind, not a secret


# https://docs.slack.dev/reference/methods lists each method's errors.
_KINDS = {
    Kind.PASSING: (
        "ratelimited rate_limited message_limit_exceeded internal_error fatal_error service_unavailable "
        "request_timeout team_added_to_org update_failed external_channel_migrating timeout connection_failed"
    ),
    Kind.PERSON: (
        "user_not_found users_not_found user_disabled user_not_visible user_is_restricted cannot_dm_bot "
        "invalid_user_combination org_user_not_in_team is_inactive messages_tab_disabled not_enough_users "
        "no_external_invite_permission invitee_cant_see_channel ura_max_channels user_not_in_team"
    ),
    Kind.LOST: "channel_not_found is_archived not_in_channel",
    Kind.GONE: (
        "message_not_found cant_update_message edit_window_closed thread_not_found cannot_reply_to_message not_pinnable"
    ),
    Kind.TOKEN: (
        "not_authed invalid_auth account_inactive token_revoked token_expired org_login_required "
        "ekm_access_denied team_access_not_granted app_access_restricted"
    ),
}
_KIND_BY_ERROR = {error: kind for kind, errors in _KINDS.items() for error in errors.split()}


def kind_of(error: str) -> Kind:
    """The kind of a Slack error code."""
    return _KIND_BY_ERROR.get(error, Kind.OURS)


class Failed(Exception):
    """A call failed, or may have. `wait`: seconds that the other side asked for; `channel`: where, if known."""

    def __init__(self, error: str, kind: Kind | None = None, *, wait: float = 0.0, channel: str = "") -> None:
        super().__init__(error)
        self.error = error
        self.kind = kind or kind_of(error)
        self.wait = wait
        self.channel = channel


_FIRST_WAIT = 0.5
_LONGEST_WAIT = {Kind.OURS: 60.0, Kind.TOKEN: 60.0}


def back_off(failed: Failed, times: int) -> float:
    """Seconds until the next retry: what the other side asked for, else doubling from half a second."""
    if failed.wait:
        return failed.wait
    longest = _LONGEST_WAIT.get(failed.kind, 30.0)
    return min(longest, _FIRST_WAIT * float(1 << min(max(times, 1) - 1, 10)))
