"""What a move's modal is made from, and what one consists of. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.render.blockkit import Block
from bot.render.form_state import FormState
from bot.render.inputs import FormValues, words
from escalation.config.policy import Policy
from escalation.incident.events import MoveEvent
from escalation.incident.model import Incident
from escalation.oncall.roster import Roster


@dataclass(frozen=True)
class FormContext:
    """The incident as it stands, the policy, who is on duty, what else the person sees.

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
class Form:
    """A move's modal. `event` reads the answers of a person; it raises Unfit or pydantic's ValidationError."""

    title: str
    submit: str
    blocks: Callable[[FormContext], list[Block]]
    event: Callable[[FormValues, FormContext, str, FormState], MoveEvent]


def words_only(
    name: str, label: str, *, optional: bool = False, hint: str = ""
) -> Callable[[FormContext], list[Block]]:
    """A form with one field for text."""
    return lambda scene: [words(name, label, optional=optional, hint=hint)]
