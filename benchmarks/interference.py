"""Plan and do what people do to a running incident from outside: leave, take over, archive, delete, remove the bot."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from benchmarks.acting import GENERAL, People, member
from benchmarks.people import RESPONDERS

Json = dict[str, Any]
BOT = "U0TOCSIN01"
EVERY = 1.7  # seconds between two, on average
LOOK_AGAIN = 0.5  # seconds, while there is nothing to do it to
SEARCHES = 40  # then the act is given up
COMMANDS = 6  # tries of a command, which may be refused: one cannot take over from oneself
ROTATION, ROTA = "primary", ("dana", "omar", "mei")
CHANNELS = ("stakeholders", "team-backend", "team-devops")  # people's own, beside the incidents channel
COPIES = {"card": ("channel", "room"), "page": ("direct",)}  # kinds of an incident's cards
STAFF = ("left", "took over", "override", "swap")
SURFACES = (
    "card deleted",
    "page deleted",
    "reply deleted",
    "incidents channel archived",
    "war room archived",
    "other channel archived",
    "bot removed from incidents channel",
    "bot removed from war room",
    "bot removed from other channel",
)


@dataclass(frozen=True)
class Act:
    """One act: `at` seconds after the start, for `seconds` where it is undone. `pick` in [0, 1) chooses its target."""

    at: float
    kind: str
    pick: float
    by: str
    whom: str
    seconds: float

    def choose(self, among: list[Json]) -> Json:
        """Its target."""
        return among[int(self.pick * len(among))]


def plan(dice: random.Random, seconds: float) -> tuple[Act, ...]:
    """Plan acts of every kind in turn, in an order that changes from round to round."""
    kinds, acts, at = [*STAFF, *SURFACES], [], EVERY
    while at < seconds:
        dice.shuffle(kinds)
        for kind in kinds:
            by, whom = dice.sample(ROTA if kind in STAFF[1:] else RESPONDERS, 2)
            lasts = round(3 + 3 * dice.random(), 3)
            acts.append(Act(round(at, 3), kind, dice.random(), by, whom, lasts))
            at += EVERY * (0.5 + dice.random())
    return tuple(act for act in acts if act.at < seconds)


@dataclass
class Interference:
    """Carry out planned acts, and count them by kind. `absences` are (member, from, to) in epoch seconds."""

    web: httpx2.AsyncClient
    people: People
    done: Counter[str] = field(default_factory=Counter)
    absences: list[tuple[str, float, float]] = field(default_factory=list)

    async def prepare(self) -> None:
        """Make the channels that people would have made."""
        known = (await self.web.get("/ui/state", params={"as": member("erik")})).json()["channels"]
        for name in sorted(set(CHANNELS) - {channel["name"] for channel in known}):
            await self._control("channels", name=name, creator=member("erik"))

    async def run(self, acts: tuple[Act, ...], start: float) -> None:
        """Do each act at its time; `start` is in monotonic seconds. What was for a while is undone before this ends."""
        async with asyncio.TaskGroup() as group:
            for act in acts:
                await asyncio.sleep(max(0.0, start + act.at - time.monotonic()))
                group.create_task(self._do(act))

    async def _do(self, act: Act) -> None:
        """Do an act as soon as there is something to do it to."""
        for n in range(COMMANDS if act.kind in STAFF else SEARCHES):
            by = ROTA[(ROTA.index(act.by) + n) % len(ROTA)] if act.kind == "took over" else act.by
            if await self._try(replace(act, by=by)):
                return
            await asyncio.sleep(LOOK_AGAIN)

    async def _try(self, act: Act) -> bool:
        """Do an act. False when it was refused, or there is nothing to do it to."""
        match act.kind.rpartition(" "):
            case ("", _, "left"):
                done = await self._leave(act)
            case ("took", _, "over"):
                done = await self._arrange(act, f"take {ROTATION}")
            case ("", _, "override"):
                done = await self._override(act)
            case ("", _, "swap"):
                done = await self._arrange(act, f"swap {ROTATION} with @{act.whom}")
            case (what, _, "deleted"):
                found = await (self._replies(act.by) if what == "reply" else self._copies(*COPIES[what]))
                done = bool(found) and await self._delete(act.choose(found))
            case (what, _, "archived"):
                channels = await self._channels(what)
                done = bool(channels) and await self._archive(act, act.choose(channels))
            case _:
                channels = await self._channels(act.kind.removeprefix("bot removed from "))
                done = bool(channels) and await self._remove_bot(act, act.choose(channels))
        self.done[act.kind] += done
        return done

    # Staff -------------------------------------------------------------------------------------------------------

    async def _leave(self, act: Act) -> bool:
        """Deactivate somebody for a while."""
        left = time.time()
        await self._control(f"users/{member(act.whom)}", deleted=True)
        await asyncio.sleep(act.seconds)
        await self._control(f"users/{member(act.whom)}", deleted=False)
        self.absences.append((member(act.whom), left, time.time()))
        return True

    async def _override(self, act: Act) -> bool:
        ends = datetime.now(UTC) + timedelta(days=1)
        return await self._arrange(act, f"override {ROTATION} @{act.whom} from now to {ends:%Y-%m-%d} 09:00")

    async def _arrange(self, act: Act, text: str) -> bool:
        """Type a command about on call. True if it was carried out."""
        before = await self.people.reader.overrides()
        if before is None:
            return False
        await self.people.type(act.by, GENERAL, f"oncall {text}")
        for _ in range(8):
            await asyncio.sleep(0.25)
            after = await self.people.reader.overrides()
            if after and any(o["by"] == member(act.by) and o not in before for o in after):
                return True
        return False

    # Targets -----------------------------------------------------------------------------------------------------

    async def _open_incidents(self) -> list[Json]:
        """All open incidents that could be read."""
        found = [await self.people.reader.incident(n) for n in await self.people.reader.open_ids()]
        return [incident for incident in found if incident]

    async def _copies(self, *kinds: str) -> list[Json]:
        """The cards of these kinds that stand for open incidents, as channel and ts."""
        copies = (copy for incident in await self._open_incidents() for copy in incident["copies"])
        return [copy for copy in copies if copy["kind"] in kinds and not copy["redacted"]]

    async def _replies(self, by: str) -> list[Json]:
        """The app's replies in the threads of open incidents."""
        found = []
        for card in await self._copies("channel"):
            query = {"as": member(by), "channel": card["channel"], "ts": card["ts"]}
            answer = await self.web.get("/ui/thread", params=query)
            replies = answer.json().get("messages", ())[1:] if answer.is_success else ()
            found += [{"channel": card["channel"], "ts": m["ts"]} for m in replies if m.get("metadata")]
        return found

    async def _channels(self, what: str) -> list[Json]:
        """The channels of a kind, by id; `private` ones are the rooms that only members see."""
        if what == "war room":
            rooms = [incident["room"] for incident in await self._open_incidents() if incident["room"]]
            return [{"id": room["channel"], "private": room["private"]} for room in rooms if not room["lost"]]
        answer = await self.web.get("/ui/state", params={"as": member("paula")})
        names = CHANNELS if what == "other channel" else ("incidents",)
        known = answer.json().get("channels", ()) if answer.is_success else ()
        return [{"id": c["id"], "private": False} for c in known if c["name"] in names and not c["is_archived"]]

    # Deeds -------------------------------------------------------------------------------------------------------

    async def _delete(self, message: Json) -> bool:
        return (await self.web.delete(f"/control/messages/{message['channel']}/{message['ts']}")).is_success

    async def _archive(self, act: Act, channel: Json) -> bool:
        """Archive a channel; all but a war room are brought back after a while, as people would who are asked to."""
        await self._control(f"channels/{channel['id']}", is_archived=True)
        if act.kind != "war room archived":
            await asyncio.sleep(act.seconds)
            await self._control(f"channels/{channel['id']}", is_archived=False)
        return True

    async def _remove_bot(self, act: Act, channel: Json) -> bool:
        """Remove the bot from a channel; into a private one somebody invites it again."""
        await self._control(f"channels/{channel['id']}", kick=[BOT])
        if channel["private"]:
            await asyncio.sleep(act.seconds)
            await self._control(f"channels/{channel['id']}", invite=[BOT])
        return True

    async def _control(self, what: str, **body: Any) -> None:
        (await self.web.post(f"/control/{what}", json=body)).raise_for_status()


def missing(acts: tuple[Act, ...], done: Counter[str]) -> list[str]:
    """Kinds of acts that were planned and never happened."""
    return [f"nobody ever: {kind}" for kind in sorted({act.kind for act in acts}) if not done[kind]]
