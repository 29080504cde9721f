"""What people arranged about on call, kept until it was told to the others. Pure steps from one Duty to the next."""

from datetime import datetime, timedelta
from typing import Literal

from escalation.oncall.schedule import Away, Duty, Notice, Override
from escalation.values import PersonId

TOLD_FOR = timedelta(days=2)  # what is older is told or, after an outage, not worth telling any more
Did = Literal["took", "override", "swapped", "away", "cancelled"]


def noted(before: Duty, after: Duty, did: Did, by: PersonId, at: datetime) -> Duty:
    """The changed duty with a notice of what was made or taken back since `before`."""
    gone = [p for p in _pieces(before) if p not in _pieces(after)]
    made = [p for p in _pieces(after) if p.id > before.made]
    notice = Notice(did=did, pieces=tuple(gone if did == "cancelled" else made), by=by, at=at)
    kept = (n for n in after.notices if n.at > at - TOLD_FOR)
    return after.model_copy(update={"notices": (*kept, notice)})


def _pieces(duty: Duty) -> tuple[Override | Away, ...]:
    return (*duty.overrides, *duty.away)
