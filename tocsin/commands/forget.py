"""`tocsin forget`: delete what is kept of a mail address."""

import click

from escalation.storage.public.subscribers import Subscribers
from tocsin.commands.incidents import NEEDS, open_store
from tocsin.config.settings import load


@click.command()
@click.argument("address")
def forget(address: str) -> None:
    """Delete a subscriber of the status page, and what their address asked for. Exit code 1 when there was nothing."""
    found = Subscribers(open_store(load(NEEDS)).redis).forget(address.strip())
    click.echo("Deleted." if found else "Nothing is kept of that address.")
    raise SystemExit(0 if found else 1)
