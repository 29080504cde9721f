"""Action items of incidents: ideas, and commitments with an owner and a due date. Pure.

(Automatic actions are something else: webhooks of the company's, escalation.config.actions.)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Literal
from zoneinfo import ZoneInfo

from escalation.config.company import Company
from escalation.errors import Refused
from escalation.oncall.reminders import DueReminder
from escalation.text import Line, Lines, Person, Strong, Verbatim, line
from escalation.values import PersonId, title_of

MAX_TEXT = 500


class ItemState(StrEnum):
    """State of an action item. `dropped`: it will not be done, for a reason."""

    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"


@dataclass(frozen=True)
class ActionItem:
    """Something to do after an incident. `id` is the incident's and a number: `INC-20241218-001/2`.

    `due` is a day of the company's zone. `by` noted it at `at`; `closed_by` closed it at `closed_at`, `why` if it was
    dropped. `service` is that of the incident, which may be `private`.
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


def given_to(item: ActionItem, owner: PersonId, due: date | None) -> ActionItem:
    """Give an open item to somebody, by a day if one is said. Raises Refused for one that is closed."""
    if item.state is not ItemState.OPEN:
        raise Refused(f"{item.id} is {item.state} already.")
    return replace(item, owner=owner, due=due or item.due)


def in_order(items: Iterable[ActionItem], today: date) -> list[ActionItem]:
    """Sort open items: commitments by their day, the overdue first, then ideas, the oldest first."""
    return sorted(items, key=lambda i: (not i.commitment, i.due or today.max, i.at, i.id))


class DueActionItem(DueReminder):
    """A reminder of a commitment: to its owner before and after its day, then to the lead of the service.

    "left": to the lead, because the owner cannot be reached any more.
    """

    item: ActionItem
    what: Literal["soon", "overdue", "lead", "left"]

    def without_owner(self, company: Company) -> "DueActionItem | None":
        """Return the same for the lead; None if there is no other person who may hear it."""
        lead = company.lead_of(self.item.service) if self.item.service else None
        if not lead or lead == self.to or self.item.private:
            return None
        return self.model_copy(update={"to": lead, "what": "left"})


def due_action_items(items: Iterable[ActionItem], company: Company, now: datetime) -> Iterator[DueActionItem]:
    """Yield what is due: two days before the day and the day after to the owner, a week after to the lead.

    In the morning of the company's zone, each for some days: after an outage it is caught up or too late to be of use.
    The lead hears nothing of a private incident.
    """
    zone = ZoneInfo(company.timezone)
    today = now.astimezone(zone)
    if today.time() < MORNING:
        return
    for item in items:
        if item.state is not ItemState.OPEN or not item.commitment or item.due is None:
            continue
        days = (today.date() - item.due).days
        what = next((name for name, (first, last) in _REMINDED.items() if first <= days <= last), None)
        lead = company.lead_of(item.service) if item.service else None
        to_lead = what == "lead" or bool(title_of(item.owner))  # an owner who was forgotten hears nothing
        to = lead if to_lead else item.owner
        if what and to and not (to_lead and item.private):
            due, until = (
                datetime.combine(item.due + timedelta(days=n), at, zone).astimezone(UTC)
                for n, at in zip(_REMINDED[what], (MORNING, time.max), strict=True)
            )
            name = f"item-{item.id.replace('/', '-')}-{item.due:%Y%m%d}-{what}"
            yield DueActionItem(id=name, due=due, until=until, to=to, item=item, what=what)


MORNING = time(9)
_REMINDED: dict[Literal["soon", "overdue", "lead"], tuple[int, int]] = {
    "soon": (-2, -1),
    "overdue": (1, 4),
    "lead": (7, 13),
}


def reminder_lines(reminder: DueActionItem) -> Lines:
    """Words of a reminder: what was promised, by whom, for when, and how it is closed."""
    item = reminder.item
    heads = {
        "soon": f"Due on {item.due:%A, %Y-%m-%d}: ",
        "overdue": f"Was due on {item.due:%A, %Y-%m-%d}: ",
        "lead": "A week overdue: ",
        "left": f"Due on {item.due:%A, %Y-%m-%d}, and its owner cannot be reached: ",
    }
    owner = (" (", Person(item.owner), ")") if reminder.what in ("lead", "left") else ()
    close = f"`/incident actions done {item.id}`, `drop {item.id} why` or `take {item.id} friday` changes it."
    return (
        line("📌 ", Strong(heads[reminder.what]), Verbatim(item.text), *owner, f", from {item.incident}."),
        line(close),
    )


def item_line(item: ActionItem, today: date | None = None) -> Line:
    """One item: its state, number, words, owner and day."""
    late = today is not None and item.overdue(today)
    mark = {ItemState.DONE: "✅ ", ItemState.DROPPED: "✖️ "}.get(item.state, "🔴 " if late else "▫️ ")
    owner = (" · ", Person(item.owner)) if item.owner else (" · nobody yet",)
    due = (f" · due {item.due:%Y-%m-%d}{' (overdue)' if late else ''}",) if item.due else ()
    why = (f" · dropped: {item.why}",) if item.why else ()
    return line(mark, Strong(f"{item.id} "), Verbatim(item.text), *owner, *due, *why)
