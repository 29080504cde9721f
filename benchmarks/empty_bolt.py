"""A minimal Bolt app over HTTP that acknowledges everything and does nothing: the floor for clicks.

`python -m benchmarks.empty_bolt PORT API_URL`.
"""

import re
import sys

import uvicorn
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tocsin.config.slack_settings import LOCAL_BOT_TOKEN, LOCAL_SIGNING_SECRET


def build(api_url: str) -> Starlette:
    """Build the app."""
    client = AsyncWebClient(token=LOCAL_BOT_TOKEN, base_url=api_url)
    app = AsyncApp(client=client, signing_secret=LOCAL_SIGNING_SECRET)

    async def acknowledge(ack: AsyncAck) -> None:
        await ack()

    app.action(re.compile(""))(acknowledge)
    app.command(re.compile(""))(acknowledge)
    handler = AsyncSlackRequestHandler(app)

    async def events(request: Request) -> Response:
        return await handler.handle(request)

    async def healthz(request: Request) -> Response:
        return JSONResponse({"alive": True})

    return Starlette(routes=[Route("/slack/events", events, methods=["POST"]), Route("/healthz", healthz)])


if __name__ == "__main__":
    uvicorn.run(build(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
