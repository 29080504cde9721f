"""Lists of incidents: the answers to `list` and `tickets`, and the Home tab."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from bot.render.blockkit import Block, Message, context, header, section, sections
from bot.render.common import DRILL, STATUS, mentions, title
from bot.render.mrkdwn import DAY, brief, moment, person, render
from escalation.incident.model import Incident, PageState
from escalation.incident.ordering import in_listed_order
from escalation.incident.tickets import TicketState, ticket_state
from escalation.messages.timeline import MARKS
from escalation.storage.store import MAX_LISTED
from escalation.text import Channel, Line
from escalation.values import PersonId

_MAX_LISTED = 20
_MAX_AT_HOME = 60
_MAX_TITLE = 150
_MAX_TICKETS = 30
_NO_TICKETS = "✅ No open tickets."
_NO_INCIDENTS = "✅ No open incidents. `/incident declare` opens one."


def listing(incidents: Sequence[Incident], none: str = _NO_INCIDENTS) -> Message:
    """Build the list of incidents, as many as a message holds; `none` is the text of an empty one."""
    if not incidents:
        return Message(text=none, blocks=[section(none, "list")])
    blocks = [section(_incident_row(i), f"list-{i.id}") for i in in_listed_order(incidents)[:_MAX_LISTED]]
    text = f"{_count(len(incidents))} incident{'s' if len(incidents) > 1 else ''}"
    return Message(text=text, blocks=[*blocks, *_more(len(incidents), _MAX_LISTED)])


def tickets(backlog: Sequence[Incident]) -> Message:
    """Build the list of open tickets, team by team, with their state; as many as a message holds."""
    if not backlog:
        return Message(text=_NO_TICKETS, blocks=[section(_NO_TICKETS, "tickets")])
    lines: list[str] = []
    for team, team_tickets in groupby(backlog[:_MAX_TICKETS], key=lambda i: i.team):
        lines += [f"*{brief(team, _MAX_TITLE) or 'No team'}*", *map(_ticket_row, team_tickets)]
    text = f"{_count(len(backlog))} ticket{'s' if len(backlog) > 1 else ''}"
    return Message(text=text, blocks=[*sections(lines, "tickets"), *_more(len(backlog), _MAX_TICKETS)])


def _ticket_row(incident: Incident) -> str:
    state = ticket_state(incident)
    schedule = state is TicketState.SCHEDULED and incident.schedule
    when = f" for {brief(schedule.text, _MAX_TITLE)}" if schedule else ""
    target = f"resolve by {moment(incident.resolve_by, DAY)}"
    drill = f"{DRILL} " if incident.drill else ""
    what = f"{drill}`{incident.id}` {incident.severity} {title(incident, _MAX_TITLE)}"
    return f"• {what} · {state}{when} · {target}"


def home(open_incidents: Sequence[Incident], on_call: Iterable[Line], viewer: PersonId) -> Block:
    """Build the Home tab of one person: incidents they are paged for, the other open ones, who is on call."""
    ordered = sorted(open_incidents, key=lambda i: (i.open_page_of(viewer) is None, i.severity, i.declared_at))
    rows = [section(_incident_row(i, viewer), f"open-{i.id}") for i in ordered[:_MAX_AT_HOME]]
    on_call_sections = sections([render(line) for line in on_call], "duty") or [section("Nobody is on call.", "duty")]
    blocks = [
        header("Open incidents", "open"),
        *(rows or [section(_NO_INCIDENTS, "open-none")]),
        *_more(len(ordered), _MAX_AT_HOME),
        header("On call", "on-call"),
        *on_call_sections[:10],
    ]
    return {"type": "home", "blocks": blocks}


def _incident_row(incident: Incident, viewer: PersonId = "") -> str:
    paged_note = "\n📟 *You are paged and have not answered.*" if incident.open_page_of(viewer) else ""
    marks = f"{DRILL} " if incident.drill else ""
    marks += "🔒 " if incident.private else ""
    where = f" · {_room(incident)}" if incident.room and not incident.room.lost else ""
    return (
        f"{MARKS[incident.severity]} {incident.severity} {marks}{title(incident, _MAX_TITLE)}\n"
        f"{incident.id} · {STATUS[incident.status]} · since {moment(incident.declared_at, DAY)}{where}\n"
        f"{_responders(incident)}{paged_note}"
    )


def _room(incident: Incident) -> str:
    room = incident.room
    return render((Channel(room.channel, room.name),)) if room else ""


def _responders(incident: Incident) -> str:
    if incident.acknowledgement:
        others = tuple(p for p in incident.assigned if p != incident.acknowledgement.by)
        return f"👀 {person(incident.acknowledgement.by)} {mentions(others)}".rstrip()
    paged = tuple(dict.fromkeys(p.person for p in incident.pages if p.state is PageState.OPEN))
    return f"🔴 Nobody has acknowledged. Paged: {mentions(paged) or 'nobody'}" if incident.open else "Not acknowledged"


def _more(total: int, shown: int) -> list[Block]:
    if total <= shown:
        return []
    rest = "many" if total >= MAX_LISTED else total - shown
    return [context(f"and {rest} more", "more")]


def _count(total: int) -> str:
    return f"{total} or more" if total >= MAX_LISTED else str(total)
