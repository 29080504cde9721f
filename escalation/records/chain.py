"""Hash chain over a timeline: each link is the hash of the one before it and of an entry, as JSON. Pure.

It hashes salted digests of all that an entry says of people and in their words: only number, time and kind stand in it
as they are. So a value can be deleted together with its salt: its digest is `withheld`, the chain still follows, and
nobody can find out by guessing what stood there. What stands in its place is in the chain too, by an entry of its own.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from escalation.values import Frozen

PLAIN = ("n", "at", "kind")
SAID = ("by", "why", "text", "people", "fields")  # an empty one is the same as none; a name that is not here never is
MARK = 6  # hexadecimal digits of a link that are kept: they only say where it broke, `head` says that it did
REDACTED = "redacted"  # kind of the entry whose fields are digests of what replaced withheld values, by place
Entry = Mapping[str, Any]


class Chain(Frozen):
    """Chain of one timeline: its last link, and the first MARK digits of each.

    `seed` makes the salt of each value, together with its place, such as `12.text`. `salts` are those that were made by
    an earlier seed, which is deleted with the first value that is withheld; `withheld` are the digests of such values.
    `adopted`: so many entries were there, unchained, when the chain began.
    """

    seed: str = ""
    head: str = ""
    marks: str = ""
    adopted: int = 0
    salts: dict[str, str] = {}
    withheld: dict[str, str] = {}

    @property
    def length(self) -> int:
        """Number of links."""
        return len(self.marks) // MARK


class Break(NamedTuple):
    """Where a chain does not follow: the number of the first entry that is wrong, and in what way."""

    entry: int
    why: str


def extended(chain: Chain, entries: Sequence[Entry]) -> Chain:
    """Return the chain with further entries at its end."""
    head, marks = chain.head, [chain.marks]
    for number, entry in enumerate(entries, start=chain.length + 1):
        head = _link(head, number, entry, chain)
        marks.append(head[:MARK])
    return chain.model_copy(update={"head": head, "marks": "".join(marks)})


def redacted(chain: Chain, number: int, before: Entry, after: Entry, new_salts: Iterator[str]) -> Chain:
    """Withhold what differs between two versions of an entry; what stands there instead has a salt of its own.

    The caller replaces the seed (`sealed`) and appends an entry of the kind REDACTED with `replacements`.
    """
    old, new = dict(_values(before)), dict(_values(after))
    withheld, salts = dict(chain.withheld), dict(chain.salts)
    for name in [name for name in {**old, **new} if old.get(name) != new.get(name)]:
        place = f"{number}.{name}"
        if place not in withheld:
            withheld[place] = _digest(_salt(chain, place), old.get(name, ""))
        salts[place] = next(new_salts)
    return chain.model_copy(update={"withheld": withheld, "salts": salts})


def sealed(chain: Chain, timeline: Sequence[Entry], seed: str) -> Chain:
    """Replace the seed: salts of values that stand are kept one by one, those of withheld ones cannot be made again."""
    places = (f"{n}.{name}" for n, entry in enumerate(timeline, start=1) for name, _ in _values(entry))
    kept = {place: _salt(chain, place) for place in places}
    return chain.model_copy(update={"seed": seed, "salts": {**kept, **chain.salts}})


def replacements(chain: Chain, timeline: Sequence[Entry]) -> dict[str, str]:
    """Return the digests of what stands in place of withheld values, by place."""
    return {place: _digest(chain.salts.get(place, ""), _value_at(timeline, place)) for place in chain.withheld}


def broken(chain: Chain, timeline: Sequence[Entry]) -> Break | None:
    """Return where the timeline does not follow its chain, None if it does."""
    head = ""
    for number, entry in enumerate(timeline, start=1):
        if number > chain.length:
            return Break(number, "it was inserted")
        head = _link(head, number, entry, chain)
        if head[:MARK] != chain.marks[(number - 1) * MARK : number * MARK]:
            return Break(number, "it was changed, or an entry was removed, moved or inserted there")
    if chain.length > len(timeline):
        return Break(len(timeline) + 1, "it is missing")
    if head != chain.head:
        return Break(len(timeline), "the end of the chain was changed")
    return _wrong_replacement(chain, timeline)


def _wrong_replacement(chain: Chain, timeline: Sequence[Entry]) -> Break | None:
    """Find a redacted value that is not what the redaction put there."""
    known: dict[str, str] = {}
    for entry in timeline:
        if entry.get("kind") == REDACTED:
            known |= entry.get("fields", {})
    for place, digest in replacements(chain, timeline).items():
        if known.get(place) != digest:
            return Break(int(place.partition(".")[0]), "a redacted value was changed")
    return None


def _link(former: str, number: int, entry: Entry, chain: Chain) -> str:
    plain = [[name, entry.get(name)] for name in PLAIN]
    digests = {name: _digest(_salt(chain, f"{number}.{name}"), value) for name, value in _values(entry)}
    start = f"{number}."
    digests |= {place.removeprefix(start): kept for place, kept in chain.withheld.items() if place.startswith(start)}
    return _sha256(json.dumps([former, plain, sorted(digests.items())]))


def _values(entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield the values of an entry but the PLAIN ones, each with its name."""
    for name, value in entry.items():
        if name not in PLAIN and not (name in SAID and value in ("", [], {})):
            yield from _flat(name, value)


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    match value:
        case dict() if value:
            for key, inner in value.items():
                yield f"{name}.{key}", json.dumps(inner)
        case list() if value:
            for index, inner in enumerate(value):
                yield f"{name}.{index}", json.dumps(inner)
        case _:
            yield name, json.dumps(value)


def _value_at(timeline: Sequence[Entry], place: str) -> str:
    number, _, name = place.partition(".")
    return dict(_values(timeline[int(number) - 1])).get(name, "")


def _salt(chain: Chain, place: str) -> str:
    return chain.salts.get(place) or _sha256(f"{chain.seed}\n{place}")[:32]


def _digest(salt: str, value: str) -> str:
    return _sha256(f"{salt}\n{value}")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def check(document: Any) -> tuple[Chain | None, Break | None]:
    """Check an incident's document, whatever it is: its chain (None: it has none), and where that is broken."""
    try:
        chain = Chain.model_validate(document.get("chain") or {})
        timeline = [dict(entry) for entry in document["timeline"]]
        places = [int(place.partition(".")[0]) for place in chain.withheld]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None, Break(0, "it is no timeline with a chain")
    if not chain.head:
        return None, None
    if any(not 0 < n <= len(timeline) for n in places):
        return chain, Break(len(timeline) + 1, "a redacted entry is missing")
    return chain, broken(chain, timeline)
