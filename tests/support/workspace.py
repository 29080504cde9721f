"""What the tests of the local workspace share: its people, a pushed clock, its people's and control sides."""

from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from sandbox.server import RunningWorkspace
from sandbox.setup import Setup
from tests.support.http import web
from tests.support.waiting import ACKNOWLEDGED_WITHIN, WITHIN

DANA, OMAR, GUS, FRANK, BOT = "U0DANA0001", "U0OMAR0001", "U0GUS00001", "U0FRANK001", "U0TOCSIN01"
GENERAL = "C0GENERAL1"
STARTING_CHANNELS = ("general", "random", "stakeholders", "team-backend", "team-devops")
ONCALL = "S0ONCALLE1"  # @oncall-engineer, with Dana in it
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}
HOME = {"type": "home", "blocks": [SECTION]}
MODAL = {"type": "modal", "title": {"type": "plain_text", "text": "Form"}, "blocks": [SECTION]}
Json = dict[str, Any]
PATIENT = Setup(ack_seconds=ACKNOWLEDGED_WITHIN, trigger_seconds=WITHIN)  # on a real clock: machines can be busy


def post(workspace: RunningWorkspace, path: str, **body: Any) -> Json:
    answer: Json = web.post(f"{workspace.url}{path}", json=body).json()
    return answer


def get(workspace: RunningWorkspace, path: str, **query: Any) -> Json:
    answer: Json = web.get(f"{workspace.url}{path}", params=query).json()
    return answer


def texts(workspace: RunningWorkspace, channel: str = GENERAL) -> list[str]:
    return [row["text"] for row in get(workspace, "/control/state")["messages"][channel]]


def refusal(slack: WebClient, method: str, **args: Any) -> dict[str, Any]:
    with pytest.raises(SlackApiError) as refused:
        slack.api_call(method, json=args)
    answer: dict[str, Any] = refused.value.response.data
    return answer
