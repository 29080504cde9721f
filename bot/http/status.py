"""Serves the folder of the status page: strong ETags, answers from memory while a file has not changed."""

import asyncio
import hashlib
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import structlog
from redis import RedisError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from escalation.service import Clock
from escalation.status_page.files import INDEX, SUMMARY
from escalation.status_page.html import STALE, STALE_HERE
from escalation.storage.public.folder import StatusFolder

RENEW_EVERY = 2.0  # seconds
MAX_AGE = 60  # seconds
MOST_CACHED = 500
LOOKED_FOR = 1.0  # seconds
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

log = structlog.get_logger("bot")


class _File(NamedTuple):
    stamp: tuple[int, int, int]
    body: bytes
    etag: str


class _Found(NamedTuple):
    """A file, until when the folder can be relied on, and when that was looked up (monotonic seconds)."""

    file: _File
    until: datetime | None
    at: float


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
        self._found[path] = found = _Found(file, self.valid_until(), time.monotonic())
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
        self._cache[wanted] = file = _File(stamp, body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
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


def _valid_until(summary: bytes) -> datetime | None:
    try:
        return datetime.fromisoformat(json.loads(summary)["valid_until"])
    except (ValueError, KeyError, TypeError):
        return None


def status_routes(folder: Path) -> list[Route]:
    """Build the routes of the page."""
    files = StatusFiles(folder)

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
            return _answer(request, path, found)
        if not path.endswith("/") and await asyncio.to_thread(files.exists, f"{path}/"):
            return RedirectResponse(f"{path.rsplit('/', 1)[-1]}/", 308)
        return PlainTextResponse("There is no such page.", 404)

    async def bare(request: Request) -> Response:
        """Lead to the page, whose links are relative to its folder."""
        return RedirectResponse("status/", 308)

    return [Route("/status", bare), Route("/status/fresh", fresh), Route("/status/{path:path}", page)]


async def renew_status_page(folder: StatusFolder, clock: Clock) -> None:
    """Keep this host's folder up to date; whoever else does it is no hindrance."""
    while True:
        try:
            await asyncio.to_thread(lambda: folder.renew(clock()))
        except RedisError as error:
            log.warning("redis unavailable, status page not renewed", error=type(error).__name__)
        await asyncio.sleep(RENEW_EVERY)


def _answer(request: Request, path: str, found: _Found) -> Response:
    file, until, _ = found
    left = (until - datetime.now(UTC)) if until else timedelta()
    age = max(0, min(MAX_AGE, int(left.total_seconds())))
    body, etag = file.body, file.etag
    if age == 0 and STALE_HERE.encode() in body:  # nobody renews it: no state is shown, as nginx does by the commands
        body, etag = body.replace(STALE_HERE.encode(), STALE.encode()), f'"stale-{etag[1:]}'
    headers = {**_HEADERS, "etag": etag, "cache-control": f"public, max-age={age}"}
    if etag in {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}:
        return Response(status_code=304, headers=headers)
    suffix = Path(path).suffix if path and not path.endswith("/") else ".html"
    return Response(body, headers={**headers, "content-type": _TYPES[suffix]})
