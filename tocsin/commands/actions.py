"""`tocsin actions`: the action items of incidents, open ones by their day."""

from dataclasses import asdict
from datetime import date
from zoneinfo import ZoneInfo

import click

from escalation.reviews.action_items import ActionItem, ItemState, in_order
from escalation.search.rows import item_row
from escalation.search.selection import ACTION_ITEMS
from escalation.storage.action_items import ActionItems
from tocsin.commands.filters import filters_alone
from tocsin.commands.incidents import NEEDS, open_store
from tocsin.commands.terminal import as_json, print_json, print_table
from tocsin.config import loader
from tocsin.config.settings import load


@click.command()
@click.argument("filters", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Include those that are done or dropped.")
@as_json
def actions(filters: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """List the action items of incidents, the open ones by their day. Of private incidents none.

    FILTERS: service:checkout owner:dana from:2026-11-01 to:2026-11-30 (the days on which they were noted)
    """
    settings = load(NEEDS)
    company, store = loader.load(settings.config).company, open_store(settings)
    selection = filters_alone(" ".join(filters), company, store, ACTION_ITEMS)
    found = (i for i in ActionItems(store.redis).all() if selection.takes(item_row(i)))
    items = [i for i in found if everything or i.state is ItemState.OPEN]
    private = {i.id for i in store.read(sorted({item.incident for item in items})) if i.private}
    today = store.now().astimezone(ZoneInfo(company.timezone)).date()
    shown = in_order((item for item in items if item.incident not in private), today)
    names = store.directory().names
    if as_json:
        print_json([asdict(item) for item in shown])
    elif not shown:
        none = "No action items yet." if everything else "No open action items."
        click.echo("No action item matches." if filters else none)
    else:
        rows = [(i.id, i.state, names.get(i.owner, i.owner), _day(i, today), _ticket(i), i.text) for i in shown]
        print_table(("id", "state", "owner", "due", "ticket", "what"), rows)


def _day(item: ActionItem, today: date) -> str:
    return f"{item.due or ''}{' overdue' if item.overdue(today) else ''}"


def _ticket(item: ActionItem) -> str:
    """Its name in the tracker, or why it has none there."""
    return item.ticket.key if item.ticket and not item.ticket.gone else item.trouble
