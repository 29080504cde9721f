"""An archive as it was read from a file, to be verified: what it holds is checked, not believed."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from escalation.figures import observation
from escalation.figures.observation import Observation, observe
from escalation.status_page.publications import Link, broken
from escalation.storage import indexes, migrations
from escalation.storage.keeping.retention import REMOVED
from escalation.storage.public.log import LOG, WORDS

COUNTER = "tocsin:counter:"


@dataclass
class Archive:
    """Records of an archive: incidents' documents by id, the day's last numbers, and what the rest is checked with."""

    incidents: dict[str, Any] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    records: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, lines: Iterable[str]) -> "Archive":
        """Read what can be read; lines that are no JSON are left out."""
        made, prefix = cls(), indexes.key("")
        for line in lines:
            try:
                record = json.loads(line)
                key = str(record["key"])
            except (ValueError, KeyError, TypeError):
                continue
            value: Any = next((value for name, value in record.items() if name != "key"), None)
            if key.startswith(prefix):
                made.incidents[key.removeprefix(prefix)] = value
            elif key.startswith(COUNTER):
                made.counters[key.removeprefix(COUNTER)] = int(value) if str(value).isdecimal() else 0
            else:
                made.records[key] = value
        return made

    def removed(self) -> list[str]:
        """Return the ids of incidents that retention removed."""
        return [str(i) for i in self.records.get(REMOVED, [])]

    def broken_publications(self) -> list[int]:
        """Return the numbers of the public log's links that were tampered with."""
        words = {int(n): json.loads(raw) for n, raw in self.records.get(WORDS, {}).items()}
        links = [Link.model_validate_json(raw) for raw in self.records.get(LOG, [])]
        return broken(links, {n: (word["salt"], word["document"]) for n, word in words.items()})

    def figures(self) -> Iterator[tuple[Observation, dict[str, Any]]]:
        """Yield the observation of each incident, as it is kept or else by the incident, with the document."""
        kept = self.records.get(indexes.FIGURES, {})
        for incident_id, document in self.incidents.items():
            incident = migrations.read(json.dumps(document).encode())
            known = incident_id in kept and not incident.open
            yield (observation.decode(kept[incident_id]) if known else observe(incident)), document
