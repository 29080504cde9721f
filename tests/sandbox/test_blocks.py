"""Block Kit in the local workspace: what it takes, what it refuses, and whether Slack's schema agrees."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.blockkit import held_values, message_problems, view_problems
from tests.support.block_kit_schema import SCHEMA, problems


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def option(number: int) -> dict[str, Any]:
    return {"text": plain(f"Option {number}"), "value": f"value-{number}"}


CONFIRM = {"title": plain("Sure?"), "text": mrkdwn("Really"), "confirm": plain("Yes"), "deny": plain("No")}
BUTTON = {"type": "button", "text": plain("Acknowledge"), "action_id": "ack", "value": "INC-1", "style": "primary"}
IMAGE = {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a graph"}
ELEMENTS: dict[str, dict[str, Any]] = {
    "button": {**BUTTON, "confirm": CONFIRM},
    "overflow": {"type": "overflow", "action_id": "more", "options": [option(1), option(2)]},
    "static_select": {
        "type": "static_select",
        "action_id": "pick",
        "placeholder": plain("Pick one"),
        "options": [option(1), option(2)],
        "initial_option": option(1),
    },
    "external_select": {
        "type": "external_select",
        "action_id": "service",
        "initial_option": option(1),
        "min_query_length": 0,
    },
    "multi_static_select": {"type": "multi_static_select", "action_id": "many", "options": [option(1)]},
    "radio_buttons": {"type": "radio_buttons", "action_id": "radio", "options": [option(1), option(2)]},
    "checkboxes": {"type": "checkboxes", "action_id": "check", "options": [option(1)]},
    "users_select": {"type": "users_select", "action_id": "who", "initial_user": "U0DANA0001"},
    "multi_users_select": {"type": "multi_users_select", "action_id": "all", "initial_users": ["U0DANA0001"]},
    "conversations_select": {"type": "conversations_select", "action_id": "where", "filter": {"include": ["public"]}},
    "channels_select": {"type": "channels_select", "action_id": "room", "initial_channel": "C0GENERAL1"},
    "datepicker": {"type": "datepicker", "action_id": "day", "initial_date": "2024-12-18"},
    "timepicker": {"type": "timepicker", "action_id": "time", "initial_time": "15:45"},
}
INPUTS: dict[str, dict[str, Any]] = {
    "plain_text_input": {"type": "plain_text_input", "action_id": "t", "multiline": True, "max_length": 150},
    "email_text_input": {"type": "email_text_input", "action_id": "e"},
    "url_text_input": {"type": "url_text_input", "action_id": "u"},
    "number_input": {"type": "number_input", "action_id": "n", "is_decimal_allowed": False, "min_value": "1"},
    "datetimepicker": {"type": "datetimepicker", "action_id": "dt", "initial_date_time": 1734535200},
}
RICH = {
    "type": "rich_text",
    "elements": [
        {"type": "rich_text_section", "elements": [{"type": "text", "text": "hi", "style": {"bold": True}}]},
        {
            "type": "rich_text_list",
            "style": "bullet",
            "elements": [{"type": "rich_text_section", "elements": [{"type": "user", "user_id": "U0DANA0001"}]}],
        },
        {"type": "rich_text_quote", "elements": [{"type": "emoji", "name": "fire"}]},
        {"type": "rich_text_preformatted", "elements": [{"type": "link", "url": "https://example.com"}]},
    ],
}
ROWS: list[Any] = [
    [{"type": "raw_text", "text": "severity"}, {"type": "raw_text", "text": "n"}],
    [{"type": "raw_text", "text": "P0"}, {"type": "raw_number", "value": 3, "text": "3"}],
]
CHART: dict[str, Any] = {
    "type": "bar",
    "axis_config": {"categories": ["Mon"]},
    "series": [{"name": "P0", "data": [{"label": "Mon", "value": 1}]}],
}
BLOCKS: dict[str, dict[str, Any]] = {
    "header": {"type": "header", "text": plain("Checkout is down"), "block_id": "h"},
    "divider": {"type": "divider"},
    "section": {"type": "section", "text": mrkdwn("*P0*"), "fields": [mrkdwn("a"), plain("b")], "accessory": BUTTON},
    "fields only": {"type": "section", "fields": [mrkdwn("a")]},
    "context": {"type": "context", "elements": [mrkdwn("since 15:45"), plain("x"), IMAGE]},
    "image": {**IMAGE, "title": plain("a graph")},
    "markdown": {"type": "markdown", "text": "# Title"},
    "rich_text": RICH,
    "container": {
        "type": "container",
        "title": plain("Details"),
        "subtitle": mrkdwn("of *today*"),
        "icon": IMAGE,
        "width": "wide",
        "is_collapsible": True,
        "default_collapsed": True,
        "child_blocks": [{"type": "divider"}, {"type": "section", "text": mrkdwn("*P0*"), "accessory": BUTTON}],
    },
    "container that stays open": {
        "type": "container",
        "rich_text_title": {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": []}]},
        "has_header_divider": True,
        "child_blocks": [{"type": "divider"}],
    },
    "table": {"type": "table", "rows": [[{"type": "raw_text", "text": "a"}]]},
    "data_table": {"type": "data_table", "caption": "Times", "rows": ROWS, "page_size": 10},
    "data_visualization": {"type": "data_visualization", "title": "Incidents", "chart": CHART},
    "pie": {
        "type": "data_visualization",
        "title": "Sources",
        "chart": {"type": "pie", "segments": [{"label": "people", "value": 1}]},
    },
    **{name: {"type": "actions", "elements": [row]} for name, row in ELEMENTS.items()},
    **{
        f"input {name}": {"type": "input", "label": plain("Label"), "hint": plain("Hint"), "element": row}
        for name, row in {**INPUTS, **ELEMENTS}.items()
        if name not in ("button", "overflow")
    },
}


@pytest.mark.parametrize("name", BLOCKS)
def test_takes_every_kind_of_block(name: str) -> None:
    """A block of each kind is accepted in a message."""
    assert message_problems([BLOCKS[name]]) == []


SECTION = {"type": "section", "text": mrkdwn("x")}
DRAWN, TABLE = BLOCKS["data_visualization"], BLOCKS["data_table"]


def drawn(**changed: Any) -> list[Any]:
    return [{**DRAWN, "chart": {**CHART, **changed}}]


OVER: list[tuple[list[Any], str, str]] = [
    ([DRAWN] * 3, "no more than 2 data_visualization blocks allowed", "/blocks"),
    ([{**DRAWN, "title": "x" * 51}], "must be less than 51 characters", "/blocks/0/title"),
    (drawn(series=CHART["series"] * 7), "no more than 6 items allowed", "/blocks/0/chart/series"),
    (drawn(series=CHART["series"] * 2), "series names must be unique", "/blocks/0/chart/series"),
    (drawn(axis_config={"categories": ["Tue"]}), "labels must match `categories`", "/blocks/0/chart/series/0/data"),
    ([{**TABLE, "rows": ROWS[:1]}], "no fewer than 2 items allowed", "/blocks/0/rows"),
    ([{**TABLE, "rows": [*ROWS, ROWS[1] * 2]}], "all rows must have the same number of cells", "/blocks/0/rows"),
    ([{**TABLE, "rows": [ROWS[0], *([ROWS[1]] * 101)]}], "no more than 101 items allowed", "/blocks/0/rows"),
    ([{"type": "header", "text": plain("x" * 151)}], "must be less than 151 characters", "/blocks/0/text/text"),
    ([{"type": "section", "text": mrkdwn("x" * 3001)}], "must be less than 3001 characters", "/blocks/0/text/text"),
    ([{"type": "section", "text": mrkdwn("")}], "must be more than 0 characters", "/blocks/0/text/text"),
    ([{"type": "section", "fields": [mrkdwn("x")] * 11}], "no more than 10 items allowed", "/blocks/0/fields"),
    (
        [{"type": "section", "fields": [mrkdwn("x" * 2001)]}],
        "must be less than 2001 characters",
        "/blocks/0/fields/0/text",
    ),
    ([{"type": "context", "elements": [mrkdwn("x")] * 11}], "no more than 10 items allowed", "/blocks/0/elements"),
    ([{"type": "actions", "elements": []}], "no fewer than 1 items allowed", "/blocks/0/elements"),
    ([SECTION] * 51, "no more than 50 items allowed", "/blocks"),
    ([{"type": "section"}], "must define either `text` or `fields`", "/blocks/0"),
    ([{"type": "header"}], "missing required field: text", "/blocks/0"),
    ([{"type": "header", "text": mrkdwn("x")}], "unsupported type: mrkdwn", "/blocks/0/text/type"),
    ([{"type": "banner"}], "unsupported type: banner", "/blocks/0/type"),
    ([{**SECTION, "colour": "red"}], "invalid additional property: colour", "/blocks/0"),
    ([{**SECTION, "block_id": "b" * 256}], "must be less than 256 characters", "/blocks/0/block_id"),
    (
        [{**SECTION, "block_id": "b"}] * 2,
        '`block_id` "b" already exists for another block',
        "/blocks/1/block_id",
    ),
    (
        [{**BLOCKS["container"], "is_collapsible": False}],
        "`default_collapsed` needs `is_collapsible`",
        "/blocks/0/default_collapsed",
    ),
    (
        [{**BLOCKS["container"], "child_blocks": [BLOCKS["container"]]}],
        "unsupported type: container",
        "/blocks/0/child_blocks/0/type",
    ),
    (
        [{**SECTION, "block_id": "b"}, {**BLOCKS["container"], "child_blocks": [{**SECTION, "block_id": "b"}]}],
        '`block_id` "b" already exists for another block',
        "/blocks/1/child_blocks/0/block_id",
    ),
    (
        [{"type": "actions", "elements": [BUTTON, BUTTON]}],
        '`action_id` "ack" already exists for another element',
        "/blocks/0/elements/1/action_id",
    ),
    (
        [{"type": "actions", "elements": [{**BUTTON, "action_id": str(n)} for n in range(26)]}],
        "no more than 25 items allowed",
        "/blocks/0/elements",
    ),
    (
        [{"type": "actions", "elements": [{**BUTTON, "text": plain("x" * 76)}]}],
        "must be less than 76 characters",
        "/blocks/0/elements/0/text/text",
    ),
    (
        [{"type": "actions", "elements": [{**BUTTON, "value": "x" * 2001}]}],
        "must be less than 2001 characters",
        "/blocks/0/elements/0/value",
    ),
    (
        [{"type": "actions", "elements": [{**ELEMENTS["overflow"], "options": [option(n) for n in range(6)]}]}],
        "no more than 5 items allowed",
        "/blocks/0/elements/0/options",
    ),
    (
        [{"type": "actions", "elements": [{**ELEMENTS["static_select"], "initial_option": option(9)}]}],
        "initial_option must exactly match an option",
        "/blocks/0/elements/0/initial_option",
    ),
    (
        [{"type": "actions", "elements": [{"type": "static_select", "options": [option(n) for n in range(101)]}]}],
        "no more than 100 items allowed",
        "/blocks/0/elements/0/options",
    ),
    (
        [{"type": "actions", "elements": [INPUTS["plain_text_input"]]}],
        "unsupported type: plain_text_input",
        "/blocks/0/elements/0/type",
    ),
]


@pytest.mark.parametrize(("blocks", "words", "pointer"), OVER)
def test_refuses_in_slacks_words(blocks: list[Any], words: str, pointer: str) -> None:
    """What is over a limit or out of place is refused, with the place."""
    assert f"{words} [json-pointer:{pointer}]" in message_problems(blocks)


def modal(**fields: Any) -> dict[str, Any]:
    return {"type": "modal", "title": plain("Declare"), "blocks": [SECTION], **fields}


FIELD = BLOCKS["input plain_text_input"]
VIEWS: list[tuple[Any, str, str]] = [
    (modal(title=plain("x" * 25)), "modal", "must be less than 25 characters [json-pointer:/view/title/text]"),
    (modal(submit=plain("x" * 25)), "modal", "must be less than 25 characters [json-pointer:/view/submit/text]"),
    (modal(close=plain("x" * 25)), "modal", "must be less than 25 characters [json-pointer:/view/close/text]"),
    (
        modal(private_metadata="x" * 3001),
        "modal",
        "must be less than 3001 characters [json-pointer:/view/private_metadata]",
    ),
    (modal(blocks=[SECTION] * 101), "modal", "no more than 100 items allowed [json-pointer:/view/blocks]"),
    (modal(blocks=[FIELD]), "modal", "missing required field: submit [json-pointer:/view]"),
    (modal(blocks=[BLOCKS["markdown"]]), "modal", "unsupported type: markdown [json-pointer:/view/blocks/0/type]"),
    (modal(blocks=[BLOCKS["container"]]), "modal", "unsupported type: container [json-pointer:/view/blocks/0/type]"),
    (modal(), "home", "unsupported type: modal [json-pointer:/view/type]"),
    ({"type": "modal"}, "modal", "missing required field: title [json-pointer:/view]"),
    ("text", "modal", "must be an object [json-pointer:/view]"),
]


@pytest.mark.parametrize(("view", "kind", "problem"), VIEWS)
def test_refuses_views(view: Any, kind: str, problem: str) -> None:
    """Views have limits of their own."""
    assert problem in view_problems(view, kind)


def test_takes_views() -> None:
    """A form and a Home tab are accepted."""
    form = modal(blocks=[FIELD], submit=plain("Declare"), close=plain("Cancel"), notify_on_close=True)
    assert view_problems(form, "modal") == []
    assert view_problems({"type": "home", "blocks": [SECTION]}, "home") == []


def test_values_start_with_what_the_view_says() -> None:
    """An input nobody touched holds its initial value, an empty one null."""
    pick = {"type": "input", "label": plain("L"), "block_id": "b", "element": ELEMENTS["static_select"]}
    text = {**FIELD, "block_id": "c"}
    values = held_values([pick, text], {"c": {"t": {"type": "plain_text_input", "value": ""}}}, {})
    assert values["b"]["pick"] == {"type": "static_select", "selected_option": option(1)}
    assert values["c"]["t"] == {"type": "plain_text_input", "value": None}


# Against Slack's own schema: each valid block, bent in every place in several ways.

LENGTHS = (0, 1, 30, 31, 75, 76, 150, 151, 255, 256, 2000, 2001, 3000, 3001)
# We look closer than the schema: at what is chosen at first, at addresses, at doubled ids, at groups of options.
CLOSER = (
    "same number of cells",
    "labels must match",
    "series names must be unique",
    "header takes no rich_text",
    "must exactly match",
    "must be a valid url",
    "already exists",
    "must not be used",
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield path, value
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in rows:
        yield from places(inner, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    bent = copy.deepcopy(value)
    inner = bent
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return bent


def without(value: Any, path: tuple[Any, ...]) -> Any:
    bent = copy.deepcopy(value)
    inner = bent
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return bent


def variants(value: Any) -> list[Any]:
    """Other values for one place."""
    if isinstance(value, bool):
        return ["true", None]
    if isinstance(value, str):
        return ["x" * length for length in LENGTHS] + [7, None]
    if isinstance(value, int):
        return [-1, "1"]
    if isinstance(value, list):
        return [[], value * 2, value[:1] * 6, value[:1] * 11, value[:1] * 26, value[:1] * 101, "text"]
    return [{**value, "colour": "red"}, [], None]


def bent(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, value in places(block):
        if path:
            yield without(block, path)
            yield from (replaced(block, path, new) for new in variants(value))


@pytest.mark.skipif(not SCHEMA.exists(), reason="Slack's schema is not at hand")
@pytest.mark.parametrize("name", BLOCKS)
def test_agrees_with_slacks_schema(name: str) -> None:
    """Each block, bent in every place, is refused exactly when the schema refuses it."""
    kind = f"{BLOCKS[name]['type']}_block"
    for sample in bent(BLOCKS[name]):
        ours = [p for p in message_problems([sample]) if not any(word in p for word in CLOSER)]
        assert bool(problems(sample, kind)) == bool(ours), (sample, ours)
