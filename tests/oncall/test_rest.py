"""Rest after a night: who is asked to take over, in which order, and what becomes of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.config.company import Company, Directory
from escalation.config.policy import Policy
from escalation.errors import Refused
from escalation.messages.oncall import Announcer
from escalation.oncall import overrides, rest
from escalation.oncall.cover import planned_cover
from escalation.oncall.reminders import DueRestOffer, DueRestUnmet, due_reminders
from escalation.oncall.schedule import EMPTY_STATE, OncallState, RestDebt, on_call_at
from escalation.text import text
from tests.support.story import kars

PEOPLE = ["dana", "omar", "mei", "erik"]
SEVEN = datetime(2026, 12, 1, 7, tzinfo=UTC)  # a Tuesday; Dana has the week
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
WORKED = SEVEN - 3 * HOUR
RANKED = {"mei": 30, "erik": 600, "omar": 6000, "dana": 9000}


def company(**changed: Any) -> Company:
    data = {
        "policy": "kars",
        "rest": "11h",
        "people": {name: {"slack": f"U{name.upper()}"} for name in PEOPLE},
        "rotations": {"primary": {"people": PEOPLE, "first_shift": "2026-11-30"}},
        "teams": {"backend": {"lead": "erik", "members": PEOPLE}},
    }
    return Company.model_validate(data | changed)


def tired(of: Company, now: datetime = SEVEN, state: OncallState = EMPTY_STATE) -> OncallState:
    """Dana worked until four; her night is looked at."""
    return rest.see_nights(state, of, rest.mornings(of, state, now), {"dana": WORKED}, now)


def only(state: OncallState) -> RestDebt:
    (debt,) = state.rest
    return debt


def asked(state: OncallState) -> list[str]:
    return [ask.person for ask in only(state).asked]


def ask(state: OncallState, of: Company, now: datetime = SEVEN) -> OncallState:
    return rest.ask_next(state, of, RANKED, now)


def answer(state: OncallState, of: Company, who: str, did: Any = "take", now: datetime = SEVEN) -> OncallState:
    return rest.answer(state, of, only(state).id, who, f"U{who.upper()}", did, now)


def test_the_shift_is_offered_until_the_rest_is_over() -> None:
    """Eleven hours from the end of the work at four: until three in the afternoon, to whoever was on call least."""
    state = ask(tired(company()), company())
    assert (only(state).starts, only(state).ends) == (SEVEN, WORKED + 11 * HOUR)
    assert asked(state) == ["mei"]


def test_nights_are_looked_at_once_at_seven_of_each_ones_zone() -> None:
    """Not a minute earlier, not again the same day, and not hours after an outage."""
    of = company(
        offices={"tokyo": {"timezone": "Asia/Tokyo"}},
        people={n: {"slack": f"U{n.upper()}", **({"office": "tokyo"} if n == "mei" else {})} for n in PEOPLE},
    )
    assert set(rest.mornings(of, EMPTY_STATE, SEVEN - MINUTE)) == set()
    assert set(rest.mornings(of, EMPTY_STATE, SEVEN)) == {"dana", "omar", "erik"}
    assert rest.mornings(of, EMPTY_STATE, SEVEN - 9 * HOUR) == {"mei": SEVEN - 9 * HOUR}
    state = tired(of)
    assert rest.mornings(of, state, SEVEN + HOUR) == {}
    assert tired(of, SEVEN + HOUR, state) is state
    assert set(rest.mornings(of, EMPTY_STATE, SEVEN + 4 * HOUR)) == set()
    assert set(rest.mornings(of, state, SEVEN + timedelta(days=1))) == {"dana", "omar", "erik"}


def test_without_the_setting_nobody_is_asked() -> None:
    """It is off unless the company wants it."""
    assert rest.mornings(company(rest=None), EMPTY_STATE, SEVEN) == {}


def test_who_declines_or_says_nothing_is_followed_by_the_next() -> None:
    """At once, or after fifteen minutes; nobody is asked twice."""
    of = company()
    state = ask(tired(of), of)
    assert not rest.needs_asking(state, of, SEVEN + 14 * MINUTE)
    state = answer(state, of, "mei", "decline")
    assert rest.needs_asking(state, of, SEVEN)
    state = ask(state, of)
    assert asked(state) == ["mei", "erik"]
    assert asked(ask(state, of, SEVEN + 14 * MINUTE)) == ["mei", "erik"]
    state = ask(state, of, SEVEN + 15 * MINUTE)
    assert asked(state) == ["mei", "erik", "omar"]
    state = ask(state, of, SEVEN + 30 * MINUTE)
    assert (asked(state), only(state).unmet_at) == (["mei", "erik", "omar"], SEVEN + 30 * MINUTE)


def test_whoever_is_away_tired_or_asleep_is_not_asked() -> None:
    """Omar is on leave, Erik worked at night himself, and Mei sleeps until eight of our time: she is waited for."""
    of = company(
        offices={"west": {"timezone": "Etc/GMT+1"}},
        people={n: {"slack": f"U{n.upper()}", **({"office": "west"} if n == "mei" else {})} for n in PEOPLE},
        rotations={
            "primary": {"people": PEOPLE, "first_shift": "2026-11-30"},
            "database": {"people": ["erik"], "first_shift": "2026-11-30"},
        },
    )
    state = overrides.add_absence(EMPTY_STATE, of, "omar", SEVEN, SEVEN + 48 * HOUR, SEVEN)
    both = {"dana": WORKED, "erik": WORKED}
    state = rest.see_nights(state, of, rest.mornings(of, state, SEVEN), both, SEVEN)
    waiting = ask(state, of)
    assert next(d for d in waiting.rest if d.person == "dana").asked == ()
    assert next(d for d in waiting.rest if d.person == "dana").unmet_at is None
    later = ask(waiting, of, SEVEN + HOUR)
    assert [a.person for a in next(d for d in later.rest if d.person == "dana").asked] == ["mei"]


def test_one_click_makes_the_override() -> None:
    """From then until the rest is over, with a notice to the one who may rest."""
    of = company()
    state = answer(ask(tired(of), of), of, "mei", now=SEVEN + 5 * MINUTE)
    (override,) = state.overrides
    assert (override.person, override.starts, override.ends) == ("mei", SEVEN + 5 * MINUTE, WORKED + 11 * HOUR)
    assert state.notices[-1].concerned() == ("dana", "mei")
    assert not rest.needs_asking(state, of, SEVEN + HOUR)


def test_of_two_one_has_it() -> None:
    """Who was asked first may still take it, until somebody else has."""
    of = company()
    state = ask(ask(tired(of), of), of, SEVEN + 15 * MINUTE)
    state = answer(state, of, "mei", now=SEVEN + 16 * MINUTE)
    with pytest.raises(Refused, match="has taken this shift already"):
        answer(state, of, "erik", now=SEVEN + 16 * MINUTE)
    with pytest.raises(Refused, match="You have this shift already"):
        answer(state, of, "mei", now=SEVEN + 16 * MINUTE)
    with pytest.raises(Refused, match="asked of somebody else"):
        answer(state, of, "omar", now=SEVEN + 16 * MINUTE)
    assert len(state.overrides) == 1


def test_a_shift_that_changed_hands_is_not_asked_for_any_more() -> None:
    """Somebody took it by hand, or the rest is over."""
    of = company()
    state = ask(tired(of), of)
    moved = overrides.take_shift(state, of, "primary", "omar", SEVEN + MINUTE)
    assert not rest.needs_asking(moved, of, SEVEN + HOUR)
    with pytest.raises(Refused, match="somebody else's by now"):
        answer(moved, of, "mei", now=SEVEN + HOUR)
    with pytest.raises(Refused, match="That shift is over"):
        answer(state, of, "mei", now=WORKED + 11 * HOUR)


def test_a_shift_that_was_given_back_is_offered_to_the_next() -> None:
    """Who takes it by mistake cancels the override: it is as if they had declined, and the next one may take it."""
    of = company()
    state = answer(ask(tired(of), of), of, "mei")
    state = overrides.cancel(state, state.overrides[-1].id)
    assert rest.needs_asking(state, of, SEVEN + MINUTE)
    state = ask(state, of, SEVEN + MINUTE)
    assert (asked(state), only(state).taken_by) == (["mei", "erik"], "")
    assert [r.to for r in reminders(state, of, SEVEN + MINUTE)] == ["erik"]
    state = answer(state, of, "erik", now=SEVEN + 2 * MINUTE)
    assert on_call_at("primary", of, state, SEVEN + HOUR) == ("erik",)


def test_each_is_told_truly_why_they_are_asked() -> None:
    """The first did least; the second hears who did not take it, in place of that."""
    of = company()
    state = ask(ask(tired(of), of), of, SEVEN + 15 * MINUTE)
    first, second = (text(Announcer(of, Directory()).rest_offer(r)) for r in reminders(state, of, SEVEN + 15 * MINUTE))
    assert "Of those who can, you were on call least: 30 min in the last 30 days." in first
    assert "Asked before you: UMEI. You were on call for 10 h in the last 30 days." in second


def reminders(state: OncallState, of: Company, now: datetime) -> list[Any]:
    policy: Policy = kars()
    found = due_reminders(of, policy, state, Directory(), now)
    return [r for r in found if isinstance(r, DueRestOffer | DueRestUnmet)]


def test_the_lead_knows_when_nobody_took_it() -> None:
    """The lead of a team of theirs, and the tired one; each once."""
    of = company(rotations={"primary": {"people": ["dana", "mei"], "first_shift": "2026-11-30"}})
    state = ask(ask(tired(of), of), of, SEVEN + 15 * MINUTE)
    said = {r.to: r for r in reminders(state, of, SEVEN + 20 * MINUTE)}
    assert set(said) == {"mei", "dana", "erik"}
    words = text(Announcer(of, Directory()).rest_unmet(said["erik"]))
    assert "nobody took over" in words
    assert "Asked: " in words
    assert "override primary @person for 8h" in words  # from 07:15 until 15:00
    mine = text(Announcer(of, Directory()).rest_unmet(said["dana"]))
    assert "You stay on call in primary until" in mine


def test_without_a_lead_the_channel_knows() -> None:
    """Nobody leads them: the rotation's channel is told."""
    of = company(teams={}, rotations={"primary": {"people": ["dana"], "first_shift": "2026-11-30"}})
    state = ask(tired(of), of)
    said = reminders(state, of, SEVEN)
    assert [r.to for r in said] == ["", "dana"]
    assert said[0].channel == "incidents"


def test_an_answered_question_is_not_sent_again() -> None:
    """Nor one that was answered before it could be sent."""
    of = company()
    state = ask(tired(of), of)
    assert [r.to for r in reminders(state, of, SEVEN)] == ["mei"]
    assert reminders(answer(state, of, "mei", "decline"), of, SEVEN) == []
    assert reminders(answer(state, of, "mei"), of, SEVEN) == []


STEPS = st.lists(
    st.tuples(
        st.integers(0, 90), st.sampled_from(("ask", "take", "decline", "away", "override")), st.sampled_from(PEOPLE)
    ),
    max_size=12,
)


@given(STEPS)
def test_whatever_is_answered_somebody_is_on_call(steps: list[tuple[int, str, str]]) -> None:
    """And at most one override follows from one debt."""
    of, now = company(), SEVEN
    state = tired(of)
    for minutes, did, who in steps:
        now += minutes * MINUTE
        try:
            if did == "ask":
                state = ask(state, of, now)
            elif did == "away" and len({a.person for a in state.away} | {who}) < len(PEOPLE):
                state = overrides.add_absence(state, of, who, now, now + 4 * HOUR, now)
            elif did == "override":
                state = overrides.add_override(state, of, "primary", who, now, now + 2 * HOUR, now)
            elif did in ("take", "decline"):
                state = answer(state, of, who, did, now)
        except Refused:
            continue
    gaps = [c for c in planned_cover(of, state, SEVEN, SEVEN + 24 * HOUR) if not c.people]
    away = {p for p in PEOPLE if any(a.person == p for a in state.away)}
    assert not gaps or away == set(PEOPLE)
    assert sum(o.why == rest.WHY for o in state.overrides) <= 1
    assert on_call_at("primary", of, state, SEVEN)
