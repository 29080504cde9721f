"""What Slack refuses the bot for a lasting reason of ours, among the problems until it is taken again.

What people asked for is answered to them as well; this is for whoever can mend it.
"""

from slack_sdk.errors import SlackApiError

from bot.slack.client import slack_error
from escalation.storage.problems import Problems

PASSING = frozenset(
    {
        *("ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"),
        *("team_added_to_org", "unreadable_response", "timeout"),
    }
)
# What is asked for is gone, or never was: nobody has to mend that.
GONE = frozenset(
    {
        *("message_not_found", "thread_not_found", "channel_not_found", "is_archived", "not_in_channel"),
        *("user_not_found", "users_not_found", "user_not_visible", "no_such_subteam", "hash_conflict"),
    }
)
SEE_DOCTOR = "see `tocsin doctor`; reinstall the app if it lacks a scope"


def is_passing(error: Exception) -> bool:
    """True if the same call may work in a moment: Slack did not answer, or is busy."""
    return not isinstance(error, SlackApiError) or slack_error(error) in PASSING


def is_ours(error: Exception) -> bool:
    """True if an operator has to mend it: a scope, the token, a setting of the workspace."""
    return not is_passing(error) and slack_error(error) not in GONE


class Refusals:
    """Writes refusals down, one problem for each thing that is refused. Its methods raise RedisError."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._standing: dict[str, bool] = {}  # what this process knows of; the one before it may have left some

    def report(self, about: str, what: str, error: Exception, remedy: str = SEE_DOCTOR) -> None:
        """Report that Slack refuses `what`, if the reason is one of ours."""
        if is_ours(error):
            self._problems.report(f"slack:{about}", f"Slack refuses {what} ({slack_error(error)})", remedy)
            self._standing[about] = True

    def clear(self, about: str) -> None:
        """Clear what was reported, after a success."""
        if self._standing.get(about, True):
            self._problems.clear(f"slack:{about}")
            self._standing[about] = False
