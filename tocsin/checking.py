"""`tocsin check`: a configuration against its policy."""

from pathlib import Path
from typing import Any

import click

from tocsin import config
from tocsin.config import ConfigError, Finding
from tocsin.settings import load
from tocsin.terminal import as_json, print_json


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@as_json
def check(file: Path | None, as_json: bool) -> None:
    """Validate a configuration. FILE, or TOCSIN_CONFIG: file, line, what is wrong, what would be right."""
    path = file or load(("TOCSIN_CONFIG",)).config
    errors, warnings = findings(path)
    if as_json:
        print_json({"file": str(path), "ok": not errors, "errors": _rows(errors), "warnings": _rows(warnings)})
    else:
        click.echo("\n".join(told(path, errors, warnings)))
    if errors:
        raise click.exceptions.Exit(1)


def findings(path: Path) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """What is wrong with a configuration (a severity that pages nobody at first included), and what is worth a look."""
    try:
        loaded = config.load(path)
    except ConfigError as wrong:
        return wrong.findings, ()
    return loaded.gaps, loaded.warnings


def told(path: Path, errors: tuple[Finding, ...], warnings: tuple[Finding, ...]) -> list[str]:
    """The findings as lines, and a verdict."""
    lines = [*map(str, errors), *(f"{w.file}:{w.line}: warning: {w.text}" for w in warnings)]
    count = f"{len(errors)} {'thing is' if len(errors) == 1 else 'things are'} wrong"
    return [*lines, f"{path}: {count}." if errors else f"{path} is fine."]


def _rows(found: tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [f._asdict() for f in found]
