"""Do Not Disturb in Slack: whose Slack makes no sound, and until when, as Slack said it last."""

from collections.abc import Mapping
from datetime import datetime

from escalation.values import Frozen, PersonId


class Silence(Frozen):
    """A stretch in which somebody's Slack makes no sound: from (inclusive) until (exclusive)."""

    starts: datetime
    ends: datetime


class Silences(Frozen):
    """The present or next silence of each person who has one."""

    people: Mapping[PersonId, Silence] = {}

    def until(self, person: PersonId, at: datetime) -> datetime | None:
        """Return when somebody's Slack rings again; None if it does at that instant."""
        silence = self.people.get(person)
        return silence.ends if silence and silence.starts <= at < silence.ends else None


EMPTY = Silences()
