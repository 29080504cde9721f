"""Automatic actions: webhooks of the company's own systems, called by themselves or by a person."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from escalation.config.policy import Severity
from escalation.values import Frozen, as_list

ACTIONS = "actions"
"""Name of the channel that carries them."""
DECLARED, BUTTON = "declared", "button"
"""Moments that are no checkpoints: the declaration, and whenever a person says so."""


def web_address(url: str) -> str:
    """Return a web address as it is; ValueError if it is none."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("https", "http") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or any(c.isspace() for c in url):
        raise ValueError(f"'{url}' is no web address; write one like https://ops.example.com/restart")
    return url


class ActionMatch(Frozen):
    """Incidents that an action is for; empty: all of them."""

    severity: Annotated[tuple[Severity, ...], BeforeValidator(as_list)] = ()
    service: Annotated[tuple[str, ...], BeforeValidator(as_list)] = ()


class Action(Frozen):
    """A signed webhook. `when`: `declared`, `button`, checkpoints; `secret_env` names the secret's variable."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    url: Annotated[str, AfterValidator(web_address)]
    secret_env: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
    when: Annotated[tuple[str, ...], BeforeValidator(as_list), Field(min_length=1)] = (DECLARED,)
    match: ActionMatch = ActionMatch()
    dry_run: bool = False

    @property
    def host(self) -> str:
        """Whom it calls, for people: the rest of an address may hold a secret."""
        return urlsplit(self.url).hostname or ""

    def is_for(self, severity: Severity, service: str) -> bool:
        """True if it is for an incident of that severity and service."""
        wanted = self.match
        right_severity = not wanted.severity or severity in wanted.severity
        return right_severity and (not wanted.service or service in wanted.service)


def with_unique_action_names(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """Return the actions; ValueError if two have one name."""
    names = [action.name for action in actions]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"there are two actions called '{doubled[0]}'; give each a name of its own")
    return actions
