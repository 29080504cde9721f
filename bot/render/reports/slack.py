"""A report as a Slack message: native tables and charts, each with lines that stand in for it where Slack refuses them.

Limits: https://docs.slack.dev/reference/block-kit/blocks/data-table-block and …/data-visualization-block
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from bot.render.blockkit import CHART, DATA_TABLE, TEXT, Block, Message, context, sections
from bot.render.mrkdwn import cut, render, size
from escalation.reports.model import Cell, Chart, Document, Number, Section, Series, Table
from escalation.text import Line, Link, Strong, clean, line

MAX_CHARTS = 2  # in a message
MAX_SERIES = 6  # older workspaces take no more
MAX_POINTS = 20
MAX_LABEL = 20
MAX_TITLE = 50
MAX_ROWS = 100  # beside the header
MAX_CELL = 200
TABLE_CHARACTERS = 9_000  # of all tables of a message; Slack's own limit is 20,000
PAGE_SIZE = 10
WORDS = 8_000  # characters of all lines, tables and charts in words among them
MAX_BLOCKS = 45  # of Slack's 50
OTHERS = "others"


def report_message(document: Document, link: str = "") -> Message:
    """Render a report. The text form holds the same figures, cut to what a message holds.

    `link` opens it in the browser, for its reader alone.
    """
    written = [render(spans) for spans in document.in_words()]
    report = _Blocks()
    report.lines([line(Strong(document.title)), *document.lines], "report")
    for n, section in enumerate(document.sections):
        report.section(section, f"report-{n}")
    text = cut("\n".join(written), TEXT)
    if report.left_out:
        report.blocks.append(context("The report goes on: `tocsin report`, by mail, or in the browser.", "report-cut"))
    if link:
        opens = render(
            line(Link(link, "Open in the browser"), " with filters and CSV. The link is yours, for ten minutes.")
        )
        report.blocks.append(context(opens, "report-link"))
    return Message(text=text, blocks=report.blocks, stand_ins=report.stand_ins)


class _Blocks:
    """The blocks of a message as they are added, within its limits."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.stand_ins: dict[str, list[Block]] = {}
        self.left_out = False
        self._words, self._charts, self._characters = WORDS, MAX_CHARTS, TABLE_CHARACTERS

    def lines(self, lines: Iterable[Line], block_id: str) -> None:
        """Add lines, as many as the message still holds."""
        self.blocks += self._in_words(lines, block_id)

    def section(self, section: Section, block_id: str) -> None:
        """Add a section: its title, its table and its chart or what they say, then its lines."""
        self.lines([line(Strong(section.title))], block_id)
        if section.table and section.table.rows:
            self._native(table_block(section.table, f"{block_id}-table"), section.table)
        if section.chart and section.chart.total:
            self._native(chart_block(section.chart, f"{block_id}-chart"), section.chart)
        self.lines(section.lines, f"{block_id}-lines")

    def _native(self, block: Block, shown: Table | Chart) -> None:
        """Add a table or a chart with its stand-in; the stand-in alone where the message may hold no more of them."""
        block_id = str(block["block_id"])
        stand_in = self._in_words(shown.lines(), f"{block_id}-words")
        if len(self.blocks) + max(1, len(stand_in)) > MAX_BLOCKS or not self._holds(block):
            self.blocks += stand_in
            return
        self.blocks.append(block)
        self.stand_ins[block_id] = stand_in

    def _holds(self, block: Block) -> bool:
        if block["type"] == CHART:
            self._charts -= 1
            return self._charts >= 0
        characters = sum(len(_shown(cell)) for row in block["rows"] for cell in row)
        if characters > self._characters:
            return False
        self._characters -= characters
        return True

    def _in_words(self, lines: Iterable[Line], block_id: str) -> list[Block]:
        rendered = [render(spans) for spans in lines]
        kept = []
        for text in rendered:
            if self._words < size(text) or len(self.blocks) >= MAX_BLOCKS:
                self.left_out = True
                break
            self._words -= size(text)
            kept.append(text)
        return sections(kept, block_id)


# Native blocks -------------------------------------------------------------------------------------------------------


def table_block(table: Table, block_id: str) -> Block:
    """Build a sortable table. Columns of numbers alone sort by their values."""
    rows = table.rows[:MAX_ROWS]
    numeric = [all(map(_is_number, column)) for column in zip(*rows, strict=True)]
    header = [_text(name) for name in table.header]
    body = [[_cell(cell, numeric[n]) for n, cell in enumerate(row)] for row in rows]
    return {
        "type": DATA_TABLE,
        "block_id": block_id,
        "caption": cut(clean(table.title), MAX_CELL),
        "rows": [header, *body],
        "page_size": PAGE_SIZE,
    }


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, Number) and cell.value is not None


def _cell(cell: Cell, numeric: bool) -> dict[str, Any]:
    if isinstance(cell, Number):
        if numeric and cell.value is not None:
            return {"type": "raw_number", "value": cell.value, "text": cell.shown}
        return _text(cell.shown)
    return _text(cell)


def _text(text: str) -> dict[str, Any]:
    return {"type": "raw_text", "text": cut(clean(text), MAX_CELL) or "–"}


def _shown(cell: dict[str, Any]) -> str:
    return str(cell.get("text") or cell.get("value", ""))


def chart_block(chart: Chart, block_id: str) -> Block:
    """Build a bar chart within Slack's limits: neighbouring points are added up, and so are the smallest series."""
    chart = fitted(chart)
    return {
        "type": CHART,
        "block_id": block_id,
        "title": cut(clean(chart.title), MAX_TITLE),
        "chart": {
            "type": "bar",
            "axis_config": {"categories": list(chart.labels)},
            "series": [
                {
                    "name": one.name,
                    "data": [
                        {"label": label, "value": value} for label, value in zip(chart.labels, one.values, strict=True)
                    ],
                }
                for one in chart.series
            ],
        },
    }


def fitted(chart: Chart) -> Chart:
    """The chart with at most MAX_POINTS points and MAX_SERIES series, and names that fit. No count is lost."""
    together = -(-len(chart.labels) // MAX_POINTS)
    starts = range(0, len(chart.labels), together)
    labels = [_label(chart.labels[start : start + together]) for start in starts]
    added = [Series(one.name, tuple(sum(one.values[s : s + together]) for s in starts)) for one in chart.series]
    return replace(chart, labels=tuple(_distinct(labels)), series=tuple(_few(added)))


def _few(series: Sequence[Series]) -> list[Series]:
    """Keep the largest series under distinct names, in their order, and add the others up."""
    largest = sorted(series, key=lambda one: -sum(one.values))
    kept = largest if len(series) <= MAX_SERIES else largest[: MAX_SERIES - 1]
    shown = [one for one in series if any(one is k for k in kept)]
    rest = [one for one in series if not any(one is k for k in kept)]
    if rest:
        shown.append(Series(OTHERS, tuple(sum(values) for values in zip(*(one.values for one in rest), strict=True))))
    names = _distinct([one.name for one in shown])
    return [Series(name, one.values) for name, one in zip(names, shown, strict=True)]


def _label(labels: Sequence[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{labels[0]} to {labels[-1]}"


def _distinct(names: Sequence[str]) -> list[str]:
    """Cut names to what Slack takes, and number those that would then be the same."""
    found: list[str] = []
    for name in names:
        short, n = cut(clean(name), MAX_LABEL) or "–", 2
        while short in found:
            short = f"{cut(clean(name), MAX_LABEL - 4)} {n}"
            n += 1
        found.append(short)
    return found
