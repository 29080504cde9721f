"""The web application: Slack's side, the people's side, the control side and the page."""

import asyncio
import base64
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from sandbox import api, canvas_page, control, list_page, marks, people
from sandbox.requests import BadRequest
from sandbox.runtime import Runtime, runtime_of

STATIC = Path(__file__).parent / "static"


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class LocalOnly:
    """Refuses what a web page from elsewhere could send here: foreign Host names and foreign origins."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._local(Headers(scope=scope)):
            refusal = PlainTextResponse("This workspace answers on this machine only.", 403)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _local(self, headers: Headers) -> bool:
        host = urlsplit(f"//{headers.get('host', 'localhost')}").hostname or ""
        origin = headers.get("origin")
        return is_loopback(host) and (origin is None or is_loopback(urlsplit(origin).hostname or ""))


async def index(_request: Request) -> Response:
    return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})


async def socket(websocket: WebSocket) -> None:
    await runtime_of(websocket).socket.endpoint(websocket)


async def file(request: Request) -> Response:
    """An uploaded file, to be saved and never shown as a page of ours."""
    row = runtime_of(request).workspace.uploads.get(request.path_params["id"])
    if row is None or not row.uploaded:
        return PlainTextResponse("not found", 404)
    headers = {"content-disposition": "attachment", "x-content-type-options": "nosniff"}
    return Response(base64.b64decode(row.content), media_type="application/octet-stream", headers=headers)


async def bad_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, BadRequest)
    return JSONResponse({"ok": False, "error": error.error}, error.status)


def build(runtime: Runtime) -> Starlette:
    """The application around one running workspace."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        scheduled = asyncio.create_task(runtime.post_scheduled())
        yield
        scheduled.cancel()
        await runtime.close()

    app = Starlette(
        routes=[
            *api.ROUTES,
            *people.ROUTES,
            *control.ROUTES,
            *canvas_page.ROUTES,
            *list_page.ROUTES,
            *marks.ROUTES,
            WebSocketRoute("/socket/{ticket:str}", socket),
            Route("/files/{id:str}", file),
            Mount("/static", StaticFiles(directory=STATIC)),
            Route("/", index),
        ],
        middleware=[Middleware(LocalOnly)],
        exception_handlers={BadRequest: bad_request},
        lifespan=lifespan,
    )
    app.state.runtime = runtime
    return app
