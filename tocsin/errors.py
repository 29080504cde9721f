"""Errors that end a command."""

from typing import Any

import click


class Refusal(click.ClickException):
    """What was asked for cannot be done; the text says why and what to do. Exit code 1."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        click.echo(self.message, file=file, err=file is None)
