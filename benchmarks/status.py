"""Measure the status page: served by the bot to many readers while people click, and a P0's page amid many subscribers.

`python -m benchmarks.status` prints both. The floor is a Starlette app that serves the same file from memory and does
nothing else: `python -m benchmarks.status floor PORT FILE`.
"""

import asyncio
import contextlib
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import uvicorn
import uvloop
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks import checkpoints, clicks
from benchmarks.crowd import Crowd
from benchmarks.numbers import median, percentile, time_of, times
from benchmarks.ports import free_port
from benchmarks.rig import Rig, answers, http, process, rig, wait_until
from bot.process import KEEP_ALIVE
from escalation.config.status_page import ComponentState
from escalation.status_page.publications import Impact, Publication, PublicStatus
from escalation.storage.public.log import PublicLog
from escalation.storage.public.subscribers import INDEX, MADE, ORDER, SINCE, SUBSCRIBERS
from tocsin.config.settings import EXAMPLE_CONFIG

PAGE = "/status/"
OPENED_AT_ONCE = 50  # connections; more than the backlog of a listening socket are refused
CLICK_EVERY = 1.0  # seconds between two rounds of clicks


@dataclass(frozen=True)
class Read:
    """p99 in seconds: of reading the page at the bot and at the floor; and, while people click, of both."""

    bot: float
    floor: float
    amid: float
    clicks: float


def readers(connections: int, a_second: int, seconds: float, people: int, rounds: int) -> Read:
    """Measure so many readers, each on a connection of their own, who ask for the page so often in all.

    Floor and bot take turns: each figure is the median of its rounds.
    """
    _allow_files(3 * connections + 500)
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder, ExitStack() as stack:
        place = stack.enter_context(rig(bot=True, extra=_settings(Path(folder))))
        http(f"{place.workspace}/control/limits", {"on": False})
        wait_until(lambda: answers(place.bot + PAGE), "the status page")
        team, names = place.slack_call("auth.test")["team_id"], Crowd(place).idle(people)
        bodies = [clicks.press(name, f"U0BENCH{n:03d}", team) for n, name in enumerate(names)]
        port = free_port()
        file = Path(folder) / "status" / "index.html"
        stack.enter_context(process(sys.executable, "-m", "benchmarks.status", "floor", str(port), str(file)))
        floor = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(floor + PAGE), "the floor")
        found = list[tuple[float, ...]]()
        for _ in range(rounds):
            least, _ = uvloop.run(_load(floor, connections, a_second, seconds, []))
            ours, _ = uvloop.run(_load(place.bot, connections, a_second, seconds, []))
            amid, clicked = uvloop.run(_load(place.bot, connections, a_second, seconds, bodies))
            found.append(tuple(percentile(took, 0.99) for took in (ours, least, amid, clicked)))
    return Read(*(median([figures[n] for figures in found]) for n in range(4)))


async def _load(
    url: str, connections: int, a_second: int, seconds: float, bodies: list[bytes]
) -> tuple[list[float], list[float]]:
    """Seconds of each reading from the moment that it was due, and of each click."""
    slots = asyncio.Semaphore(OPENED_AT_ONCE)
    readers = await asyncio.gather(*(_open(url, slots) for _ in range(connections)))
    start, every = time.perf_counter() + 1.0, connections / a_second
    took, clicked = list[float](), list[float]()

    async def read(n: int, line: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        due = start + every * n / connections
        while due < start + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            line = await _get(url, line)
            took.append(time.perf_counter() - due)
            due += every

    async def click() -> None:
        requests = [clicks.request(url, body) for body in bodies]
        while bodies and time.perf_counter() < start + seconds:
            clicked.extend(await clicks.sent(url, requests))
            await asyncio.sleep(CLICK_EVERY)

    await asyncio.gather(click(), *(read(n, line) for n, line in enumerate(readers)))
    for _, writer in readers:
        writer.close()
    return took, clicked or [0.0]


async def _open(url: str, slots: asyncio.Semaphore) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with slots:
        return await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)


async def _get(
    url: str, line: tuple[asyncio.StreamReader, asyncio.StreamWriter]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Read the page over a connection that is kept; another one where the server has closed it."""
    if line[0].at_eof():
        line = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
    reader, writer = line
    writer.write(f"GET {PAGE} HTTP/1.1\r\nhost: {urlsplit(url).netloc}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the server answered {head[:60]!r}")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))
    return line


def floor(port: int, file: Path) -> None:
    """Serve a file from memory at the page's address."""
    body = file.read_bytes()

    async def page(request: Request) -> Response:
        return Response(body, media_type="text/html")

    app = Starlette(routes=[Route(PAGE, page)])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False, timeout_keep_alive=KEEP_ALIVE)


# Subscribers -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Paged:
    """Seconds from due until a P0's page is at Slack: with so many subscribers being mailed, and with none."""

    amid: float
    alone: float
    mailed: int


def subscribers(number: int) -> Paged:
    """Measure a P0's page while an update goes to so many subscribers, a hundred a second."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder, _mail_server() as (port, taken):
        settings = _settings(Path(folder), mails_a_second=100) | {
            "SMTP_URL": f"smtp://127.0.0.1:{port}",
            "SMTP_FROM": "status@example.com",
            "TOCSIN_URL": "https://tocsin.example.com",
        }
        with rig(workers=1, extra=settings) as place:
            crowd = Crowd(place)
            alone = _page(place, crowd)
            _subscribe(place, number)
            _publish(place)
            wait_until(lambda: taken, "the first mail")
            amid = _page(place, crowd)
    return Paged(amid, alone, len(taken))


def _page(place: Rig, crowd: Crowd) -> float:
    due = datetime.now(UTC) + timedelta(seconds=3)
    urgent, since = crowd.paging_at(due), due.timestamp()
    wait_until(lambda: checkpoints.page_of(place, urgent, since), "the page of the P0", every=0.2)
    return (checkpoints.page_of(place, urgent, since) or (0.0, 0))[0]


def _subscribe(place: Rig, number: int) -> None:
    """Put subscribers into the register, as their confirmations would."""
    names = [f"bench-{n}" for n in range(number)]
    place.redis.hset(SUBSCRIBERS, mapping={name: f"{name}@example.org" for name in names})
    place.redis.hset(SINCE, mapping=dict.fromkeys(names, "0"))
    place.redis.hset(INDEX, mapping={f"digest-{name}": name for name in names})
    place.redis.zadd(ORDER, {name: n + 1 for n, name in enumerate(names)})
    place.redis.set(MADE, number)


def _publish(place: Rig) -> None:
    now = datetime.now(UTC)
    draft = Publication(
        n=0,
        incident="",
        ours="bench",
        at=now,
        knew_at=now,
        status=PublicStatus.INVESTIGATING,
        name="Payments are slow",
        impact=Impact.MAJOR,
        components={"checkout": ComponentState.PARTIAL},
        body="We are looking into a problem with checkout.",
    )
    PublicLog(place.redis).append("INC-20261129-001", draft)


@contextmanager
def _mail_server() -> Iterator[tuple[int, list[int]]]:
    """Run a mail server that takes everything during the block; yields its port, and a list that grows with it."""
    taken, loop, ready = list[int](), asyncio.new_event_loop(), list[int]()

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 bench\r\n")
        with contextlib.suppress(ConnectionError):
            await talk(reader, writer)
        writer.close()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if line.upper().startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                while await reader.readline() not in (b".\r\n", b""):
                    pass
                taken.append(1)
            writer.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 ok\r\n")

    async def serve() -> None:
        server = await asyncio.start_server(session, "127.0.0.1", 0)
        ready.append(server.sockets[0].getsockname()[1])

    loop.run_until_complete(serve())
    Thread(target=loop.run_forever, daemon=True).start()
    yield ready[0], taken
    loop.call_soon_threadsafe(loop.stop)


def _settings(folder: Path, **page: Any) -> dict[str, str]:
    """Settings of a Tocsin with a status page."""
    data = yaml.safe_load(EXAMPLE_CONFIG.read_text())
    data["status_page"] = {"title": "Bench status", "components": ["checkout", "api"], **page}
    config = folder / "tocsin.yml"
    config.write_text(yaml.safe_dump(data))
    return {"TOCSIN_CONFIG": str(config), "TOCSIN_STATUS_DIR": str(folder / "status")}


def _allow_files(number: int) -> None:
    """Let this process and its children open so many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(number, hard) if hard > 0 else number, hard))


def main() -> None:
    """Serve the floor, or measure and print."""
    if sys.argv[1:2] == ["floor"]:
        floor(int(sys.argv[2]), Path(sys.argv[3]))
        return
    read = readers(2_000, 200, 20.0, 20, 3)
    print(f"page p99 {time_of(read.bot)}, floor {time_of(read.floor)} ({times(read.bot, read.floor)} x)")
    print(f"while people click: page p99 {time_of(read.amid)}, clicks {time_of(read.clicks)}")
    paged = subscribers(10_000)
    print(f"a P0's page {time_of(paged.amid)} amid 10,000 subscribers, {time_of(paged.alone)} alone")


if __name__ == "__main__":
    main()
