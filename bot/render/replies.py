"""Answers to commands and forms, for the requester. Pure."""

from collections.abc import Iterable, Sequence

from bot.render.blockkit import TEXT, WHOLE_MESSAGE, Block, Message, sections
from bot.render.common import summary
from bot.render.mrkdwn import cut, render, share
from escalation.engine.upcoming import Upcoming
from escalation.incident.model import Incident
from escalation.messages.timeline import entry_lines
from escalation.text import Line, Time, line, people


def moved(incident: Incident, since: int, ahead: Sequence[Upcoming], notes: Sequence[str] = ()) -> Message:
    """Answer to a move: the headlines of the timeline after entry `since`, notes, and the next checkpoint."""
    entries = incident.timeline[since:] or incident.timeline[-1:]
    headlines = [render(entry_lines(incident, entry)[0]) for entry in entries]
    warnings = (render(line(f"⚠️ {note}.")) for note in notes)
    return _short(summary(incident), *headlines, *warnings, *map(render, next_checkpoint(ahead)))


def declared(incident: Incident, ahead: Sequence[Upcoming]) -> Message:
    """Answer to a declaration: the incident, whom it pages, the next checkpoint, where it is handled."""
    places = line("Its card is in the incidents channel.") if not incident.private else line("It is private.")
    rooms = line("You are invited to its room.") if incident.policy.room or incident.private else ()
    paged_people = tuple(dict.fromkeys(p.person for p in incident.pages))
    paged_line = line("Paged now: ", *people(paged_people), ".") if paged_people else line("Nobody is paged now.")
    where = render((*places, " ", *rooms))
    return _short(f"Declared: {summary(incident)}", render(paged_line), *map(render, next_checkpoint(ahead)), where)


def next_checkpoint(ahead: Sequence[Upcoming]) -> Iterable[Line]:
    """Line about the next checkpoint and whom it pages; nothing when none is ahead."""
    for next_up in ahead[:1]:
        together = [u for u in ahead if (u.due, u.why) == (next_up.due, next_up.why)]
        paged = tuple(dict.fromkeys(p for u in together for p in u.people))
        whom = (": pages ", *people(paged)) if paged else ""
        yield line("Next: ", Time(next_up.due), ", unless things change", *whom, f" ({next_up.why}).")


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
