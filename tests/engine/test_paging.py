"""Who is paged again, until when, and what ends a page: an acknowledgement, a sign of life, or "can't take it"."""

from typing import Any

import pytest

from escalation.config.rules.paging import PageRepeat
from escalation.errors import Refused
from escalation.incident.effects import SendPage
from escalation.incident.events.moves import (
    Acknowledge,
    AnswerCommunication,
    Decline,
    Escalate,
    PagePeople,
    PostUpdate,
    RootCause,
)
from escalation.incident.events.news import SignOfLife
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.pages import PageState
from tests.support.story import Story, kars, roster_with

TWO = {"on_call": ("UONCALL", "USECOND")}
ACK = Acknowledge(by="UONCALL")


def states(story: Story) -> dict[str, str]:
    """Each person's latest page."""
    return {page.person: str(page.state) for page in story.incident.pages}


def rings(story: Story, person: str) -> list[int]:
    """How often a person's pages were sent, page by page."""
    return [page.sent for page in story.incident.pages if page.person == person]


def p1(**roles: tuple[str, ...]) -> Story:
    """A P1 that pages two people at once."""
    return Story("P1", roster_with(**(TWO | roles)))


# Until acknowledged ---------------------------------------------------------------------------------------------------


def test_an_acknowledgement_by_somebody_paged_ends_the_others_repeats() -> None:
    """By default nobody is paged again once somebody who was paged has it; the others' pages name who."""
    story = p1().until(1).do(ACK)
    assert states(story) == {"UONCALL": "answered", "USECOND": "covered"}
    assert story.incident.page(2).to == ("UONCALL",)
    assert rings(story.until(100), "USECOND") == [1]
    assert story.due(CheckpointKind.REPEAT) == []


def test_an_acknowledgement_by_somebody_else_ends_no_repeats() -> None:
    """A reader of the channel who acknowledges is not the person whom the policy wants."""
    story = p1().until(1).do(Acknowledge(by="UPASSERBY"))
    assert states(story) == {"UONCALL": "open", "USECOND": "open"}
    assert rings(story.until(100), "USECOND") > [1]


@pytest.mark.parametrize("acts", [RootCause(by="UONCALL", cause="The pool"), ACK])
def test_whoever_acknowledges_by_acting_ends_the_repeats_too(acts: Any) -> None:
    """Finding the cause acknowledges, and so it covers the others."""
    assert states(p1().do(acts))["USECOND"] == "covered"


def test_a_page_that_was_not_sent_yet_is_not_sent_after_an_acknowledgement() -> None:
    """Slack was away: whoever comes to it late finds it covered."""
    story = p1().do(ACK)
    pending = [e for e in story.incident.effects if isinstance(e, SendPage)]
    assert [story.incident.page_to_send(e) for e in pending] == [None, None]


def test_covered_people_can_still_join() -> None:
    """Who was told that another has it may acknowledge as well, and is assigned."""
    story = p1().do(ACK).do(Acknowledge(by="USECOND"))
    assert states(story)["USECOND"] == "answered"
    assert story.incident.assigned == ("UONCALL", "USECOND")
    assert story.minutes(EntryKind.JOINED) == [0]


def test_a_tier_paged_after_the_acknowledgement_is_a_call_of_its_own() -> None:
    """The manager who is paged because there is no root cause is paged again, until one of that tier answers."""
    story = Story("P0").do(ACK).until(30)
    assert states(story)["UMANAGER"] == "open"
    assert rings(story.until(36), "UMANAGER") == [2]


def test_a_page_by_name_is_for_that_person_alone() -> None:
    """Whoever was asked for by name is paged until they answer, whoever acknowledges."""
    story = p1().do(PagePeople(by="UONCALL", people=("UEXPERT",))).do(ACK)
    assert states(story)["UEXPERT"] == "open"


# Until answered -------------------------------------------------------------------------------------------------------


def test_all_hands_of_a_p0_are_paged_until_each_has_answered() -> None:
    """The first tier of a KARS P0: five minutes apart, three times, also after somebody acknowledged."""
    story = Story().until(3).do(ACK)
    assert states(story) == {"UONCALL": "answered", "UDEVOPS": "open", "UBACKEND": "open"}
    story.until(4).do(Acknowledge(by="UDEVOPS")).until(60)
    assert rings(story, "UDEVOPS") == [1]
    assert rings(story, "UBACKEND") == [4]
    assert story.minutes(EntryKind.REPEATED)[:3] == [5, 10, 15]


def test_a_tiers_own_rule_overrides_the_severitys() -> None:
    """What stands on the tier holds for its pages, what stands on the severity for all others."""
    p0 = kars().severities[Story().incident.severity]
    own = PageRepeat.model_validate({"every": "5m", "times": 3, "until": "answered"})
    assert (p0.repeats_of(1), p0.repeats_of(3), p0.repeats_of(0)) == (own, p0.repeat_pages, p0.repeat_pages)
    assert p0.repeat_pages
    assert p0.repeat_pages.until == "acknowledged"


# Signs of life --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sign",
    [
        SignOfLife(by="UDEVOPS"),
        PostUpdate(by="UDEVOPS", progress="We look"),
        AnswerCommunication.model_validate({"by": "UDEVOPS", "n": 1, "answer": "published"}),
        Escalate(by="UDEVOPS"),
    ],
)
def test_a_sign_of_life_answers_ones_own_page(sign: Any) -> None:
    """Whoever presses a button or types a command about an incident is there: they are not paged again."""
    story = Story().until(1).do(sign)
    assert states(story)["UDEVOPS"] == "answered"
    assert story.incident.acknowledgement is None
    assert rings(story.until(14), "UDEVOPS") == [1]
    assert rings(story, "UBACKEND") == [3]


def test_a_sign_of_life_of_somebody_who_was_not_paged_changes_nothing() -> None:
    """The same incident comes back, so nothing is written."""
    story = Story()
    before = story.incident
    assert story.do(SignOfLife(by="UPASSERBY")).incident is before


# Can't take it --------------------------------------------------------------------------------------------------------


def test_whoever_cannot_take_it_has_the_next_tier_paged_at_once_with_the_reason() -> None:
    """The page ends, the next tier is paged without waiting for its time, and both pages say why."""
    story = Story("P1").until(2).do(Decline(by="UONCALL", why="On a plane"))
    assert states(story) == {"UONCALL": "declined", "UBACKUP": "open"}
    assert story.incident.page(1).to == ("UBACKUP",)
    assert story.incident.page(2).why == "the on-call engineer cannot take it: On a plane"
    [(minute, entry)] = story.entries(EntryKind.DECLINED)
    assert (minute, entry.by, entry.text, entry.fields["following"]) == (2, "UONCALL", "On a plane", "next")
    assert rings(story.until(100), "UONCALL") == [1]
    assert story.incident.acknowledgement is None


def test_all_who_decline_are_passed_over() -> None:
    """A tier that only has people who declined is passed over."""
    story = Story("P1", roster_with(backup=("UONCALL",))).do(Decline(by="UONCALL"))
    assert story.tiers() == [(0, 1), (0, 3)]


def test_when_nobody_is_next_that_is_said() -> None:
    """The last person who declines leaves nobody: people are asked to page by name, or to call."""
    everybody = dict.fromkeys(("on_call", "backup", "service_lead", "engineering_manager"), ("UONCALL",))
    story = Story("P1", roster_with(**everybody)).do(Decline(by="UONCALL"))
    assert story.minutes(EntryKind.NOBODY_LEFT) == [0]
    assert story.incident.nobody_left


def test_who_declines_while_others_are_still_paged_leaves_it_to_them_once_no_tier_is_left() -> None:
    """Nobody is left to page, and that others have open pages is said."""
    story = Story("P0", roster_with(backup=(), engineering_manager=(), executives=()))
    story.do(Decline(by="UDEVOPS")).do(Decline(by="UBACKEND"))
    assert story.incident.latest(EntryKind.DECLINED)
    assert "UONCALL" in {p.person for p in story.incident.pages if p.state is PageState.OPEN}


def test_who_declines_what_another_has_pages_nobody() -> None:
    """After an acknowledgement a decline only ends one's own page."""
    story = Story().do(ACK).do(Decline(by="UDEVOPS"))
    assert states(story)["UDEVOPS"] == "declined"
    assert story.incident.page(2).to == ("UONCALL",)
    assert [m for m, _ in story.paged()] == [0]


def test_who_declined_may_take_it_after_all() -> None:
    """Acknowledging undoes it."""
    story = Story("P1").do(Decline(by="UONCALL")).do(ACK)
    assert story.incident.acknowledgement
    assert states(story)["UONCALL"] == "answered"


@pytest.mark.parametrize(
    ("story", "words"),
    [
        (Story("P1").do(ACK), "You have it"),
        (Story("P1").do(Decline(by="UONCALL")), "has ended already"),
        (Story("P1", roster_with(on_call=("UOTHER",))), "You were not paged"),
    ],
)
def test_declining_without_an_open_page_is_refused_with_a_way_on(story: Story, words: str) -> None:
    """Only an open page can be declined; the answer says what to do instead."""
    with pytest.raises(Refused, match=words):
        story.do(Decline(by="UONCALL"))
