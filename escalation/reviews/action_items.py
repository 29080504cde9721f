"""Action items of incidents: ideas, and commitments with an owner and a due date. Pure.

(Automatic actions are something else: webhooks of the company's, escalation.config.actions.)
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Literal
from zoneinfo import ZoneInfo

from escalation.config.company import Company, Directory
from escalation.config.tickets import Vendor
from escalation.errors import Refused
from escalation.incident.model import Incident
from escalation.incident.permissions import can_see
from escalation.incident.responders import commander, holders
from escalation.oncall.reminders import DueReminder, Recipient, channel_of
from escalation.oncall.roster import Roster
from escalation.text import Line, Lines, Link, Person, Strong, Verbatim, line
from escalation.values import PersonId, title_of

MAX_TEXT = 500


class ItemState(StrEnum):
    """State of an action item. `dropped`: it will not be done, for a reason."""

    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"


@dataclass(frozen=True)
class ItemTicket:
    """A commitment's ticket in a tracker, as last seen there; `due` is its day there, where the tracker has days.

    `updated` is the tracker's time of that state: older news is no news. `gone`: it was deleted there. `private`: it is
    in the tracker of private incidents. `owner` and `promised` are whose and by which day it was said to be there.
    """

    vendor: Vendor
    key: str
    url: str
    open: bool = True
    assignees: tuple[str, ...] = ()
    due: date | None = None
    updated: datetime | None = None
    gone: bool = False
    private: bool = False
    owner: PersonId = ""
    promised: date | None = None


@dataclass(frozen=True)
class ActionItem:
    """Something to do after an incident. `id` is the incident's and a number: `INC-20241218-001/2`.

    `due` is a day of the company's zone. `by` noted it at `at`; `closed_by` closed it at `closed_at`, `why` if it was
    dropped, or closed in its tracker. `service` is that of the incident, which may be `private`. `url` leads to the
    message it was made from; `once` is the same when it is noted twice. `ticket` mirrors a commitment in a tracker,
    `trouble` is why that could not be done. `again` are later incidents that it was to prevent, and when they began.
    """

    id: str
    text: str
    by: PersonId
    at: datetime
    owner: PersonId = ""
    due: date | None = None
    service: str = ""
    state: ItemState = ItemState.OPEN
    closed_by: PersonId = ""
    closed_at: datetime | None = None
    why: str = ""
    private: bool = False
    url: str = ""
    once: str = ""
    ticket: ItemTicket | None = None
    trouble: str = ""
    again: tuple[tuple[str, datetime], ...] = ()

    @property
    def incident(self) -> str:
        """The incident's id."""
        return self.id.partition("/")[0]

    @property
    def commitment(self) -> bool:
        """True if somebody promised it for a day; else it is an idea."""
        return bool(self.owner and self.due)

    def overdue(self, today: date) -> bool:
        """True if it should have been done."""
        return self.state is ItemState.OPEN and self.due is not None and self.due < today


def closed(item: ActionItem, state: ItemState, by: PersonId, at: datetime, why: str = "") -> ActionItem:
    """Close an open item. Raises Refused for one that is closed, and for one that is dropped without a reason."""
    if item.state is not ItemState.OPEN:
        raise Refused(f"{item.id} is {item.state} already.")
    if state is ItemState.DROPPED and not why.strip():
        raise Refused(f"Say why: `/incident actions drop {item.id} the reason`.")
    return replace(item, state=state, closed_by=by, closed_at=at, why=why.strip())


def reopened(item: ActionItem) -> ActionItem:
    """Open an item again. Raises Refused for one that is open."""
    if item.state is ItemState.OPEN:
        raise Refused(f"{item.id} is open already.")
    return replace(item, state=ItemState.OPEN, closed_by="", closed_at=None, why="")


def given_to(item: ActionItem, owner: PersonId, due: date | None) -> ActionItem:
    """Give an open item to somebody, by a day if one is said. Raises Refused for one that is closed."""
    if item.state is not ItemState.OPEN:
        raise Refused(f"{item.id} is {item.state} already.")
    return replace(item, owner=owner, due=due or item.due)


def edited(item: ActionItem, owner: PersonId, due: date | None) -> ActionItem:
    """Change owner and day of an open item; without either it is an idea. Raises Refused for one that is closed."""
    return replace(given_to(item, owner, due), due=due)


def in_order(items: Iterable[ActionItem], today: date) -> list[ActionItem]:
    """Sort open items: commitments by their day, the overdue first, then ideas, the oldest first."""
    return sorted(items, key=lambda i: (not i.commitment, i.due or today.max, i.at, i.id))


class DueActionItem(DueReminder):
    """A reminder of a commitment: to its owner before and after its day, then to the lead of the service.

    "again": an incident began that it was to prevent, `later`.
    """

    item: ActionItem
    what: Literal["soon", "overdue", "lead", "again"]
    later: str = ""

    @property
    def unheard(self) -> str:
        """It is somebody's promise: whoever runs Tocsin has to find them."""
        return f"give it to somebody: `/incident actions take {self.item.id}`"


def hearers(
    item: ActionItem, company: Company, directory: Directory, incident: Incident | None, on_call: Roster
) -> tuple[Recipient, ...]:
    """Return who hears of an item besides its owner: the service's lead, the incident commander, the company's leads.

    Of a private incident only those of them who may see it: nobody, once its record is gone.
    """
    found: dict[PersonId, Recipient] = {}
    if item.service and (lead := company.lead_of(item.service)):
        found[company.member(lead, directory)] = Recipient(to=lead, why=f"as the lead of {item.service}")
    if incident:
        ranked = [(person, f"as incident commander of {incident.id}") for person in commander(incident, on_call)]
        last = holders(incident, on_call, len(incident.policy.tiers))
        for person, why in (*ranked, *((person, "as a lead of the company") for person in last)):
            found.setdefault(person, Recipient(to=person, why=why))
    if not item.private:
        return (*found.values(), Recipient(channel=channel_of(company), why="here because nobody else is left"))
    return tuple(one for person, one in found.items() if incident and _may_hear(person, incident))


def _may_hear(person: PersonId, incident: Incident) -> bool:
    """True if somebody may see a private incident, by its record alone: who works on it is in its room."""
    at_work = person in incident.assigned or person in incident.leads.values()
    return can_see(person, incident, in_room=at_work)


def due_action_items(
    items: Iterable[ActionItem],
    company: Company,
    now: datetime,
    hearers_of: Callable[[ActionItem], tuple[Recipient, ...]] = lambda item: (),
) -> Iterator[DueActionItem]:
    """Yield what is due: two days before the day and the day after to the owner, a week after to the lead.

    In the morning of the company's zone, each for some days: after an outage it is caught up or too late to be of use.
    Whoever cannot be reached is followed by the others who may hear of it (`hearers`).
    """
    zone = ZoneInfo(company.timezone)
    today = now.astimezone(zone)
    promised = [i for i in items if i.state is ItemState.OPEN and i.commitment]
    for item in promised:
        yield from _needed_again(item, hearers_of, now)
    if today.time() < MORNING:
        return
    for item in promised:
        if item.due is None:
            continue
        days = (today.date() - item.due).days
        what = next((name for name, (first, last) in _REMINDED.items() if first <= days <= last), None)
        if what is None:
            continue
        due, until = (
            datetime.combine(item.due + timedelta(days=n), at, zone).astimezone(UTC)
            for n, at in zip(_REMINDED[what], (MORNING, time.max), strict=True)
        )
        name = f"item-{item.id.replace('/', '-')}-{item.due:%Y%m%d}-{what}"
        reminder = DueActionItem(id=name, due=due, until=until, item=item, what=what)
        order = _in_turn(item, what, hearers_of(item))
        yield reminder.model_copy(update={"instead": order}).handed_on() or reminder


def _in_turn(item: ActionItem, what: str, others: tuple[Recipient, ...]) -> tuple[Recipient, ...]:
    """Sort those who hear: the owner first, but last of what is a week late. One who was forgotten hears nothing."""
    owner = () if title_of(item.owner) else (Recipient(to=item.owner),)
    people, channel = [one for one in others if one.to], [one for one in others if not one.to]
    return (*people, *owner, *channel) if what == "lead" else (*owner, *people, *channel)


def _needed_again(
    item: ActionItem, hearers_of: Callable[[ActionItem], tuple[Recipient, ...]], now: datetime
) -> Iterator[DueActionItem]:
    """Yield that an incident began which a commitment was to prevent: to its owner, at once and once."""
    for later, at in item.again if not item.private else ():
        if at <= now < at + AGAIN_FOR:
            name = f"item-{item.id.replace('/', '-')}-again-{later}"
            reminder = DueActionItem(id=name, due=at, until=at + AGAIN_FOR, item=item, what="again", later=later)
            order = _in_turn(item, "again", hearers_of(item))
            yield reminder.model_copy(update={"instead": order}).handed_on() or reminder


AGAIN_FOR = timedelta(days=3)  # after a longer outage of Slack it is no news
MORNING = time(9)
_REMINDED: dict[Literal["soon", "overdue", "lead"], tuple[int, int]] = {
    "soon": (-2, -1),
    "overdue": (1, 4),
    "lead": (7, 13),
}


def reminder_lines(reminder: DueActionItem) -> Lines:
    """Words of a reminder: what was promised, by whom, for when, and how it is closed."""
    item = reminder.item
    late = (reminder.due.date() - item.due).days if item.due else 0
    when = f"{late} day{'' if late == 1 else 's'} overdue" if late > 0 else f"due {item.due}"
    heads = {
        "soon": f"Due on {item.due:%A, %Y-%m-%d}: ",
        "overdue": f"Was due on {item.due:%A, %Y-%m-%d}: ",
        "lead": "A week overdue: ",
        "again": f"{reminder.later} began, and this was to prevent it ({when}): ",
    }
    owner = (" (", Person(item.owner), ")") if reminder.why else ()
    unreached = ", for its owner cannot be reached" if reminder.why and reminder.what != "lead" else ""
    why = (line(f"You hear of this {reminder.why}{unreached}."),) if reminder.why else ()
    close = f"`/incident actions done {item.id}`, `drop {item.id} why` or `take {item.id} friday` changes it."
    return (
        line("📌 ", Strong(heads[reminder.what]), Verbatim(item.text), *owner, f", from {item.incident}."),
        *why,
        line(close),
    )


def item_line(item: ActionItem, today: date | None = None) -> Line:
    """One item: its state, number, words, owner and day."""
    late = today is not None and item.overdue(today)
    mark = {ItemState.DONE: "✅ ", ItemState.DROPPED: "✖️ "}.get(item.state, "🔴 " if late else "▫️ ")
    owner = (" · ", Person(item.owner)) if item.owner else (" · nobody yet",)
    due = (f" · due {item.due:%Y-%m-%d}{' (overdue)' if late else ''}",) if item.due else ()
    why = (f" · {item.state}: ", Verbatim(item.why)) if item.why else ()
    return line(mark, Strong(f"{item.id} "), Verbatim(item.text), *owner, *due, *why, *_links(item))


def _links(item: ActionItem) -> Line:
    """Where it came from, and its ticket; what would tell others of a private incident is said to be in the open."""
    ticket = item.ticket if item.ticket and not item.ticket.gone else None
    exposed = "delete it there: " if ticket and item.private and not ticket.private else ""
    return (
        *((" · ", Link(item.url, "message")) if item.url else ()),
        *((f" · {exposed}", Link(ticket.url, ticket.key)) if ticket else ()),
        *((" · ⚠️ ", Verbatim(item.trouble)) if item.trouble and item.state is ItemState.OPEN else ()),
    )
