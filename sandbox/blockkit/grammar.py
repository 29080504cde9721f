"""The pieces that Block Kit's rules are made of.

A check takes a value and the JSON pointer where it stands and yields Slack's complaints, such as
"must be less than 151 characters [json-pointer:/blocks/0/text/text]"; none when all is well.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Check = Callable[[Any, str], Iterator[str]]


def complaint(words: str, pointer: str) -> str:
    return f"{words} [json-pointer:{pointer}]"


def anything(_value: Any, _pointer: str) -> Iterator[str]:
    yield from ()


def string(longest: int = 0, shortest: int = 1, pattern: str = "", hint: str = "") -> Check:
    """Text of `shortest` to `longest` characters (0: any length) that matches the pattern."""

    def check(value: Any, pointer: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield complaint("must provide a string", pointer)
        elif len(value) < shortest:
            yield complaint(f"must be more than {shortest - 1} characters", pointer)
        elif longest and len(value) > longest:
            yield complaint(f"must be less than {longest + 1} characters", pointer)
        elif pattern and not re.search(pattern, value):
            yield complaint(hint or f"must match the pattern {pattern}", pointer)

    return check


def flag(value: Any, pointer: str) -> Iterator[str]:
    if not isinstance(value, bool):
        yield complaint("must provide a boolean", pointer)


def integer(lowest: int = 0, highest: int = 9_999_999_999) -> Check:
    def check(value: Any, pointer: str) -> Iterator[str]:
        if not isinstance(value, int) or isinstance(value, bool):
            yield complaint("must provide a number", pointer)
        elif not lowest <= value <= highest:
            yield complaint(f"must be between {lowest} and {highest}", pointer)

    return check


def choice(*allowed: str) -> Check:
    def check(value: Any, pointer: str) -> Iterator[str]:
        if value not in allowed:
            yield complaint(f"must be one of: {', '.join(allowed)}", pointer)

    return check


def array(item: Check, most: int = 0, fewest: int = 1, unique: bool = False) -> Check:
    """A list of `fewest` to `most` items (0: any number), each of which passes `item`."""

    def check(value: Any, pointer: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield complaint("must be an array", pointer)
            return
        if len(value) < fewest:
            yield complaint(f"no fewer than {fewest} items allowed", pointer)
        if most and len(value) > most:
            yield complaint(f"no more than {most} items allowed", pointer)
        if unique and any(row in value[:position] for position, row in enumerate(value)):
            yield complaint("items must be unique", pointer)
        for position, row in enumerate(value):
            yield from item(row, f"{pointer}/{position}")

    return check


def record(required: Mapping[str, Check], optional: Mapping[str, Check], *rules: Check) -> Check:
    """An object with these fields and no other; the rules look at the object as a whole."""
    fields = {**required, **optional}

    def check(value: Any, pointer: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield complaint("must be an object", pointer)
            return
        for name in required:
            if name not in value:
                yield complaint(f"missing required field: {name}", pointer)
        for name, inner in value.items():
            if name in fields:
                yield from fields[name](inner, f"{pointer}/{name}")
            else:
                yield complaint(f"invalid additional property: {name}", pointer)
        for rule in rules:
            yield from rule(value, pointer)

    return check


def by_type(kinds: Mapping[str, Check]) -> Check:
    """An object whose `type` picks its check."""

    def check(value: Any, pointer: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield complaint("must be an object", pointer)
        elif "type" not in value:
            yield complaint("missing required field: type", pointer)
        elif value["type"] not in kinds:
            yield complaint(f"unsupported type: {value['type']}", f"{pointer}/type")
        else:
            yield from kinds[value["type"]](value, pointer)

    return check


def either(*names: str) -> Check:
    """At least one of these fields is there."""

    def rule(value: Any, pointer: str) -> Iterator[str]:
        if not any(name in value for name in names):
            yield complaint("must define either " + " or ".join(f"`{name}`" for name in names), pointer)

    return rule


def exactly_one(*names: str) -> Check:
    def rule(value: Any, pointer: str) -> Iterator[str]:
        if sum(name in value for name in names) != 1:
            yield complaint("must define exactly one of " + " or ".join(f"`{name}`" for name in names), pointer)

    return rule
