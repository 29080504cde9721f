"""Checks of our own: what is tried, how often, and from which failure on it is an alert."""

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from escalation.config.policy import Severity
from escalation.times import Duration
from escalation.values import Channel, Frozen

CheckName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}$")]
Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,253}$")]
SHORTEST = timedelta(seconds=10)
_OF_TRIES = ("every", "timeout", "fails", "status", "contains", "within", "days", "private")


class HostPort(Frozen):
    """Where a connection goes."""

    host: str
    port: int


def parse_place(text: str, port: int | None = None) -> HostPort:
    """Parse `host:port`, `[v6]:port`, or a host alone where there is a usual port. ValueError otherwise."""
    try:
        parts = urlsplit(f"//{text}")
        found = HostPort(host=parts.hostname or "", port=parts.port or port or 0)
    except ValueError:
        found = HostPort(host="", port=0)
    if not found.host or not found.port or parts.netloc != text or "@" in text:
        raise ValueError(f"'{text}' is no host with a port; write one like db.example.com:5432")
    return found


class CanaryRules(Frozen):
    """A synthetic alert that travels the whole way to a message in a quiet channel, once in each period."""

    channel: Channel
    every: Duration = timedelta(minutes=5)

    @model_validator(mode="after")
    def _is_sound(self) -> "CanaryRules":
        if self.every < timedelta(minutes=1):
            raise ValueError("`every` of the canary is at least 1m")
        return self


class Heartbeat(Frozen):
    """A sign of life that a job sends by itself, and how much later than that it may come."""

    every: Duration
    grace: Duration = timedelta(minutes=1)

    @model_validator(mode="after")
    def _is_sound(self) -> "Heartbeat":
        if self.every < SHORTEST:
            raise ValueError("`every` of a heartbeat is at least 10s")
        return self


class Check(Frozen):
    """One check: see docs/checks.md for each key. Exactly one of http, tcp, dns, tls and heartbeat."""

    name: CheckName
    http: str | None = None
    tcp: str | None = None
    dns: Host | None = None
    tls: str | None = None
    heartbeat: Heartbeat | None = None
    every: Duration = timedelta(minutes=1)
    timeout: Duration = timedelta(seconds=5)
    fails: Annotated[int, Field(ge=1, le=100)] = 3
    status: Annotated[int, Field(ge=100, le=599)] | None = None
    contains: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    within: Duration | None = None
    days: Annotated[int, Field(ge=1, le=365)] = 14
    private: bool = False
    service: str | None = None
    severity: Severity | None = None

    @model_validator(mode="after")
    def _is_sound(self) -> "Check":
        if sum(target is not None for target in (self.http, self.tcp, self.dns, self.tls, self.heartbeat)) != 1:
            raise ValueError("say what is checked: exactly one of `http`, `tcp`, `dns`, `tls`, `heartbeat`")
        if self.heartbeat and (told := [name for name in _OF_TRIES if self._is_told(name)]):
            raise ValueError(
                f"`{told[0]}` is for checks that try something; write `heartbeat: {{every: 1d, grace: 1h}}`"
            )
        if self.every < SHORTEST:
            raise ValueError("`every` is at least 10s")
        if self.timeout >= self.every:
            raise ValueError("`timeout` must be shorter than `every`, so that two tries never overlap")
        if self.http is None and (self.status or self.contains):
            raise ValueError("`status` and `contains` are for `http` only")
        if self.http is not None:
            _require_web_address(self.http)
        if self.tcp is not None:
            parse_place(self.tcp)
        if self.tls is not None:
            parse_place(self.tls, 443)
        return self

    def _is_told(self, name: str) -> bool:
        return bool(getattr(self, name) != type(self).model_fields[name].default)

    @property
    def looked_at(self) -> timedelta:
        """How often it is tried; of a heartbeat, how often it is asked whether one came."""
        return SHORTEST if self.heartbeat else self.every

    @property
    def failures(self) -> int:
        """After how many failures in a row it is an alert: a heartbeat has its grace."""
        return 1 if self.heartbeat else self.fails

    @property
    def target(self) -> str:
        """What is tried, for people: without the user, password and query of an address, which may be secrets."""
        if self.http is not None:
            parts = urlsplit(self.http)
            return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return self.tcp or self.tls or self.dns or "heartbeat"


def with_unique_names(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """Refuse two checks of one name: their results could not be told apart."""
    seen = set[str]()
    for check in checks:
        if check.name in seen:
            raise ValueError(f"there are two checks called '{check.name}'; give each a name of its own")
        seen.add(check.name)
    return checks


def _require_web_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or any(c.isspace() for c in url):
        raise ValueError(f"'{url}' is no web address; write one like https://shop.example.com/healthz")
