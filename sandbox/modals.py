"""Views: the stack of modals that each person has open, and their Home tab."""

import hashlib
import json

from sandbox import blockkit, shapes
from sandbox.records import Json, Trigger, View
from sandbox.state import Workspace

DEEPEST = 3
LARGEST = 250_000


def fresh_trigger(workspace: Workspace, user: str, from_modal: bool = False) -> str:
    """A trigger_id for what this person just did. Long expired ones are dropped."""
    now = workspace.now()
    for old in [key for key, row in workspace.triggers.items() if row.expires < now - 60]:
        del workspace.triggers[old]
    number = workspace.serial()
    secret = hashlib.sha256(f"{number} {now}".encode()).hexdigest()[:32]
    key = f"{round(now * 1000)}.{number}.{secret}"
    expires = now + workspace.trigger_seconds
    workspace.triggers[key] = Trigger(id=key, user=user, expires=expires, from_modal=from_modal)
    return key


def trigger_problem(workspace: Workspace, key: str) -> str | None:
    """Slack's error for a trigger_id that cannot be exchanged any more."""
    trigger = workspace.triggers.get(key)
    if trigger is None:
        return "invalid_trigger_id"
    if trigger.used:
        return "exchanged_trigger_id"
    return "expired_trigger_id" if workspace.now() > trigger.expires else None


def exchange(workspace: Workspace, key: str) -> Trigger:
    """Use a trigger_id up."""
    trigger = workspace.triggers[key]
    workspace.triggers[key] = trigger.changed(used=True)
    return trigger


def stack(workspace: Workspace, user: str) -> list[View]:
    """The modals this person has open, the top one last."""
    return [workspace.views[key] for key in workspace.stacks.get(user, [])]


def open_modal(workspace: Workspace, user: str, body: Json) -> View:
    """Show a modal in place of whatever was open."""
    close_all(workspace, user)
    return _show(workspace, _fresh(workspace, user, body, None))


def push(workspace: Workspace, user: str, body: Json) -> View:
    """Show a modal over the one that is open."""
    return _show(workspace, _fresh(workspace, user, body, stack(workspace, user)[-1]))


def update(workspace: Workspace, view: View, body: Json) -> View:
    """Replace a view's content. What people typed stays where block_id and action_id stay."""
    filled = _filled(workspace, body)
    values = blockkit.held_values(filled["blocks"], {}, view.values)
    return _show(workspace, view.changed(body=filled, values=values, hash=_hash(workspace, filled)))


def remember(workspace: Workspace, view: View, given: Json) -> View:
    """Keep what the person has filled in so far."""
    values = blockkit.held_values(view.body["blocks"], given, view.values)
    changed: View = view.changed(values=values)
    workspace.views[view.id] = changed
    return changed


def publish(workspace: Workspace, user: str, body: Json) -> View:
    """Set someone's Home tab."""
    before = workspace.homes.get(user)
    if before is not None:
        return update(workspace, workspace.views[before], body)
    view = _fresh(workspace, user, body, None)
    workspace.homes[user] = view.id
    return _show(workspace, view)


def close(workspace: Workspace, view: View) -> None:
    """Take a modal away, and those above it."""
    keys = workspace.stacks.get(view.user, [])
    position = keys.index(view.id)
    for key in keys[position:]:
        del workspace.views[key]
        workspace.hint("view_closed", [view.user], view_id=key)
    workspace.stacks[view.user] = keys[:position]


def close_all(workspace: Workspace, user: str) -> None:
    open_now = stack(workspace, user)
    if open_now:
        close(workspace, open_now[0])


def external_id_taken(workspace: Workspace, external_id: str, view_id: str | None) -> bool:
    rows = (row for row in workspace.views.values() if row.id != view_id)
    return bool(external_id) and any(row.body.get("external_id") == external_id for row in rows)


def too_large(body: Json) -> bool:
    return len(json.dumps(body)) > LARGEST


def _fresh(workspace: Workspace, user: str, body: Json, below: View | None) -> View:
    key, filled = workspace.fresh_id("V"), _filled(workspace, body)
    return View(
        id=key,
        user=user,
        body=filled,
        hash=_hash(workspace, filled),
        values=blockkit.held_values(filled["blocks"], {}, {}),
        root=below.root if below else key,
        previous=below.id if below else None,
    )


def _filled(workspace: Workspace, body: Json) -> Json:
    return {**body, "blocks": blockkit.with_ids(body["blocks"], lambda: workspace.fresh_id("b"))}


def _hash(workspace: Workspace, body: Json) -> str:
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:8]
    return f"{int(workspace.now())}.{digest}{workspace.serial()}"


def _show(workspace: Workspace, view: View) -> View:
    workspace.views[view.id] = view
    if view.body["type"] == "home":
        workspace.hint("home", [view.user], view=shapes.view(workspace, view))
        return view
    keys = workspace.stacks.get(view.user, [])
    if view.id not in keys:
        workspace.stacks[view.user] = [*keys, view.id]
    workspace.hint("view", [view.user], view=shapes.view(workspace, view))
    return view
