"""`tocsin verify`: show that the record was not changed, and that the figures follow from it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from escalation.errors import TooNew
from escalation.figures.observation import Observation
from escalation.figures.report import MEASURES
from escalation.records.chain import MARK, Break, check
from escalation.storage import archive
from escalation.storage.archive import ArchiveFault
from escalation.storage.keeping.archived import COUNTER, Archive
from escalation.storage.keeping.retention import removed_ids
from escalation.storage.public.log import PublicLog
from escalation.storage.store import Store
from tocsin.commands.incidents import NEEDS, open_store
from tocsin.commands.terminal import as_json, print_json
from tocsin.config.settings import load
from tocsin.errors import Refusal

EVER = datetime.fromtimestamp(0, UTC)
CLOSED = ("resolved", "cancelled")
OUTSIDE = ("customers", "social")
SHOWN = 5  # of the same fault


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--figures", is_flag=True, help="Recompute the times of every incident from its timeline, and compare.")
@as_json
def verify(file: Path | None, figures: bool, as_json: bool) -> None:
    """Verify the chains of timelines and of the public log, of the running instance or of an export (one incident's
    JSON, or --all). With --figures the figures, too. Exit code 1 for anything that was changed or differs."""
    if file:
        found = _of_file(file, figures)
    else:
        store = open_store(load(NEEDS))
        documents, removed = dict(_documents(store)), removed_ids(store)
        checked = Checked.of(documents.items(), missing([*documents, *removed], _counters(store)))
        found = Found(checked, PublicLog(store.redis).broken(), list(_differing(_stored(store))) if figures else None)
    if as_json:
        print_json(found.data())
    else:
        click.echo("\n".join(found.lines()))
    raise SystemExit(1 if found.wrong else 0)


@dataclass(frozen=True)
class Checked:
    """What the chains of timelines say. `adopted` and `unchained` have entries of an earlier build, by incident."""

    incidents: int
    entries: int
    broken: dict[str, Break]
    adopted: dict[str, int]
    unchained: list[str]
    missing: list[str]

    @classmethod
    def of(cls, documents: Iterable[tuple[str, Any]], missing: Iterable[str] = ()) -> "Checked":
        """Check each document by its own chain."""
        incidents, entries = 0, 0
        broken, adopted, unchained = dict[str, Break](), dict[str, int](), list[str]()
        for incident_id, document in documents:
            chain, fault = check(document)
            incidents, entries = incidents + 1, entries + (chain.length if chain else 0)
            if fault:
                broken[incident_id] = fault
            elif chain is None:
                unchained.append(incident_id)
            elif chain.adopted:
                adopted[incident_id] = chain.adopted
        return cls(incidents, entries, broken, adopted, unchained, list(missing))

    def lines(self) -> Iterator[str]:
        """What was found, a line each."""
        broken = [
            f"{id}: entry {fault.entry} of its timeline is wrong: {fault.why}." for id, fault in self.broken.items()
        ]
        yield from _first(broken, "timelines are wrong")
        gone = [f"{id}: it is missing, and `tocsin retention` did not remove it." for id in self.missing]
        yield from _first(gone, "incidents are missing")
        if not self.broken:
            yield f"Timelines: nothing was changed in {self.incidents} incidents with {self.entries} entries."
        each = self.adopted.items()
        older = [f"{id}: its first {n} entries were written before timelines had chains." for id, n in each]
        yield from _first(older, "timelines began before there were chains")
        if self.unchained:
            more = f" and {len(self.unchained) - SHOWN} more" if len(self.unchained) > SHOWN else ""
            named = ", ".join(self.unchained[:SHOWN])
            yield f"Not chained: {named}{more}. An earlier build wrote them, or somebody removed it."


def _first(lines: list[str], what: str) -> Iterator[str]:
    """Yield the first few lines, and how many there are beside them."""
    yield from lines[:SHOWN]
    if len(lines) > SHOWN:
        yield f"{len(lines) - SHOWN} more {what} (`--json` names all)."


@dataclass(frozen=True)
class Found:
    """All that was found. `public_log` has numbers of broken links (None: not looked at), `fault` is the file's own."""

    checked: Checked
    public_log: list[int] | None = None
    figures: list[str] | None = None
    fault: str = ""

    @property
    def wrong(self) -> bool:
        """True if anything was changed, removed or added, or differs."""
        checked = self.checked
        return bool(
            checked.broken or checked.unchained or checked.missing or self.public_log or self.figures or self.fault
        )

    def lines(self) -> Iterator[str]:
        """What was found, a line each."""
        if self.fault:
            yield f"The file was changed, or cut off: {self.fault}."
        yield from self.checked.lines()
        if self.public_log is not None:
            yield f"Public log: {f'changed at {self.public_log}' if self.public_log else 'nothing was changed'}."
        if self.figures is not None:
            yield from (
                _first(self.figures, "times differ")
                if self.figures
                else ["Figures: every time follows from its timeline, to the millisecond."]
            )

    def data(self) -> dict[str, Any]:
        """What was found, for scripts."""
        checked = self.checked
        return {
            "file": self.fault or None,
            "timelines": {
                "incidents": checked.incidents,
                "entries": checked.entries,
                "broken": [{"id": i, "entry": f.entry, "why": f.why} for i, f in checked.broken.items()],
                "adopted": checked.adopted,
                "unchained": checked.unchained,
                "missing": checked.missing,
            },
            "public_log": {"broken": self.public_log or []},
            "figures": self.figures,
        }


def _parsed(raw: bytes | None) -> Any:
    try:
        return json.loads(raw or b"")
    except ValueError:
        return None


def _of_file(file: Path, figures: bool) -> Found:
    """Check an export: one incident's JSON, or the whole record."""
    try:
        text = file.read_bytes().decode()  # line ends that were translated are a change: `import` refuses them
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"{file} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}.") from None
    document = _parsed(text.encode())
    if isinstance(document, dict) and "timeline" in document:
        if figures:
            raise click.UsageError("--figures needs the whole record: `tocsin export --all`.")
        return Found(Checked.of([(str(document.get("id", "")), document)]))
    lines = text.removesuffix("\n").split("\n")
    if not archive.is_one(lines):
        raise Refusal(f"{file}: neither an incident as JSON (`tocsin export ID --json`) nor `tocsin export --all`.")
    found, fault = Archive.of(lines), ""
    try:
        archive.check(lines)
    except ArchiveFault as spoiled:
        fault = str(spoiled)
    checked = Checked.of(found.incidents.items(), missing([*found.incidents, *found.removed()], found.counters))
    try:
        return Found(
            checked, found.broken_publications(), list(_differing(found.figures())) if figures else None, fault
        )
    except (ValueError, KeyError, TypeError, TooNew) as error:
        return Found(checked, None, None, fault or f"a record in it cannot be read ({type(error).__name__})")


def _stored(store: Store) -> Iterator[tuple[Observation, dict[str, Any]]]:
    """Observations of the store, each with its incident's document."""
    for seen in store.observations(EVER):
        for incident in store.read([seen.id]):  # none of one that retention removed
            yield seen, json.loads(incident.model_dump_json(include={"status", "timeline", "communications", "chain"}))


def _documents(store: Store) -> Iterator[tuple[str, Any]]:
    """What a check needs of every incident's document, as it is stored."""
    for incident_id, raw in store.documents():
        document = _parsed(raw)
        known = isinstance(document, dict) and {"timeline", "chain"} & document.keys()
        yield incident_id, {name: document[name] for name in known} if known else document


def _counters(store: Store) -> dict[str, int]:
    """The last number of each day."""
    keys = [str(key, "utf-8") for key in store.redis.scan_iter(match=f"{COUNTER}*", count=1000)]
    return {key.removeprefix(COUNTER): int(store.redis.get(key) or 0) for key in keys}


def missing(ids: Iterable[str], counters: dict[str, int]) -> Iterator[str]:
    """Yield ids that were given to an incident of which nothing is left: numbers have no gaps."""
    known = set(ids)
    for day, last in sorted(counters.items()):
        yield from (name for n in range(1, last + 1) if (name := f"INC-{day}-{n:03d}") not in known)


def _differing(pairs: Iterable[tuple[Observation, dict[str, Any]]]) -> Iterator[str]:
    """Lines about times that differ from what the timeline says by a millisecond or more."""
    for seen, document in pairs:
        again = recomputed(document)
        for measure in MEASURES:
            found, expected = measure.of(seen), again[measure.key]
            if _shown(found) != _shown(expected):
                yield f"{seen.id}: {measure.title} is {_shown(found)}, by its timeline {_shown(expected)}"


def _shown(time: float | str | None) -> str:
    return "left out" if time is None or isinstance(time, str) else f"{time:.3f} s"


def recomputed(document: dict[str, Any]) -> dict[str, float | None]:
    """Times of an exported incident in seconds, from its timeline alone; None where there is none.

    It shares nothing with escalation.figures: the two check each other.
    """
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for entry in document["timeline"]:
        at = datetime.fromisoformat(entry["at"]).timestamp()
        first.setdefault(entry["kind"], at)
        last[entry["kind"]] = at
    over = document["status"] == "resolved"
    resolved = last.get("resolved") if over else None
    fix = last.get("fix_applied")
    means = {str(c["n"]): c["through"] for c in document["communications"] if c["plan"]["audience"] in OUTSIDE}
    told = (
        datetime.fromisoformat(e["at"]).timestamp()
        for e in document["timeline"]
        if (n := e["fields"].get("n")) in means and _says_it(e["kind"], e["fields"], means[n])
    )
    stated = [e["fields"] for e in document["timeline"] if e["kind"] in ("declared", "times")]
    began, detected, ended = (
        next((datetime.fromisoformat(f[name]).timestamp() for f in reversed(stated) if f.get(name)), None)
        for name in ("began", "detected", "ended")
    )
    ends = {
        "detect": (began, detected),
        "declare": (detected, first.get("declared")),
        "mitigate": (began, ended),
        "mtta": (first.get("paged"), first.get("acknowledged")),
        "root_cause": (first.get("declared"), first.get("root_cause")),
        "fix": (first.get("declared"), fix if resolved is not None and fix is not None and fix <= resolved else None),
        "tell": (first.get("declared"), next(told, None)),
        "mttr": (first.get("declared"), resolved),
    }
    return {
        key: _between(*pair) if document["status"] in CLOSED and _whole(document) else None
        for key, pair in ends.items()
    }


def _whole(document: dict[str, Any]) -> bool:
    """True if no entry is missing, of those neither that only its chain knows."""
    numbers = [entry["n"] for entry in document["timeline"]]
    links = len(document.get("chain", {}).get("marks", "")) // MARK
    return numbers == list(range(1, max(len(numbers), links) + 1))


def _says_it(kind: str, fields: dict[str, str], means: list[str]) -> bool:
    """True if somebody outside heard by this entry: sent by us, by hand, or by one of its means that needs nobody."""
    if kind not in ("communication", "communicated"):
        return kind == "sent"
    answer, left_to_people = fields.get("answer", ""), fields["through"].replace(", ", ",").split(",")
    needs_nobody = any(m.replace("_", " ") not in left_to_people for m in means)
    return answer == "published" or (
        needs_nobody and (answer == "approved" or fields.get("state", "waiting") != "waiting")
    )


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None or end < start else end - start
