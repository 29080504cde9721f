"""An incident as Slack messages: what the timeline says, the topic of its room, and (from their own modules) the card,
the page, lists and the Home tab. Pure: whoever posts imports this module only.
"""

from bot.cards import card, page, redacted, summary
from bot.controls import asked
from bot.kit import TEXT, WHOLE_MESSAGE, context, sections
from bot.message import Block, Message
from bot.mrkdwn import cut, emphasised, escape, plain, render, share
from bot.overview import home, listing
from escalation import naming
from escalation.events import Move
from escalation.incident import Entry, EntryKind, Incident
from escalation.templates import tell
from escalation.words import Line, Strong

__all__ = [
    "NEUTRAL_TOPIC",
    "card",
    "home",
    "listing",
    "page",
    "plain",
    "redacted",
    "render",
    "said",
    "told",
    "topic",
]

NEUTRAL_TOPIC = "This matter moved. Nothing more is written here."
_TOPIC = 250  # https://docs.slack.dev/reference/methods/conversations.setTopic
_ASKS: dict[EntryKind, tuple[Move, ...]] = {
    EntryKind.UPDATE_DUE: (Move.UPDATE,),
    EntryKind.SILENCE: (Move.UPDATE,),
    EntryKind.MONITORED: (Move.RESOLVE, Move.FIX_FAILED),
    EntryKind.NOBODY_LEFT: (Move.PAGE,),
}


def said(incident: Incident, entry: Entry) -> Message:
    """A timeline entry for the thread or the room, complete; with buttons where it asks for something."""
    lines = share([_said_line(line) for line in tell(incident, entry)], WHOLE_MESSAGE)
    blocks = [*sections(lines, f"said-{entry.n}"), *asked(incident, _ASKS.get(entry.kind, ()), f"asks-{entry.n}")]
    return Message(text=cut("\n".join(lines), TEXT), blocks=blocks)


def told(incident: Incident, entry: Entry) -> Message:
    """The same for somebody's direct messages, where the incident has to be named."""
    message = said(incident, entry)
    named: Block = context(summary(incident), "told")
    return Message(text=cut(f"{summary(incident)}\n{message.text}", TEXT), blocks=[named, *message.blocks])


def topic(incident: Incident) -> str:
    """The topic of the incident's room."""
    return cut(escape(naming.topic(incident)), _TOPIC)


def _said_line(line: Line) -> str:
    """A text of several lines begins under its label."""
    match line:
        case (Strong(text=label), str(said), *rest) if "\n" in said:
            return f"{emphasised(escape(label))}\n" + render((said, *rest))
        case _:
            return render(line)
