"""When actions begin: by themselves, by a person, once."""

from datetime import timedelta
from typing import Any

import pytest

from bot.render.mrkdwn import plain
from bot.render.upcoming import next_escalations, next_step
from escalation.config.actions import Action, ActionMatch
from escalation.config.policy import Severity
from escalation.engine.upcoming import upcoming
from escalation.errors import Refused
from escalation.incident.effects import RunAction, SendPage
from escalation.incident.events.moves import Resolve, Run
from escalation.incident.events.outcomes import Delivered
from escalation.incident.state.entries import EntryKind
from tests.support.incidents import BY_HAND, RESTART
from tests.support.story import Story, roster_with

FAILOVER = Run(by="UDANA", action="failover")


def states(story: Story) -> list[str]:
    return [e.fields["state"] for _, e in story.entries(EntryKind.ACTION)]


def begun(story: Story) -> list[RunAction]:
    return [e for e in story.caused.values() if isinstance(e, RunAction)]


def answer(story: Story) -> None:
    """The system accepts what runs."""
    for effect in begun(story):
        if story.incident.effect(effect.id):
            story.do(Delivered(effect=effect.id, status=202))


def for_all(**changes: Any) -> Action:
    return RESTART.model_copy(update=changes)


def test_an_action_begins_behind_the_pages() -> None:
    """At the declaration, it is the last that is decided, and has an id that no page has."""
    story = Story(actions=(RESTART,))
    kinds = [type(e) for e in story.incident.effects]
    assert kinds.index(RunAction) > max(n for n, kind in enumerate(kinds) if kind is SendPage)
    assert states(story) == ["started"]


@pytest.mark.parametrize(
    ("match", "runs"),
    [
        ({}, True),
        ({"severity": (Severity.P0, Severity.P1)}, True),
        ({"severity": (Severity.P1,)}, False),
        ({"service": ("checkout",)}, True),
        ({"service": ("search",)}, False),
        ({"severity": (Severity.P0,), "service": ("search",)}, False),
    ],
)
def test_an_action_is_for_the_incidents_that_it_matches(match: dict[str, Any], runs: bool) -> None:
    """All conditions must hold; without any it is for every incident."""
    story = Story(actions=(for_all(match=ActionMatch(**match)),), service="checkout")
    assert states(story) == (["started"] if runs else [])


def test_an_action_runs_at_its_checkpoint_only() -> None:
    """An action of a checkpoint waits for it, and does not run once the checkpoint is moot."""
    checkpoint = Story().policy.severities[Severity.P0].checkpoints[0].id
    waiting, done = (Story(actions=(for_all(when=(checkpoint,)),)) for _ in range(2))
    assert states(waiting) == []
    assert states(waiting.until(60)) == ["started"]
    assert begun(waiting)[0].when == checkpoint
    done.do(Resolve(by="UDANA", summary="s", resolution="r"))
    assert states(done.until(60)) == []


@pytest.mark.parametrize(("drill", "dry_run"), [(True, False), (False, True)])
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_dry_run_and_a_drill_call_nothing(drill: bool, dry_run: bool, by_hand: bool) -> None:
    """The timeline says what would be called, and nothing is."""
    story = Story(actions=(for_all(dry_run=dry_run), BY_HAND.model_copy(update={"dry_run": dry_run})), drill=drill)
    if by_hand:
        story.do(FAILOVER)
    assert set(states(story)) == {"dry_run"}
    assert begun(story) == []


def test_the_button_runs_an_action_in_the_name_of_who_pressed_it() -> None:
    """It does not begin by itself; whoever began it is on the record."""
    story = Story(actions=(BY_HAND,))
    assert states(story.until(120)) == []
    story.do(FAILOVER)
    (entry,) = (e for _, e in story.entries(EntryKind.ACTION))
    assert (entry.by, entry.fields["state"], begun(story)[0].by) == ("UDANA", "started", "UDANA")


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("seen", [0, None])
def test_two_presses_at_once_run_once(answered: bool, seen: int | None) -> None:
    """The second is told of the first, by button or by command, also when the system answered in between."""
    story = Story(actions=(BY_HAND,)).do(FAILOVER.model_copy(update={"seen": seen}))
    if answered:
        answer(story)
    with pytest.raises(Refused, match="started failover"):
        story.do(Run(by="UOMAR", action="failover", seen=seen))
    assert len(begun(story)) == 1


def test_a_repeated_press_of_one_key_changes_nothing() -> None:
    """Slack delivers a press twice."""
    story = Story(actions=(BY_HAND,)).do(FAILOVER.model_copy(update={"key": "k"}))
    before = story.incident
    assert story.do(FAILOVER.model_copy(update={"key": "k"})).incident is before


@pytest.mark.parametrize("seen", [1, None])
def test_an_action_can_be_run_again(seen: int | None) -> None:
    """From a card that shows its last run; by command after a minute."""
    story = Story(actions=(BY_HAND,)).do(FAILOVER)
    answer(story)
    story.now += timedelta(minutes=1)
    story.do(Run(by="UOMAR", action="failover", seen=seen))
    assert states(story) == ["started", "done", "started"]
    first, second = begun(story)
    assert first.id != second.id


def test_what_is_ahead_is_said_with_its_actions() -> None:
    """The card and the answer to a move name what will begin, beside whom is paged."""
    checkpoint = next(c for c in Story().policy.severities[Severity.P0].checkpoints if c.page)
    incident = Story(actions=(for_all(when=(checkpoint.id,)),)).incident
    ahead = upcoming(incident, lambda at: roster_with())
    assert any("; run restart" in said for said in next_escalations(incident, ahead, {}))
    first = next(u for u in ahead if u.runs)
    (said,) = next_step(incident, (first,))
    assert "; run restart." in plain(said)


def test_what_cannot_be_run_is_refused_with_what_can() -> None:
    """A name that is wrong, an action that runs by itself only, an incident without any."""
    story = Story(actions=(RESTART, BY_HAND))
    with pytest.raises(Refused, match="did you mean 'failover'"):
        story.do(Run(by="UDANA", action="failovr"))
    with pytest.raises(Refused, match="no action called 'restart'"):
        story.do(Run(by="UDANA", action="restart"))
    with pytest.raises(Refused, match="when: button"):
        Story(actions=(RESTART,)).do(FAILOVER)
