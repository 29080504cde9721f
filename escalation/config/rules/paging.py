"""Rules for pages: tiers, and repeats of an open page."""

from typing import Literal

from pydantic import Field

from escalation.config.rules.words import Line, Role
from escalation.times import Duration
from escalation.values import Frozen


class PageRepeat(Frozen):
    """Repeats of an open page: the interval, how many at most, and what ends them for everybody.

    `until: acknowledged`: that somebody who was paged has acknowledged the incident; the others are told who has it.
    `until: answered`: nothing; each person is paged until they answer their own page.
    """

    every: Duration
    times: int = Field(ge=0, le=20)
    until: Literal["acknowledged", "answered"] = "acknowledged"


class Tier(Frozen):
    """A tier of the escalation policy: everybody who holds one of these roles at the moment of paging.

    `room` opens the war room when this tier is paged. `repeat_pages` and `notify` override the severity's.
    """

    name: Line
    roles: tuple[Role, ...] = Field(min_length=1)
    on_breach: tuple[Role, ...] = ()
    room: bool = False
    repeat_pages: PageRepeat | None = None
    notify: Literal["urgent", "normal"] | None = None

    def roles_for(self, security: bool) -> tuple[Role, ...]:
        """Return the roles to page, for a security incident or another one."""
        return self.roles + (self.on_breach if security else ())


class TierPage(Frozen):
    """Page a tier; `again` pages it even if it was paged before."""

    tier: int = Field(ge=1)
    again: bool = False
