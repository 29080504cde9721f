"""What the tests share: hypothesis without a stopwatch, servers that end at once, the workspace of its own tests."""

import asyncio
import functools
import gc
import os
from collections.abc import Iterator
from typing import Any

import httpcore2
import pytest
import uvicorn.server
from slack_sdk import WebClient

from sandbox.server import RunningWorkspace, running
from sandbox.setup import Setup
from tests.support import profiles
from tests.support.bot import Office, office_in, patient_workspace
from tests.support.clock import PushedClock
from tests.support.outside_services import MailServer, PagingService, mail_server, paging_service
from tests.support.waiting import ACKNOWLEDGED_WITHIN
from tests.support.worker import SlackByClock, Works, redis_of, works_anew
from tests.support.workspace import PATIENT


class _Often:
    """`asyncio` as uvicorn is to see it. It looks every 100 ms whether it may end, and tests end hundreds."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 10)


vars(uvicorn.server)["asyncio"] = _Often()
# The machine's certificates are read once, not for each client: that takes 40 ms, and nothing here speaks TLS.
httpcore2.default_ssl_context = functools.cache(httpcore2.default_ssl_context)

EVENTS = ("app_home_opened", "app_mention", "message.channels", "member_joined_channel", "user_change")


def pytest_configure(config: pytest.Config) -> None:
    """The fast part of the tests is what `-m "not slow"` leaves."""
    profiles.choose(few="not slow" in config.option.markexpr)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their argument: what is packed holds the second of its making."""
    return argname if isinstance(val, bytes) else None


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """The fast tests wait a fifth of their time, so two more processes than processors take less of it."""
    return (os.cpu_count() or 1) + 2 if "not slow" in config.option.markexpr else None


def pytest_collection_finish() -> None:
    """What is there by now stays until the end: the garbage collector need not walk through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture
def clock() -> PushedClock:
    return PushedClock()


@pytest.fixture
def workspace(clock: PushedClock) -> Iterator[RunningWorkspace]:
    with running(clock=clock.seconds, setup=Setup(events=EVENTS, ack_seconds=ACKNOWLEDGED_WITHIN)) as place:
        yield place


@pytest.fixture(scope="module")
def shared() -> Iterator[RunningWorkspace]:
    """One for a whole module: start each of its tests with /control/reset."""
    with running(setup=PATIENT) as place:
        yield place


@pytest.fixture(scope="module")
def patient() -> Iterator[RunningWorkspace]:
    """A workspace that waits long to be answered, for all tests of a module."""
    with patient_workspace() as place:
        yield place


@pytest.fixture
def office(patient: RunningWorkspace) -> Iterator[Office]:
    """The bot at work there, with nothing open."""
    with office_in(patient) as opened:
        yield opened


@pytest.fixture
def slack(workspace: RunningWorkspace) -> WebClient:
    return WebClient(token=workspace.bot_token, base_url=workspace.api_url, retry_handlers=[])


@pytest.fixture(scope="module")
def slack_by_clock() -> Iterator[SlackByClock]:
    """A workspace whose time is pushed, for all tests of a module."""
    pushed = PushedClock()
    with running(clock=pushed.seconds, setup=PATIENT) as place:
        yield place, pushed


@pytest.fixture
def parts(slack_by_clock: SlackByClock) -> Iterator[Works]:
    """The whole of Tocsin but its processes, with nothing open."""
    with redis_of("valkey") as redis:
        yield works_anew(redis, *slack_by_clock)


@pytest.fixture
def smtp() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def paging() -> Iterator[PagingService]:
    with paging_service() as service:
        yield service


@pytest.fixture
def room(slack: WebClient) -> str:
    """A public channel that the app made."""
    return str(slack.conversations_create(name="war-room")["channel"]["id"])
