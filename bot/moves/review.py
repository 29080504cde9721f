"""Form of a review's words, and the message about a review. Pure."""

from collections.abc import Iterator, Mapping

from bot.moves.form import Submission
from bot.moves.form_state import FormState
from bot.render.blockkit import Block, Message, action_row
from bot.render.inputs import MAX_TEXT, View, modal, text_field
from bot.render.lists import say
from bot.render.replies import lines_reply
from bot.render.reviews.markdown import checked
from escalation.reviews.draft import due_line
from escalation.reviews.model import Review, Section
from escalation.storage.reviews.documents import Document, parts_of
from escalation.text import Line, Link, Person, Strong, Time, Verbatim, line

CALLBACK = "review"
CHANGED = "{who} changed this since you opened the form. Copy what you wrote, open the form again, and merge."


def review_message(
    review: Review, canvas: str = "", notes: tuple[Line, ...] = (), *, on_the_web: bool = False
) -> Message:
    """What is on record and what people wrote, section by section, with buttons to write; `canvas` is its link.

    `on_the_web` is True if incidents can be read in the browser.
    """
    message = lines_reply((*_lines(review), *_on_canvas(review.incident, canvas), *notes))
    write: Block = say(f"review {review.incident} write", "Write", "review-write")
    on_canvas: Block = say(f"review {review.incident} canvas", "Update canvas" if canvas else "Canvas", "review-canvas")
    browser = [say(f"web {review.incident}", "Read in the browser", "review-web")] if on_the_web else []
    return Message(text=message.text, blocks=[*message.blocks, *action_row([write, on_canvas, *browser], "review")])


def published_lines(documents: Mapping[str, Document]) -> Iterator[Line]:
    """Where it is published, and what keeps it from being in step there."""
    for name, document in documents.items():
        vendor = parts_of(name)[1].words
        at: Line = (Link(document.url, vendor),) if document.url else (vendor,)
        if document.withdrawn:
            yield line("👁️ Published before it was private: delete it in ", *at, ".")
        elif document.url:
            yield line("Published in ", *at, ".")
        if document.trouble:
            yield line("⚠️ Not up to date in ", *at, ": ", Verbatim(document.trouble))


def canvas_message(incident_id: str, canvas: str, notes: tuple[Line, ...]) -> Message:
    """Where the canvas is, and that it is up to date unless a note says otherwise."""
    return lines_reply((*_on_canvas(incident_id, canvas), *(notes or (line("It is up to date."),))))


def _on_canvas(incident_id: str, canvas: str) -> tuple[Line, ...]:
    return (line("Canvas: ", Link(canvas, f"Review of {incident_id}")),) if canvas else ()


def _lines(review: Review) -> Iterator[Line]:
    yield line(Strong(f"Review of {review.incident}: "), Verbatim(review.title))
    if review.held:
        yield line("Held ", Time(review.held, clock=False), f": {review.result}" if review.result else "")
    else:
        yield due_line(review)
    for section in review.sections:
        count = f"{len(section.lines)} from the record" if section.lines else "nothing on record"
        yield line(Strong(f"{section.title}: "), count, *_written(section))
    yield line(f"The whole document: `tocsin review {review.incident}`, as Markdown, HTML, PDF or JSON.")


def _written(section: Section) -> Line:
    if not section.prompt:
        return ()
    if not section.written.text.strip():
        return ("; nobody has written yet",)
    by = (" by ", Person(section.written.by)) if section.written.by else ()
    return ("; written", *by)


def review_modal(review: Review, state: FormState) -> View:
    """Build the form: a field for each section that asks people something."""
    fields = [_field(section) for section in review.sections if section.prompt and _fits(section)]
    return modal(CALLBACK, "Post-incident review", "Save", fields, state.encode())


def _fits(section: Section) -> bool:
    return len(section.written.text) <= MAX_TEXT


def _field(section: Section) -> Block:
    return text_field(
        section.key, section.title, initial=section.written.text, optional=True, placeholder=section.prompt
    )


def words_in(submission: Submission) -> dict[str, str]:
    """Read what was written, by section. Raises Refused for words that could not be read back."""
    return {name: checked(submission.values.text(name)) for name in submission.values.fields}


def seen_in(submission: Submission) -> dict[str, str]:
    """What the form had shown when it was opened, by section."""
    return {name: submission.values.initial_text(name) for name in submission.values.fields}
