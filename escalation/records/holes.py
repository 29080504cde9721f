"""Holes in a history: numbers of a timeline's entries that are not there. Pure.

Tocsin itself leaves none: whoever could write to the store took something out, or a copy of it is damaged.
"""

from collections.abc import Iterable, Iterator


def holes(numbers: Iterable[int], last: int = 0) -> Iterator[range]:
    """Yield what is missing from the numbers 1, 2, … in their order; up to `last`, where that is known."""
    expected = 1
    for number in numbers:
        if number > expected:
            yield range(expected, number)
        expected = number + 1
    if last >= expected:
        yield range(expected, last + 1)


def spoken_hole(hole: range) -> str:
    """Say what is missing: `Entries 5 to 7 are missing from the record.`"""
    first, last = hole[0], hole[-1]
    what = f"Entry {first} is" if first == last else f"Entries {first} to {last} are"
    return f"{what} missing from the record."
