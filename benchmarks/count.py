"""Find lost, doubled, early and late messages: compare what was committed in Redis with what is in Slack."""

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import alarms
from benchmarks.alarms import Sent
from benchmarks.faults import Span
from benchmarks.history import ONCALL, outcomes, states
from benchmarks.holders import Holders
from benchmarks.surfaces import cards, dead_buttons, delivery_of, misdirected
from benchmarks.witness import Firing, Message, Witness

Json = dict[str, Any]
GRACE = 3.0  # seconds that a checkpoint may be late at the end of a run before it counts as lost
RETRIED_FOR = 60.0  # seconds for which a message may be on its way in the storm


@dataclass(frozen=True)
class Lateness:
    """One measured latency, from `start` to `end` in epoch seconds. `disturbed`: an outage or fault overlapped it."""

    what: str
    start: float
    end: float
    disturbed: bool

    @property
    def seconds(self) -> float:
        """The latency in seconds."""
        return max(0.0, self.end - self.start)


@dataclass
class Verdict:
    """Result of the audit: counts, findings and latencies."""

    incidents: int = 0
    commits: int = 0
    fired: int = 0
    sent: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    astray: list[str] = field(default_factory=list)
    cards: list[str] = field(default_factory=list)
    dead_buttons: list[str] = field(default_factory=list)
    moved: int = 0
    times: list[Lateness] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """True if nothing was found at all."""
        return not (self.lost or self.doubled or self.early or self.astray or self.cards or self.dead_buttons)


@dataclass(frozen=True)
class Observations:
    """State seen from outside: the workspace, failed deliveries, outages, and what people read.

    `confirmed` maps the title of each declaration to whether the person read that it was declared, `stamps` each
    incident to the stamp of its latest commit. `settled_at` is when nothing was due any more, in epoch seconds: effects
    decided later, while the workers ended, wait for the next start and are not lost. `absences`: who was deactivated,
    from when to when. `alerts` were accepted, oldest first.
    """

    workspace: Json
    failed: frozenset[str]
    outages: tuple[Span, ...]
    confirmed: dict[str, bool]
    stamps: dict[str, str]
    settled_at: float
    absences: tuple[tuple[str, float, float], ...] = ()
    alerts: tuple[Sent, ...] = ()

    def save(self, path: Path) -> None:
        """Save it beside the history, so that a verdict can be investigated."""
        path.write_text(json.dumps(asdict(self), default=list))


def judge(folder: Path, observed: Observations) -> Verdict:
    """Audit the history saved in a folder."""
    return judged(states(folder), observed, outcomes(folder))


def judged(history: Iterable[tuple[str, Json]], observed: Observations, became: Iterable[Json] = ()) -> Verdict:
    """Audit every commit, oldest first, and what `became` of alerts."""
    witnesses, verdict = read(history, Holders(list(observed.absences)))
    verdict.incidents = len(witnesses)
    posted = deliveries(observed.workspace)
    verdict.astray += misdirected(witnesses, observed.workspace)
    verdict.cards = cards(witnesses, observed.workspace)
    messages = [m for w in witnesses.values() for m in w.messages.values()]
    recorded = {copy["id"] for w in witnesses.values() for copy in w.last["copies"]}
    unseen = {m.effect for m in messages if m.effect not in recorded and _was_away(m, observed)}
    verdict.dead_buttons = dead_buttons(witnesses, observed.workspace, unseen)
    for witness in witnesses.values():
        _checkpoints(verdict, witness, observed.outages, observed.settled_at)
        _messages(verdict, witness, posted, observed)
    _rooms(verdict, witnesses, observed.workspace)
    _strangers(verdict, witnesses, posted)
    _declarations(verdict, witnesses, observed.confirmed)
    _alerts(verdict, witnesses, observed.alerts, became)
    seen = {incident: witness.last["stamp"] for incident, witness in witnesses.items()}
    verdict.lost += [f"the history of {i} is not whole" for i, mark in observed.stamps.items() if seen.get(i) != mark]
    return verdict


def read(history: Iterable[tuple[str, Json]], holders: Holders) -> tuple[dict[str, Witness], Verdict]:
    """Feed each incident's commits to a witness of its own, all of them to the auditor of pages, and count them."""
    witnesses: dict[str, Witness] = {}
    verdict = Verdict()
    for incident, document in history:
        verdict.commits += 1
        if incident == ONCALL:
            holders.add_oncall(document)
            continue
        witness = witnesses.setdefault(incident, Witness(incident))
        witness.add_state(document)
        holders.add_incident(document, witness.now)
    verdict.astray, verdict.moved = holders.end(), holders.moved
    return witnesses, verdict


def deliveries(workspace: Json) -> dict[str, list[float]]:
    """Delivery id -> times of the messages that carry it or carried it before they were deleted, in epoch seconds.

    One that the app took back and posted again (the thread that it was meant for was gone) counts once, and so does
    one that somebody deleted by hand before it was posted again: a lost reply hid that it had arrived.
    """
    found: dict[str, list[float]] = {}
    for message in (message for messages in workspace["messages"].values() for message in messages):
        if delivery := delivery_of(message):
            found.setdefault(delivery, []).append(float(message["ts"]))
    for gone in (d for d in workspace["deleted"] if not d.get("deleted_by")):
        delivery, ts = delivery_of(gone["message"]), float(gone["message"]["ts"])
        if delivery and not any(other >= gone["deleted_at"] for other in found.get(delivery, ())):
            found.setdefault(delivery, []).insert(0, ts)
    for message in (d["message"] for d in workspace["deleted"] if d.get("deleted_by")):
        if delivery := delivery_of(message):
            found.setdefault(delivery, [float(message["ts"])])
    return found


def _checkpoints(verdict: Verdict, witness: Witness, outages: tuple[Span, ...], now: float) -> None:
    verdict.lost += witness.lost + witness.overdue(now - GRACE) + witness.unsent_pages()
    verdict.doubled += witness.doubled + witness.duplicate_entries()
    verdict.fired += len(witness.firings)
    verdict.early += [_early(firing) for firing in witness.firings if firing.early]
    redis = [span for span in outages if span.what == "redis"]
    for firing in witness.firings:
        disturbed = any(span.touches(firing.due, firing.at) for span in redis)
        verdict.times.append(Lateness("due -> decided", firing.due, firing.at, disturbed))


def _early(firing: Firing) -> str:
    return f"{firing.incident}: {firing.checkpoint} fired {firing.planned - firing.at:.6f} s early"


def _messages(verdict: Verdict, witness: Witness, posted: dict[str, list[float]], observed: Observations) -> None:
    for message in witness.messages.values():
        times = posted.get(message.effect, [])
        name = f"{message.effect} ({message.kind})"
        if len(times) > 1:
            verdict.doubled.append(f"{name} stands {len(times)} times in Slack")
        excused = message.excuse or _was_away(message, observed)
        if not times and not excused and (message.settled or message.at < observed.settled_at):
            verdict.lost.append(f"{name} is not in Slack" if message.settled else f"{name} was never sent")
        if times and times[0] < message.since:
            verdict.early.append(f"{name} was sent {message.since - times[0]:.6f} s before it was decided")
        verdict.sent[message.kind] += bool(times)
        if times:
            kind = "page" if message.kind == "page" else "other message"
            disturbed = message.effect in observed.failed
            decided = message.at if message.at <= times[0] else message.since
            disturbed = disturbed or any(span.touches(decided, times[0]) for span in observed.outages)
            verdict.times.append(Lateness(f"{kind}: decided -> in Slack", decided, times[0], disturbed))
    left = (effect for effect, at in witness.other_effects.items() if at < observed.settled_at)
    verdict.lost += [f"{effect} was never carried out" for effect in left]


def _was_away(message: Message, observed: Observations) -> bool:
    """True if the person whom a message was for was deactivated when it was decided, or soon after."""
    return any(
        person == message.person and message.at < ends and starts < message.at + RETRIED_FOR
        for person, starts, ends in observed.absences
    )


def _rooms(verdict: Verdict, witnesses: dict[str, Witness], workspace: Json) -> None:
    """Find war rooms that belong to no incident: made twice because a reply was lost."""
    last = [w.last for w in witnesses.values()]
    known = {r["channel"] for doc in last for r in (doc["room"], *doc["old_rooms"]) if r}
    rooms = [c for c in workspace["channels"] if str(c.get("name", "")).startswith(("inc-", "drill-"))]
    verdict.doubled += [f"room {c['name']} belongs to nobody" for c in rooms if c["id"] not in known]
    verdict.sent["room"] = len(rooms)


def _strangers(verdict: Verdict, witnesses: dict[str, Witness], posted: dict[str, list[float]]) -> None:
    """Find messages of incidents that no commit decided."""
    decided = {effect for witness in witnesses.values() for effect in witness.messages}
    verdict.doubled += [
        f"{d} was sent, and nobody decided it" for d in posted if d.startswith("INC-") and d not in decided
    ]


def _declarations(verdict: Verdict, witnesses: dict[str, Witness], confirmed: dict[str, bool]) -> None:
    titles = Counter(w.last["facts"]["title"] for w in witnesses.values())
    verdict.doubled += [f"'{title}' was declared {n} times" for title, n in titles.items() if n > 1]
    lost = [title for title, sure in confirmed.items() if sure > titles[title]]
    verdict.lost += [f"'{title}' was declared and is not there" for title in lost]


def _alerts(
    verdict: Verdict, witnesses: dict[str, Witness], accepted: tuple[Sent, ...], became: Iterable[Json]
) -> None:
    found = alarms.audit(accepted, became, {incident: witness.last for incident, witness in witnesses.items()})
    verdict.lost += found.lost
    verdict.doubled += found.doubled
    verdict.astray += found.astray
    verdict.sent["alert taken in"] = len(accepted)


def percentile(sample: Iterable[float], share: float) -> float:
    """The nearest-rank percentile of a sample; nan if it is empty."""
    ordered = sorted(sample)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan
