"""Lists of incidents: one linked line each, the worst first. Answers to `list` and `tickets`, overview, Home tab."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from bot.render.blockkit import (
    BUTTON,
    WHOLE_MESSAGE,
    Block,
    Message,
    action_row,
    context,
    header,
    plain_text,
    section,
    sections,
)
from bot.render.common import DRILL, STATUS, card_url, mentions, title
from bot.render.mrkdwn import DAY, brief, link, moment, person, render, share, size
from bot.vocabulary import FIRST_COMMANDS
from escalation.incident.model import Incident
from escalation.incident.responders import Duty
from escalation.incident.state.facts import Status
from escalation.incident.state.pages import PageState
from escalation.incident.tickets import TicketState, in_listed_order, ticket_state
from escalation.messages.entries.notices import MARKS
from escalation.storage.store import MAX_LISTED
from escalation.text import Channel, Line
from escalation.values import PersonId

PAGE = 20  # rows of a list, before its buttons go on
SAY = "say"  # action id of a button whose value is what one could type after /incident
DECLARE = "declare_incident"
LIST_BUTTONS = "list-go"  # block id of the buttons that turn a list's pages
_MAX_AT_ONCE = 10  # of the open ones above the commands
_MAX_AT_HOME = 60
_ON_CALL = 10  # sections about on call at Home
HOME_BLOCKS = 100  # https://docs.slack.dev/reference/views/home-tab-views
_MAX_TITLE = 70
_MAX_DUTY = 120  # all that a review may lack, in words
NO_TICKETS = "✅ No open tickets."
_NO_INCIDENTS = "✅ No open incidents."


@dataclass(frozen=True)
class Page:
    """A page of a list: its rows, the number of its `first` row, and of the `next` page's (None: this is the last).

    `command` is what shows the list; `empty` is the text of a page without rows.
    """

    command: str
    heading: str
    rows: tuple[Incident, ...]
    first: int
    next: int | None
    empty: str = _NO_INCIDENTS
    total: int | None = None

    @classmethod
    def of(
        cls,
        incidents: Sequence[Incident],
        first: int = 0,
        command: str = "list",
        heading: str = "Open incidents",
        empty: str = _NO_INCIDENTS,
    ) -> "Page":
        """Build the page that begins with row `first` of a whole list."""
        after = first + PAGE if len(incidents) > first + PAGE else None
        return cls(command, heading, tuple(incidents[first : first + PAGE]), first, after, empty, len(incidents))


# Rows ------------------------------------------------------------------------------------------------------------


def row(incident: Incident, workspace_url: str = "", viewer: PersonId = "") -> str:
    """Line of a list: severity, id linked to the card, title, status, who has it, and its room."""
    room = incident.room
    parts = [
        f"{_mark(incident)} *{incident.severity}* {_linked_id(incident, workspace_url)} {_marked_title(incident)}",
        *_state(incident),
        *([render((Channel(room.channel, room.name),))] if room and not room.lost else []),
        *(["📟 *you are paged*"] if incident.open_page_of(viewer) else []),
    ]
    return " · ".join(parts)


def _mark(incident: Incident) -> str:
    return {Status.RESOLVED: "✅", Status.CANCELLED: "⚪"}.get(incident.status, MARKS[incident.severity])


def _linked_id(incident: Incident, workspace_url: str) -> str:
    return link(card_url(incident, workspace_url), incident.id)


def _marked_title(incident: Incident) -> str:
    marks = f"{DRILL} " if incident.drill else ""
    marks += "🔒 " if incident.private else ""
    return f"{marks}{title(incident, _MAX_TITLE)}"


def _state(incident: Incident) -> list[str]:
    """Status and who has it; of a ticket, where it stands and what it is scheduled for; of a closed one, since when."""
    if not incident.open:
        return [f"{STATUS[incident.status]} {moment(incident.closed_at or incident.declared_at, DAY)}"]
    if incident.policy.ticket:
        return [_ticket_state(incident), _holder(incident)]
    return [STATUS[incident.status], _holder(incident)]


def _holder(incident: Incident) -> str:
    if incident.assigned:
        return f"👀 {mentions(incident.assigned)}"
    if incident.acknowledgement:
        return f"👀 {person(incident.acknowledgement.by)}"
    paged = tuple(dict.fromkeys(p.person for p in incident.pages if p.state is PageState.OPEN))
    nobody = "unassigned" if incident.policy.ticket else "*not acknowledged*"
    return f"{nobody}, paged {mentions(paged)}" if paged else nobody


def _ticket_state(incident: Incident) -> str:
    state = ticket_state(incident)
    schedule = state is TicketState.SCHEDULED and incident.schedule
    when = f" for {brief(schedule.text, _MAX_TITLE)}" if schedule else ""
    return f"{state}{when}"


# Lists -----------------------------------------------------------------------------------------------------------


def listing(page: Page, workspace_url: str = "") -> Message:
    """Build a page of a list, with buttons that go on."""
    return _page(page, [row(incident, workspace_url) for incident in page.rows])


def _page(page: Page, lines: Sequence[str]) -> Message:
    if not page.rows:
        return Message(text=page.empty, blocks=[section(page.empty, "list"), *action_row([_DECLARE], LIST_BUTTONS)])
    back = [say(f"{page.command} {max(0, page.first - PAGE)}", "◀ Previous", "back")] if page.first else []
    more = [say(f"{page.command} {page.next}", "Next ▶", "next")] if page.next is not None else []
    head = page.heading + _range(page)
    blocks = [*_rows([f"*{head}*", *lines], "list"), *action_row([*back, *more], LIST_BUTTONS)]
    return Message(text=head, blocks=blocks)


def _range(page: Page) -> str:
    """Which rows are shown: ` (3)`, or ` (21 to 40 of 52)`."""
    shown = f"{page.first + 1} to {page.first + len(page.rows)}"
    if page.total is None:
        return "" if page.next is None and not page.first else f" ({shown})"
    return f" ({page.total})" if len(page.rows) == page.total else f" ({shown} of {page.total})"


def overview(open_incidents: Sequence[Incident], workspace_url: str = "") -> Message:
    """Build the answer to `/incident`: what is open, buttons, and the first commands to know."""
    total = len(open_incidents)
    many = f"{total} or more" if total >= MAX_LISTED else str(total)
    head = f"*{many} open incident{'s' if total > 1 else ''}*" if total else _NO_INCIDENTS
    lines = [row(i, workspace_url) for i in in_listed_order(open_incidents)[:_MAX_AT_ONCE]]
    actions = [_DECLARE, say("oncall", "On call"), say("list", "List"), say("help all", "All commands", "help")]
    blocks = [
        *_rows([head, *lines], "open"),
        *_more(total, _MAX_AT_ONCE),
        *action_row(actions, "go"),
        *sections(FIRST_COMMANDS.split("\n"), "commands"),
    ]
    return Message(text=head.strip("*"), blocks=blocks)


def tickets(page: Page, workspace_url: str = "") -> Message:
    """Build a page of the open tickets, team by team, with assignee and schedule."""
    lines: list[str] = []
    for team, team_tickets in groupby(page.rows, key=lambda i: i.team):
        lines += [f"*{brief(team, _MAX_TITLE) or 'No team'}*", *(_ticket_row(t, workspace_url) for t in team_tickets)]
    return _page(page, lines)


def _ticket_row(incident: Incident, workspace_url: str) -> str:
    there = f" · {link(incident.issue.url, incident.issue.key)}" if incident.issue else ""
    return f"• {row(incident, workspace_url)} · resolve by {moment(incident.resolve_by, DAY)}{there}"


def home(
    open_incidents: Sequence[Incident],
    on_call: Iterable[Line],
    viewer: PersonId,
    workspace_url: str = "",
    waits: Sequence[Block] = (),
    owed: Sequence[Duty] = (),
) -> list[Block]:
    """Build the Home tab of one person: incidents they are paged for, what they owe, the other open ones, on call.

    `waits` says what waits for somebody to declare it.
    """
    ordered = sorted(in_listed_order(open_incidents), key=lambda i: i.open_page_of(viewer) is None)
    lines = [row(i, workspace_url, viewer) for i in ordered[:_MAX_AT_HOME]]
    on_call_sections = sections([render(line) for line in on_call], "duty") or [section("Nobody is on call.", "duty")]
    cut_off = [context("The rest is in `/incident oncall`.", "duty-more")] if len(on_call_sections) > _ON_CALL else []
    return [
        *action_row(
            [_DECLARE, say("list all", "All incidents", "list"), say("help all", "All commands", "help")], "go"
        ),
        *waits,
        *_owed(owed, workspace_url),
        header("Open incidents", "open"),
        *_rows(lines or [_NO_INCIDENTS], "open-list"),
        *_more(len(ordered), _MAX_AT_HOME),
        header("On call", "on-call"),
        *on_call_sections[:_ON_CALL],
        *cut_off,
    ]


def _owed(owed: Sequence[Duty], workspace_url: str) -> list[Block]:
    """What somebody owes, the latest first; nothing where there is nothing."""
    ordered = sorted(owed, key=lambda d: (not d.late, d.due is None, d.due or d.incident.declared_at))
    if not ordered:
        return []
    lines = [f"• {_linked_id(d.incident, workspace_url)} {brief(d.what, _MAX_DUTY)}{_by(d)}" for d in ordered[:PAGE]]
    more = [context(f"and {len(ordered) - PAGE} more", "owed-more")] if len(ordered) > PAGE else []
    return [header("What you owe", "owed"), *_rows(lines, "owed-list"), *more]


def _by(duty: Duty) -> str:
    if duty.due is None:
        return ""
    return f", *due since {moment(duty.due, DAY)}*" if duty.late else f" by {moment(duty.due, DAY)}"


def fitted(blocks: Sequence[Block]) -> Block:
    """Build a Home tab of these blocks; what Slack does not take is left out, and that is said."""
    if len(blocks) > HOME_BLOCKS:
        said = context("Not everything fits here: `/incident list`, `oncall`, `actions` and `me` have the rest.", "cut")
        blocks = [*blocks[: HOME_BLOCKS - 1], said]
    return {"type": "home", "blocks": list(blocks)}


def which(command: str, words: str, candidates: Sequence[Incident], workspace_url: str = "") -> Message:
    """Build the question which incident a command is about: a button for each of the first few keeps its words."""
    listed = in_listed_order(candidates)[:PAGE]
    lines = ["Which incident?", *(row(i, workspace_url) for i in listed)]
    choices = [
        say(f"{command} {i.id} {words}".strip(), f"{i.severity} {i.id}", str(n))
        for n, i in enumerate(listed[:_MAX_CHOICES])
        if size(words) < _MAX_WORDS
    ]
    hint = context(f"Or type `/incident {command} ID`.", "hint")
    return Message(text=lines[0], blocks=[*_rows(lines, "which"), *action_row(choices, "which-go"), hint])


# Buttons ---------------------------------------------------------------------------------------------------------

_MAX_CHOICES = 5
_MAX_WORDS = (
    1900  # a button's value has 2,000: https://docs.slack.dev/reference/block-kit/block-elements/button-element
)
_DECLARE: Block = {
    "type": "button",
    "action_id": DECLARE,
    "style": "danger",
    "text": plain_text("Declare incident", BUTTON),
}


def say(command: str, label: str, name: str = "") -> Block:
    """Button that does what a typed command does."""
    action_id = f"{SAY}-{name or command}"
    return {"type": "button", "action_id": action_id, "text": plain_text(label, BUTTON), "value": command}


def _rows(lines: Iterable[str], block_id: str) -> list[Block]:
    return sections(share(list(lines), WHOLE_MESSAGE), block_id)


def _more(total: int, shown: int) -> list[Block]:
    if total <= shown:
        return []
    rest = "many" if total >= MAX_LISTED else total - shown
    return [context(f"and {rest} more: `/incident list` has them all", "more")]
