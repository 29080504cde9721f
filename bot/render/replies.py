"""Answers to commands and forms, for the requester. Pure."""

from collections.abc import Sequence

from bot.render.blockkit import TEXT, WHOLE_MESSAGE, Block, Message, action_row, link_button, sections
from bot.render.common import card_url, room_url, summary
from bot.render.mrkdwn import cut, render, share
from bot.render.upcoming import next_step
from escalation.engine.upcoming import Upcoming
from escalation.incident.effects import OpenRoom
from escalation.incident.model import Incident
from escalation.messages.timeline import entry_lines
from escalation.text import Channel, Line, line, people

NOT_TAKEN = "Not delivered yet: Slack has not taken its card. It is being retried; call people if it is urgent."
NO_WORKER = "Not delivered yet: no worker runs, so nobody is paged. Tell whoever runs Tocsin: start `tocsin worker`."


def moved(incident: Incident, since: int, ahead: Sequence[Upcoming], notes: Sequence[str] = ()) -> Message:
    """Answer to a move: the headlines of the timeline after entry `since`, notes, and the next checkpoint."""
    entries = incident.timeline[since:] or incident.timeline[-1:]
    headlines = [render(entry_lines(incident, entry)[0]) for entry in entries]
    warnings = (render(line(f"⚠️ {note}.")) for note in notes)
    return _short(summary(incident), *headlines, *warnings, *map(render, next_step(incident, ahead)))


def declared(
    incident: Incident,
    ahead: Sequence[Upcoming],
    incidents_channel: str = "incidents",
    workspace_url: str = "",
    warning: str = "",
) -> Message:
    """Answer to a declaration: the incident, whom it pages, the next checkpoint, and links to where it is handled.

    `warning` says why nothing of it was posted yet.
    """
    paged_people = tuple(dict.fromkeys(p.person for p in incident.pages))
    verb = "Being paged" if warning else "Paged now"
    paged_line = line(f"{verb}: ", *people(paged_people), ".") if paged_people else line("Nobody is paged now.")
    message = _short(
        f"Declared: {summary(incident)}",
        render(paged_line),
        *([f"⚠️ {warning}"] if warning else []),
        *map(render, next_step(incident, ahead)),
        " · ".join(_places(incident, incidents_channel)),
    )
    links = {
        "Open incident": ("card", card_url(incident, workspace_url)),
        "Open room": ("room", room_url(incident, workspace_url)),
    }
    buttons = [link_button(f"open-{name}", label, url) for label, (name, url) in links.items() if url]
    return Message(text=message.text, blocks=[*message.blocks, *action_row(buttons, "places")])


def _places(incident: Incident, incidents_channel: str) -> list[str]:
    """Where the incident is handled: by name, until its card and its room are there."""
    card, room = incident.card(), incident.room
    opening = next((e.name for e in incident.effects if isinstance(e, OpenRoom) and not e.withdrawn), "")
    places: dict[str, Line] = {}
    if not incident.private:
        channel = incidents_channel.lstrip("#")
        places["Incident"] = line(Channel(card.channel, channel) if card else f"#{channel}")
    if room and not room.lost:
        places["War room"] = line(Channel(room.channel, room.name))
    elif opening:
        places["War room"] = line(f"#{opening} (being opened)")
    return [f"{name}: {render(where)}" for name, where in places.items()]


def help_reply(text: str) -> Message:
    """Answer with the help of commands."""
    lines = text.split("\n")
    return Message(text=cut(text, TEXT), blocks=sections(lines, "help"))


def lines_reply(lines: Sequence[Line]) -> Message:
    """Answer of lines, cut to what a message holds."""
    rendered = share([render(line) for line in lines], WHOLE_MESSAGE)
    return Message(text=cut("\n".join(rendered), TEXT), blocks=sections(rendered, "told"))


def _short(*lines: str) -> Message:
    text = cut("\n".join(lines), TEXT)
    return Message(text=text, blocks=_sections(text))


def _sections(text: str) -> list[Block]:
    return [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]
