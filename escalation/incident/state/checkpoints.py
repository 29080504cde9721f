"""Waiting checkpoints of an incident."""

from datetime import datetime
from enum import StrEnum

from escalation.values import Frozen


class CheckpointKind(StrEnum):
    """Kind of a checkpoint. `policy` and `communication`: planned by the policy; the others follow from events.

    `redraw` says nothing: a time on the card passes, and the card is to show it. `archive`: of a cancelled one's room.
    `review`: of a resolved one's, until it is held.
    """

    POLICY = "policy"
    COMMUNICATION = "communication"
    FALLBACK = "fallback"
    STEP = "step"
    REPEAT = "repeat"
    OWED = "owed"
    UPDATE = "update"
    SILENCE = "silence"
    MONITORING = "monitoring"
    PHASE = "phase"
    REDRAW = "redraw"
    ARCHIVE = "archive"
    REVIEW = "review"


class Checkpoint(Frozen):
    """A waiting checkpoint.

    `about` names the planned checkpoint (policy) or communication, or holds a number: the page's (repeat, fallback, and
    step, followed by its channels), the due communication's (owed), the phase's (phase), the update's that promised
    this one (update), or the stage of a review.
    """

    id: str
    kind: CheckpointKind
    due: datetime
    about: str = ""
