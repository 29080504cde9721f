"""The control side (/control/...): faults, limits and the clock on demand, the whole state for assertions."""

from typing import Any, TypeVar, get_args

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox import company, posting, rooms, shapes
from sandbox.faults import Fault
from sandbox.records import TOMBSTONE, AppSettings, Channel, Deletion, Json, Person, Record
from sandbox.requests import BadRequest, json_object
from sandbox.runtime import Runtime, runtime_of
from sandbox.socketmode import SocketAction
from sandbox.state import Workspace

R = TypeVar("R", bound=Record)
SILENCE_SECONDS = 10.0
PERSON_FIELDS = set(Person.model_fields) - {"id", "is_bot"}


def done(runtime: Runtime, **answer: Any) -> Response:
    runtime.settle()
    return JSONResponse({"ok": True, **answer})


def number(body: Json, name: str, default: float | None = None) -> float:
    value = body.get(name, default)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise BadRequest(f"{name} must be a number")
    return float(value)


async def calls(request: Request) -> Response:
    runtime, query = runtime_of(request), request.query_params
    if request.method == "DELETE":
        runtime.calls.clear()
        return done(runtime)
    after = query.get("after", "0")
    if not after.isdigit():
        raise BadRequest("after must be a number")
    return JSONResponse({"calls": runtime.calls.after(int(after), query.get("method"))})


async def faults(request: Request) -> Response:
    runtime = runtime_of(request)
    if request.method == "DELETE":
        runtime.faults.clear()
        return done(runtime)
    if request.method == "GET":
        return JSONResponse({"faults": [row.model_dump() for row in runtime.faults.waiting()]})
    try:
        fault = Fault.model_validate(await json_object(request))
    except ValidationError as error:
        raise BadRequest(str(error)) from None
    return done(runtime, id=runtime.faults.add(fault).id)


async def latency(request: Request) -> Response:
    runtime = runtime_of(request)
    runtime.latency = number(await json_object(request), "seconds")
    return done(runtime)


async def limits(request: Request) -> Response:
    runtime, body = runtime_of(request), await json_object(request)
    runtime.limits.on = bool(body.get("on"))
    runtime.limits.clear()
    return done(runtime)


async def clock(request: Request) -> Response:
    runtime = runtime_of(request)
    runtime.workspace.advance(number(await json_object(request), "advance"))
    return done(runtime, now=runtime.workspace.now())


async def add_user(request: Request) -> Response:
    """A new person: `name` at least; the id follows from the name unless it is given."""
    runtime, body = runtime_of(request), await json_object(request)
    name = str(body.get("name") or "").lower()
    if not name or runtime.workspace.person_named(name):
        raise BadRequest("a name that nobody has is needed")
    defaults = {"id": company.stable_id("U", name), "real_name": name.title(), "email": f"{name}@example.com"}
    fields = {key: value for key, value in body.items() if key in PERSON_FIELDS | {"id"}}
    person = checked(Person, {**defaults, **fields, "name": name})
    if person.id in runtime.workspace.users:
        raise BadRequest("that id is taken")
    runtime.workspace.users[person.id] = person
    runtime.workspace.hint("channels")
    return done(runtime, user=shapes.person(runtime.workspace, person))


async def change_user(request: Request) -> Response:
    """Change a person, such as {"deleted": true}; the app hears of it as user_change."""
    runtime, body = runtime_of(request), await json_object(request)
    person = runtime.workspace.users.get(request.path_params["id"])
    if person is None:
        raise BadRequest("user_not_found", 404)
    fields = {key: value for key, value in body.items() if key in PERSON_FIELDS}
    changed = checked(Person, {**person.model_dump(), **fields})
    runtime.workspace.users[person.id] = changed
    shape = shapes.person(runtime.workspace, changed)
    runtime.workspace.emit("user_change", {"type": "user_change", "user": shape})
    runtime.workspace.hint("channels")
    return done(runtime, user=shape)


def checked(kind: type[R], fields: Json) -> R:
    """The record with these fields, or why it cannot be."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise BadRequest(str(error)) from None


async def add_channel(request: Request) -> Response:
    """A channel that a person made: {name, is_private, creator, members?}."""
    runtime, body = runtime_of(request), await json_object(request)
    workspace, name = runtime.workspace, str(body.get("name") or "")
    problem = rooms.name_problem(workspace, name)
    creator = str(body.get("creator") or company.people()[0].id)
    if problem or creator not in workspace.users:
        raise BadRequest(problem or "user_not_found")
    channel = rooms.create(workspace, name, bool(body.get("is_private")), creator)
    channel = with_members(workspace, channel, body)
    return done(runtime, channel=shapes.channel(workspace, channel))


def with_members(workspace: Workspace, channel: Channel, body: Json) -> Channel:
    """The channel with exactly the `members` that the body names, or after some were removed (`kick`) or invited."""
    if "kick" in body or "invite" in body:
        stay = [user for user in channel.members if user not in body.get("kick", ())]
        body = {"members": [*stay, *(user for user in body.get("invite", ()) if user not in stay)]}
    wanted = body.get("members")
    if wanted is None:
        return channel
    if not isinstance(wanted, list) or not all(user in workspace.users for user in wanted):
        raise BadRequest("user_not_found")
    for user in [member for member in channel.members if member not in wanted]:
        channel = rooms.leave(workspace, channel, user)
    for user in [member for member in wanted if member not in channel.members]:
        channel = rooms.join(workspace, channel, user)
    return channel


async def change_channel(request: Request) -> Response:
    """Change a channel as a person would: {is_archived?, is_private?, members?, kick?, invite?, name?, topic?}."""
    runtime, body = runtime_of(request), await json_object(request)
    workspace = runtime.workspace
    channel = workspace.channels.get(request.path_params["id"])
    if channel is None:
        raise BadRequest("channel_not_found", 404)
    channel, by = with_members(workspace, channel, body), company.people()[0].id
    if "name" in body:
        problem = rooms.name_problem(workspace, str(body["name"]))
        if problem:
            raise BadRequest(problem)
        channel = rooms.rename(workspace, channel, str(body["name"]), by)
    if "is_private" in body:
        rooms.store(workspace, channel, kind="private" if body["is_private"] else "public")
        channel = workspace.channels[channel.id]
    if "posting" in body:
        rooms.store(workspace, channel, posting=checked(Channel, {**channel.model_dump(), **body}).posting)
        channel = workspace.channels[channel.id]
    if "topic" in body:
        channel = rooms.set_topic(workspace, channel, str(body["topic"]), by)
    if "is_archived" in body and bool(body["is_archived"]) != channel.archived:
        change = rooms.unarchive if channel.archived else rooms.archive
        channel = change(workspace, channel, by)
    return done(runtime, channel=shapes.channel(workspace, channel))


async def delete_message(request: Request) -> Response:
    """Delete a message by hand, as an administrator may."""
    runtime, place = runtime_of(request), request.path_params
    row = runtime.workspace.message(place["channel"], place["ts"])
    if row is None or row.subtype == TOMBSTONE:
        raise BadRequest("message_not_found", 404)
    posting.remove(runtime.workspace, row)
    return done(runtime)


async def app(request: Request) -> Response:
    """Change the AppSettings: how the app is reached and what it may do. A null goes back to what the setup says."""
    runtime, body = runtime_of(request), await json_object(request)
    fields = {**runtime.workspace.app.model_dump(), **body}
    runtime.workspace.app = checked(AppSettings, fields)
    runtime.workspace.hint("channels")
    return done(runtime)


async def redeliver(request: Request) -> Response:
    runtime, body = runtime_of(request), await json_object(request)
    return done(runtime, sent=runtime.delivery.redeliver(int(number(body, "n", 1))))


async def triggers(request: Request) -> Response:
    """Expire every trigger_id that is still good."""
    runtime, body = runtime_of(request), await json_object(request)
    rows = runtime.workspace.triggers
    for key in list(rows) if body.get("expire") else []:
        rows[key] = rows[key].changed(expires=0.0)
    return done(runtime)


async def sockets(request: Request) -> Response:
    runtime, body = runtime_of(request), await json_object(request)
    if body.get("action") not in get_args(SocketAction):
        raise BadRequest(f"action is one of {', '.join(get_args(SocketAction))}")
    seconds = number(body, "seconds", SILENCE_SECONDS)
    return done(runtime, connections=await runtime.socket.disturb(body["action"], seconds))


async def state(request: Request) -> Response:
    return JSONResponse(snapshot(runtime_of(request)))


def snapshot(runtime: Runtime) -> Json:
    """The whole workspace, in Slack's shapes."""
    workspace = runtime.workspace
    return {
        "now": workspace.now(),
        "team": {"id": workspace.team_id, "name": company.TEAM_NAME, "domain": company.TEAM_DOMAIN},
        "app": {
            "bot_user_id": workspace.bot_user,
            "request_url": workspace.app.request_url,
            "scopes": list(workspace.scopes),
            "events": list(workspace.events),
            "connections": runtime.socket.connected,
        },
        "limits": runtime.limits.on,
        "users": [shapes.person(workspace, row) for row in workspace.users.values()],
        "channels": [_channel(workspace, row) for row in workspace.channels.values()],
        "messages": {key: _messages(workspace, key) for key in workspace.channels},
        "deleted": [_deletion(workspace, row) for row in workspace.deleted.values()],
        "views": [{**shapes.view(workspace, row), "user": row.user} for row in workspace.views.values()],
        "usergroups": [shapes.usergroup(workspace, row, True) for row in workspace.usergroups.values()],
        "scheduled": [row.model_dump() for row in workspace.scheduled.values()],
        "files": [shapes.file(workspace, row) for row in workspace.uploads.values() if row.shared],
    }


def _channel(workspace: Workspace, row: Channel) -> Json:
    shape = shapes.channel(workspace, row)
    extra = {"members": list(row.members), "pins": [pin.ts for pin in row.pins]}
    return {**shape, **extra, "bookmarks": [mark.model_dump() for mark in row.bookmarks]}


def _messages(workspace: Workspace, channel: str) -> list[Json]:
    rows = workspace.messages.in_channel(channel)
    return [
        {**shapes.message(workspace, row), **({"ephemeral_to": row.ephemeral_to} if row.ephemeral_to else {})}
        for row in rows
    ]


def _deletion(workspace: Workspace, row: Deletion) -> Json:
    shape = shapes.message(workspace, row.message)
    return {"channel": row.message.channel, "deleted_by": row.by, "deleted_at": row.at, "message": shape}


async def reset(request: Request) -> Response:
    runtime = runtime_of(request)
    runtime.reset()
    return done(runtime)


ROUTES = [
    Route("/control/calls", calls, methods=["GET", "DELETE"]),
    Route("/control/faults", faults, methods=["GET", "POST", "DELETE"]),
    Route("/control/latency", latency, methods=["POST"]),
    Route("/control/limits", limits, methods=["POST"]),
    Route("/control/clock", clock, methods=["POST"]),
    Route("/control/users", add_user, methods=["POST"]),
    Route("/control/users/{id:str}", change_user, methods=["POST"]),
    Route("/control/channels", add_channel, methods=["POST"]),
    Route("/control/channels/{id:str}", change_channel, methods=["POST"]),
    Route("/control/messages/{channel:str}/{ts:str}", delete_message, methods=["DELETE"]),
    Route("/control/app", app, methods=["POST"]),
    Route("/control/redeliver", redeliver, methods=["POST"]),
    Route("/control/triggers", triggers, methods=["POST"]),
    Route("/control/sockets", sockets, methods=["POST"]),
    Route("/control/state", state),
    Route("/control/reset", reset, methods=["POST"]),
]
