"""Simulated people at the workspace's page, over HTTP like their browsers: they check the result and retry."""

import asyncio
import contextlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
from redis.asyncio import Redis
from redis.exceptions import RedisError

from benchmarks.people import Act, Story, What
from escalation.storage.keeping.packed import without_policy

Json = dict[str, Any]
TRIES = 8
POLLS = 12  # checks of the result before somebody retries
POLL = 0.25  # seconds between checks
GENERAL = "C0GENERAL1"
TYPED: dict[What, str] = {
    "acknowledge": "ack {id}",
    "root_cause": "root-cause {id} it was the cache",
    "start_fix": "fix {id}",
    "fix_applied": "fix-applied {id}",
    "fix_failed": "fix-failed {id} it is back",
    "update": "update {id} we are on it",
    "escalate": "escalate {id}",
    "security": "security {id} a leak",
    "resolve": "resolve {id}",
}
BUTTONS = ("acknowledge", "start_fix", "fix_applied")
CLOSED = ("resolved", "cancelled")
# True if an incident shows that the move was made (or is no longer possible).
DONE: dict[What, Callable[[Json], bool]] = {
    "acknowledge": lambda i: i["acknowledgement"] is not None,
    "root_cause": lambda i: i["root_cause"] is not None,
    "start_fix": lambda i: i["status"] in ("fixing", "monitoring"),
    "fix_applied": lambda i: i["status"] == "monitoring",
    "fix_failed": lambda i: i["status"] != "monitoring",
    "update": lambda i: any(e["kind"] == "update" for e in i["timeline"]),
    "escalate": lambda i: any(e["kind"] == "escalated" for e in i["timeline"]),
    "security": lambda i: bool(i["facts"]["security"]),
    "resolve": lambda i: i["status"] in CLOSED,
}


def _text(raw: Any) -> str:
    """Decode a reply of Redis; redis-py's types allow for clients that do so themselves."""
    return str(raw, "utf-8")


def member(key: str) -> str:
    """Member id in the local workspace, from a key like `dana`."""
    return f"U0{key.upper():0<7}1"


@dataclass
class IncidentReader:
    """Read incidents from Redis; while Redis is down, reads give nothing."""

    redis: Redis
    by_title: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _known: set[str] = field(default_factory=set)

    async def incident(self, incident_id: str) -> Json | None:
        """The stored document; None when it cannot be read."""
        with contextlib.suppress(RedisError):
            raw = await self.redis.get(f"tocsin:incident:{incident_id}")
            return json.loads(without_policy(raw)) if isinstance(raw, bytes) else None
        return None

    async def refresh(self) -> None:
        """Index new incidents by title."""
        with contextlib.suppress(RedisError):
            for raw in await self.redis.zrange("tocsin:incidents", 0, -1):
                incident_id = _text(raw)
                found = None if incident_id in self._known else await self.incident(incident_id)
                if found:
                    self._known.add(incident_id)
                    self.by_title[found["facts"]["title"]].append(incident_id)

    async def stamps(self) -> dict[str, str]:
        """Incident id -> stamp of its latest commit."""
        await self.refresh()
        found = [await self.incident(i) for i in sorted(self._known)]
        return {i["id"]: i["stamp"] for i in found if i}

    async def overrides(self) -> list[Json] | None:
        """The overrides of all rotations; None when they cannot be read."""
        with contextlib.suppress(RedisError):
            raw = await self.redis.get("tocsin:duty")
            return list(json.loads(raw)["overrides"]) if raw else []
        return None

    async def open_ids(self) -> list[str]:
        """Ids of the open incidents."""
        with contextlib.suppress(RedisError):
            return sorted(_text(raw) for raw in await self.redis.smembers("tocsin:open"))
        return []


@dataclass
class People:
    """All simulated people. Each does one thing at a time."""

    web: httpx2.AsyncClient
    reader: IncidentReader
    confirmed: dict[str, bool] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    _locks: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def play_all(self, stories: tuple[Story, ...], start: float) -> None:
        """Play all stories, each at its time; `start` is in monotonic seconds."""
        async with asyncio.TaskGroup() as lives:
            for story in stories:
                lives.create_task(self._play(story, start))

    async def _play(self, story: Story, start: float) -> None:
        await asyncio.sleep(max(0.0, start + story.at - time.monotonic()))
        incident_id = await self._declare(story)
        for act in story.acts if incident_id else ():
            await asyncio.sleep(act.after)
            await self.act(incident_id, act)

    # Declaring ---------------------------------------------------------------------------------------------------

    async def _declare(self, story: Story) -> str:
        """Declare an incident, with retries. Returns its id; empty when that failed."""
        self.confirmed[story.title] = False
        for _ in range(TRIES):
            async with self._locks[story.by]:
                self.confirmed[story.title] |= await self._fill_in(story)
            for _ in range(POLLS):
                if self.reader.by_title.get(story.title):
                    self.done["declared"] += 1
                    return self.reader.by_title[story.title][0]
                await asyncio.sleep(POLL)
            self.done["done again"] += 1
        self.done["declaration given up"] += 1
        return ""

    async def _fill_in(self, story: Story) -> bool:
        """Fill in and submit the form, the one already open if any. True if it was accepted."""
        view = await self._view(story.by, story.title)
        if view is None:
            await self.type(story.by, GENERAL, f"declare {story.title}")
            view = await self._view(story.by, story.title, polls=POLLS)
        if view is None:
            return False
        filled = {
            "severity": story.severity,
            "service": story.service,
            "flags": story.flags,
            "impact": "Nobody can pay",
        }
        return await self._submit(story.by, view, filled)

    # Moves -------------------------------------------------------------------------------------------------------

    async def act(self, incident_id: str, act: Act) -> None:
        """Make a move, check the result, retry."""
        for n in range(TRIES):
            incident = await self.reader.incident(incident_id)
            if incident and (DONE[act.what](incident) or incident["status"] in CLOSED):
                self.done[act.what] += 1
                return
            if incident:
                self.done["done again"] += n > 0
                async with self._locks[act.by]:
                    await self._do(incident, act)
            await self._until(incident_id, act.what)
        self.done[f"{act.what} given up"] += 1

    async def _until(self, incident_id: str, what: What) -> None:
        for _ in range(POLLS):
            await asyncio.sleep(POLL)
            incident = await self.reader.incident(incident_id)
            if incident and DONE[what](incident):
                return

    async def _do(self, incident: Json, act: Act) -> None:
        card = next((c for c in incident["copies"] if not c["redacted"]), None)
        if act.what == "resolve":
            await self._resolve(incident["id"], act.by)
        elif act.what in BUTTONS and not act.typed and card and not incident["facts"]["security"]:
            await self._press(incident, act, card)
        else:
            await self.type(act.by, GENERAL, TYPED[act.what].format(id=incident["id"]))

    async def _press(self, incident: Json, act: Act, card: Json) -> None:
        thread = await self._get("thread", act.by, channel=card["channel"], ts=card["ts"])
        message: Json = next((m for m in thread.get("messages", ()) if m["ts"] == card["ts"]), {})
        action = _button(message.get("blocks", []), act.what)  # of one deleted by hand a tombstone is left
        if action is None:
            return
        container = {"type": "message", "channel": card["channel"], "message_ts": card["ts"]}
        clicks = [self._post("action", act.by, container=container, action=action) for _ in range(1 + act.twice)]
        await asyncio.gather(*clicks)

    async def _resolve(self, incident_id: str, by: str) -> None:
        view = await self._view(by, incident_id)
        if view is None:
            await self.type(by, GENERAL, TYPED["resolve"].format(id=incident_id))
            view = await self._view(by, incident_id, polls=POLLS)
        if view is not None:
            await self._submit(by, view, {"summary": "It was the cache", "resolution": "We emptied it"})

    # The page ----------------------------------------------------------------------------------------------------

    async def _view(self, by: str, about: str, polls: int = 1) -> Json | None:
        """The open form of a person about an incident (by title or id), polled for."""
        for n in range(polls):
            await asyncio.sleep(POLL if n else 0)
            views = (await self._get("views", by)).get("views", ())
            found = next((v for v in views if about in json.dumps([v["private_metadata"], v["blocks"]])), None)
            if found:
                return dict(found)
        return None

    async def _submit(self, by: str, view: Json, answers: dict[str, Any]) -> bool:
        elements = {b["block_id"]: b["element"] for b in view["blocks"] if b["type"] == "input"}
        values = {
            name: {elements[name]["action_id"]: _filled(elements[name], answer)} for name, answer in answers.items()
        }
        return bool((await self._post("submit", by, view_id=view["id"], state={"values": values})).get("ok"))

    async def type(self, by: str, channel: str, text: str) -> None:
        """Type `/incident TEXT`."""
        await self._post("command", by, channel=channel, command="/incident", text=text)

    async def _post(self, what: str, by: str, **body: Any) -> Json:
        return await self._asked("POST", what, json={"as": member(by), **body})

    async def _get(self, what: str, by: str, **query: str) -> Json:
        return await self._asked("GET", what, params={"as": member(by), **query})

    async def _asked(self, method: str, what: str, **words: Any) -> Json:
        """Return what the page answers; nothing when it does not, as when it closes an idle connection just then."""
        try:
            answer = await self.web.request(method, f"/ui/{what}", **words)
        except httpx2.TransportError:
            return {}  # people look whether it worked, and do it again
        return dict(answer.json()) if answer.is_success else {}


def _button(blocks: list[Json], move: str) -> Json | None:
    for block in (*blocks, *(child for outer in blocks for child in outer.get("child_blocks", ()))):
        for element in block.get("elements", ()):
            if element.get("action_id") == move and element["type"] == "button":
                pressed = {"block_id": block["block_id"], "action_id": move, "type": "button"}
                return pressed | {"value": element["value"]}
    return None


def _filled(element: Json, answer: Any) -> Json:
    options = {o["value"]: o for o in element.get("options", ())}
    match element["type"]:
        case "static_select":
            return {"type": "static_select", "selected_option": options[answer]}
        case "checkboxes":
            return {"type": "checkboxes", "selected_options": [options[a] for a in answer]}
        case kind:
            return {"type": kind, "value": answer}


async def resolve_all(people: People) -> None:
    """Resolve all open incidents, each by somebody who is permitted to."""
    async with asyncio.TaskGroup() as group:
        for n, incident_id in enumerate(await people.reader.open_ids()):
            group.create_task(_close(people, incident_id, n))


async def _close(people: People, incident_id: str, n: int) -> None:
    incident = await people.reader.incident(incident_id)
    if incident:
        team = ("sofia", "sam") if incident["facts"]["security"] else ("dana", "omar", "mei", "lena", "bruno", "erik")
        await people.act(incident_id, Act(0.0, "resolve", team[n % len(team)], typed=True, twice=False))
