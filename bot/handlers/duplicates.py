"""Open incidents that may be the problem somebody is about to declare: one press in the form joins instead."""

from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.access import Access, StoreUnavailable, requester_of
from bot.handlers.perform import Perform
from bot.handlers.reply import Reply, explain_errors, open_modal
from bot.moves.declare import described, words_of
from bot.moves.form_state import FormState
from bot.render.common import card_url
from bot.render.inputs import FormValues, View, notice
from bot.render.mrkdwn import escape, link
from escalation.search.document import Document
from escalation.search.likeness import find_same


class Duplicates:
    """Finder of likely duplicates for a form that is being filled in, and listener of *Same problem* in it."""

    def __init__(self, access: Access, perform: Perform) -> None:
        self._access = access
        self._perform = perform

    async def of(self, view: View) -> tuple[Document, ...]:
        """Find what is like the words in the form so far, and as bad or worse; nothing while the store is away."""
        said = described(FormValues(view), FormState.decode(view["private_metadata"]))
        if not (said.title.strip() and said.severity):
            return ()
        try:
            return await self._access.run(self._find, said)
        except StoreUnavailable:
            return ()

    def _find(self, said: Document) -> tuple[Document, ...]:
        with self._access.search as index:
            return tuple(d for d in find_same(index, said) if d.severity <= said.severity)

    async def on_join(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Hand on what was written to the open incident, in place of a declaration, and invite who wrote it."""
        await ack()
        requester, view = requester_of(body), body["view"]
        reply = Reply(self._access.client, requester.id, FormState.decode(view["private_metadata"]).response_url)
        async with explain_errors(reply):
            incident = await self._perform.report_again(requester, action["value"], words_of(FormValues(view)))
            named = link(card_url(incident, self._access.directory.url), incident.id)
            said = f"No new incident was declared. Your report was posted to {named}: {escape(incident.facts.title)}."
            await open_modal(
                self._access.client, body, notice("Same problem", said), Reply.to(self._access.client, body)
            )
