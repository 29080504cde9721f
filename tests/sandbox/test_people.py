"""What people and their pages see in the local workspace, and the people and channels made on demand."""

import json
from typing import Any

import pytest
from slack_sdk import WebClient

from sandbox.server import RunningWorkspace
from tests.support.http import web
from tests.support.workspace import BOT, DANA, GENERAL, GUS, OMAR, get, post

QUIET = ("stakeholders", "team-backend", "team-devops")


def test_people_see_what_is_theirs(workspace: RunningWorkspace, slack: WebClient) -> None:
    """Unread and mention badges, ephemeral messages and private channels are each person's own."""
    slack.chat_postMessage(channel=GENERAL, text=f"<@{DANA}> look")
    slack.chat_postMessage(channel=DANA, text="You are paged")
    slack.chat_postEphemeral(channel=GENERAL, user=DANA, text="only you")
    private = slack.conversations_create(name="inc-sec", is_private=True)["channel"]["id"]

    def rooms(user: str) -> dict[str, tuple[int, int]]:
        rows = get(workspace, "/ui/state", **{"as": user})["channels"]
        return {r["name"]: (r["unread"], r["mentions"]) for r in rows if r["name"] not in QUIET}

    assert rooms(DANA) == {"general": (1, 1), "random": (0, 0), "directmessage": (1, 1)}
    assert rooms(OMAR) == {"general": (1, 0), "random": (0, 0)}
    assert "only you" not in str(get(workspace, "/ui/messages", **{"as": OMAR, "channel": GENERAL}))
    assert get(workspace, "/ui/messages", **{"as": OMAR, "channel": private})["error"] == "channel_not_found"
    post(workspace, "/ui/read", **{"as": DANA, "channel": GENERAL})
    assert rooms(DANA)["general"] == (0, 0)
    assert get(workspace, "/ui/state", **{"as": "U0FRANK001"})["error"] == "account_inactive"


def test_pages_are_told(workspace: RunningWorkspace, slack: WebClient) -> None:
    """An open page hears of a message that its person can see."""
    with web.stream("GET", f"{workspace.url}/ui/events", params={"as": DANA}) as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": hello"
        sent = slack.chat_postMessage(channel=GENERAL, text="x")
        events = (json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))
        heard = next(event for event in events if event["type"] == "message")
    assert (heard["channel"], heard["ts"]) == (GENERAL, sent["ts"])


def test_people_and_channels_on_demand(workspace: RunningWorkspace, slack: WebClient) -> None:
    """People and channels are added and changed from outside."""
    nora = post(workspace, "/control/users", name="nora", title="Intern")["user"]["id"]
    room = post(workspace, "/control/channels", name="ops", creator=nora, members=[nora, DANA])["channel"]["id"]
    assert slack.users_info(user=nora)["user"]["profile"]["title"] == "Intern"
    assert slack.conversations_members(channel=room)["members"] == [nora, DANA]
    slack.conversations_join(channel=room)
    post(workspace, f"/control/channels/{room}", kick=[BOT, nora], invite=[OMAR])
    assert slack.conversations_members(channel=room)["members"] == [DANA, OMAR]
    post(workspace, f"/control/channels/{room}", is_archived=True)
    assert slack.conversations_info(channel=room)["channel"]["is_archived"] is True
    post(workspace, "/control/reset")
    assert [row["name"] for row in slack.conversations_list()["channels"]] == [
        "general",
        "random",
        "stakeholders",
        "team-backend",
        "team-devops",
    ]


def test_what_was_deleted_is_kept_for_the_tests(workspace: RunningWorkspace, slack: WebClient) -> None:
    """The whole workspace as JSON names each deleted message, and who deleted it."""
    room = slack.conversations_create(name="ops")["channel"]["id"]
    first, second = (slack.chat_postMessage(channel=room, text=words)["ts"] for words in ("first", "second"))
    web.delete(f"{workspace.url}/control/messages/{room}/{first}")
    assert web.delete(f"{workspace.url}/control/messages/{room}/{first}").status_code == 404
    slack.chat_delete(channel=room, ts=second)
    deleted = get(workspace, "/control/state")["deleted"]
    assert [(row["message"]["text"], row["deleted_by"]) for row in deleted] == [("first", ""), ("second", BOT)]


def test_what_people_type(workspace: RunningWorkspace) -> None:
    """Typed text is escaped, names become mentions, and whoever speaks in a public channel joins it."""
    ts = post(workspace, "/ui/say", **{"as": DANA}, channel="C0RANDOM01", text="@omar <b> & @here in #general")["ts"]
    post(workspace, "/ui/say", **{"as": OMAR}, channel="C0RANDOM01", text="reply", thread_ts=ts)
    thread = get(workspace, "/ui/thread", **{"as": DANA}, channel="C0RANDOM01", ts=ts)["messages"]
    assert [row["text"] for row in thread] == [
        f"<@{OMAR}> &lt;b&gt; &amp; <!here> in <#{GENERAL}|general>",
        "reply",
    ]
    top = get(workspace, "/ui/messages", **{"as": DANA}, channel="C0RANDOM01")["messages"]
    assert [(row["ts"], row["reply_count"]) for row in top] == [(ts, 1)]


REFUSED = [
    ("/ui/say", {"as": DANA, "channel": GENERAL, "text": " "}, "no_text"),
    ("/ui/say", {"as": GUS, "channel": "C0RANDOM01", "text": "x"}, "channel_not_found"),
    ("/ui/say", {"as": "U1", "channel": GENERAL, "text": "x"}, "user_not_found"),
    ("/ui/say", {"as": BOT, "channel": GENERAL, "text": "x"}, "user_not_found"),
    ("/ui/submit", {"as": DANA, "view_id": "V1"}, "view_not_found"),
    ("/ui/shortcut", {"as": DANA, "callback_id": "nope"}, "shortcut_not_found"),
    ("/ui/action", {"as": DANA, "action": {}}, "container and action are needed"),
    ("/control/faults", {"kind": "nope"}, "kind"),
    ("/control/clock", {"advance": "soon"}, "advance must be a number"),
    ("/control/channels", {"name": "general"}, "name_taken"),
    ("/control/users", {"name": "dana"}, "a name that nobody has is needed"),
    ("/control/sockets", {"action": "nope"}, "action is one of"),
]


@pytest.mark.parametrize(("path", "body", "error"), REFUSED)
def test_refused(workspace: RunningWorkspace, path: str, body: dict[str, Any], error: str) -> None:
    """What makes no sense is refused in words."""
    answer = post(workspace, path, **body)
    assert (answer["ok"], error in answer["error"]) == (False, True)


def test_archived_channels_take_nothing(workspace: RunningWorkspace) -> None:
    """Nobody can write into an archived channel."""
    post(workspace, f"/control/channels/{GENERAL}", is_archived=True)
    assert post(workspace, "/ui/say", **{"as": DANA}, channel=GENERAL, text="x")["error"] == "is_archived"
