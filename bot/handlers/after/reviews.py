"""Reviews in Slack: /incident review, the form of people's words, and the canvas."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from bot.access import Access, Requester
from bot.errors import InvalidForm
from bot.handlers.reply import Reply, open_modal, short_message
from bot.moves.form import Submission
from bot.moves.form_state import FormState
from bot.moves.review import CHANGED, canvas_message, published_lines, review_message, review_modal, seen_in, words_in
from bot.parsing.command import unescape
from bot.render.reviews import canvas as document
from bot.render.reviews.markdown import checked
from bot.slack.canvases import CanvasClient, CanvasGone, NoCanvas
from bot.slack.client import UNREACHABLE, slack_error
from escalation.errors import Refused
from escalation.incident.events.moves import Move
from escalation.incident.model import Incident
from escalation.reviews.action_items import ActionItem
from escalation.reviews.draft import draft
from escalation.reviews.model import Review, Written
from escalation.storage.action_items import ActionItems
from escalation.storage.reviews import Reviews
from escalation.storage.reviews.canvases import Base, Canvas, Canvases
from escalation.storage.reviews.documents import ReviewDocuments
from escalation.storage.surfaces import CANVAS, Surfaces
from escalation.text import Line, line
from escalation.values import PersonId

log = structlog.get_logger("bot")
WRITE = "write"
ON_CANVAS = "canvas"
USAGE = "Use `/incident review`, `review ID write` or `review ID canvas`."
NO_CANVAS = (
    "Slack takes no canvas here ({why}). Write with `/incident review {id} write`, "
    "or edit the document that `tocsin review` prints."
)
CUT_SHORT = "Slack did not take all of it ({why}). What was done stands; `/incident review {id} canvas` does the rest."
DELETED = "The former canvas was deleted: this is a new one, with the words that were read from it last."
BUSY = "Somebody else is bringing this canvas up to date just now."


class ReviewWords:
    """Handler of the command, the form and the canvas. Whoever may see an incident may read its review."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._reviews = Reviews(access.deps.redis)
        self._items = ActionItems(access.deps.redis)
        self._canvases = ReviewCanvases(access)
        self._documents = ReviewDocuments(access.deps.redis)

    async def run(
        self, requester: Requester, incident: Incident, text: str, body: dict[str, Any], reply: Reply
    ) -> None:
        """Answer `review [ID]` with the review, `review ID write` with its form, `review ID canvas` with its canvas."""
        incident = await self._access.see(requester, incident.id)
        asked = text.strip().lower()
        if asked not in ("", WRITE, ON_CANVAS):
            raise Refused(f"There is no `/incident review {unescape(text.strip())}`. {USAGE}")
        if asked in (WRITE, ON_CANVAS):
            await self._access.admit(Move.REVIEWED, requester, incident)
        if asked == ON_CANVAS:
            url, notes = await self._canvases.bring_up_to_date(requester, incident, await self._review(incident))
            await reply(canvas_message(incident.id, url, notes) if url else short_message(*notes))
            return
        canvas, notes = await self._canvases.read_back(incident, await self._review(incident))
        review = await self._review(incident)
        if asked == WRITE:
            state = FormState(incident=incident.id, response_url=reply.response_url)
            await open_modal(self._access.client, body, review_modal(review, state), reply)
        else:
            published = await self._access.run(self._documents.of, incident.id)
            said, on_the_web = (*published_lines(published), *notes), bool(self._access.deps.service.public_url)
            await reply(review_message(review, canvas.url if canvas else "", said, on_the_web=on_the_web))

    async def save(self, requester: Requester, submission: Submission) -> tuple[Line, ...]:
        """Save the words of a submitted form. Raises InvalidForm where somebody else wrote meanwhile, or Refused."""
        incident = await self._access.see(requester, submission.state.incident)
        await self._access.admit(Move.REVIEWED, requester, incident)
        words, seen = submission.read(words_in), seen_in(submission)
        now = await self._access.run(self._access.deps.service.clock)
        foreign = await self._access.run(self._write, incident.id, words, requester.id, now, seen)
        if foreign:
            raise InvalidForm(foreign)
        await self._access.run(self._access.deps.service.see_review, incident.id)
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


class ReviewCanvases:
    """Canvases of reviews: made once, words read back, the record brought up to date line by line."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._slack = CanvasClient(access.client)
        self._reviews = Reviews(access.deps.redis)
        self._canvases = Canvases(access.deps.redis)
        self._surfaces = Surfaces(access.deps.redis)

    async def read_back(self, incident: Incident, review: Review) -> tuple[Canvas | None, tuple[Line, ...]]:
        """Store what people wrote in the canvas; returns it, and what there is to say: it may not be readable now."""
        canvas = await self._access.run(self._canvases.of, incident.id)
        if canvas is None:
            return None, ()
        try:
            merge = await self._merge(
                incident, canvas, document.read(await self._slack.content(canvas.id), review), review
            )
        except CanvasGone:
            await self._access.run(self._canvases.forget, incident.id)
            return None, (line("Its canvas was deleted; these are the words that were read from it last."),)
        except (NoCanvas, *UNREACHABLE) as error:
            why = str(error) if isinstance(error, NoCanvas) else slack_error(error)
            return canvas, (line(f"Its canvas could not be read ({why}): it may say more than this."),)
        return canvas, tuple(self._said(merge, review))

    async def bring_up_to_date(
        self, requester: Requester, incident: Incident, review: Review
    ) -> tuple[str, tuple[Line, ...]]:
        """Make the canvas, or bring it up to date. Returns its link, or none where Slack takes no canvas, and notes."""
        if why := await self._access.run(self._surfaces.why_off, CANVAS):
            return "", (line(NO_CANVAS.format(why=why, id=incident.id)),)
        if not await self._access.run(self._canvases.lock, incident.id):
            raise Refused(BUSY)
        try:
            return await self._made_or_updated(requester, incident, review)
        except NoCanvas as refused:
            await self._access.run(self._surfaces.switch_off, CANVAS, str(refused))
            log.warning("slack takes no canvas", error=str(refused))
            return "", (line(NO_CANVAS.format(why=refused, id=incident.id)),)
        except UNREACHABLE as error:
            log.warning("canvas not brought up to date", incident=incident.id, error=slack_error(error))
            canvas = await self._access.run(self._canvases.of, incident.id)
            return canvas.url if canvas else "", (line(CUT_SHORT.format(why=slack_error(error), id=incident.id)),)
        finally:
            await self._access.run(self._canvases.unlock, incident.id)

    async def _made_or_updated(
        self, requester: Requester, incident: Incident, review: Review
    ) -> tuple[str, tuple[Line, ...]]:
        canvas = await self._access.run(self._canvases.of, incident.id)
        if canvas is None:
            return (await self._make(requester, incident, review)).url, ()
        try:
            return await self._update(incident, canvas, review)
        except CanvasGone:
            await self._access.run(self._canvases.forget, incident.id)
            return (await self._make(requester, incident, review)).url, (line(DELETED),)

    async def _make(self, requester: Requester, incident: Incident, review: Review) -> Canvas:
        """Make a canvas for those who see the incident's card; without one, for the requester."""
        names, card = self._access.directory.names, incident.card()
        room = incident.room.channel if incident.room and not incident.room.lost else ""
        key, tab = await self._slack.create(document.title(review), document.document(review, names), room)
        channel = room if tab else (card.channel if card else "")
        url = f"{self._access.directory.url.rstrip('/')}/docs/{requester.team}/{key}"
        canvas = Canvas(key, url, channel, document.marks(review, names))
        try:
            canvas = await self._compared(canvas, review, {})  # before anybody can write in it
            await self._slack.share(key, channel, requester.id)
        except (CanvasGone, NoCanvas, *UNREACHABLE):
            with suppress(CanvasGone, NoCanvas, *UNREACHABLE):
                await self._slack.delete(key)  # nobody could open it
            raise
        await self._access.run(self._canvases.save, incident.id, canvas)
        now = await self._access.incident(incident.id)  # it may have become private meanwhile
        return await self._share_anew(now, canvas) if now.private and not incident.private else canvas

    async def _update(self, incident: Incident, canvas: Canvas, review: Review) -> tuple[str, tuple[Line, ...]]:
        canvas = await self._share_anew(incident, canvas)
        now = document.read(await self._slack.content(canvas.id), review)
        merge = await self._merge(incident, canvas, now, review)
        names, left = self._access.directory.names, False
        for edit in document.edits(canvas, now, review, merge, names):
            match edit:
                case document.Insert(before, markdown):
                    left |= not await self._slack.insert(canvas.id, markdown, before)
                case document.Remove(text):
                    await self._slack.remove(canvas.id, text)
        if not left:
            known = tuple(dict.fromkeys((*canvas.lines, *document.marks(review, names))))
            expected = {key: text for key, text in now.words.items() if key not in merge.both}
            expected |= merge.to_canvas
            canvas = await self._compared(replace(canvas, lines=known), review, expected)
            await self._access.run(self._canvases.save, incident.id, canvas)
        gone = (line("A heading was removed from the canvas: what belongs below it was not added."),) if left else ()
        return canvas.url, (*self._said(merge, review), *gone)

    async def _share_anew(self, incident: Incident, canvas: Canvas) -> Canvas:
        """Give the canvas to the channel of a card that moved, for the incident is private now, and to it alone."""
        card, room = incident.card(), incident.room
        home = card.channel if card else ""
        if canvas.channel in (home, room.channel if room else "") or not (home or incident.private):
            return canvas
        if canvas.channel:
            await self._slack.withdraw(canvas.id, canvas.channel)
        if home:
            await self._slack.share(canvas.id, home)
        moved = replace(canvas, channel=home)
        await self._access.run(self._canvases.save, incident.id, moved)
        return moved

    async def _merge(self, incident: Incident, canvas: Canvas, now: document.Parts, review: Review) -> document.Merge:
        """Store what people wrote in the canvas since."""
        merge = document.merged(canvas, now.words, review)
        if merge.to_store:
            words = {key: checked(text) for key, text in merge.to_store.items()}
            seen = {section.key: section.written.text for section in review.sections}
            foreign = await self._access.run(self._store, incident.id, words, seen)
            merge = replace(merge, both=(*merge.both, *foreign), to_store={} if foreign else merge.to_store)
            if not foreign:
                bases = {key: Base.of(text, text) for key, text in words.items()}
                known = replace(canvas, base={**canvas.base, **bases})
                await self._access.run(self._canvases.save, incident.id, known)
        return merge

    def _store(self, incident_id: str, words: dict[str, str], seen: dict[str, str]) -> list[str]:
        return self._reviews.write(incident_id, words, "", self._access.deps.service.clock(), seen=seen)

    async def _compared(self, canvas: Canvas, review: Review, expected: Mapping[str, str]) -> Canvas:
        """Take as the base what the canvas reads now, where that is expected; without any, all of it is ours.

        Slack may write signs of Markdown in a way of its own. What somebody typed meanwhile is read the next time.
        """
        words = document.read(await self._slack.content(canvas.id), review).words
        written: Mapping[str, Written] = await self._access.run(self._reviews.written, review.incident)
        stored = {key: written[key].text if key in written else "" for key in words}
        known = {key for key in words if not expected or document.same(words[key], expected.get(key))}
        base = {key: Base.of(words[key], stored[key]) for key in known}
        return replace(canvas, base={**canvas.base, **base})

    def _said(self, merge: document.Merge, review: Review) -> Sequence[Line]:
        if not merge.both:
            return ()
        sections = ", ".join(section.title.lower() for section in review.sections if section.key in merge.both)
        return (
            line(
                f"Written in the canvas and elsewhere since: {sections}. Both stand as they are: copy what is missing "
                "into the canvas, and save the same words in the form."
            ),
        )
