"""The ids that Slack fills in, the values that inputs hold, and what its clients refuse to submit."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.records import Json

# element type -> (field of its value, field of its first value, value when there is none)
HELD: dict[str, tuple[str, str, Any]] = {
    "plain_text_input": ("value", "initial_value", None),
    "email_text_input": ("value", "initial_value", None),
    "url_text_input": ("value", "initial_value", None),
    "number_input": ("value", "initial_value", None),
    "rich_text_input": ("rich_text_value", "initial_value", None),
    "static_select": ("selected_option", "initial_option", None),
    "external_select": ("selected_option", "initial_option", None),
    "radio_buttons": ("selected_option", "initial_option", None),
    "checkboxes": ("selected_options", "initial_options", []),
    "multi_static_select": ("selected_options", "initial_options", []),
    "multi_external_select": ("selected_options", "initial_options", []),
    "users_select": ("selected_user", "initial_user", None),
    "multi_users_select": ("selected_users", "initial_users", []),
    "conversations_select": ("selected_conversation", "initial_conversation", None),
    "multi_conversations_select": ("selected_conversations", "initial_conversations", []),
    "channels_select": ("selected_channel", "initial_channel", None),
    "multi_channels_select": ("selected_channels", "initial_channels", []),
    "datepicker": ("selected_date", "initial_date", None),
    "timepicker": ("selected_time", "initial_time", None),
    "datetimepicker": ("selected_date_time", "initial_date_time", None),
    "file_input": ("files", "initial_files", []),
}
NOT_ASKED = ("image", "plain_text", "mrkdwn")
PATTERNS = {
    "email_text_input": (r"^[^@\s]+@[^@\s]+\.[^@\s]+$", "Please enter a valid email address."),
    "url_text_input": (r"^https?://\S+$", "Please enter a valid URL."),
    "number_input": (r"^-?\d+(\.\d+)?$", "Please enter a valid number."),
}
REQUIRED = "Please complete this required field."


def with_ids(blocks: list[Json], fresh: Callable[[], str]) -> list[Json]:
    """The blocks with a block_id each and an action_id for each element that people use."""
    return [_with_ids(block, fresh) for block in blocks]


def _with_ids(block: Json, fresh: Callable[[], str]) -> Json:
    filled = {**block, "block_id": block.get("block_id") or fresh()}
    for name in ("accessory", "element"):
        if name in block:
            filled[name] = _named(block[name], fresh)
    if block["type"] == "actions":
        filled["elements"] = [_named(element, fresh) for element in block["elements"]]
    if block["type"] == "container":
        filled["child_blocks"] = with_ids(block["child_blocks"], fresh)
    return filled


def _named(element: Json, fresh: Callable[[], str]) -> Json:
    unnamed = element["type"] not in NOT_ASKED and not element.get("action_id")
    return {**element, "action_id": fresh()} if unnamed else element


def with_choice(values: Json, element: Json, given: Json) -> Json:
    """The values with what was just chosen in this element, where it holds one."""
    field = HELD.get(element["type"], ("",))[0]
    if field not in given:
        return values
    block = values.get(given["block_id"], {})
    chosen = {"type": element["type"], field: given[field]}
    return {**values, given["block_id"]: {**block, given["action_id"]: chosen}}


def elements(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """(block, element) of everything that people can use."""
    for block in blocks:
        yield from elements(block.get("child_blocks", []))
        inside = [block[name] for name in ("accessory", "element") if name in block]
        for element in inside or (block["elements"] if block["type"] == "actions" else []):
            if element["type"] not in NOT_ASKED:
                yield block, element


def find_element(blocks: list[Json], block_id: str, action_id: str) -> Json | None:
    """The element with these ids."""
    pairs = ((block["block_id"], element) for block, element in elements(blocks))
    return next((el for found, el in pairs if found == block_id and el["action_id"] == action_id), None)


def texts(blocks: list[Json]) -> Iterator[str]:
    """Every mrkdwn text in the blocks."""
    for block in blocks:
        candidates = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
        yield from (row["text"] for row in candidates if isinstance(row, dict) and row.get("type") == "mrkdwn")
        yield from texts(block.get("child_blocks", []))


def held_values(blocks: list[Json], given: Json, kept: Json) -> Json:
    """state.values of these blocks: what was given, else what was kept from before, else the initial values."""
    values: Json = {}
    for block, element in elements(blocks):
        if element["type"] not in HELD:
            continue
        block_id, action_id = block["block_id"], element["action_id"]
        now = given.get(block_id, {}).get(action_id) or kept.get(block_id, {}).get(action_id)
        values.setdefault(block_id, {})[action_id] = _value(element, now)
    return values


def _value(element: Json, now: Json | None) -> Json:
    field, initial, empty = HELD[element["type"]]
    same = now is not None and now.get("type", element["type"]) == element["type"] and field in now
    held = now[field] if now and same else element.get(initial, empty)
    return {"type": element["type"], field: held if held != "" else None}


def input_problems(blocks: list[Json], values: Json) -> dict[str, str]:
    """What Slack's client refuses before the app hears of it: block_id -> what to tell the person."""
    found: dict[str, str] = {}
    for block in blocks:
        if block["type"] == "input":
            element = block["element"]
            value = values[block["block_id"]][element["action_id"]][HELD[element["type"]][0]]
            problem = _input_problem(element, value, bool(block.get("optional")))
            if problem:
                found[block["block_id"]] = problem
    return found


def _input_problem(element: Json, value: Any, optional: bool) -> str | None:
    if value in (None, [], ""):
        return None if optional else REQUIRED
    if element["type"] in PATTERNS:
        pattern, words = PATTERNS[element["type"]]
        return _number_problem(element, value) if re.search(pattern, value) else words
    return _length_problem(element, value) if element["type"] == "plain_text_input" else None


def _number_problem(element: Json, value: str) -> str | None:
    if element["type"] != "number_input":
        return None
    if not element["is_decimal_allowed"] and "." in value:
        return "Please enter a whole number."
    if "min_value" in element and float(value) < float(element["min_value"]):
        return f"Please enter a number of at least {element['min_value']}."
    if "max_value" in element and float(value) > float(element["max_value"]):
        return f"Please enter a number of at most {element['max_value']}."
    return None


def _length_problem(element: Json, value: str) -> str | None:
    shortest, longest = element.get("min_length", 0), element.get("max_length", 3000)
    if len(value) < shortest:
        return f"Please enter at least {shortest} characters."
    return f"Please enter at most {longest} characters." if len(value) > longest else None
