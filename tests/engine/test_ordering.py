"""Order in which lists show incidents."""

from datetime import timedelta

from escalation.incident.model import Status
from escalation.incident.tickets import in_listed_order
from tests.support.incidents import declared
from tests.support.story import START


def test_open_incidents_stand_by_severity_and_time_before_closed_ones() -> None:
    """P0 first, the longest open first; of the closed ones the newest first, whatever their severity."""
    rows = [("P3", 0, True), ("P0", 2, True), ("P1", 1, True), ("P0", 1, True), ("P0", 3, False), ("P2", 4, False)]
    incidents = [
        declared(severity).model_copy(
            update={"declared_at": START + timedelta(hours=hour)} | ({} if still_open else {"status": Status.RESOLVED})
        )
        for severity, hour, still_open in rows
    ]
    shown = [(str(i.severity), (i.declared_at - START) // timedelta(hours=1)) for i in in_listed_order(incidents)]
    assert shown == [("P0", 1), ("P0", 2), ("P1", 1), ("P3", 0), ("P2", 4), ("P0", 3)]
