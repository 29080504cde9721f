"""Several incidents at a glance: the list that a command answers with, and the Home tab."""

from collections.abc import Iterable, Sequence

from bot.cards import STATUS, mentions, title
from bot.kit import context, header, section, sections
from bot.message import Block, Message
from bot.mrkdwn import DAY, moment, person, render
from escalation.incident import Incident, PageState
from escalation.templates import MARKS
from escalation.values import PersonId
from escalation.words import Channel, Line

_LISTED = 20
_AT_HOME = 60
_TITLE = 150
_NOTHING = "✅ No open incidents. `/incident declare` opens one."


def listing(incidents: Sequence[Incident]) -> Message:
    """Incidents, one below the other, as many as a message holds."""
    if not incidents:
        return Message(text=_NOTHING, blocks=[section(_NOTHING, "list")])
    blocks = [section(_row(i), f"list-{i.id}") for i in incidents[:_LISTED]]
    text = f"{len(incidents)} incident{'s' if len(incidents) > 1 else ''}"
    return Message(text=text, blocks=[*blocks, *_more(len(incidents) - _LISTED)])


def home(open_incidents: Sequence[Incident], on_call: Iterable[Line], viewer: PersonId) -> Block:
    """The Home tab of one person: what waits for them first, then the other open incidents and who is on call."""
    waiting = sorted(open_incidents, key=lambda i: (i.open_page_of(viewer) is None, i.severity, i.declared_at))
    rows = [section(_row(i, viewer), f"open-{i.id}") for i in waiting[:_AT_HOME]]
    duty = sections([render(line) for line in on_call], "duty") or [section("Nobody is on call.", "duty")]
    blocks = [
        header("Open incidents", "open"),
        *(rows or [section(_NOTHING, "open-none")]),
        *_more(len(waiting) - _AT_HOME),
        header("On call", "on-call"),
        *duty[:10],
    ]
    return {"type": "home", "blocks": blocks}


def _row(incident: Incident, viewer: PersonId = "") -> str:
    yours = "\n📟 *You are paged and have not answered.*" if incident.open_page_of(viewer) else ""
    lock = "🔒 " if incident.private else ""
    where = f" · {_room(incident)}" if incident.room and not incident.room.lost else ""
    return (
        f"{MARKS[incident.severity]} {incident.severity} {lock}{title(incident, _TITLE)}\n"
        f"{incident.id} · {STATUS[incident.status]} · since {moment(incident.declared_at, DAY)}{where}\n"
        f"{_who(incident)}{yours}"
    )


def _room(incident: Incident) -> str:
    room = incident.room
    return render((Channel(room.channel, room.name),)) if room else ""


def _who(incident: Incident) -> str:
    if incident.acknowledgement:
        others = tuple(p for p in incident.assigned if p != incident.acknowledgement.by)
        return f"👀 {person(incident.acknowledgement.by)} {mentions(others)}".rstrip()
    paged = tuple(dict.fromkeys(p.person for p in incident.pages if p.state is PageState.OPEN))
    return f"🔴 Nobody has acknowledged. Paged: {mentions(paged) or 'nobody'}" if incident.open else "Not acknowledged"


def _more(count: int) -> list[Block]:
    return [context(f"and {count} more", "more")] if count > 0 else []
