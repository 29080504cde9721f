"""views.*: modals and the Home tab."""

from typing import Any

from sandbox import blockkit, modals, shapes
from sandbox.records import Json, Trigger, View
from sandbox.webapi.registry import Call, SlackError, method, refused


def checked_view(call: Call, kind: str, view_id: str | None = None) -> Json:
    """The view of this call, refused as Slack would."""
    body: Any = call.structure("view", "invalid_arguments")
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if value is not None}
    problems = blockkit.view_problems(body, kind)
    if problems:
        raise refused("invalid_arguments", problems)
    if modals.too_large(body):
        raise SlackError("view_too_large")
    if modals.external_id_taken(call.workspace, body.get("external_id", ""), view_id):
        raise SlackError("duplicate_external_id")
    checked: Json = body
    return checked


def exchanged(call: Call) -> Trigger:
    """Use this call's trigger_id up."""
    key = call.text("trigger_id") or call.text("interactivity_pointer")
    problem = modals.trigger_problem(call.workspace, key)
    if problem:
        raise SlackError(problem)
    return modals.exchange(call.workspace, key)


def answer(call: Call, view: View) -> Json:
    return {"view": shapes.view(call.workspace, view)}


@method("views.open", "tier4", required=["view"])
def open_view(call: Call) -> Json:
    body = checked_view(call, "modal")
    return answer(call, modals.open_modal(call.workspace, exchanged(call).user, body))


@method("views.push", "tier4", required=["view"])
def push(call: Call) -> Json:
    body = checked_view(call, "modal")
    trigger = exchanged(call)
    depth = len(modals.stack(call.workspace, trigger.user))
    if depth == 0:
        raise SlackError("not_found")
    if depth >= modals.DEEPEST:
        raise SlackError("push_limit_reached")
    return answer(call, modals.push(call.workspace, trigger.user, body))


@method("views.update", "tier4", required=["view"])
def update(call: Call) -> Json:
    view = _named(call)
    body = checked_view(call, view.body["type"], view.id)
    _check_hash(call, view)
    return answer(call, modals.update(call.workspace, view, body))


@method("views.publish", "tier4", required=["user_id", "view"])
def publish(call: Call) -> Json:
    user = call.person(call.text("user_id"), "invalid_arguments").id
    before = call.workspace.homes.get(user)
    body = checked_view(call, "home", before)
    if before is not None:
        _check_hash(call, call.workspace.views[before])
    return answer(call, modals.publish(call.workspace, user, body))


def _named(call: Call) -> View:
    rows, external_id = call.workspace.views, call.text("external_id")
    by_external = (row for row in rows.values() if external_id and row.body.get("external_id") == external_id)
    view = rows.get(call.text("view_id")) or next(by_external, None)
    if view is None:
        raise SlackError("not_found")
    return view


def _check_hash(call: Call, view: View) -> None:
    if call.text("hash") and call.text("hash") != view.hash:
        raise SlackError("hash_conflict")
