"""Measure how soon Slack is acknowledged when many people click or type at once. Requests are signed like Slack's."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from escalation.incident.events.moves import Move
from tocsin.config.slack_settings import LOCAL_SIGNING_SECRET


@dataclass(frozen=True)
class Answered:
    """Seconds to the acknowledgement of each request, and of all."""

    each: tuple[float, ...]
    all: float


def press(incident: str, person: str, team: str) -> bytes:
    """Request body of a click on Acknowledge."""
    action = {
        "type": "button",
        "action_id": str(Move.ACKNOWLEDGE),
        "block_id": "controls",
        "value": f"{Move.ACKNOWLEDGE}|{incident}|",
        "action_ts": "1.0",
    }
    payload = {
        "type": "block_actions",
        "team": {"id": team, "domain": "bench"},
        "user": {"id": person, "username": person, "name": person, "team_id": team},
        "api_app_id": "A0BENCH",
        "token": "",
        "trigger_id": f"{time.time_ns()}.{person}.{incident}",
        "container": {"type": "message", "message_ts": "1.0", "channel_id": "C0BENCH"},
        "channel": {"id": "C0BENCH", "name": "incidents"},
        "response_url": "",
        "actions": [action],
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


def command(text: str, person: str, team: str) -> bytes:
    """Request body of a typed `/incident ...`."""
    fields = {
        "command": "/incident",
        "text": text,
        "team_id": team,
        "team_domain": "bench",
        "user_id": person,
        "user_name": person,
        "channel_id": "C0BENCH",
        "channel_name": "general",
        "api_app_id": "A0BENCH",
        "trigger_id": f"{time.time_ns()}.{person}",
        "response_url": "",
        "token": "",
    }
    return urlencode(fields).encode()


def at_once(url: str, bodies: Iterable[bytes]) -> Answered:
    """Send all requests at the same moment, each over a connection of its own that is open already."""
    return asyncio.run(_at_once(url, [request(url, body) for body in bodies]))


async def sent(url: str, requests: list[bytes]) -> tuple[float, ...]:
    """Send all requests at the same moment; seconds to the acknowledgement of each."""
    return (await _at_once(url, requests)).each


async def _at_once(url: str, requests: list[bytes]) -> Answered:
    host, port = urlsplit(url).hostname, urlsplit(url).port
    lines = await asyncio.gather(*(asyncio.open_connection(host, port) for _ in requests))
    began = time.perf_counter()
    each = await asyncio.gather(*(_ask(line, request) for line, request in zip(lines, requests, strict=True)))
    took = time.perf_counter() - began
    for _, writer in lines:
        writer.close()
    return Answered(tuple(each), took)


async def _ask(line: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes) -> float:
    reader, writer = line
    sent = time.perf_counter()
    writer.write(request)
    status = await reader.readline()
    took = time.perf_counter() - sent
    if b" 200 " not in status:
        raise RuntimeError(f"the bot answered {status!r}")
    return took


def request(url: str, body: bytes) -> bytes:
    """Build a request, signed like Slack's."""
    stamp = str(int(time.time()))
    signature = hmac.new(LOCAL_SIGNING_SECRET.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    head = (
        "POST /slack/events HTTP/1.1",
        f"host: {urlsplit(url).netloc}",
        "content-type: application/x-www-form-urlencoded",
        f"content-length: {len(body)}",
        f"x-slack-request-timestamp: {stamp}",
        f"x-slack-signature: v0={signature}",
        "",
        "",
    )
    return "\r\n".join(head).encode() + body
