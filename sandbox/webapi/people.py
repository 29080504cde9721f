"""users.*: people."""

from sandbox import shapes
from sandbox.records import Json
from sandbox.webapi.paging import page, with_cursor
from sandbox.webapi.registry import Call, SlackError, method


@method("users.info", "tier4", "users:read", ["user"])
def info(call: Call) -> Json:
    return {"user": shapes.person(call.workspace, call.person(call.text("user")))}


@method("users.list", "tier2", "users:read")
def list_(call: Call) -> Json:
    shown, cursor = page(call, list(call.workspace.users.values()), lambda row: row.id, 200, 1000)
    members = [shapes.person(call.workspace, row) for row in shown]
    return {"members": members, "cache_ts": int(call.workspace.now()), **with_cursor(cursor)}


@method("users.lookupByEmail", "tier3", "users:read.email", ["email"])
def lookup(call: Call) -> Json:
    """Deactivated people are not found, as in Slack."""
    wanted = call.text("email").lower()
    rows = call.workspace.users.values()
    found = next((row for row in rows if row.email and row.email.lower() == wanted and not row.deleted), None)
    if found is None:
        raise SlackError("users_not_found")
    return {"user": shapes.person(call.workspace, found)}


@method("users.getPresence", "tier3", "users:read")
def presence(call: Call) -> Json:
    person = call.person(call.text("user", call.user))
    return {"presence": "away" if person.deleted else "active"}
