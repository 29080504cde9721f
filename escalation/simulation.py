"""The exact future of an incident that has not happened: declare() and decide() under a clock that jumps from alarm
to alarm. It has no rule of its own but where to stop.

What is sent counts as arrived at once, so that nobody's reply and no failure is in it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from escalation.config.company import Roster
from escalation.engine.checkpoints import Upcoming, commander, resting, upcoming
from escalation.engine.state_machine import decide, declare
from escalation.errors import Refused
from escalation.foretold import Row, rows
from escalation.incident.effects import Effect, OpenRoom
from escalation.incident.events import (
    Acknowledge,
    CheckpointDue,
    Declare,
    FixApplied,
    FixFailed,
    MoveEvent,
    OutcomeEvent,
    Resolve,
    RoomOpened,
    RootCause,
    Terms,
    Workaround,
)
from escalation.incident.model import Incident
from escalation.incident.records import Checkpoint, CheckpointKind, Facts, PageState, Room
from escalation.values import PersonId, format_duration

RosterAt = Callable[[datetime], Roster]
LONGEST = timedelta(days=14)
REPORTER = "reporter"  # who declares it where nobody is named
TEXT = "simulated"
# These come again for as long as nobody does anything; all others end by themselves.
ENDLESS = (CheckpointKind.UPDATE, CheckpointKind.SILENCE, CheckpointKind.MONITORING)


class Step(StrEnum):
    """What people do in a simulation; in this order when it is at one instant."""

    ACK = "ack"
    ROOT_CAUSE = "root-cause"
    WORKAROUND = "workaround"
    FIX = "fix"
    FIX_FAILS = "fix-fails"
    RESOLVE = "resolve"


Script = Mapping[Step, timedelta]  # how long after the declaration

_MOVES: dict[Step, Callable[[PersonId], MoveEvent]] = {
    Step.ACK: lambda by: Acknowledge(by=by),
    Step.ROOT_CAUSE: lambda by: RootCause(by=by, cause=TEXT),
    Step.WORKAROUND: lambda by: Workaround(by=by, text=TEXT),
    Step.FIX: lambda by: FixApplied(by=by),
    Step.FIX_FAILS: lambda by: FixFailed(by=by),
    Step.RESOLVE: lambda by: Resolve(by=by, summary=TEXT, resolution=TEXT),
}


@dataclass(frozen=True)
class Simulation:
    """What happens from the declaration until `ends` (inclusive), and what is still ahead then.

    `cycle` says that only reminders are ahead, which come again and again.
    """

    incident: Incident
    rows: tuple[Row, ...]
    ends: datetime
    ahead: tuple[Upcoming, ...] = ()
    cycle: bool = False


def simulate(
    terms: Terms,
    facts: Facts,
    by: PersonId,
    start: datetime,
    roster_at: RosterAt,
    script: Script,
    until: timedelta | None = None,
) -> Simulation:
    """Run an incident from its declaration at `start` for `until` so long.

    None: until nothing is ahead, or only what comes again and again (then once round), or for LONGEST.
    The roster is asked at each instant. Raises Refused when a step is not possible at its time, or is too late.
    """
    limit = _limit(script, until)
    event = Declare(by=by, facts=facts, terms=terms)
    run = _Run(declare(f"INC-{start:%Y%m%d}-000", event, start, roster_at(start)), start, roster_at)
    cycle = run.play(_in_order(script, start), start + limit, endlessly=until is not None)
    ends = start + until if until else run.now
    ahead = upcoming(run.incident, roster_at)
    return Simulation(run.incident, rows(run.incident, tuple(run.caused)), ends, ahead, cycle)


def _limit(script: Script, until: timedelta | None) -> timedelta:
    limit = until or LONGEST
    if limit > LONGEST:
        raise Refused(
            f"{format_duration(limit)} is too long; a simulation lasts {format_duration(LONGEST)} at the most."
        )
    if too_late := [step for step, after in script.items() if after > limit]:
        raise Refused(
            f"{too_late[0]} would come after the end of the simulation, {format_duration(limit)} from its start."
        )
    return limit


def _in_order(script: Script, start: datetime) -> list[tuple[datetime, Step]]:
    return sorted(((start + script[step], step) for step in Step if step in script), key=lambda s: s[0])


class _Run:
    """An incident under way. Whoever acts at the instant at which something is due comes first."""

    def __init__(self, born: Incident, now: datetime, roster_at: RosterAt) -> None:
        self.incident = born
        self.now = now
        self.caused: list[Effect] = []
        self._roster_at = roster_at
        self._carry_out()

    def play(self, steps: list[tuple[datetime, Step]], limit: datetime, *, endlessly: bool) -> bool:
        """Until nothing is ahead before the limit; True when it stopped because the rest only comes again."""
        seen: set[CheckpointKind] = set()
        while True:
            waiting = [c for c in self.incident.checkpoints if not resting(c, self.incident)]
            alarm = min(waiting, key=lambda c: c.due, default=None)
            if steps and (alarm is None or steps[0][0] <= alarm.due):
                self._act(*steps.pop(0))
            elif alarm is None or alarm.due > limit:
                return False
            elif not endlessly and not steps and _only_again(waiting) and alarm.kind in seen:
                return True
            else:
                seen |= {alarm.kind} if not steps and _only_again(waiting) else set()
                self._decide(CheckpointDue(checkpoint=alarm.id), max(alarm.due, self.now))

    def _act(self, at: datetime, step: Step) -> None:
        by = _acting(self.incident, self._roster_at(at))
        try:
            self._decide(_MOVES[step](by), at)
        except Refused as refused:
            after = format_duration(at - self.incident.declared_at)
            raise Refused((f"{step} after {after} would be refused: ", *refused.words)) from None

    def _decide(self, event: MoveEvent | CheckpointDue | OutcomeEvent, at: datetime) -> None:
        self.now = at
        self.incident = decide(self.incident, event, at, self._roster_at(at))
        self._carry_out()

    def _carry_out(self) -> None:
        """Everything goes out at once. Only a room tells the incident something that decides what happens later."""
        made = self.incident.effects
        self.caused += made
        for effect in made:
            if isinstance(effect, OpenRoom):
                room = Room(channel=effect.name, name=effect.name, private=effect.private)
                opened = RoomOpened(effect=effect.id, room=room)
                self.incident = decide(self.incident, opened, self.now, self._roster_at(self.now))
        self.incident = self.incident.model_copy(update={"effects": ()})


def _only_again(waiting: list[Checkpoint]) -> bool:
    return all(c.kind in ENDLESS for c in waiting)


def _acting(incident: Incident, roster: Roster) -> PersonId:
    """Who does something now: whoever leads it by then, else the first who was paged and did not answer."""
    paged = (p.person for p in incident.pages if p.state is PageState.OPEN)
    leads = commander(incident, roster)
    if incident.acknowledgement and leads:
        return leads[0]
    return next(paged, leads[0] if leads else incident.reporter)
