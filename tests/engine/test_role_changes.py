"""Open pages follow their roles: takeover, override, handover and absence in the middle of an incident."""

from escalation.engine import cards
from escalation.incident.effects import Remind, SendPage, Tell
from escalation.incident.events.moves import Acknowledge, Edit
from escalation.incident.events.news import RolesChanged
from escalation.incident.events.outcomes import Delivered
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.pages import PageState
from escalation.messages.reminders import why_you
from tests.support.incidents import RESOLVE
from tests.support.story import Story, roster_with


def now_on_call(story: Story, *people: str, by: str = "") -> Story:
    story.roster = roster_with(on_call=people)
    return story.do(RolesChanged(by=by))


def live(story: Story) -> dict[str, PageState]:
    return {page.person: page.state for page in story.incident.pages}


def test_whoever_takes_over_is_paged_and_the_formers_repeats_end() -> None:
    """The open page moves with its role: the new holder is paged with the reason, the former no more."""
    story = now_on_call(Story("P1").until(2), "UMEI", by="UMEI")
    assert live(story) == {"UONCALL": PageState.MOVED, "UMEI": PageState.OPEN}
    moved = story.incident.pages[-1]
    assert (moved.moved_from, moved.role, moved.tier) == ("UONCALL", "on-call engineer", 1)
    assert story.incident.page(1).to == ("UMEI",)
    assert [p.sent for p in story.until(60).incident.pages[:2]] == [1, 4]


def test_both_are_told_and_the_thread_says_so() -> None:
    """The former directly, the new one by the page, everybody else in the thread."""
    story = now_on_call(Story("P1"), "UMEI", by="UDANA")
    entry = story.incident.latest(EntryKind.MOVED)
    assert entry
    assert (entry.by, entry.people, entry.fields["from"]) == ("UDANA", ("UMEI",), "UONCALL")
    assert [e.person for e in story.incident.effects if isinstance(e, Tell)] == ["UONCALL"]


def test_a_handover_is_noticed_by_the_next_checkpoint_too() -> None:
    """A repeat goes to whoever holds the role at that moment, not to who held it before."""
    story = Story("P1")
    story.roster = roster_with(on_call=("UMEI",))
    story.until(31)
    assert live(story)["UMEI"] is PageState.OPEN
    assert story.incident.page(1).sent == 1


def test_a_role_that_nobody_holds_stays_with_who_had_it() -> None:
    """A gap in the rotation ends no page: somebody who just left beats nobody."""
    assert live(now_on_call(Story("P1"))) == {"UONCALL": PageState.OPEN}


def test_whoever_is_paged_already_is_not_paged_twice() -> None:
    """The backup who takes over keeps the page that they have."""
    story = now_on_call(Story("P1").until(31), "UBACKUP")
    assert [p.person for p in story.incident.pages].count("UBACKUP") == 1
    assert live(story)["UONCALL"] is PageState.MOVED


def test_another_role_of_the_same_person_keeps_their_page() -> None:
    """Who is paged as on-call engineer and as DevOps lead is still the DevOps lead."""
    story = Story("P0", roster_with(on_call=("UDEVOPS",)))
    story.roster = roster_with(on_call=("UMEI",))
    story.do(RolesChanged())
    assert live(story)["UDEVOPS"] is PageState.OPEN
    assert live(story)["UMEI"] is PageState.OPEN
    assert story.incident.open_page_of("UDEVOPS").roles == ("devops_lead",)  # type: ignore[union-attr]  # it is open


def test_a_page_on_its_way_to_the_former_is_not_sent() -> None:
    """Slack was away while the shift changed: only the new holder's page goes out."""
    story = now_on_call(Story("P1"), "UMEI")
    sends = [e for e in story.incident.effects if isinstance(e, SendPage)]
    assert [bool(story.incident.page_to_send(e)) for e in sends] == [False, True]


def test_another_service_is_another_lead() -> None:
    """A corrected service moves the open page of the service's lead."""
    story = Story("P2", roster_with(**{"service_lead@search": ("USEARCH",)})).until(1440)
    assert "ULEAD" in live(story)
    story.do(Edit(by="UPAULA", service="search"))
    assert live(story)["ULEAD"] is PageState.MOVED
    assert live(story)["USEARCH"] is PageState.OPEN


def test_nothing_moves_while_nothing_changed() -> None:
    """The same incident comes back, so nothing is written."""
    story = Story("P0")
    before = story.incident
    assert story.do(RolesChanged()).incident is before


def test_a_closed_incident_moves_no_pages() -> None:
    """Its record stays as it was."""
    story = Story("P1").do(RESOLVE)
    before = story.incident
    assert now_on_call(story, "UMEI").incident is before


# After the acknowledgement --------------------------------------------------------------------------------------------


def test_reminders_of_an_acknowledged_incident_go_to_whoever_holds_the_role_now() -> None:
    """The shift of who acknowledged is over: the thread says so once, and notes go to the next."""
    story = now_on_call(Story("P0").do(Acknowledge(by="UONCALL")), "UMEI")
    [(_, entry)] = story.entries(EntryKind.MOVED)
    assert (entry.people, entry.fields["from"], entry.fields["acknowledged"]) == (("UMEI",), "UONCALL", "yes")
    assert "UMEI" in story.told(EntryKind.MOVED)
    silence = story.until(41).incident.latest(EntryKind.SILENCE)
    assert silence
    assert silence.people == ("UMEI",)
    assert len(story.minutes(EntryKind.MOVED)) == 1
    assert live(story).get("UMEI") is None


def test_a_reminder_says_why_it_is_for_its_reader() -> None:
    """Nobody is told that they lead what they have not acknowledged."""
    story = Story("P0").until(41)
    assert why_you(story.incident, "UONCALL") == "you are the on-call engineer, and nobody has acknowledged it yet"
    story = now_on_call(Story("P0").do(Acknowledge(by="UONCALL")), "UMEI")
    assert why_you(story.incident, "UMEI") == "whoever acknowledged it is off now, and you hold their role"


# Reminders on their way -----------------------------------------------------------------------------------------------


def test_a_reminder_that_arrives_after_the_end_loses_its_buttons() -> None:
    """It was being posted while the incident was resolved: it is updated once more, as no longer needed."""
    story = Story("P0").do(Acknowledge(by="UONCALL")).until(31)
    sent = next(e for e in story.incident.effects if isinstance(e, Remind))
    story.do(RESOLVE)
    story.do(Delivered(effect=sent.id, channel="CROOM", ts="9.9", face=story.incident.face - 1))
    (copy,) = [c for c in story.incident.copies if c.id == sent.id]
    assert copy.final
    assert story.incident.effect(cards.final_id(copy.id))
