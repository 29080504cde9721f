"""Forms as mail services post them, of up to 25 MB and with any number of fields: only named ones are decoded."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from bot.alerts.document import Unreadable
from bot.alerts.source import Received

URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_BOUNDARY = re.compile(
    r'boundary="?([^";]{1,70})', re.IGNORECASE
)  # https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1
_NAME = re.compile(rb'[; ]name="?([^";\r\n]*)', re.IGNORECASE)
_FILE = re.compile(rb'[; ]filename="?([^"\r\n]*)', re.IGNORECASE)
_FIELD = re.compile(rb"[A-Za-z][\w-]*=")
_LONGEST_HEAD = 4_000  # bytes, of a part's own headers


@dataclass(frozen=True)
class Form:
    """Fields by name in lower case, the first of each, as bytes: their charsets differ. `files` are names of files."""

    fields: Mapping[str, bytes] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    def text(self, name: str, charset: str = "utf-8") -> str:
        """A field as text; empty if there is none. Bytes that the charset does not have become U+FFFD."""
        return decoded(self.fields.get(name, b""), charset)


def decoded(raw: bytes, charset: str) -> str:
    """Decode as well as can be: an unknown charset is read as UTF-8."""
    try:
        return raw.decode(charset or "utf-8", "replace")
    except (LookupError, UnicodeError, ValueError):  # ValueError: a null in the charset's name
        return raw.decode("utf-8", "replace")


def is_form(received: Received) -> bool:
    """Check whether a body is a form, by its content type."""
    return _kind(received).lower().startswith((URLENCODED, MULTIPART))


def _kind(received: Received) -> str:
    """The content type; of a body without one, as a file has none, what it looks like."""
    if kind := received.headers.get("content-type", ""):
        return kind
    first_line = received.body[:200].splitlines()[0] if received.body else b""
    if first_line.startswith(b"--"):
        return f"{MULTIPART}; boundary={first_line[2:].decode('latin-1').strip()}"
    return URLENCODED if _FIELD.match(first_line) else ""


def form_of(received: Received, names: Collection[str]) -> Form | None:
    """Read these fields of a form; None for a body of another kind. Raises Unreadable without a boundary."""
    kind = _kind(received)
    if kind.lower().startswith(URLENCODED):
        return Form(dict(_pairs(received.body, names)))
    if not kind.lower().startswith(MULTIPART):
        return None
    boundary = _BOUNDARY.search(kind)
    if boundary is None:
        raise Unreadable("the form does not name its boundary")
    return _parts(received.body, boundary[1].strip().encode("latin-1", "replace"), names)


def _pairs(body: bytes, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """The named fields, backwards: the first of a name is the last to be set."""
    for pair in reversed(body.split(b"&")):
        name, _, value = pair.partition(b"=")
        if len(name) < 100 and (plain := _lower(_unquoted(name))) in names:
            yield plain, _unquoted(value)


def _lower(name: bytes) -> str:
    return name.decode("utf-8", "replace").lower()


def _unquoted(raw: bytes) -> bytes:
    return unquote_to_bytes(raw.replace(b"+", b" "))


def _parts(body: bytes, boundary: bytes, names: Collection[str]) -> Form:
    fields, files = dict[str, bytes](), list[str]()
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary)[1:]:
        head, gap, content = part.partition(b"\r\n\r\n")
        if not gap or len(head) > _LONGEST_HEAD:
            continue
        name, file = _NAME.search(head), _FILE.search(head)
        if file:
            files.append(file[1].decode("utf-8", "replace") or "unnamed")
        elif name and (plain := _lower(name[1])) in names:
            fields.setdefault(plain, content)
    return Form(fields, tuple(files))
