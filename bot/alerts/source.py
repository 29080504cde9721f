"""A source of alerts: how its requests are authenticated and read."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urljoin

from pydantic import ValidationError

from bot.alerts.document import Document, Unreadable, parse_json, unpacked
from escalation.alerts.alert import MAX_KEY, Alert, AlertLink, AlertState, Parsed

MAX_BYTES = 1_000_000
CONFIRMED = "x-tocsin-confirmed"  # kept with a request that wanted to be confirmed: yes or no; no sender can set it
# How default titles of Alertmanager, Grafana and Uptime Kuma begin. The card shows what fires; a title would get stale.
STATE_MARK = re.compile(
    r"^\[((FIRING|RESOLVED)(:\d+)?(, ?(FIRING|RESOLVED):\d+)*|Uptime Kuma Monitor [^\]]{1,30})\]\s*(?=\S)"
)


@dataclass(frozen=True)
class Received:
    """One request as it came and is kept. Header names are lower case; `path` is what follows the source's own.

    `certificate` was fetched for a source whose signature names one. Copies share what was read of the body.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    certificate: bytes = b""
    _read: dict[str, Document | Unreadable] = field(default_factory=dict, repr=False, compare=False)

    def document(self) -> Document:
        """The body as JSON, or a form or query as an object. Raises Unreadable.

        What begins like JSON is JSON: curl, and tools that let people write the body, call everything a form.
        """
        kind = self.headers.get("content-type", "")
        if kind.startswith("application/x-www-form-urlencoded") and not self.content().lstrip().startswith(b"{"):
            return self._once("form", lambda: Document(self.form()))
        if not self.body and self.query:
            return Document(dict(self.query))
        return self.json()

    def json(self) -> Document:
        """The body as JSON, whatever its type says. Raises Unreadable.

        It is parsed once: the one that authenticates a request and the one that answers it read the same.
        """
        return self._once("json", lambda: parse_json(self.content()))

    def json_or_empty(self) -> Document:
        """The body as JSON; empty where it is none."""
        try:
            return self.json()
        except Unreadable:
            return Document({})

    def content(self) -> bytes:
        """The body as it was before its sender packed it. Signatures are over what came. Raises Unreadable."""
        return unpacked(self.body, self.headers.get("content-encoding", ""))

    def _once(self, kind: str, read: Callable[[], Document]) -> Document:
        if kind not in self._read:
            try:
                self._read[kind] = read()
            except Unreadable as error:
                self._read[kind] = error
        found = self._read[kind]
        if isinstance(found, Unreadable):
            raise Unreadable(str(found))
        return found

    def form(self) -> dict[str, str]:
        """The fields of a form, the first value of each. Raises Unreadable for more than a hundred."""
        try:
            fields = parse_qs(self.content().decode("utf-8", "replace"), max_num_fields=100)
        except ValueError:
            raise Unreadable("the form has more than 100 fields") from None
        return {name: values[0] for name, values in fields.items()}


Verify = Callable[[Received, Sequence[str], datetime], bool]


@dataclass(frozen=True)
class Source:
    """A source by its name in the address, and how people call it.

    `parse` reads a body; it raises Unreadable for one that holds no alert in any known shape. `verify` checks the
    signature against the secrets of the variable `secret`; sources without one are let in by ALERTS_TOKEN, and so is
    one with `token_too`. `repeat_key` is what a repeat of a request has as well, and no other; empty if that is not
    known. `certificate_url` is where the certificate is that a signature names (empty: none that counts), and
    `confirmation_url` where a verified request wants to be confirmed. `kept` reduces a body of megabytes to what is
    kept of it, `status` is the answer once it is. `other_way` is for requests that are let in by another secret.
    """

    name: str
    title: str
    parse: Callable[[Received], Parsed]
    secret: str = ""
    verify: Verify | None = None
    token_too: bool = False
    repeat_key: Callable[[Received], tuple[str, ...]] | None = None
    certificate_url: Callable[[Received, Sequence[str]], str] | None = None
    confirmation_url: Callable[[Received], str] | None = None
    kept: Callable[[Received], Received] | None = None
    other_way: "OtherWay | None" = None
    max_bytes: int = MAX_BYTES
    status: int = 202

    def way(self, received: Received) -> "Source":
        """Return the source by the way of this request."""
        return self.other_way.source if self.other_way and self.other_way.takes(received) else self


@dataclass(frozen=True)
class OtherWay:
    """The same source for the requests that this way takes."""

    takes: Callable[[Received], bool]
    source: Source


def alert(source: str, state: AlertState, fingerprint: str, title: str, **fields: Any) -> Alert:
    """Build an alert. A long key is hashed rather than cut: two that begin alike are two alerts.

    `links` are pairs of label and address; whatever is no web address is left out. Raises Unreadable.
    """
    links = fields.pop("links", ())
    fields |= {"links": tuple(made for label, url in links if (made := _link(label, url)))}
    fields |= {name: _key(fields[name]) for name in ("occurrence", "group") if name in fields}
    try:
        name = STATE_MARK.sub("", title)
        return Alert(source=source, state=state, fingerprint=_key(fingerprint), title=name, **fields)
    except ValidationError as error:
        missing = ", ".join(str(problem["loc"][0]) for problem in error.errors())
        raise Unreadable(f"an alert has no usable {missing}") from None


def hashed(*parts: str) -> str:
    """A fingerprint of an alert whose source gives none."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:32]


def absolute(base: str, url: str) -> str:
    """An address as the source's own page would follow it: Grafana sends some without their host."""
    try:
        return urljoin(base, url) if url else ""
    except ValueError:
        return ""


def _key(raw: str) -> str:
    return raw if len(raw) <= MAX_KEY else hashed(raw)


def _link(label: str, url: str) -> AlertLink | None:
    if not url:
        return None
    try:
        return AlertLink(label=label, url=url)
    except ValidationError:
        return None
