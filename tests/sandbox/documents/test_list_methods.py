"""Slack Lists of the local workspace: what each method answers, and what Slack refuses."""

from typing import Any

import pytest
from slack_sdk import WebClient

from sandbox.server import RunningWorkspace
from tests.support.http import web
from tests.support.workspace import DANA, GENERAL, get, post, refusal
from workers.channels.slack_lists import COLUMNS

Json = dict[str, Any]
ITEM = "item"


def words(text: str) -> list[Json]:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return [{"type": "rich_text", "elements": [section]}]


@pytest.fixture
def workspace(shared: RunningWorkspace) -> RunningWorkspace:
    post(shared, "/control/reset")
    return shared


@pytest.fixture
def made(workspace: RunningWorkspace, slack: WebClient) -> Json:
    """A list: its id and the ids of its columns by their keys."""
    answer: Any = slack.api_call("slackLists.create", json={"name": "A list", "schema": COLUMNS}).data
    return {"id": answer["list_id"]} | {c["key"]: c["id"] for c in answer["list_metadata"]["schema"]}


def test_rows_are_added_changed_listed_and_deleted(made: Json, slack: WebClient, workspace: RunningWorkspace) -> None:
    """An update writes the cells that it names, and no others."""
    fields = [
        {"column_id": made[ITEM], "rich_text": words("One")},
        {"column_id": made["owner"], "user": [DANA]},
        {"column_id": made["due"], "date": ["2024-12-31"]},
        {"column_id": made["state"], "select": ["open"]},
    ]
    ids = [
        slack.api_call("slackLists.items.create", json={"list_id": made["id"], "initial_fields": fields})["item"]["id"]
        for _ in range(3)
    ]
    cells = [{"row_id": ids[1], "column_id": made[ITEM], "rich_text": words("Two")}]
    slack.api_call("slackLists.items.update", json={"list_id": made["id"], "cells": cells})
    slack.api_call("slackLists.items.delete", json={"list_id": made["id"], "id": ids[0]})
    first = slack.api_call("slackLists.items.list", params={"list_id": made["id"], "limit": 1}).data
    assert isinstance(first, dict)
    cursor = first["response_metadata"]["next_cursor"]
    [second] = slack.api_call("slackLists.items.list", params={"list_id": made["id"], "cursor": cursor})["items"]
    assert ([i["id"] for i in first["items"]], second["id"]) == ([ids[1]], ids[2])
    shown = {field["column_id"]: field["text"] for field in first["items"][0]["fields"]}
    assert shown == {made[ITEM]: "Two", made["owner"]: DANA, made["due"]: "2024-12-31", made["state"]: "open"}
    slack.api_call(
        "slackLists.access.set", json={"list_id": made["id"], "access_level": "read", "channel_ids": [GENERAL]}
    )
    [table] = get(workspace, "/control/lists")["lists"]
    assert (table["access"], [row["item"] for row in table["rows"]]) == ({"#general": "read"}, ["Two", "One"])
    page = web.get(f"{workspace.url}/lists/T/{made['id']}").text
    assert all(said in page for said in ("A list", "#general (read)", "Two", "Dana", "2024-12-31"))


CELLS: dict[str, tuple[str, Json, str]] = {
    "no column": ("", {}, "column_id_not_provided"),
    "unknown column": ("Col0", {"rich_text": words("x")}, "invalid_column_id"),
    "a text that is a string": (ITEM, {"rich_text": "x"}, "invalid_input_type"),
    "a text that is empty": (ITEM, {"rich_text": words("")}, "invalid_blocks"),
    "a text that is no rich text": (ITEM, {"rich_text": [{"type": "section"}]}, "invalid_blocks"),
    "a date in a text": (ITEM, {"date": ["2024-12-31"]}, "invalid_input_type"),
    "nobody": ("owner", {"user": []}, "invalid_input_type"),
    "somebody unknown": ("owner", {"user": ["U0NOBODY01"]}, "user_not_found"),
    "a day that is none": ("due", {"date": ["2024-02-30"]}, "invalid_date"),
    "a day written otherwise": ("due", {"date": ["31.12.2024"]}, "invalid_date"),
    "another choice": ("state", {"select": ["maybe"]}, "invalid_option_id"),
}


@pytest.mark.parametrize("case", CELLS)
def test_cells_of_another_kind_are_refused(made: Json, slack: WebClient, case: str) -> None:
    """Nothing is written then."""
    column, value, error = CELLS[case]
    cell = {"column_id": made.get(column, column), **value}
    answer = refusal(slack, "slackLists.items.create", list_id=made["id"], initial_fields=[cell])
    assert answer["error"] == error
    assert slack.api_call("slackLists.items.list", params={"list_id": made["id"]})["items"] == []


def test_what_is_not_there_has_a_name_of_its_own(made: Json, slack: WebClient) -> None:
    """Each method has its word for a list, and for a row, that is not there."""
    cell = {"row_id": "Rec0", "column_id": made[ITEM], "rich_text": words("x")}
    there, away = {"list_id": made["id"]}, {"list_id": "F0"}
    assert refusal(slack, "slackLists.items.update", **there, cells=[cell])["error"] == "invalid_row_id"
    assert refusal(slack, "slackLists.items.delete", **there, id="Rec0")["error"] == "record_not_found"
    assert refusal(slack, "slackLists.items.update", **away, cells=[cell])["error"] == "file_not_found"
    for method, more in (("items.delete", {"id": "Rec0"}), ("items.create", {}), ("items.list", {})):
        assert refusal(slack, f"slackLists.{method}", **away, **more)["error"] == "list_not_found"


SCHEMAS: dict[str, tuple[Any, str]] = {
    "no list": ("x", "invalid_schema"),
    "a column without a name": ([{"key": "a", "type": "text"}], "invalid_schema"),
    "a choice without a label": ([{**COLUMNS[3], "options": {"choices": [{"value": "a"}]}}], "invalid_schema"),
    "an unknown type": ([COLUMNS[0], {"key": "a", "name": "A", "type": "moon"}], "invalid_column_type"),
    "no primary column": (COLUMNS[1:], "invalid_primary_column"),
    "two of them": ([COLUMNS[0], COLUMNS[0]], "invalid_primary_column"),
}


@pytest.mark.parametrize("case", SCHEMAS)
def test_a_schema_is_checked(workspace: RunningWorkspace, slack: WebClient, case: str) -> None:
    """A list has one primary column, of text."""
    schema, error = SCHEMAS[case]
    assert refusal(slack, "slackLists.create", name="x", schema=schema)["error"] == error
    assert get(workspace, "/control/lists")["lists"] == []
