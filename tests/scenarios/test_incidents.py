"""Whole incidents, as people live through them in Slack: from the command to the end, on a clock that is pushed."""

from collections.abc import Iterator

import pytest

from bot.render.button_value import MORE
from bot.render.pages import OPEN_ROOM
from escalation.incident.events.moves import Move
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Status
from escalation.incident.state.pages import PageState
from tests.support.bot import control, everything
from tests.support.company import user
from tests.support.stage import Stage, stage
from tests.support.waiting import eventually


@pytest.fixture
def play() -> Iterator[Stage]:
    with stage() as opened:
        yield opened


RESOLUTION = {
    "summary": "Pool exhausted",
    "resolution": "Bigger pool",
    "verification": "Health checks passing",
    "final_impact": "All users for 45 minutes",
    "next_steps": "Tune the pool",
}


@pytest.mark.parametrize(
    "http", [pytest.param(False, id="socket mode"), pytest.param(True, id="signed http", marks=pytest.mark.slow)]
)
def test_a_p0_from_the_command_to_resolution(http: bool) -> None:
    """Declared, paged, escalated to tier 2, acknowledged, understood, fixed, watched, resolved; each step told."""
    with stage(http=http) as play:
        incident = play.declare()
        assert [len(play.pages(k)) for k in ("dana", "lena", "bruno", "omar", "erik")] == [1, 1, 1, 0, 0]
        assert "You're being paged:* tier 1, Responders (on-call engineer)" in play.pages("dana")[0]
        assert "Nobody has acknowledged" in str(play.card())
        assert {user(k) for k in ("paula", "erik", "dana", "lena", "bruno")} <= set(play.room()["members"])
        play.until(16)
        assert "nobody acknowledged within 15 minutes" in play.pages("omar")[0]
        play.press("omar", Move.ACKNOWLEDGE)
        assert "*Acknowledged*" in str(play.card())
        play.press("omar", Move.ROOT_CAUSE, cause="Connection pool exhausted")
        play.press("omar", Move.START_FIX)
        play.until(25)
        play.press("omar", Move.UPDATE, progress="Rolling out", next_steps="Watch", eta="20 minutes")
        play.press("omar", Move.FIX_APPLIED)
        play.until(56)
        assert "Is it stable?" in play.said_in(play.room()["id"])
        play.press("omar", Move.RESOLVE, **RESOLUTION)
        play.until(600)
        for words in (
            "Tier 2 (On call and backup) paged",
            "Connection pool exhausted",
            "Rolling out",
            "INCIDENT RESOLVED",
        ):
            assert words in play.thread()
        assert "INCIDENT RESOLVED" in play.said_in(play.incident.room.channel if play.incident.room else "")
        assert play.pages("erik") == play.pages("carla") == []
        assert "Resolved" in str(play.card())
        assert play.room()["topic"]["value"] == f"P0 resolved | {incident.id} | Checkout is down"
        play.settled(Status.RESOLVED)


@pytest.mark.slow
def test_nobody_answers_until_the_cto(play: Stage) -> None:
    """Tier 2 at 15 minutes, the manager at 30, CTO and executives at 2 hours and again at 4; each says why."""
    play.declare()
    play.until(14)
    assert play.pages("omar") == []
    play.until(29)
    assert play.pages("erik") == []
    play.until(119)
    assert "no root cause was found within 30 minutes" in play.pages("erik")[0]
    assert play.pages("carla") == play.pages("victor") == []
    play.until(121)
    assert "it is not resolved after 2 hours" in play.pages("carla")[0]
    play.until(241)
    assert "it is not resolved after 4 hours" in play.pages("victor")[-1]
    assert [len(play.pages(k)) for k in ("lena", "erik", "carla")] == [4, 4, 5]


@pytest.mark.slow
def test_root_cause_in_time(play: Stage) -> None:
    """With the cause found within 30 minutes the manager hears of it at 2 hours, with the CTO."""
    play.declare()
    play.press("dana", Move.ACKNOWLEDGE)
    play.press("dana", Move.ROOT_CAUSE, cause="The pool")
    play.until(31)
    assert play.pages("erik") == []
    play.until(121)
    assert len(play.pages("erik")) == len(play.pages("carla")) == 1


@pytest.mark.slow
def test_the_fix_failed(play: Stage) -> None:
    """The manager is paged in the same minute, and the work begins anew."""
    play.declare()
    play.press("dana", Move.ACKNOWLEDGE)
    play.press("dana", Move.ROOT_CAUSE, cause="The pool")
    play.press("dana", Move.START_FIX)
    play.until(20)
    play.press("dana", Move.FIX_FAILED, text="Still 500s")
    assert play.incident.status is Status.INVESTIGATING
    assert "the fix failed" in play.pages("erik")[0]


@pytest.mark.slow
def test_it_came_back_while_being_watched(play: Stage) -> None:
    """Two hours pass in monitoring and nobody is paged; when it comes back, what is overdue fires at once."""
    play.declare()
    play.press("dana", Move.ROOT_CAUSE, cause="The pool")
    play.until(110)
    play.press("dana", Move.FIX_APPLIED)
    play.until(125)
    assert play.pages("erik") == play.pages("carla") == []
    play.press("dana", Move.FIX_FAILED, text="It is back")
    assert len(play.pages("erik")) == len(play.pages("carla")) == 1


def test_resolved_early(play: Stage) -> None:
    """Resolved before anything fired: nobody else is paged, and the pages lose their buttons."""
    play.declare()
    play.until(3)
    play.press("dana", Move.RESOLVE, **RESOLUTION)
    play.until(300)
    assert [len(play.pages(k)) for k in ("dana", "lena", "omar", "erik", "carla")] == [1, 1, 0, 0, 0]
    assert "acknowledge|" not in str(play.directs("lena"))
    play.settled(Status.RESOLVED)


def test_a_false_alarm(play: Stage) -> None:
    """Cancelled: said in the thread, every checkpoint off."""
    play.declare()
    play.press("lena", Move.CANCEL, why="A drill of another team")
    play.until(300)
    assert "Cancelled: false alarm" in play.thread()
    assert play.pages("omar") == []
    play.settled(Status.CANCELLED)


@pytest.mark.slow
def test_reopened(play: Stage) -> None:
    """Everything starts again: tier 1 is paged, the clocks run from the reopening."""
    play.declare()
    play.press("dana", Move.RESOLVE, **RESOLUTION)
    play.until(60)
    play.command("paula", "reopen it came back")
    assert len(play.pages("dana")) == len(play.pages("lena")) == 2
    play.until(76)
    assert "nobody acknowledged within 15 minutes" in play.pages("omar")[0]
    assert play.incident.status is Status.INVESTIGATING


@pytest.mark.slow
def test_nobody_on_call(play: Stage) -> None:
    """Everybody of tier 1 is refused alike: the card says so, with what to do, and tier 2 comes at its own time."""
    for key in ("dana", "lena", "bruno"):
        control(play.bot.workspace, f"users/{user(key)}", deleted=True)
    play.declare()
    assert "Slack refuses everybody alike (the account is deactivated)" in everything(play.card())
    assert play.pages("omar") == []
    play.until(16)
    assert len(play.pages("omar")) == 1


@pytest.mark.slow
def test_escalated_by_hand_to_the_end(play: Stage) -> None:
    """Three presses page tiers 2, 3 and 4; then the button is gone, and the card offers to page somebody by name."""
    play.declare()
    for _ in range(3):
        play.press("dana", Move.ESCALATE)
    assert [len(play.pages(k)) for k in ("omar", "erik", "carla", "victor")] == [1, 1, 1, 1]
    assert "escalate|" not in str(play.card()["blocks"])
    assert "escalated manually" in play.pages("carla")[0]


@pytest.mark.slow
def test_somebody_is_called_in_by_name(play: Stage) -> None:
    """Page someone: a direct message, an invitation, a mention in the room."""
    play.declare()
    play.press("dana", Move.PAGE, people=[user("mei")], why="knows the pool")
    assert "paged directly: knows the pool" in play.pages("mei")[0]
    assert user("mei") in play.room()["members"]
    assert f"<@{user('mei')}>" in play.said_in(play.room()["id"])


@pytest.mark.slow
def test_updates_are_asked_for(play: Stage) -> None:
    """A reminder with a button after 30 minutes without an update, and after 10 more the commander is told directly."""
    play.declare()
    play.press("lena", Move.ACKNOWLEDGE)
    play.until(41)
    assert "progress update" in play.said_in(play.room()["id"])
    told = [m for m in play.directs("lena") if "Progress update overdue" in str(m)]
    assert len(told) == 1


def test_a_security_incident_is_private_from_the_start(play: Stage) -> None:
    """Card and thread stand in a private room; the security team is paged; no public channel has a word of it."""
    marker = "zebra crossing"
    play.declare(flags=["security"], description=f"Keys leaked, {marker}")
    assert len(play.pages("sofia")) == len(play.pages("sam")) == 1
    assert play.room()["is_private"]
    public = [c["id"] for c in play.state()["channels"] if not c.get("is_private") and not c.get("is_im")]
    said = "".join(everything(m) for c in public for m in play.messages(c) if not m.get("ephemeral"))
    assert marker not in said
    assert "Checkout" not in said
    assert "Checkout" not in "".join(str(c) for c in play.state()["channels"] if not c.get("is_private"))
    play.person("mei").command("list")
    assert "Checkout" not in play.person("mei").told("")


@pytest.mark.slow
def test_marked_as_security_later(play: Stage) -> None:
    """The public card says only that it moved; the private room has the story and hears what had been visible."""
    play.declare(description="zebra crossing")
    public = play.card()["channel"]
    old_room = play.room()["id"]
    play.press("dana", Move.SECURITY, why="a leaked key")
    cards = [m for m in play.messages(public) if m["ts"] == m.get("thread_ts", m["ts"]) and m.get("metadata")]
    assert all("Checkout" not in str(m["blocks"]) and "is now private" in m["text"] for m in cards)
    assert play.room()["is_private"]
    assert "Previously public, now redacted" in play.thread()
    assert {user("sofia"), user("sam"), user("dana")} <= set(play.room()["members"])
    assert len(play.pages("sofia")) == 1
    said = play.said_in(public) + play.said_in(old_room)
    play.press("dana", Move.UPDATE, progress="The marker is unicorn")
    play.until(45)
    assert "unicorn" not in play.said_in(public) + play.said_in(old_room)
    assert "unicorn" in play.thread()
    assert "a leaked key" not in said


@pytest.mark.slow
def test_two_people_press_escalate_on_one_card(play: Stage) -> None:
    """One tier is paged, and the second of them is told when it was escalated."""
    play.declare()
    card = play.card()
    play.press("lena", Move.ESCALATE)
    play.person("bruno").press(card, Move.ESCALATE, card["channel"])
    play.person("bruno").told("lready escalated", "incidents")
    play.works.run()
    assert play.pages("erik") == []


@pytest.mark.slow
def test_raised_from_p1_to_p0(play: Stage) -> None:
    """The room opens, who was not in yet is paged, and the 15 minutes run from the change."""
    play.declare(severity="P1")
    assert play.incident.room is None
    play.until(10)
    play.press("paula", Move.SEVERITY, severity="P0", why="everybody is affected")
    assert play.incident.room
    assert [len(play.pages(k)) for k in ("dana", "lena", "bruno")] == [1, 1, 1]
    play.until(24)
    assert play.pages("omar") == []
    play.until(26)
    assert len(play.pages("omar")) == 1


@pytest.mark.slow
def test_the_war_room_is_archived_under_us(play: Stage) -> None:
    """Archived rooms are final: the thread says so and goes on."""
    play.declare()
    control(play.bot.workspace, f"channels/{play.room()['id']}", is_archived=True)
    play.press("dana", Move.ACKNOWLEDGE)
    play.until(5)
    assert "The war room is gone" in play.thread()
    assert "*Acknowledged* by" in play.thread()


@pytest.mark.slow
def test_the_incidents_channel_is_archived(play: Stage) -> None:
    """Pages go out all the same; the card is retried and appears once the channel is back."""
    play.declare(severity="P3")
    play.press("dana", Move.CANCEL, why="just making the channel")
    channel = play.card()["channel"]
    control(play.bot.workspace, f"channels/{channel}", is_archived=True)
    play.person("paula").command("declare Second")
    assert play.person("paula").submit(play.person("paula").modal("Declare"), severity="P0").get("ok")
    play.works.run()
    (second,) = play.works.store.open_incidents()
    assert len(play.pages("lena")) == 1
    assert any("is archived" in why for why in second.troubles.values())
    control(play.bot.workspace, f"channels/{channel}", is_archived=False)
    play.works.run_for(70, step=5)
    assert "Second" in play.said_in(channel)
    assert not play.works.now(second).troubles


# People come and go --------------------------------------------------------------------------------------------------


def leaves(play: Stage, key: str) -> None:
    control(play.bot.workspace, f"users/{user(key)}", deleted=True)


def test_reminders_pass_over_somebody_who_left(play: Stage) -> None:
    """Lena acknowledged and is deactivated: the reminder goes to who is on call, and the thread says so once."""
    play.declare()
    play.press("lena", Move.ACKNOWLEDGE)
    before = len(play.directs("lena"))
    leaves(play, "lena")
    play.until(80)
    assert len(play.directs("lena")) == before
    assert "Progress update" in "".join(map(everything, play.directs("dana")))
    assert len(play.entries(EntryKind.REFUSED)) == 1
    assert f"*Could not message* <@{user('lena')}>: the account is deactivated" in play.thread()
    assert f"<@{user('dana')}> gets the reminders now" in play.thread()
    assert "Could not message" in str(play.card())
    assert play.incident.effects == ()


def test_a_commander_who_left_commands_no_more(play: Stage) -> None:
    """Their role is free again, and whoever acknowledged gets what is for the commander."""
    play.declare()
    play.press("dana", Move.ACKNOWLEDGE)
    play.command("lena", "lead commander")
    leaves(play, "lena")
    play.until(80)
    assert "*Incident commander:* nobody yet" in str(play.card())
    assert "you acknowledged it, and there is no incident commander" in "".join(map(everything, play.directs("dana")))


def test_a_role_offered_to_somebody_who_left(play: Stage) -> None:
    """The offer is off, and whoever made it is told directly, to look for somebody else."""
    play.declare()
    leaves(play, "mei")
    play.command("dana", "lead commander @mei")
    assert play.incident.offers == {}
    assert play.directs("mei") == []
    assert "Could not message" in play.thread()
    assert "offer it to somebody else" in "".join(map(everything, play.directs("dana")))


def test_a_page_to_somebody_deactivated_leaves_no_button_behind(play: Stage) -> None:
    """Slack took it, for the channel was open before: it is deleted, for nobody would update it."""
    play.declare()
    play.press("paula", Move.CANCEL, why="a test")
    leaves(play, "dana")
    play.person("paula").command("declare Again")
    assert play.person("paula").submit(play.person("paula").modal("Declare"), severity="P1", impact="All").get("ok")
    play.works.run()
    (second,) = play.works.store.open_incidents()
    assert {p.state for p in second.pages if p.person == user("dana")} == {PageState.REFUSED}
    assert "acknowledge|" not in str(play.directs("dana"))


def test_somebody_who_is_back_is_reminded_again(play: Stage) -> None:
    """Whoever acts is there: what is due later is theirs again."""
    play.declare()
    play.press("lena", Move.ACKNOWLEDGE)
    leaves(play, "lena")
    play.until(41)
    assert list(play.incident.gone) == [user("lena")]
    control(play.bot.workspace, f"users/{user('lena')}", deleted=False)
    play.command("lena", "update Rolling back")
    assert play.incident.gone == ()


def arranges(play: Stage, by: str, text: str) -> None:
    """Type an `/incident oncall` command that changes who is on call."""
    known = len(play.works.store.oncall_state().notices)
    play.person(by).command(f"oncall {text}")
    eventually(lambda: len(play.works.store.oncall_state().notices) > known)
    eventually(lambda: play.entries(EntryKind.MOVED))
    play.works.run()


@pytest.mark.parametrize(
    ("by", "text"),
    [
        ("mei", "take"),
        ("omar", "override @mei for 8h"),
        ("dana", "away @dana for 8h because ill"),
        ("dana", "swap with @mei"),
    ],
)
def test_on_call_changes_hands_in_the_middle_of_an_incident(play: Stage, by: str, text: str) -> None:
    """The open page moves: its former holder and the new one are told directly, and the thread says so."""
    play.declare(severity="P1")
    play.until(2)
    assert len(play.pages("dana")) == 1
    arranges(play, by, text)
    (moved,) = play.entries(EntryKind.MOVED)
    (successor,) = moved.people
    key = next(key for key in ("mei", "omar") if user(key) == successor)
    assert (moved.fields["from"], moved.by) == (user("dana"), user(by))
    assert len(play.pages(key)) == 1
    assert f"*<@{successor}> is paged instead of you as on-call engineer.*" in str(play.directs("dana"))
    assert "is no longer paged" in "".join(map(everything, play.directs("dana")))
    assert "*Now on-call engineer:*" in play.thread()
    play.until(20)
    assert [len(play.pages(k)) for k in ("dana", key)] == [1, 1 + play.incident.pages[-1].sent - 1]


def test_whoever_is_paged_no_more_is_named(play: Stage) -> None:
    """A lower severity withdraws pages: the thread says whose, and no communication of the old one is asked for."""
    play.declare(flags=["outage"])
    play.until(2)
    play.press("paula", Move.SEVERITY, severity="P3", why="one customer only")
    withdrawn = [p.person for p in play.incident.pages if p.state is PageState.WITHDRAWN]
    assert user("bruno") in withdrawn
    for person in withdrawn:
        assert f"<@{person}>" in play.thread().split("No longer paged: ")[1].splitlines()[0]
    play.until(180)
    assert play.entries(EntryKind.OVERDUE) == []
    assert "overdue" not in str(play.card())


def test_the_card_names_who_declined(play: Stage) -> None:
    """Who can't take it stands on the card, until they can after all."""
    play.declare()
    play.press("dana", Move.DECLINE)
    assert f"can't take it: <@{user('dana')}>" in everything(play.card())
    play.press("dana", Move.ACKNOWLEDGE)
    assert "can't take it" not in everything(play.card())


def test_a_page_to_somebody_assigned_is_said_to_be_needless(play: Stage) -> None:
    """They are called all the same, for they may have fallen asleep; the answer and the thread say that they had it."""
    play.declare()
    play.press("bruno", Move.ACKNOWLEDGE)
    play.command("dana", "page @bruno @mei are you there?")
    said = f"Already responding, so perhaps needless: <@{user('bruno')}>"
    assert said in play.person("dana").told("Paged directly")
    assert said in play.thread()
    assert len(play.pages("bruno")) == 2


# Signs of life -------------------------------------------------------------------------------------------------------


def is_answered(play: Stage, key: str) -> None:
    """This person's page ends within this minute, and is not repeated."""
    mine = next(n for n, p in enumerate(play.incident.pages) if p.person == user(key))
    eventually(lambda: play.incident.pages[mine].state is PageState.ANSWERED)
    play.until(14)
    assert len(play.pages(key)) == 1


def test_a_refused_press_is_a_sign_of_life(play: Stage) -> None:
    """Escalate on a card that is out of date changes nothing, and answers the presser's page."""
    play.declare()
    stale = play.card()
    play.press("lena", Move.ESCALATE)
    play.person("bruno").press(stale, Move.ESCALATE, stale["channel"])
    play.person("bruno").told("lready escalated", "incidents")
    is_answered(play, "bruno")


def test_opening_a_form_is_a_sign_of_life(play: Stage) -> None:
    """Who looks at the form of an update, and closes it again, is there."""
    play.declare()
    card = play.card()
    play.person("dana").press(card, MORE, card["channel"])
    play.person("dana").modal("More actions")
    is_answered(play, "dana")


def test_open_room_is_a_sign_of_life(play: Stage) -> None:
    """It is a link, and Slack tells of the press: who goes to the room is not paged again."""
    play.declare()
    page = play.directs("dana")[-1]
    play.person("dana").press(page, OPEN_ROOM, page["channel"])
    is_answered(play, "dana")


def test_a_typed_command_is_a_sign_of_life(play: Stage) -> None:
    """Looking at the incident answers the page; so does a command that is refused."""
    play.declare()
    play.person("dana").command("show")
    is_answered(play, "dana")


def test_a_refused_command_is_a_sign_of_life(play: Stage) -> None:
    """A typing error in a command is typed by somebody who is awake."""
    play.declare()
    play.person("lena").command("severity P9 no such thing")
    is_answered(play, "lena")
