"""Form of an action item, to note one or to promise an idea, and what it says. Pure."""

from datetime import date
from typing import NamedTuple

from bot.errors import InvalidForm
from bot.moves.form import Submission
from bot.moves.form_state import FormState
from bot.render.inputs import View, date_field, modal, note, people_select, text_field
from bot.render.mrkdwn import render
from escalation.incident.model import Incident
from escalation.reviews.action_items import MAX_TEXT, ActionItem
from escalation.text import Strong, Verbatim, line
from escalation.values import PersonId

CALLBACK = "action_item"
APART = "With an owner and a day it is a commitment: its owner is reminded. Without, it is an idea."


class Typed(NamedTuple):
    """A submitted form; without text where an item that is there was changed."""

    text: str
    owner: PersonId
    due: date | None


def action_item_modal(incident: Incident, state: FormState, text: str = "", item: ActionItem | None = None) -> View:
    """Build the form for a new item, or for the owner and the day of one that is there."""
    about = line(Strong(f"{incident.severity} {incident.id}: "), Verbatim(incident.facts.title))
    what = (
        note("what", render(line(Strong(f"{item.id} "), Verbatim(item.text))))
        if item
        else text_field("text", "What is to be done?", initial=" ".join(text.split())[:MAX_TEXT])
    )
    owner = (item.owner,) if item and item.owner else ()
    blocks = [
        note("about", render(about)),
        what,
        people_select("owner", "Owner", most=1, initial=owner, hint=APART),
        date_field("due", "By when?", initial=item.due if item else None, optional=True),
    ]
    return modal(CALLBACK, "Action item", "Save" if item else "Note it", blocks, state.encode())


def typed_in(submission: Submission, today: date) -> Typed:
    """Read the form. Raises InvalidForm for nothing to do, and for another day than it showed that is over."""
    values = submission.values
    text, due = " ".join(values.text("text").split()), values.day("due")
    if not text and not submission.state.item:
        raise InvalidForm({"text": "Say what is to be done."})
    if due and due < today and due != values.initial_day("due"):
        raise InvalidForm({"due": "That day is over."})
    return Typed(text[:MAX_TEXT], "".join(values.people("owner")[:1]), due)
