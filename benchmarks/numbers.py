"""Compute medians and percentiles, and format figures."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: a measured value."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    """The nearest-rank median."""
    return percentile(values, 0.5)


def time_of(seconds: float) -> str:
    """Format seconds: `4.2 ms` or `1.31 s`."""
    return f"{seconds * 1000:.3g} ms" if abs(seconds) < 1 else f"{seconds:.3g} s"


def size_of(count: float) -> str:
    """Format bytes: `12.3 kB` or `45.6 MB`."""
    return f"{count / 1000:.1f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def times(value: float, floor: float) -> str:
    """Format the ratio to the floor."""
    return f"{value / floor:.3g}" if floor > 0 else "–"
