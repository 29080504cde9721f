"""Do Not Disturb in Slack: seen before the page, said where people look, and gone round by the next method."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from bot.render.oncall import on_call_lines
from escalation.config.company import Company
from escalation.config.notify import Via
from escalation.incident.effects import PageBy
from escalation.text import text
from tests.support.company import example_data, user
from tests.support.worker import SlackByClock, Works, redis_of, works
from tocsin.doctor.redis_checks import surfaces_off
from workers.recurring.do_not_disturb import DoNotDisturb

WAKES = ("sms", "call")


@pytest.fixture
def parts(slack_by_clock: SlackByClock) -> Iterator[Works]:
    """Tocsin with the example's people, who have a phone each."""
    workspace, clock = slack_by_clock
    people = {key: {"slack": user(key), "phone": f"+491511234{n:04}"} for n, key in enumerate(example_data()["people"])}
    with redis_of("valkey") as redis:
        made = works(redis, workspace, clock, Company.model_validate(example_data() | {"people": people}))
        made.control("reset")
        made.service.set_up = frozenset({Via.SMS, Via.CALL})
        yield made


def on_call(parts: Works) -> str:
    return parts.service.roster(parts.clock.now).of("on_call")[0]


def silence(parts: Works, person: str, hours: float = 8) -> None:
    """Have somebody's Slack make no sound, and Tocsin ask for it."""
    now = parts.clock.seconds()
    parts.control(f"users/{person}", silent_from=now - 60, silent_until=now + 3600 * hours)
    DoNotDisturb(parts.context).refresh(parts.clock.now)


def sent_at_once(parts: Works, severity: str = "P0") -> dict[str, list[str]]:
    """Person -> the channels that an incident's page goes by as it is declared."""
    incident = parts.declare(severity)
    by: dict[str, list[str]] = {page.person: [] for page in incident.pages}
    for effect in incident.effects:
        if isinstance(effect, PageBy):
            by[incident.page(effect.page).person].append(effect.via)
    return by


def test_a_page_to_somebody_whose_slack_is_silent_goes_by_the_next_method_at_once(parts: Works) -> None:
    """Who sleeps behind Do Not Disturb gets the SMS with the page, and the call at its own time; others wait."""
    dana = on_call(parts)
    silence(parts, dana)
    sent = sent_at_once(parts)
    assert sent.pop(dana) == ["sms"]
    assert not any(sent.values())
    incident = parts.store.recent()[0]
    [call] = [c for c in incident.checkpoints if c.kind == "step" and c.about.startswith("1 ")]
    assert (call.about, call.due - incident.declared_at) == ("1 call", timedelta(minutes=3))


def test_the_card_and_on_call_say_who_is_silent_until_when(parts: Works) -> None:
    """The card says it of who is paged, `/incident oncall` of who would be."""
    dana = on_call(parts)
    silence(parts, dana)
    incident = parts.declare()
    parts.run()
    copy = parts.now(incident).card()
    assert copy
    [card] = [m for m in parts.messages() if m["ts"] == copy.ts and m["channel"] == copy.channel]
    ends = int(parts.clock.seconds()) + 8 * 3600
    assert f"<@{dana}>: Slack is silent until <!date^{ends}^" in str(card["blocks"])
    known = parts.store.roster_inputs()
    roster = parts.service.roster(parts.clock.now)
    company, policy = parts.service.company, parts.service.policy
    lines = text(on_call_lines(company, policy, known.directory, roster, parts.clock.now, known.state))
    assert f"🔕 The Slack of {dana} is silent until" in lines.replace("@", "")


@pytest.mark.parametrize("severity", ["P1", "P2"])
def test_a_page_that_is_not_urgent_respects_the_silence(parts: Works, severity: str) -> None:
    """It stands in Slack until its person looks, and wakes nobody earlier than else."""
    silence(parts, on_call(parts))
    assert not any(via in WAKES for sent in sent_at_once(parts, severity).values() for via in sent)


def test_a_silence_that_is_over_or_not_begun_changes_nothing(parts: Works) -> None:
    """Hours of the night are known during the day: only within them a page goes round Slack."""
    dana, now = on_call(parts), parts.clock.seconds()
    parts.control(f"users/{dana}", silent_from=now + 3600, silent_until=now + 7200)
    DoNotDisturb(parts.context).refresh(parts.clock.now)
    assert parts.store.roster_inputs().silences.people
    assert not any(sent_at_once(parts).values())
    parts.clock.push(hours=1)
    assert sent_at_once(parts)[dana] == ["sms"]
    parts.clock.push(hours=1)
    assert not any(sent_at_once(parts).values())


@pytest.mark.parametrize("error", ["missing_scope", "unknown_method", "feature_not_enabled"])
def test_where_slack_does_not_tell_it_is_switched_off_and_no_fault(parts: Works, error: str) -> None:
    """The doctor names it, readiness does not, what was known is forgotten, and Slack is asked no more that day."""
    silence(parts, on_call(parts))
    parts.fault("dnd.teamInfo", "error", error=error)
    for _ in range(2):
        DoNotDisturb(parts.context).refresh(parts.clock.now)
    assert len(parts.calls("dnd.teamInfo")) == 2
    [finding] = surfaces_off(parts.redis)
    assert (finding.state, error in finding.what) == ("ok", True)
    assert parts.store.problems.current() == []
    assert not any(sent_at_once(parts).values())


def test_an_answer_without_anybody_in_it_is_a_refusal(parts: Works) -> None:
    """It is switched off and named, rather than read as nobody who sleeps."""
    parts.fault("dnd.teamInfo", "without", fields=["users"])
    DoNotDisturb(parts.context).refresh(parts.clock.now)
    [finding] = surfaces_off(parts.redis)
    assert (finding.state, "no_field_users" in finding.what) == ("ok", True)


@pytest.mark.parametrize("kind", ["hang", "drop_before", "ratelimited"])
def test_while_slack_does_not_answer_what_was_known_holds(parts: Works, kind: str) -> None:
    """An outage of Slack in the night does not hide who sleeps."""
    dana = on_call(parts)
    silence(parts, dana)
    more = {"seconds": 0.1} if kind == "hang" else {"retry_after": 1} if kind == "ratelimited" else {}
    parts.fault("dnd.teamInfo", kind, **more)
    DoNotDisturb(parts.context).refresh(parts.clock.now)
    assert sent_at_once(parts)[dana] == ["sms"]
