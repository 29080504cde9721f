"""Sample bodies of sources: one alert of each as its tool sends it, and its end. Docs, tests and the sandbox use them.

What the docs' template of a tool makes is what its sample says: a test fills the one and compares.
"""

import json
from functools import cache
from importlib.resources import files

from escalation.alerts.alert import AlertState


@cache
def names() -> tuple[str, ...]:
    """Names of the sources that have a sample."""
    return tuple(sorted(f.name.removesuffix(".json") for f in files(__name__).iterdir() if f.name.endswith(".json")))


@cache
def sample(source: str, state: AlertState) -> bytes:
    """The body that fires, or the one that ends it. KeyError for another state; FileNotFoundError without a sample."""
    bodies = json.loads((files(__name__) / f"{source}.json").read_text(encoding="utf-8"))
    return json.dumps(bodies[state.value], ensure_ascii=False).encode()
