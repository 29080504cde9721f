"""A report as a mail: text and HTML with the same tables, and the incidents of its period as a CSV file."""

from collections.abc import Mapping, Sequence
from html import escape

from escalation.figures.report import IncidentReport
from escalation.figures.spreadsheet import csv_of
from escalation.messages.mail import Attachment, Mail
from escalation.reports.model import Cell, Chart, Document, Number, Table
from escalation.text import Line, Strong, text
from escalation.values import PersonId

# Mail programs read styles in the elements only.
_TABLE = "border-collapse:collapse;margin:8px 0"
_CELL = "border:1px solid #bbb;padding:4px 8px;text-align:left"
_NUMBER = f"{_CELL};text-align:right;white-space:nowrap"
_LABEL = "padding:0 8px 0 0;font-weight:400;text-align:left;white-space:nowrap"
_BARS = "white-space:nowrap"
_BAR = "display:inline-block;height:10px"
_COLOUR = "#1264a3"
_COLOURS = {"P0": "#b3182c", "P1": "#b85c00", "P2": "#1c6bb0", "P3": "#5f6875"}
LONGEST_BAR = 160  # pixels: with its counts no wider than a phone

Names = Mapping[PersonId, str]


def report_mail(document: Document, figures: IncidentReport, names: Names, name: str, link: str = "") -> Mail:
    """Write the mail of a report. `name` is that of its file; `link` shows it in a browser."""
    goes_on = [f"\nIn the browser: {link}"] if link else []
    body = "\n".join([text(tuple(document.in_words()), names), *goes_on])
    sheet = csv_of(figures.observations, figures.recurred) if figures.observations else ""
    files = (Attachment(f"{name}.csv", "text", "csv", sheet.encode()),) if sheet else ()
    return Mail(document.title, body, html=_html(document, names, link), attachments=files)


def _html(document: Document, names: Names, link: str) -> str:
    parts = [f"<h1 style='font-size:20px'>{escape(document.title)}</h1>", _lines(document.lines, names)]
    for section in document.sections:
        parts.append(f"<h2 style='font-size:16px'>{escape(section.title)}</h2>")
        parts += [table_html(section.table)] if section.table and section.table.rows else []
        parts += [_chart(section.chart)] if section.chart and section.chart.total else []
        parts.append(_lines(section.lines, names))
    parts += [f'<p><a href="{escape(link)}">Open it in the browser</a></p>'] if link else []
    style = "font:15px/1.5 system-ui,sans-serif;max-width:760px"
    return f'<!doctype html><html lang="en"><body style="{style}">{"".join(parts)}</body></html>'


def _lines(lines: tuple[Line, ...], names: Names) -> str:
    return "".join(f"<p style='margin:4px 0'>{_line(spans, names)}</p>" for spans in lines)


def _line(spans: Line, names: Names) -> str:
    shown = ((text(((span,),), names), isinstance(span, Strong)) for span in spans)
    return "".join(f"<b>{escape(words)}</b>" if strong else escape(words) for words, strong in shown)


def table_html(table: Table) -> str:
    """Build the table, for a mail."""
    head = "".join(f"<th scope=col style='{_CELL}'>{escape(name)}</th>" for name in table.header)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in table.rows)
    return _captioned(table.title, f"<tr>{head}</tr>{rows}")


def _cell(cell: Cell) -> str:
    if isinstance(cell, Number):
        return f"<td style='{_NUMBER}'>{escape(cell.shown)}</td>"
    return f"<td style='{_CELL}'>{escape(text(((cell,),)))}</td>"


def _chart(chart: Chart) -> str:
    """Draw a bar for each label, its series one after another, and say its counts beside it.

    Pictures are blocked in mail, and need another host.
    """
    columns = list(zip(*(one.values for one in chart.series), strict=True))
    most = max(1.0, *map(sum, columns))
    bars = (_bar(chart, values, most) for values in columns)
    rows = (
        f"<tr><th scope=row style='{_LABEL}'>{escape(label)}</th><td style='{_BARS}'>{bar}</td></tr>"
        for label, bar in zip(chart.labels, bars, strict=True)
    )
    return _captioned(chart.title, "".join(rows))


def _bar(chart: Chart, values: Sequence[float], most: float) -> str:
    several = len(chart.series) > 1
    parts = [(one.name, value) for one, value in zip(chart.series, values, strict=True) if value]
    drawn = "".join(
        f"<span style='{_BAR};width:{LONGEST_BAR * n / most:.0f}px;background:{_COLOURS.get(name, _COLOUR)}'></span>"
        for name, n in parts
    )
    said = ", ".join(f"{escape(name)} {value:g}" if several else f"{value:g}" for name, value in parts)
    return f"{drawn} {said or '0'}"


def _captioned(title: str, rows: str) -> str:
    table = f"<table style='{_TABLE}'><caption style='text-align:left'>{escape(title)}</caption>{rows}</table>"
    return f"<div style='overflow-x:auto'>{table}</div>"
