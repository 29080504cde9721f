"""Inverted index over incidents: ranked search (BM25) and likeness. In memory, and for one thread at a time.

The statistics are those of incidents that everybody may see: how others are ranked tells nothing of a private one.
"""

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from escalation.search.document import Document, service_term, terms

K1, B = 1.2, 0.5  # of BM25: how soon a repeated term counts no more, and how much a long text is held back
SHARED = 0.3  # of what a new incident says, weighed by rarity, has to stand in another one that is alike
MIN_PREFIX = 3
COMMON, FEW = 0.3, 20  # a term that a third of at least twenty incidents have is common
Takes = Callable[[Document], bool]


class Alike(NamedTuple):
    """An incident that is like another one; `shared` is from 0 to 1."""

    document: Document
    score: float
    shared: float


class Index:
    """Index of documents by id. The latest one of an id holds."""

    def __init__(self, documents: Iterable[Document] = ()) -> None:
        self.documents: dict[str, Document] = {}
        self._lengths: dict[str, int] = {}
        self._postings: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._public: Counter[str] = Counter()  # term -> how many public documents have it
        self._public_count = self._public_length = 0
        for document in documents:
            self.put(document)

    def put(self, document: Document) -> None:
        """Add a document, in place of the former one."""
        self.remove(document.id)
        counts = document.terms()
        self.documents[document.id], self._lengths[document.id] = document, counts.total()
        for term, count in counts.items():
            self._postings[term][document.id] = count
        if not document.private:
            self._public.update(counts.keys())
            self._public_count += 1
            self._public_length += counts.total()

    def remove(self, document_id: str) -> None:
        """Remove a document, if it is there."""
        document = self.documents.pop(document_id, None)
        if document is None:
            return
        counts, length = document.terms(), self._lengths.pop(document_id)
        for term in counts:
            del self._postings[term][document_id]
            if not self._postings[term]:
                del self._postings[term]
        if not document.private:
            self._public.subtract(counts.keys())
            self._public_count -= 1
            self._public_length -= length

    def search(self, words: str, takes: Takes = lambda document: True) -> list[Document]:
        """Return what has all the words, or else some of them: the best first, the newest of equals. No words: all.

        A word of three letters or more also finds those that begin with it.
        """
        asked = list(dict.fromkeys(terms(words)))
        if not asked:
            found = [d for d in self.documents.values() if takes(d)] if not words.strip() else []
            return sorted(found, key=lambda d: (-d.declared, d.id))
        scores: defaultdict[str, float] = defaultdict(float)
        hits: Counter[str] = Counter()
        for word in asked:
            best: dict[str, float] = {}
            for term in self._meant(word):
                for document_id, score in self._scores(term).items():
                    best[document_id] = max(best.get(document_id, 0.0), score if term == word else score / 2)
            for document_id, score in best.items():
                scores[document_id] += score
            hits.update(best.keys())
        found = [d for i in scores if takes(d := self.documents[i])]
        whole = [d for d in found if hits[d.id] == len(asked)]
        return sorted(whole or found, key=lambda d: (-scores[d.id], -d.declared, d.id))

    def alike(self, document: Document, takes: Takes, most: int = 3) -> list[Alike]:
        """Return the incidents that are most like this one. The same service alone is no likeness."""
        said = {term: min(count, 3) for term, count in document.terms().items()}
        weights = {term: self._rarity(term) * count for term, count in said.items() if not self._common(term)}
        total = sum(weights.values())
        scores: defaultdict[str, float] = defaultdict(float)
        shared: defaultdict[str, float] = defaultdict(float)
        worded: set[str] = set()
        for term, weight in weights.items():
            found, part, count = self._scores(term), weight / total, said[term]
            for document_id, score in found.items():
                scores[document_id] += score * count
                shared[document_id] += part
            if not term.startswith(service_term("")):
                worded |= found.keys()
        near = (i for i in worded if shared[i] >= SHARED and i != document.id and takes(self.documents[i]))
        best = heapq.nsmallest(most, near, key=lambda i: (-scores[i], -self.documents[i].declared, i))
        return [Alike(self.documents[i], scores[i], shared[i]) for i in best]

    def _common(self, term: str) -> bool:
        """True if so many have it that it says nothing: sharing it makes nobody alike."""
        return self._public_count >= FEW and self._public[term] > COMMON * self._public_count

    def _meant(self, word: str) -> list[str]:
        if len(word) < MIN_PREFIX:
            return [word] if word in self._postings else []
        return [term for term in self._postings if term.startswith(word)]

    def _rarity(self, term: str) -> float:
        having = max(1, self._public[term])  # a word that nobody used before makes two incidents no less alike
        count = max(self._public_count, having, FEW)  # of two or three incidents a word that all have is not common
        return math.log(1 + (count - having + 0.5) / (having + 0.5))

    def _scores(self, term: str) -> dict[str, float]:
        most = self._rarity(term) * (K1 + 1)
        held_back, mean = K1 * (1 - B), self._public_length / (self._public_count or 1) or 1
        by_length, lengths = K1 * B / mean, self._lengths
        having = self._postings.get(term, {})
        return {i: most * n / (n + held_back + by_length * lengths[i]) for i, n in having.items()}
