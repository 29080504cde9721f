"""Timeline entries as Slack messages, and the topic of a war room. Pure."""

from collections.abc import Container, Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import islice

from bot.render.blockkit import TEXT, WHOLE_MESSAGE, Block, Message, action_row, context, folded, sections
from bot.render.buttons import button_row, entry_buttons
from bot.render.card import drill_banner
from bot.render.common import summary
from bot.render.lists import say
from bot.render.mrkdwn import DAY, cut, emphasised, escape, link, moment, render, share
from escalation.incident import room_names
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.messages.communications import published_words as words_for
from escalation.messages.template import WORDING, Wording
from escalation.messages.timeline import entry_lines
from escalation.reviews.action_items import ActionItem
from escalation.search.likeness import Likeness, past_lines, same_lines
from escalation.text import Line, Strong, Verbatim, line

NEUTRAL_TOPIC = "This incident has moved. No further updates are posted here."
_TOPIC = 250  # https://docs.slack.dev/reference/methods/conversations.setTopic


def for_thread(
    incident: Incident,
    entry: Entry,
    wording: Wording = WORDING,
    *,
    more: Sequence[Entry] = (),
    only: Container[str] | None = None,
) -> Message:
    """Render a timeline entry for the thread or the war room, and below it `more` of the same event.

    Each has buttons where it asks for something; with `only`, those of these keys (incident.asks).
    """
    entries = (entry, *more)
    bodies = [[render_line(line) for line in entry_lines(incident, entry, wording)] for entry in entries]
    lines = [[*drill_banner(incident), *bodies[0]], *bodies[1:]]
    shared = iter(share([line for body in lines for line in body], WHOLE_MESSAGE))
    blocks: list[Block] = []
    text: list[str] = []
    for entry, body in zip(entries, lines, strict=True):
        kept = list(islice(shared, len(body)))
        text += kept
        blocks += _said(entry, kept, len(drill_banner(incident)) + 1)
        blocks += button_row(incident, entry_buttons(incident, entry), f"asks-{entry.n}", only)
    return Message(text=cut("\n".join(text), TEXT), blocks=blocks)


def _said(entry: Entry, lines: list[str], head: int) -> list[Block]:
    """Blocks of an entry's lines. Of the first alert all but the head is folded: the card above says the same."""
    if entry.kind is not EntryKind.DECLARED:
        return sections(lines, f"said-{entry.n}")
    rest = sections(lines[head:], f"alert-{entry.n}")
    return [*sections(lines[:head], f"said-{entry.n}"), *folded("Initial alert", rest, f"folded-{entry.n}")]


def with_likeness(message: Message, found: Likeness, today: date) -> Message:
    """Add what other incidents say: the open ones, and folded the closed ones with what fixed them."""
    same = share([render_line(line) for line in same_lines(found)], WHOLE_MESSAGE // 4)
    past = share([render_line(line) for line in past_lines(found, today)], WHOLE_MESSAGE // 2)
    show = [say(f"show {d.id}", f"Show {d.id[4:]}", f"show-{d.id}") for d in (*found.open, *found.past)]
    said = [n for n, block in enumerate(message.blocks, 1) if str(block.get("block_id")).startswith("said-")]
    place = max(said, default=0)
    blocks = [
        *sections(same, "alike-open"),
        *folded("Causes and fixes of similar incidents", sections(past, "alike-past"), "alike-folded"),
        *action_row(show, "alike-show"),
    ]
    return replace(message, blocks=[*message.blocks[:place], *blocks, *message.blocks[place:]])


def with_item(message: Message, item: ActionItem) -> Message:
    """Add what an action item says that an entry names."""
    words = render(line(f"{item.id}: ", Verbatim(item.text)))
    return replace(message, blocks=[*message.blocks, *sections([words], f"item-{item.id}")])


def for_audience(incident: Incident, entry: Entry, wording: Wording = WORDING) -> Message:
    """Render a communication for its audience, in a channel of theirs."""
    lines = [render_line(line) for line in words_for(incident, entry, wording)]
    lines = share([*drill_banner(incident), *lines], WHOLE_MESSAGE)
    return Message(text=cut("\n".join(lines), TEXT), blocks=sections(lines, f"outward-{entry.n}"))


def mark_late(message: Message, decided: datetime) -> Message:
    """Mark a message as late: it could not be posted when it was decided."""
    note = f"🕓 Delayed – was due {moment(decided, DAY)}."
    return Message(text=cut(f"{note}\n{message.text}", TEXT), blocks=[context(note, "late"), *message.blocks])


def for_person(
    incident: Incident, entry: Entry, wording: Wording = WORDING, *, only: Container[str] | None = None, card: str = ""
) -> Message:
    """Render a timeline entry where the incident has to be named: outside its thread. `card` links its card."""
    message = for_thread(incident, entry, wording, only=only)
    link_to_card = f" · {link(card, 'Open card')}" if card else ""
    named: Block = context(f"{summary(incident)}{link_to_card}", "told")
    return Message(text=cut(f"{summary(incident)}\n{message.text}", TEXT), blocks=[named, *message.blocks])


def topic(incident: Incident) -> str:
    """Topic of the incident's war room. A long title is cut, the link to the call is not."""
    words, call = room_names.topic(incident)
    end = f" | {escape(call)}" if call else ""
    return cut(escape(words), _TOPIC - len(end)) + end if len(end) < _TOPIC / 2 else cut(escape(words), _TOPIC)


def render_line(line: Line) -> str:
    """Render a line; a text of several lines begins under its label."""
    match line:
        case (Strong(text=label), str(text), *rest) if "\n" in text:
            return f"{emphasised(escape(label))}\n" + render((text, *rest))
        case _:
            return render(line)
