"""Filters of the lists in a terminal, as in Slack."""

from collections.abc import Iterable, Sequence

import click

from escalation.config.company import Company
from escalation.search.selection import INCIDENTS, Known, Selection, listed, parse_selection
from escalation.storage.store import Store
from tocsin.errors import Refusal


def parse_filters(
    typed: str, company: Company, store: Store, names: Sequence[str] = INCIDENTS, sources: Iterable[str] = ()
) -> tuple[Selection, str]:
    """Parse the filters among the words; returns them and the other words. Refusal for a wrong one."""
    known = Known.of(company, store.directory(), store.now(), sources=sources)
    try:
        return parse_selection(typed, known, names)
    except ValueError as error:
        raise Refusal(f"{error}.") from None


def filters_alone(typed: str, company: Company, store: Store, names: Sequence[str] = INCIDENTS) -> Selection:
    """Parse the filters of a list that takes no words. UsageError for a word, Refusal for a wrong filter."""
    selection, rest = parse_filters(typed, company, store, names)
    if rest:
        raise click.UsageError(f"'{rest}' is no filter; there are {listed(names)}.")
    return selection
