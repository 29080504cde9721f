"""Slack as our dead man: pages that Slack sends by itself, unless Tocsin called them off because its own went through.

For every urgent tier that is yet to be paged a message stands in Slack's own queue, three minutes behind.
"""

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from escalation.engine.upcoming import Upcoming
from escalation.incident.effects import SendPage
from escalation.incident.model import Incident
from escalation.values import Frozen, PersonId

BEHIND = timedelta(minutes=3)  # real time, whatever the speed of the policy's clocks


class StandIn(Frozen):
    """A page that Slack sends by itself at `post_at` (epoch seconds), unless that of `due` went through.

    `private`: it has no words of the incident. One that has some is called off when the incident becomes private.
    """

    incident: str
    person: PersonId
    tier: int
    due: datetime
    private: bool = False

    @property
    def post_at(self) -> int:
        """The instant at which Slack sends it: whole seconds, never early."""
        return math.ceil((self.due + BEHIND).timestamp())

    @property
    def sends_at(self) -> datetime:
        """The same instant."""
        return datetime.fromtimestamp(self.post_at, UTC)

    @property
    def key(self) -> str:
        """What tells it from the others."""
        return f"{self.incident}:{self.person}:{self.post_at}{':private' if self.private else ''}"


def stand_ins(incident: Incident, ahead: Iterable[Upcoming]) -> Iterator[StandIn]:
    """Yield one for each person of each urgent tier to come; a drill has none."""
    if incident.drill or not incident.open:
        return
    for coming in ahead:
        urgent = [tier for tier in coming.tiers if incident.policy.is_urgent(tier)]
        for person in coming.people if urgent else ():
            due, private = coming.due, incident.private
            yield StandIn(incident=incident.id, person=person, tier=min(urgent), due=due, private=private)


def is_awaited(stand_in: StandIn, incident: Incident) -> bool:
    """True while a page to its person is decided, and Slack has not taken it yet."""
    if incident.private and not stand_in.private:
        return False
    pending = (effect for effect in incident.effects if isinstance(effect, SendPage))
    return any((page := incident.page_to_send(e)) and page.person == stand_in.person for e in pending)
