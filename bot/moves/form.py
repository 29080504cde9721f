"""A move's form: its context, its blocks, its submission. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from bot.errors import form_errors
from bot.moves.form_state import FormState
from bot.render.blockkit import Block
from bot.render.inputs import FormValues, text_field
from escalation.config.policy import Policy
from escalation.config.status_page import StatusPage
from escalation.incident.events.moves import MoveEvent
from escalation.incident.model import Incident
from escalation.messages.template import WORDING, Wording
from escalation.oncall.roster import Roster
from escalation.values import PersonId

T = TypeVar("T")


@dataclass(frozen=True)
class FormContext:
    """Context that a form's blocks are built from.

    `roles` maps the roles that can be paged to their display names; `others` are incidents that this one may duplicate;
    `services` are the company's; `typed` is what followed the command, or a button's argument; `page` is our status
    page, `wording` the templates.
    """

    incident: Incident
    policy: Policy
    roles: Mapping[str, str]
    roster: Roster
    others: tuple[Incident, ...] = ()
    services: tuple[str, ...] = ()
    typed: str = ""
    page: StatusPage | None = None
    wording: Wording = WORDING


@dataclass(frozen=True)
class Submission:
    """A submitted modal: its values, who submitted it, and the state that it carried."""

    values: FormValues
    policy: Policy
    by: PersonId
    state: FormState

    @classmethod
    def of(cls, body: dict[str, Any], policy: Policy) -> "Submission":
        """Read Slack's payload of a submission."""
        view = body["view"]
        return cls(FormValues(view), policy, body["user"]["id"], FormState.decode(view["private_metadata"]))

    @property
    def key(self) -> str:
        """Idempotency key: the same when Slack delivers a submission twice."""
        return self.state.key

    def read(self, reader: Callable[["Submission"], T]) -> T:
        """Read the values with `reader`. Raises InvalidForm, with messages for the fields."""
        with form_errors(self.values.fields, self.values.first):
            return reader(self)


@dataclass(frozen=True)
class Form:
    """A move's form. `event` builds the event of a submission; it raises InvalidForm or pydantic's ValidationError.

    With a `preview`, what would come of it is shown first, and it is submitted once more.
    """

    title: str
    submit: str
    blocks: Callable[[FormContext], list[Block]]
    event: Callable[[Submission], MoveEvent]
    preview: Callable[[FormContext, MoveEvent, datetime], list[Block]] | None = None


def text_form(name: str, label: str, *, optional: bool = False, hint: str = "") -> Callable[[FormContext], list[Block]]:
    """Build the `blocks` of a form with a single text field."""
    return lambda context: [text_field(name, label, optional=optional, hint=hint)]
