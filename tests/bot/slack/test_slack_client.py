"""The bot's clients when a gateway answers in Slack's place."""

import asyncio

import pytest

from bot.slack.client import UNREACHABLE, background_client, interactive_client, open_session, slack_error
from tests.workers.test_slack_responses import BODIES, answering


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("client", [interactive_client, background_client])
def test_a_response_that_is_no_object_counts_as_slack_being_away(body: str, client: type) -> None:
    """So every place that copes with an unreachable Slack copes with it."""

    async def call(url: str) -> Exception:
        async with open_session() as session:
            with pytest.raises(UNREACHABLE) as failed:
                await client("xoxb-1", url, session).auth_test()
            return failed.value

    with answering(*BODIES[body]) as url:
        assert slack_error(asyncio.run(call(url))) == "unreadable_response"
