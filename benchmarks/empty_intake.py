"""A minimal Starlette app that writes each body to Redis and answers 202: the floor for alerts.

`python -m benchmarks.empty_intake PORT SOCKET`.
"""

import sys
import uuid

import uvicorn
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import UnixDomainSocketConnection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

CONNECTIONS = 32  # to Redis; with more of them it is slower


def build(socket: str) -> Starlette:
    """Build the app."""
    pool = BlockingConnectionPool(CONNECTIONS, connection_class=UnixDomainSocketConnection, path=socket)
    redis = Redis(connection_pool=pool)

    async def take(request: Request) -> Response:
        await redis.set(f"floor:{uuid.uuid4().hex}", await request.body())
        return JSONResponse({"status": "accepted"}, status_code=202)

    async def healthz(request: Request) -> Response:
        return JSONResponse({"alive": True})

    return Starlette(routes=[Route("/alerts/alertmanager", take, methods=["POST"]), Route("/healthz", healthz)])


if __name__ == "__main__":
    uvicorn.run(build(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
