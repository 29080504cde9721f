"""The state machine: every cell of the table, every reachable state, and whatever hypothesis comes up with."""

from collections import deque
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from story import START, Story, duty, kars

from escalation.checkpoints import alarms
from escalation.effects import PostCard, Refresh, Say
from escalation.events import (
    Acknowledge,
    Cancel,
    ChangeSeverity,
    CheckpointDue,
    Escalate,
    FixApplied,
    FixFailed,
    MarkSecurity,
    Move,
    MoveEvent,
    PagePeople,
    PostUpdate,
    Reopen,
    Resolve,
    RootCause,
    StartFix,
)
from escalation.incident import CheckpointKind, Incident, PageState, Status
from escalation.moves import HANDLERS, Refused
from escalation.policy import Severity
from escalation.transitions import TABLE, decide, legal_moves, mermaid, statuses_ahead

P1 = kars().severities[Severity.P1]
A_MOVE: dict[Move, MoveEvent] = {
    Move.ACKNOWLEDGE: Acknowledge(by="UONCALL"),
    Move.ROOT_CAUSE: RootCause(by="U1", cause="The pool"),
    Move.START_FIX: StartFix(by="U1"),
    Move.FIX_APPLIED: FixApplied(by="U1"),
    Move.FIX_FAILED: FixFailed(by="U1"),
    Move.UPDATE: PostUpdate(by="U1", progress="Working"),
    Move.SEVERITY: ChangeSeverity(by="U1", policy=P1, why="smaller than it looked"),
    Move.ESCALATE: Escalate(by="U1"),
    Move.PAGE: PagePeople(by="U1", people=("U2",)),
    Move.SECURITY: MarkSecurity(by="U1"),
    Move.RESOLVE: Resolve(by="U1", summary="s", resolution="r"),
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


def in_status(status: Status) -> Story:
    story = Story()
    for move in PATH_TO[status]:
        story.do(A_MOVE[move])
    return story


def test_the_table_is_total() -> None:
    """Every status has a cell for every move, every move a handler and an example here."""
    assert set(TABLE) == set(Status)
    assert all(set(row) == set(Move) for row in TABLE.values())
    assert set(HANDLERS) == set(Move) == set(A_MOVE)


@pytest.mark.parametrize(("status", "move"), CELLS)
def test_every_cell(status: Status, move: Move) -> None:
    """A legal move leads where the table says; an illegal one is refused in the table's words and changes nothing."""
    story, cell = in_status(status), TABLE[status][move]
    assert story.incident.status is status
    if isinstance(cell, Status):
        story.incident = story.incident.model_copy(update={"acknowledgement": None})
        assert story.do(A_MOVE[move]).incident.status is cell
        assert move in legal_moves(in_status(status).incident)
    else:
        with pytest.raises(Refused) as refused:
            story.do(A_MOVE[move])
        assert str(refused.value) == cell.format(status=status)


def test_the_diagram_in_the_docs_is_the_table() -> None:
    """docs/states.md holds what mermaid() draws."""
    assert mermaid() in (Path(__file__).parent.parent / "docs" / "states.md").read_text()


@pytest.mark.parametrize("status", [s for s in Status if not s.closed])
def test_an_update_may_state_what_one_move_reaches(status: Status) -> None:
    """Each status that an update modal offers can really be stated there."""
    for target in statuses_ahead(status):
        story = in_status(status).do(PostUpdate(by="U1", progress="Here", status=target))
        assert story.incident.status is target


def shape(incident: Incident) -> tuple[object, ...]:
    """What tells one state from another, times left away."""
    waiting = {(c.kind, c.about) for c in incident.checkpoints if c.kind is CheckpointKind.POLICY}
    facts = (incident.acknowledgement is None, incident.root_cause is None, incident.tiers_paged)
    return (incident.status, *facts, tuple(sorted(waiting)))


def test_every_reachable_state_takes_every_alarm() -> None:
    """Walk all states that moves and alarms reach: each planned checkpoint that waits there fires without an error."""
    events = [A_MOVE[m] for m in Move if m not in (Move.PAGE, Move.SEVERITY, Move.SECURITY, Move.UPDATE)]
    todo, known, fired = deque([Story()]), set(), set()
    while todo:
        story = todo.popleft()
        if shape(story.incident) in known:
            continue
        known.add(shape(story.incident))
        for checkpoint, due in alarms(story.incident).items():
            later = copy_of(story)
            later.now = max(due, later.now)
            later.do(CheckpointDue(checkpoint=checkpoint))  # type: ignore[arg-type]  # alarms are events too
            assert checkpoint not in alarms(later.incident), checkpoint
            fired.add(checkpoint.rsplit("-", 1)[0])
            todo.append(later)
        for event in events:
            later = copy_of(story)
            if isinstance(TABLE[later.incident.status][event.kind], Status):
                try_move(later, event)
                todo.append(later)
    assert {c.id for c in kars().severities[Severity.P0].checkpoints} <= fired
    assert {status for status, *_ in known} == set(Status)
    assert len(known) > 80  # facts, tiers and waiting checkpoints tell them apart


def copy_of(story: Story) -> Story:
    other = object.__new__(Story)
    other.__dict__.update(story.__dict__)
    return other


def try_move(story: Story, event: MoveEvent) -> None:
    """Legal by status may still be refused by fact: acknowledged already, every tier paged."""
    with suppress(Refused):
        story.do(event)


PEOPLE = st.sampled_from(["UONCALL", "UDEVOPS", "UMANAGER", "USTRANGER"])
STEPS = st.one_of(
    st.sampled_from(list(A_MOVE.values())),
    st.builds(Acknowledge, by=PEOPLE),
    st.builds(Escalate, by=PEOPLE),
    st.builds(PostUpdate, by=PEOPLE, progress=st.just("x"), status=st.sampled_from([None, *Status])),
    st.floats(min_value=0.1, max_value=200).map(lambda m: timedelta(minutes=m)),
)


@given(st.lists(STEPS, max_size=14))
@settings(max_examples=150, deadline=None)
def test_whatever_happens_the_promises_hold(steps: list[MoveEvent | timedelta]) -> None:
    """No early page, nothing overdue left behind, one open page a person, nothing public about a private incident."""
    story = Story(roster=duty())
    for step in steps:
        before = story.incident
        if isinstance(step, timedelta):
            story.until(story.minute + step / timedelta(minutes=1))
        else:
            try_move(story, step)
        check_promises(before, story)


def check_promises(before: Incident, story: Story) -> None:
    incident = story.incident
    assert Incident.model_validate_json(incident.model_dump_json()) == incident
    assert all(due > story.now for due in alarms(incident).values()) or incident is before
    open_pages = [p.person for p in incident.pages if p.state is PageState.OPEN]
    assert len(open_pages) == len(set(open_pages))
    assert [e.n for e in incident.timeline] == list(range(1, len(incident.timeline) + 1))
    assert [e.at for e in incident.timeline] == sorted(e.at for e in incident.timeline)
    assert incident.open or not alarms(incident)
    if incident.private:
        public = [e for e in incident.effects if isinstance(e, PostCard) and e.place == "channel"]
        assert not public
        redacted = {c.id for c in incident.copies if c.redacted}
        assert all(e.copy_id in redacted or not e.copy_id for e in incident.effects if isinstance(e, Refresh))
        said = [e for e in incident.effects if isinstance(e, Say)]
        assert all(e.place == "thread" for e in said)


def test_decide_returns_the_same_value_when_nothing_follows() -> None:
    """An alarm with nothing due hands back the very incident, so that nothing is written."""
    story = Story()
    assert decide(story.incident, CheckpointDue(checkpoint="x"), START, story.roster) is story.incident
