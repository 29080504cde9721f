"""Our own status page: its title, the services that it lists, and its address."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from escalation.config.rules.communications import Means
from escalation.config.rules.words import Line
from escalation.values import Frozen

STATUS_PAGE = str(Means.STATUS_PAGE)
"""Name of the channel that carries what is published there."""


UNDER_MAINTENANCE = "under_maintenance"
"""State shown of a component in planned maintenance that nothing harms. None is published so."""


class ComponentState(StrEnum):
    """State of a component; the last is the worst."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded_performance"
    PARTIAL = "partial_outage"
    MAJOR = "major_outage"

    @property
    def rank(self) -> int:
        """0 is the best."""
        return list(ComponentState).index(self)


def _address(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("the address of a status page begins with https://")
    return url if url.endswith("/") else f"{url}/"


class Maintenance(Frozen):
    """Planned maintenance as the public reads it; its times need an offset, like 2026-12-01T22:00:00+01:00."""

    title: Line = Field(min_length=1, max_length=120)
    starts: AwareDatetime
    ends: AwareDatetime
    components: tuple[str, ...] = ()
    words: Line = ""

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "Maintenance":
        if self.ends <= self.starts:
            raise ValueError("maintenance ends before it starts; write the earlier time under starts")
        return self


class StatusPage(Frozen):
    """Our own status page, a folder of files. `components` are services; `url` is where the public reads the page."""

    title: Line = Field(min_length=1, max_length=100)
    components: tuple[str, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    mails_a_second: int = Field(default=10, ge=1, le=100)
    url: Annotated[str, AfterValidator(_address)] | None = None

    @model_validator(mode="after")
    def _maintained_components_are_listed(self) -> "StatusPage":
        listed = {name for window in self.maintenance for name in window.components}
        if unknown := sorted(listed - set(self.components)):
            raise ValueError(f"maintenance names {', '.join(unknown)}, which `components` does not list")
        return self
