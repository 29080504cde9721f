"""The bot while Slack or Redis is away, and with tokens that Slack does not take."""

import logging
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from slack_sdk import WebClient

from bot.slack.socket_mode import WrongToken
from escalation.config.company import Directory
from sandbox.server import RunningWorkspace
from sandbox.server import running as running_workspace
from tests.support.bot import Office, calls, control, open_office, running_bot, world
from tests.support.company import user
from tests.support.waiting import WITHIN, eventually
from tests.support.workspace import PATIENT

ROOT = Path(__file__).parents[3]
PEOPLE = ("dana", "omar", "mei", "lena", "bruno", "sofia", "sam", "erik", "carla", "victor", "paula")


@pytest.fixture
def office() -> Iterator[Office]:
    with open_office() as opened:
        yield opened


@pytest.fixture
def workspace() -> Iterator[RunningWorkspace]:
    with running_workspace(setup=PATIENT) as opened:
        yield opened


def connections(workspace: RunningWorkspace) -> int:
    return len(calls(workspace, "apps.connections.open"))


@pytest.mark.parametrize("how", [pytest.param("reset", marks=pytest.mark.slow), "refresh"])
def test_a_lost_connection_is_built_anew(office: Office, how: str) -> None:
    """After a TCP reset, and when Slack asks for it, commands arrive again within seconds."""
    before = connections(office.workspace)
    control(office.workspace, "sockets", action=how)
    eventually(lambda: connections(office.workspace) > before)
    eventually(lambda: office.person("dana").command("help") == {"ok": True})
    office.person("dana").told("/incident declare")


@pytest.mark.slow
def test_a_silent_connection_is_noticed(office: Office) -> None:
    """In a black hole nothing is closed and nothing arrives: pings find out, and a new connection is made."""
    before = connections(office.workspace)
    control(office.workspace, "sockets", action="silence", seconds=60)
    eventually(lambda: connections(office.workspace) > before)
    eventually(lambda: office.person("dana").command("help") == {"ok": True})


def test_a_stuck_client_is_replaced(office: Office) -> None:
    """When Slack's own client has given up watching, the watchdog builds another."""
    socket = office.bot.bot.socket
    assert socket
    assert socket._handler
    stuck, before = socket._handler.client, connections(office.workspace)
    socket.silence = 0.5
    for task in (stuck.current_session_monitor, stuck.message_receiver):
        assert task
        task.get_loop().call_soon_threadsafe(task.cancel)
    stuck.stale = True
    eventually(lambda: connections(office.workspace) > before and office.bot.bot.connected)
    eventually(lambda: office.person("dana").command("help") == {"ok": True})  # once Slack has noticed too


def test_it_waits_for_a_slack_that_is_away_at_the_start(
    workspace: RunningWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so at /readyz, and works as soon as Slack is back."""
    monkeypatch.setattr("bot.bot.RETRY", 0.3)
    control(workspace, "faults", method="auth.test", kind="status", status=503, times=1)
    with running_bot(workspace, world().service, connected=False) as bot:
        assert "Slack is not connected" in bot.ready()["problems"]
        eventually(lambda: bot.bot.connected)
        assert bot.person("dana").command("help") == {"ok": True}


def test_it_waits_for_a_redis_that_is_away_at_the_start(workspace: RunningWorkspace) -> None:
    """People are told meanwhile, and commands work as soon as Redis is back."""
    server = fakeredis.FakeServer()
    behind = world(fakeredis.FakeRedis(server=server))
    server.connected = False
    with running_bot(workspace, behind.service) as bot:
        bot.person("dana").command("list")
        bot.person("dana").told("Redis does not answer")
        server.connected = True
        bot.person("dana").command("list")
        bot.person("dana").told("No open incidents")


@pytest.mark.parametrize("http", [False, True])
def test_a_start_logs_no_warning(
    workspace: RunningWorkspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, http: bool
) -> None:
    """Bolt finds the token in the environment too, and would say each time that it is unused."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", workspace.bot_token)
    monkeypatch.setenv("SLACK_APP_TOKEN", workspace.app_token)
    with running_bot(workspace, world().service, http=http):
        pass
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"bot_token": "xoxb-wrong"}, "SLACK_BOT_TOKEN"), ({"app_token": "xapp-wrong"}, "SLACK_APP_TOKEN")],
)
def test_a_wrong_token_ends_the_bot(workspace: RunningWorkspace, changes: dict[str, Any], name: str) -> None:
    """Trying again would not help; the token itself is not repeated."""
    with running_bot(workspace, world().service, connected=False, **changes) as bot:
        failure = eventually(lambda: bot.failure)
    assert isinstance(failure, WrongToken)
    assert name in str(failure)
    assert "wrong" not in str(failure)


# The directory ---------------------------------------------------------------------------------------------------


def addressed(*keys: str) -> dict[str, dict[str, str]]:
    return {key: {"email": f"{key}@example.com"} for key in keys}


def test_people_are_found_by_their_address(workspace: RunningWorkspace) -> None:
    """What is found is kept for all processes; somebody who is not there keeps nobody from being found."""
    behind = world(people=addressed(*PEOPLE) | {"nobody": {"email": "nobody@example.org"}})
    behind.store.save_directory(Directory(people={"gone@example.com": "U0LD"}, names={"U0LD": "Old"}))
    with running_bot(workspace, behind.service):
        eventually(lambda: len(behind.store.directory().people) > len(PEOPLE))
    found = behind.store.directory()
    assert found.people["dana@example.com"] == user("dana")
    assert found.names[user("dana")] == "Dana Ruiz"
    assert found.people["gone@example.com"] == "U0LD"
    assert "nobody@example.org" not in found.people


def test_what_was_known_before_counts_while_slack_is_slow(workspace: RunningWorkspace) -> None:
    """A bot that starts during an outage knows its colleagues from the last time."""
    control(workspace, "faults", method="users.info", kind="slow", seconds=30, times=1)
    behind = world()
    behind.store.save_directory(Directory(names={user("dana"): "Dana Ruiz"}))
    with running_bot(workspace, behind.service) as bot:
        eventually(lambda: bot.bot.access.directory.names)


def test_user_groups_are_read(workspace: RunningWorkspace) -> None:
    """A role may be held by a Slack user group."""
    slack = WebClient(workspace.bot_token, base_url=workspace.api_url)
    group = slack.usergroups_create(name="SRE", handle="sre")["usergroup"]["id"]
    slack.usergroups_users_update(usergroup=group, users=[user("dana"), user("omar")])
    behind = world(roles={"on_call": group})
    with running_bot(workspace, behind.service):
        eventually(lambda: behind.store.directory().groups)
    assert behind.service.roster(behind.clock()).of("on_call") == (user("dana"), user("omar"))


# The process -----------------------------------------------------------------------------------------------------

PROGRAM = """
    import asyncio, sys
    sys.path.insert(0, {root!r})
    from tests.support.bot import parts_of, world
    from bot.process import serve
    from sandbox.server import RunningWorkspace
    workspace = RunningWorkspace({url!r}, {token!r}, "xapp-tocsin-sandbox", "secret")
    asyncio.run(serve(parts_of(workspace, world().service, port={port})))
"""


def process(workspace: RunningWorkspace, token: str = "", port: int = 0) -> "subprocess.Popen[str]":
    """A bot in a process of its own, started as the command line does it, with proxies that lead nowhere."""
    fields = {"root": str(ROOT), "url": workspace.url, "port": port}
    program = textwrap.dedent(PROGRAM).format(**fields, token=token or workspace.bot_token)
    nowhere = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    return subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, **nowhere}, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_sigterm_ends_it_cleanly(workspace: RunningWorkspace) -> None:
    """Exit code 0, nothing on stderr; proxies of the environment do not reach this machine's own workspace."""
    bot = process(workspace)
    try:
        eventually(lambda: connections(workspace))
        bot.send_signal(signal.SIGTERM)
        _, complaints = bot.communicate(timeout=WITHIN)
    finally:
        bot.kill()
    assert (bot.returncode, complaints) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["token", "port"])
def test_what_cannot_work_ends_with_a_line_and_exit_code_1(workspace: RunningWorkspace, wrong: str) -> None:
    """A token that Slack refuses, an address that is taken."""
    port = int(workspace.url.rpartition(":")[2])
    bot = process(workspace, token="xoxb-wrong") if wrong == "token" else process(workspace, port=port)
    try:
        _, complaints = bot.communicate(timeout=WITHIN)
    finally:
        bot.kill()
    assert bot.returncode == 1
    assert ("SLACK_BOT_TOKEN" if wrong == "token" else "TOCSIN_LISTEN") in complaints
    assert "Traceback" not in complaints
