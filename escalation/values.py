"""Base types: the frozen model, and a configuration's person keys and channels."""

import hashlib
import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints


class Frozen(BaseModel):
    """Immutable model; an unknown field is an error rather than a silent typo.

    A refused input stays out of the error's text, which ends in logs: it may be people's words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def __copy__(self) -> Self:
        """Copy as pydantic does, for models without private attributes, in a third of the time."""
        made = self.__class__.__new__(self.__class__)
        object.__setattr__(made, "__dict__", self.__dict__.copy())
        object.__setattr__(made, "__pydantic_fields_set__", self.__pydantic_fields_set__.copy())
        object.__setattr__(made, "__pydantic_extra__", None)
        object.__setattr__(made, "__pydantic_private__", None)
        return made


PersonId = Annotated[str, StringConstraints(max_length=80)]
MailAddress = Annotated[str, StringConstraints(pattern=r"^[^@\s,<>]+@[^@\s,<>]+$")]
PersonKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]*$", max_length=60)]


INCIDENT_ID = re.compile(r"INC-\d{8}-\d{3,}")
MACHINE = "machine:"


def machine(title: str) -> PersonId:
    """Return the id under which a machine acts, like `machine:Alertmanager`: no member, so never invited or paged."""
    return f"{MACHINE}{title}"[:80]


def machine_title(person: PersonId) -> str:
    """Return what a machine is called; empty for a person."""
    return person.removeprefix(MACHINE) if person.startswith(MACHINE) else ""


FORMER = "former:"
FORMER_COLLEAGUE = "a former colleague"


def former(number: int) -> PersonId:
    """Return the pseudonym of somebody who was forgotten: nobody, so never invited or paged."""
    return f"{FORMER}{number}"


def title_of(person: PersonId) -> str:
    """Return what a machine is called, or somebody who was forgotten; empty for a member."""
    if person.startswith(FORMER):
        return f"former colleague {person.removeprefix(FORMER)}"
    return machine_title(person)


def fingerprint(words: str) -> str:
    """Return what stands for words where they are only compared."""
    return hashlib.blake2s(words.encode(), digest_size=16).hexdigest()


def as_list(value: Any) -> Any:
    """Return a setting's values as a list: it may hold one or several."""
    return value if isinstance(value, list | tuple) else (value,)


def parse_channel(text: str) -> str:
    """Parse a channel's name, without its #, or id. Checked here: else a wrong one shows with the first card posted."""
    name = text.removeprefix("#")
    if re.fullmatch(r"[CG][A-Z0-9]{2,}", name) or (re.fullmatch(r"[\w-]{1,80}", name) and name == name.lower()):
        return name
    raise ValueError(f"'{text}' is not a channel; write its name in lower-case letters, digits, '-' or '_', or its id")


NAMES_CHANNEL = "names a channel of the workspace"
"""What the type of such a key says: whatever has it is looked up there (`config.references.channels_of`)."""

Channel = Annotated[str, AfterValidator(parse_channel), NAMES_CHANNEL]
