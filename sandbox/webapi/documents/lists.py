"""slackLists.*: tables with columns of a type each. Cells are checked as Slack checks them.

Shapes and errors: https://docs.slack.dev/reference/methods/slackLists.create and its siblings.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from sandbox.records import Json, SlackList
from sandbox.state import Workspace
from sandbox.webapi.paging import page, with_cursor
from sandbox.webapi.registry import Call, SlackError, method

MOST_CELLS = 100  # of one update
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
FIELDS = {"text": "rich_text", "user": "user", "date": "date", "select": "select"}  # column type -> key of its cells


def named(call: Call, error: str = "list_not_found") -> SlackList:
    row = call.workspace.lists.get(call.text("list_id"))
    if row is None:
        raise SlackError(error)
    return row


def store(workspace: Workspace, row: SlackList, **fields: Any) -> None:
    workspace.lists[row.id] = row.changed(**fields)


# Columns -------------------------------------------------------------------------------------------------------------


@method("slackLists.create", "tier2", "lists:write", ["name"])
def create(call: Call) -> Json:
    workspace, wanted = call.workspace, call.structure("schema", "invalid_schema") or []
    if not isinstance(wanted, list) or not all(map(_is_column, wanted)):
        raise SlackError("invalid_schema")
    if any(column["type"] not in FIELDS for column in wanted):
        raise SlackError("invalid_column_type")
    if [c["type"] for c in wanted if c.get("is_primary_column")] != ["text"]:
        raise SlackError("invalid_primary_column")
    columns = [{**column, "id": workspace.fresh_id("Col")} for column in wanted]
    key = workspace.fresh_id("F")
    workspace.lists[key] = SlackList(id=key, title=call.text("name"), columns=columns)
    return {"list_id": key, "list_metadata": {"schema": columns, "subtask_schema": []}}


def _is_column(column: Any) -> bool:
    if not isinstance(column, dict) or not all(isinstance(column.get(k), str) for k in ("key", "name", "type")):
        return False
    choices = (column.get("options") or {}).get("choices")
    return column["type"] != "select" or (
        isinstance(choices, list) and all({"value", "label", "color"} <= set(choice) for choice in choices)
    )


@method("slackLists.access.set", "tier3", "lists:write", ["list_id", "access_level"])
def set_access(call: Call) -> Json:
    row, channels, users = named(call), call.words("channel_ids"), call.words("user_ids")
    if bool(channels) == bool(users) or call.text("access_level") not in ("read", "write", "owner"):
        raise SlackError("invalid_parameters")
    if any(channel not in call.workspace.channels for channel in channels):
        raise SlackError("channel_not_found")
    if any(user not in call.workspace.users for user in users):
        raise SlackError("user_not_found")
    levels = dict.fromkeys((*channels, *users), call.text("access_level"))
    store(call.workspace, row, access={**row.access, **levels})
    return {}


# Rows ----------------------------------------------------------------------------------------------------------------


@method("slackLists.items.create", "tier3", "lists:write", ["list_id"])
def add(call: Call) -> Json:
    row, fields = named(call), call.structure("initial_fields", "invalid_args") or []
    if not isinstance(fields, list):
        raise SlackError("invalid_args")
    cells = dict(_checked(call.workspace, row, cell) for cell in fields)
    key = call.workspace.fresh_id("Rec")
    store(call.workspace, row, rows={**row.rows, key: cells}, made={**row.made, key: int(call.workspace.now())})
    return {"item": shape(call.workspace.lists[row.id], key)}


@method("slackLists.items.update", "tier3", "lists:write", ["list_id", "cells"])
def update(call: Call) -> Json:
    row, cells = named(call, "file_not_found"), call.structure("cells", "invalid_arguments")
    if not isinstance(cells, list) or not 1 <= len(cells) <= MOST_CELLS:
        raise SlackError("invalid_arguments")
    rows = {key: dict(fields) for key, fields in row.rows.items()}
    for cell in cells:
        column, value = _checked(call.workspace, row, cell)
        if cell.get("row_id") not in rows:
            raise SlackError("invalid_row_id")
        rows[cell["row_id"]][column] = value
    store(call.workspace, row, rows=rows)
    return {}


@method("slackLists.items.delete", "tier2", "lists:write", ["list_id", "id"])
def delete(call: Call) -> Json:
    row = named(call)
    if call.text("id") not in row.rows:
        raise SlackError("record_not_found")
    drop(call.workspace, row, call.text("id"))
    return {}


def drop(workspace: Workspace, row: SlackList, key: str) -> None:
    """Take a row out, by whomever."""
    store(workspace, row, rows={other: cells for other, cells in row.rows.items() if other != key})


@method("slackLists.items.list", "tier2", "lists:read", ["list_id"])
def items(call: Call) -> Json:
    row = named(call)
    shown, cursor = page(call, list(row.rows), str, 100, 1000)
    return {"items": [shape(row, key) for key in shown], **with_cursor(cursor)}


def shape(row: SlackList, key: str) -> Json:
    """An item as Slack gives it: each cell with its column, its value and its words."""
    keys = {column["id"]: column["key"] for column in row.columns}
    fields = [
        {"key": keys[column], "column_id": column, "value": str(value), "text": words(value), **value}
        for column, value in row.rows[key].items()
    ]
    return {"id": key, "list_id": row.id, "date_created": row.made[key], "fields": fields}


def words(cell: Json) -> str:
    """What a cell says, without its markup."""
    [(kind, value)] = cell.items()
    if kind != "rich_text":
        return ", ".join(map(str, value))
    return "".join(text["text"] for block in value for section in block["elements"] for text in section["elements"])


# Cells ---------------------------------------------------------------------------------------------------------------


def _checked(workspace: Workspace, row: SlackList, cell: Any) -> tuple[str, Json]:
    """The column and the value of a cell, or why Slack takes none of that kind."""
    if not isinstance(cell, dict) or not cell.get("column_id"):
        raise SlackError("column_id_not_provided")
    column = next((c for c in row.columns if c["id"] == cell["column_id"]), None)
    if column is None:
        raise SlackError("invalid_column_id")
    kind = FIELDS[column["type"]]
    if set(cell) - {"row_id", "column_id"} != {kind} or not isinstance(cell[kind], list) or not cell[kind]:
        raise SlackError("invalid_input_type")
    for value in cell[kind]:
        _CHECKS[kind](workspace, column, value)
    return column["id"], {kind: cell[kind]}


def _rich_text(_workspace: Workspace, _column: Json, block: Any) -> None:
    try:
        sections = block["elements"] if block["type"] == "rich_text" else None
        texts = [text for section in sections or () for text in section["elements"]]
        valid = bool(texts) and all(text["type"] == "text" and text["text"] for text in texts)
    except (KeyError, TypeError):
        valid = False
    if not valid:
        raise SlackError("invalid_blocks")


def _user(workspace: Workspace, _column: Json, user: Any) -> None:
    if user not in workspace.users or workspace.users[user].deleted:
        raise SlackError("user_not_found")


def _date(_workspace: Workspace, _column: Json, day: Any) -> None:
    try:
        valid = DAY.fullmatch(day) is not None and date.fromisoformat(day) is not None
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise SlackError("invalid_date")


def _select(_workspace: Workspace, column: Json, choice: Any) -> None:
    if choice not in [each["value"] for each in column["options"]["choices"]]:
        raise SlackError("invalid_option_id")


_CHECKS: dict[str, Callable[[Workspace, Json, Any], None]] = {
    "rich_text": _rich_text,
    "user": _user,
    "date": _date,
    "select": _select,
}
