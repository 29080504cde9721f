"""Scheduled messages and Do Not Disturb in the local workspace."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from slack_sdk import WebClient

from sandbox.server import RunningWorkspace, running
from tests.support.clock import PushedClock
from tests.support.waiting import eventually
from tests.support.workspace import DANA, OMAR, post, refusal

DAY = 86_400


@pytest.fixture
def clock() -> PushedClock:
    return PushedClock()


@pytest.fixture
def workspace(clock: PushedClock) -> Iterator[RunningWorkspace]:
    with running(clock=clock.seconds) as opened:
        yield opened


@pytest.fixture
def slack(workspace: RunningWorkspace) -> WebClient:
    return WebClient(workspace.bot_token, base_url=workspace.api_url)


def direct(slack: WebClient, person: str = DANA) -> str:
    return str(slack.conversations_open(users=person)["channel"]["id"])


def schedule(slack: WebClient, clock: PushedClock, seconds: float, **more: Any) -> str:
    """Schedule a message to Dana; returns its id."""
    fields = {"channel": direct(slack), "text": "Wake up", "post_at": int(clock.seconds() + seconds)} | more
    return str(slack.chat_scheduleMessage(**fields)["scheduled_message_id"])  # type: ignore[arg-type]  # as built


def words(slack: WebClient) -> list[str]:
    return [m["text"] for m in slack.conversations_history(channel=direct(slack))["messages"]]


def test_a_scheduled_message_is_posted_at_its_time(slack: WebClient, clock: PushedClock) -> None:
    """It stands in the list until then, is posted once, and is in the list no more."""
    made = schedule(slack, clock, 120)
    [listed] = slack.chat_scheduledMessages_list()["scheduled_messages"]
    assert (listed["id"], listed["text"], listed["post_at"]) == (made, "Wake up", int(clock.seconds() + 120))
    clock.push(seconds=119)
    assert words(slack) == []
    clock.push(seconds=1)
    assert eventually(lambda: words(slack)) == ["Wake up"]
    assert slack.chat_scheduledMessages_list()["scheduled_messages"] == []


def test_it_is_posted_after_a_restart_too(tmp_path: Path) -> None:
    """With a data folder it outlasts the workspace; what fell due meanwhile is posted at the start."""
    clock = PushedClock()
    with running(tmp_path, clock.seconds) as opened:
        schedule(WebClient(opened.bot_token, base_url=opened.api_url), clock, 120)
    clock.push(seconds=200)
    with running(tmp_path, clock.seconds) as opened:
        slack = WebClient(opened.bot_token, base_url=opened.api_url)
        assert eventually(lambda: words(slack)) == ["Wake up"]


def test_it_can_be_deleted_until_a_minute_before(slack: WebClient, clock: PushedClock) -> None:
    """In the last minute Slack says that there is none, and posts it."""
    first, second = schedule(slack, clock, 120), schedule(slack, clock, 120)
    channel = direct(slack)
    slack.chat_deleteScheduledMessage(channel=channel, scheduled_message_id=first)
    clock.push(seconds=60)
    refused = refusal(slack, "chat.deleteScheduledMessage", channel=channel, scheduled_message_id=second)
    assert refused["error"] == "invalid_scheduled_message_id"
    clock.push(seconds=60)
    assert eventually(lambda: words(slack)) == ["Wake up"]


@pytest.mark.parametrize(
    ("seconds", "error"), [(0, "time_in_past"), (-60, "time_in_past"), (121 * DAY, "time_too_far")]
)
def test_times_that_slack_does_not_take(slack: WebClient, clock: PushedClock, seconds: float, error: str) -> None:
    """The past and what is further than 120 days are refused."""
    post_at = int(clock.seconds() + seconds)
    assert refusal(slack, "chat.scheduleMessage", channel=direct(slack), text="x", post_at=post_at)["error"] == error


def test_thirty_in_five_minutes_are_the_most(slack: WebClient, clock: PushedClock) -> None:
    """The thirty-first of one conversation is refused; another conversation and another time take it."""
    for _ in range(30):
        schedule(slack, clock, 600)
    at = int(clock.seconds() + 700)
    assert refusal(slack, "chat.scheduleMessage", channel=direct(slack), text="x", post_at=at)["error"] == (
        "restricted_too_many"
    )
    schedule(slack, clock, 1000)
    schedule(slack, clock, 600, channel=direct(slack, OMAR))


def test_one_with_metadata_is_never_posted(slack: WebClient, clock: PushedClock) -> None:
    """Slack's documentation says so of itself, and a workspace that posted it would hide the mistake."""
    schedule(slack, clock, 60, metadata={"event_type": "page", "event_payload": {}})
    schedule(slack, clock, 60, text="The other")
    clock.push(seconds=61)
    assert eventually(lambda: words(slack)) == ["The other"]


def test_do_not_disturb_is_told(workspace: RunningWorkspace, slack: WebClient, clock: PushedClock) -> None:
    """Whoever pauses their notifications has Do Not Disturb until then; resumed or over, both times are 1."""
    post(workspace, "/ui/pause", **{"as": DANA, "minutes": 30})
    users = slack.dnd_teamInfo(users=f"{DANA},{OMAR}")["users"]
    ends = int(clock.seconds() + 1800)
    assert users[DANA] == {
        "dnd_enabled": True,
        "next_dnd_start_ts": int(clock.seconds()),
        "next_dnd_end_ts": ends,
    }
    never = {"dnd_enabled": False, "next_dnd_start_ts": 1, "next_dnd_end_ts": 1}
    assert users[OMAR] == never
    clock.push(minutes=30)
    assert {k: slack.dnd_info(user=DANA)[k] for k in never} == never
