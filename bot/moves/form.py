"""A move's modal: what it is made from, what it consists of, and what comes back of it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.errors import filled_in
from bot.render.blockkit import Block
from bot.render.form_state import FormState
from bot.render.inputs import FormValues, words
from escalation.config.policy import Policy
from escalation.incident.events import MoveEvent
from escalation.incident.model import Incident
from escalation.oncall.roster import Roster
from escalation.values import PersonId

T = TypeVar("T")


@dataclass(frozen=True)
class FormContext:
    """The incident as it stands, the policy, who is on call, what else the person sees.

    `roles` maps those that can be paged to what people call them; `services` are those that the company has; `typed`
    is what stood after the command.
    """

    incident: Incident
    policy: Policy
    roles: Mapping[str, str]
    roster: Roster
    others: tuple[Incident, ...] = ()
    services: tuple[str, ...] = ()
    typed: str = ""


@dataclass(frozen=True)
class Submitted:
    """A submitted modal: what was filled in, by whom, and the state that it carried."""

    values: FormValues
    policy: Policy
    by: PersonId
    state: FormState

    @classmethod
    def of(cls, body: dict[str, Any], policy: Policy) -> "Submitted":
        """Of Slack's payload of a submission."""
        view = body["view"]
        return cls(FormValues(view), policy, body["user"]["id"], FormState.decode(view["private_metadata"]))

    @property
    def key(self) -> str:
        """The same for a submission that comes twice."""
        return self.state.key

    def read(self, reading: Callable[["Submitted"], T]) -> T:
        """What the answers say. InvalidForm, with words for the fields, when they cannot be taken."""
        with filled_in(self.values.fields, self.values.first):
            return reading(self)


@dataclass(frozen=True)
class Form:
    """A move's modal. `event` reads the answers of a person; it raises InvalidForm or pydantic's ValidationError."""

    title: str
    submit: str
    blocks: Callable[[FormContext], list[Block]]
    event: Callable[[Submitted], MoveEvent]


def words_only(
    name: str, label: str, *, optional: bool = False, hint: str = ""
) -> Callable[[FormContext], list[Block]]:
    """A form with one field for text."""
    return lambda context: [words(name, label, optional=optional, hint=hint)]
