"""Shared parts of the commands: options, tables for people, plain lines for pipes, JSON for scripts, errors."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click
import redis
from rich.console import Console
from rich.table import Table
from rich.text import Text

from escalation.errors import TooNew
from escalation.storage.redis_faults import explain
from escalation.text import one_line
from escalation.times import parse_duration
from tocsin.config.loader import ConfigError
from tocsin.config.settings import SettingsError
from tocsin.errors import Refusal
from tocsin.run.embedded import EmbeddedError

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


class Length(click.ParamType[timedelta]):
    """Option type of a duration: `20m` -> timedelta."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Parse a duration; a usage error says how to write one."""
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def parse_instant(text: str, zone: str, *, last: bool = False) -> datetime:
    """Parse a day or a time; without an offset it is in the zone. The `last` day is meant with all its hours."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(f"Not a day or a time: {text}. Write it like 2026-11-01 or 2026-11-01T09:00.") from None
    if last and len(text) <= len("2026-11-01"):
        at += timedelta(days=1)
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


class Commands(click.Group):
    """Command group that prints errors which people can fix as text, never as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and turn known errors into a Refusal."""
        try:
            return super().invoke(ctx)
        except (SettingsError, ConfigError, EmbeddedError) as error:
            raise Refusal(str(error)) from None
        except TooNew as newer:
            raise Refusal(f"{newer}: use the `tocsin` of that version.") from None
        except redis.RedisError as error:
            fault = explain(error)
            raise Refusal(f"{fault.text}: {fault.remedy}. Run `tocsin doctor` for details.") from None


def print_json(data: Any) -> None:
    """Print JSON, indented so that people can read it too."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in a terminal, tab-separated lines in a pipe."""
    if not sys.stdout.isatty():
        for row in [tuple(c.upper() for c in columns), *rows]:
            click.echo("\t".join(one_line(cell) for cell in row))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    Console().print(table)
