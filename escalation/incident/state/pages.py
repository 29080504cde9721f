"""Pages of an incident: whom they are for, and how far they got."""

from datetime import datetime
from enum import StrEnum

from escalation.config.notify import Via
from escalation.incident.reach import How, Reach
from escalation.values import Frozen, PersonId


class PageState(StrEnum):
    """State of a page; only an open one is sent and repeated.

    `replaced`: a newer page to the same person took over. `covered`: somebody else who was paged has acknowledged.
    `declined`: its person cannot take it. `moved`: somebody else holds the role now. `withdrawn`: the severity that it
    was sent for is over.
    """

    OPEN = "open"
    ANSWERED = "answered"
    REFUSED = "refused"
    REPLACED = "replaced"
    COVERED = "covered"
    DECLINED = "declined"
    MOVED = "moved"
    WITHDRAWN = "withdrawn"


MAX_ALSO = 30  # each is a change to the incident, and hundreds may come at once


class Page(Frozen):
    """A page to one person. `tier` 0 is a page by name; `rung` is the tier's name at the time of the page.

    `sent` counts the first send and its repeats. `taken_by` are the channels beside Slack that took it. `refusal` is
    why Slack refused it, while that may be because of us. `roles` are those it was sent for, `moved_from` is who held
    them before. `to` is who has acknowledged, or is paged, in place of its person. `also` names other incidents whose
    pages to this person an outage delayed too: those are in the thread of this one. After MAX_ALSO no more are listed.
    `reached` are its sends by other channels, oldest first. `how` is how it was answered, unless in Slack.
    `silent_until`: their Slack makes no sound until then.
    """

    n: int
    tier: int
    rung: str = ""
    person: PersonId
    role: str = ""
    why: str
    at: datetime
    sent: int = 1
    state: PageState = PageState.OPEN
    taken_by: tuple[Via, ...] = ()
    refusal: str = ""
    also: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    moved_from: PersonId = ""
    to: tuple[PersonId, ...] = ()
    reached: tuple[Reach, ...] = ()
    how: How | None = None
    silent_until: datetime | None = None

    def reach(self, effect_id: str) -> Reach | None:
        """Return the send of that effect; None if it is none of this page's."""
        return next((r for r in self.reached if r.effect == effect_id), None)
