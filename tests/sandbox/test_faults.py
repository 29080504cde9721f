"""Faults, the log of calls and the rate limits of the local workspace."""

from typing import Any

import httpx2
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from sandbox.server import RunningWorkspace
from tests.support import http as wire
from tests.support.clock import PushedClock
from tests.support.waiting import WITHIN
from tests.support.workspace import DANA, GENERAL, Json, get, post, texts


def fault(workspace: RunningWorkspace, **fields: Any) -> Json:
    return post(workspace, "/control/faults", **fields)


def test_ratelimited_once(workspace: RunningWorkspace, slack: WebClient) -> None:
    """A fault strikes the call it is for, once, and lets the rest pass."""
    fault(workspace, method="chat.postMessage", kind="ratelimited", retry_after=7)
    slack.auth_test()
    with pytest.raises(SlackApiError) as refused:
        slack.chat_postMessage(channel=GENERAL, text="x")
    assert (refused.value.response.status_code, refused.value.response.headers["retry-after"]) == (429, "7")
    slack.chat_postMessage(channel=GENERAL, text="x")
    assert texts(workspace) == ["x"]


def test_faults_match_arguments(workspace: RunningWorkspace, slack: WebClient) -> None:
    """A fault may be for some arguments only, and for several calls."""
    fault(workspace, method="*", kind="error", error="fatal_error", times=2, match={"text": "unlucky"})
    for text, error in (("lucky", None), ("unlucky", "fatal_error"), ("unlucky", "fatal_error"), ("unlucky", None)):
        if error is None:
            slack.chat_postMessage(channel=GENERAL, text=text)
        else:
            with pytest.raises(SlackApiError, match=error):
                slack.chat_postMessage(channel=GENERAL, text=text)
    assert texts(workspace) == ["lucky", "unlucky"]
    assert get(workspace, "/control/faults") == {"faults": []}


STRIKES = [
    ({"kind": "status", "status": 503}, [], 503),
    ({"kind": "drop_before"}, [], 0),
    ({"kind": "drop_after"}, ["x"], 0),
    ({"kind": "hang", "seconds": 0.05}, [], 500),
    ({"kind": "slow", "seconds": 0.05}, ["x"], 200),
]


@pytest.mark.parametrize(("fields", "said", "status"), STRIKES)
def test_what_took_effect(workspace: RunningWorkspace, fields: Json, said: list[str], status: int) -> None:
    """Each kind of fault either lets the call take effect or does not; the log says what was answered."""
    fault(workspace, method="chat.postMessage", **fields)
    call = {"channel": GENERAL, "text": "x", "token": workspace.bot_token}
    try:
        answer = wire.web.post(f"{workspace.api_url}chat.postMessage", json=call).status_code
    except httpx2.TransportError:
        answer = 0
    assert (answer, texts(workspace)) == (status, said)
    (logged,) = get(workspace, "/control/calls", method="chat.postMessage")["calls"]
    assert (logged["status"], logged["args"]) == (status, {"channel": GENERAL, "text": "x"})


def test_an_answer_may_lack_a_field(workspace: RunningWorkspace, slack: WebClient) -> None:
    """What was asked for takes effect; the field is missing wherever it would stand."""
    fault(workspace, method="chat.postMessage", kind="without", fields=["ts", "blocks"])
    said: Any = slack.chat_postMessage(channel=GENERAL, text="x").data
    assert said["ok"]
    assert "ts" not in said
    assert "ts" not in said["message"]
    assert texts(workspace) == ["x"]
    assert slack.chat_postMessage(channel=GENERAL, text="y")["ts"]


def test_a_hung_call_ends_when_the_caller_gives_up(workspace: RunningWorkspace) -> None:
    """A hang has no effect, however long it lasts."""
    fault(workspace, method="chat.postMessage", kind="hang")
    call = {"channel": GENERAL, "text": "x", "token": workspace.bot_token}
    with pytest.raises(httpx2.ReadTimeout):
        wire.web.post(f"{workspace.api_url}chat.postMessage", json=call, timeout=httpx2.Timeout(WITHIN, read=0.2))
    assert texts(workspace) == []


def test_the_log_counts(workspace: RunningWorkspace, slack: WebClient) -> None:
    """Calls are numbered; the log can be read from a number on and cleared."""
    slack.auth_test()
    slack.users_info(user=DANA)
    assert [row["n"] for row in get(workspace, "/control/calls")["calls"]] == [1, 2]
    (later,) = get(workspace, "/control/calls", after=1)["calls"]
    assert (later["method"], later["ok"], later["args"]) == ("users.info", True, {"user": DANA})
    wire.web.delete(f"{workspace.url}/control/calls")
    assert get(workspace, "/control/calls") == {"calls": []}


def test_a_channel_takes_a_short_burst_then_one_a_second(
    workspace: RunningWorkspace, slack: WebClient, clock: PushedClock
) -> None:
    """Posting is limited for each channel, and the wait that was named is enough."""
    post(workspace, "/control/limits", on=True)
    for _ in range(4):
        slack.chat_postMessage(channel=GENERAL, text="x")
    with pytest.raises(SlackApiError) as refused:
        slack.chat_postMessage(channel=GENERAL, text="x")
    assert refused.value.response["error"] == "ratelimited"
    slack.chat_postMessage(channel="C0RANDOM01", text="elsewhere")
    clock.push(seconds=int(refused.value.response.headers["retry-after"]))
    slack.chat_postMessage(channel=GENERAL, text="x")


TIERS = [("conversations.list", 20), ("users.lookupByEmail", 50), ("users.info", 100)]


@pytest.mark.parametrize(("method", "a_minute"), TIERS)
def test_tiers(workspace: RunningWorkspace, method: str, a_minute: int) -> None:
    """Each method has its calls a minute."""
    post(workspace, "/control/limits", on=True)
    args = {"token": workspace.bot_token, "email": "dana@example.com", "user": DANA}
    with wire.client(workspace.api_url) as http:
        statuses = [http.post(method, json=args).status_code for _ in range(a_minute + 1)]
        post(workspace, "/control/clock", advance=60)
        again = http.post(method, json=args).status_code
    assert (statuses, again) == ([200] * a_minute + [429], 200)
