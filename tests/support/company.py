"""The shipped example company, read once."""

import functools
from pathlib import Path
from typing import Any

import yaml

from escalation.config.company import Company

EXAMPLE = Path(__file__).parents[2] / "tocsin" / "example.yml"


@functools.cache
def example_data() -> dict[str, Any]:
    """The example as it stands in its file."""
    return dict(yaml.safe_load(EXAMPLE.read_text()))


@functools.cache
def phones() -> dict[str, str]:
    """A telephone number for each person of the example, by key."""
    return {key: f"+4915112345{n:03}" for n, key in enumerate(example_data()["people"])}


@functools.cache
def example() -> Company:
    """The example, whose people are known by their mail addresses."""
    return Company.model_validate(example_data())


def user(key: str) -> str:
    """`dana` -> the member id that the local workspace gives her."""
    return f"U0{key.upper():0<7}1"


def example_company(**changes: Any) -> Company:
    """The example with member ids in place of addresses, so that nobody has to be looked up."""
    return _with_ids() if not changes else _changed(changes)


@functools.cache
def _with_ids() -> Company:
    return _changed({})


def _changed(changes: dict[str, Any]) -> Company:
    people = {key: {"slack": user(key)} for key in example_data()["people"]}
    return Company.model_validate(example_data() | {"people": people} | changes)
