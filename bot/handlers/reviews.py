"""Reviews in Slack: /incident review, and the form of people's words."""

from datetime import datetime
from typing import Any

from bot.access import Access, Requester
from bot.errors import InvalidForm
from bot.handlers.reply import Reply, open_modal
from bot.moves.form import Submission
from bot.moves.form_state import FormState
from bot.reviews.form import CHANGED, review_message, review_modal, seen_in, words_in
from escalation.incident.events import Move
from escalation.incident.model import Incident
from escalation.reviews.action_items import ActionItem
from escalation.reviews.draft import draft
from escalation.reviews.model import Review, Written
from escalation.storage.action_items import ActionItems
from escalation.storage.reviews import Reviews
from escalation.text import Line, line
from escalation.values import PersonId

WRITE = "write"


class ReviewWords:
    """Handler of the command and of the form. Whoever may see an incident may read its review."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._reviews = Reviews(access.deps.redis)
        self._items = ActionItems(access.deps.redis)

    async def run(
        self, requester: Requester, incident: Incident, text: str, body: dict[str, Any], reply: Reply
    ) -> None:
        """Answer `review [ID]` with the review, `review ID write` with its form."""
        incident = await self._access.see(requester, incident.id)
        review = await self._review(incident)
        if text.strip().lower() != WRITE:
            await reply(review_message(review))
            return
        await self._access.admit(Move.REVIEWED, requester, incident)
        state = FormState(incident=incident.id, response_url=reply.response_url)
        await open_modal(self._access.client, body, review_modal(review, state), reply)

    async def save(self, requester: Requester, submission: Submission) -> tuple[Line, ...]:
        """Save the words of a submitted form. Raises InvalidForm where somebody else wrote meanwhile, or Refused."""
        incident = await self._access.see(requester, submission.state.incident)
        await self._access.admit(Move.REVIEWED, requester, incident)
        words, seen = submission.read(words_in), seen_in(submission)
        now = await self._access.run(self._access.deps.service.clock)
        foreign = await self._access.run(self._write, incident.id, words, requester.id, now, seen)
        if foreign:
            raise InvalidForm(foreign)
        missing = (await self._review(incident)).missing
        left = f" Still to be written: {', '.join(s.title.lower() for s in missing)}." if missing else ""
        return (line(f"Saved in the review of {incident.id}.{left}"),)

    def _write(
        self, incident_id: str, words: dict[str, str], by: PersonId, now: datetime, seen: dict[str, str]
    ) -> dict[str, str]:
        """Write; return an error for each section that somebody else has changed since."""
        foreign = self._reviews.write(incident_id, words, by, now, seen=seen)
        written = self._reviews.written(incident_id) if foreign else {}
        names = self._access.directory.names
        return {key: CHANGED.format(who=names.get(written[key].by, "Somebody")) for key in foreign}

    async def _review(self, incident: Incident) -> Review:
        return draft(incident, *await self._access.run(self._read, incident.id))

    def _read(self, incident_id: str) -> tuple[dict[str, Written], list[ActionItem]]:
        return self._reviews.written(incident_id), self._items.of(incident_id)
