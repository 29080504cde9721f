"""Errors that end a command."""

from typing import Any

import click


class Refusal(click.ClickException):
    """A command that cannot be carried out; the text says why and what to do. Exit code 1."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        """Print the text alone, without click's `Error:`."""
        click.echo(self.message, file=file, err=file is None)
