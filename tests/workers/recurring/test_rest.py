"""Rest after a night, in Slack: asked at seven, once, and one click makes the override."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from escalation.incident.events.moves import Acknowledge, Resolve
from escalation.oncall.schedule import on_call_at
from tests.support.block_kit_schema import problems
from tests.support.bot import BotAtWork, Json, Person, everything, running_bot
from tests.support.company import example_company, user
from tests.support.waiting import eventually
from tests.support.worker import SlackByClock, Works, redis_of, works
from workers.recurring.upkeep import Upkeep

WEEK = {"primary": {"people": ["dana", "omar", "mei"], "first_shift": "2024-12-16", "test_page": False}}
TEAMS = {"backend": {"lead": "bruno", "members": ["dana", "omar"]}}
AT_THREE = {"hours": 11.5}  # START is half past three in the afternoon


@pytest.fixture
def parts(slack_by_clock: SlackByClock) -> Iterator[Works]:
    """Dana has the week, and is paged at three in the night."""
    workspace, clock = slack_by_clock
    at = clock.now
    with redis_of("valkey") as redis:
        company = example_company(rest="11h", rotations=WEEK, teams=TEAMS, services={})
        made = works(redis, workspace, clock, company)
        made.control("reset")
        upkeep(made)
        clock.push(**AT_THREE)
        yield made
    clock.now = at


def upkeep(parts: Works) -> None:
    """A round of a worker that was just started."""
    round_ = Upkeep(parts.context)
    round_.start()
    round_.close()


def a_night(parts: Works, until: float = 240) -> None:
    """Dana acknowledges after ten minutes and resolves at four; then it is seven."""
    incident = parts.declare("P0")
    parts.clock.push(minutes=10)
    parts.service.handle(incident.id, Acknowledge(by=user("dana")))
    parts.clock.push(minutes=50)
    parts.service.handle(incident.id, Resolve(by=user("dana"), summary="A", resolution="B"))
    parts.run()
    parts.clock.push(minutes=until - 60)
    upkeep(parts)


def directs(parts: Works, key: str) -> list[Json]:
    """The app's direct messages to somebody."""
    channels = {c["id"] for c in parts.look("control/state")["channels"] if c.get("user") == user(key)}
    return [m for m in parts.messages() if m["channel"] in channels]


def asked(parts: Works, key: str) -> list[Json]:
    """The questions that somebody got."""
    return [m for m in directs(parts, key) if "Can you take over?" in everything(m)]


@contextmanager
def bot_of(parts: Works) -> Iterator[BotAtWork]:
    assert parts.workspace
    with running_bot(parts.workspace, parts.service) as bot:
        yield bot


def press(parts: Works, key: str, action: str) -> None:
    assert parts.workspace
    message = asked(parts, key)[-1]
    Person(parts.workspace, key).press(message, action, message["channel"])


def test_at_seven_whoever_did_least_is_asked_once(parts: Works) -> None:
    """Not a minute before, and not again by a worker that was started anew."""
    a_night(parts, until=239)
    assert asked(parts, "omar") == []
    parts.clock.push(minutes=1)
    for _ in range(3):
        upkeep(parts)
    (question,) = asked(parts, "omar")
    assert "was paged at night" in everything(question)
    assert not [fault for block in question["blocks"] for fault in problems(block)]
    assert (asked(parts, "mei"), asked(parts, "dana")) == ([], [])


def test_one_click_takes_the_shift_and_tells_the_tired_one(parts: Works) -> None:
    """Dana is off until three in the afternoon, and then on call again."""
    a_night(parts)
    with bot_of(parts):
        press(parts, "omar", "oncall_rest_take")
        eventually(lambda: parts.store.oncall_state().overrides)
        eventually(lambda: "can rest" in str(parts.messages()))
    upkeep(parts)
    company, state, now = parts.service.company, parts.store.oncall_state(), parts.clock.now
    assert on_call_at("primary", company, state, now) == ("omar",)
    assert on_call_at("primary", company, state, now.replace(hour=14, minute=59)) == ("omar",)
    assert on_call_at("primary", company, state, now.replace(hour=15)) == ("dana",)
    told = [everything(m) for m in directs(parts, "dana")]
    assert any("You are no longer on call in primary" in words for words in told)


def test_a_shift_taken_by_mistake_goes_back_with_undo_and_to_the_next(parts: Works) -> None:
    """The answer says first that it was cancelled, Dana hears it, and Mei is asked at once, without a wait."""
    a_night(parts)
    with bot_of(parts):
        press(parts, "omar", "oncall_rest_take")
        taken = eventually(lambda: next((m for m in directs(parts, "omar") if "✅" in everything(m)), None))
        assert parts.workspace
        Person(parts.workspace, "omar").press(taken, "oncall_undo", taken["channel"])
        eventually(lambda: not parts.store.oncall_state().overrides)
        undone = eventually(lambda: next((m for m in directs(parts, "omar") if "Cancelled" in everything(m)), None))
        assert undone["text"].startswith("↩️ *Cancelled* by")
    upkeep(parts)
    assert "Asked before you: " in everything(asked(parts, "mei")[-1])
    told = [everything(m) for m in directs(parts, "dana")]
    assert any("You are on call in primary" in words and "rest after a page" not in words for words in told)


def test_a_decline_asks_the_next_and_two_at_once_are_one(parts: Works) -> None:
    """Omar said nothing in time, so Mei is asked too; both click in the same instant."""
    a_night(parts)
    parts.clock.push(minutes=15)
    upkeep(parts)
    assert len(asked(parts, "mei")) == 1
    with bot_of(parts):
        clicks = [threading.Thread(target=press, args=(parts, key, "oncall_rest_take")) for key in ("omar", "mei")]
        for click in clicks:
            click.start()
        for click in clicks:
            click.join()
        said = eventually(lambda: words if "already" in (words := str(parts.messages())) else "")
    assert "has taken this shift already" in said
    assert len(parts.store.oncall_state().overrides) == 1


def test_when_all_decline_the_lead_knows(parts: Works) -> None:
    """Bruno leads Dana's team; she stays on call."""
    a_night(parts)
    with bot_of(parts):
        press(parts, "omar", "oncall_rest_decline")
        eventually(lambda: parts.store.oncall_state().rest[0].asked[0].declined_at)
        upkeep(parts)
        press(parts, "mei", "oncall_rest_decline")
        eventually(lambda: all(ask.declined_at for ask in parts.store.oncall_state().rest[0].asked))
        for _ in range(2):
            upkeep(parts)
    told = [m for m in directs(parts, "bruno") if "nobody took over" in everything(m)]
    assert len(told) == 1
    assert on_call_at("primary", parts.service.company, parts.store.oncall_state(), parts.clock.now) == ("dana",)


def test_a_quiet_night_asks_nobody(parts: Works) -> None:
    """A page in the evening that was answered in the evening is no night."""
    parts.clock.push(hours=-8)
    incident = parts.declare("P0")
    parts.service.handle(incident.id, Acknowledge(by=user("dana")))
    parts.service.handle(incident.id, Resolve(by=user("dana"), summary="A", resolution="B"))
    parts.run()
    parts.clock.push(hours=12)
    upkeep(parts)
    assert parts.store.oncall_state().rest == ()
    assert "Can you take over?" not in str(parts.messages())
