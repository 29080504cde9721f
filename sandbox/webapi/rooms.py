"""conversations.*: making, renaming, archiving, describing and listing conversations."""

from sandbox import rooms, shapes
from sandbox.records import Channel, ChannelKind, Json
from sandbox.webapi.paging import page, with_cursor
from sandbox.webapi.registry import MANAGE, READ, Call, SlackError, method, writable

TYPE_NAMES: dict[str, ChannelKind] = {
    "public_channel": "public",
    "private_channel": "private",
    "im": "im",
    "mpim": "mpim",
}
MOST_PEOPLE = 8


def shaped(call: Call, channel: Channel) -> Json:
    return {"channel": shapes.channel(call.workspace, channel)}


def free_name(call: Call) -> str:
    """The name this call wants, when Slack would give it."""
    name = call.text("name")
    problem = rooms.name_problem(call.workspace, name)
    if problem:
        raise SlackError(problem)
    return name


@method("conversations.create", "tier2")
def create(call: Call) -> Json:
    private = call.flag("is_private")
    call.need_scope(MANAGE["private" if private else "public"])
    return shaped(call, rooms.create(call.workspace, free_name(call), private, call.user))


@method("conversations.rename", "tier2", required=["channel", "name"])
def rename(call: Call) -> Json:
    channel = writable(call.member_channel(MANAGE), "public", "private")
    if channel.creator != call.user:
        raise SlackError("not_authorized")
    return shaped(call, rooms.rename(call.workspace, channel, free_name(call), call.user))


@method("conversations.archive", "tier2", required=["channel"])
def archive(call: Call) -> Json:
    channel = call.member_channel(MANAGE)
    if channel.name == "general":
        raise SlackError("cant_archive_general")
    if channel.archived:
        raise SlackError("already_archived")
    rooms.archive(call.workspace, writable(channel, "public", "private"), call.user)
    return {}


@method("conversations.unarchive", "tier2", required=["channel"])
def unarchive(call: Call) -> Json:
    """Slack takes this from people only: to a bot it answers as if the bot had left."""
    if not call.channel(MANAGE).archived:
        raise SlackError("not_archived")
    raise SlackError("not_in_channel")


@method("conversations.setTopic", "tier2", required=["channel"])
def set_topic(call: Call) -> Json:
    channel = writable(call.member_channel(MANAGE), "public", "private")
    topic = short(call.text("topic"))
    return shaped(call, rooms.set_topic(call.workspace, channel, topic, call.user))


@method("conversations.setPurpose", "tier2", required=["channel"])
def set_purpose(call: Call) -> Json:
    channel = writable(call.member_channel(MANAGE), "public", "private")
    purpose = short(call.text("purpose"))
    changed = rooms.set_purpose(call.workspace, channel, purpose, call.user)
    return {"purpose": purpose, **shaped(call, changed)}


def short(words: str) -> str:
    if len(words) > rooms.LONGEST_TOPIC:
        raise SlackError("too_long")
    return words


@method("conversations.info", "tier3", required=["channel"])
def info(call: Call) -> Json:
    channel = call.channel(READ)
    shape = shapes.channel(call.workspace, channel) | who_posts(channel)
    return {"channel": {**shape, "num_members": len(channel.members)} if call.flag("include_num_members") else shape}


def who_posts(channel: Channel) -> Json:
    """Restrictions on posting, of which conversations.list says nothing."""
    read_only = channel.posting in ("restricted_action", "restricted_action_read_only_channel")
    return {
        "is_read_only": read_only,
        "is_thread_only": channel.posting == "restricted_action_thread_only_channel",
        "is_non_threadable": channel.posting == "restricted_action_non_threadable_channel",
    }


def wanted_kinds(call: Call) -> list[ChannelKind]:
    names = call.words("types") or ["public_channel"]
    if not set(names) <= TYPE_NAMES.keys():
        raise SlackError("invalid_types")
    kinds = [TYPE_NAMES[name] for name in names]
    for kind in kinds:
        call.need_scope(READ[kind])
    return kinds


def listed(call: Call, user: str) -> Json:
    """One page of the conversations that the app may know of and that `user` ("" for anyone) is in."""
    kinds, archived = wanted_kinds(call), not call.flag("exclude_archived")
    rows = [
        row
        for row in call.workspace.channels.values()
        if row.kind in kinds and call.workspace.can_see(call.user, row) and (archived or not row.archived)
    ]
    mine = [row for row in rows if user in row.members] if user else rows
    shown, cursor = page(call, mine, lambda row: row.id, 100, 1000)
    return {"channels": [shapes.channel(call.workspace, row) for row in shown], **with_cursor(cursor)}


@method("conversations.list", "tier2")
def list_(call: Call) -> Json:
    return listed(call, "")


@method("users.conversations", "tier3")
def of_user(call: Call) -> Json:
    return listed(call, call.person(call.text("user", call.user)).id)


@method("conversations.open", "tier3")
def open_(call: Call) -> Json:
    users = tuple(dict.fromkeys(call.words("users")))
    if call.text("channel"):
        return _reopened(call)
    if not users:
        raise SlackError("users_list_not_supplied")
    call.need_scope(MANAGE["im" if len(users) == 1 else "mpim"])
    _check_people(call, users)
    before = rooms.direct(call.workspace, users)
    channel = call.check_messages_tab(before or rooms.open_direct(call.workspace, users))
    full = shapes.channel(call.workspace, channel) if call.flag("return_im") else {"id": channel.id}
    return {"channel": full, **({"no_op": True, "already_open": True} if before else {})}


def _reopened(call: Call) -> Json:
    channel = call.channel(MANAGE)
    if channel.kind not in ("im", "mpim"):
        raise SlackError("method_not_supported_for_channel_type")
    return {"no_op": True, "already_open": True, "channel": {"id": channel.id}}


def _check_people(call: Call, users: tuple[str, ...]) -> None:
    if len(users) > MOST_PEOPLE:
        raise SlackError("too_many_users")
    for user in users:
        row = call.person(user)
        if row.is_bot:
            raise SlackError("cannot_dm_bot")
        if row.deleted:
            raise SlackError("user_disabled")
