"""Facts of an incident, as people stated them: status, declaration, resolution."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from escalation.config.rules.checkpoints import Said
from escalation.values import Frozen, PersonId


class Status(StrEnum):
    """Status of the work. Acknowledged is a fact beside it, not a status."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    FIXING = "fixing"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    CANCELLED = "cancelled"

    @property
    def closed(self) -> bool:
        """True if resolved or cancelled."""
        return self in (Status.RESOLVED, Status.CANCELLED)


class Detection(StrEnum):
    """Source of the detection, in the words of the first policy's flowchart."""

    MONITORING = "monitoring alert"
    USER_REPORT = "user report"
    HEALTH_CHECK = "health check"
    MANUAL = "manual"


class Facts(Frozen):
    """Facts of the declaration, as corrected since. None of a yes-or-no fact: nobody said; unknown is not "no"."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    impact: str = ""
    description: str = ""
    service: str = ""
    security: bool = False
    data_loss: bool | None = None
    outage: bool | None = None
    major_impact: bool | None = None
    detection: Detection = Detection.MANUAL
    public_wording: str = ""
    source_link: str = ""

    def said(self, what: Said) -> bool:
        """True if that was said of the incident; False if it was denied, or nobody said."""
        return getattr(self, what) is True


class Ongoing(Frozen):
    """Planned maintenance in progress: its title, and until when."""

    title: str
    ends: datetime


class Signed(Frozen):
    """A fact, with who stated it and when."""

    by: PersonId
    at: datetime
    text: str = ""


class Resolution(Frozen):
    """Facts of the resolution notice. `data_loss` is None while nobody knows."""

    by: PersonId
    at: datetime
    summary: str
    resolution: str
    verification: str = ""
    final_impact: str = ""
    data_loss: bool | None = None
    next_steps: str = ""
