"""Filters of the lists in Slack, as people type them."""

import re
from collections.abc import Iterable, Sequence

from bot.access import Access, Requester
from bot.parsing.command import unescape
from escalation.errors import Refused
from escalation.search.selection import INCIDENTS, Known, Selection, parse_selection

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")


async def parse_filters(
    access: Access, requester: Requester, typed: str, names: Sequence[str] = INCIDENTS, sources: Iterable[str] = ()
) -> tuple[Selection, str]:
    """Parse the filters among the words that somebody typed; returns them and the other words. Refused for a wrong one.

    `names` are the filters of this list, `sources` those of alerts.
    """
    text = unescape(_MENTION.sub(r"@\1", typed))

    def known() -> Known:
        deps = access.deps
        return Known.of(deps.company, deps.store.directory(), deps.service.clock(), requester.id, sources)

    try:
        return parse_selection(text, await access.run(known), names)
    except ValueError as error:
        raise Refused(f"{error}.") from None
