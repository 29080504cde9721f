"""Answers of the app to a person: through a response_url, or in the acknowledgement of a command."""

from typing import Any

from sandbox import blockkit, posting, text
from sandbox.records import Json, Message, ResponseHook
from sandbox.state import Workspace


def use(workspace: Workspace, key: str, body: Any) -> tuple[int, Json | None]:
    """(HTTP status, error body or None) of a POST to a response_url."""
    hook = workspace.hooks.get(key)
    if hook is None or workspace.now() > hook.expires:
        return 404, {"ok": False, "error": "expired_url"}
    if hook.uses_left == 0:
        return 404, {"ok": False, "error": "used_url"}
    error = problem(body)
    if error is not None:
        return 400, {"ok": False, "error": error}
    workspace.hooks[key] = hook.changed(uses_left=hook.uses_left - 1)
    _apply(workspace, hook, body)
    return 200, None


def problem(body: Any) -> str | None:
    """Slack's error for a message that it would not show."""
    if not isinstance(body, dict):
        return "invalid_payload"
    if body.get("delete_original"):
        return None
    if body.get("blocks") and blockkit.message_problems(body["blocks"]):
        return "invalid_blocks"
    return None if body.get("text") or body.get("blocks") or body.get("attachments") else "no_text"


def answer_command(workspace: Workspace, user: str, channel: str, body: Json) -> str | None:
    """Show what a command was acknowledged with; gives Slack's error when it cannot be shown."""
    error = problem(body)
    if error is None:
        hook = ResponseHook(id="", user=user, channel=channel, expires=0.0)
        _say(workspace, hook, body)
    return error


def _apply(workspace: Workspace, hook: ResponseHook, body: Json) -> None:
    original = workspace.message(hook.channel, hook.ts) if hook.ts else None
    if body.get("delete_original"):
        if original is not None:
            posting.remove(workspace, original, workspace.bot_user)
    elif body.get("replace_original") and original is not None:
        posting.edit(workspace, original, **_content(body))
    else:
        _say(workspace, hook, body)


def _say(workspace: Workspace, hook: ResponseHook, body: Json) -> Message:
    public = body.get("response_type") == "in_channel"
    return posting.post(
        workspace,
        workspace.channels[hook.channel],
        workspace.bot_user,
        thread_ts=body.get("thread_ts") or hook.thread_ts,
        ephemeral_to=None if public else hook.user,
        **_content(body),
    )


def _content(body: Json) -> Json:
    return {
        "text": text.from_app(str(body.get("text") or "")),
        "blocks": body.get("blocks") or [],
        "attachments": body.get("attachments") or [],
    }
