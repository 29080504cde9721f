"""Planned maintenance as the public reads it: its phases, and what is told of them. Pure."""

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from escalation.config.status_page import Maintenance, StatusPage
from escalation.values import Frozen, PersonId

NEWS_FOR = timedelta(days=1)  # an older end is no news


class Phase(StrEnum):
    """Phase of planned maintenance."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class PlannedWindow(Maintenance):
    """Maintenance that somebody planned from Slack. `key` is that of the form it came from."""

    id: str
    by: PersonId
    key: str = ""
    cancelled_at: datetime | None = None


def phase_of(window: Maintenance, now: datetime) -> Phase:
    """Return the phase of planned maintenance; it is in progress from its start until its end, which is excluded."""
    if isinstance(window, PlannedWindow) and window.cancelled_at:
        return Phase.CANCELLED
    if now < window.starts:
        return Phase.SCHEDULED
    return Phase.IN_PROGRESS if now < window.ends else Phase.COMPLETED


def shown_maintenance(page: StatusPage, now: datetime) -> list[tuple[Maintenance, Phase]]:
    """Return the maintenance to show, the earliest first: what is ahead, in progress, or ended within a day."""
    recent = (w for w in page.maintenance if now < w.ends + timedelta(days=1))
    return [(w, phase_of(w, now)) for w in sorted(recent, key=lambda w: w.starts)]


def in_progress(windows: Iterable[Maintenance], now: datetime) -> list[Maintenance]:
    """Return the maintenance in progress."""
    return [window for window in windows if phase_of(window, now) is Phase.IN_PROGRESS]


class Notice(Frozen):
    """What subscribers are told of a window when it enters a phase: as it stood then, to those who had subscribed.

    `subscriber` is the number of the last of them.
    """

    window: str
    phase: Phase
    at: datetime
    planned: Maintenance
    subscriber: int

    @property
    def name(self) -> str:
        """Its name among all that subscribers are mailed."""
        return f"{self.window}-{self.phase}"


def window_id(window: Maintenance) -> str:
    """Return the id of a window. One of the configuration is known by its title and start."""
    if isinstance(window, PlannedWindow):
        return window.id
    said = f"{window.title}\n{window.starts.timestamp()}"
    return f"C{hashlib.sha256(said.encode()).hexdigest()[:8]}"


def news_of(window: Maintenance, told: Collection[Phase], now: datetime) -> Phase | None:
    """Return the phase of a window that subscribers have to hear of now, after those that they were told.

    Nobody hears of an end or a cancellation who was told of no beginning; after an end there is nothing more to tell.
    """
    phase = phase_of(window, now)
    if phase in told or Phase.COMPLETED in told or Phase.CANCELLED in told:
        return None
    if phase in (Phase.SCHEDULED, Phase.IN_PROGRESS):
        return phase
    return phase if told and now < window.ends + NEWS_FOR else None
