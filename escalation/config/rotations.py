"""On-call rotations: people in turn, layers of such turns, or what a calendar feed says."""

import re
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import to_json

from escalation.config.layers import Layer
from escalation.config.turns import Turns
from escalation.times import Duration
from escalation.values import Channel, Frozen, as_list


class Shift(Frozen):
    """One person's shift, from (inclusive) until (exclusive), both UTC."""

    person: str
    starts: datetime
    ends: datetime


def _feed(url: str) -> str:
    if not re.match(r"(https|webcal)://[^/\s]+", url):
        raise ValueError(f"'{url}' is not a calendar; its address begins with https:// or webcal://")
    return url


def _handle(name: str) -> str:
    if not re.fullmatch(r"S[A-Z0-9]{2,}|@?[a-z0-9][a-z0-9._-]{0,20}", name):
        raise ValueError(f"'{name}' is not a user group; write its handle like oncall-engineer, or its id")
    return name.removeprefix("@")


def _people_or_layers(schema: dict[str, Any]) -> None:
    """Say in the JSON schema that layers do without `people`."""
    schema["anyOf"] = [{"required": [name]} for name in ("people", "layers")]
    del schema["required"]


class Rotation(Turns):
    """An on-call rotation: people with shifts in the order given, or as layers or a calendar feed say.

    Shifts begin at local wall-clock times, `every` so often: the handover's weekday begins the count, and `first_shift`
    is a day of the first person's shift. `group` is a Slack user group that is kept in sync.
    """

    model_config = ConfigDict(json_schema_extra=_people_or_layers)

    people: tuple[str, ...] = Field(min_length=1)
    layers: tuple[Layer, ...] = ()
    ical: Annotated[str, AfterValidator(_feed)] | None = None
    group: Annotated[str, AfterValidator(_handle)] | None = None
    test_page: bool = True
    handover_call: Duration = timedelta(minutes=30)
    handover_channel: Channel | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_layers(cls, data: Any) -> Any:
        """Give layers the rotation's time zone; without `people` those are everybody in them: who covers for whom."""
        if not isinstance(data, dict) or not isinstance(data.get("layers"), list):
            return data
        zone = data.get("timezone", "UTC")
        layers = [{"timezone": zone, **one} if isinstance(one, dict) else one for one in data["layers"]]
        slots = [slot for one in layers if isinstance(one, dict) for slot in as_list(one.get("people", ()))]
        names = dict.fromkeys(name for slot in slots for name in as_list(slot) if isinstance(name, str))
        return {"people": list(names), **data, "layers": layers}

    @model_validator(mode="after")
    def _one_plan(self) -> "Rotation":
        conflicting = sorted({"handover", "every", "first_shift"} & self.model_fields_set)
        if self.ical and conflicting:
            raise ValueError(
                f"ical and {conflicting[0]} exclude each other: the calendar says when shifts begin; keep one"
            )
        if self.layers and (self.ical or conflicting):
            other = "ical" if self.ical else conflicting[0]
            raise ValueError(f"layers and {other} exclude each other: each layer has its own; keep one")
        return self

    @property
    def definition(self) -> str:
        """Fingerprint of all that says who is on call when: it changes when somebody edits that."""
        return _definition(self)

    def shift(self, at: datetime, ahead: int = 0) -> Shift:
        """Return the planned shift that holds at an instant, or the one so many handovers later; not of layers."""
        return _shift(self, self.number_of(at) + ahead)

    def on_call(self, at: datetime) -> str:
        """Return the person on call by plan at an instant."""
        return self.shift(at).person


# Looked up for every role and checkpoint of every card: each shift is computed once.


@lru_cache(maxsize=4096)
def _shift(rotation: Rotation, number: int) -> Shift:
    return Shift(
        person=rotation.people[rotation.place_of(number, len(rotation.people))],
        starts=rotation.start_of(number),
        ends=rotation.start_of(number + 1),
    )


@lru_cache(maxsize=256)
def _definition(rotation: Rotation) -> str:
    says = rotation.model_dump(mode="json", include={*_PLAN, "layers"})
    parts = [
        *_PLAN,
        *(("layers",) if rotation.layers else ()),
    ]  # in this order: it was stored so before there were layers
    return sha256(to_json({key: says[key] for key in parts})).hexdigest()[:16]


_PLAN = ("people", "every", "handover", "timezone", "first_shift", "ical")
