"""How many examples are tried: a few in the fast part of the tests, all of them in `make test`."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

SHARE = 5  # the fast part tries one in so many

# How long an example takes, and how long it takes to make, is the machine's matter: no test asserts it.
settings.register_profile("all", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("few", settings.get_profile("all"), max_examples=settings().max_examples // SHARE)


class _Chosen:
    few = False


def choose(*, few: bool) -> None:
    """Before any test is imported."""
    _Chosen.few = few
    settings.load_profile("few" if few else "all")


def examples(number: int) -> int:
    """For properties whose examples take longer, or less long, than others."""
    return max(2, number // SHARE) if _Chosen.few else number


def few_of(cases: Iterable[Any]) -> list[Any]:
    """For tables whose rows are whole stories: the fast part tells one in so many, beginning with the first."""
    rows = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [slowly(*row) if n % SHARE else pytest.param(*row) for n, row in enumerate(rows)]


def slowly(*values: Any) -> Any:
    """A row of some seconds: the fast part has enough of its kind."""
    return pytest.param(*values, marks=pytest.mark.slow)
