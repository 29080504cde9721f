"""The people's endpoints (/ui/...): what the page reads and what it does."""

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from sandbox import modals, monitoring, pages, posting, rooms, shapes, text
from sandbox.records import Channel, Json, Message, Person, View
from sandbox.requests import BadRequest, json_object
from sandbox.runtime import Runtime, runtime_of

APP = "app"


def person(runtime: Runtime, user: object) -> Person:
    """The person that a page acts as."""
    row = runtime.workspace.users.get(str(user))
    if row is None or row.is_bot:
        raise BadRequest("user_not_found", 404)
    if row.deleted:
        raise BadRequest("account_inactive", 403)
    return row


def channel(runtime: Runtime, user: Person, channel_id: object) -> Channel:
    row = runtime.workspace.channels.get(str(channel_id))
    if row is None or not runtime.workspace.can_see(user.id, row):
        raise BadRequest("channel_not_found", 404)
    return row


def writable(runtime: Runtime, user: Person, channel_id: object) -> Channel:
    """A channel to write in; `app`: the person's direct messages with the app, which may not have begun."""
    if channel_id == APP:
        return rooms.open_direct(runtime.workspace, (user.id,))
    return channel(runtime, user, channel_id)


def message(runtime: Runtime, user: Person, channel_id: object, ts: object) -> Message:
    row = runtime.workspace.message(channel(runtime, user, channel_id).id, str(ts))
    if row is None or row.ephemeral_to not in (None, user.id):
        raise BadRequest("message_not_found", 404)
    return row


def view(runtime: Runtime, user: Person, view_id: object) -> View:
    row = runtime.workspace.views.get(str(view_id))
    if row is None or row.user != user.id:
        raise BadRequest("view_not_found", 404)
    return row


def values_of(body: Json) -> Json:
    state = body.get("state") or {}
    values = state.get("values") if isinstance(state, dict) else None
    return values if isinstance(values, dict) else {}


# Reading


def looking(request: Request) -> tuple[Runtime, Person]:
    runtime = runtime_of(request)
    return runtime, person(runtime, request.query_params.get("as"))


async def state(request: Request) -> Response:
    runtime, user = looking(request)
    return JSONResponse(pages.state(runtime.workspace, user.id))


async def messages(request: Request) -> Response:
    runtime, user = looking(request)
    room = channel(runtime, user, request.query_params.get("channel"))
    return JSONResponse({"messages": pages.messages(runtime.workspace, user.id, room)})


async def thread(request: Request) -> Response:
    runtime, user = looking(request)
    parent = message(runtime, user, request.query_params.get("channel"), request.query_params.get("ts"))
    return JSONResponse({"messages": pages.thread(runtime.workspace, user.id, parent)})


async def views(request: Request) -> Response:
    runtime, user = looking(request)
    rows = modals.stack(runtime.workspace, user.id)
    return JSONResponse({"views": [shapes.view(runtime.workspace, row) for row in rows]})


async def events(request: Request) -> Response:
    runtime, user = looking(request)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(runtime.bus.stream(user.id), media_type="text/event-stream", headers=headers)


# Doing


async def doing(request: Request) -> tuple[Runtime, Person, Json]:
    runtime, body = runtime_of(request), await json_object(request)
    return runtime, person(runtime, body.get("as")), body


def done(runtime: Runtime, answer: Json) -> Response:
    runtime.settle()
    return JSONResponse(answer)


async def say(request: Request) -> Response:
    """Post a message. Whoever speaks in a public channel joins it, as the page's Join button would."""
    runtime, user, body = await doing(request)
    room = writable(runtime, user, body.get("channel"))
    words = text.from_person(runtime.workspace, str(body.get("text") or "")).strip()
    if room.kind == "im" and not runtime.workspace.app.messages_tab:
        return done(runtime, {"ok": False, "error": "messages_tab_disabled"})
    if room.archived or not words:
        return done(runtime, {"ok": False, "error": "is_archived" if room.archived else "no_text"})
    if user.id not in room.members:
        room = rooms.join(runtime.workspace, room, user.id)
    thread_ts = body.get("thread_ts")
    if thread_ts:
        message(runtime, user, room.id, thread_ts)
    row = posting.post(runtime.workspace, room, user.id, text=words, thread_ts=thread_ts)
    return done(runtime, {"ok": True, "ts": row.ts})


async def read(request: Request) -> Response:
    runtime, user, body = await doing(request)
    room = channel(runtime, user, body.get("channel"))
    runtime.workspace.reads[f"{user.id}/{room.id}"] = runtime.workspace.fresh_ts()
    return done(runtime, {"ok": True})


async def command(request: Request) -> Response:
    runtime, user, body = await doing(request)
    room = writable(runtime, user, body.get("channel"))
    name = str(body.get("command") or "")
    if body.get("thread_ts"):
        return done(runtime, {"ok": False, "error": f"{name} is not supported in threads. Sorry!"})
    return done(runtime, await runtime.actions.command(user, room, name, str(body.get("text") or "")))


async def action(request: Request) -> Response:
    runtime, user, body = await doing(request)
    container, given = body.get("container"), body.get("action")
    if not isinstance(container, dict) or not isinstance(given, dict):
        raise BadRequest("container and action are needed")
    if not {"block_id", "action_id"} <= given.keys():
        raise BadRequest("the action needs block_id and action_id")
    if container.get("type") == "view":
        shown = view(runtime, user, container.get("view_id"))
        return done(runtime, await runtime.actions.on_view(user, shown, given, values_of(body)))
    row = message(runtime, user, container.get("channel"), container.get("message_ts"))
    return done(runtime, await runtime.actions.on_message(user, row, given, values_of(body)))


async def suggest(request: Request) -> Response:
    """What the app offers for the words typed into an external select."""
    runtime, user, body = await doing(request)
    container, given = body.get("container"), body.get("action")
    if not isinstance(container, dict) or not isinstance(given, dict):
        raise BadRequest("container and action are needed")
    if not {"block_id", "action_id", "value"} <= given.keys():
        raise BadRequest("the action needs block_id, action_id and value")
    if container.get("type") == "view":
        place: Message | View = view(runtime, user, container.get("view_id"))
    else:
        place = message(runtime, user, container.get("channel"), container.get("message_ts"))
    return done(runtime, await runtime.actions.suggest(user, place, given, values_of(body)))


async def submit(request: Request) -> Response:
    runtime, user, body = await doing(request)
    shown = view(runtime, user, body.get("view_id"))
    return done(runtime, await runtime.actions.submit(user, shown, values_of(body)))


async def close(request: Request) -> Response:
    runtime, user, body = await doing(request)
    runtime.actions.close(user, view(runtime, user, body.get("view_id")))
    return done(runtime, {"ok": True})


async def shortcut(request: Request) -> Response:
    runtime, user, body = await doing(request)
    shortcuts = runtime.workspace.setup.shortcuts
    entry = next((row for row in shortcuts if row.callback_id == body.get("callback_id")), None)
    if entry is None:
        raise BadRequest("shortcut_not_found", 404)
    on_message = entry.type == "message"
    row = message(runtime, user, body.get("channel"), body.get("message_ts")) if on_message else None
    return done(runtime, await runtime.actions.shortcut(user, entry, row))


async def pause(request: Request) -> Response:
    """Pause somebody's notifications for so many `minutes` from now; 0 resumes them."""
    runtime, user, body = await doing(request)
    minutes, now = body.get("minutes"), runtime.workspace.now()
    if not isinstance(minutes, int | float) or isinstance(minutes, bool) or minutes < 0:
        raise BadRequest("minutes must be a number")
    silent = {"silent_from": now, "silent_until": now + 60 * minutes}
    runtime.workspace.users[user.id] = user.changed(**silent)
    runtime.workspace.hint("channels")
    return done(runtime, {"ok": True})


async def home(request: Request) -> Response:
    """The Home tab. Reading it tells the app nothing; opening it does."""
    if request.method == "GET":
        runtime, user = looking(request)
        return JSONResponse({"view": runtime.actions.home(user)})
    runtime, user, _ = await doing(request)
    return done(runtime, {"view": runtime.actions.home_opened(user)})


async def alert(request: Request) -> Response:
    """Send a sample alert of a monitoring tool to the app, or its end: {source, ended}."""
    runtime, _, body = await doing(request)
    setup, name = runtime.workspace.setup.monitoring, body.get("source")
    if setup is None or name not in {sample.name for sample in setup.samples}:
        raise BadRequest("source_not_found", 404)
    problem = await monitoring.send(setup, str(name), ended=bool(body.get("ended")))
    return done(runtime, {"ok": False, "error": problem} if problem else {"ok": True})


async def permalink(request: Request) -> Response:
    """A link to a channel, or to a message in it, leads to the page at that place."""
    digits = request.path_params.get("digits", "")
    message = f"&ts={digits[:-6]}.{digits[-6:]}" if digits else ""
    return RedirectResponse(f"/#c={request.path_params['channel']}{message}")


async def channel_link(request: Request) -> Response:
    """A link to a channel leads to the page, at that channel."""
    return RedirectResponse(f"/#c={request.path_params['channel']}")


ROUTES = [
    Route("/ui/state", state),
    Route("/ui/messages", messages),
    Route("/ui/thread", thread),
    Route("/ui/views", views),
    Route("/ui/events", events),
    Route("/ui/say", say, methods=["POST"]),
    Route("/ui/read", read, methods=["POST"]),
    Route("/ui/command", command, methods=["POST"]),
    Route("/ui/action", action, methods=["POST"]),
    Route("/ui/suggest", suggest, methods=["POST"]),
    Route("/ui/submit", submit, methods=["POST"]),
    Route("/ui/close", close, methods=["POST"]),
    Route("/ui/shortcut", shortcut, methods=["POST"]),
    Route("/ui/home", home, methods=["GET", "POST"]),
    Route("/ui/pause", pause, methods=["POST"]),
    Route("/ui/alert", alert, methods=["POST"]),
    Route("/archives/{channel:str}", permalink),
    Route("/archives/{channel:str}/p{digits}", permalink),
    Route("/archives/{channel:str}", channel_link),
]
