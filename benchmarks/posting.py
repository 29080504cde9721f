"""Post alerts to a web app over connections that stay open, and measure the seconds to each answer."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

TOKEN = "a-token-of-the-bench"  # noqa: S105 - of a program that lives for one measurement
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Answers:
    """Seconds to each answer, and from the first request to the last answer."""

    each: tuple[float, ...]
    all: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.each) / self.all


def body(name: str, n: int, severity: str = "warning", status: str = "firing") -> bytes:
    """A body of Alertmanager's with one alert, as it sends it."""
    labels = {"alertname": name, "severity": severity, "instance": f"10.0.{n // 250}.{n % 250}:9100", "job": "node"}
    alert = {
        "status": status,
        "labels": labels,
        "annotations": {"summary": f"{name} on {labels['instance']}", "description": "It has been so for 5 minutes."},
        "startsAt": "2026-11-29T03:00:00.000Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.com/graph?g0.expr=up",
        "fingerprint": f"{name}-{n}",
    }
    group = {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{name}"}}',
        "status": status,
        "receiver": "tocsin",
        "groupLabels": {"alertname": name},
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com",
        "alerts": [alert],
    }
    return json.dumps(group).encode()


async def saturating(url: str, bodies: Sequence[bytes], connections: int) -> Answers:
    """Post all bodies, one after the other on each of so many connections."""
    waiting: Iterator[bytes] = iter([_request(url, body) for body in bodies])
    each: list[float] = []

    async def work(line: Line) -> None:
        for request in waiting:
            each.append(await _ask(line, request))

    async with _lines(url, connections) as lines:
        began = time.perf_counter()
        await asyncio.gather(*map(work, lines))
        return Answers(tuple(each), time.perf_counter() - began)


async def at_rate(url: str, bodies: Sequence[bytes], connections: int, rate: float) -> Answers:
    """Post so many bodies a second, whatever the answers take: the time counts from when each one should have gone."""
    requests = [_request(url, body) for body in bodies]
    free: asyncio.Queue[Line] = asyncio.Queue()

    async def post(request: bytes, due: float) -> float:
        line = await free.get()
        await _ask(line, request)
        free.put_nowait(line)
        return time.perf_counter() - due

    async with _lines(url, connections) as lines:
        for line in lines:
            free.put_nowait(line)
        began, tasks = time.perf_counter(), []
        for n, request in enumerate(requests):
            due = began + n / rate
            if (ahead := due - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            tasks.append(asyncio.create_task(post(request, due)))
        each = await asyncio.gather(*tasks)
        return Answers(tuple(each), time.perf_counter() - began)


@asynccontextmanager
async def _lines(url: str, number: int) -> AsyncIterator[list[Line]]:
    host, port = urlsplit(url).hostname, urlsplit(url).port
    lines = await asyncio.gather(*(asyncio.open_connection(host, port) for _ in range(number)))
    try:
        yield lines
    finally:
        for _, writer in lines:
            writer.close()


async def _ask(line: Line, request: bytes) -> float:
    """Send one request and read its answer. RuntimeError for any other than 202."""
    reader, writer = line
    sent = time.perf_counter()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    took = time.perf_counter() - sent
    if b" 202 " not in head.split(b"\r\n", 1)[0]:
        raise RuntimeError(f"the app answered {head!r}")
    await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
    return took


def _request(url: str, body: bytes) -> bytes:
    head = (
        "POST /alerts/alertmanager HTTP/1.1",
        f"host: {urlsplit(url).netloc}",
        "content-type: application/json",
        f"authorization: Bearer {TOKEN}",
        f"content-length: {len(body)}",
        "",
        "",
    )
    return "\r\n".join(head).encode() + body
