"""Words of the status page: states, instants, and what was promised. In UTC, for readers are anywhere."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from escalation.config.status_page import UNDER_MAINTENANCE, ComponentState
from escalation.status_page.maintenance import Phase
from escalation.status_page.publications import Impact, Publication, PublicStatus
from escalation.status_page.standing import Correction, PublicIncident
from escalation.times import spoken_duration

STATES = {
    ComponentState.OPERATIONAL: "Operational",
    ComponentState.DEGRADED: "Degraded performance",
    ComponentState.PARTIAL: "Partial outage",
    ComponentState.MAJOR: "Major outage",
}
SHOWN = {str(state): said for state, said in STATES.items()} | {UNDER_MAINTENANCE: "Under maintenance"}
STATUSES = {status: status.value.capitalize() for status in PublicStatus}
IMPACTS = {
    Impact.NONE: "No impact",
    Impact.MINOR: "Minor impact",
    Impact.MAJOR: "Major impact",
    Impact.CRITICAL: "Critical impact",
}


PHASES = {Phase.SCHEDULED: "Scheduled", Phase.IN_PROGRESS: "In progress", Phase.COMPLETED: "Completed"}
PHASES |= {Phase.CANCELLED: "Cancelled"}


def clock(at: datetime) -> str:
    """`14:02 UTC`."""
    return f"{at.astimezone(UTC):%H:%M} UTC"


def until(at: datetime) -> str:
    """Say until when a page can be relied on, behind a time that names its zone already."""
    return f"after {at.astimezone(UTC):%H:%M} do not rely on this page"


def instant(at: datetime) -> str:
    """`29 November 2026, 14:02 UTC`."""
    return f"{day(at.astimezone(UTC).date())}, {clock(at)}"


def day(of: date) -> str:
    """`29 November 2026`."""
    return f"{of.day} {of.strftime('%B %Y')}"


def stamp(now: datetime, valid_until: datetime) -> str:
    """Say when a file was written, and until when it can be relied on."""
    return f"As published at {instant(now)}; {until(valid_until)}."


def headline(
    open_incidents: list[PublicIncident], now: datetime, valid_until: datetime, *, maintained: bool = False
) -> str:
    """Say how things stand, and until when that can be relied on. `maintained`: planned maintenance is in progress."""
    end = until(valid_until)
    if not open_incidents:
        return f"{'Planned maintenance in progress' if maintained else 'Operational'} at {clock(now)}; {end}"
    count = "1 open incident" if len(open_incidents) == 1 else f"{len(open_incidents)} open incidents"
    return f"{count} at {clock(now)}; {end}"


def promises(update: Publication, nth: int, following: Publication | None, now: datetime) -> list[str]:
    """Say when we knew, told, and meant to tell next; a promise that was missed stays visible."""
    knew = [f"We knew at {clock(update.knew_at)}"] if nth == 0 else []
    told = [f"{'told you' if knew else 'Told you'} at {clock(update.at)}"]
    said = [", ".join(knew + told) + "."]
    if update.next_by is None:
        return said
    late = (following.at if following else now) - update.next_by
    if late.total_seconds() < 60:
        return said if following else [*said, f"Next update by {clock(update.next_by)}."]
    came = f"it came {spoken_duration(_minutes(late))} late" if following else "it has not come yet"
    return [*said, f"Promised the next update by {clock(update.next_by)}: {came}."]


def correction(of: Correction, now_states: Mapping[str, ComponentState]) -> tuple[str, str]:
    """Say when an update was corrected and which states it had named, and what it had said."""
    changed = (f"{name}: {STATES[s]}" for name, s in of.was.components.items() if now_states.get(name) is not s)
    states = ", ".join(changed)
    return f"Corrected at {instant(of.at)}{f'; it had named {states}' if states else ''}. It was:", of.was.body


def _minutes(length: timedelta) -> timedelta:
    return timedelta(minutes=int(length.total_seconds() // 60))
