"""`tocsin mcp`: the official SDK's client asks it over stdio, with one person's rights."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from mcp import Client, StdioServerParameters
from slack_sdk import WebClient

from escalation.config.company import Directory
from escalation.incident.effects import OpenRoom
from escalation.incident.events.outcomes import RoomOpened
from escalation.incident.model import Incident
from escalation.incident.state.rooms import Room
from escalation.storage.store import Store
from sandbox.server import RunningWorkspace
from tests.support.incidents import declared
from tests.support.story import Story
from tests.support.workspace import DANA, GUS, OMAR
from tocsin.config.settings import Environment
from tocsin.run import embedded

ROOT = Path(__file__).parents[2]
CONFIG = """\
policy: kars
people: {dana: {slack: U0DANA0001}, omar: {email: omar@example.com}}
roles: {on_call: rotation primary, backup: rotation primary next, devops_lead: dana}
rotations: {primary: {people: [dana, omar], handover: Monday 00:00}}
timezone: Europe/Berlin
"""
PUBLIC, PRIVATE = "INC-20241218-001", "INC-20241218-002"
SECRET = "Keys of the vault leaked"
TOOLS = {"list", "show", "timeline", "on_call", "figures"}
Environ = dict[str, str]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder that is being served."""
    folder = tmp_path_factory.mktemp("mcp")
    embedded.start(folder)
    yield folder
    redis.Redis.from_url(embedded.url(folder)).shutdown(nosave=True)


@pytest.fixture
def store(data: Path) -> Store:
    client = redis.Redis.from_url(embedded.url(data))
    client.flushall()
    found = Store(client, lambda *_: None)
    found.save_directory(Directory(names={DANA: "Dana Ruiz", OMAR: "Omar Haddad"}))
    return found


@pytest.fixture
def environ(data: Path, workspace: RunningWorkspace, tmp_path: Path) -> Environ:
    """The environment of a command that finds the store and the workspace."""
    (tmp_path / "tocsin.yml").write_text(CONFIG)
    ours = {name.upper() for name in Environment.model_fields}
    return {k: v for k, v in os.environ.items() if k not in ours} | {
        "PYTHONPATH": str(ROOT),
        "TOCSIN_DATA": str(data),
        "TOCSIN_CONFIG": str(tmp_path / "tocsin.yml"),
        "SLACK_BOT_TOKEN": workspace.bot_token,
        "SLACK_API_URL": workspace.api_url,
    }


def keep(store: Store, incident: Incident) -> str:
    return store.declare("20241218", "", lambda new_id: incident.model_copy(update={"id": new_id})).id


def private(room: str) -> Incident:
    """A security incident with its private room open, that nobody was paged for whom the tests ask as."""
    story = Story(security=True, title=SECRET)
    [effect] = [e for e in story.incident.effects if isinstance(e, OpenRoom)]
    return story.do(RoomOpened(effect=effect.id, room=Room(channel=room, name="sec", private=True))).incident


@asynccontextmanager
async def served(environ: Environ, person: str) -> AsyncIterator[Client]:
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "tocsin", "mcp", "--as", person], env=environ, cwd=environ["TOCSIN_DATA"]
    )
    async with Client(command, read_timeout_seconds=30) as client:
        yield client


async def ask(client: Client, tool: str, **arguments: Any) -> Any:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    return json.loads(answer.content[0].text)  # type: ignore[union-attr] # text is all that we send


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error
    return str(answer.content[0].text)  # type: ignore[union-attr] # text is all that we send


async def test_five_tools_read_what_there_is(store: Store, environ: Environ) -> None:
    """An assistant lists, shows and reads incidents, who is on call and the figures, and is told that it only reads."""
    keep(store, declared(title="Checkout is down", service="checkout"))
    async with served(environ, "@dana") as client:
        tools = (await client.list_tools()).tools
        assert {t.name for t in tools} == TOOLS
        assert all(t.annotations and t.annotations.read_only_hint for t in tools)
        [row] = (await ask(client, "list"))["incidents"]
        assert (row["id"], row["title"]) == (PUBLIC, "Checkout is down")
        assert (await ask(client, "list", state="closed"))["incidents"] == []
        assert len((await ask(client, "list", state="all", words="checkout severity:P0"))["incidents"]) == 1
        assert (await ask(client, "show", id="1"))["next"]
        assert (await ask(client, "timeline", id=PUBLIC))["timeline"][0]["lines"]
        assert "primary" in (await ask(client, "on_call", weeks=2))["schedule"]
        assert "times" in await ask(client, "figures", period="7d")


async def test_private_incidents_are_for_their_people(
    store: Store, environ: Environ, slack: WebClient, workspace: RunningWorkspace
) -> None:
    """A member of the private room sees it; to anybody else no tool says a word of it."""
    room = str(slack.conversations_create(name="sec-room", is_private=True)["channel"]["id"])
    slack.conversations_invite(channel=room, users=DANA)
    keep(store, declared(title="Checkout is down"))
    assert keep(store, private(room)) == PRIVATE
    async with served(environ, DANA) as client:
        assert SECRET in [i["title"] for i in (await ask(client, "list"))["incidents"]]
        assert (await ask(client, "show", id=PRIVATE))["facts"]["title"] == SECRET
        assert (await ask(client, "timeline", id=PRIVATE))["timeline"]
    async with served(environ, "Omar Haddad") as client:
        for state in ("open", "all"):
            assert [i["id"] for i in (await ask(client, "list", state=state))["incidents"]] == [PUBLIC]
        assert (await ask(client, "list", words="vault"))["incidents"] == []
        for tool in ("show", "timeline"):
            said = await refused(client, tool, id=PRIVATE)
            assert said.endswith("This incident is private. Only its responders can view it.")
            assert SECRET not in said


async def test_a_guest_sees_nothing(store: Store, environ: Environ) -> None:
    """Whoever is refused in Slack is refused here, by every tool and with the same words."""
    keep(store, declared())
    async with served(environ, GUS) as client:
        for tool, arguments in (("list", {}), ("show", {"id": PUBLIC}), ("on_call", {}), ("figures", {})):
            assert "Guests cannot" in await refused(client, tool, **arguments)


async def test_what_is_wrong_is_said(store: Store, environ: Environ) -> None:
    """An unknown id, filter, time, period or service is an error that says what is wrong; the server goes on."""
    keep(store, declared())
    async with served(environ, DANA) as client:
        assert "INC-20991231-001" in await refused(client, "show", id="INC-20991231-001")
        assert "nonsense" in await refused(client, "timeline", id="nonsense")
        assert "P9" in await refused(client, "list", words="severity:P9")
        assert "Not a day or a time: soon" in await refused(client, "on_call", at="soon")
        assert "whenever" in await refused(client, "figures", period="whenever")
        assert "There is no service called nope" in await refused(client, "figures", service="nope")
        assert (await ask(client, "list"))["incidents"]


def started(environ: Environ, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tocsin", "mcp", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environ, stdin=subprocess.DEVNULL, timeout=60)


def test_whoever_it_is_for_has_to_be_known(store: Store, environ: Environ) -> None:
    """Without a person, or with one that nobody is, it ends with words on stderr and nothing on stdout."""
    nobody, wrong = started(environ), started(environ, "--as", "@dane")
    assert (nobody.returncode, nobody.stdout) == (2, "")
    assert "TOCSIN_MCP_PERSON" in nobody.stderr
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "did you mean 'dana'?" in wrong.stderr
    named = started(environ | {"TOCSIN_MCP_PERSON": "@dana"})
    assert (named.returncode, named.stdout) == (0, "")


def test_without_the_sdk_the_remedy_is_named(store: Store, environ: Environ, tmp_path: Path) -> None:
    """An installation without the extra says which one to install."""
    (tmp_path / "mcp.py").write_text("")
    found = started(environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"}, "--as", DANA)
    assert (found.returncode, found.stdout) == (1, "")
    assert "pip install tocsin[mcp]" in found.stderr
