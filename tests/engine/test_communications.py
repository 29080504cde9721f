"""Telling those outside the response: what is owed to whom by when, what people say of it, and what follows."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from escalation.config.notify import OtherWays, Via
from escalation.config.policy import SeverityPolicy
from escalation.config.rules.communications import Means
from escalation.errors import Refused
from escalation.incident.communications import pending
from escalation.incident.effects import MailOut, Place, Say
from escalation.incident.events.moves import (
    Acknowledge,
    Answer,
    AnswerCommunication,
    Cancel,
    MarkSecurity,
    PostUpdate,
    PublishUpdate,
    Reopen,
    Resolve,
    Reviewed,
    RootCause,
    TakeLead,
)
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.incident.state.communications import OwedCommunication
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.leads import Lead
from tests.support.story import Story, shipped

ACK = Acknowledge(by="UONCALL")
CAUSE = RootCause(by="UONCALL", cause="The pool")
UPDATE = PostUpdate(by="UONCALL", progress="Half of it is back")
RESOLVE = Resolve(by="UONCALL", summary="The pool", resolution="Larger")
REOPEN = Reopen(by="UREPORTER")
REVIEWED = Reviewed(by="UMANAGER")


def answer(n: int, what: Answer, by: str = "USPEAKER") -> AnswerCommunication:
    return AnswerCommunication(by=by, n=n, answer=what)


def latest(story: Story, plan: str) -> OwedCommunication:
    return [o for o in story.incident.communications if o.plan.id == plan][-1]


def working(severity: str = "P0", policy: str = "kars", **more: Any) -> Story:
    """An incident on which somebody works, so that only communications are left to watch."""
    return Story(severity, policy=policy, **more).do(ACK).do(CAUSE)


def publish_all(story: Story) -> Story:
    """Publish by hand whatever waits for that."""
    for owed in pending(story.incident):
        story.do(answer(owed.n, Answer.PUBLISHED))
    return story


# What is owed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "severity", "plan", "begins", "due", "through"),
    [
        ("kars", "P0", "status-page", 0, 15, "status page"),
        ("kars", "P0", "stakeholders", 0, 30, "mail"),
        ("kars", "P1", "status-page", 120, 135, "status page"),
        ("kars", "P1", "stakeholders", 240, 270, "mail"),
        ("beauty", "P0", "stakeholders", 0, 15, "mail"),
        ("beauty", "P0", "customers", 15, 30, "status page, support portal, customer mail"),
        ("beauty", "P1", "stakeholders", 0, 60, "mail"),
        ("beauty", "P1", "customers", 15, 30, "status page, support portal, customer mail"),
    ],
)
def test_what_people_publish_by_hand_has_a_deadline(
    policy: str, severity: str, plan: str, begins: float, due: float, through: str
) -> None:
    """It begins when the policy says, names its means, and is due so long after."""
    story = working(severity, policy, outage=True).until(begins)
    [(minute, entry)] = [(m, e) for m, e in story.entries(EntryKind.COMMUNICATION) if e.fields["plan"] == plan]
    assert (minute, entry.fields["through"], entry.fields["stage"]) == (begins, through, "first")
    assert latest(story, plan).due == story.start + timedelta(minutes=due)


def test_slack_needs_nobody_to_publish_it() -> None:
    """Stakeholders hear of a P2 through Slack alone: that is done, and nothing is waiting for it."""
    story = working("P2").until(1440)
    assert latest(story, "stakeholders").state == "done"
    assert story.said(Place.STAKEHOLDERS) == [(1440, EntryKind.COMMUNICATION)]
    assert story.due(CheckpointKind.OWED) == []


def test_the_words_for_the_public_are_the_policys_until_somebody_words_them() -> None:
    """Never the title or the description, which are for colleagues."""
    story = working()
    first = next(e for _, e in story.entries(EntryKind.COMMUNICATION))
    assert first.text == shipped("kars").severities[story.incident.severity].public_text
    story.do(UPDATE.model_copy(update={"public_wording": "Payments are slow."}))
    assert [e.text for _, e in story.entries(EntryKind.COMMUNICATION)][-1] == "Payments are slow."


@pytest.mark.parametrize(
    ("means", "plans"),
    [
        (None, ["stakeholders", "customers", "social-media"]),
        ((), ["stakeholders"]),
        ((Means.STATUS_PAGE,), ["stakeholders", "customers"]),
        ((Means.SOCIAL_MEDIA,), ["stakeholders", "social-media"]),
    ],
)
def test_a_company_is_asked_only_for_the_public_channels_that_it_has(
    means: tuple[Means, ...] | None, plans: list[str]
) -> None:
    """Stakeholders are colleagues and are told in any case."""
    story = Story(policy="beauty", public_means=means, outage=True, major_impact=True).do(CAUSE).until(16)
    assert [plan for _, plan, _ in story.owed()] == plans


# What people say of it -------------------------------------------------------------------------------------------


def test_published_is_done() -> None:
    """Who said so is on the record, and no reminder comes."""
    story = working()
    story.do(answer(latest(story, "status-page").n, Answer.PUBLISHED)).until(16)
    assert (latest(story, "status-page").state, latest(story, "status-page").by) == ("done", "USPEAKER")
    assert story.minutes(EntryKind.COMMUNICATED) == [0]
    assert story.minutes(EntryKind.OVERDUE) == []


def test_declined_is_not_needed_and_neither_is_its_end() -> None:
    """Somebody decided that customers need not know: no reminder, no update, no word that it works again."""
    story = working()
    story.do(answer(latest(story, "status-page").n, Answer.DECLINED)).until(20).do(UPDATE).until(25).do(RESOLVE)
    assert story.owed_states("status-page") == ["declined"]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (Answer.PUBLISHED, Answer.PUBLISHED, "published already"),
        (Answer.PUBLISHED, Answer.DECLINED, "published already"),
        (Answer.DECLINED, Answer.PUBLISHED, "declined"),
        (Answer.DECLINED, Answer.APPROVED, "declined"),
    ],
)
def test_two_people_answer_one_card(first: Answer, second: Answer, words: str) -> None:
    """The second is told what the first said."""
    story = working().do(answer(1, first))
    with pytest.raises(Refused, match=words):
        story.do(answer(1, second))


def test_what_needs_no_approval_cannot_be_approved() -> None:
    """It is owed already."""
    with pytest.raises(Refused, match="approved already"):
        working().do(answer(1, Answer.APPROVED))


@pytest.mark.parametrize("n", [0, 3, 99])
def test_an_answer_to_nothing_is_refused(n: int) -> None:
    """A number that this incident never gave."""
    with pytest.raises(Refused, match="no such communication"):
        working().do(answer(n, Answer.PUBLISHED))


def test_what_waits_for_approval_is_not_published_before_it() -> None:
    """Approved first, then published; else the public hears nothing, not even the end, and it is withdrawn then."""
    story = working("P2").until(2881)
    n = latest(story, "status-page").n
    with pytest.raises(Refused, match="approve it first"):
        story.do(answer(n, Answer.PUBLISHED))
    assert story.do(RESOLVE).owed_states("status-page") == ["replaced"]
    with pytest.raises(Refused, match="withdrawn"):
        story.do(answer(n, Answer.APPROVED))


def test_the_end_of_what_was_approved_needs_approval_too() -> None:
    """Both words are public."""
    story = working("P2").until(2881)
    n = latest(story, "status-page").n
    story.do(answer(n, Answer.APPROVED)).do(answer(n, Answer.PUBLISHED)).do(RESOLVE)
    assert story.owed_states("status-page") == ["done", "waiting"]


def test_slack_waits_for_approval_where_a_policy_asks_for_it() -> None:
    """A policy of one's own may want a yes before the stakeholders' channel hears it."""
    story = Story("P1", policy="beauty")
    story.incident = story.incident.model_copy(update={"policy": careful(story.incident.policy)})
    story.do(RESOLVE).do(REOPEN)
    owed = latest(story, "stakeholders")
    heard = len(story.said(Place.STAKEHOLDERS))
    assert (owed.state, owed.through) == ("waiting", (Means.SLACK,))
    story.do(answer(owed.n, Answer.APPROVED))
    assert len(story.said(Place.STAKEHOLDERS)) == heard + 1
    assert latest(story, "stakeholders").state == "done"


def careful(policy: SeverityPolicy) -> SeverityPolicy:
    plan = policy.communication("stakeholders").model_copy(update={"approval": True, "through": (Means.SLACK,)})
    return policy.model_copy(update={"communications": (plan,)})


# What follows ----------------------------------------------------------------------------------------------------


def test_each_update_takes_the_place_of_a_word_that_nobody_published() -> None:
    """Two updates in a row: one notice is owed, the newest."""
    story = working().until(5).do(UPDATE).until(7).do(UPDATE)
    assert story.owed_states("status-page") == ["replaced", "replaced", "owed"]
    assert latest(story, "status-page").due == story.now + timedelta(minutes=15)
    with pytest.raises(Refused, match="newer word"):
        story.do(answer(1, Answer.PUBLISHED))


def test_an_update_says_when_the_next_one_comes() -> None:
    """The promise goes outside with it."""
    story = working().until(5).do(UPDATE.model_copy(update={"next_in": timedelta(minutes=20), "eta": "an hour"}))
    entry = [e for _, e in story.entries(EntryKind.COMMUNICATION)][-1]
    assert entry.fields["next_update"] == (story.start + timedelta(minutes=25)).isoformat()
    assert entry.fields["eta"] == "an hour"


@pytest.mark.parametrize(
    ("policy", "severity", "minute", "plans"),
    [
        ("kars", "P0", 5, ["status-page", "stakeholders"]),
        ("kars", "P1", 119, []),
        ("kars", "P1", 121, ["status-page"]),
        ("kars", "P1", 241, ["status-page", "stakeholders"]),
        ("kars", "P2", 1439, []),
        ("kars", "P2", 1441, ["stakeholders"]),
        ("kars", "P3", 5000, []),
        ("beauty", "P0", 10, ["stakeholders"]),
        ("beauty", "P0", 16, ["stakeholders", "customers"]),
        ("beauty", "P2", 5000, []),
    ],
)
def test_whoever_was_told_hears_that_it_works_again(
    policy: str, severity: str, minute: float, plans: list[str]
) -> None:
    """And nobody else: who never heard that it was down does not hear that it is up."""
    story = publish_all(working(severity, policy, outage=True).until(minute)).do(RESOLVE)
    assert {plan for _, plan, stage in story.owed() if stage == "restored"} == set(plans)


@pytest.mark.parametrize(
    ("policy", "severity", "minute", "restored"),
    [
        ("kars", "P0", 5, {"stakeholders": (Means.SLACK,)}),
        ("kars", "P1", 121, {}),
        ("kars", "P1", 241, {"stakeholders": (Means.SLACK,)}),
        ("beauty", "P0", 16, {"stakeholders": (Means.SLACK,)}),
    ],
)
def test_whoever_was_never_told_does_not_hear_that_it_works_again(
    policy: str, severity: str, minute: float, restored: dict[str, tuple[Means, ...]]
) -> None:
    """What nobody had published before the resolution is withdrawn, and nothing follows it; Slack had been told."""
    story = working(severity, policy, outage=True).until(minute).do(RESOLVE)
    assert {o.plan.id: o.through for o in story.incident.communications if o.stage == "restored"} == restored
    assert {o.state for o in story.incident.communications if o.stage == "first"} <= {"replaced", "done"}
    assert "follow_up" not in [s for _, _, s in story.do(REVIEWED).owed()]


@pytest.mark.parametrize("stakeholders", [True, False])
def test_the_end_takes_the_ways_by_which_the_beginning_went(stakeholders: bool) -> None:
    """Mail that went out by itself is followed by mail; mail that nobody had sent is not."""
    ways = OtherWays(stakeholders=(Via.MAIL,) if stakeholders else ())
    story = working(ways=ways).until(5).do(RESOLVE)
    assert (Means.MAIL in latest(story, "stakeholders").through) is stakeholders


def test_what_is_owed_at_the_end_outlasts_the_incident() -> None:
    """The last word may be published after the resolution, and is asked for when it is not."""
    story = publish_all(working().until(20)).do(RESOLVE).until(60)
    late = [(m, e.fields["audience"]) for m, e in story.entries(EntryKind.OVERDUE)]
    assert late == [(15, "customers"), (35, "customers"), (50, "stakeholders")]
    story.do(answer(latest(story, "status-page").n, Answer.PUBLISHED))
    assert latest(story, "status-page").state == "done"


def test_customers_hear_what_came_of_the_review() -> None:
    """Those who were told of the outage; of a resolution that was never reviewed there is nothing to tell."""
    story = publish_all(working("P0", "beauty", outage=True).until(20)).do(RESOLVE).until(100)
    assert [s for _, p, s in story.owed() if p == "customers"] == ["first", "restored"]
    story.do(REVIEWED)
    assert [s for _, p, s in story.owed() if p == "customers"] == ["first", "restored", "follow_up"]
    assert [s for _, p, s in story.owed() if p == "stakeholders"] == ["first", "restored"]


def test_the_follow_up_reaches_those_who_were_told_before_a_reopening() -> None:
    """They were affected, however long ago."""
    story = publish_all(working("P0", "beauty", outage=True).until(20)).do(RESOLVE).until(100)
    story.do(REOPEN).until(105).do(RESOLVE)
    assert story.do(REVIEWED).owed()[-1] == (105, "customers", "follow_up")


def test_a_false_alarm_owes_nothing_more() -> None:
    """What waits is withdrawn."""
    story = working().until(5).do(Cancel(by="UONCALL")).until(60)
    assert pending(story.incident) == ()
    assert story.minutes(EntryKind.OVERDUE) == []


def test_a_false_alarm_is_told_where_it_was_read() -> None:
    """Slack had the first word at once; of the mail, which nobody had sent yet, nobody needs to hear."""
    story = working().until(5).do(Cancel(by="UONCALL"))
    word = latest(story, "stakeholders")
    assert (word.stage, word.through, word.state) == ("restored", (Means.SLACK,), "done")
    assert story.said(Place.STAKEHOLDERS)[-1][0] == 5


def test_a_duplicate_does_not_work_again() -> None:
    """The trouble goes on under the other's name: nobody is told that it is over."""
    story = working()
    story.do(answer(latest(story, "status-page").n, Answer.PUBLISHED)).until(5)
    story.do(Cancel(by="UONCALL", duplicate_of="INC-20241218-000"))
    assert [s for _, _, s in story.owed() if s == "restored"] == []
    assert pending(story.incident) == ()


def test_reopened_it_does_not_work_again() -> None:
    """The word that it works again is withdrawn; a P1 tells customers again only after its 2 hours."""
    story = publish_all(working("P1").until(121)).do(RESOLVE).until(125)
    assert latest(story, "status-page").state == "owed"
    story.do(REOPEN).do(UPDATE)
    assert pending(story.incident) == ()
    assert [(m, s) for m, p, s in story.until(246).owed() if p == "status-page"] == [
        (120, "first"),
        (121, "restored"),
        (245, "first"),
    ]


# Overdue ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leads", "told"),
    [
        ([], ["UONCALL"]),
        ([TakeLead(by="UDEVOPS", lead=Lead.COMMANDER)], ["UDEVOPS"]),
        ([TakeLead(by="USPEAKER", lead=Lead.COMMUNICATIONS)], ["USPEAKER"]),
        (
            [TakeLead(by="UDEVOPS", lead=Lead.COMMANDER), TakeLead(by="USPEAKER", lead=Lead.COMMUNICATIONS)],
            ["USPEAKER"],
        ),
    ],
)
def test_a_missed_deadline_is_told_to_whoever_speaks_to_the_outside(leads: list[TakeLead], told: list[str]) -> None:
    """The communications lead, else the commander: once, directly, and not in the thread."""
    story = working()
    for lead in leads:
        story.do(lead)
    story.until(29)
    assert story.minutes(EntryKind.OVERDUE) == [15]
    assert story.told(EntryKind.OVERDUE) == told
    assert EntryKind.OVERDUE not in {kind for _, kind in story.said(Place.THREAD)}


def test_why_it_was_owed_is_said_by_the_severity_that_owed_it() -> None:
    """A deadline that passes after a change of severity is explained by what began it."""
    story = working("P0", "beauty").until(5).change_to("P1").until(16)
    [(minute, entry)] = story.entries(EntryKind.OVERDUE)
    assert (minute, entry.why) == (15, "all stakeholders are notified of a P0 at once")


# Drills and security ---------------------------------------------------------------------------------------------


def test_a_drill_stays_in_slack() -> None:
    """No customer, no stakeholder, no mail, no status page."""
    story = (
        Story(policy="beauty", drill=True, outage=True, major_impact=True).do(CAUSE).until(30).do(UPDATE).do(RESOLVE)
    )
    assert story.owed() == []
    assert not [e for e in story.caused.values() if isinstance(e, MailOut)]
    assert not [e for e in story.caused.values() if isinstance(e, Say) and e.place is Place.STAKEHOLDERS]
    assert pending(story.incident) == ()


@pytest.mark.parametrize("severity", ["P0", "P1", "P2", "P3"])
@pytest.mark.parametrize("policy", ["kars", "beauty"])
def test_nothing_is_ever_owed_about_a_security_incident(policy: str, severity: str) -> None:
    """Declared as one: no communication, no word to stakeholders or team, to its very end."""
    story = Story(severity, policy=policy, security=True, outage=True, major_impact=True).until(3000)
    story.do(UPDATE).do(RESOLVE).do(REVIEWED)
    assert story.incident.communications == ()
    assert {e.place for e in story.caused.values() if isinstance(e, Say)} == {Place.THREAD}


def test_marked_as_security_everything_owed_is_withdrawn() -> None:
    """What was published stays published; nothing more follows."""
    story = working().do(answer(1, Answer.PUBLISHED)).until(5).do(MarkSecurity(by="UONCALL", why="a leak"))
    assert [str(o.state) for o in story.incident.communications] == ["done", "replaced"]
    story.do(UPDATE).until(60).do(RESOLVE).do(REVIEWED)
    assert len(story.incident.communications) == 2
    says = [e for e in story.incident.effects if isinstance(e, Say) and not e.withdrawn]
    assert {e.place for e in says} == {Place.THREAD}


def test_a_mail_that_was_not_sent_yet_is_not_sent_about_a_secret() -> None:
    """Mail goes out by itself where it is set up: marked as security, what waits is called off."""
    story = Story(ways=OtherWays(stakeholders=(Via.MAIL,))).do(CAUSE)
    assert [e for e in story.incident.effects if isinstance(e, MailOut)]
    story.do(MarkSecurity(by="UONCALL", why="a leak"))
    assert not [e for e in story.incident.effects if isinstance(e, MailOut)]


def test_what_the_new_severity_never_asks_for_is_moot() -> None:
    """A P0's mail that nobody sent is not overdue for a P2; those who were told in Slack hear of its end."""
    story = working("P0", "beauty").until(5).change_to("P2").until(60)
    assert list(story.entries(EntryKind.OVERDUE)) == []


@pytest.mark.parametrize("minutes", [120, 185])
def test_no_promise_is_broken_as_it_is_made(minutes: float) -> None:
    """With the last update overdue, or due in that instant, the public hears when the one after it comes."""
    story = Story("P1", public_page=True, public_means=(Means.STATUS_PAGE,)).until(minutes)
    if minutes > 120:
        story.do(PublishUpdate(by="UONCALL", wording="We are still looking into it."))
    told = [entry for _, entry in story.entries(EntryKind.COMMUNICATION)]
    assert told
    for entry in told:
        assert datetime.fromisoformat(entry.fields["next_update"]) > entry.at
