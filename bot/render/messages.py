"""An incident as Slack messages: what the timeline says, the topic of its room, and (from their own modules) the card,
the page, lists and the Home tab. Pure: whoever posts imports this module only.
"""

from datetime import datetime

from bot.render.blockkit import TEXT, WHOLE_MESSAGE, Block, Message, context, sections
from bot.render.buttons import asked, asks
from bot.render.card import exercise
from bot.render.common import summary
from bot.render.mrkdwn import DAY, cut, emphasised, escape, moment, render, share
from escalation.incident import room_names
from escalation.incident.model import Entry, Incident
from escalation.messages.communications import outward as words_for
from escalation.messages.template import Wording
from escalation.messages.timeline import WORDING, tell
from escalation.text import Line, Strong

NEUTRAL_TOPIC = "This matter moved. Nothing more is written here."
_TOPIC = 250  # https://docs.slack.dev/reference/methods/conversations.setTopic


def said(incident: Incident, entry: Entry, wording: Wording = WORDING) -> Message:
    """A timeline entry for the thread or the room, complete; with buttons where it asks for something."""
    told = [_said_line(line) for line in tell(incident, entry, wording)]
    lines = share([*exercise(incident), *told], WHOLE_MESSAGE)
    blocks = [*sections(lines, f"said-{entry.n}"), *asked(incident, asks(incident, entry), f"asks-{entry.n}")]
    return Message(text=cut("\n".join(lines), TEXT), blocks=blocks)


def outward(incident: Incident, entry: Entry, wording: Wording = WORDING) -> Message:
    """What the audience of a communication reads, in a channel of theirs."""
    words = [_said_line(line) for line in words_for(incident, entry, wording)]
    lines = share([*exercise(incident), *words], WHOLE_MESSAGE)
    return Message(text=cut("\n".join(lines), TEXT), blocks=sections(lines, f"outward-{entry.n}"))


def late(message: Message, decided: datetime) -> Message:
    """A message that could not be posted when it was decided."""
    words = f"🕓 From {moment(decided, DAY)}: it could not be posted before."
    return Message(text=cut(f"{words}\n{message.text}", TEXT), blocks=[context(words, "late"), *message.blocks])


def told(incident: Incident, entry: Entry, wording: Wording = WORDING) -> Message:
    """The same for somebody's direct messages, where the incident has to be named."""
    message = said(incident, entry, wording)
    named: Block = context(summary(incident), "told")
    return Message(text=cut(f"{summary(incident)}\n{message.text}", TEXT), blocks=[named, *message.blocks])


def topic(incident: Incident) -> str:
    """The topic of the incident's room."""
    return cut(escape(room_names.topic(incident)), _TOPIC)


def _said_line(line: Line) -> str:
    """A text of several lines begins under its label."""
    match line:
        case (Strong(text=label), str(said), *rest) if "\n" in said:
            return f"{emphasised(escape(label))}\n" + render((said, *rest))
        case _:
            return render(line)
