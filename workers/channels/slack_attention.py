"""Do Not Disturb of people in Slack. https://docs.slack.dev/reference/methods/dnd.teamInfo"""

from collections.abc import Iterable
from datetime import UTC, datetime

from escalation.oncall.silences import Silence
from escalation.values import PersonId
from workers.channels.failures import Failed
from workers.channels.slack_api import SlackApi

MOST_PEOPLE = 50  # of one call


class SlackAttention:
    """Asks whose Slack makes no sound. Raises Failed: it is optional, and takes a scope of its own."""

    def __init__(self, api: SlackApi) -> None:
        self._slack = api

    def silences(self, people: Iterable[PersonId]) -> dict[PersonId, Silence]:
        """Return the present or next silence of these people, MOST_PEOPLE at most.

        A snooze looks like the hours of every day: only their person sees the difference.
        """
        answer = self._slack.read("dnd.teamInfo", users=",".join(people))
        users = answer.get("users")
        if not isinstance(users, dict):
            raise Failed("no_field_users")
        return {person: silence for person, status in users.items() if (silence := _silence(status))}


def _silence(status: object) -> Silence | None:
    """Read somebody's status; without Do Not Disturb both of its times are 1."""
    if not isinstance(status, dict) or not status.get("dnd_enabled"):
        return None
    starts, ends = status.get("next_dnd_start_ts"), status.get("next_dnd_end_ts")
    if not isinstance(starts, int) or not isinstance(ends, int) or ends <= starts:
        return None
    return Silence(starts=datetime.fromtimestamp(starts, UTC), ends=datetime.fromtimestamp(ends, UTC))
