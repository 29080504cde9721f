"""Messages that are edited as things change: reminders, and the list of communications. Pure."""

from bot.render.blockkit import TEXT, WHOLE_MESSAGE, Block, Message, context, section, sections
from bot.render.buttons import button_row, reminder_buttons, snooze_menu, task_buttons
from bot.render.card import drill_banner
from bot.render.common import summary
from bot.render.lists import say
from bot.render.messages import render_line
from bot.render.mrkdwn import cut, share
from escalation.incident.communications import is_overdue, tasks
from escalation.incident.effects import Reminded
from escalation.incident.model import Incident
from escalation.incident.state.communications import OwedCommunication
from escalation.incident.state.posted import Copy, CopyKind
from escalation.messages.communications import task_name
from escalation.messages.reminders import list_head, reminder, task_state
from escalation.text import Line, Strong, line
from escalation.values import PersonId

REPLACED = Message(text="⤵️ A newer message has taken the place of this one.")


def of_copy(incident: Incident, copy: Copy) -> Message:
    """Render a posted reminder or list as things stand now."""
    if copy.kind is CopyKind.COMMUNICATIONS:
        return communications(incident, copy.person, buttons=not copy.final)
    if copy.final and Reminded(copy.about) in incident.reminders:  # it was answered, and a later one stands elsewhere
        return REPLACED
    return for_reminder(incident, Reminded(copy.about), copy.person)


def to_person(incident: Incident, about: Reminded, person: PersonId) -> Message:
    """Render a reminder, or the list of communications, for somebody's direct messages."""
    if about is Reminded.COMMUNICATIONS:
        return communications(incident, person)
    return for_reminder(incident, about, person)


def for_reminder(incident: Incident, about: Reminded, person: PersonId = "") -> Message:
    """Render a reminder; with buttons while it stands."""
    lines = [*drill_banner(incident), *(render_line(each) for each in reminder(incident, about, person))]
    standing = about in incident.reminders
    row = button_row(incident, reminder_buttons(incident, about), f"asks-{about}") if standing else []
    if row and about is Reminded.REVIEW:
        row[0]["elements"].insert(0, say(f"review {incident.id} write", "Write", "review-write"))
    elif row:
        row[0]["elements"].append(snooze_menu(incident, about))
    text = "\n".join((summary(incident), *lines))
    return Message(text=cut(text, TEXT), blocks=[context(summary(incident), "told"), *sections(lines, about), *row])


def communications(incident: Incident, person: PersonId, *, buttons: bool = True) -> Message:
    """Render the list of communications: each with where it stands, and buttons while it waits for a person."""
    head = [*drill_banner(incident), *(render_line(each) for each in list_head(incident, person))]
    mine = tasks(incident) if buttons else ()
    lines = share([render_line(_task(owed, incident)) for owed in mine], WHOLE_MESSAGE)
    blocks: list[Block] = [context(summary(incident), "told"), *sections(head, "list")]
    for owed, words in zip(mine, lines, strict=True):
        blocks.append(section(words, f"task-{owed.n}"))
        blocks += button_row(incident, task_buttons(owed), f"answers-{owed.n}")
    if any(is_overdue(owed, incident) for owed in mine):
        menu = snooze_menu(incident, Reminded.COMMUNICATIONS)
        blocks.append({"type": "actions", "block_id": "snooze", "elements": [menu]})
    text = "\n".join((summary(incident), *head, *lines))
    return Message(text=cut(text, TEXT), blocks=blocks)


def _task(owed: OwedCommunication, incident: Incident) -> Line:
    return line(Strong(task_name(owed)), ": ", *task_state(owed, incident), f". Why: {owed.plan.why}.")
