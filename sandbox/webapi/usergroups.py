"""usergroups.*: groups such as @security."""

from sandbox import shapes
from sandbox.records import Json, Usergroup
from sandbox.webapi.registry import Call, SlackError, method

LONGEST_DESCRIPTION = 140
LONGEST_NAME = 255


def named(call: Call, name: str, handle: str, own_id: str = "") -> None:
    """Refuse a name or handle that another group has."""
    others = [row for row in call.workspace.usergroups.values() if row.id != own_id]
    if len(name) > LONGEST_NAME:
        raise SlackError("name_too_long")
    if len(call.text("description")) > LONGEST_DESCRIPTION:
        raise SlackError("description_too_long")
    if any(row.name == name for row in others):
        raise SlackError("name_already_exists")
    people = [row.name for row in call.workspace.users.values()]
    if handle and (any(row.handle == handle for row in others) or handle in people):
        raise SlackError("handle_already_exists")


def rooms_of(call: Call) -> tuple[str, ...]:
    rooms = tuple(call.words("channels"))
    if not all(room in call.workspace.channels for room in rooms):
        raise SlackError("invalid_channel_provided")
    return rooms


def group(call: Call) -> Usergroup:
    row = call.workspace.usergroups.get(call.text("usergroup"))
    if row is None:
        raise SlackError("no_such_subteam")
    return row


def stored(call: Call, row: Usergroup) -> Json:
    call.workspace.usergroups[row.id] = row
    call.workspace.hint("channels")
    return {"usergroup": shapes.usergroup(call.workspace, row, users=True, count=call.flag("include_count"))}


@method("usergroups.create", "tier2", "usergroups:write", ["name"])
def create(call: Call) -> Json:
    name, handle = call.text("name"), call.text("handle")
    named(call, name, handle)
    now = int(call.workspace.now())
    row = Usergroup(
        id=call.workspace.fresh_id("S"),
        name=name,
        handle=handle or name.lower().replace(" ", "-"),
        description=call.text("description"),
        channels=rooms_of(call),
        created=now,
        updated=now,
    )
    return stored(call, row)


@method("usergroups.update", "tier2", "usergroups:write", ["usergroup"])
def update(call: Call) -> Json:
    row = group(call)
    name, handle = call.text("name", row.name), call.text("handle", row.handle)
    named(call, name, handle, row.id)
    changed: Usergroup = row.changed(
        name=name,
        handle=handle,
        description=call.text("description", row.description),
        channels=rooms_of(call) if "channels" in call.args else row.channels,
        updated=int(call.workspace.now()),
    )
    return stored(call, changed)


@method("usergroups.disable", "tier2", "usergroups:write", ["usergroup"])
def disable(call: Call) -> Json:
    now = int(call.workspace.now())
    return stored(call, group(call).changed(deleted=now, updated=now))


@method("usergroups.enable", "tier2", "usergroups:write", ["usergroup"])
def enable(call: Call) -> Json:
    return stored(call, group(call).changed(deleted=0, updated=int(call.workspace.now())))


@method("usergroups.list", "tier2", "usergroups:read")
def list_(call: Call) -> Json:
    users, count = call.flag("include_users"), call.flag("include_count")
    return {"usergroups": [shapes.usergroup(call.workspace, row, users, count) for row in shown(call)]}


def shown(call: Call) -> list[Usergroup]:
    """The groups in use; the disabled ones too when the call asks for them."""
    return [row for row in call.workspace.usergroups.values() if not row.deleted or call.flag("include_disabled")]


@method("usergroups.users.list", "tier2", "usergroups:read", ["usergroup"])
def users_list(call: Call) -> Json:
    row = group(call)
    if row not in shown(call):
        raise SlackError("no_such_subteam")
    return {"users": list(row.users)}


@method("usergroups.users.update", "tier2", "usergroups:write", ["usergroup"])
def users_update(call: Call) -> Json:
    row, users = group(call), tuple(dict.fromkeys(call.words("users")))
    if not users:
        raise SlackError("no_users_provided")
    known = call.workspace.users
    if not all(user in known and not known[user].deleted and not known[user].is_bot for user in users):
        raise SlackError("invalid_users")
    return stored(call, row.changed(users=users, updated=int(call.workspace.now())))
