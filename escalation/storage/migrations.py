"""The stored form of an incident: reading what an older Tocsin wrote, and leaving alone what a newer one did.

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
_POLICY = b',"policy":{'  # nothing in a policy is called so, and within a text the quotes would be escaped


def read(raw: Any) -> Incident:
    """The incident of a stored document. Raises TooNew, or pydantic's ValidationError for what cannot be read."""
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
    """The document to store: ordinary JSON, with the policy at its end, where `read` looks for it."""
    return f'{incident.model_dump_json(exclude={"policy"})[:-1]},"policy":{_text(_One(incident.policy))}}}'


@functools.lru_cache(maxsize=256)  # what many people list at once is read once; incidents are frozen values
def _read_current(raw: bytes) -> Incident:
    """A policy's text is read once: it is more than half of a document, and most incidents share the same few."""
    rest, _, policy = raw.rpartition(_POLICY)
    try:
        known = _policy(b"{" + policy[:-1])
        return Incident.model_validate_json(rest + b',"policy":null}', context={"policy": known})
    except ValidationError:  # the policy is not at the end; or something is wrong, and this says what
        return Incident.model_validate_json(raw)


class _One:
    """A policy as itself: it holds what cannot be hashed."""

    def __init__(self, policy: SeverityPolicy) -> None:
        self.policy = policy

    def __hash__(self) -> int:
        return id(self.policy)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _One) and other.policy is self.policy


@functools.lru_cache(maxsize=64)
def _text(one: _One) -> str:
    return one.policy.model_dump_json()


@functools.lru_cache(maxsize=64)
def _policy(text: bytes) -> SeverityPolicy:
    return SeverityPolicy.model_validate_json(text)


def _seems_urgent(document: Document) -> bool:
    """Which queue its work waits on, as far as we understand it."""
    policy = document.get("policy")
    return isinstance(policy, dict) and policy.get("urgent") is True


def _from_1(document: Document) -> Document:
    """Reviews were a mere time, and what is promised to people counted from the policy's clocks."""
    policy = dict(document["policy"])
    within = policy.pop("review_within", None)
    if within:
        policy["review"] = {"within": within, "always": True}
    return document | {"policy": policy, "sla_from": document["clock_from"]}


def _from_2(document: Document) -> Document:
    """No page listed those of other incidents: nothing to bring up to date."""
    return document


_STEPS: dict[int, Callable[[Document], Document]] = {1: _from_1, 2: _from_2}
