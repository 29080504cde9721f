"""Senders that are turned away: whoever runs Tocsin reads it among the problems, with what to correct."""

import asyncio
import threading
from collections.abc import Iterator
from typing import cast

import pytest

from bot.doors import Doors
from escalation.storage.problems import Problem, Problems
from tests.bot.http.outside import Outside, outside
from tests.support.waiting import eventually

DOORS = {
    "/alerts/grafana": ("alerts:grafana", "ALERTS_TOKEN"),
    "/alerts/sentry": ("alerts:sentry", "ALERTS_SECRET_SENTRY"),
    "/v2/alerts": ("alerts:opsgenie_api", "ALERTS_TOKEN"),
    "/hooks/pagerduty": ("pagerduty", "PAGERDUTY_WEBHOOK_SECRET"),
    "/hooks/opsgenie": ("opsgenie", "OPSGENIE_WEBHOOK_TOKEN"),
    "/hooks/github": ("github", "GITHUB_WEBHOOK_SECRET"),
    "/hooks/jira": ("jira", "JIRA_WEBHOOK_SECRET"),
    "/twilio/sms": ("twilio", "TWILIO_AUTH_TOKEN"),
    "/slack/events": ("slack", "SLACK_SIGNING_SECRET"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    with outside(tmp_path_factory.mktemp("outside")) as opened:
        yield opened


def at_doors(site: Outside) -> list[Problem]:
    """What is known of senders that were turned away; an empty body, once it is let in, may be another problem."""
    return [p for p in site.parts.store.problems.current() if p.key.startswith("door:")]


@pytest.mark.parametrize("path", DOORS)
def test_a_sender_with_a_wrong_secret_is_a_problem_until_it_is_right(site: Outside, path: str) -> None:
    """It says which door and what to correct; the sender sees an error code that nobody looks at."""
    door, variable = DOORS[path]
    for _ in range(2):
        assert site.send("POST", path, b"{}", secret="wrong").status_code in (401, 403)
    [found] = eventually(lambda: at_doors(site))
    assert (found.key, found.blocks) == (f"door:{door}", False)
    assert variable in found.remedy
    assert site.send("POST", path, b"{}").status_code not in (401, 403)
    eventually(lambda: not at_doors(site))


def test_a_sender_that_is_let_in_at_once_leaves_no_problem() -> None:
    """What was wrong is written before what is over, however long the first takes."""
    stands, cleared = set[str](), threading.Event()

    class Register:
        def report(self, key: str, text: str, remedy: str, *, kept: float) -> None:
            cleared.wait(0.2)
            stands.add(key)

        def clear(self, key: str) -> None:
            stands.discard(key)
            cleared.set()

    async def knock() -> None:
        doors = Doors(cast(Problems, Register()))
        doors.turned_away("alerts:grafana", "refused", "correct it")
        doors.let_in("alerts:grafana")

    asyncio.run(knock())
    eventually(cleared.is_set)
    assert stands == set()


def test_somebody_without_any_signature_is_no_news(site: Outside) -> None:
    """Scanners knock at every address."""
    for path in ("/slack/events", "/twilio/sms"):
        assert site.bot.web.post(f"{site.bot.url}{path}", content=b"{}").status_code in (401, 403)
    assert not at_doors(site)
