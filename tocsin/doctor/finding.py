"""What the doctor says of one thing."""

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """`about` is the thing, `what` was seen, `remedy` what to do about it (empty when all is well)."""

    about: str
    state: Literal["ok", "warning", "failed"]
    what: str
    remedy: str = ""


def fine(about: str, what: str) -> Finding:
    return Finding(about, "ok", what)


def perhaps(about: str, what: str, remedy: str) -> Finding:
    return Finding(about, "warning", what, remedy)


def no(about: str, what: str, remedy: str) -> Finding:
    return Finding(about, "failed", what, remedy)
