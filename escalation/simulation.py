"""Simulation of an incident: declare() and decide() under a clock that jumps from one due time to the next.

It has no rules of its own but where to stop. Effects count as delivered at once: there are no replies and no failures.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from escalation.config.company import Company, Directory
from escalation.config.notify import Via
from escalation.config.policy import SeverityPolicy
from escalation.config.rules.checkpoints import Said
from escalation.config.rules.communications import Means
from escalation.engine.checkpoints import running
from escalation.engine.state_machine import decide, declare
from escalation.engine.upcoming import Upcoming, upcoming
from escalation.errors import Refused
from escalation.incident.actions import RunState
from escalation.incident.effects import (
    Alert,
    Effect,
    Invite,
    MailOut,
    OpenRoom,
    PageBy,
    Publish,
    Remind,
    Reminded,
    RemindPerson,
    Say,
    SendPage,
    Tell,
)
from escalation.incident.events import declaration, moves, news, outcomes
from escalation.incident.events.declaration import Terms
from escalation.incident.events.moves import MoveEvent
from escalation.incident.events.outcomes import OutcomeEvent
from escalation.incident.model import Incident
from escalation.incident.responders import commander
from escalation.incident.state.checkpoints import Checkpoint, CheckpointKind
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.facts import Facts
from escalation.incident.state.pages import PageState
from escalation.incident.state.rooms import Room
from escalation.oncall.roster import Roster, roster
from escalation.oncall.schedule import OncallState
from escalation.service import terms_for
from escalation.text import Line, Person, people
from escalation.times import after_every, format_duration, spoken_duration
from escalation.values import PersonId

DIRECT = "direct message"
LIST = "list of communications"
_PAGES = (EntryKind.PAGED, EntryKind.REPEATED)
# Consequences of a checkpoint follow it on the timeline, and are prevented by what would have prevented it.
_CONSEQUENCES = (EntryKind.PAGED, EntryKind.NOTIFIED, EntryKind.SKIPPED, EntryKind.NOBODY_LEFT)
_PREVENTED_BY = {
    EntryKind.REPEATED: ("acknowledged",),
    EntryKind.UPDATE_DUE: ("updated",),
    EntryKind.SILENCE: ("updated",),
    EntryKind.OVERDUE: ("published",),
    EntryKind.MONITORED: ("resolved", "fix failed"),
    EntryKind.REVIEW_DUE: ("review done",),
}


@dataclass(frozen=True)
class Row:
    """Row of a simulation, `after` so long. `people` are paged, told or asked; `places` are where it is posted.

    `unless` are the facts that would have prevented it; an incident that is closed prevents everything.
    """

    at: datetime
    after: timedelta
    kind: EntryKind
    what: str
    people: tuple[PersonId, ...] = ()
    places: tuple[str, ...] = ()
    why: str = ""
    unless: tuple[str, ...] = ()
    by: PersonId = ""

    def whom(self) -> Line:
        """Return who did it, when people did; else whom it reaches: people, or the readers of those places."""
        if self.by:
            return ("by ", Person(self.by))
        return people(self.people) if self.people else (", ".join(self.places),)


def rows(incident: Incident, caused: Iterable[Effect]) -> tuple[Row, ...]:
    """Build the rows of an incident's timeline, with all effects that it ever had."""
    places = _places(caused := tuple(caused))
    told = [
        Row(
            at=entry.at,
            after=entry.at - incident.declared_at,
            kind=entry.kind,
            what=_what(incident, entry),
            people=_invited(entry, caused) if entry.kind is EntryKind.ROOM_OPENED else entry.people,
            places=tuple(dict.fromkeys((*_page_channels(entry, caused), *places[entry.n], *_listed(entry)))),
            why=entry.why,
            unless=unless,
            by=entry.by,
        )
        for entry, unless in _with_preventers(incident)
    ]
    return tuple(sorted((*told, *_steps(incident, caused)), key=lambda row: row.at))


def _steps(incident: Incident, caused: Iterable[Effect]) -> Iterator[Row]:
    """Yield how people are reached beside Slack: a row for each instant and channel, below what happens at it."""
    people: dict[tuple[datetime, Via], list[PersonId]] = defaultdict(list)
    for effect in caused:
        if isinstance(effect, PageBy):
            people[effect.at, effect.via].append(incident.page(effect.page).person)
    paged_at = {effect.at for effect in caused if isinstance(effect, SendPage)}
    for (at, via), reached in people.items():
        yield Row(
            at=at,
            after=at - incident.declared_at,
            kind=EntryKind.REPEATED,
            what=f"reach by {via.words}",
            people=tuple(dict.fromkeys(reached)),
            places=(via,),
            why="with the page" if at in paged_at else "not acknowledged",
            unless=("answered",),
        )


def endless_reminders(incident: Incident, kinds: Collection[CheckpointKind]) -> tuple[str, ...]:
    """Describe the reminders that checkpoints of these kinds repeat for as long as nobody acts."""
    policy, reminders = incident.policy, list[str]()
    if CheckpointKind.UPDATE in kinds and policy.updates:
        every, silence = after_every(policy.updates.every.spoken()), spoken_duration(policy.updates.silence)
        reminders.append(f"a progress update is asked for every {every}, and the commander told once, {silence} later")
    if CheckpointKind.MONITORING in kinds:
        reminders.append(f"whether the fix held is asked every {after_every(spoken_duration(policy.monitor_for))}")
    return tuple(reminders)


def _places(caused: Iterable[Effect]) -> defaultdict[int, list[str]]:
    """Return, by timeline entry, the places where it is posted."""
    places = defaultdict[int, list[str]](list)
    for effect in caused:
        if isinstance(effect, Say):
            for entry in effect.entries:
                places[entry].append(effect.place)
        elif isinstance(effect, Remind):
            places[effect.entry].append(effect.place)
        elif isinstance(effect, Tell | RemindPerson):
            places[effect.entry] += [DIRECT] if not _is_list(effect) else []
        elif isinstance(effect, MailOut):
            places[effect.entry].append(Means.MAIL)
        elif isinstance(effect, Publish):
            places[effect.entry].append(Means.STATUS_PAGE)
    return places


def _is_list(effect: Effect) -> bool:
    return isinstance(effect, RemindPerson) and effect.about is Reminded.COMMUNICATIONS


def _listed(entry: Entry) -> tuple[str, ...]:
    """Return where a communication that people see to stands: in a list, which is on the card too."""
    by_hand = entry.kind in (EntryKind.COMMUNICATION, EntryKind.OVERDUE) and entry.fields.get("through")
    return (LIST,) if by_hand else ()


def _page_channels(entry: Entry, caused: Iterable[Effect]) -> tuple[str, ...]:
    """Return the channels by which a page reaches its people."""
    if entry.kind not in _PAGES:
        return ()
    return (DIRECT, *(e.via for e in caused if isinstance(e, PageBy | Alert) and e.at == entry.at))


def _invited(entry: Entry, caused: Iterable[Effect]) -> tuple[PersonId, ...]:
    made = (p for e in caused if isinstance(e, Invite) and e.at == entry.at for p in e.people)
    return tuple(dict.fromkeys(made))


def _with_preventers(incident: Incident) -> Iterator[tuple[Entry, tuple[str, ...]]]:
    fired, at = tuple[str, ...](), incident.declared_at
    for entry in incident.timeline:
        if entry.kind is EntryKind.CHECKPOINT:
            fired = tuple(
                fact.replace("_", " ") for fact in incident.policy.checkpoint(entry.fields["checkpoint"]).unless
            )
        elif entry.kind not in _CONSEQUENCES or entry.at != at:
            fired = ()
        at = entry.at
        yield entry, fired or _prevented_by(incident, entry)


def _prevented_by(incident: Incident, entry: Entry) -> tuple[str, ...]:
    if entry.kind is EntryKind.COMMUNICATION and entry.fields["stage"] == "first":
        return tuple(f.replace("_", " ") for f in incident.policy.communication(entry.fields["plan"]).unless)
    return _PREVENTED_BY.get(entry.kind, ())


# What happens, in a few words -----------------------------------------------------------------------------------------


def _what(incident: Incident, entry: Entry) -> str:
    describe = _WHAT.get(entry.kind)
    return describe(incident, entry) if describe else entry.kind.replace("_", " ")


def _paged(incident: Incident, entry: Entry) -> str:
    fields = entry.fields
    empty = f"; nobody is {fields['empty_roles']}" if fields.get("empty_roles") else ""
    return (f"page tier {fields['tier']} ({fields['name']})" if fields["tier"] != "0" else "page directly") + empty


def _checkpoint(incident: Incident, entry: Entry) -> str:
    statement = entry.fields["say"].rstrip(".")
    return f"remind: {statement}" if statement else "checkpoint"


def _communication(incident: Incident, entry: Entry) -> str:
    fields, owed = entry.fields, incident.owed(int(entry.fields["n"]))
    stage = {"first": "", "restored": " that it is resolved"}.get(fields["stage"], f" ({fields['stage']})")
    through = ", ".join(m.replace("_", " ") for m in owed.through)
    within = f", within {spoken_duration(owed.due - entry.at)}" if owed.due else ""
    approved = ", once approved" if fields["state"] == "waiting" else ""
    return f"tell {fields['audience']}{stage} through {through}{within}{approved}"


def _action(incident: Incident, entry: Entry) -> str:
    dry = " (dry run)" if entry.fields["state"] == RunState.DRY_RUN else ""
    return f"run the action {entry.fields['action']}{dry}, which calls {entry.fields['host']}"


def _phase(incident: Incident, entry: Entry) -> str:
    fields = entry.fields
    if fields.get("over"):
        return f"the time box of {fields['over']} is over"
    return f"war room: {fields['name']}" + (f" ({fields['lasts']})" if fields["lasts"] else "")


_WHAT: dict[EntryKind, Callable[[Incident, Entry], str]] = {
    EntryKind.ROOT_CAUSE: lambda i, e: "root cause found",
    EntryKind.WORKAROUND: lambda i, e: "workaround in place",
    EntryKind.FIX_FAILED: lambda i, e: "the fix failed",
    EntryKind.PAGED: _paged,
    EntryKind.REPEATED: lambda i, e: "page again",
    EntryKind.CHECKPOINT: _checkpoint,
    EntryKind.SKIPPED: lambda i, e: f"nobody to page in tier {e.fields['tier']} ({e.fields['name']})",
    EntryKind.NOBODY_LEFT: lambda i, e: "nobody is left to page",
    EntryKind.NOTIFIED: lambda i, e: f"notify {e.fields['roles']}",
    EntryKind.UPDATE_DUE: lambda i, e: "remind: a progress update is due",
    EntryKind.SILENCE: lambda i, e: "remind the commander: still no progress update",
    EntryKind.MONITORED: lambda i, e: "ask whether it is stable",
    EntryKind.OVERDUE: lambda i, e: f"remind: {e.fields['through']} for {e.fields['audience']} is overdue",
    EntryKind.TICKET: lambda i, e: f"ticket for {e.fields['team'] or 'a team'} ({e.fields['ticket']})",
    EntryKind.ROOM_OPENED: lambda i, e: "open the private war room" if i.private else "open the war room",
    EntryKind.COMMUNICATION: _communication,
    EntryKind.ACTION: _action,
    EntryKind.PHASE: _phase,
    EntryKind.REVIEW_PLANNED: lambda i, e: "propose a meeting for the review",
    EntryKind.REVIEW_DUE: lambda i, e: "remind: the post-incident review",
}
RosterAt = Callable[[datetime], Roster]
LONGEST = timedelta(days=14)
REPORTER = "reporter"  # who declares it where nobody is named
TEXT = "simulated"
# These come again for as long as nobody does anything; all others end by themselves.
ENDLESS = (CheckpointKind.UPDATE, CheckpointKind.SILENCE, CheckpointKind.MONITORING)


class Step(StrEnum):
    """A step of people in a simulation; in this order at one instant."""

    ACK = "ack"
    ROOT_CAUSE = "root-cause"
    WORKAROUND = "workaround"
    FIX = "fix"
    FIX_FAILS = "fix-fails"
    RESOLVE = "resolve"


Script = Mapping[Step, timedelta]  # how long after the declaration
_MOVES: dict[Step, Callable[[PersonId], MoveEvent]] = {
    Step.ACK: lambda by: moves.Acknowledge(by=by),
    Step.ROOT_CAUSE: lambda by: moves.RootCause(by=by, cause=TEXT),
    Step.WORKAROUND: lambda by: moves.Workaround(by=by, text=TEXT),
    Step.FIX: lambda by: moves.FixApplied(by=by),
    Step.FIX_FAILS: lambda by: moves.FixFailed(by=by),
    Step.RESOLVE: lambda by: moves.Resolve(by=by, summary=TEXT, resolution=TEXT),
}


@dataclass(frozen=True)
class Simulation:
    """Result of a simulation from the declaration until `ends` (inclusive), and what is upcoming then.

    `cycle`: only reminders are upcoming, which repeat for ever.
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

    None: until nothing is upcoming, or only what repeats for ever (then once), or for LONGEST.
    The roster is resolved at each instant. Raises Refused when a step is not possible at its time, or is too late.
    """
    limit = _limit(script, until)
    event = declaration.Declare(by=by, facts=facts, terms=terms)
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
    """A running simulation. A step at the instant of a due checkpoint comes first."""

    def __init__(self, incident: Incident, now: datetime, roster_at: RosterAt) -> None:
        self.incident = incident
        self.now = now
        self.caused: list[Effect] = []
        self._roster_at = roster_at
        self._carry_out()

    def play(self, steps: list[tuple[datetime, Step]], limit: datetime, *, endlessly: bool) -> bool:
        """Run until nothing is due before the limit; True when it stopped because the rest only repeats."""
        seen: set[CheckpointKind] = set()
        while True:
            waiting = tuple(c for c in running(self.incident) if c.kind is not CheckpointKind.REDRAW)
            alarm = min(waiting, key=lambda c: c.due, default=None)
            if steps and (alarm is None or steps[0][0] <= alarm.due):
                self._act(*steps.pop(0))
            elif alarm is None or alarm.due > limit:
                return False
            elif not endlessly and not steps and _only_endless(waiting) and alarm.kind in seen:
                return True
            else:
                seen |= {alarm.kind} if not steps and _only_endless(waiting) else set()
                self._decide(news.CheckpointDue(checkpoint=alarm.id), max(alarm.due, self.now))

    def _act(self, at: datetime, step: Step) -> None:
        by = _actor(self.incident, self._roster_at(at))
        try:
            self._decide(_MOVES[step](by), at)
        except Refused as refused:
            after = format_duration(at - self.incident.declared_at)
            raise Refused((f"{step} after {after} would be refused: ", *refused.words)) from None

    def _decide(self, event: MoveEvent | news.CheckpointDue | OutcomeEvent, at: datetime) -> None:
        self.now = at
        self.incident = decide(self.incident, event, at, self._roster_at(at))
        self._carry_out()

    def _carry_out(self) -> None:
        """Deliver all effects at once. Only an opened room is reported back: later decisions depend on it."""
        made = self.incident.effects
        self.caused += made
        for effect in made:
            if isinstance(effect, OpenRoom):
                room = Room(channel=effect.name, name=effect.name, private=effect.private)
                opened = outcomes.RoomOpened(effect=effect.id, room=room)
                self.incident = decide(self.incident, opened, self.now, self._roster_at(self.now))
        self.incident = self.incident.model_copy(update={"effects": ()})


def _only_endless(waiting: Iterable[Checkpoint]) -> bool:
    return all(c.kind in ENDLESS for c in waiting)


def _actor(incident: Incident, roster: Roster) -> PersonId:
    """Return who acts now: who acknowledged, else the first who was paged and did not answer."""
    if incident.acknowledgement:
        return incident.acknowledgement.by
    paged = (p.person for p in incident.pages if p.state is PageState.OPEN)
    leads = commander(incident, roster)
    return next(paged, leads[0] if leads else incident.reporter)


def simulated_facts(service: str, said: Collection[str]) -> Facts:
    """Return the facts of a simulated incident; `said` are values of policy.Said."""
    return Facts(title="Simulated incident", service=service, **{what: True for what in Said if what in said})


def simulate_for(
    company: Company,
    policy: SeverityPolicy,
    facts: Facts,
    start: datetime,
    directory: Directory,
    state: OncallState,
    script: Script,
    until: timedelta | None,
    set_up: Collection[Via] = (),
) -> Simulation:
    """Simulate an incident of a company, with whoever will be on call at each instant. Raises Refused as simulate().

    `set_up` are the channels beside Slack that there are.
    """
    terms = terms_for(company, policy, facts, start, set_up)

    def roster_at(at: datetime) -> Roster:
        return roster(company, directory, at, state, set_up)

    return simulate(terms, facts, REPORTER, start, roster_at, script, until)
