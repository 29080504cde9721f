"""An alert as we keep it, whatever source it came from."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from escalation.config.policy import Severity
from escalation.text import clean
from escalation.values import Frozen

MAX_LABELS = 64  # kept of an alert; Prometheus itself allows 30 by default, and some bodies have thousands
MAX_LINKS = 5
MAX_KEY = 300  # characters of a fingerprint or group before it is hashed by whoever builds it


class AlertState(StrEnum):
    """State that the source reports. `acknowledged`: somebody took it over in the source's own tool."""

    FIRING = "firing"
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"


def _cut(length: int) -> AfterValidator:
    """Clean text from outside and cut it to a length; lone surrogates, which no encoding can carry, become "?"."""

    def cut(raw: str) -> str:
        plain = raw.isascii() and raw.isprintable()  # most is, and there is much of it in a storm
        text = (raw if plain else clean(raw.encode("utf-8", "replace").decode())).strip()
        return text if len(text) <= length else text[: length - 1].rstrip() + "…"

    return AfterValidator(cut)


Key = Annotated[str, _cut(MAX_KEY)]
Title = Annotated[str, _cut(200)]
Short = Annotated[str, _cut(200)]
Long = Annotated[str, _cut(2000)]


def _some(labels: dict[str, str]) -> dict[str, str]:
    """Keep the first labels that say something: to Prometheus, an empty one is none."""
    return dict([(name, value) for name, value in labels.items() if value][:MAX_LABELS])


Labels = Annotated[dict[Short, Short], AfterValidator(_some)]


class AlertLink(Frozen):
    """A link of an alert: to its graph, runbook, silence. `url` is http or https."""

    label: Short
    url: Annotated[str, Field(max_length=1500, pattern=r"^https?://\S+$")]


class Alert(Frozen):
    """One alert of one body.

    `fingerprint` says which alerts are the same one within their source; `occurrence` tells one firing of it from the
    next (empty if the source does not). `group` is the source's own grouping, `severity` its own word;
    `own_severity` is one of ours, which needs no mapping. `started` is the
    sender's claim, as text: shown, and never used for a decision.

    `reporter` is who reports it, where a person does: a member of ours, or a machine of their address; `hold` if they
    may not declare. `ends` is False for what never says that it is over.
    """

    source: Short
    fingerprint: Annotated[Key, Field(min_length=1)]
    state: AlertState
    title: Annotated[Title, Field(min_length=1)]
    occurrence: Key = ""
    group: Key = ""
    severity: Short = ""
    own_severity: Severity | None = None
    description: Long = ""
    service: Short = ""
    labels: Labels = {}
    values: Labels = {}
    links: Annotated[tuple[AlertLink, ...], AfterValidator(lambda links: links[:MAX_LINKS])] = ()
    started: Short = ""
    reporter: Short = ""
    hold: bool = False
    ends: bool = True

    @property
    def name(self) -> str:
        """Name of the alert among those of all sources."""
        return f"{self.source}\0{self.fingerprint}"

    @property
    def is_slim(self) -> bool:
        """True if it has no details."""
        return not (self.description or self.labels or self.values or self.links)

    def slim(self) -> "Alert":
        """The alert without its details."""
        return self.model_copy(update={"description": "", "labels": {}, "values": {}, "links": ()})


class Parsed(Frozen):
    """What a body held: its alerts, how many more the sender left out, and a word on a body without any.

    `refused` says why its alerts are dropped, whatever they are.
    """

    alerts: tuple[Alert, ...] = ()
    truncated: int = 0
    note: Long = ""
    refused: Short = ""
