"""What Tocsin answers to the one who asked. Pure."""

from collections.abc import Iterable, Sequence

from bot.render.blockkit import TEXT, WHOLE_MESSAGE, Block, Message, sections
from bot.render.common import summary
from bot.render.lists import listing
from bot.render.mrkdwn import cut, escape, render, share
from bot.vocabulary import HELP
from escalation.engine.upcoming import Upcoming
from escalation.incident.model import Incident
from escalation.messages.timeline import tell
from escalation.text import Line, Time, line, people


def done(incident: Incident, since: int, ahead: Sequence[Upcoming]) -> Message:
    """What came of a move: the headlines of the story after entry `since`, and what fires next."""
    entries = incident.timeline[since:] or incident.timeline[-1:]
    headlines = [render(tell(incident, entry)[0]) for entry in entries]
    return _short(summary(incident), *headlines, *map(render, following(ahead)))


def declared(incident: Incident, ahead: Sequence[Upcoming]) -> Message:
    """That an incident was declared, whom that pages, what fires next, and where it is handled."""
    places = line("Its card is in the incidents channel.") if not incident.private else line("It is private.")
    rooms = line("You are invited to its room.") if incident.policy.room or incident.private else ()
    called = tuple(dict.fromkeys(p.person for p in incident.pages))
    paged = line("Paged now: ", *people(called), ".") if called else line("Nobody is paged now.")
    where = render((*places, " ", *rooms))
    return _short(f"Declared: {summary(incident)}", render(paged), *map(render, following(ahead)), where)


def following(ahead: Sequence[Upcoming]) -> Iterable[Line]:
    """What fires next, and whom that pages."""
    for first in ahead[:1]:
        together = [u for u in ahead if (u.due, u.why) == (first.due, first.why)]
        paged = tuple(dict.fromkeys(p for u in together for p in u.people))
        whom = (": pages ", *people(paged)) if paged else ""
        yield line("Next: ", Time(first.due), ", unless things change", *whom, f" ({first.why}).")


def help_and_open(incidents: Sequence[Incident]) -> Message:
    """The commands, then the open incidents."""
    below = listing(incidents)
    return Message(text=HELP, blocks=[*_sections(HELP), *below.blocks])


def told(lines: Sequence[Line]) -> Message:
    """Lines of words, as many as a message holds."""
    rendered = share([render(line) for line in lines], WHOLE_MESSAGE)
    return Message(text=cut("\n".join(rendered), TEXT), blocks=sections(rendered, "told"))


def which_one(command: str, candidates: Sequence[Incident]) -> Message:
    """A list to choose from."""
    head = f"Which one? Say `/incident {escape(command)} ID`:"
    return _short(head, *(f"• `{i.id}` {escape(f'{i.severity} {i.status}: {i.facts.title}')}" for i in candidates))


def _short(*lines: str) -> Message:
    text = cut("\n".join(lines), TEXT)
    return Message(text=text, blocks=_sections(text))


def _sections(text: str) -> list[Block]:
    return [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]
