"""Where the local workspace listens, and what survives a kill."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from slack_sdk import WebClient

from benchmarks.ports import free_port
from sandbox.server import NotLoopback, RunningWorkspace, bind, running
from tests.support.http import web
from tests.support.waiting import eventually
from tests.support.workspace import DANA, SECTION, STARTING_CHANNELS, get, post


@pytest.mark.parametrize("listen", ["0.0.0.0:8080", "192.168.1.5:8080", "example.com:80", "[::]:80", "localhost:http"])
def test_it_listens_on_this_machine_only(listen: str) -> None:
    """An address that others can reach is refused, in words."""
    with pytest.raises(NotLoopback, match="only listens on this machine"):
        bind(listen)


@pytest.mark.parametrize("listen", ["localhost:0", "127.0.0.1:0", ":0", "0"])
def test_names_of_this_machine(listen: str) -> None:
    """A port alone is one of this machine."""
    with bind(listen) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("headers", [{"host": "evil.example.com"}, {"origin": "https://evil.example.com"}])
def test_other_sites_are_refused(headers: dict[str, str]) -> None:
    """A web page from elsewhere cannot drive the workspace."""
    with running() as workspace:
        answer = web.post(f"{workspace.url}/control/reset", headers=headers)
    assert answer.status_code == 403


def test_a_reset_is_kept(tmp_path: Path) -> None:
    """What was reset is gone after a restart as well; what came after it is there."""
    with running(data=tmp_path) as workspace:
        slack = WebClient(token=workspace.bot_token, base_url=workspace.api_url)
        slack.conversations_create(name="before")
        slack.chat_postMessage(channel="before", text="x")
        post(workspace, "/control/reset")
        slack.conversations_create(name="after", is_private=True)
        slack.conversations_archive(channel=slack.conversations_list(types="private_channel")["channels"][0]["id"])
        left = get(workspace, "/control/state")
    with running(data=tmp_path) as workspace:
        found = get(workspace, "/control/state")
    assert {**found, "now": 0} == {**left, "now": 0}
    assert [row["name"] for row in found["channels"]] == [*STARTING_CHANNELS, "after"]


def started(port: int, folder: Path) -> "subprocess.Popen[bytes]":
    """The workspace as a process of its own, once it answers."""
    command = [sys.executable, "-m", "sandbox.server", f"127.0.0.1:{port}", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    eventually(lambda: answers(port), "the workspace did not start")
    return process


def answers(port: int) -> bool:
    with contextlib.suppress(httpx2.TransportError):
        return web.get(f"http://127.0.0.1:{port}/control/state").is_success
    return False


@pytest.mark.slow
def test_everything_survives_a_kill(tmp_path: Path) -> None:
    """After kill -9 and a restart the workspace is the same: messages, rooms, views, ids and clock."""
    port = free_port()
    place = RunningWorkspace(f"http://127.0.0.1:{port}", "xoxb-tocsin-sandbox", "xapp-tocsin-sandbox", "")
    slack = WebClient(token=place.bot_token, base_url=place.api_url)
    process = started(port, tmp_path)
    try:
        room = slack.conversations_create(name="war-room")["channel"]["id"]
        for n in range(4):
            slack.chat_postMessage(channel=room, text=str(n), metadata={"event_type": "p", "event_payload": {"n": n}})
        slack.conversations_invite(channel=room, users=[DANA])
        slack.pins_add(channel=room, timestamp=slack.conversations_history(channel=room)["messages"][0]["ts"])
        slack.views_publish(user_id=DANA, view={"type": "home", "blocks": [SECTION]})
        slack.usergroups_create(name="On call", handle="oncall")
        post(place, "/control/clock", advance=3600)
        before = get(place, "/control/state")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process = started(port, tmp_path)
        after = get(place, "/control/state")
        assert {**after, "now": 0} == {**before, "now": 0}
        assert after["now"] >= before["now"]
        last = before["messages"][room][-1]["ts"]
        assert slack.chat_postMessage(channel=room, text="on")["ts"] > last
        fresh = slack.conversations_create(name="another")["channel"]["id"]
        assert fresh not in before["messages"]
    finally:
        process.kill()
        process.wait()
