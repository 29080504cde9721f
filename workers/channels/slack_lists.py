"""Slack Lists: one with a row for each commitment. https://docs.slack.dev/reference/methods/slackLists.create

Paid plans have them. Nothing finds a list again whose creation got no answer; a row is found by its number.
"""

import json
import re
from typing import Any

from escalation.reviews.action_items import ItemState
from escalation.reviews.listed import Row
from escalation.storage.reviews.listed import SlackList
from workers.channels.failures import Failed, Kind
from workers.channels.slack_api import SlackApi

TITLE = "Action items of incidents"
ABOUT = "Kept by Tocsin: what is changed here does not change the action item. `/incident actions` does."
ITEM, NUMBER, OWNER, DUE, STATE = "item", "number", "owner", "due", "state"
COLORS = {ItemState.OPEN: "yellow", ItemState.DONE: "green", ItemState.DROPPED: "gray"}
# Nobody is notified by the column of people: reminders come from us.
COLUMNS: list[dict[str, Any]] = [
    {"key": ITEM, "name": "Action item", "type": "text", "is_primary_column": True},
    {"key": OWNER, "name": "Owner", "type": "user", "options": {"notify_users": False}},
    {"key": DUE, "name": "Due", "type": "date"},
    {
        "key": STATE,
        "name": "State",
        "type": "select",
        "options": {
            "format": "single_select",
            "choices": [{"value": s.value, "label": s.value.capitalize(), "color": c} for s, c in COLORS.items()],
        },
    },
    {"key": NUMBER, "name": "Number", "type": "text"},
]
# Slack's words for: this workspace, plan or app may have no lists.
REFUSED = frozenset(
    {
        *("paid_teams_only", "lists_disabled_user_team", "feature_not_enabled", "missing_scope", "restricted_action"),
        *("permission_denied", "access_denied", "unknown_method", "not_allowed_token_type", "team_not_found"),
    }
)


class SlackLists:
    """Creates and fills a list. Its methods raise Failed: LOST for the list, GONE for a row that is not there."""

    def __init__(self, api: SlackApi) -> None:
        self._slack = api

    def create(self) -> SlackList:
        """Create the list; nobody but the app sees it yet."""
        made = self._slack.call("slackLists.create", name=TITLE, description_blocks=_rich(ABOUT), schema=COLUMNS)
        schema = (made.get("list_metadata") or {}).get("schema") or []
        columns = {column["key"]: column["id"] for column in schema if column.get("key") and column.get("id")}
        if not made.get("list_id") or any(column["key"] not in columns for column in COLUMNS):
            raise Failed("unreadable_response", Kind.PASSING)  # it was made, and cannot be used
        choices = next(((c.get("options") or {}).get("choices") or [] for c in schema if c["key"] == STATE), [])
        states = {str(c["label"]).lower(): c["value"] for c in choices if c.get("label") and c.get("value")}
        return SlackList(str(made["list_id"]), columns, {s.value: states.get(s.value, s.value) for s in ItemState})

    def share(self, list_id: str, channel: str) -> None:
        """Let the members of a channel read it."""
        self._slack.call("slackLists.access.set", list_id=list_id, access_level="read", channel_ids=[channel])

    def add(self, there: SlackList, row: Row) -> str:
        """Add a row; returns its id. A second call adds a second one."""
        made = self._slack.call("slackLists.items.create", list_id=there.id, initial_fields=_cells(there, row))
        if not (made.get("item") or {}).get("id"):
            raise Failed("unreadable_response", Kind.PASSING)
        return str(made["item"]["id"])

    def update(self, there: SlackList, row_id: str, row: Row) -> None:
        """Write all cells of a row anew."""
        cells = [{"row_id": row_id, **cell} for cell in _cells(there, row)]
        self._slack.call("slackLists.items.update", list_id=there.id, cells=cells)

    def delete(self, list_id: str, row_id: str) -> None:
        """Delete a row."""
        self._slack.call("slackLists.items.delete", list_id=list_id, id=row_id)

    def find(self, there: SlackList, number: str) -> list[str]:
        """Find the rows of a number, the oldest first."""
        this = re.compile(rf"{re.escape(number)}(?!\d)")
        found = [
            (int(item.get("date_created") or 0), str(item["id"]))
            for item in self._slack.pages("slackLists.items.list", "items", list_id=there.id)
            for cell in item.get("fields") or ()
            if cell.get("column_id") == there.columns[NUMBER] and this.search(json.dumps(cell))
        ]
        return [row_id for _, row_id in sorted(found)]


def _cells(there: SlackList, row: Row) -> list[dict[str, Any]]:
    """Build the cells of a row. Text is no markup there: a mention in it is its letters."""
    values: dict[str, dict[str, Any]] = {
        ITEM: {"rich_text": _rich(row.text)},
        OWNER: {"user": [row.owner]},
        DUE: {"date": [row.due.isoformat()]},
        STATE: {"select": [there.states[row.state]]},
        NUMBER: {"rich_text": _rich(row.number)},
    }
    return [{"column_id": there.columns[key], **v} for key, v in values.items() if key != OWNER or row.owner]


def _rich(text: str) -> list[dict[str, Any]]:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return [{"type": "rich_text", "elements": [section]}]
