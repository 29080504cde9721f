"""Serves the folder of the status page: strong ETags, answers from memory while a file has not changed."""

import asyncio
import gzip
import hashlib
import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import structlog
from redis import RedisError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from escalation.service import Clock
from escalation.status_page.files import INDEX, SUMMARY
from escalation.status_page.html import STALE, STALE_HERE
from escalation.storage.public.folder import StatusFolder

RENEW_EVERY = 2.0  # seconds
MAX_AGE = 60  # seconds
MOST_CACHED = 500
LOOKED_FOR = 1.0  # seconds
ROOT = "/status/"  # of the addresses
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".atom": "application/atom+xml; charset=utf-8",
    ".json": "application/json",
}
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}

_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))")  # RFC 9110, 12.5.3: q=0 is a no

log = structlog.get_logger("bot")


class _File(NamedTuple):
    stamp: tuple[int, int, int]
    body: bytes
    packed: bytes
    etag: str


class _Answer(NamedTuple):
    """The answer to a reader, and to one who has that already. Both are sent to thousands as they are."""

    etag: str
    whole: Response
    unchanged: Response

    def to(self, scope: Scope) -> Response:
        """Return the one for this reader."""
        given = _header(scope, b"if-none-match")
        known = given and self.etag in {tag.strip().removeprefix("W/") for tag in given.split(",")}
        return self.unchanged if known else self.whole


class _Found(NamedTuple):
    """The answers of a file, as it is and packed, and when it was looked up (monotonic seconds)."""

    plain: _Answer
    packed: _Answer
    at: float

    def to(self, scope: Scope) -> Response:
        """Return the answer for this reader."""
        return (self.packed if _GZIP.search(_header(scope, b"accept-encoding")) else self.plain).to(scope)


class StatusFiles:
    """Reads the folder. A file is read again when it was replaced, and looked at once in LOOKED_FOR at most."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cache: dict[str, _File] = {}
        self._found: dict[str, _Found] = {}
        self._until: tuple[str, datetime | None] = ("", None)  # by the summary's etag

    def recent(self, path: str) -> _Found | None:
        """Return what was found just now, without touching the disk: thousands of readers ask for the same."""
        found = self._found.get(path)
        return found if found and time.monotonic() - found.at < LOOKED_FOR else None

    def find(self, path: str) -> _Found | None:
        """Look a file up; None for anything that is no file of the page."""
        file = self.read(path)
        if file is None:
            self._found.pop(path, None)
            return None
        if len(self._found) >= MOST_CACHED:
            self._found.clear()
        suffix = Path(path).suffix if path and not path.endswith("/") else ".html"
        self._found[path] = found = _found(file, _TYPES[suffix], self.valid_until())
        return found

    def read(self, path: str) -> _File | None:
        """Return a file of the page by its path; None for anything else."""
        wanted = f"{path}{INDEX}" if not path or path.endswith("/") else path
        steps = wanted.split("/")
        if any(not step or step.startswith(".") for step in steps) or Path(wanted).suffix not in _TYPES:
            return None
        try:
            found = (self._folder / wanted).stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
            known = self._cache.get(wanted)
            if known and known.stamp == stamp:
                return known
            body = (self._folder / wanted).read_bytes()
        except (OSError, ValueError):  # ValueError: a NUL in the path
            return None
        if len(self._cache) >= MOST_CACHED:
            self._cache.clear()
        self._cache[wanted] = file = _file(stamp, body)
        return file

    def exists(self, path: str) -> bool:
        """True if the page has such a file."""
        return self.read(path) is not None

    def valid_until(self) -> datetime | None:
        """Return until when the folder can be relied on; None while it was never written."""
        summary = self.read(SUMMARY)
        if summary and self._until[0] != summary.etag:
            self._until = (summary.etag, _valid_until(summary.body))
        return self._until[1] if summary else None


def _file(stamp: tuple[int, int, int], body: bytes) -> _File:
    return _File(stamp, body, gzip.compress(body, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _valid_until(summary: bytes) -> datetime | None:
    try:
        return datetime.fromisoformat(json.loads(summary)["valid_until"])
    except (ValueError, KeyError, TypeError):
        return None


class FromMemory:
    """ASGI middleware: readers of the page are answered from memory, before anything else of the app is asked."""

    def __init__(self, app: ASGIApp, files: StatusFiles) -> None:
        self._app = app
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._files.recent(scope["path"][len(ROOT) :]) if _reads_the_page(scope) else None
        await (found.to(scope) if found else self._app)(scope, receive, send)


def _reads_the_page(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"].startswith(ROOT)


def status_routes(files: StatusFiles) -> list[Route]:
    """Build the routes of the page."""

    async def fresh(request: Request) -> Response:
        """Answer 200 while the page can be relied on, else 503."""
        until = await asyncio.to_thread(files.valid_until)
        if until and datetime.now(UTC) < until:
            return PlainTextResponse("fresh", headers={"cache-control": "no-store"})
        return PlainTextResponse("stale: do not rely on this page", 503, {"cache-control": "no-store"})

    async def page(request: Request) -> Response:
        """Answer with a file, or 304 to whoever has it."""
        path = request.path_params["path"]
        found = files.recent(path) or await asyncio.to_thread(files.find, path)
        if found:
            return found.to(request.scope)
        if not path.endswith("/") and await asyncio.to_thread(files.exists, f"{path}/"):
            return RedirectResponse(f"{path.rsplit('/', 1)[-1]}/", 308)
        return PlainTextResponse("There is no such page.", 404)

    async def bare(request: Request) -> Response:
        """Lead to the page, whose links are relative to its folder."""
        return RedirectResponse("status/", 308)

    return [Route("/status", bare), Route("/status/fresh", fresh), Route(ROOT + "{path:path}", page)]


async def renew_status_page(folder: StatusFolder, clock: Clock) -> None:
    """Keep this host's folder up to date; whoever else does it is no hindrance."""
    while True:
        try:
            await asyncio.to_thread(lambda: folder.renew(clock()))
        except RedisError as error:
            log.warning("redis unavailable, status page not renewed", error=type(error).__name__)
        await asyncio.sleep(RENEW_EVERY)


def _found(file: _File, kind: str, until: datetime | None) -> _Found:
    """Build the answers of a file. They stand for LOOKED_FOR, so that much less is promised."""
    left = (until - datetime.now(UTC)).total_seconds() - LOOKED_FOR if until else 0.0
    age = max(0, min(MAX_AGE, int(left)))
    etag, body, packed = file.etag, file.body, file.packed
    if left <= 0 and STALE_HERE.encode() in body:  # nobody renews it: no state is shown, as nginx does by the commands
        body, etag = body.replace(STALE_HERE.encode(), STALE.encode()), f'"stale-{etag[1:]}'
        packed = gzip.compress(body, mtime=0)
    headers = {**_HEADERS, "cache-control": f"public, max-age={age}", "vary": "accept-encoding"}
    packed_headers = {**headers, "content-encoding": "gzip"}
    return _Found(
        _answer(etag, body, kind, headers), _answer(f'{etag[:-1]}-gz"', packed, kind, packed_headers), time.monotonic()
    )


def _answer(etag: str, body: bytes, kind: str, headers: Mapping[str, str]) -> _Answer:
    headers = {**headers, "etag": etag}
    whole = Response(body, headers={**headers, "content-type": kind})
    return _Answer(etag, whole, Response(status_code=304, headers=headers))


def _header(scope: Scope, name: bytes) -> str:
    """A header of a request; several of one name count as one."""
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)
