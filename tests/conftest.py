"""What the tests share: hypothesis without a stopwatch, and the local workspace of its own tests."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from sandbox_workspace import Pushed
from slack_sdk import WebClient

from sandbox.server import RunningWorkspace, running
from sandbox.setup import Setup

# How long an example takes is the machine's matter: no test asserts it.
settings.register_profile("tocsin", deadline=None)
settings.load_profile("tocsin")

EVENTS = ("app_home_opened", "app_mention", "message.channels", "member_joined_channel", "user_change")


@pytest.fixture
def clock() -> Pushed:
    return Pushed()


@pytest.fixture
def workspace(clock: Pushed) -> Iterator[RunningWorkspace]:
    with running(clock=clock, setup=Setup(events=EVENTS)) as place:
        yield place


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningWorkspace]:
    """One for a whole module: start each of its tests with /control/reset."""
    with running() as place:
        yield place


@pytest.fixture
def slack(workspace: RunningWorkspace) -> WebClient:
    return WebClient(token=workspace.bot_token, base_url=workspace.api_url, retry_handlers=[])


@pytest.fixture
def room(slack: WebClient) -> str:
    """A public channel that the app made."""
    return str(slack.conversations_create(name="war-room")["channel"]["id"])
