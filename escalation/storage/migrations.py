"""Stored form of an incident: migrate what an older Tocsin wrote, and refuse what a newer one wrote.

A document says its version. Older ones are brought up to date, step by step, when they are read. Newer ones raise
TooNew: while two versions run side by side they belong to the newer, since writing one back would lose what it knows.
"""

import functools
import json
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from escalation.config.policy import SeverityPolicy
from escalation.errors import TooNew
from escalation.incident.model import STATE_VERSION, Incident

Document = dict[str, Any]
_CURRENT = f'{{"version":{STATE_VERSION},'.encode()
_POLICY = b',"policy":{'  # unique: a policy has no such key, and within a text the quotes would be escaped


def read(raw: Any) -> Incident:
    """Read a stored document, migrated if need be. Raises TooNew, or pydantic's ValidationError for a broken one."""
    if raw.startswith(_CURRENT):
        return _read_current(raw)
    document: Document = json.loads(raw)
    version = int(document.get("version", 1))
    if version > STATE_VERSION:
        raise TooNew(str(document.get("id", "")), version, _seems_urgent(document))
    for step in range(version, STATE_VERSION):
        document = _STEPS[step](document)
    return Incident.model_validate(document | {"version": STATE_VERSION})


def write(incident: Incident) -> str:
    """Return the document to store: ordinary JSON, with the policy at its end, where `read` looks for it."""
    return (
        f'{incident.model_dump_json(exclude={"policy"})[:-1]},"policy":{_policy_text(_ByIdentity(incident.policy))}}}'
    )


@functools.lru_cache(maxsize=256)  # what many people list at once is read once; incidents are frozen values
def _read_current(raw: bytes) -> Incident:
    """Read a document of this version, its policy from a cache: it is half of the text, and most share the same few."""
    rest, _, policy = raw.rpartition(_POLICY)
    try:
        known = _policy(b"{" + policy[:-1])
        return Incident.model_validate_json(rest + b',"policy":null}', context={"policy": known})
    except ValidationError:  # the policy is not at the end; or something is wrong, and this says what
        return Incident.model_validate_json(raw)


class _ByIdentity:
    """A policy hashed by identity: its own fields cannot be hashed."""

    def __init__(self, policy: SeverityPolicy) -> None:
        self.policy = policy

    def __hash__(self) -> int:
        return id(self.policy)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByIdentity) and other.policy is self.policy


@functools.lru_cache(maxsize=64)
def _policy_text(wrapped: _ByIdentity) -> str:
    return wrapped.policy.model_dump_json()


@functools.lru_cache(maxsize=64)
def _policy(text: bytes) -> SeverityPolicy:
    return SeverityPolicy.model_validate_json(text)


def _seems_urgent(document: Document) -> bool:
    """True if its work is for the urgent queue, as far as we understand the document."""
    policy = document.get("policy")
    return isinstance(policy, dict) and policy.get("urgent") is True


def _from_1(document: Document) -> Document:
    """Migrate version 1: a review was a duration only, and promised times counted from the policy's clocks."""
    policy = dict(document["policy"])
    within = policy.pop("review_within", None)
    if within:
        policy["review"] = {"within": within, "always": True}
    return document | {"policy": policy, "sla_from": document["clock_from"]}


def _from_2(document: Document) -> Document:
    """Migrate version 2: no page listed those of other incidents, so there is nothing to change."""
    return document


def _from_3(document: Document) -> Document:
    """Migrate version 3: a box that nobody had ticked stood for "no". Only a correction by hand really said so."""
    denied = {
        name
        for entry in document.get("timeline", ())
        if entry["kind"] == "edited"
        for name, value in entry.get("fields", {}).items()
        if value == "False"
    }
    facts = {n: None if n in _UNTICKED and v is False and n not in denied else v for n, v in document["facts"].items()}
    resolution = document.get("resolution")
    if resolution and resolution.get("data_loss") is False:
        resolution = resolution | {"data_loss": facts.get("data_loss")}
    return document | {"facts": facts, "resolution": resolution}


_UNTICKED = ("data_loss", "outage", "major_impact")
_STEPS: dict[int, Callable[[Document], Document]] = {1: _from_1, 2: _from_2, 3: _from_3}
