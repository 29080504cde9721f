"""A bot at work against a local workspace, and people who use it: for tests of what is seen in Slack."""

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from unittest.mock import patch

import fakeredis
import httpx2
from redis import Redis
from slack_sdk import WebClient

from bot.bot import Bot
from bot.deps import BotDeps
from bot.process import listen, started_bot
from bot.render.card import card
from bot.render.pages import page
from escalation.config.company import Company
from escalation.config.policy import Severity
from escalation.incident.effects import OpenRoom
from escalation.incident.events.outcomes import RoomOpened
from escalation.incident.model import Incident
from escalation.incident.state.facts import Facts
from escalation.incident.state.rooms import Room
from escalation.service import IncidentService
from escalation.storage.store import Store
from sandbox.server import RunningWorkspace
from sandbox.server import running as running_workspace
from sandbox.setup import Setup
from tests.support import http as wire
from tests.support.clock import PushedClock
from tests.support.company import example_company, user
from tests.support.story import kars
from tests.support.waiting import ACKNOWLEDGED_WITHIN, WITHIN, eventually

Json = dict[str, Any]
# How long people and vendors are kept waiting at most. A busy machine is not what a test is about, unless it says so.
LIMITS = (
    "bot.handlers.submissions.ANSWER_TIMEOUT",
    "bot.handlers.shortcuts.LINK_TIMEOUT",
    "bot.http.routes.PROBE_TIMEOUT",
    "bot.keeper.REDIS_PATIENCE",
)


@dataclass
class World:
    """Everything behind the bot, for a test that does not run workers: what is decided is stored, nothing is sent."""

    redis: Redis
    store: Store
    service: IncidentService
    company: Company
    clock: PushedClock

    @property
    def only(self) -> Incident:
        """The one incident there is."""
        (incident,) = self.store.recent()
        return incident


def world(redis: Redis | None = None, **changes: Any) -> World:
    """A fresh world; `changes` replace parts of the example company."""
    redis = redis or fakeredis.FakeRedis()
    company, clock, store = example_company(**changes), PushedClock(), Store(redis, lambda pipe, changes: None)
    return World(redis, store, IncidentService(store, company, kars(), clock), company, clock)


def parts_of(workspace: RunningWorkspace, service: IncidentService, *, http: bool = False, **changes: Any) -> BotDeps:
    """What a bot needs to run in a workspace, over Socket Mode or over HTTP, on a free port."""
    fields: Json = {
        "bot_token": workspace.bot_token,
        "app_token": None if http else workspace.app_token,
        "signing_secret": workspace.signing_secret,
        "slack_api_url": workspace.api_url,
        "redis": service.store.redis,
        "store": service.store,
        "service": service,
        "company": service.company,
        "policy": service.policy,
        "port": 0,
    }
    return BotDeps(**(fields | changes))


@dataclass
class BotAtWork:
    """A bot in a thread of its own, with its web app at `url`."""

    url: str
    bot: Bot
    workspace: RunningWorkspace
    failure: BaseException | None = None

    @cached_property
    def web(self) -> httpx2.Client:
        return wire.client(self.url)

    def ready(self) -> Json:
        return dict(self.web.get("/readyz").json())

    def person(self, key: str) -> "Person":
        return Person(self.workspace, key)


@contextmanager
def unhurried() -> Iterator[None]:
    """The bot's own limits are long, and still end before the workspace gives up."""
    with ExitStack() as stack:
        for name in LIMITS:
            stack.enter_context(patch(name, 0.8 * ACKNOWLEDGED_WITHIN))
        yield


@contextmanager
def running_bot(
    workspace: RunningWorkspace, service: IncidentService, *, http: bool = False, connected: bool = True, **changes: Any
) -> Iterator[BotAtWork]:
    """A bot for as long as the block lasts. It is connected when the block begins, unless that is not wanted."""
    parts = parts_of(workspace, service, http=http, **changes)
    listener = listen(parts)
    url = "http://{}:{}".format(*listener.getsockname()[:2])
    started: list[BotAtWork] = []
    endings: list[Callable[[], object]] = []

    async def work() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        endings.append(lambda: loop.call_soon_threadsafe(stop.set))
        async with started_bot(parts, listener) as (bot, task):
            started.append(BotAtWork(url, bot, workspace))
            told = asyncio.create_task(stop.wait())
            await asyncio.wait({told, task}, return_when=asyncio.FIRST_COMPLETED)
            told.cancel()
            started[0].failure = task.exception() if task.done() else None

    thread = threading.Thread(target=lambda: asyncio.run(work()), daemon=True)
    thread.start()
    try:
        at_work = eventually(lambda: started[0] if started else None)
        if connected:
            eventually(lambda: at_work.bot.connected)
        if http:
            control(workspace, "app", request_url=f"{url}/slack/events")
        with unhurried():
            yield at_work
    finally:
        if thread.is_alive():
            endings[0]()
        thread.join(WITHIN)


def control(workspace: RunningWorkspace, what: str, **body: Any) -> Json:
    """One of the workspace's controls: faults, latency, triggers, sockets, users, ..."""
    answer = wire.web.post(f"{workspace.url}/control/{what}", json=body)
    assert answer.is_success, answer.text
    return dict(answer.json())


def calls(workspace: RunningWorkspace, method: str = "") -> list[Json]:
    """The Web API calls so far, oldest first."""
    found = wire.web.get(f"{workspace.url}/control/calls", params={"method": method})
    return list(found.json()["calls"])


class Person:
    """Somebody at the workspace's page."""

    def __init__(self, workspace: RunningWorkspace, key: str) -> None:
        self.id = user(key)
        self._web = wire.client(workspace.url)

    def _post(self, what: str, **body: Any) -> Json:
        return dict(self._web.post(f"/ui/{what}", json={"as": self.id, **body}).json())

    def _get(self, what: str, **query: Any) -> Json:
        return dict(self._web.get(f"/ui/{what}", params={"as": self.id, **query}).json())

    # Channels and messages

    def channel(self, name: str) -> str:
        """The id of a channel by name, as soon as there is one; `tocsin` is the direct messages with the app."""
        return eventually(lambda: self._channel(name))

    def _channel(self, name: str) -> str:
        state = self._get("state")
        direct = state["app"]["bot_user_id"]
        found = (c for c in state["channels"] if c["name"] == name or (name == "tocsin" and c.get("user") == direct))
        return next((str(channel["id"]) for channel in found), "")

    def messages(self, channel: str = "general") -> list[Json]:
        return self._messages(self.channel(channel))

    def _messages(self, channel_id: str) -> list[Json]:
        return list(self._get("messages", channel=channel_id)["messages"])

    def say(self, text: str, channel: str = "general") -> str:
        return str(self._post("say", channel=self.channel(channel), text=text)["ts"])

    def whispers(self, channel: str = "general") -> list[str]:
        """What only this person was told in a channel: everything that can be read in each message."""
        return self._whispers(self.channel(channel))

    def _whispers(self, channel_id: str) -> list[str]:
        return [everything(m) for m in self._messages(channel_id) if m.get("ephemeral")]

    def told(self, words: str, channel: str = "general") -> str:
        """The whisper that contains these words, as soon as there is one."""
        where = self.channel(channel)
        return eventually(lambda: next((w for w in self._whispers(where) if words in w), ""))

    # Doing

    def command(self, text: str, channel: str = "general") -> Json:
        return self._post("command", channel=self.channel(channel), command="/incident", text=text)

    def shortcut(self, callback_id: str, **message: str) -> Json:
        return self._post("shortcut", callback_id=callback_id, **message)

    def press(self, message: Json, action_id: str, channel: str, option: str = "") -> Json:
        """Press a button of a message, or choose the option that begins so in one of its menus."""
        for block in message["blocks"]:
            for element in (*block.get("elements", []), *([block["accessory"]] if "accessory" in block else [])):
                chosen = [o for o in element.get("options", []) if option and o["value"].startswith(option)]
                if element.get("action_id") == action_id and (chosen or not option):
                    action = {"block_id": block["block_id"], "action_id": action_id, "type": element["type"]}
                    action |= {"value": element["value"]} if "value" in element else {}  # as the presser saw it
                    action |= {"selected_option": chosen[0]} if chosen else {}
                    container = {"type": "message", "channel": channel, "message_ts": message["ts"]}
                    return self._post("action", container=container, action=action)
        raise AssertionError(f"no {action_id} in {message['blocks']}")

    # Modals

    def modals(self) -> list[Json]:
        return list(self._get("views")["views"])

    def modal(self, title: str = "") -> Json:
        """The top modal, as soon as one with this title is open."""
        return eventually(lambda: next((v for v in self.modals()[-1:] if title in v["title"]["text"]), None) or {})

    def close(self, view: Json) -> None:
        self._post("close", view_id=view["id"])

    def pick(self, view: Json, name: str, value: str) -> Json:
        """Choose in a select of a modal that tells the app at once."""
        block = next(b for b in view["blocks"] if b["block_id"] == name)
        element = block["element"]
        action = {
            "block_id": name,
            "action_id": element["action_id"],
            "type": element["type"],
            **_filled(element, value),
        }
        container = {"type": "view", "view_id": view["id"]}
        return self._post("action", container=container, action=action, state={"values": filled(view, {name: value})})

    def choose(self, view: Json, action_id: str) -> Json:
        """Press a button of a modal."""
        elements = [block["accessory"] for block in view["blocks"] if "accessory" in block]
        element = next(e for e in elements if e["action_id"] == action_id)
        block = next(b for b in view["blocks"] if b.get("accessory") is element)
        action = {"block_id": block["block_id"], "action_id": action_id, "type": "button", "value": element["value"]}
        done = self._post("action", container={"type": "view", "view_id": view["id"]}, action=action)
        eventually(lambda: self.modals()[-1:] and self.modals()[-1]["title"] != view["title"])  # shows what came of it
        return done

    def more_details(self, view: Json) -> Json:
        """Press *More details* in a declaration form; gives the form as it then stands."""
        action = {"block_id": "more", "action_id": "more_details", "type": "button"}
        self._post("action", container={"type": "view", "view_id": view["id"]}, action=action)
        return eventually(lambda: next((v for v in self.modals()[-1:] if "public_wording" in str(v)), None) or {})

    def suggestions(self, view: Json, name: str, typed: str = "") -> list[str]:
        """The values that a select of a form offers for what is typed into it."""
        given = {"block_id": name, "action_id": "search", "value": typed}
        answer = self._post("suggest", container={"type": "view", "view_id": view["id"]}, action=given)
        return [option["value"] for option in answer["options"]]

    def submit(self, view: Json, **values: Any) -> Json:
        return self._post("submit", view_id=view["id"], state={"values": filled(view, values)})

    def home(self) -> Json:
        return self._post("home")


def filled(view: Json, values: Json) -> Json:
    """The state of a modal after somebody filled in these fields."""
    elements = {b["block_id"]: b["element"] for b in view["blocks"] if b["type"] == "input"}
    return {name: {elements[name]["action_id"]: _filled(elements[name], value)} for name, value in values.items()}


def _filled(element: Json, value: Any) -> Json:
    options = {o["value"]: o for o in element.get("options", [])}
    match element["type"]:
        case "static_select" | "external_select":
            return {"type": element["type"], "selected_option": options.get(value, _stranger(value))}
        case "checkboxes" | "multi_static_select" as kind:
            return {"type": kind, "selected_options": [options[v] for v in value]}
        case "datepicker":
            return {"type": "datepicker", "selected_date": value}
        case "datetimepicker":
            return {"type": "datetimepicker", "selected_date_time": value}
        case "multi_users_select":
            return {"type": "multi_users_select", "selected_users": list(value)}
        case kind:
            return {"type": kind, "value": value}


def _stranger(value: str) -> Json:
    return {"text": {"type": "plain_text", "text": value}, "value": value}


def everything(message: Json) -> str:
    """All that can be read in a message: its text and its blocks."""
    return "\n".join([message.get("text", ""), *_texts(message.get("blocks", []))])


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("text"), str):
            yield node["text"]
        for value in node.values():
            yield from _texts(value)
    if isinstance(node, list):
        for value in node:
            yield from _texts(value)


@dataclass
class Office:
    """A workspace, what is behind the bot, and the bot at work."""

    workspace: RunningWorkspace
    world: World
    bot: BotAtWork

    def person(self, key: str) -> Person:
        return Person(self.workspace, key)

    def declare(self, by: str = "dana", severity: str = "P0", **facts: Any) -> Incident:
        """An incident, straight at the service."""
        said = Facts(**({"title": "Checkout is down"} | facts))
        return self.world.service.declare(user(by), Severity(severity), said, key=uuid.uuid4().hex)

    def incident(self, incident_id: str = "") -> Incident:
        """As it stands; the only one when no id is given."""
        return self.world.store.get(incident_id) if incident_id else self.world.only

    def post_card(self, incident: Incident, person: str = "", channel: str = "general") -> Json:
        """Post a card as the workers would: into a channel, or into somebody's direct messages. Gives the message."""
        slack = WebClient(self.workspace.bot_token, base_url=self.workspace.api_url)
        where = user(person) if person else self.person("dana").channel(channel)
        if not person:
            slack.conversations_join(channel=where)
        mine = incident.open_page_of(user(person)) if person else None
        shown = page(incident, mine.n) if mine else card(incident, ())
        return dict(slack.chat_postMessage(channel=where, text=shown.text, blocks=shown.blocks).data)  # type: ignore[arg-type]

    def room(self, incident: Incident, *members: str) -> Incident:
        """Open the incident's war room in the workspace, with these people in it."""
        slack = WebClient(self.workspace.bot_token, base_url=self.workspace.api_url)
        wanted = next(e for e in incident.effects if isinstance(e, OpenRoom) and not e.withdrawn)
        made = slack.conversations_create(name=wanted.name, is_private=wanted.private)["channel"]
        slack.conversations_invite(channel=made["id"], users=",".join(user(m) for m in members))
        room = Room(channel=made["id"], name=wanted.name, private=wanted.private)
        return self.world.service.handle(incident.id, RoomOpened(effect=wanted.id, room=room))


@contextmanager
def patient_workspace() -> Iterator[RunningWorkspace]:
    """A workspace that waits long to be answered, and where no trigger grows old: machines can be busy."""
    now = time.time()
    with running_workspace(clock=lambda: now, setup=Setup(ack_seconds=ACKNOWLEDGED_WITHIN)) as workspace:
        yield workspace


async def _nobody_asked(*_: object) -> None:
    """The directory's loop, asleep."""
    await asyncio.Event().wait()


@contextmanager
def office_in(workspace: RunningWorkspace) -> Iterator[Office]:
    """As `open_office`, in a workspace that other tests used before."""
    control(workspace, "reset")
    behind = world()
    # Each bot would ask for the names of two dozen people, which is most of what starting it takes.
    with patch("bot.process.refresh_directory", _nobody_asked), running_bot(workspace, behind.service) as bot:
        yield Office(workspace, behind, bot)
    eventually(lambda: not wire.web.get(f"{workspace.url}/control/state").json()["app"]["connections"])


@contextmanager
def open_office(*, http: bool = False, redis: Redis | None = None, **changes: Any) -> Iterator[Office]:
    """A workspace and a bot that is connected to it; `changes` replace parts of the example company."""
    behind = world(redis, **changes)
    with patient_workspace() as workspace, running_bot(workspace, behind.service, http=http) as bot:
        yield Office(workspace, behind, bot)
