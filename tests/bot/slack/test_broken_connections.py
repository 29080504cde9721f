"""What a person waits for, over connections that break."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.handlers.reply import Reply, short_message
from bot.slack.client import interactive_client, open_session
from tests.support.vendors.server import Answer, Asked, Vendor, running

ANSWERS, METHOD = "/answers", "/api/chat.postMessage"


@dataclass
class Slack(Vendor):
    """Slack, of which some connections are cut before a request is carried out. `cut`: how many, by path."""

    cut: dict[str, int] = field(default_factory=dict)
    said: list[tuple[str, str]] = field(default_factory=list)

    def handle(self, asked: Asked) -> Answer | None:
        with self.lock:
            if self.cut.get(asked.path):
                self.cut[asked.path] -= 1
                return None
        return super().handle(asked)

    def answer(self, asked: Asked) -> Answer:
        self.said.append((asked.path, (asked.json or asked.form)["text"]))
        return 200, {"ok": True}


def say(slack: Slack, response_url: str = "") -> list[Any]:
    """Say a word to Dana; what was logged."""

    async def run() -> None:
        async with open_session() as session:
            client = interactive_client("xoxb-1", f"{slack.url}/api/", session)
            await Reply(client, "U1", response_url)(short_message(("INC-7 is acknowledged.",)))

    with capture_logs() as logs:
        asyncio.run(run())
    return logs


@pytest.mark.parametrize("cut", [1, 2])
@pytest.mark.parametrize("path", [ANSWERS, METHOD])
def test_an_answer_survives_connections_that_break(path: str, cut: int) -> None:
    """Slack closes idle connections just when we write on them, several of them at once."""
    with running(Slack(cut={path: cut})) as slack:
        logs = say(slack, f"{slack.url}{path}" if path == ANSWERS else "")
    assert slack.said == [(path, "INC-7 is acknowledged.")]
    assert not logs


def test_an_answer_that_its_address_does_not_take_comes_as_a_direct_message() -> None:
    """The addresses for answers are another host's than the methods."""
    with running(Slack(cut={ANSWERS: 9})) as slack:
        say(slack, f"{slack.url}{ANSWERS}")
    assert slack.said == [(METHOD, "INC-7 is acknowledged.")]


def test_an_answer_is_tried_only_so_often() -> None:
    """A person would not wait for more: three times at its address, three times as a direct message."""
    with running(Slack(cut={ANSWERS: 9, METHOD: 9})) as slack:
        logs = say(slack, f"{slack.url}{ANSWERS}")
    assert slack.cut == {ANSWERS: 6, METHOD: 6}
    assert not slack.said
    assert logs[-1]["event"] == "answer not delivered"
