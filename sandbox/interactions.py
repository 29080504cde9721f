"""What the app is sent when a person does something.

Shapes: https://docs.slack.dev/reference/interaction-payloads
"""

import secrets
from typing import Any

from sandbox import company, modals, shapes
from sandbox.records import Channel, Json, Message, Person, ResponseHook, View
from sandbox.setup import Shortcut
from sandbox.state import Workspace

RESPONSE_SECONDS = 1_800.0
REPORTED = ("type", "action_id", "text", "value", "style", "url", "placeholder", "confirm")
CHANNEL_NAMES = {"im": "directmessage", "private": "privategroup"}


def command(workspace: Workspace, person: Person, channel: Channel, name: str, words: str) -> Json:
    """A slash command, as the form fields that Slack sends."""
    return {
        "token": "",
        "team_id": workspace.team_id,
        "team_domain": company.TEAM_DOMAIN,
        "channel_id": channel.id,
        "channel_name": channel_name(channel),
        "user_id": person.id,
        "user_name": person.name,
        "command": name,
        "text": words,
        "api_app_id": workspace.app_id,
        "is_enterprise_install": "false",
        "response_url": response_url(workspace, person.id, channel.id),
        "trigger_id": modals.fresh_trigger(workspace, person.id),
    }


def channel_name(channel: Channel) -> str:
    return CHANNEL_NAMES.get(channel.kind, channel.name)


def response_url(workspace: Workspace, user: str, channel: str, row: Message | None = None) -> str:
    """Where the app may answer later: five times in half an hour."""
    key = f"{workspace.serial()}-{secrets.token_urlsafe(12)}"
    workspace.hooks[key] = ResponseHook(
        id=key,
        user=user,
        channel=channel,
        expires=workspace.now() + RESPONSE_SECONDS,
        ts=row.ts if row else None,
        thread_ts=row.thread_ts if row else None,
    )
    return f"{workspace.base_url}/response/{key}"


def _common(workspace: Workspace, kind: str, person: Person) -> Json:
    return {
        "type": kind,
        "team": {"id": workspace.team_id, "domain": company.TEAM_DOMAIN},
        "user": {
            "id": person.id,
            "username": person.name,
            "name": person.name,
            "team_id": workspace.team_id,
        },
        "api_app_id": workspace.app_id,
        "token": "",
        "enterprise": None,
        "is_enterprise_install": False,
    }


def message_action(workspace: Workspace, person: Person, row: Message, action: Json, values: Json) -> Json:
    """A click on, or a choice in, a message."""
    channel = workspace.channels[row.channel]
    container = {
        "type": "message",
        "message_ts": row.ts,
        "channel_id": row.channel,
        "is_ephemeral": row.ephemeral_to is not None,
        **({"thread_ts": row.thread_ts} if row.thread_ts else {}),
    }
    return {
        **_common(workspace, "block_actions", person),
        "container": container,
        "trigger_id": modals.fresh_trigger(workspace, person.id),
        "channel": {"id": channel.id, "name": channel_name(channel)},
        "message": shapes.message(workspace, row),
        "state": {"values": values},
        "response_url": response_url(workspace, person.id, row.channel, row),
        "actions": [action],
    }


def view_action(workspace: Workspace, person: Person, view: View, action: Json) -> Json:
    """A click or a choice in a modal or on the Home tab."""
    modal = view.body["type"] == "modal"
    return {
        **_common(workspace, "block_actions", person),
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": modals.fresh_trigger(workspace, person.id, from_modal=modal),
        "view": shapes.view(workspace, view),
        "actions": [action],
    }


def action_of(workspace: Workspace, element: Json, given: Json) -> Json:
    """The action as Slack reports it: what the element is, and what the person chose."""
    known: Json = {name: value for name, value in element.items() if name in REPORTED or name.startswith("initial_")}
    chosen = {name: value for name, value in given.items() if name.startswith("selected_")}
    if "value" in given:  # a button's too: the value that the presser's copy of the message had
        chosen["value"] = given["value"]
    return {**known, **chosen, "block_id": given["block_id"], "action_ts": workspace.fresh_ts()}


def suggestion(workspace: Workspace, person: Person, place: Json, given: Json) -> Json:
    """What somebody typed into an external select; `place` says in which message or view it stands."""
    typed = {name: given[name] for name in ("block_id", "action_id", "value")}
    return {**_common(workspace, "block_suggestion", person), **typed, **place}


def suggestion_in_message(workspace: Workspace, row: Message) -> Json:
    """The place of an external select in a message."""
    channel = workspace.channels[row.channel]
    container = {"type": "message", "message_ts": row.ts, "channel_id": row.channel, "is_ephemeral": False}
    named = {"id": channel.id, "name": channel_name(channel)}
    return {"container": container, "channel": named, "message": shapes.message(workspace, row)}


def suggestion_in_view(workspace: Workspace, view: View) -> Json:
    """The place of an external select in a modal or on the Home tab."""
    return {"container": {"type": "view", "view_id": view.id}, "view": shapes.view(workspace, view)}


def submission(workspace: Workspace, person: Person, view: View) -> Json:
    return {
        **_common(workspace, "view_submission", person),
        "trigger_id": modals.fresh_trigger(workspace, person.id, from_modal=True),
        "view": shapes.view(workspace, view),
        "response_urls": [],
    }


def closing(workspace: Workspace, person: Person, view: View, cleared: bool) -> Json:
    shape = shapes.view(workspace, view)
    return {**_common(workspace, "view_closed", person), "view": shape, "is_cleared": cleared}


def shortcut(workspace: Workspace, person: Person, entry: Shortcut, row: Message | None) -> Json:
    """A global shortcut, or one of a message."""
    kind = "shortcut" if row is None else "message_action"
    payload: dict[str, Any] = {
        **_common(workspace, kind, person),
        "callback_id": entry.callback_id,
        "trigger_id": modals.fresh_trigger(workspace, person.id),
        "action_ts": workspace.fresh_ts(),
    }
    if row is None:
        return payload
    channel = workspace.channels[row.channel]
    return {
        **payload,
        "channel": {"id": channel.id, "name": channel_name(channel)},
        "message_ts": row.ts,
        "message": shapes.message(workspace, row),
        "response_url": response_url(workspace, person.id, row.channel, row),
    }
