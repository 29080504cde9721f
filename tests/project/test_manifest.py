"""The app's manifest asks for what the code uses, and for nothing else."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bot import app
from bot.handlers import shortcuts
from bot.handlers.after import item_notes
from bot.render.lists import DECLARE

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT.parent / "shared" / "slack"
MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yml").read_text())
METHOD = re.compile(
    r"(apps|auth|bookmarks|canvases|chat|conversations|dnd|files|pins|reactions|slackLists|team|usergroups|users|views)\.[a-zA-Z.]+"
)

# Which scopes a method needs for what we do with it: public and private rooms, and direct messages where marked.
ROOMS = {"channels:manage", "groups:write"}
READ = {"channels:read", "groups:read"}
HISTORY = {"channels:history", "groups:history", "im:history"}
EVENTS = {"pins:read", "reactions:read"}  # what is subscribed to: https://docs.slack.dev/reference/events/pin_added
SCOPES: dict[str, set[str]] = {
    "apps.connections.open": set(),
    "auth.test": set(),
    "bookmarks.add": {"bookmarks:write"},
    "bookmarks.list": {"bookmarks:read"},
    "canvases.access.delete": {"canvases:write"},
    "canvases.access.set": {"canvases:write"},
    "canvases.create": {"canvases:write"},
    "canvases.delete": {"canvases:write"},
    "canvases.edit": {"canvases:write"},
    "canvases.getContent": {"canvases:read"},
    "canvases.sections.lookup": {"canvases:read"},
    "chat.delete": {"chat:write"},
    "chat.deleteScheduledMessage": {"chat:write"},
    "chat.getPermalink": set(),
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write"},
    "chat.scheduleMessage": {"chat:write"},
    "chat.scheduledMessages.list": set(),
    "chat.update": {"chat:write"},
    "conversations.archive": ROOMS,
    "conversations.canvases.create": {"canvases:write"},
    "conversations.create": ROOMS,
    "conversations.rename": ROOMS,
    "conversations.history": HISTORY,
    "conversations.info": READ,
    "conversations.invite": ROOMS,
    "conversations.join": {"channels:join"},
    "conversations.list": READ,
    "conversations.members": READ,
    "conversations.open": {"im:write"},
    "conversations.replies": HISTORY,
    "conversations.setPurpose": ROOMS,
    "conversations.setTopic": ROOMS,
    "dnd.teamInfo": {"dnd:read"},
    "pins.add": {"pins:write"},
    "slackLists.access.set": {"lists:write"},
    "slackLists.create": {"lists:write"},
    "slackLists.items.create": {"lists:write"},
    "slackLists.items.delete": {"lists:write"},
    "slackLists.items.list": {"lists:read"},
    "slackLists.items.update": {"lists:write"},
    "usergroups.list": {"usergroups:read"},
    "usergroups.users.list": {"usergroups:read"},
    "usergroups.users.update": {"usergroups:write"},
    "users.info": {"users:read"},
    "users.lookupByEmail": {"users:read", "users:read.email"},
    "views.open": set(),
    "views.publish": set(),
    "views.update": set(),
}


def called(room: str) -> set[str]:
    """The Web API methods that a package names: as client.users_info(...) or as "users.info"."""
    return {method for path in (ROOT / room).rglob("*.py") for method in _methods(ast.parse(path.read_text()))}


def _methods(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield from _method(node.func.attr.replace("_", "."))
            yield from (m for a in node.args if isinstance(a, ast.Constant) for m in _method(a.value))


def _method(name: object) -> Iterator[str]:
    if isinstance(name, str) and METHOD.fullmatch(name):
        yield name


def test_the_scopes_are_those_of_the_methods_called() -> None:
    """No scope is missing, none is asked for in vain."""
    used = called("bot") | called("workers")
    needed = {scope for method in used for scope in SCOPES[method]} | {"commands"} | EVENTS
    assert set(MANIFEST["oauth_config"]["scopes"]["bot"]) == needed


def test_the_command_line_needs_no_more_scopes() -> None:
    """`tocsin doctor` and `tocsin init` look with the same token."""
    needed = {scope for method in called("tocsin") for scope in SCOPES[method]}
    assert needed <= set(MANIFEST["oauth_config"]["scopes"]["bot"])


@pytest.mark.parametrize("method", sorted(SCOPES))
def test_the_table_of_scopes_is_slacks(method: str) -> None:
    """Each scope in the table is one that Slack lists for that method."""
    path = REFERENCE / "api-ref" / "methods" / f"{method}.json"
    if not path.exists():
        pytest.skip("Slack's reference is not here")
    listed = set((json.loads(path.read_text())["scope"] or {}).get("bot", []))
    assert SCOPES[method] - {"users:read"} <= listed


def test_the_manifest_is_valid() -> None:
    """It follows Slack's schema of version 1."""
    path = REFERENCE / "manifest" / "manifest.schema.1.0.0.json"
    if not path.exists():
        pytest.skip("Slack's schema is not here")
    schema = json.loads(path.read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(MANIFEST)


def registered(*kinds: str) -> set[str]:
    """What app.py registers with app.event(...), app.command(...) and so on."""
    names = {
        "COMMAND": app.COMMAND,
        "DECLARE": DECLARE,
        "DECLARE_FROM_MESSAGE": shortcuts.DECLARE_FROM_MESSAGE,
        "FROM_MESSAGE": item_notes.FROM_MESSAGE,
    }
    calls = [n for n in ast.walk(ast.parse(Path(app.__file__).read_text())) if isinstance(n, ast.Call)]
    found = [c.args[0] for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr in kinds and c.args]
    return {_value(argument, names) for argument in found}


def _value(argument: ast.expr, names: dict[str, str]) -> str:
    match argument:
        case ast.Constant(value=str(value)):
            return value
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return names[name]
    raise AssertionError(ast.dump(argument))


def test_commands_shortcuts_and_events_are_those_registered() -> None:
    """What Slack may send is what somebody listens to."""
    features, settings = MANIFEST["features"], MANIFEST["settings"]
    shown = {
        kind: {s["callback_id"] for s in features["shortcuts"] if s["type"] == kind} for kind in ("global", "message")
    }
    assert {c["command"] for c in features["slash_commands"]} == registered("command")
    assert shown["global"] == registered("global_shortcut")
    assert shown["message"] == registered("message_shortcut")
    subscribed = {event.partition(".")[0] for event in settings["event_subscriptions"]["bot_events"]}
    assert subscribed == registered("event")  # `message.im` arrives as `message`


def test_people_can_be_named_and_the_socket_is_on() -> None:
    """Mentions arrive as ids, buttons work, and no public address is needed."""
    assert MANIFEST["features"]["slash_commands"][0]["should_escape"] is True
    assert MANIFEST["settings"]["interactivity"]["is_enabled"] is True
    assert MANIFEST["settings"]["socket_mode_enabled"] is True
