"""The local workspace's Web API: what each method answers, and Slack's errors for what it refuses."""

from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.server import RunningWorkspace
from tests.support.http import web
from tests.support.workspace import (
    BOT,
    DANA,
    FRANK,
    GENERAL,
    GUS,
    HOME,
    MODAL,
    OMAR,
    ONCALL,
    SECTION,
    STARTING_CHANNELS,
    get,
    post,
    refusal,
    texts,
)

METADATA = {"event_type": "page", "event_payload": {"delivery": "d-1"}}


@pytest.fixture
def workspace(shared: RunningWorkspace) -> RunningWorkspace:
    post(shared, "/control/reset")
    return shared


def test_blocks_are_refused_with_their_place(slack: WebClient, room: str) -> None:
    """invalid_blocks says what is wrong where."""
    header = {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}
    answer = refusal(slack, "chat.postMessage", channel=room, text="x", blocks=[header])
    words = "must be less than 151 characters [json-pointer:/blocks/0/text/text]"
    assert (answer["errors"], answer["response_metadata"]) == ([words], {"messages": [f"[ERROR] {words}"]})


def test_posting_and_reading_back(slack: WebClient, room: str) -> None:
    """Metadata comes back only when it is asked for; stray brackets are escaped, mentions kept."""
    sent = slack.chat_postMessage(channel=room, text=f"<@{DANA}> a < b & c", blocks=[SECTION], metadata=METADATA)
    assert sent["message"]["text"] == f"<@{DANA}> a &lt; b &amp; c"
    plain = slack.conversations_history(channel=room, oldest=sent["ts"], inclusive=True)["messages"][0]
    full = slack.conversations_history(channel=room, include_all_metadata=True)["messages"][0]
    assert "metadata" not in plain
    assert full["metadata"] == METADATA
    assert full["blocks"][0]["block_id"]


@pytest.mark.parametrize("by_hand", [True, False])
def test_a_deleted_parent_leaves_a_tombstone_below_which_the_thread_goes_on(
    workspace: RunningWorkspace, slack: WebClient, room: str, by_hand: bool
) -> None:
    """Replies stay, new ones join them, and the message itself can be neither changed, pinned nor deleted again."""
    parent = slack.chat_postMessage(channel=room, text="the card")["ts"]
    reply = slack.chat_postMessage(channel=room, text="a reply", thread_ts=parent)["ts"]
    slack.pins_add(channel=room, timestamp=parent)
    if by_hand:
        assert web.delete(f"{workspace.url}/control/messages/{room}/{parent}").json()["ok"]
    else:
        slack.chat_delete(channel=room, ts=parent)
    later = slack.chat_postMessage(channel=room, text="another", thread_ts=parent)
    thread = slack.conversations_replies(channel=room, ts=parent)["messages"]
    assert later["message"]["thread_ts"] == parent
    assert [m["ts"] for m in thread] == [parent, reply, later["ts"]]
    grave = {"subtype": "tombstone", "user": "USLACKBOT", "hidden": True, "text": "This message was deleted."}
    assert grave.items() <= thread[0].items()
    assert refusal(slack, "chat.update", channel=room, ts=parent, text="x")["error"] == "message_not_found"
    assert refusal(slack, "chat.delete", channel=room, ts=parent)["error"] == "message_not_found"
    assert refusal(slack, "pins.add", channel=room, timestamp=parent)["error"] == "message_not_found"
    assert slack.pins_list(channel=room)["items"] == []


def test_a_reply_to_a_message_that_was_deleted_without_replies_goes_to_the_channel(slack: WebClient, room: str) -> None:
    """Slack takes it without an error; only the missing `thread_ts` shows it."""
    parent = slack.chat_postMessage(channel=room, text="the card")["ts"]
    slack.chat_delete(channel=room, ts=parent)
    answer = slack.chat_postMessage(channel=room, text="an orphan", thread_ts=parent)
    assert "thread_ts" not in answer["message"]
    assert slack.conversations_history(channel=room)["messages"][0]["text"] == "an orphan"
    assert refusal(slack, "conversations.replies", channel=room, ts=parent)["error"] == "thread_not_found"


def test_a_direct_message_can_be_deleted_by_the_app(workspace: RunningWorkspace, slack: WebClient) -> None:
    """Its own one is gone from the person's page, and counts as unread no more; the person's it may not delete."""
    direct = slack.conversations_open(users=DANA)["channel"]["id"]
    ts = slack.chat_postMessage(channel=direct, text="You are paged")["ts"]
    theirs = post(workspace, "/ui/say", **{"as": DANA}, channel=direct, text="on it")["ts"]
    assert slack.chat_delete(channel=direct, ts=ts)["ok"]
    shown = get(workspace, "/ui/messages", **{"as": DANA, "channel": direct})["messages"]
    assert [message["ts"] for message in shown] == [theirs]
    assert refusal(slack, "chat.delete", channel=direct, ts=theirs)["error"] == "cant_delete_message"


def test_the_last_reply_takes_the_tombstone_with_it(slack: WebClient, room: str) -> None:
    """Of a thread that was deleted message by message nothing is left."""
    parent = slack.chat_postMessage(channel=room, text="the card")["ts"]
    reply = slack.chat_postMessage(channel=room, text="a reply", thread_ts=parent)["ts"]
    slack.chat_delete(channel=room, ts=parent)
    slack.chat_delete(channel=room, ts=reply)
    assert refusal(slack, "conversations.replies", channel=room, ts=parent)["error"] == "thread_not_found"


def test_names_and_people_can_be_posted_to(slack: WebClient, room: str) -> None:
    """A channel's name leads to it, a person's id to the direct message with them."""
    assert slack.chat_postMessage(channel="#war-room", text="x")["channel"] == room
    direct = slack.chat_postMessage(channel=DANA, text="x")["channel"]
    assert direct == slack.conversations_open(users=DANA)["channel"]["id"]


def test_public_channels_need_membership_or_a_scope(workspace: RunningWorkspace, slack: WebClient) -> None:
    """With chat:write alone the app posts where it is a member."""
    slack.chat_postMessage(channel=GENERAL, text="x")
    post(workspace, "/control/app", scopes=["chat:write"])
    assert refusal(slack, "chat.postMessage", channel=GENERAL, text="x")["error"] == "not_in_channel"


def test_private_channels_are_unknown_to_outsiders(workspace: RunningWorkspace, slack: WebClient) -> None:
    """The app cannot even see a private channel that it is not in."""
    made = post(workspace, "/control/channels", name="board", is_private=True, creator=DANA)["channel"]["id"]
    assert refusal(slack, "chat.postMessage", channel=made, text="x")["error"] == "channel_not_found"
    assert made not in [row["id"] for row in slack.conversations_list(types="private_channel")["channels"]]


def test_threads(slack: WebClient, room: str) -> None:
    """A parent counts its replies; a broadcast reply is in the channel too; a reply cannot be replied to."""
    parent = slack.chat_postMessage(channel=room, text="parent")["ts"]
    quiet = slack.chat_postMessage(channel=room, text="quiet", thread_ts=parent)["ts"]
    loud = slack.chat_postMessage(channel=room, text="loud", thread_ts=parent, reply_broadcast=True)["ts"]
    history = slack.conversations_history(channel=room)["messages"]
    assert [row["ts"] for row in history][:2] == [loud, parent]
    assert (history[1]["reply_count"], history[1]["latest_reply"]) == (2, loud)
    assert [row["ts"] for row in slack.conversations_replies(channel=room, ts=parent)["messages"]] == [
        parent,
        quiet,
        loud,
    ]
    assert refusal(slack, "chat.postMessage", channel=room, text="x", thread_ts=quiet)["error"] == (
        "cannot_reply_to_message"
    )


def test_pages_of_history(slack: WebClient, room: str) -> None:
    """Cursors walk through the whole channel, newest first, each message once."""
    sent = [slack.chat_postMessage(channel=room, text=str(n))["ts"] for n in range(5)]
    seen: list[str] = []
    for page in slack.conversations_history(channel=room, limit=2, oldest=sent[0], inclusive=True):
        seen += [row["ts"] for row in page["messages"]]
    assert seen == sent[::-1]
    between = slack.conversations_history(channel=room, oldest=sent[1], latest=sent[3])["messages"]
    assert [row["ts"] for row in between] == [sent[2]]


def test_updating(slack: WebClient, room: str) -> None:
    """An update keeps what it does not name, marks the message edited and is bound to 4,000 characters."""
    sent = slack.chat_postMessage(channel=room, text="one", blocks=[SECTION], metadata=METADATA)
    changed = slack.chat_update(channel=room, ts=sent["ts"], text="two")
    assert changed["message"]["blocks"] == sent["message"]["blocks"]
    assert changed["message"]["metadata"] == METADATA
    assert changed["message"]["edited"]["user"] == BOT
    assert refusal(slack, "chat.update", channel=room, ts=sent["ts"], text="x" * 4001)["error"] == "msg_too_long"


def test_other_peoples_messages_stay(workspace: RunningWorkspace, slack: WebClient, room: str) -> None:
    """The app changes and deletes its own messages only."""
    said = post(workspace, "/ui/say", **{"as": DANA}, channel=room, text="mine")["ts"]
    assert refusal(slack, "chat.update", channel=room, ts=said, text="x")["error"] == "cant_update_message"
    assert refusal(slack, "chat.delete", channel=room, ts=said)["error"] == "cant_delete_message"


def test_archived_channels_are_read_only(slack: WebClient, room: str) -> None:
    """Nothing can be written into an archived channel, and the bot cannot bring it back."""
    sent = slack.chat_postMessage(channel=room, text="x")["ts"]
    slack.conversations_archive(channel=room)
    refused = {
        "chat.postMessage": ({"channel": room, "text": "x"}, "is_archived"),
        "chat.update": ({"channel": room, "ts": sent, "text": "x"}, "is_inactive"),
        "conversations.invite": ({"channel": room, "users": DANA}, "is_archived"),
        "conversations.setTopic": ({"channel": room, "topic": "x"}, "is_archived"),
        "conversations.archive": ({"channel": room}, "already_archived"),
        "conversations.unarchive": ({"channel": room}, "not_in_channel"),
        "pins.add": ({"channel": room, "timestamp": sent}, "is_archived"),
    }
    assert {name: refusal(slack, name, **args)["error"] for name, (args, _) in refused.items()} == {
        name: error for name, (_, error) in refused.items()
    }
    assert slack.conversations_history(channel=room)["messages"]
    assert refusal(slack, "conversations.create", name="war-room")["error"] == "name_taken"


def test_inviting(slack: WebClient, room: str) -> None:
    """One bad id fails the whole call, unless it is forced."""
    answer = refusal(slack, "conversations.invite", channel=room, users=f"{DANA},{FRANK}")
    assert answer["errors"] == [{"user": FRANK, "ok": False, "error": "cant_invite"}]
    assert slack.conversations_members(channel=room)["members"] == [BOT]
    forced = slack.api_call(
        "conversations.invite", json={"channel": room, "users": f"{DANA},{FRANK},{GUS}", "force": True}
    )
    assert forced["errors"] == answer["errors"]
    assert slack.conversations_members(channel=room)["members"] == [BOT, DANA, GUS]
    assert refusal(slack, "conversations.invite", channel=room, users=DANA)["error"] == "already_in_channel"
    slack.conversations_kick(channel=room, user=DANA)
    assert DANA not in slack.conversations_members(channel=room)["members"]


def test_rooms_come_and_go(slack: WebClient, room: str) -> None:
    """Joining, leaving, renaming, topic and purpose show in conversations.info."""
    slack.conversations_setTopic(channel=room, topic="P0")
    slack.conversations_setPurpose(channel=room, purpose="INC-1")
    slack.conversations_rename(channel=room, name="inc-1")
    shown = slack.conversations_info(channel=room, include_num_members=True)["channel"]
    assert (shown["name"], shown["topic"]["value"], shown["purpose"]["value"]) == ("inc-1", "P0", "INC-1")
    assert (shown["num_members"], shown["previous_names"]) == (1, ["war-room"])
    slack.conversations_leave(channel=room)
    assert slack.conversations_info(channel=room)["channel"]["is_member"] is False
    assert slack.conversations_join(channel=room)["channel"]["is_member"] is True
    assert [row["id"] for row in slack.users_conversations()["channels"]] == [room]


def test_listing_with_cursors(slack: WebClient) -> None:
    """Lists of channels and people come in pages."""
    names = [row["name"] for page in slack.conversations_list(limit=1) for row in page["channels"]]
    people = [row["name"] for page in slack.users_list(limit=4) for row in page["members"]]
    assert names == [*STARTING_CHANNELS]
    assert (len(people), people[0], people[-1]) == (14, "dana", "tocsin")


def test_direct_messages(workspace: RunningWorkspace, slack: WebClient) -> None:
    """Opening twice gives the same conversation; someone who left can still be written to, as in Slack."""
    first, again = slack.conversations_open(users=DANA), slack.conversations_open(users=DANA)
    assert (first["channel"]["id"], again.get("already_open")) == (again["channel"]["id"], True)
    group = slack.conversations_open(users=[DANA, OMAR])["channel"]["id"]
    assert set(slack.conversations_members(channel=group)["members"]) == {BOT, DANA, OMAR}
    post(workspace, f"/control/users/{DANA}", deleted=True)
    assert refusal(slack, "conversations.open", users=DANA)["error"] == "user_disabled"
    assert slack.chat_postMessage(channel=first["channel"]["id"], text="x")["ok"]


def test_pins_bookmarks_and_reactions(slack: WebClient, room: str) -> None:
    """Each is added once, listed, and taken away once."""
    ts = slack.chat_postMessage(channel=room, text="card")["ts"]
    slack.pins_add(channel=room, timestamp=ts)
    assert refusal(slack, "pins.add", channel=room, timestamp=ts)["error"] == "already_pinned"
    assert slack.pins_list(channel=room)["items"][0]["message"]["pinned_to"] == [room]
    slack.pins_remove(channel=room, timestamp=ts)
    assert refusal(slack, "pins.remove", channel=room, timestamp=ts)["error"] == "no_pin"
    mark = slack.bookmarks_add(channel_id=room, title="Meet", type="link", link="https://meet.example.com")["bookmark"]
    slack.bookmarks_edit(channel_id=room, bookmark_id=mark["id"], title="Zoom")
    assert [row["title"] for row in slack.bookmarks_list(channel_id=room)["bookmarks"]] == ["Zoom"]
    slack.bookmarks_remove(channel_id=room, bookmark_id=mark["id"])
    slack.reactions_add(channel=room, name="eyes", timestamp=ts)
    assert refusal(slack, "reactions.add", channel=room, name="eyes", timestamp=ts)["error"] == "already_reacted"
    slack.reactions_remove(channel=room, name="eyes", timestamp=ts)
    assert refusal(slack, "reactions.remove", channel=room, name="eyes", timestamp=ts)["error"] == "no_reaction"


def test_user_groups(slack: WebClient) -> None:
    """A group has a handle nobody else has, and members who are still here, each of them once."""
    group = slack.usergroups_create(name="On call", handle="oncall", description="Who is paged")["usergroup"]["id"]
    assert refusal(slack, "usergroups.create", name="Other", handle="oncall")["error"] == "handle_already_exists"
    slack.usergroups_users_update(usergroup=group, users=[DANA, OMAR, DANA])
    assert slack.usergroups_users_list(usergroup=group)["users"] == [DANA, OMAR]
    slack.usergroups_update(usergroup=group, name="On-call")
    rows = slack.usergroups_list(include_users=True, include_count=True)["usergroups"]
    found = [(row["handle"], row["users"], row["user_count"]) for row in rows]
    assert found == [("oncall-engineer", [DANA], 1), ("oncall", [DANA, OMAR], 2)]
    assert not {"users", "user_count"} & slack.usergroups_list()["usergroups"][0].keys()


def test_a_disabled_user_group(workspace: RunningWorkspace, slack: WebClient) -> None:
    """It is hidden and calls nobody until it is enabled again, with the members it had."""
    slack.chat_postMessage(channel=GENERAL, text=f"<!subteam^{ONCALL}>")
    assert mentions(workspace, DANA) == 1
    assert slack.usergroups_disable(usergroup=ONCALL)["usergroup"]["date_delete"] > 0
    assert mentions(workspace, DANA) == 0
    assert slack.usergroups_list()["usergroups"] == []
    assert [row["id"] for row in slack.usergroups_list(include_disabled=True)["usergroups"]] == [ONCALL]
    assert refusal(slack, "usergroups.users.list", usergroup=ONCALL)["error"] == "no_such_subteam"
    assert slack.usergroups_enable(usergroup=ONCALL)["usergroup"]["date_delete"] == 0
    assert slack.usergroups_users_list(usergroup=ONCALL)["users"] == [DANA]


def test_a_user_group_calls_its_members(workspace: RunningWorkspace, slack: WebClient) -> None:
    """Who is in the group when they look is called, nobody else; what people type means the same."""
    post(workspace, "/ui/say", **{"as": GUS}, channel=GENERAL, text="@oncall-engineer help")
    assert texts(workspace) == [f"<!subteam^{ONCALL}|@oncall-engineer> help"]
    assert [mentions(workspace, user) for user in (DANA, OMAR)] == [1, 0]
    slack.usergroups_users_update(usergroup=ONCALL, users=OMAR)
    assert [mentions(workspace, user) for user in (DANA, OMAR)] == [0, 1]


def mentions(workspace: RunningWorkspace, user: str) -> int:
    rooms = get(workspace, "/ui/state", **{"as": user})["channels"]
    return int(next(row["mentions"] for row in rooms if row["id"] == GENERAL))


def test_uploads(workspace: RunningWorkspace, slack: WebClient, room: str) -> None:
    """The SDK's own three-step upload ends in a message with the file, whose bytes can be fetched."""
    done = slack.files_upload_v2(channel=room, content="# Review", filename="review.md", initial_comment="Here")
    message = slack.conversations_history(channel=room)["messages"][0]
    assert (message["text"], message["files"][0]["id"]) == ("Here", done["file"]["id"])
    assert web.get(message["files"][0]["url_private"]).text == "# Review"


def test_permalinks(workspace: RunningWorkspace, slack: WebClient, room: str) -> None:
    """A permalink leads to the page, at the message."""
    ts = slack.chat_postMessage(channel=room, text="x")["ts"]
    link = slack.chat_getPermalink(channel=room, message_ts=ts)["permalink"]
    assert link == f"{workspace.url}/archives/{room}/p{ts.replace('.', '')}"
    assert web.get(link).headers["location"] == f"/#c={room}&ts={ts}"


async def test_the_async_client_reads_with_query_strings(workspace: RunningWorkspace) -> None:
    """GET with a query string works like POST with a body; the scopes are in a header, as Slack's."""
    slack = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
    answer = await slack.users_lookupByEmail(email="dana@example.com")
    assert answer["user"]["id"] == DANA
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")
    made = await slack.conversations_create(name="async-room", is_private=True)
    sent = await slack.chat_postMessage(channel=made["channel"]["id"], text="x", metadata=METADATA)
    read = await slack.conversations_history(channel=made["channel"]["id"], include_all_metadata=True)
    assert read["messages"][0]["metadata"] == sent["message"]["metadata"]


def test_home_tabs(slack: WebClient) -> None:
    """A Home tab is replaced when it is published again, unless the hash is old."""
    first = slack.views_publish(user_id=DANA, view=HOME)["view"]
    second = slack.views_publish(user_id=DANA, view=HOME, hash=first["hash"])["view"]
    assert second["id"] == first["id"]
    assert refusal(slack, "views.publish", user_id=DANA, view=HOME, hash=first["hash"])["error"] == "hash_conflict"


@pytest.mark.parametrize(
    ("given", "error", "place"),
    [
        ({"blocks": [SECTION]}, None, ""),
        ({"blocks": [{"type": "banner"}]}, "invalid_blocks", "/blocks/0/type"),
        ({"message": {"text": "x", "blocks": [SECTION]}}, None, ""),
        ({"message": {"text": "x", "blocks": [{"type": "banner"}]}}, "invalid_message", "/message/blocks/0/type"),
        ({"view": HOME}, None, ""),
        ({"view": MODAL}, None, ""),
        ({"view": {**MODAL, "blocks": [{"type": "banner"}]}}, "invalid_view", "/view/blocks/0/type"),
        ({}, "invalid_arguments", ""),
        ({"blocks": [SECTION], "view": HOME}, "invalid_arguments", ""),
    ],
)
def test_blocks_are_validated_without_a_post(
    workspace: RunningWorkspace, slack: WebClient, given: dict[str, Any], error: str | None, place: str
) -> None:
    """Blocks, a message or a view are checked as if they were sent; what is wrong is named with its place."""
    before = get(workspace, "/control/state")["messages"]
    if error is None:
        assert slack.api_call("blocks.validate", json=given)["ok"]
    else:
        answer = refusal(slack, "blocks.validate", **given)
        assert answer["error"] == error
        assert place in str(answer["response_metadata"]["messages"])
    assert get(workspace, "/control/state")["messages"] == before
