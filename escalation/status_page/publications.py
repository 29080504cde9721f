"""Publications, and the hash chain over them.

The chain holds salted digests: to withdraw words, their salt and they themselves are deleted, and the chain still
verifies. Without the salt nobody can find out by guessing what stood there.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from escalation.config.status_page import ComponentState
from escalation.values import Frozen


class PublicStatus(StrEnum):
    """Status of an incident as the public reads it."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


class Impact(StrEnum):
    """Impact of an incident as the public reads it."""

    NONE = "none"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class Publication(Frozen):
    """One update as it was published. `incident` is a public id, which says nothing of ours; `at`: when it was told.

    `knew_at` is when the incident began for us; `next_by` when the next update is promised. `ours` is the id of the
    effect that made it, by which a repeat is recognised. `entry` is the number of our timeline entry behind it; a
    correction names that of the update which it `corrects`, and has components only where it states them.
    """

    n: int
    incident: str
    ours: str
    at: datetime
    status: PublicStatus
    name: str
    impact: Impact = Impact.NONE
    components: dict[str, ComponentState] = {}
    body: str
    knew_at: datetime
    next_by: datetime | None = None
    entry: int = 0
    corrects: int = 0


class Link(Frozen):
    """One link of the chain: the digest of a publication, and the hash over the former link and this one."""

    n: int
    digest: str
    chain: str


def digest(salt: str, document: str) -> str:
    """Digest of a publication as it is stored."""
    return hashlib.sha256(f"{salt}\n{document}".encode()).hexdigest()


def link(former: Link | None, n: int, digest_of_it: str) -> Link:
    """Build the link behind another."""
    chain = hashlib.sha256(f"{former.chain if former else ''}\n{n}\n{digest_of_it}".encode()).hexdigest()
    return Link(n=n, digest=digest_of_it, chain=chain)


def broken(links: Iterable[Link], words: dict[int, tuple[str, str]]) -> list[int]:
    """Return the numbers of links that do not follow, or whose words were changed. `words`: salt and document by n."""
    found, former = list[int](), None
    for each in links:
        expected = link(former, (former.n if former else 0) + 1, each.digest)
        salt, document = words.get(each.n, ("", ""))
        if each != expected or (document and digest(salt, document) != each.digest):
            found.append(each.n)
        former = each
    return found
