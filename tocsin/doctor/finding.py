"""One finding of the doctor: ok, a warning or a failure."""

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """Result of one health check.

    `about` is the thing checked, `what` was found, `remedy` what to do about it (empty when the check passed).
    """

    about: str
    state: Literal["ok", "warning", "failed"]
    what: str
    remedy: str = ""


def ok(about: str, what: str) -> Finding:
    """A check that passed."""
    return Finding(about, "ok", what)


def warning(about: str, what: str, remedy: str) -> Finding:
    """A risk that does not stop Tocsin from working."""
    return Finding(about, "warning", what, remedy)


def failed(about: str, what: str, remedy: str) -> Finding:
    """A check that failed; it makes the command exit with 1."""
    return Finding(about, "failed", what, remedy)
