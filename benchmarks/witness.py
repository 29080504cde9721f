"""Audit one incident from its committed states alone, as plain JSON.

Nothing of the program is imported: the rules by which a checkpoint may be skipped, or a message not be sent, are
written here a second time.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Json = dict[str, Any]
MESSAGES = ("page", "card", "say", "tell", "remind", "remind_person")
CLOSED = ("resolved", "cancelled")
PENDING = ("waiting", "owed")
RESTARTS = {"severity", "reopened"}  # entries that restart the policy's clocks
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FIRED = {"update": "update_due", "silence": "silence", "monitoring": "monitored"}


@dataclass(frozen=True)
class Firing:
    """A checkpoint that fired. `due` is the earliest time: that at which it stopped resting, if it rested."""

    incident: str
    checkpoint: str
    due: float
    at: float
    planned: float

    @property
    def early(self) -> bool:
        """True if it fired before its planned time."""
        return self.at < self.planned


@dataclass
class Message:
    """A message that was decided, `since` when. `at` is when it was to be sent last (both in epoch seconds).

    A new card in place of one that was deleted by hand puts the messages of its thread off.
    Once it is `settled` it is pending no more; `excuse` says why it may be missing in Slack then.
    """

    effect: str
    incident: str
    kind: str
    at: float
    what: str
    place: str = ""
    person: str = ""
    settled: bool = False
    excuse: str = ""
    since: float = 0.0


@dataclass
class Witness:
    """Auditor of one incident, which is given its states in order."""

    incident: str
    last: Json = field(default_factory=dict)
    now: float = 0.0
    firings: list[Firing] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    messages: dict[str, Message] = field(default_factory=dict)
    other_effects: dict[str, float] = field(default_factory=dict)
    _awake: dict[str, float] = field(default_factory=dict)
    _forgotten: set[str] = field(default_factory=set)

    def add_state(self, doc: Json) -> None:
        """Process the next committed state."""
        before = self.last
        fresh = doc["timeline"][len(before.get("timeline", ())) :]
        self.now = max([self.now, *(stamp(e["at"]) for e in fresh), *(stamp(e["at"]) for e in doc["effects"])])
        if not before:
            self.lost += [f"{self.incident}: {c} was never set" for c in missing_checkpoints(doc)]
        still = {_key(c) for c in doc["checkpoints"]}
        for checkpoint in before.get("checkpoints", ()):
            if _key(checkpoint) not in still:
                self._judge_checkpoint(checkpoint, before, doc, fresh)
        self._track_resting(doc)
        self._track_effects(before, doc, fresh)
        self.last = doc

    # Checkpoints -------------------------------------------------------------------------------------------------

    def _judge_checkpoint(self, checkpoint: Json, before: Json, after: Json, fresh: list[Json]) -> None:
        at = fired(checkpoint, before, after, fresh)
        due = stamp(checkpoint["due"])
        if at is not None:
            ready = max(due, self._awake.get(_key(checkpoint), at))
            self.firings.append(Firing(self.incident, checkpoint["id"], min(ready, at), at, due))
        elif not excused(checkpoint, before, after, fresh):
            self.lost.append(f"{self.incident}: {checkpoint['id']} (due {checkpoint['due']}) went without firing")

    def _track_resting(self, doc: Json) -> None:
        awake = {_key(c) for c in doc["checkpoints"] if not resting(c, doc)}
        self._awake = {mark: self._awake.get(mark, self.now) for mark in awake}

    def overdue(self, now: float) -> list[str]:
        """Checkpoints that are due in the last state and have not fired."""
        doc = self.last
        waiting = (c for c in doc["checkpoints"] if not resting(c, doc) and stamp(c["due"]) < now)
        return [
            f"{self.incident}: {c['id']} (due {c['due']}) has not fired"
            for c in waiting
            if c["kind"] == "owed" or doc["status"] not in CLOSED
        ]

    # Effects -----------------------------------------------------------------------------------------------------

    def _track_effects(self, before: Json, after: Json, fresh: list[Json]) -> None:
        pending = {e["id"]: e for e in after["effects"]}
        standing = {c["id"] for c in after["copies"]}
        self._forgotten |= {c["id"] for c in before.get("copies", ())} - standing
        for effect in pending.values():
            self._add_effect(effect)
        for effect in before.get("effects", ()):
            if effect["id"] in pending:
                continue
            self.other_effects.pop(effect["id"], None)
            if message := self.messages.get(effect["id"]):
                message.settled = True
                message.excuse = unsent(effect, after, fresh)

    def _add_effect(self, effect: Json) -> None:
        at = stamp(effect["at"])
        if effect["kind"] not in MESSAGES:
            self.other_effects[effect["id"]] = at
            return
        known = self.messages.get(effect["id"])
        if known:
            known.at = at
            return
        what = _what(effect)
        if what in {m.what for m in self.messages.values() if m.effect not in self._forgotten}:  # deleted by hand
            self.doubled.append(f"{self.incident}: {what} was decided twice")
        self.messages[effect["id"]] = Message(
            effect["id"],
            self.incident,
            effect["kind"],
            at,
            what,
            str(effect.get("place", "")),
            str(effect.get("person", "")),
            since=at,
        )

    def unsent_pages(self) -> list[str]:
        """Pages for which no message was ever decided."""
        decided = {m.what for m in self.messages.values()}
        wanted = (page_name(p["n"], nth) for p in self.last["pages"] for nth in range(1, p["sent"] + 1))
        return [f"{self.incident}: {name} was never decided" for name in wanted if name not in decided]

    def duplicate_entries(self) -> list[str]:
        """Entries of the timeline that occur twice and may occur only once."""
        planned = Counter(
            (e["fields"]["checkpoint"], e["fields"]["due"]) for e in self.last["timeline"] if e["kind"] == "checkpoint"
        )
        owed = Counter(e["fields"]["n"] for e in self.last["timeline"] if e["kind"] == "overdue")
        return [f"{self.incident}: {what} fired twice" for what, n in (planned | owed).items() if n > 1]


def page_name(n: int, nth: int) -> str:
    """Name of the nth message of a page."""
    return f"page {n}, time {nth}"


def _what(effect: Json) -> str:
    """Purpose of a message: a second one with the same would be a doubled decision."""
    match effect["kind"]:
        case "page":
            return page_name(effect["page"], effect["nth"])
        case "say":
            return f"entry {effect['entry']} in {effect['place']} {effect['channel']}"
        case "tell":
            return f"entry {effect['entry']} to {effect['person']}"
    return str(effect["id"])


def stamp(text: str) -> float:
    """Parse an instant of a document, to epoch seconds."""
    return datetime.fromisoformat(text).timestamp()


def _key(checkpoint: Json) -> str:
    return f"{checkpoint['id']} {checkpoint['due']}"


# What the policy asks for ----------------------------------------------------------------------------------------


def _plans(doc: Json) -> dict[str, Json]:
    return {p["id"]: p for p in doc["policy"]["checkpoints"]}


def _communications(doc: Json) -> dict[str, Json]:
    return {p["id"]: p for p in doc["policy"]["communications"]}


def _plan_of(checkpoint: Json, doc: Json) -> Json | None:
    match checkpoint["kind"]:
        case "policy":
            return _plans(doc).get(checkpoint["about"])
        case "communication":
            return _communications(doc).get(checkpoint["about"])
    return None


def missing_checkpoints(doc: Json) -> list[str]:
    """Planned checkpoints that a new incident lacks, or has at another time than exactly the right one.

    Those in business time are left out: this is no second calendar.
    """
    waiting = {(c["about"], round(stamp(c["due"]), 4)) for c in doc["checkpoints"] if c["kind"] == "policy"}
    start = stamp(doc["clock_from"])
    missing = []
    for plan in doc["policy"]["checkpoints"]:
        wait = clock_time(plan["after"])
        if plan["since"] == "start" and wait and work_left(plan, doc):
            due = start + wait / doc["speed"]
            if not any(about == plan["id"] and abs(at - due) < 0.001 for about, at in waiting):
                missing.append(str(plan["id"]))
    return missing


def clock_time(after: str) -> float:
    """`15m` or `1h30m` in seconds; 0 for what is at once or counted in business time."""
    if not re.fullmatch(r"(\d+[smhdw])+", after):
        return 0.0
    parts = re.findall(r"(\d+)([smhdw])", after)
    return sum(timedelta(**{_UNITS[unit]: int(n)}).total_seconds() for n, unit in parts)


def work_left(plan: Json, doc: Json) -> bool:
    """True if a planned checkpoint would still have an effect."""
    tiers = any(p["again"] or p["tier"] not in doc["tiers_paged"] for p in plan["page"])
    return bool(tiers or plan["notify"] or plan["team"] or plan["say"] or (plan["room"] and not doc["room"]))


def resting(checkpoint: Json, doc: Json) -> bool:
    """True if a checkpoint may pass its due time: a condition is not met yet, or a fix is being monitored."""
    found = _plan_of(checkpoint, doc)
    if found is None:
        return False
    if not all(doc["facts"][said] for said in found["only_if"]):
        return True
    return bool(doc["status"] == "monitoring" and found.get("rests_while_monitoring"))


def _known(fact: str, doc: Json) -> bool:
    if fact == "resolved":
        return doc["status"] in CLOSED
    return doc[{"acknowledged": "acknowledgement", "scheduled": "schedule"}.get(fact, fact)] is not None


# What became of a checkpoint -------------------------------------------------------------------------------------


def fired(checkpoint: Json, before: Json, after: Json, fresh: list[Json]) -> float | None:
    """Time at which a checkpoint fired, by its entry in the timeline; None if it did not."""
    entry = next((e for e in fresh if _left_by(checkpoint, e, before, after)), None)
    if entry is None:
        return None
    at = stamp(entry["at"])
    by_hand = any(e["by"] for e in fresh)  # a person's move may add the same entry
    distinct = checkpoint["kind"] in ("policy", "repeat", "owed")
    return at if distinct or not by_hand or at >= stamp(checkpoint["due"]) else None


def _left_by(checkpoint: Json, entry: Json, before: Json, after: Json) -> bool:
    fields, about = entry["fields"], checkpoint["about"]
    match checkpoint["kind"]:
        case "policy":
            same = entry["kind"] == "checkpoint" and fields["checkpoint"] == about
            return same and stamp(fields["due"]) == stamp(checkpoint["due"])
        case "communication":
            return bool(entry["kind"] == "communication" and fields["plan"] == about)
        case "owed":
            return bool(entry["kind"] == "overdue" and fields["n"] == about)
        case "repeat":
            n = int(about) - 1
            return bool(entry["kind"] == "repeated" and after["pages"][n]["sent"] > before["pages"][n]["sent"])
        case "phase":  # a response that begins anew, in another room, does not end its phase
            return bool(entry["kind"] == "phase" and after["phase"] > int(about))
        case kind:
            return bool(entry["kind"] == _FIRED.get(kind))


def excused(checkpoint: Json, before: Json, after: Json, fresh: list[Json]) -> bool:
    """True if a checkpoint that vanished was moot or was replaced."""
    kind, kinds = checkpoint["kind"], {e["kind"] for e in fresh}
    if kind != "owed" and after["status"] in CLOSED:
        return True
    match kind:
        case "policy" | "communication":
            return bool(kinds & RESTARTS) or _plan_is_moot(checkpoint, before, after, fresh)
        case "repeat":
            return bool(after["pages"][int(checkpoint["about"]) - 1]["state"] != "open")
        case "owed":
            return after["communications"][int(checkpoint["about"]) - 1]["state"] not in PENDING
        case "silence" if _told(before):  # whoever leads was told already: each is told once
            return True
        case "update" | "silence":
            return bool(kinds & (RESTARTS | {"update", "update_due"}))
        case "monitoring":
            return after["status"] != "monitoring" or "fix_applied" in kinds
        case "phase":
            return str(after["phase"]) != checkpoint["about"] or "phase" in kinds
        case "redraw":  # says nothing, and follows whatever moves a time on the card
            return any(c["kind"] == kind and c["due"] > checkpoint["due"] for c in after["checkpoints"]) or bool(
                kinds or after["redrawn_at"] != before["redrawn_at"]
            )
    return False


def _told(doc: Json) -> list[str]:
    """Who was told directly that a progress update is due."""
    return list(doc["reminders"].get("update", {}).get("told", ()))


def _plan_is_moot(checkpoint: Json, before: Json, after: Json, fresh: list[Json]) -> bool:
    planned = checkpoint["kind"] == "policy"
    plan = (_plans if planned else _communications)(before)[checkpoint["about"]]
    replanned = any(c["id"] == checkpoint["id"] for c in after["checkpoints"])
    if replanned or any(_known(fact, after) for fact in plan["unless"]):
        return True
    if not planned:
        return bool(after["facts"]["security"])
    # Its own firing leaves no work either, so another entry must show what else did its work.
    others = any(e["by"] or e["kind"] in ("checkpoint", "refused") for e in fresh)
    return not work_left(plan, after if others else before)


# What became of a message ----------------------------------------------------------------------------------------


def unsent(effect: Json, after: Json, fresh: list[Json]) -> str:
    """Why a message that is no longer pending may be missing in Slack; empty if it must be there."""
    closed, private = after["status"] in CLOSED, after["facts"]["security"]
    lost_room = not after["room"] or after["room"]["lost"]
    match effect["kind"]:
        case "page":
            page = after["pages"][effect["page"] - 1]
            refused = any(e["kind"] == "refused" for e in fresh)
            over = closed or refused or page["state"] != "open" or effect["nth"] < page["sent"]
            return "the page was over" if over else ""
        case "remind" | "remind_person" if effect["about"] not in after["reminders"]:
            return "it was over"
        case "remind" if effect["place"] == "room" and lost_room:
            return "there is no room"
        case "remind":  # of a room that it left, or the public thread
            return "it was over" if closed or private else ""
        case "tell" | "remind_person":
            return "it was over" if closed else ""
        case "say" if effect["place"] == "team":
            return "the team has no channel"
        case "say" if effect["place"] == "room" and lost_room:
            return "there is no room"
        case "card" if effect["place"] == "room" and lost_room:
            return "there is no room"
    return "it became private" if private else ""
