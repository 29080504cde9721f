"""Whom to call outside of Slack: the hotline, people by name, and the vendors that services depend on."""

from typing import Annotated, Any

from pydantic import BeforeValidator, model_validator

from escalation.config.staff import Phone
from escalation.values import Frozen


class Contact(Frozen):
    """Somebody to reach, by whatever ways are known."""

    name: str = ""
    phone: Phone | None = None
    email: str | None = None
    slack: str | None = None
    url: str | None = None
    note: str = ""

    def __str__(self) -> str:
        ways = (self.name, self.phone, self.email, self.slack, self.url, self.note)
        return " · ".join(way for way in ways if way)

    @model_validator(mode="after")
    def _reachable(self) -> "Contact":
        if not (self.name or self.phone or self.email or self.slack or self.url):
            raise ValueError("a contact needs a name, phone, email, slack or url")
        return self


def parse_contact(value: Any) -> Any:
    """A plain text is a contact's name."""
    return Contact(name=value) if isinstance(value, str) else value


Named = Annotated[Contact, BeforeValidator(parse_contact)]


class Contacts(Frozen):
    """The page of the emergency contacts."""

    hotline: Contact | None = None
    technical: tuple[Named, ...] = ()
    business: tuple[Named, ...] = ()
    vendors: dict[str, Named] = {}
