"""Former values of an incident: before a reopening, and before each decision."""

from datetime import datetime
from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from escalation.config.policy import Severity, SeverityPolicy
from escalation.incident.state.facts import Facts, Resolution, Signed, Status
from escalation.incident.state.rooms import Room
from escalation.values import Frozen, PersonId


class Stretch(Frozen):
    """A stretch of an incident that was reopened: from its declaration or reopening until it was closed."""

    started: datetime
    closed_at: datetime
    assigned: tuple[PersonId, ...] = ()
    acknowledgement: Signed | None = None
    root_cause: Signed | None = None
    workaround: Signed | None = None
    fix: Signed | None = None
    resolution: Resolution | None = None


class Former(Frozen):
    """Values that one decision replaced: they hold for the timeline entries up to `until`. Others are not set.

    `paged` is how many pages there were.
    So an entry says for ever what was true when it was made, for the price of what changed.
    """

    until: int
    paged: int = 0
    severity: Severity | None = None
    policy: SeverityPolicy | None = None
    facts: Facts | None = None
    team: str = ""
    status: Status | None = None
    assigned: tuple[PersonId, ...] = ()
    acknowledgement: Signed | None = None
    resolution: Resolution | None = None
    closed_at: datetime | None = None
    sla_from: datetime | None = None
    room: Room | None = None
    old_rooms: tuple[Room, ...] = ()
    shared_room: Room | None = None
    stretches: tuple[Stretch, ...] = ()

    @model_serializer(mode="wrap")
    def _only_what_is_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name in self.model_fields_set}

    def values(self) -> dict[str, Any]:
        """Return the values that were replaced, by field of the incident."""
        return {name: getattr(self, name) for name in self.model_fields_set.intersection(REMEMBERED)}


REMEMBERED = tuple(name for name in Former.model_fields if name not in ("until", "paged"))
