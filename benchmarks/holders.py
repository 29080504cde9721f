"""Audit who was paged: whoever held the role at that time, also after somebody else took it over.

The role is `on_call` of either policy, held by the rotation `primary`. Overrides are read from the committed on-call
state; whom the rotation names is not computed a second time: it has to be the same person whenever nobody took over.
"""

from dataclasses import dataclass, field
from typing import Any

from benchmarks.acting import member
from benchmarks.witness import CLOSED, stamp

Json = dict[str, Any]
ROLE, ROTATION = "on-call engineer", "primary"
GRACE = 3.0  # seconds in which the former holder may still be paged: it was decided before
MOVED_WITHIN = 20.0  # seconds, outages of Redis or Slack not counted


@dataclass
class Holders:
    """Auditor of the pages of all incidents, given every commit in order. `absences` are (member, from, to)."""

    absences: list[tuple[str, float, float]] = field(default_factory=list)
    now: float = 0.0
    found: list[str] = field(default_factory=list)
    paged: int = 0
    moved: int = 0
    _overrides: list[Json] = field(default_factory=list)
    _recent: list[tuple[float, str]] = field(default_factory=list)
    _planned: dict[str, str] = field(default_factory=dict)
    _seen: dict[tuple[str, int], int] = field(default_factory=dict)
    _owed: dict[tuple[str, int, str], float] = field(default_factory=dict)

    def add_oncall(self, state: Json) -> None:
        """Process a commit of the on-call state."""
        self._recent.append((self.now, self._holder(self.now)))
        self._overrides = state["overrides"]

    def add_incident(self, doc: Json, now: float) -> None:
        """Process a commit of an incident; `now` is its time."""
        self.now = max(self.now, now)
        holder = self._holder(self.now)
        pages = [page for page in doc["pages"] if page["role"] == ROLE and page["tier"]]
        for page in pages:
            key = (doc["id"], page["n"])
            if page["sent"] > self._seen.get(key, 0):
                self._judge(doc, page, holder)
            self._seen[key] = page["sent"]
        self._follow(doc, pages, holder)

    def end(self) -> list[str]:
        """Everything that was found."""
        planned = sorted(set(self._planned.values()))
        return [*self.found, *([f"on call without an override were {planned}"] if len(planned) > 1 else [])]

    def _holder(self, at: float) -> str:
        """Who holds the role by an override; empty when the rotation's own plan holds."""
        active = [o for o in self._overrides if stamp(o["starts"]) <= at < stamp(o["ends"])]
        latest = max((o for o in active if o["rotation"] == ROTATION), key=lambda o: o["id"], default=None)
        return member(latest["person"]) if latest else ""

    def _judge(self, doc: Json, page: Json, holder: str) -> None:
        """Judge one page or repeat that was just decided."""
        self.paged += 1
        lately = {holder} | {before for until, before in self._recent if self.now - until < GRACE}
        if "" in lately:
            if lately == {""} and not self._somebody_is_away():
                self._planned[doc["id"]] = page["person"]
        elif page["person"] not in lately and not self._somebody_is_away():
            who = f"page {page['n']} for the {ROLE} went to {page['person']}"
            self.found.append(f"{doc['id']}: {who} while {' or '.join(sorted(lately))} had taken over")

    def _follow(self, doc: Json, pages: list[Json], holder: str) -> None:
        """Find pages that stay with somebody who does not hold the role any more."""
        over = doc["status"] in CLOSED or doc["acknowledgement"] is not None
        owed = set()
        for page in pages:
            key = (doc["id"], page["n"], holder)
            reached = any(p["person"] == holder for p in doc["pages"])
            if over or not holder or page["state"] != "open" or page["person"] == holder or reached:
                self.moved += key in self._owed and reached
                continue
            owed.add(key)
            since = self._owed.setdefault(key, self.now)
            if 0 <= since < self.now - MOVED_WITHIN:
                self.found.append(f"{doc['id']}: page {page['n']} stays with {page['person']}, {holder} is {ROLE}")
                self._owed[key] = float("inf")  # once is enough
        for key in [k for k in self._owed if k[0] == doc["id"] and k not in owed]:
            del self._owed[key]

    def _somebody_is_away(self) -> bool:
        return any(left - GRACE <= self.now <= back + GRACE for _, left, back in self.absences)
