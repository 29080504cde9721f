"""A report as a document: lines, tables and charts, whatever renders them. Each chart and table has a form in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from escalation.text import Line, Lines, Strong, Verbatim, line


class Number(NamedTuple):
    """A cell that sorts by its value and reads as `shown`; an empty one has no value."""

    value: float | None
    shown: str


Cell = str | Number


def count(n: int) -> Number:
    """Build the cell of a count."""
    return Number(n, f"{n:,}")


NOTHING = Number(None, "")


@dataclass(frozen=True)
class Table:
    """A table with the same number of cells in each row. `title` says what it shows."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def lines(self) -> Iterator[Line]:
        """Yield a line for each row: what it is of, then each number by its name."""
        for row in self.rows:
            named = tuple(zip(self.header, row, strict=True))
            of = ", ".join(cell for _, cell in named if isinstance(cell, str) and cell)
            figures = ", ".join(
                f"{name} {cell.shown}" for name, cell in named if isinstance(cell, Number) and cell.shown
            )
            yield line(Strong(f"{of}: "), figures) if figures else line(Verbatim(of))


@dataclass(frozen=True)
class Series:
    """A series of a chart: its name, and a value for each of the chart's labels."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Chart:
    """A bar chart of counts: `labels` along the axis, and one series or several on top of each other."""

    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]

    @property
    def total(self) -> float:
        """All counts together."""
        return sum(sum(one.values) for one in self.series)

    def lines(self) -> Iterator[Line]:
        """Yield the chart in one line for each series: every label with a count."""
        for one in self.series:
            shown = ", ".join(
                f"{label} {value:g}" for label, value in zip(self.labels, one.values, strict=True) if value
            )
            of = f"{self.title}, {one.name}" if len(self.series) > 1 else self.title
            yield line(Strong(f"{of}: "), shown or "none")


@dataclass(frozen=True)
class Section:
    """A part of a report: its table and its chart, which their own lines say as well, then what explains them."""

    title: str
    lines: Lines = ()
    table: Table | None = None
    chart: Chart | None = None


@dataclass(frozen=True)
class Document:
    """A report: its title, what matters most in a few lines, and its sections."""

    title: str
    lines: Lines
    sections: tuple[Section, ...] = ()

    def in_words(self) -> Iterator[Line]:
        """Yield the whole report as lines, tables and charts too."""
        yield line(Strong(self.title))
        yield from self.lines
        for section in self.sections:
            yield line(Strong(section.title))
            for shown in (section.table, section.chart):
                yield from shown.lines() if shown else ()
            yield from section.lines
