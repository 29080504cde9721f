"""Compact form of short records of JSON: compressed, each beside a typical one of its kind.

A typical one never changes: what was packed beside it must be read for ever. A record that an earlier build stored is
plain JSON, and is read as that.
"""

import zlib

_PACKED = b"z"  # before a packed one; JSON begins with a brace


def pack(text: str, typical: bytes) -> bytes:
    """Pack a record."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS, zdict=typical)
    return _PACKED + packer.compress(text.encode()) + packer.flush()


def unpack(raw: str | bytes, typical: bytes) -> str:
    """Return the JSON of a record, packed or plain. ValueError for a broken one."""
    if isinstance(raw, str):
        return raw
    if not raw.startswith(_PACKED):
        return str(raw, "utf-8")
    try:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS, zdict=typical)
        return str(unpacker.decompress(raw[len(_PACKED) :]) + unpacker.flush(), "utf-8")
    except zlib.error as error:
        raise ValueError(f"a packed record that cannot be read: {error}") from None
