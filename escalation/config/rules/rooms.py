"""Phases of the war room."""

from enum import StrEnum

from escalation.config.rules.words import Line
from escalation.times import Duration
from escalation.values import Frozen


class PhaseStart(StrEnum):
    """Start of a phase of the war room. `after`: the end of the time box before it."""

    OPENED = "opened"
    AFTER = "after"
    FIXING = "fixing"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


class Phase(Frozen):
    """A phase of the war room: when it begins, what it asks, and its time box."""

    name: Line
    begins: PhaseStart
    lasts: Duration | None = None
    ask: tuple[Line, ...] = ()
