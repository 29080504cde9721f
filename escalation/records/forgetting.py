"""Forgetting somebody: what stands for them in a record is replaced, and what they wrote is removed. Pure, over JSON.

One rule for all records, whatever is in them: a new kind of record needs nothing here. Ids become a pseudonym, so that
figures stay as they are; addresses, numbers and names go; so do the words of things that are signed by them, also where
the same words stand a second time.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from escalation.values import FORMER_COLLEAGUE, PersonId

GONE = "(removed)"
SIGNED_BY = ("by", "closed_by")
# Values that hold words of people, fields of entries too. Everything else is a state, a time or a name.
WORDS = frozenset(
    {
        *("text", "why", "summary", "resolution", "verification", "final_impact", "next_steps", "progress", "cause"),
        *("title", "impact", "description", "public_wording", "source_link", "eta", "known_as", "say"),
    }
)
SHORTEST = 12  # words that are replaced within longer ones as well: shorter ones may be anybody's


@dataclass(frozen=True)
class Forgotten:
    """Somebody to forget. `ids` are member ids, `keys` those of the configuration; `pseudonym` takes their place.

    `contacts` are mail addresses, numbers and keys of push services; `names` are what they are called, logins too.
    """

    pseudonym: PersonId
    ids: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    contacts: frozenset[str] = frozenset()
    names: frozenset[str] = field(default_factory=frozenset)

    def is_them(self, value: object) -> bool:
        """True for what stands for them alone."""
        return isinstance(value, str) and value in self.ids | self.keys | self.contacts

    def mentioned(self, text: str) -> bool:
        """True if they can be recognised in a text."""
        return self.cleaned(text) != text

    def cleaned(self, text: str) -> str:
        """Return a text without them."""
        if text in self.ids | self.keys:
            return self.pseudonym
        for pattern, instead in self._patterns:
            text = pattern.sub(instead, text)
        return text

    def renamed(self, name: str) -> str:
        """Return the name of a value or a key of the store without them; what they are called is no part of it."""
        if name in self.ids | self.keys:
            return self.pseudonym
        for pattern, instead in self._patterns[1:3]:
            name = pattern.sub(instead, name)
        return name

    @cached_property
    def _patterns(self) -> tuple[tuple[re.Pattern[str], str], ...]:
        ids, names = _any_of(self.ids), _any_of(self.names | self.keys)
        return (
            (re.compile(rf"<@(?:{ids})(?:\|[^>]*)?>"), FORMER_COLLEAGUE),
            (re.compile(rf"(?<![\w.+-])(?:{_any_of(self.contacts)})(?![\w-])", re.IGNORECASE), GONE),
            (re.compile(rf"(?<![A-Za-z0-9])(?:{ids})(?![A-Za-z0-9])"), self.pseudonym),
            (re.compile(rf"@?(?<![\w-])(?:{names})(?![\w-])", re.IGNORECASE), FORMER_COLLEAGUE),
        )


def _any_of(texts: Iterable[str]) -> str:
    """Return a pattern of any of these texts, the longest first; of none it matches nothing."""
    return "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True)) or r"(?!)"


def words_of(person: Forgotten, record: Any) -> frozenset[str]:
    """Return what they wrote in a record, by who signed each part of it.

    Facts of an incident's declaration are its reporter's words, whoever repeats them.
    """
    return frozenset(_words(person, record)) - _declared_by_others(person, record)


def _declared_by_others(person: Forgotten, record: Any) -> frozenset[str]:
    if not isinstance(record, dict) or "facts" not in record or person.is_them(record.get("reporter")):
        return frozenset()
    first = next((former["facts"] for former in record.get("past", ()) if former.get("facts")), record["facts"])
    return frozenset(_said(first))


def _words(person: Forgotten, value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for inner in value:
            yield from _words(person, inner)
    if not isinstance(value, dict):
        return
    if any(person.is_them(value.get(name)) for name in SIGNED_BY):
        yield from _said(value)
        yield from _said(value.get("fields"))
    if person.is_them(value.get("reporter")):
        yield from _said(value.get("facts"))
    for inner in value.values():
        yield from _words(person, inner)


def _said(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (words for name, words in value.items() if name in WORDS and isinstance(words, str) and words)


def without(person: Forgotten, value: Any, words: frozenset[str] = frozenset(), name: str = "") -> Any:
    """Return a record without them; `words` are what they wrote there. `name` is that of the value."""
    match value:
        case str():
            said = _unsaid(value, words) if name in WORDS else _unnamed(value, words) if name == "name" else value
            return person.cleaned(said)
        case dict():
            return {person.renamed(key): without(person, inner, words, key) for key, inner in value.items()}
        case list():
            return [without(person, inner, words, name) for inner in value]
        case _:
            return value


def _unnamed(name: str, words: frozenset[str]) -> str:
    """Return the name of a war room without words of theirs: it is made from the title."""
    for said in words:
        slug = re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-")
        if len(slug) >= SHORTEST:
            name = name.replace(slug, "removed")
    return name


def _unsaid(text: str, words: frozenset[str]) -> str:
    if text in words:
        return GONE
    for said in sorted(words, key=len, reverse=True):
        if len(said) >= SHORTEST:
            text = text.replace(said, GONE)
    return text
