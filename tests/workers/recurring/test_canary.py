"""The canary: from the intake to a message in its channel, seen at the workspace, with a pushed clock."""

from collections.abc import Iterator

import pytest

from escalation.storage.intake import Intake
from sandbox.server import running
from tests.support.clock import PushedClock
from tests.support.company import example_company
from tests.support.story import START
from tests.support.worker import Works, redis_of, works
from workers.queue.outbox import post_alerts
from workers.recurring.canary import PROBLEM, CanarySender


@pytest.fixture
def site() -> Iterator[Works]:
    clock = PushedClock()
    company = example_company(canary={"every": "5m", "channel": "stakeholders"})
    with running(clock=clock.seconds) as workspace, redis_of("fakeredis") as redis:
        yield works(redis, workspace, clock, company)


def canaries(site: Works) -> list[str]:
    return [m["text"] for m in site.messages() if m["text"].startswith("Canary")]


def test_one_canary_a_period_arrives_and_is_no_incident(site: Works) -> None:
    """Two workers, three periods, three messages; it is in no list, and its time is kept."""
    senders = [CanarySender(site.context) for _ in range(2)]
    for _ in range(3):
        for sender in senders * 2:
            sender.send_due(site.clock())
        site.run()
        site.clock.push(seconds=300)
    assert len(canaries(site)) == 3
    assert len(site.store.canary.times(START)) == 3
    assert list(site.store.recent()) == []
    assert Intake(site.redis, post_alerts).log(START) == []


def test_a_canary_that_does_not_arrive_is_a_fault_until_one_does(site: Works) -> None:
    """Slack is away: after 30 seconds it is named as ours, and the next arrival ends it."""
    sender = CanarySender(site.context)
    site.slack_away()
    sender.send_due(site.clock())
    site.run()
    assert not site.store.problems.known(PROBLEM)
    site.clock.push(seconds=299)
    sender.send_due(site.clock())
    assert site.store.problems.known(PROBLEM)
    site.slack_back()
    site.clock.push(seconds=300)
    sender.send_due(site.clock())
    site.run()
    assert not site.store.problems.known(PROBLEM)
    assert len(canaries(site)) == 1
