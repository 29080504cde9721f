"""dnd.*: who hears no notifications until when. A snooze and hours of every day look alike to others, as in Slack."""

from sandbox.records import Json, Person
from sandbox.webapi.registry import Call, SlackError, method

MOST_PEOPLE = 50  # https://docs.slack.dev/reference/methods/dnd.teamInfo
NEVER = 1  # both times of somebody without Do Not Disturb


@method("dnd.info", "tier3", "dnd:read")
def info(call: Call) -> Json:
    return _status(call, call.person(call.text("user", call.user)))


@method("dnd.teamInfo", "tier2", "dnd:read")
def team_info(call: Call) -> Json:
    """People that the workspace does not know are left out."""
    named = call.words("users")
    if not named:
        raise SlackError("no_users_provided")
    if len(named) > MOST_PEOPLE:
        raise SlackError("too_many_users")
    known = (call.workspace.users[user] for user in named if user in call.workspace.users)
    return {"users": {row.id: _status(call, row) for row in known}}


def _status(call: Call, row: Person) -> Json:
    if row.silent_until <= call.workspace.now():
        return {"dnd_enabled": False, "next_dnd_start_ts": NEVER, "next_dnd_end_ts": NEVER}
    times = {"next_dnd_start_ts": int(row.silent_from), "next_dnd_end_ts": int(row.silent_until)}
    return {"dnd_enabled": True, **times}
