"""Lost, doubled, early, late: what was committed in Redis against what stands in Slack."""

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.faults import Span
from benchmarks.history import states
from benchmarks.witness import Ring, Witness

Json = dict[str, Any]
GRACE = 3.0  # seconds between the last look and what counts as overdue
EVENT = "tocsin_delivery"


@dataclass(frozen=True)
class Lateness:
    """How long something took: from `start` to `end`, in epoch seconds."""

    what: str
    start: float
    end: float
    disturbed: bool

    @property
    def seconds(self) -> float:
        return max(0.0, self.end - self.start)


@dataclass
class Verdict:
    """What the witnesses say."""

    incidents: int = 0
    commits: int = 0
    fired: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    times: list[Lateness] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not (self.lost or self.doubled or self.early)


@dataclass(frozen=True)
class Outside:
    """What was seen from outside: the workspace, failed calls by delivery, outages, and what people were told.

    `told` maps the title of each declaration to whether the person read that it was declared, `stamps` each incident
    to the mark of its latest commit. `rested` is when everything had come to rest, in epoch seconds: what was decided
    after it, while the workers ended, waits for the next start and is not lost.
    """

    workspace: Json
    failed: frozenset[str]
    outages: tuple[Span, ...]
    told: dict[str, bool]
    stamps: dict[str, str]
    rested: float

    def save(self, path: Path) -> None:
        """Keep it beside the history, so that a verdict can be looked into."""
        path.write_text(json.dumps(asdict(self), default=list))


def judge(kept: Path, outside: Outside) -> Verdict:
    """The verdict on the history that was kept in a folder."""
    return judged(states(kept), outside)


def judged(history: Iterable[tuple[str, Json]], outside: Outside) -> Verdict:
    """The verdict on every commit that there was, oldest first."""
    witnesses, verdict = read(history)
    verdict.incidents = len(witnesses)
    posted = deliveries(outside.workspace)
    for witness in witnesses.values():
        _checkpoints(verdict, witness, outside.outages, outside.rested)
        _messages(verdict, witness, posted, outside)
    _rooms(verdict, witnesses, outside.workspace)
    _strangers(verdict, witnesses, posted)
    _declarations(verdict, witnesses, outside.told)
    seen = {incident: witness.last["stamp"] for incident, witness in witnesses.items()}
    verdict.lost += [f"the history of {i} is not whole" for i, mark in outside.stamps.items() if seen.get(i) != mark]
    return verdict


def read(history: Iterable[tuple[str, Json]]) -> tuple[dict[str, Witness], Verdict]:
    witnesses: dict[str, Witness] = {}
    verdict = Verdict()
    for incident, document in history:
        verdict.commits += 1
        witnesses.setdefault(incident, Witness(incident)).see(document)
    return witnesses, verdict


def deliveries(workspace: Json) -> dict[str, list[float]]:
    """Delivery id -> the time of each message that carries it."""
    found: dict[str, list[float]] = {}
    for message in (m for there in workspace["messages"].values() for m in there):
        metadata = message.get("metadata") or {}
        if metadata.get("event_type") == EVENT:
            found.setdefault(metadata["event_payload"]["delivery"], []).append(float(message["ts"]))
    return found


def _checkpoints(verdict: Verdict, witness: Witness, outages: tuple[Span, ...], now: float) -> None:
    verdict.lost += witness.lost + witness.overdue(now - GRACE) + witness.unsent_pages()
    verdict.doubled += witness.doubled + witness.said_twice()
    verdict.fired += len(witness.rings)
    verdict.early += [_early(ring) for ring in witness.rings if ring.early]
    redis = [span for span in outages if span.what == "redis"]
    for ring in witness.rings:
        disturbed = any(span.touches(ring.due, ring.at) for span in redis)
        verdict.times.append(Lateness("due -> decided", ring.due, ring.at, disturbed))


def _early(ring: Ring) -> str:
    return f"{ring.incident}: {ring.checkpoint} fired {ring.planned - ring.at:.6f} s early"


def _messages(verdict: Verdict, witness: Witness, posted: dict[str, list[float]], outside: Outside) -> None:
    for message in witness.messages.values():
        times = posted.get(message.effect, [])
        name = f"{message.effect} ({message.kind})"
        if len(times) > 1:
            verdict.doubled.append(f"{name} stands {len(times)} times in Slack")
        if not times and not message.excuse and (message.gone or message.at < outside.rested):
            verdict.lost.append(f"{name} is not in Slack" if message.gone else f"{name} was never sent")
        if times and times[0] < message.at:
            verdict.early.append(f"{name} was sent {message.at - times[0]:.6f} s before it was decided")
        verdict.sent[message.kind] += bool(times)
        if times:
            kind = "page" if message.kind == "page" else "other message"
            disturbed = message.effect in outside.failed
            disturbed = disturbed or any(span.touches(message.at, times[0]) for span in outside.outages)
            verdict.times.append(Lateness(f"{kind}: decided -> in Slack", message.at, times[0], disturbed))
    left = (effect for effect, at in witness.other_effects.items() if at < outside.rested)
    verdict.lost += [f"{effect} was never carried out" for effect in left]


def _rooms(verdict: Verdict, witnesses: dict[str, Witness], workspace: Json) -> None:
    """Each war room belongs to an incident: none was made twice because an answer got lost."""
    last = [w.last for w in witnesses.values()]
    known = {r["channel"] for doc in last for r in (doc["room"], *doc["old_rooms"]) if r}
    rooms = [c for c in workspace["channels"] if str(c.get("name", "")).startswith("inc-")]
    verdict.doubled += [f"room {c['name']} belongs to nobody" for c in rooms if c["id"] not in known]
    verdict.sent["room"] = len(rooms)


def _strangers(verdict: Verdict, witnesses: dict[str, Witness], posted: dict[str, list[float]]) -> None:
    """Every message of an incident was decided in a commit that still stands."""
    decided = {effect for witness in witnesses.values() for effect in witness.messages}
    verdict.doubled += [
        f"{d} was sent, and nobody decided it" for d in posted if d.startswith("INC-") and d not in decided
    ]


def _declarations(verdict: Verdict, witnesses: dict[str, Witness], told: dict[str, bool]) -> None:
    titles = Counter(w.last["facts"]["title"] for w in witnesses.values())
    verdict.doubled += [f"'{title}' was declared {n} times" for title, n in titles.items() if n > 1]
    verdict.lost += [f"'{title}' was declared and is not there" for title, sure in told.items() if sure > titles[title]]


def percentile(sample: Iterable[float], share: float) -> float:
    """The smallest value that at least this share of the sample does not exceed; nan of nothing."""
    ordered = sorted(sample)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan
