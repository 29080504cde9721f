"""The state machine: every cell of the table, every reachable state, and whatever hypothesis comes up with."""

from collections import deque
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation.config.business_time import Calendar
from escalation.config.policy import Severity
from escalation.engine.checkpoints import alarms
from escalation.engine.moves import HANDLERS
from escalation.engine.state_machine import TABLE, decide, legal_moves, mermaid, reachable_statuses
from escalation.errors import Refused
from escalation.incident.communications import pending
from escalation.incident.effects import LinkOther, MailOut, Place, PostCard, Refresh, Say, SendPage
from escalation.incident.events.moves import (
    Acknowledge,
    Answer,
    AnswerCommunication,
    Cancel,
    ChangeSeverity,
    Decline,
    Edit,
    Escalate,
    FixApplied,
    FixFailed,
    MarkSecurity,
    Move,
    MoveEvent,
    PagePeople,
    PlanReview,
    PostUpdate,
    PublishUpdate,
    Reopen,
    Resolve,
    Reviewed,
    RootCause,
    Run,
    Schedule,
    Snooze,
    StartFix,
    StateTimes,
    TakeLead,
    Verify,
    Workaround,
)
from escalation.incident.events.news import CheckpointDue, Linked
from escalation.incident.model import Incident
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.facts import Status
from escalation.incident.state.leads import Lead
from escalation.incident.state.pages import PageState
from tests.support.incidents import BY_HAND
from tests.support.profiles import examples, few_of
from tests.support.story import START, Story, kars, shipped

P1 = kars().severities[Severity.P1]
A_MOVE: dict[Move, MoveEvent] = {
    Move.ACKNOWLEDGE: Acknowledge(by="UONCALL"),
    Move.DECLINE: Decline(by="UONCALL", why="On a plane"),
    Move.ROOT_CAUSE: RootCause(by="U1", cause="The pool"),
    Move.WORKAROUND: Workaround(by="U1", text="Rolled back"),
    Move.START_FIX: StartFix(by="U1"),
    Move.FIX_APPLIED: FixApplied(by="U1"),
    Move.FIX_FAILED: FixFailed(by="U1"),
    Move.UPDATE: PostUpdate(by="U1", progress="Working"),
    Move.SCHEDULE: Schedule(by="U1", when="sprint 12"),
    Move.VERIFY: Verify(by="U1", text="Looked at the logs"),
    Move.SEVERITY: ChangeSeverity(by="U1", policy=P1, why="smaller than it looked"),
    Move.ESCALATE: Escalate(by="U1"),
    Move.PAGE: PagePeople(by="U1", people=("U2",)),
    Move.RUN: Run(by="U1", action="failover"),
    Move.EDIT: Edit(by="U1", title="Payments are down", outage=True),
    Move.LEAD: TakeLead(by="U1", lead=Lead.COMMANDER),
    Move.COMMUNICATE: AnswerCommunication(by="U1", n=1, answer=Answer.PUBLISHED),
    Move.PUBLISH: PublishUpdate(by="U1", wording="Payments are slow."),
    Move.SNOOZE: Snooze(by="U1", length=timedelta(minutes=15)),
    Move.SECURITY: MarkSecurity(by="U1"),
    Move.TIMES: StateTimes(by="U1", began=START - timedelta(minutes=20), detected=START - timedelta(minutes=3)),
    Move.RESOLVE: Resolve(by="U1", summary="s", resolution="r"),
    Move.PLAN_REVIEW: PlanReview(by="U1", owner="U2"),
    Move.REVIEWED: Reviewed(by="U1", text="Larger pools"),
    Move.REOPEN: Reopen(by="U1"),
    Move.CANCEL: Cancel(by="U1"),
}
PATH_TO = {
    Status.INVESTIGATING: [],
    Status.IDENTIFIED: [Move.ROOT_CAUSE],
    Status.FIXING: [Move.START_FIX],
    Status.MONITORING: [Move.FIX_APPLIED],
    Status.RESOLVED: [Move.RESOLVE],
    Status.CANCELLED: [Move.CANCEL],
}
CELLS = [(status, move) for status in Status for move in Move]


# The table allows these by status; they are refused by fact: nothing is owed about an end that nobody was told of,
# no reminder stands in the first minute, there is no status page, and no reason is given to correct another one.
REFUSED_BY_FACT = {
    (Status.CANCELLED, Move.CANCEL),
    *((status, Move.COMMUNICATE) for status in Status if status.closed),
    *((status, move) for status in Status for move in (Move.SNOOZE, Move.PUBLISH)),
}


def in_status(status: Status, severity: str = "P0") -> Story:
    story = Story(severity, actions=(BY_HAND,))
    for move in PATH_TO[status]:
        story.do(A_MOVE[move])
    return story


def severity_for(move: Move) -> str:
    """Only a ticket can be scheduled."""
    return "P2" if move is Move.SCHEDULE else "P0"


def ready(event: MoveEvent, story: Story) -> MoveEvent:
    """An answer is about what is owed now."""
    if isinstance(event, AnswerCommunication) and (owed := pending(story.incident)):
        return event.model_copy(update={"n": owed[-1].n})
    return event


def test_the_table_is_total() -> None:
    """Every status has a cell for every move, every move a handler and an example here."""
    assert set(TABLE) == set(Status)
    assert all(set(row) == set(Move) for row in TABLE.values())
    assert set(HANDLERS) == set(Move) == set(A_MOVE)


@pytest.mark.parametrize(("status", "move"), [cell for cell in CELLS if cell not in REFUSED_BY_FACT])
def test_every_cell(status: Status, move: Move) -> None:
    """A legal move leads where the table says; an illegal one is refused in the table's words and changes nothing."""
    story, cell = in_status(status, severity_for(move)), TABLE[status][move]
    event = ready(A_MOVE[move], story)
    assert story.incident.status is status
    if isinstance(cell, Status):
        story.incident = story.incident.model_copy(update={"acknowledgement": None})
        assert story.do(event).incident.status is cell
        assert move in legal_moves(in_status(status).incident)
    else:
        with pytest.raises(Refused) as refused:
            story.do(event)
        assert str(refused.value) == cell.format(status=status)


def test_what_the_table_allows_may_be_refused_by_fact() -> None:
    """Nothing is owed about a false alarm; a P0 cannot be scheduled; an edit that changes nothing, a second review."""
    with pytest.raises(Refused, match="newer word"):
        in_status(Status.CANCELLED).do(A_MOVE[Move.COMMUNICATE])
    with pytest.raises(Refused, match="nothing to snooze"):
        Story().do(A_MOVE[Move.SNOOZE])
    with pytest.raises(Refused, match="handled now"):
        Story().do(A_MOVE[Move.SCHEDULE])
    with pytest.raises(Refused, match="Already set"):
        Story().do(A_MOVE[Move.EDIT]).do(A_MOVE[Move.EDIT])
    with pytest.raises(Refused, match="already marked as done"):
        in_status(Status.RESOLVED).do(A_MOVE[Move.REVIEWED]).do(A_MOVE[Move.REVIEWED])


def test_the_diagram_in_the_docs_is_the_table() -> None:
    """docs/states.md holds what mermaid() draws."""
    assert mermaid() in (Path(__file__).parents[2] / "docs" / "states.md").read_text()


@pytest.mark.parametrize("status", [s for s in Status if not s.closed])
def test_an_update_may_state_what_one_move_reaches(status: Status) -> None:
    """Each status that an update modal offers can really be stated there."""
    for target in reachable_statuses(status):
        story = in_status(status).do(PostUpdate(by="U1", progress="Here", status=target))
        assert story.incident.status is target


def shape(incident: Incident) -> tuple[object, ...]:
    """What tells one state from another, times left away."""
    waiting = {(c.kind, c.about) for c in incident.checkpoints if c.kind in PLANNED}
    known = (incident.acknowledgement, incident.root_cause, incident.workaround, incident.schedule)
    facts = (*(fact is None for fact in known), incident.tiers_paged)
    return (incident.status, *facts, tuple(sorted(waiting)))


PLANNED = (CheckpointKind.POLICY, CheckpointKind.COMMUNICATION)
WALKED = {
    "facts": [Move.ACKNOWLEDGE, Move.ROOT_CAUSE, Move.WORKAROUND, Move.SCHEDULE],
    "work": [Move.START_FIX, Move.FIX_APPLIED, Move.FIX_FAILED, Move.RESOLVE, Move.CANCEL, Move.REOPEN],
    "escalation": [Move.ESCALATE],
}
EVENTS = [A_MOVE[move] for moves in WALKED.values() for move in moves]
SEVERITIES = [(policy, severity) for policy in ("kars", "beauty") for severity in Severity]


@pytest.mark.parametrize(("policy", "severity"), few_of(SEVERITIES))
def test_every_reachable_state_takes_every_alarm(policy: str, severity: Severity) -> None:
    """Walk all states that moves and alarms reach: each planned checkpoint that waits there fires without an error."""
    todo = deque([Story(severity, policy=policy, outage=True, major_impact=True)])
    known, fired = set(), todo[0].fired_set()
    while todo:
        story = todo.popleft()
        if shape(story.incident) in known:
            continue
        known.add(shape(story.incident))
        for checkpoint, due in alarms(story.incident).items():
            later = copy_of(story)
            later.now = max(due, later.now)
            later.do(CheckpointDue(checkpoint=checkpoint))
            assert checkpoint not in alarms(later.incident), checkpoint
            fired |= later.fired_set()
            todo.append(later)
        for event in EVENTS:
            later = copy_of(story)
            try_move(later, event)
            todo.append(later)
    assert {c.id for c in shipped(policy).severities[severity].checkpoints} <= fired
    assert {status for status, *_ in known} == set(Status)


def copy_of(story: Story) -> Story:
    other = object.__new__(Story)
    other.__dict__.update(story.__dict__)
    return other


def try_move(story: Story, event: MoveEvent | Linked) -> None:
    """Legal by status may still be refused by fact: acknowledged already, every tier paged."""
    with suppress(Refused):
        story.do(event)


PEOPLE = st.sampled_from(["UONCALL", "UDEVOPS", "UMANAGER", "USTRANGER"])
STEPS = st.one_of(
    st.sampled_from(list(A_MOVE.values())),
    st.builds(Acknowledge, by=PEOPLE),
    st.builds(Escalate, by=PEOPLE),
    st.builds(PostUpdate, by=PEOPLE, progress=st.just("x"), status=st.sampled_from([None, *Status])),
    st.builds(TakeLead, by=PEOPLE, lead=st.sampled_from(Lead), to=st.sampled_from(["", "UDEVOPS", "UCTO"])),
    st.builds(AnswerCommunication, by=PEOPLE, n=st.integers(1, 6), answer=st.sampled_from(Answer)),
    st.builds(Edit, by=PEOPLE, outage=st.booleans(), major_impact=st.booleans(), service=st.just("checkout")),
    st.builds(Linked, other=st.sampled_from(["INC-1", "INC-2"]), coordinated_in=st.just("INC-1")),
    st.sampled_from(Severity),
    st.floats(min_value=0.1, max_value=2000).map(lambda m: timedelta(minutes=m)),
)
Step = MoveEvent | Linked | Severity | timedelta
CALENDARS = st.sampled_from(
    [Calendar(), Calendar(timezone="America/New_York", hours="08:30-16:00"), Calendar(closed={date(2024, 12, 25): "x"})]
)


@given(
    st.lists(STEPS, max_size=14),
    st.sampled_from(SEVERITIES),
    CALENDARS,
    st.sampled_from([{}, {"security": True}, {"drill": True}, {"outage": True, "major_impact": True}]),
)
@settings(max_examples=examples(150), deadline=None)
def test_whatever_happens_the_promises_hold(
    steps: list[Step], born: tuple[str, Severity], calendar: Calendar, more: dict[str, Any]
) -> None:
    """No early or doubled page, nothing overdue left behind, closed means silent, private means private."""
    policy, severity = born
    story = Story(severity, policy=policy, calendar=calendar, **more)
    for step in steps:
        before = story.incident
        take(story, step)
        check_promises(before, story)
    take_every_alarm(story)


def take(story: Story, step: Step) -> None:
    if isinstance(step, timedelta):
        story.until(story.minute + step / timedelta(minutes=1))
    elif isinstance(step, Severity):
        try_move(story, ChangeSeverity(by="UONCALL", policy=story.policy.severities[step], why="it changed"))
    else:
        try_move(story, step)


def take_every_alarm(story: Story) -> None:
    """Each checkpoint that is armed is legal: its time may come before anything else does."""
    for checkpoint, due in alarms(story.incident).items():
        later = copy_of(story)
        later.now = max(due, later.now)
        later.do(CheckpointDue(checkpoint=checkpoint))
        assert checkpoint not in alarms(later.incident)


def check_promises(before: Incident, story: Story) -> None:
    incident = story.incident
    assert Incident.model_validate_json(incident.model_dump_json()) == incident
    assert all(due > story.now for due in alarms(incident).values()) or incident is before
    assert all(datetime.fromisoformat(e.fields["due"]) <= e.at for e in kind_of(incident, EntryKind.CHECKPOINT))
    pages_are_sent_once(before, story)
    assert [e.n for e in incident.timeline] == list(range(1, len(incident.timeline) + 1))
    assert [e.at for e in incident.timeline] == sorted(e.at for e in incident.timeline)
    if incident.private:
        private_is_private(before, story)


def kind_of(incident: Incident, kind: EntryKind) -> list[Entry]:
    return [e for e in incident.timeline if e.kind is kind]


def pages_are_sent_once(before: Incident, story: Story) -> None:
    """One send for each page and repeat, one open page a person, and none after the end."""
    incident = story.incident
    sends = [(e.page, e.nth) for e in story.caused.values() if isinstance(e, SendPage)]
    assert len(sends) == len(set(sends))
    open_pages = [p.person for p in incident.pages if p.state is PageState.OPEN]
    assert len(open_pages) == len(set(open_pages))
    if not before.open and not incident.open:
        assert incident.pages == before.pages
    assert incident.open or {c.kind for c in incident.checkpoints} <= {CheckpointKind.OWED, CheckpointKind.REVIEW}


def private_is_private(before: Incident, story: Story) -> None:
    incident = story.incident
    public = [e for e in incident.effects if isinstance(e, PostCard) and e.place == "channel" and not e.withdrawn]
    assert not public
    redacted = {c.id for c in incident.copies if c.redacted} | {p.id for p in incident.posts if p.redacted}
    assert all(e.copy_id in redacted or not e.copy_id for e in incident.effects if isinstance(e, Refresh))
    assert all(e.place is Place.THREAD for e in incident.effects if isinstance(e, Say) and not e.withdrawn)
    assert not [e for e in incident.effects if isinstance(e, MailOut | LinkOther)]
    assert not pending(incident)
    if before.private:
        assert incident.communications == before.communications


def test_decide_returns_the_same_value_when_nothing_follows() -> None:
    """An alarm with nothing due hands back the very incident, so that nothing is written."""
    story = Story()
    assert decide(story.incident, CheckpointDue(checkpoint="x"), START, story.roster) is story.incident
