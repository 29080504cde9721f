"""Several incidents at a glance: the list that a command answers with, and the Home tab."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from bot.render.blockkit import Block, Message, context, header, section, sections
from bot.render.common import DRILL, STATUS, mentions, title
from bot.render.mrkdwn import DAY, brief, moment, person, render
from escalation.incident.model import Incident, PageState
from escalation.incident.tickets import TicketState, ticket_state
from escalation.messages.timeline import MARKS
from escalation.storage.store import MOST_LISTED
from escalation.text import Channel, Line
from escalation.values import PersonId

_LISTED = 20
_AT_HOME = 60
_TITLE = 150
_TICKETS = 30
_NO_TICKETS = "✅ No open tickets."
_NOTHING = "✅ No open incidents. `/incident declare` opens one."


def listing(incidents: Sequence[Incident]) -> Message:
    """Incidents, one below the other, as many as a message holds."""
    if not incidents:
        return Message(text=_NOTHING, blocks=[section(_NOTHING, "list")])
    blocks = [section(_row(i), f"list-{i.id}") for i in incidents[:_LISTED]]
    text = f"{_number(len(incidents))} incident{'s' if len(incidents) > 1 else ''}"
    return Message(text=text, blocks=[*blocks, *_more(len(incidents), _LISTED)])


def tickets(backlog: Sequence[Incident]) -> Message:
    """The open tickets, team by team, each with where it stands; as many as a message holds."""
    if not backlog:
        return Message(text=_NO_TICKETS, blocks=[section(_NO_TICKETS, "tickets")])
    lines: list[str] = []
    for team, theirs in groupby(backlog[:_TICKETS], key=lambda i: i.team):
        lines += [f"*{brief(team, _TITLE) or 'No team'}*", *map(_ticket, theirs)]
    text = f"{_number(len(backlog))} ticket{'s' if len(backlog) > 1 else ''}"
    return Message(text=text, blocks=[*sections(lines, "tickets"), *_more(len(backlog), _TICKETS)])


def _ticket(incident: Incident) -> str:
    state = ticket_state(incident)
    planned = state is TicketState.SCHEDULED and incident.schedule
    when = f" for {brief(planned.text, _TITLE)}" if planned else ""
    target = f"resolve by {moment(incident.resolve_by, DAY)}"
    drill = f"{DRILL} " if incident.drill else ""
    what = f"{drill}`{incident.id}` {incident.severity} {title(incident, _TITLE)}"
    return f"• {what} · {state}{when} · {target}"


def home(open_incidents: Sequence[Incident], on_call: Iterable[Line], viewer: PersonId) -> Block:
    """The Home tab of one person: what waits for them first, then the other open incidents and who is on call."""
    waiting = sorted(open_incidents, key=lambda i: (i.open_page_of(viewer) is None, i.severity, i.declared_at))
    rows = [section(_row(i, viewer), f"open-{i.id}") for i in waiting[:_AT_HOME]]
    holders = sections([render(line) for line in on_call], "duty") or [section("Nobody is on call.", "duty")]
    blocks = [
        header("Open incidents", "open"),
        *(rows or [section(_NOTHING, "open-none")]),
        *_more(len(waiting), _AT_HOME),
        header("On call", "on-call"),
        *holders[:10],
    ]
    return {"type": "home", "blocks": blocks}


def _row(incident: Incident, viewer: PersonId = "") -> str:
    yours = "\n📟 *You are paged and have not answered.*" if incident.open_page_of(viewer) else ""
    marks = f"{DRILL} " if incident.drill else ""
    marks += "🔒 " if incident.private else ""
    where = f" · {_room(incident)}" if incident.room and not incident.room.lost else ""
    return (
        f"{MARKS[incident.severity]} {incident.severity} {marks}{title(incident, _TITLE)}\n"
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


def _more(found: int, shown: int) -> list[Block]:
    if found <= shown:
        return []
    rest = "many" if found >= MOST_LISTED else found - shown
    return [context(f"and {rest} more", "more")]


def _number(found: int) -> str:
    return f"{found} or more" if found >= MOST_LISTED else str(found)
