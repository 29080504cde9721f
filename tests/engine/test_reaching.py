"""The steps by which a person is reached: once each, never early, none after the answer, none lost."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.config.notify import OtherWays, Via
from escalation.config.policy import Severity
from escalation.engine.state_machine import Event
from escalation.incident.effects import PageBy, PostCard, Refresh, SendPage, StopPage
from escalation.incident.events.moves import Acknowledge, Decline, Resolve
from escalation.incident.events.news import RolesChanged, SignOfLife
from escalation.incident.events.outcomes import Delivered, Dropped, PageStatus, PersonRefused, Trouble
from escalation.incident.reach import How, ReachState
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.incident.state.pages import PageState
from escalation.incident.state.posted import CopyKind
from escalation.notify.methods import Methods, Step
from escalation.notify.preferences import parse_quiet
from escalation.oncall.roster import Roster
from escalation.oncall.silences import Silence, Silences
from tests.support.story import DUTY, START, Story, kars

MINUTE = timedelta(minutes=1)
DUE = {Via.NTFY: 0, Via.SMS: 1, Via.CALL: 3}
URGENT = tuple(Step(after * MINUTE, (via,)) for via, after in DUE.items())
NORMAL = (Step(10 * MINUTE, (Via.MAIL,)),)
PERSON = "UONCALL"


def reached(severity: str = "P0", quiet: str = "", start: datetime = START, **terms: object) -> Story:
    """A story whose on-call engineer has push, SMS, calls and mail."""
    methods = Methods(URGENT, NORMAL, quiet=parse_quiet(quiet, "UTC") if quiet else None)
    roster = Roster(holders={**DUTY, "devops_lead": (), "backend_lead": ()}, methods={PERSON: methods})
    return Story(severity, roster, start=start, **terms)  # type: ignore[arg-type]  # as Story says


def sends(story: Story) -> list[tuple[float, Via]]:
    """(minute, channel) of each send beside Slack, as it was decided."""
    return [(story._minute(e.at), e.via) for e in _sends(story)]


def _sends(story: Story) -> Iterator[PageBy]:
    return (e for e in story.caused.values() if isinstance(e, PageBy))


def send_of(story: Story, via: Via) -> str:
    return next(e.id for e in _sends(story) if e.via is via)


def test_steps_come_at_their_time() -> None:
    """Push goes with the page, an SMS after a minute, a call after three, once each."""
    assert sends(reached().until(4)) == [(0, Via.NTFY), (1, Via.SMS), (3, Via.CALL)]


@pytest.mark.parametrize("answer", [Acknowledge(by=PERSON, how=How.KEY), Decline(by=PERSON), SignOfLife(by=PERSON)])
def test_no_step_comes_after_the_answer(answer: Acknowledge | Decline | SignOfLife) -> None:
    """Whoever acknowledged, declined or gave a sign of life is reached by nothing more."""
    story = reached().until(2)
    story._decide(answer)
    assert [via for _, via in sends(story.until(4))] == [Via.NTFY, Via.SMS]
    assert not story.due(CheckpointKind.STEP)


def test_a_repeated_page_takes_its_steps_again() -> None:
    """Five minutes later the page is repeated: push at once, SMS and call after that."""
    assert sends(reached().until(9))[3:] == [(5, Via.NTFY), (6, Via.SMS), (8, Via.CALL)]


def test_a_raised_severity_wakes_who_has_a_quiet_page() -> None:
    """A P1's open page becomes urgent with the incident: the same person is woken by the urgent steps."""
    story = reached("P1").until(2)
    assert sends(story) == []
    assert sends(story.change_to("P0", by="UREPORTER").until(6)) == [(2, Via.NTFY), (3, Via.SMS), (5, Via.CALL)]


def test_a_lowered_severity_calls_nobody_any_more() -> None:
    """The steps of the old urgency are moot: what was to be a call goes by the new rule."""
    story = reached().until(2).change_to("P1", by="UREPORTER")
    assert [via for _, via in sends(story.until(13))] == [Via.NTFY, Via.SMS, Via.MAIL]


@pytest.mark.parametrize("why", [PersonRefused, Dropped, PageStatus])
def test_a_method_that_fails_is_replaced_at_once(why: type) -> None:
    """A landline, a channel that is not set up, an SMS that the carrier returns: the call comes now, and once."""
    story = reached().until(1)
    sms = send_of(story, Via.SMS)
    event = (
        PageStatus(effect=sms, status=ReachState.FAILED, why="a landline")
        if why is PageStatus
        else why(effect=sms, why="a landline")
    )
    story.do(event).do(event)
    assert sends(story.until(4)) == [(0, Via.NTFY), (1, Via.SMS), (1, Via.CALL)]
    assert story.incident.tiers_paged == (1,)


def alarmed(severity: str = "P0") -> tuple[Story, str]:
    """A story whose on-call engineer is paged by an alarm that repeats until it is answered, and that send's id."""
    methods = Methods((Step(timedelta(0), (Via.PUSHOVER,)),), NORMAL)
    story = Story(severity, Roster(holders=DUTY, methods={PERSON: methods}))
    return story, send_of(story, Via.PUSHOVER)


def stops(story: Story) -> list[str]:
    return [e.sent for e in story.caused.values() if isinstance(e, StopPage)]


@pytest.mark.parametrize("event", [Acknowledge(by=PERSON), Resolve(by="UDEVOPS", summary="s", resolution="r")])
def test_an_alarm_that_was_on_its_way_when_its_page_ended_is_stopped(event: Acknowledge | Resolve) -> None:
    """The vendor accepts it after its person answered in Slack, or somebody resolved it: it is stopped then, once."""
    story, alarm = alarmed()
    story.do(event)
    assert stops(story) == []
    story.do(Delivered(effect=alarm)).do(PageStatus(effect=alarm, status=ReachState.DELIVERED)).until(1)
    assert stops(story) == [alarm]


def test_an_alarm_stops_when_the_severity_is_no_longer_urgent() -> None:
    """Lowered to P1, the page of whoever is still asked stays, and rings no more."""
    story, alarm = alarmed()
    story.do(Delivered(effect=alarm)).change_to("P1", by="UREPORTER")
    assert story.incident.page(1).state is PageState.OPEN
    assert stops(story) == [alarm]
    assert stops(story.do(Acknowledge(by=PERSON))) == [alarm]


def test_what_is_ours_calls_by_the_next_method_and_no_other_tier() -> None:
    """The vendor refuses our login: the next method is used now, the refused one is retried, nobody else is paged."""
    story = reached().until(1)
    sms = send_of(story, Via.SMS)
    for _ in range(2):
        story.do(Trouble(effect=sms, why="Twilio refuses the login"))
    assert sends(story.until(4)) == [(0, Via.NTFY), (1, Via.SMS), (1, Via.CALL)]
    assert story.incident.effect(sms)
    assert story.incident.tiers_paged == (1,)


@pytest.mark.parametrize("silent", [False, True])
def test_whoever_takes_over_is_reached_from_the_start_and_the_former_by_nothing_more(silent: bool) -> None:
    """Their own steps count from the handover, by their own Do Not Disturb; nobody rings the former."""
    story = reached().until(2)
    until = {"UMEI": Silence(starts=START, ends=START + timedelta(hours=8))} if silent else {}
    story.roster = Roster(
        holders={**story.roster.holders, "on_call": ("UMEI",)},
        methods={**story.roster.methods, "UMEI": Methods(URGENT, NORMAL)},
        silences=Silences(people=until),
    )
    story.do(RolesChanged(by="UMEI")).until(4.9)
    steps = [(story._minute(e.at), e.via, story.incident.page(e.page).person) for e in _sends(story)]
    assert [(at, via) for at, via, person in steps if person == PERSON] == [(0, Via.NTFY), (1, Via.SMS)]
    texted = 2 if silent else 3
    assert [s for s in steps if s[2] == "UMEI"] == [(2, Via.NTFY, "UMEI"), (texted, Via.SMS, "UMEI")]


def test_how_somebody_was_reached_changes_the_card_and_no_page() -> None:
    """Pages do not say it, and Slack takes 50 updates a minute: the card is to say it at once."""
    story = reached()
    for effect in story.incident.effects:
        if isinstance(effect, PostCard | SendPage):
            person = story.incident.page(effect.page).person if isinstance(effect, SendPage) else ""
            channel = f"D{person}" if person else "CINC"
            posted = Delivered(effect=effect.id, channel=channel, ts="1.0", face=story.incident.face, person=person)
            story.do(posted)
    kinds = {copy.id: copy.kind for copy in story.incident.copies}
    cards = {CopyKind.CHANNEL, CopyKind.ROOM}
    assert set(kinds.values()) == cards | {CopyKind.DIRECT}

    def refreshed(event: Event) -> set[CopyKind]:
        before = {e.id: e for e in story.incident.effects if isinstance(e, Refresh)}
        after = story.do(event).incident.effects
        return {kinds[e.copy_id] for e in after if isinstance(e, Refresh) and e != before.get(e.id)}

    sent = send_of(story, Via.NTFY)
    assert refreshed(Delivered(effect=sent)) == cards
    assert refreshed(PageStatus(effect=sent, status=ReachState.DELIVERED)) == cards
    assert refreshed(Acknowledge(by=PERSON)) == cards | {CopyKind.DIRECT}


def test_news_never_goes_back() -> None:
    """Reports of a carrier come in any order and twice: a delivered SMS stays delivered."""
    story = reached().until(1)
    sms = send_of(story, Via.SMS)
    story.do(PageStatus(effect=sms, status=ReachState.DELIVERED)).do(Delivered(effect=sms))
    story.do(PageStatus(effect=sms, status=ReachState.FAILED, why="late"))
    reach = story.incident.page(1).reach(sms)
    assert reach
    assert reach.state is ReachState.DELIVERED
    assert [via for _, via in sends(story.until(2))] == [Via.NTFY, Via.SMS]


def test_quiet_hours_hold_what_is_not_urgent() -> None:
    """A P1 at 15:30 in quiet hours until 16:00 is mailed at 16:00; a P0 rings at once."""
    assert sends(reached("P1", quiet="15:00-16:00").until(31)) == [(30, Via.MAIL)]
    assert sends(reached("P0", quiet="15:00-16:00").until(1)) == [(0, Via.NTFY), (1, Via.SMS)]


def test_mail_goes_once_for_a_person_and_page() -> None:
    """With `other_ways.page: mail` a page is mailed at once, and neither a step nor a repeat mails it again."""
    story = reached("P1", ways=OtherWays(page=(Via.MAIL,))).until(70)
    first = [e for e in _sends(story) if story.incident.page(e.page).n == 1]
    assert [e.via for e in first] == [Via.MAIL]


def test_a_tier_can_be_urgent_by_itself() -> None:
    """`notify: urgent` on a tier wakes its people though the severity is not urgent."""
    rules = kars().severities[Severity.P1]
    tier = rules.tiers[0].model_copy(update={"notify": "urgent"})
    urgent = rules.model_copy(update={"tiers": (tier, *rules.tiers[1:])})
    assert (urgent.is_urgent(1), urgent.is_urgent(2), rules.is_urgent(1)) == (True, False, False)


HAPPENS = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 90)),
    st.tuples(st.sampled_from(["accepted", "delivered", "failed", "refused", "answered"]), st.sampled_from(list(DUE))),
    st.tuples(st.sampled_from(["elsewhere", "tick"]), st.just(0)),
)


@given(st.lists(HAPPENS, max_size=14))
def test_every_step_fires_once_in_time_or_not_at_all(happens: list[tuple[str, int | Via]]) -> None:
    """Whatever is answered, fails or is reported when: no step twice, early, after the answer, or lost."""
    story, seconds, failed, ended = reached(), 0.0, False, None
    for what, about in happens:
        if what == "wait":
            assert isinstance(about, int)
            seconds = min(seconds + about, 290)  # the page is repeated after five minutes
            story.until(seconds / 60)
        else:
            failed |= _happen(story, what, about)
        if ended is None and story.incident.page(1).state is not PageState.OPEN:
            ended = story.minute
    times = {via: minute for minute, via in sends(story)}
    assert len(times) == len(sends(story))
    for via, due in DUE.items():
        if via in times:
            assert times[via] >= due or failed
            assert ended is None or times[via] <= ended
        else:
            assert story.minute < due or ended is not None


def _happen(story: Story, what: str, about: int | Via) -> bool:
    """Let something happen; True if a method has failed by it."""
    sent = next((e.id for e in _sends(story) if e.via is about), "")
    match what:
        case "tick":
            story.jump(story.minute)
        case "elsewhere":
            story.do(PageStatus(effect="INC-19700101-001-1-page", status=ReachState.FAILED, why="?"))
        case "answered" if story.incident.acknowledgement is None:
            story.do(Acknowledge(by=PERSON, how=How.SMS))
        case "accepted" if sent:
            story.do(Delivered(effect=sent))
        case "delivered" if sent:
            story.do(PageStatus(effect=sent, status=ReachState.DELIVERED))
        case "failed" if sent:
            story.do(PageStatus(effect=sent, status=ReachState.FAILED, why="unreachable"))
            return True
        case "refused" if sent:
            story.do(PersonRefused(effect=sent, why="a landline"))
            return True
    return False
