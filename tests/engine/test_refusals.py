"""Whose fault a refused page is: one person's, or ours because everybody is refused alike."""

from datetime import timedelta

import pytest

from escalation.incident.effects import SendPage
from escalation.incident.events.outcomes import Delivered, PersonRefused
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.pages import PageState
from tests.support.story import Story

GONE, BOT = "the account is deactivated", "it is a bot"


def pages(story: Story) -> dict[str, str]:
    """Person -> pending page."""
    incident = story.incident
    return {incident.page(e.page).person: e.id for e in incident.effects if isinstance(e, SendPage)}


def refuse(story: Story, *whys: str) -> Story:
    """Refuse the pending pages, each for a reason; an empty one means that it arrives."""
    for effect, why in zip(list(pages(story).values()), whys, strict=False):
        arrived = Delivered(effect=effect, channel=f"D{effect}", ts="1.1", face=1)
        story.do(PersonRefused(effect=effect, why=why) if why else arrived)
    return story


@pytest.mark.parametrize(
    ("whys", "tiers"),
    [
        ((GONE, "", ""), (1, 2)),
        (("", GONE, GONE), (1, 2)),
        ((GONE, GONE, ""), (1, 2)),
        ((GONE, GONE, BOT), (1, 2)),
        ((GONE, GONE, GONE), (1,)),
        ((BOT, BOT, BOT), (1,)),
        ((GONE,), (1,)),
    ],
)
def test_one_reason_for_everybody_is_ours(whys: tuple[str, ...], tiers: tuple[int, ...]) -> None:
    """A refused page escalates at once if another arrived or failed otherwise, and never while all fail alike."""
    story = Story()
    assert len(pages(story)) == 3
    refuse(story, *whys)
    assert story.incident.tiers_paged == tiers
    assert bool(story.incident.troubles) is (len(whys) == 3 and len(set(whys)) == 1)


def test_what_is_ours_is_kept_and_said_once() -> None:
    """The pages stay open and pending, and one entry says why."""
    story = refuse(Story(), GONE, GONE, GONE)
    assert {page.state for page in story.incident.pages} == {PageState.OPEN}
    assert len(pages(story)) == 3
    [entry] = [e for e in story.incident.timeline if e.kind is EntryKind.TROUBLE]
    assert GONE in entry.why


def test_once_one_page_arrives_the_others_are_about_their_persons() -> None:
    """Slack takes pages again: whoever is still refused then is escalated past, and not before."""
    story = refuse(Story(), GONE, GONE, GONE)
    refuse(story, "")
    assert list(story.incident.tiers_paged) == [1]
    refuse(story, GONE, GONE)
    assert list(story.incident.tiers_paged) == [1, 2]
    assert [page.state for page in story.incident.pages][1:3] == [PageState.REFUSED] * 2
    assert story.incident.troubles == {}


def test_the_next_tier_comes_at_its_own_time() -> None:
    """The policy goes on by its checkpoints, and tiers of one person are not climbed in a second."""
    story = refuse(Story(), GONE, GONE, GONE)
    planned = [at for at, _ in Story().until(240).tiers()]
    for minute in range(240):
        story.until(minute)
        refuse(story, *[GONE] * len(pages(story)))
    assert [at for at, _ in story.until(240).tiers()] == planned


def test_an_outcome_that_comes_before_the_late_checkpoint_notes_the_outage() -> None:
    """After an outage a send may end before the checkpoints fire: the timeline says what was due all the same."""
    story = Story()
    story.now = story.start + timedelta(minutes=16)
    refuse(story, "")
    assert story.minutes(EntryKind.RECOVERED) == [16]
