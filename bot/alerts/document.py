"""JSON from outside, read without trust: what is missing, or of another type than expected, reads as empty."""

import json
import zlib
from collections.abc import Iterator
from typing import Any, NoReturn

MAX_UNPACKED = 1_000_000  # bytes
MAX_PACKED = 2 * MAX_UNPACKED  # of nothing but empty gzip members, a larger one would take seconds
MAX_ENCODINGS = 3  # of one body
PIECE = 4096  # bytes that are unpacked at once: what is behind the end of a gzip member is copied each time
GZIP = b"\x1f\x8b"  # begins each of its members
MAX_ITEMS = 20_000  # alerts of one body: more than a megabyte holds, for an end that is left out never comes again


class Unreadable(ValueError):
    """A body that is no JSON object, or nested too deep; its words are for the sender and the list of dropped ones."""


def parse_json(body: bytes) -> "Document":
    """Parse a body. UTF-8, UTF-16 and UTF-32 are told apart as RFC 4627 does; of duplicate keys the last one holds."""
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except RecursionError:
        raise Unreadable("the JSON is nested too deep") from None
    except UnicodeDecodeError:
        raise Unreadable("the body is not UTF-8") from None
    except ValueError as error:
        raise Unreadable(f"the body is no JSON: {error}"[:200]) from None
    if not isinstance(value, dict):
        raise Unreadable("the body is no JSON object")
    return Document(value)


def unpacked(body: bytes, encoding: str) -> bytes:
    """Undo a Content-Encoding, the last of several first, within the limit of a plain body. Raises Unreadable."""
    encodings = [part.strip().lower() for part in encoding.split(",")]
    if len(encodings) > MAX_ENCODINGS:
        raise Unreadable(f"it has more than {MAX_ENCODINGS} Content-Encodings")
    for one in reversed(encodings):
        if one in ("gzip", "x-gzip", "deflate"):
            body = _inflated(body, one)
        elif one not in ("", "identity"):
            raise Unreadable(f"its Content-Encoding is {one}: send gzip, or none"[:200])
    return body


def _inflated(packed: bytes, encoding: str) -> bytes:
    """Unpack gzip, of one member or several, and deflate, which some send without the header that it should have."""
    plain, at, wbits = bytearray(), 0, zlib.MAX_WBITS | 32  # either header
    if encoding == "deflate" and not _has_header(packed):
        wbits = -zlib.MAX_WBITS
    if len(packed) > MAX_PACKED:
        raise Unreadable(f"it is more than {MAX_PACKED} bytes, packed")
    try:
        while at < len(packed):
            reader = zlib.decompressobj(wbits)
            while at < len(packed) and not reader.eof and len(plain) <= MAX_UNPACKED:
                piece = packed[at : at + PIECE]
                plain += reader.decompress(piece, MAX_UNPACKED + 1 - len(plain))
                at += len(piece) - len(reader.unused_data)
            if not reader.eof or len(plain) > MAX_UNPACKED:
                raise Unreadable(f"it is cut short, or more than {MAX_UNPACKED} bytes once unpacked")
            if not packed.startswith(GZIP, at):
                break  # nothing, or what is none of it
    except zlib.error as error:
        raise Unreadable(f"it is no {encoding}: {error}"[:200]) from None
    return bytes(plain)


def _has_header(packed: bytes) -> bool:
    """Check for the header of zlib (RFC 1950) or gzip."""
    zlib_header = packed[:1] and packed[0] & 0x0F == 8 and int.from_bytes(packed[:2]) % 31 == 0
    return packed.startswith(GZIP) or bool(zlib_header)


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which are no JSON and cannot be written back."""
    raise ValueError(f"{name} is no JSON")


class Document:
    """One JSON value and what can be read from it."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __getitem__(self, key: str) -> "Document":
        """The value of a key; empty if there is none."""
        return Document(self._at(key))

    def _at(self, key: str) -> Any:
        return self.value.get(key) if isinstance(self.value, dict) else None

    def __bool__(self) -> bool:
        return bool(self.value)

    @property
    def object(self) -> bool:
        """True for a JSON object."""
        return isinstance(self.value, dict)

    def text(self, *keys: str) -> str:
        """The first of these keys that holds text or a number, as text; without keys, the value itself."""
        candidates = map(self._at, keys) if keys else (self.value,)
        return next(filter(None, map(_scalar, candidates)), "")

    def number(self, key: str) -> int:
        """A count; 0 for anything else."""
        text = self.text(key)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0

    def items(self, key: str) -> list["Document"]:
        """The entries of a list; none if it is no list."""
        value = self[key].value
        return [Document(entry) for entry in value[:MAX_ITEMS]] if isinstance(value, list) else []

    def flat(self, key: str = "") -> dict[str, str]:
        """An object's scalars as text, nested ones with dotted keys (one level)."""
        return dict(_flat(self[key].value if key else self.value))


def _scalar(value: Any) -> str:
    """Text of a string or number; empty for anything else."""
    if isinstance(value, str):  # most are
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value) if abs(value) < 10**30 else ""  # Python refuses to write very long ones
    return str(value) if isinstance(value, float) else ""


def _flat(value: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from ((f"{key}.{name}", text) for name, deep in inner.items() if (text := _scalar(deep)))
        elif text := _scalar(inner):
            yield key, text
