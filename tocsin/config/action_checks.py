"""Find actions that would never run, and those whose secret is missing or whose address anybody can read."""

from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from escalation.config.actions import BUTTON, DECLARED, Action
from escalation.config.company import Company
from escalation.config.policy import Policy
from escalation.config.references import Finding, suggest
from escalation.hosts import is_loopback
from tocsin.config.settings import Problem, webhook_secrets


def unknown_moments(company: Company, policy: Policy) -> Iterator[Finding]:
    """Find moments that are none of the policy's, also where the action is for other severities than its checkpoint."""
    for n, action in enumerate(company.actions):
        known = {DECLARED, BUTTON, *_checkpoints(action, policy)}
        elsewhere = _checkpoints(action.model_copy(update={"match": type(action.match)()}), policy)
        for when in action.when:
            if when in elsewhere - known:
                wanted = ", ".join(action.match.severity)
                text = f"'{when}' is no checkpoint of {wanted}, so {action.name} would never run then"
                yield ("actions", n, "when"), text
            elif when not in known:
                yield ("actions", n, "when"), f"policy {policy.name} has no checkpoint '{when}'{suggest(when, known)}"


def open_addresses(company: Company) -> Iterator[Finding]:
    """Find addresses without TLS, beside those of this host."""
    for n, action in enumerate(company.actions):
        if urlsplit(action.url).scheme == "http" and not is_loopback(action.host):
            yield ("actions", n, "url"), f"{action.name}: http lets others on the way read what is sent; use https"
    for means, webhook in company.public_webhooks.items():
        parts = urlsplit(webhook.url)
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            yield ("public_webhooks", means, "url"), "http lets others on the way change what is published; use https"


def unusable_secrets(company: Company) -> list[Problem]:
    """Find the variables of actions and webhooks that are missing, or hold no secret."""
    signed = dict[str, list[str]]()
    for action in company.actions:
        if not action.dry_run:
            signed.setdefault(action.secret_env, []).append(action.name)
    whys = {variable: _unusable(variable) for variable in signed}
    return [Problem(name, f"{why} (it signs {', '.join(signed[name])})") for name, why in whys.items() if why]


def secrets_of(company: Company) -> Iterator[str]:
    """Secrets of actions and webhooks, which must never be logged."""
    own = (webhook.secret_env for webhook in company.public_webhooks.values())
    for variable in (*(action.secret_env for action in company.actions), *own):
        with suppress(ValueError):
            yield from webhook_secrets(variable)


def _unusable(variable: str) -> str:
    try:
        webhook_secrets(variable)
    except ValueError as error:
        return str(error)
    return ""


def _checkpoints(action: Action, policy: Policy) -> set[str]:
    """Ids of the checkpoints that an incident which the action is for may have."""
    wanted = action.match.severity or tuple(policy.severities)
    return {c.id for s in wanted if s in policy.severities for c in policy.severities[s].checkpoints}
