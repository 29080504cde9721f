"""conversations.*: who is in."""

from sandbox import rooms, shapes
from sandbox.records import Channel, Json
from sandbox.webapi.paging import page, with_cursor
from sandbox.webapi.registry import MANAGE, READ, Call, SlackError, method, writable

MOST_INVITED = 100


@method("conversations.invite", "tier3", required=["channel"])
def invite(call: Call) -> Json:
    """All or nothing, unless `force`: then everyone who can be invited is."""
    channel = writable(call.member_channel(MANAGE), "public", "private")
    users = list(dict.fromkeys(call.words("users")))
    if not users:
        raise SlackError("no_user")
    if len(users) > MOST_INVITED:
        raise SlackError("too_many_users")
    errors = {user: error for user in users if (error := _invite_problem(call, channel, user))}
    if errors and (len(errors) == len(users) or not call.flag("force")):
        raise SlackError(next(iter(errors.values())), errors=_error_list(errors))
    for user in users:
        if user not in errors:
            channel = rooms.join(call.workspace, channel, user, call.user)
    answer: Json = {"channel": shapes.channel(call.workspace, channel)}
    return {**answer, "errors": _error_list(errors)} if errors else answer


def _invite_problem(call: Call, channel: Channel, user: str) -> str | None:
    person = call.workspace.users.get(user)
    if person is None:
        return "user_not_found"
    if user == call.user:
        return "cant_invite_self"
    if person.deleted:
        return "cant_invite"
    return "already_in_channel" if user in channel.members else None


def _error_list(errors: dict[str, str]) -> list[Json]:
    return [{"user": user, "ok": False, "error": error} for user, error in errors.items()]


@method("conversations.join", "tier3", "channels:join", ["channel"])
def join(call: Call) -> Json:
    channel = writable(call.channel(), "public")
    if call.user in channel.members:
        shape = shapes.channel(call.workspace, channel)
        return {"channel": shape, "warning": "already_in_channel"}
    joined = rooms.join(call.workspace, channel, call.user)
    return {"channel": shapes.channel(call.workspace, joined)}


@method("conversations.leave", "tier3", required=["channel"])
def leave(call: Call) -> Json:
    channel = writable(call.channel(MANAGE), "public", "private")
    if channel.name == "general":
        raise SlackError("cant_leave_general")
    if call.user not in channel.members:
        return {"not_in_channel": True}
    if channel.kind == "private" and len(channel.members) == 1:
        raise SlackError("last_member")
    rooms.leave(call.workspace, channel, call.user)
    return {}


@method("conversations.kick", "tier3", required=["channel", "user"])
def kick(call: Call) -> Json:
    channel = writable(call.member_channel(MANAGE), "public", "private")
    user = call.person(call.text("user")).id
    if user == call.user:
        raise SlackError("cant_kick_self")
    if channel.name == "general":
        raise SlackError("cant_kick_from_general")
    if user not in channel.members:
        raise SlackError("not_in_channel")
    rooms.leave(call.workspace, channel, user)
    return {"errors": {}}


@method("conversations.members", "tier4", required=["channel"])
def members(call: Call) -> Json:
    channel = call.channel(READ)
    shown, cursor = page(call, channel.members, str, 100, 1000)
    return {"members": list(shown), **with_cursor(cursor)}
