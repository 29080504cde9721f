"""What the local workspace's Web API refuses: Slack's errors, tokens and scopes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from slack_sdk import WebClient

from sandbox.server import RunningWorkspace
from sandbox.webapi import METHODS
from tests.support.workspace import BOT, DANA, FRANK, GENERAL, HOME, MODAL, OMAR, ONCALL, post, refusal


@pytest.fixture
def workspace(shared: RunningWorkspace) -> RunningWorkspace:
    post(shared, "/control/reset")
    return shared


SETUP = "a channel"  # stands for the id of the app's own channel
ERRORS = [
    ("nonsense", {}, "unknown_method"),
    ("api.test", {"error": "boom"}, "boom"),
    ("bots.info", {"bot": "B1"}, "bot_not_found"),
    ("team.info", {"team": "T1"}, "team_not_found"),
    ("chat.postMessage", {"channel": "C1", "text": "x"}, "channel_not_found"),
    ("chat.postMessage", {"text": "x"}, "invalid_arguments"),
    ("chat.postMessage", {"channel": SETUP}, "no_text"),
    ("chat.postMessage", {"channel": SETUP, "text": "x", "blocks": "{"}, "invalid_blocks_format"),
    ("chat.postMessage", {"channel": SETUP, "text": "x", "blocks": [{"type": "x"}]}, "invalid_blocks"),
    ("chat.postMessage", {"channel": SETUP, "text": "x", "metadata": {"a": 1}}, "invalid_metadata_format"),
    ("chat.postMessage", {"channel": SETUP, "text": "x", "thread_ts": "soon"}, "invalid_thread_ts"),
    ("chat.update", {"channel": SETUP, "ts": "1.000000", "text": "x"}, "message_not_found"),
    ("chat.delete", {"channel": SETUP, "ts": "1.000000"}, "message_not_found"),
    ("chat.getPermalink", {"channel": SETUP, "message_ts": "1.000000"}, "message_not_found"),
    ("chat.postEphemeral", {"channel": SETUP, "user": DANA, "text": "x"}, "user_not_in_channel"),
    ("conversations.create", {"name": "war-room"}, "name_taken"),
    ("conversations.create", {"name": ""}, "invalid_name_required"),
    ("conversations.create", {"name": "x" * 81}, "invalid_name_maxlength"),
    ("conversations.create", {"name": "War Room"}, "invalid_name_specials"),
    ("conversations.create", {"name": "---"}, "invalid_name_punctuation"),
    ("conversations.archive", {"channel": GENERAL}, "not_in_channel"),
    ("conversations.unarchive", {"channel": SETUP}, "not_archived"),
    ("conversations.history", {"channel": GENERAL}, "not_in_channel"),
    ("conversations.history", {"channel": SETUP, "oldest": "never"}, "invalid_ts_oldest"),
    ("conversations.history", {"channel": SETUP, "cursor": "nonsense"}, "invalid_cursor"),
    ("conversations.history", {"channel": SETUP, "limit": 5000}, "invalid_limit"),
    ("conversations.replies", {"channel": SETUP, "ts": "1.000000"}, "thread_not_found"),
    ("conversations.info", {"channel": "C1"}, "channel_not_found"),
    ("conversations.invite", {"channel": SETUP, "users": ""}, "no_user"),
    ("conversations.invite", {"channel": SETUP, "users": "U1"}, "user_not_found"),
    ("conversations.invite", {"channel": SETUP, "users": BOT}, "cant_invite_self"),
    ("conversations.invite", {"channel": SETUP, "users": FRANK}, "cant_invite"),
    ("conversations.invite", {"channel": GENERAL, "users": DANA}, "not_in_channel"),
    ("conversations.kick", {"channel": SETUP, "user": BOT}, "cant_kick_self"),
    ("conversations.kick", {"channel": SETUP, "user": DANA}, "not_in_channel"),
    ("conversations.list", {"types": "secret"}, "invalid_types"),
    ("conversations.open", {}, "users_list_not_supplied"),
    ("conversations.open", {"users": "U1"}, "user_not_found"),
    ("conversations.open", {"users": FRANK}, "user_disabled"),
    ("conversations.open", {"users": BOT}, "cannot_dm_bot"),
    ("conversations.rename", {"channel": SETUP, "name": "general"}, "name_taken"),
    ("conversations.setTopic", {"channel": SETUP, "topic": "x" * 251}, "too_long"),
    ("conversations.setPurpose", {"channel": SETUP, "purpose": "x" * 251}, "too_long"),
    ("files.completeUploadExternal", {"files": [{"id": "F1"}]}, "file_not_found"),
    ("pins.add", {"channel": SETUP}, "no_item_specified"),
    ("pins.add", {"channel": SETUP, "timestamp": "1.000000"}, "message_not_found"),
    ("bookmarks.add", {"channel_id": SETUP, "title": "x", "type": "folder"}, "invalid_bookmark_type"),
    ("bookmarks.add", {"channel_id": SETUP, "title": "x", "type": "link", "link": "nowhere"}, "invalid_link"),
    ("bookmarks.edit", {"channel_id": SETUP, "bookmark_id": "Bk1"}, "not_found"),
    ("reactions.add", {"channel": SETUP, "name": "eyes", "timestamp": "1.000000"}, "message_not_found"),
    ("usergroups.users.update", {"usergroup": "S1", "users": DANA}, "no_such_subteam"),
    ("usergroups.users.update", {"usergroup": ONCALL, "users": ""}, "no_users_provided"),
    ("usergroups.users.update", {"usergroup": ONCALL, "users": f"{DANA},U1"}, "invalid_users"),
    ("usergroups.users.update", {"usergroup": ONCALL, "users": FRANK}, "invalid_users"),
    ("usergroups.users.list", {"usergroup": "S1"}, "no_such_subteam"),
    ("usergroups.disable", {"usergroup": "S1"}, "no_such_subteam"),
    ("usergroups.create", {"name": "On-call engineer"}, "name_already_exists"),
    ("usergroups.create", {"name": "Dana", "handle": "dana"}, "handle_already_exists"),
    ("users.info", {"user": "U1"}, "user_not_found"),
    ("users.lookupByEmail", {"email": "nobody@example.com"}, "users_not_found"),
    ("users.lookupByEmail", {"email": "frank@example.com"}, "users_not_found"),
    ("views.open", {"trigger_id": "1.2.3", "view": MODAL}, "invalid_trigger_id"),
    ("views.open", {"trigger_id": "1.2.3", "view": {"type": "modal"}}, "invalid_arguments"),
    ("views.update", {"view_id": "V1", "view": MODAL}, "not_found"),
    ("views.publish", {"user_id": DANA, "view": MODAL}, "invalid_arguments"),
]


@pytest.mark.parametrize(("method", "args", "error"), ERRORS)
def test_refuses_as_slack_does(slack: WebClient, room: str, method: str, args: dict[str, Any], error: str) -> None:
    """Each refusal carries Slack's own error."""
    filled = {name: room if value == SETUP else value for name, value in args.items()}
    assert refusal(slack, method, **filled)["error"] == error


POSTING = [
    ("ekm_access_denied", False, False),
    ("restricted_action", False, False),
    ("restricted_action_read_only_channel", False, False),
    ("restricted_action_thread_only_channel", False, True),
    ("restricted_action_non_threadable_channel", True, False),
]


@pytest.mark.parametrize(("setting", "top", "reply"), POSTING)
def test_a_channel_that_takes_no_posts(
    workspace: RunningWorkspace, slack: WebClient, room: str, setting: str, top: bool, reply: bool
) -> None:
    """A channel whose administrators restrict who writes refuses the app with Slack's error, and takes the rest."""
    parent = slack.chat_postMessage(channel=room, text="x")["ts"]
    post(workspace, f"/control/channels/{room}", posting=setting)
    for more, taken in (({}, top), ({"thread_ts": parent}, reply)):
        if taken:
            assert slack.chat_postMessage(channel=room, text="x", **more)["ok"]
        else:
            assert refusal(slack, "chat.postMessage", channel=room, text="x", **more)["error"] == setting
    assert slack.chat_update(channel=room, ts=parent, text="y")["ok"]
    assert post(workspace, f"/control/channels/{room}", posting="nonsense")["ok"] is False
    post(workspace, f"/control/channels/{room}", posting="")
    assert slack.chat_postMessage(channel=room, text="x")["ok"]


def test_a_messages_tab_that_is_off(workspace: RunningWorkspace, slack: WebClient) -> None:
    """Nobody can be written to directly, whether the conversation was open or not; groups and channels still can."""
    direct = slack.conversations_open(users=DANA)["channel"]["id"]
    post(workspace, "/control/app", messages_tab=False)
    for channel in (direct, DANA, OMAR):
        assert refusal(slack, "chat.postMessage", channel=channel, text="x")["error"] == "messages_tab_disabled"
    for user in (DANA, OMAR):
        assert refusal(slack, "conversations.open", users=user)["error"] == "messages_tab_disabled"
    assert slack.conversations_open(users=f"{DANA},{OMAR}")["ok"]
    said = post(workspace, "/ui/say", **{"as": DANA}, channel=direct, text="help")
    assert said == {"ok": False, "error": "messages_tab_disabled"}
    post(workspace, "/control/app", messages_tab=True)
    assert slack.chat_postMessage(channel=direct, text="x")["ok"]


def test_what_a_preference_forbids(workspace: RunningWorkspace, slack: WebClient, room: str) -> None:
    """A workspace preference forbids a method to the app, and no other."""
    post(workspace, "/control/app", restricted=["conversations.create", "conversations.archive"])
    assert refusal(slack, "conversations.create", name="inc-1")["error"] == "restricted_action"
    assert refusal(slack, "conversations.archive", channel=room)["error"] == "restricted_action"
    assert slack.conversations_invite(channel=room, users=DANA)["ok"]


MEMBERS_ONLY = [
    ("conversations.history", {}),
    ("conversations.replies", {"ts": "1.000000"}),
    ("conversations.setTopic", {"topic": "x"}),
    ("conversations.invite", {"users": OMAR}),
    ("conversations.archive", {}),
    ("pins.add", {"timestamp": "1.000000"}),
]


@pytest.mark.parametrize(("method", "args"), MEMBERS_ONLY)
@pytest.mark.parametrize("private", [True, False])
def test_a_bot_that_was_removed(
    workspace: RunningWorkspace, slack: WebClient, method: str, args: dict[str, Any], private: bool
) -> None:
    """Of a public channel it is no member any more, and may join again; a private one it does not even know."""
    room = slack.conversations_create(name="inc-1", is_private=private)["channel"]["id"]
    slack.conversations_invite(channel=room, users=DANA)
    post(workspace, f"/control/channels/{room}", kick=[BOT])
    error = "channel_not_found" if private else "not_in_channel"
    assert refusal(slack, method, channel=room, **args)["error"] == error
    if private:
        assert refusal(slack, "conversations.join", channel=room)["error"] == "channel_not_found"
        assert refusal(slack, "conversations.info", channel=room)["error"] == "channel_not_found"
    else:
        assert slack.conversations_join(channel=room)["ok"]


@pytest.mark.parametrize(
    ("method", "args", "error"),
    [
        ("chat.postMessage", {"text": "x"}, "is_archived"),
        ("chat.update", {"ts": "a message", "text": "x"}, "is_inactive"),
        ("conversations.archive", {}, "already_archived"),
        ("conversations.invite", {"users": OMAR}, "is_archived"),
        ("conversations.join", {}, "is_archived"),
        ("conversations.setTopic", {"topic": "x"}, "is_archived"),
    ],
)
def test_an_archived_channel(
    workspace: RunningWorkspace, slack: WebClient, room: str, method: str, args: dict[str, Any], error: str
) -> None:
    """It can be read, and nothing else."""
    ts = slack.chat_postMessage(channel=room, text="x")["ts"]
    post(workspace, f"/control/channels/{room}", is_archived=True)
    filled = {name: ts if value == "a message" else value for name, value in args.items()}
    assert refusal(slack, method, channel=room, **filled)["error"] == error
    assert slack.conversations_history(channel=room)["ok"]


TOKENS = [
    ("", "auth.test", "not_authed"),
    ("xoxb-other", "auth.test", "invalid_auth"),
    ("xapp-tocsin-sandbox", "chat.postMessage", "not_allowed_token_type"),
    ("xoxb-tocsin-sandbox", "apps.connections.open", "not_allowed_token_type"),
]


@pytest.mark.parametrize(("token", "method", "error"), TOKENS)
def test_tokens(workspace: RunningWorkspace, token: str, method: str, error: str) -> None:
    """The wrong token is refused before anything else."""
    slack = WebClient(token=token, base_url=workspace.api_url)
    assert refusal(slack, method)["error"] == error


SCOPES = [
    ("chat.postMessage", {"channel": GENERAL, "text": "x"}, "chat:write"),
    ("conversations.create", {"name": "x"}, "channels:manage"),
    ("conversations.create", {"name": "x", "is_private": True}, "groups:write"),
    ("conversations.list", {"types": "public_channel,private_channel"}, "channels:read"),
    ("conversations.open", {"users": DANA}, "im:write"),
    ("conversations.info", {"channel": GENERAL}, "channels:read"),
    ("users.lookupByEmail", {"email": "dana@example.com"}, "users:read.email"),
    ("pins.add", {"channel": GENERAL}, "pins:write"),
    ("bookmarks.add", {"channel_id": GENERAL, "title": "x", "type": "link"}, "bookmarks:write"),
    ("usergroups.list", {}, "usergroups:read"),
    ("usergroups.users.list", {"usergroup": ONCALL}, "usergroups:read"),
    ("usergroups.users.update", {"usergroup": ONCALL, "users": DANA}, "usergroups:write"),
    ("usergroups.create", {"name": "x"}, "usergroups:write"),
    ("files.getUploadURLExternal", {"filename": "a", "length": 1}, "files:write"),
]


@pytest.mark.parametrize(("method", "args", "needed"), SCOPES)
def test_missing_scope(
    workspace: RunningWorkspace, slack: WebClient, method: str, args: dict[str, Any], needed: str
) -> None:
    """A scope that the token lacks is named, beside those it has."""
    post(workspace, "/control/app", scopes=["commands"])
    answer = refusal(slack, method, **args)
    assert (answer["error"], answer["needed"], answer["provided"]) == ("missing_scope", needed, "commands")


REFERENCE = Path(__file__).parents[3] / "shared" / "slack"
TIER_NAMES = {"t1": "tier1", "t2": "tier2", "t3": "tier3", "t4": "tier4"}


@pytest.mark.skipif(not REFERENCE.exists(), reason="Slack's reference is not at hand")
@pytest.mark.parametrize("name", sorted(METHODS))
def test_agrees_with_slacks_reference(name: str) -> None:
    """Each method has the tier, the scope and the required arguments that Slack's reference gives it."""
    path = REFERENCE / "api-ref" / "methods" / f"{name}.json"
    if not path.exists():
        pytest.skip("not in the reference")
    page, method = json.loads(path.read_text()), METHODS[name]
    known = set(page["args"]["properties"])
    assert method.tier == TIER_NAMES.get(page["rate_limits"], method.tier)
    assert method.scope is None or method.scope in page["scope"]["bot"]
    assert set(method.required) <= known
    assert set(page["args"].get("required") or ()) - {"token"} <= known


@pytest.mark.skipif(not REFERENCE.exists(), reason="Slack's reference is not at hand")
@pytest.mark.parametrize(
    ("method", "error"),
    [
        *(("chat.postMessage", row[0]) for row in POSTING),
        *((method, "not_in_channel") for method, _ in MEMBERS_ONLY if not method.endswith(("history", "replies"))),
        ("chat.postMessage", "messages_tab_disabled"),
        ("chat.postMessage", "is_archived"),
        ("chat.update", "is_inactive"),
        ("chat.update", "message_not_found"),
        ("chat.delete", "message_not_found"),
        ("conversations.create", "restricted_action"),
        ("conversations.archive", "restricted_action"),
        ("conversations.join", "channel_not_found"),
        ("conversations.open", "user_disabled"),
        ("conversations.replies", "thread_not_found"),
    ],
)
def test_errors_are_slacks(method: str, error: str) -> None:
    """An error that the workspace gives for a setting or a deed stands in Slack's reference of that method."""
    page = json.loads((REFERENCE / "api-ref" / "methods" / f"{method}.json").read_text())
    assert error in page["errors"]


SHAPES = [
    ("users.info", "user", lambda slack, _: slack.users_info(user=DANA)["user"]),
    ("conversations.info", "channel", lambda slack, room: slack.conversations_info(channel=room)["channel"]),
    ("chat.postMessage", "message", lambda slack, room: slack.chat_postMessage(channel=room, text="x")["message"]),
    ("views.publish", "view", lambda slack, _: slack.views_publish(user_id=DANA, view=HOME)["view"]),
    ("team.info", "team", lambda slack, _: slack.team_info()["team"]),
    ("auth.test", None, lambda slack, _: slack.auth_test().data),
    ("usergroups.create", "usergroup", lambda slack, _: slack.usergroups_create(name="x")["usergroup"]),
    ("usergroups.list", "usergroups", lambda slack, _: slack.usergroups_list(include_users=True)["usergroups"][0]),
    ("conversations.open", "channel", lambda slack, _: slack.conversations_open(users=DANA, return_im=True)["channel"]),
]


@pytest.mark.skipif(not REFERENCE.exists(), reason="Slack's answers are not at hand")
@pytest.mark.parametrize(("name", "part", "call"), SHAPES)
def test_shapes(slack: WebClient, room: str, name: str, part: str | None, call: Callable[..., Any]) -> None:
    """No answer has a field that Slack's has not."""
    sample = json.loads((REFERENCE / "json-logs" / "api" / f"{name}.json").read_text())
    shape = sample[part] if part else sample
    # conversations.list documents is_user_deleted for direct messages; the sample has no deactivated person.
    assert set(call(slack, room)) <= {*(shape[0] if isinstance(shape, list) else shape), "is_user_deleted"}
