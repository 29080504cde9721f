"""What Slack refuses in tables and charts of data.

Limits: https://docs.slack.dev/reference/block-kit/blocks/data-table-block and …/data-visualization-block,
the stricter of their versions.
"""

import math
from collections.abc import Iterator
from typing import Any

from sandbox.blockkit import elements as el
from sandbox.blockkit.grammar import Check, array, by_type, complaint, integer, record, string

CHARTS = 2  # in a message
TABLE_CHARACTERS = 20_000  # of all tables of a message
RAW_TEXT = el.typed("raw_text", {"text": string()}, {})


def number(value: Any, pointer: str) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        yield complaint("must provide a finite number", pointer)


def _positive(value: Any, pointer: str) -> Iterator[str]:
    yield from number(value, pointer)
    if isinstance(value, int | float) and value <= 0:
        yield complaint("must be more than 0", pointer)


RAW_NUMBER = el.typed("raw_number", {"value": number}, {"text": string()})
LABEL = string(20)
POINT = record({"label": LABEL, "value": number}, {})
SERIES = record({"name": LABEL, "data": array(POINT, 20)}, {})
AXES = record({"categories": array(LABEL, 20, 0)}, {"x_label": string(50), "y_label": string(50)})


def _each_category_once(chart: Any, pointer: str) -> Iterator[str]:
    """One value for each category in each series, and each series with a name of its own."""
    axes, series = chart.get("axis_config"), chart.get("series")
    if not isinstance(axes, dict) or not isinstance(series, list):
        return
    categories, names = axes.get("categories"), [one.get("name") for one in series if isinstance(one, dict)]
    if len(set(map(str, names))) < len(names):
        yield complaint("series names must be unique", f"{pointer}/series")
    for position, one in enumerate(series):
        data = one.get("data") if isinstance(one, dict) else None
        labels = [point.get("label") for point in data if isinstance(point, dict)] if isinstance(data, list) else []
        if labels != categories:
            yield complaint("labels must match `categories`", f"{pointer}/series/{position}/data")


SEGMENT = record({"label": LABEL, "value": _positive}, {})
_BY_SERIES = {
    kind: el.typed(kind, {"series": array(SERIES, 6), "axis_config": AXES}, {}, _each_category_once)
    for kind in ("bar", "line", "area")
}
CHART = by_type({**_BY_SERIES, "pie": el.typed("pie", {"segments": array(SEGMENT, 6)}, {})})


def rows_alike(value: Any, pointer: str) -> Iterator[str]:
    """Each row with as many cells as the header, which has no rich text."""
    rows = value.get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        return
    if len({len(row) for row in rows}) > 1:
        yield complaint("all rows must have the same number of cells", f"{pointer}/rows")
    if rows and any(isinstance(cell, dict) and cell.get("type") == "rich_text" for cell in rows[0]):
        yield complaint("the header takes no rich_text", f"{pointer}/rows/0")


def blocks(rich_cell: Check) -> dict[str, tuple[dict[str, Check], dict[str, Check], Check | None]]:
    """The fields of both blocks: those that they need, those that they may have, and a rule over the whole."""
    cell = by_type({"raw_text": RAW_TEXT, "raw_number": RAW_NUMBER, "rich_text": rich_cell})
    table = {"caption": string(), "rows": array(array(cell, 20), 101, 2)}
    return {
        "data_table": (table, {"page_size": integer(1, 100), "row_header_column_index": integer(0, 19)}, rows_alike),
        "data_visualization": ({"title": string(50), "chart": CHART}, {}, None),
    }


def in_a_message(found: list[Any], pointer: str) -> Iterator[str]:
    """What Slack refuses in the tables and charts of one message together."""
    kinds = [block.get("type") for block in found if isinstance(block, dict)]
    if kinds.count("data_visualization") > CHARTS:
        yield complaint(f"no more than {CHARTS} data_visualization blocks allowed", pointer)
    cells = (
        cell
        for block in found
        if isinstance(block, dict) and block.get("type") == "data_table" and isinstance(block.get("rows"), list)
        for row in block["rows"]
        if isinstance(row, list)
        for cell in row
        if isinstance(cell, dict)
    )
    if sum(len(str(cell.get("text") or cell.get("value") or "")) for cell in cells) > TABLE_CHARACTERS:
        yield complaint(f"tables must be less than {TABLE_CHARACTERS + 1} characters", pointer)
