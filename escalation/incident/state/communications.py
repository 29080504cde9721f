"""Due communications of an incident: to people outside the response."""

from datetime import datetime
from enum import StrEnum

from escalation.config.rules.communications import Communication, Means
from escalation.values import Frozen, PersonId


class Stage(StrEnum):
    """Stage of a communication."""

    FIRST = "first"
    UPDATE = "update"
    RESTORED = "restored"
    FOLLOW_UP = "follow_up"


class OwedState(StrEnum):
    """State of a due communication. `waiting`: for approval. `replaced`: a later stage took its place."""

    WAITING = "waiting"
    OWED = "owed"
    DONE = "done"
    DECLINED = "declined"
    REPLACED = "replaced"


class OwedCommunication(Frozen):
    """A communication due to people outside the response: by which plan, through what, by when.

    The plan is kept whole: a severity that was changed since may not have it. `entry` is the timeline entry that holds
    the words. One that goes through Slack alone is done as soon as it is decided: delivery sees to it. `corrects` is
    the entry of the update on the status page that it corrects.
    """

    n: int
    plan: Communication
    stage: Stage
    through: tuple[Means, ...]
    entry: int
    due: datetime | None = None
    state: OwedState = OwedState.OWED
    by: PersonId = ""
    corrects: int = 0
