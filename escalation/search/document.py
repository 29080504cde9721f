"""What the search knows of an incident: its words, and what lists are filtered by."""

import functools
import json
import re
import unicodedata
from collections import Counter
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime

from escalation.incident.model import Incident
from escalation.incident.state.facts import Status
from escalation.records.compact import pack, unpack
from escalation.values import PersonId

MAX_FIELD = 300  # characters of each text: ten thousand documents are held in memory
_WEIGHTS = {"title": 3, "cause": 2, "impact": 1, "fixed": 1}
_WORD = re.compile(r"[^\W_]+")
_STOP = frozenset(
    (
        *("a", "an", "and", "are", "as", "at", "be", "been", "but", "by", "for", "from", "had", "has", "have", "in"),
        *("into", "is", "it", "its", "no", "not", "of", "on", "or", "our", "that", "the", "their", "there", "this"),
        *("to", "was", "we", "were", "when", "which", "will", "with"),
    )
)
_ENDINGS = ("ing", "ies", "ed", "es", "s")


@dataclass(frozen=True)
class Document:
    """An incident as the search sees it. `declared` is epoch seconds; `fixed` is what resolved it, or a workaround.

    `owners` are who is assigned, has acknowledged, or leads.
    """

    id: str
    severity: str
    declared: float
    status: str
    title: str
    service: str = ""
    impact: str = ""
    cause: str = ""
    fixed: str = ""
    private: bool = False
    drill: bool = False
    owners: tuple[PersonId, ...] = ()

    @property
    def source(self) -> str:
        """Empty: only alerts are filtered by where they came from."""
        return ""

    @property
    def open(self) -> bool:
        """True until it is resolved or cancelled."""
        return not Status(self.status).closed

    @property
    def declared_at(self) -> datetime:
        """Time of the declaration."""
        return datetime.fromtimestamp(self.declared, UTC)

    def terms(self) -> Counter[str]:
        """Count its terms, those of the title and the cause more than others. The service is a term of its own."""
        found: Counter[str] = Counter()
        for name, weight in _WEIGHTS.items():
            for term in terms(getattr(self, name)):
                found[term] += weight
        for term in terms(self.service):
            found[term] += 1
        if self.service:
            found[service_term(self.service)] = 2
        return found


def document(incident: Incident) -> Document:
    """Make the document of an incident as it stands."""
    facts, cause = incident.facts, incident.known("root_cause")
    done, workaround = incident.resolution, incident.known("workaround")
    fixed = done.resolution if done else workaround.text if workaround else ""
    return Document(
        id=incident.id,
        severity=incident.severity,
        declared=incident.declared_at.timestamp(),
        status=incident.status,
        title=facts.title,
        service=facts.service,
        impact=(facts.impact or facts.description)[:MAX_FIELD],
        cause=(cause.text if cause else "")[:MAX_FIELD],
        fixed=fixed[:MAX_FIELD],
        private=incident.private,
        drill=incident.drill,
        owners=_owners(incident),
    )


def _owners(incident: Incident) -> tuple[PersonId, ...]:
    done = incident.known("acknowledgement")
    return tuple(dict.fromkeys((*incident.assigned, *((done.by,) if done else ()), *incident.leads.values())))


def service_term(service: str) -> str:
    """Term of a service, which no word of a text can be."""
    return f"service:{service}"


def terms(text: str) -> list[str]:
    """Split a text into terms: words without accents, case, plural or tense; common words are left out."""
    plain = text.casefold()
    if not plain.isascii():
        plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    return [_stem(word) for word in _WORD.findall(plain) if word not in _STOP]


@functools.lru_cache(maxsize=50_000)  # a company's vocabulary: most of the time to build an index went here
def _stem(word: str) -> str:
    """Cut an English ending: `timeouts`, `failing` and `failed` are found by `timeout` and `fail`."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4 and not word.endswith("ss"):
            return word.removesuffix(ending) + ("y" if ending == "ies" else "")
    return word.removesuffix("e") if len(word) > 4 else word


# Never changed: records.compact says why.
_TYPICAL = (
    b'"private":true,"drill":true,"status":"cancelled","severity":"P2","severity":"P1",the of and is not in was to for'
    b" an on with from after users customers requests errors page service server database connections memory disk "
    b"certificate payments checkout login search timeout latency deployed release rolled back restarted scaled fails "
    b'slow is down expired full","fixed":"Restarted the ","owners":["U0","U0"]{"id":"INC-20261129-001","severity":"P0",'
    b'"declared":1764535800.5,"status":"resolved","title":"The ","service":"","impact":"Customers cannot ","cause":"'
)


def encode(found: Document) -> bytes:
    """Encode as packed JSON, without what is empty: there is one for every incident there ever was."""
    said = {k: v for k, v in asdict(found).items() if v}
    return pack(json.dumps(said, ensure_ascii=False, separators=(",", ":")), _TYPICAL)


def text_of(raw: str | bytes) -> str:
    """Return the JSON of an encoded one. ValueError for a broken one."""
    return unpack(raw, _TYPICAL)


def decode(raw: str | bytes) -> Document:
    """Decode; fields that a newer Tocsin added are left out."""
    known = {name: value for name, value in json.loads(text_of(raw)).items() if name in _FIELDS}
    return Document(**known | {"owners": tuple(known.get("owners", ()))})


_FIELDS = frozenset(field.name for field in fields(Document))
