"""Packed form of a settled incident: compressed, its policies kept once for all that were declared under them.

Key: `tocsin:policies`, digest -> policy as JSON. The packed form is an envelope of JSON, so that a Tocsin that does not
know it takes the document for one of a newer version, and leaves it alone.
"""

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files

from escalation.config.policy import SeverityPolicy
from escalation.incident.model import Incident
from escalation.storage import migrations

POLICIES = "tocsin:policies"
_START = b'{"version":5,"packed":2,'  # the body in base 85, a sixteenth shorter than in base 64
_FORMER = b'{"version":5,"packed":1,'  # in base 64
_BODY = b'"body":"'
START_LENGTH = len(_START)
_REFERENCE = re.compile(rb'"policy":"kept:([0-9a-f]{16})"')  # in a text of people's the quotes would be escaped


@cache
def _dictionary() -> bytes:
    """Typical documents: compression refers to them. Never changed: what was packed with it must be read for ever."""
    return files(__package__).joinpath("dictionary-1.txt").read_bytes()


def is_packed(raw: bytes) -> bool:
    """True for a packed document."""
    return raw.startswith((_START, _FORMER))


def settled(incident: Incident) -> bool:
    """True if nothing is to be done any more, unless somebody acts."""
    return not (incident.open or incident.effects or incident.checkpoints)


def pack(incident: Incident) -> tuple[bytes, dict[str, str]]:
    """Return the packed document, and the policies that it refers to, by digest."""
    text, kept = migrations.write(incident), dict[str, str]()
    for policy in _policies(incident):
        whole = policy.model_dump_json()
        digest = hashlib.sha256(whole.encode()).hexdigest()[:16]
        kept[digest] = whole
        text = text.replace(f'"policy":{whole}', f'"policy":"kept:{digest}"')
    packer = zlib.compressobj(9, zdict=_dictionary())
    body = packer.compress(text.encode()) + packer.flush()
    return b'%b"id":"%b",%b%b"}' % (_START, incident.id.encode(), _BODY, base64.b85encode(body)), kept


def _policies(incident: Incident) -> Iterable[SeverityPolicy]:
    return filter(None, (incident.policy, *(former.policy for former in incident.past)))


def unpack(raw: bytes, policies: Callable[[str], bytes]) -> bytes:
    """Return the whole document, from either form; `policies` gives the text of one. ValueError for a broken one."""
    if not is_packed(raw):
        return raw
    try:
        coded = raw[raw.index(_BODY) + len(_BODY) : -2]
        body = base64.b64decode(coded, validate=True) if raw.startswith(_FORMER) else base64.b85decode(coded)
        unpacker = zlib.decompressobj(zdict=_dictionary())
        text = unpacker.decompress(body)
    except zlib.error as error:
        raise ValueError(f"a packed incident that cannot be read: {error}") from None
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("a packed incident that was cut off")
    return _REFERENCE.sub(lambda found: b'"policy":' + policies(str(found[1], "ascii")), text)


def without_policy(raw: bytes) -> bytes:
    """Return the whole document but for its policies, for readers who want none of them."""
    return unpack(raw, lambda digest: b"null")


def kept_in(policies: Mapping[bytes, bytes]) -> Callable[[str], bytes]:
    """Return the way to a policy's text in what POLICIES holds. ValueError for one that is missing."""

    def text(digest: str) -> bytes:
        try:
            return policies[digest.encode()]
        except KeyError:
            raise ValueError(f"the policy {digest} of a packed incident is missing") from None

    return text
