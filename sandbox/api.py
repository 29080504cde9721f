"""The Web API over HTTP: arguments, tokens, limits, faults; then the method."""

import asyncio
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox import responses
from sandbox.calls import LoggedCall
from sandbox.faults import Fault, lacking
from sandbox.records import Json
from sandbox.requests import BadRequest, arguments, json_object
from sandbox.runtime import Runtime, runtime_of
from sandbox.webapi import METHODS, Call, Method, SlackError
from sandbox.webapi.files import receive
from sandbox.webapi.registry import refused
from sandbox.wire import wire_of

LONG_TIME = 600.0
FAILED = 500


@dataclass(frozen=True)
class Reply:
    """Slack's answer and its HTTP status."""

    body: Json
    status: int = 200
    retry_after: int | None = None


def limited(seconds: int) -> Reply:
    return Reply({"ok": False, "error": "ratelimited"}, 429, seconds)


async def endpoint(request: Request) -> Response:
    """Any method. Faults strike here; what they let through takes effect in one go, without a pause."""
    runtime, name = runtime_of(request), request.path_params["method"]
    try:
        args = await arguments(request)
    except BadRequest:
        return JSONResponse({"ok": False, "error": "invalid_json"})
    token = token_of(request, args)
    logged = runtime.calls.begin(name, args, token, runtime.workspace.now())
    if runtime.latency:
        await asyncio.sleep(runtime.latency)
    fault = runtime.faults.take(name, args)
    if fault is not None and fault.kind in ("hang", "slow"):
        await _stall(request, fault)
    if fault is not None and fault.kind == "drop_before":
        return await cut(request, logged)
    reply = struck(fault) or perform(runtime, name, args, token)
    logged.ok, logged.error, logged.status = bool(reply.body["ok"]), reply.body.get("error"), reply.status
    runtime.settle()
    if fault is not None and fault.kind == "drop_after":
        return await cut(request, logged)
    if fault is not None and fault.kind == "without":
        reply = replace(reply, body=lacking(reply.body, fault.fields))
    return respond(runtime, reply)


def struck(fault: Fault | None) -> Reply | None:
    """The answer that a fault gives in place of the method."""
    if fault is None or fault.kind in ("slow", "drop_after", "without"):
        return None
    if fault.kind == "ratelimited":
        return limited(fault.retry_after)
    if fault.kind == "error":
        return Reply({"ok": False, "error": fault.error})
    status = fault.status if fault.kind == "status" else FAILED
    return Reply({"ok": False, "error": f"http_{status}"}, status)


async def _stall(request: Request, fault: Fault) -> None:
    """Say nothing for a while; a hung call ends early when the caller gives up."""
    if fault.kind == "slow":
        await asyncio.sleep(1.0 if fault.seconds is None else fault.seconds)
        return
    ends = asyncio.get_running_loop().time() + (LONG_TIME if fault.seconds is None else fault.seconds)
    while asyncio.get_running_loop().time() < ends and not await request.is_disconnected():  # noqa: ASYNC110 - a closed connection raises no event
        await asyncio.sleep(0.05)


async def cut(request: Request, logged: LoggedCall) -> Response:
    """Reset the caller's TCP connection; nothing of the response goes out."""
    logged.status = 0
    wire = wire_of(request.client)
    if wire is not None:
        wire.abort()
        await asyncio.sleep(0)
    return Response(status_code=FAILED)


def respond(runtime: Runtime, reply: Reply) -> Response:
    headers = {"x-oauth-scopes": ",".join(runtime.workspace.scopes)}
    if reply.retry_after is not None:
        headers["retry-after"] = str(reply.retry_after)
    if reply.status >= FAILED:
        return PlainTextResponse("Internal Server Error", reply.status, headers)
    return JSONResponse(reply.body, reply.status, headers)


def token_of(request: Request, args: Json) -> str:
    """The token, taken out of the arguments if it stands there."""
    header = request.headers.get("authorization", "")
    given = args.pop("token", "")
    return header[7:].strip() if header.lower().startswith("bearer ") else str(given or "")


def perform(runtime: Runtime, name: str, args: Json, token: str) -> Reply:
    """The method's own answer, or why it was refused."""
    method = METHODS.get(name)
    if method is None:
        return Reply({"ok": False, "error": "unknown_method", "req_method": name})
    try:
        _admit(runtime, method, token)
        wait = runtime.limits.retry_after(name, method.tier, args)
        if wait is not None:
            return limited(wait)
        return Reply({"ok": True, **_run(runtime, method, args)})
    except SlackError as refusal:
        return Reply(refusal.answer)


def _run(runtime: Runtime, method: Method, args: Json) -> Json:
    call = Call(runtime.workspace, method.name, args, {"socket": lambda: _socket_address(runtime)})
    if method.scope:
        call.need_scope(method.scope)
    missing = [name for name in method.required if args.get(name) in (None, "")]
    if missing:
        raise refused("invalid_arguments", [f"missing required field: {name}" for name in missing])
    if method.name in runtime.workspace.app.restricted:
        raise SlackError("restricted_action")
    return method.run(call)


def _admit(runtime: Runtime, method: Method, token: str) -> None:
    setup = runtime.workspace.setup
    if method.token == "none":  # noqa: S105 - a kind of token
        return
    if not token:
        raise SlackError("not_authed")
    if token not in (setup.bot_token, setup.app_token):
        raise SlackError("invalid_auth")
    if token != (setup.app_token if method.token == "app" else setup.bot_token):  # noqa: S105 - a kind of token
        raise SlackError("not_allowed_token_type")


def _socket_address(runtime: Runtime) -> str:
    if runtime.socket.refusing:
        raise SlackError("internal_error")
    base = runtime.workspace.base_url.replace("http://", "ws://", 1)
    return f"{base}{runtime.socket.ticket()}"


async def response_url(request: Request) -> Response:
    """Where the app answers later."""
    runtime = runtime_of(request)
    try:
        body = await json_object(request)
    except BadRequest:
        return JSONResponse({"ok": False, "error": "invalid_payload"}, 400)
    status, error = responses.use(runtime.workspace, request.path_params["id"], body)
    runtime.settle()
    return PlainTextResponse("ok") if error is None else JSONResponse(error, status)


async def upload(request: Request) -> Response:
    """Where the bytes of a file go."""
    runtime, raw = runtime_of(request), await request.body()
    taken = receive(runtime.workspace, request.path_params["id"], request.headers.get("content-type", ""), raw)
    runtime.settle()
    return PlainTextResponse(f"OK - {taken}") if taken is not None else PlainTextResponse("not found", 404)


ROUTES = [
    Route("/api/{method:str}", endpoint, methods=["GET", "POST"]),
    Route("/response/{id:str}", response_url, methods=["POST"]),
    Route("/upload/{id:str}", upload, methods=["POST", "PUT"]),
]
