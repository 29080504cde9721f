"""The channels that are listened in, in the local workspace: the bot joins them, and says which it cannot."""

from collections.abc import Iterator
from typing import Any

import pytest

from escalation.config.company import Workspace
from tests.support.clock import PushedClock
from tests.support.company import example_company, user
from tests.support.worker import Works, redis_of, works
from workers.recurring.listening import LOOK_EVERY, Listening
from workers.recurring.reminders import ROUTINE
from workers.recurring.upkeep import Upkeep

PROBLEM = "channel:workspace.deploys_channel"


@pytest.fixture
def parts(shared: Any) -> Iterator[Works]:
    """Tocsin, told that apps write of deployments in #deploys."""
    with redis_of("fakeredis") as redis:
        made = works(redis, shared, PushedClock(), example_company(workspace=Workspace(deploys_channel="deploys")))
        made.control("reset")
        yield made


def problems(parts: Works) -> dict[str, str]:
    return {p.key: p.text for p in parts.context.store.problems.current()}


def test_a_public_channel_is_joined(parts: Works) -> None:
    """Nothing is heard of another."""
    parts.control("channels", name="deploys", is_private=False, creator=user("dana"))
    Listening(parts.context).refresh(parts.clock())
    assert parts.context.slack.rooms._by_id(parts.channel("deploys")["id"])["is_member"]
    assert not problems(parts)


@pytest.mark.parametrize("what", ["missing", "private", "archived"])
def test_one_that_cannot_be_joined_is_a_problem_until_it_can(parts: Works, what: str) -> None:
    """Doctor, readiness and metrics name it with its key; it ends by itself."""
    if what != "missing":
        parts.control("channels", name="deploys", is_private=what == "private", creator=user("dana"))
    if what == "archived":
        parts.control(f"channels/{parts.channel('deploys')['id']}", is_archived=True)
    listening = Listening(parts.context)
    listening.refresh(parts.clock())
    assert "#deploys" in problems(parts)[PROBLEM]
    parts.control("reset")
    parts.control("channels", name="deploys", is_private=False, creator=user("dana"))
    parts.clock.push(seconds=LOOK_EVERY.total_seconds() + 1)
    listening.refresh(parts.clock())
    assert not problems(parts)


def test_a_step_of_upkeep_that_fails_holds_up_no_other(parts: Works) -> None:
    """It is among the problems, by what does not happen; the others are taken."""
    parts.control("channels", name="deploys", is_private=False, creator=user("dana"))
    parts.redis.hset(ROUTINE, "broken", "nonsense")  # what the reminders have to read
    rounds = Upkeep(parts.context)
    with pytest.raises(ValueError, match="not enough values"):
        rounds.start()
    rounds.close()
    assert parts.context.slack.rooms._by_id(parts.channel("deploys")["id"])["is_member"]
    assert problems(parts) == {"bug:reminders": "a fault in Tocsin itself: reminders failed (ValueError)"}
