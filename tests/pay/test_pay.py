"""Pay: minutes from effective cover, and what the rates make of them."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from escalation.config.company import Company
from escalation.figures.load import by_person, loads, on_and_off_call
from escalation.figures.load_words import load_line
from escalation.oncall import overrides
from escalation.oncall.minutes import Stretch, merged, minute_of, pieces, without
from escalation.oncall.schedule import EMPTY_STATE, OncallState
from escalation.pay.report import KINDS, PayReport, changes, rounded
from tests.pay.company import BERLIN, PAY, THREE, berlin, company, evidence, incident, paid

HOUR, WEEK = timedelta(hours=1), 7 * 24 * 60
FIRST = (berlin(19), berlin(26))  # Dana's week: its Sunday has 25 hours
SPAN = 21 * 24 * 60
ZONES = (BERLIN, "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia", "UTC")


def minutes(report: PayReport) -> dict[str, int]:
    return {row.person: row.minutes for row in report.rows if row.minutes}


def moved(of: Company, hours: list[tuple[int, int, str]]) -> OncallState:
    """The schedule with overrides: (minutes from the start, length, by whom)."""
    state = EMPTY_STATE
    for after, length, person in hours:
        starts = berlin(19) + timedelta(minutes=after)
        ends = starts + timedelta(minutes=length)
        state = overrides.add_override(state, of, "primary", person, starts, ends, berlin(18))
    return state


OVERRIDES = st.lists(st.tuples(st.integers(0, SPAN), st.integers(1, 5000), st.sampled_from(THREE)), max_size=5)


@given(OVERRIDES, st.integers(0, SPAN), st.integers(1, SPAN))
def test_the_sum_of_the_minutes_is_the_covered_time(made: list[Any], after: int, length: int) -> None:
    """Whoever took over from whom, on a day of 25 hours as on any other: each minute is one person's."""
    start = berlin(19) + timedelta(minutes=after)
    report = paid(company(), start, start + timedelta(minutes=length), state=moved(company(), made))
    assert sum(row.minutes for row in report.rows) == length
    assert sum(sum(getattr(row, kind) for kind in KINDS) for row in report.rows) == length
    assert report.uncovered == {}


@given(OVERRIDES, st.integers(0, WEEK))
def test_an_hour_that_changes_hands_moves_sixty_minutes(made: list[Any], after: int) -> None:
    """To whoever takes it, from whoever had it, and nothing else."""
    starts = berlin(19) + timedelta(minutes=after)
    before = moved(company(), made)
    now = overrides.add_override(before, company(), "primary", "mei", starts, starts + HOUR, berlin(18))
    had = minutes(paid(company(), starts, starts + HOUR, state=before))
    was, became = (minutes(paid(company(), *FIRST, state=state)) for state in (before, now))
    gained = {person: became.get(person, 0) - was.get(person, 0) for person in THREE}
    assert gained == {person: -had.get(person, 0) + 60 * (person == "mei") for person in THREE}


def test_a_swap_of_one_hour_moves_exactly_sixty() -> None:
    """Dana's week less an hour is Omar's hour."""
    state = moved(company(), [(600, 60, "omar")])
    assert minutes(paid(company(), *FIRST, state=state)) == {"dana": WEEK + 60 - 60, "omar": 60}


@given(st.sampled_from(ZONES), st.integers(0, 400 * 24 * 60), st.integers(0, 10_000))
def test_pieces_make_up_their_stretch_in_every_zone(zone: str, after: int, length: int) -> None:
    """No minute lost or doubled, over every change of the clocks; each lies in one local day, all night or none."""
    start = minute_of(berlin(1, month=1)) + after
    place = company(calendar={"timezone": zone}).place_of("dana")
    found = list(pieces(Stretch(start, start + length), place))
    assert [piece.starts for piece in found] == [start, *(piece.ends for piece in found)][: len(found)]
    assert sum(piece.length for piece in found) == length
    assert all(piece.length <= piece.of_day for piece in found)


STRETCHES = st.lists(st.builds(lambda s, n: Stretch(s, s + n), st.integers(0, 60), st.integers(0, 20)), max_size=6)


@given(STRETCHES, STRETCHES)
def test_stretches_are_sets_of_minutes(some: list[Stretch], others: list[Stretch]) -> None:
    """Merged and taken away as sets would be."""

    def members(stretches: Any) -> list[int]:
        return [minute for s in stretches for minute in range(s.starts, s.ends)]

    assert members(merged(some)) == sorted(set(members(some)))
    for stretch in some:
        assert members(without(stretch, others)) == sorted(set(members([stretch])) - set(members(others)))


def test_a_week_of_169_hours_pays_one_stipend() -> None:
    """The clocks went back in it: more minutes by the hour, but a week is a week."""
    row = paid(company(), *FIRST).row("dana", "primary")
    assert (row.minutes, row.stipend) == (WEEK + 60, Decimal("210.00"))
    night, weekend = 5 * 9, 49  # hours: five nights of the week's working days, Saturday and the long Sunday
    assert (row.night, row.weekend, row.working, row.ordinary) == (night * 60, weekend * 60, 40 * 60, 35 * 60)
    assert row.on_call == Decimal(75 * 1 + night * 4 + weekend * 6)
    assert (row.nights, row.weekends) == (45 * 60 + 19 * 60, weekend * 60)  # the weekend's nights are nights too


def test_working_hours_may_pay_nothing() -> None:
    """Nine to five of working days is work; the evenings of those are paid by the hour."""
    row = paid(company(pay={**PAY, "working_hours": 0}), *FIRST).row("dana", "primary")
    assert (row.working, row.ordinary) == (40 * 60, 35 * 60)
    assert row.on_call == Decimal(35 * 1 + 45 * 4 + 49 * 6)


def test_half_a_day_is_a_fourteenth_of_the_stipend() -> None:
    """And three hours of the day of 25 are three of its 25."""
    only = company(pay={"currency": "EUR", "weekly_stipend": 140})
    assert paid(only, berlin(20), berlin(20, "12:00")).row("dana", "primary").stipend == Decimal("10.00")
    assert paid(only, berlin(25, "12:00"), berlin(25, "15:00")).row("dana", "primary").stipend == Decimal("2.40")


def test_a_holiday_pays_as_one_and_each_minute_once() -> None:
    """Saturday the 31st is a weekend as well: the higher rate holds for all of it."""
    row = paid(company(), berlin(31), berlin(1, month=11)).row("omar", "primary")
    assert (row.holiday, row.weekend, row.holidays, row.weekends) == (24 * 60, 0, 24 * 60, 24 * 60)
    assert row.on_call == Decimal("288.00")


def test_rates_are_the_persons_then_the_offices_then_the_companys() -> None:
    """Each by itself: what one leaves open, the next wider one says."""
    offices = {"tokyo": {"timezone": "Asia/Tokyo", "closed": {"2026-10-20": "a day off there"}}}
    people = {name: {"slack": f"U{name.upper()}"} for name in THREE}
    people["dana"] |= {"office": "tokyo"}
    of = company(
        offices=offices,
        people=people,
        pay={**PAY, "offices": {"tokyo": {"holiday": 20, "night": 5}}, "people": {"dana": {"night": 7}}},
    )
    row = paid(of, berlin(19, "17:00"), berlin(20, "17:00")).row("dana", "primary")  # all of the 20th in Tokyo
    assert (row.holiday, row.on_call) == (24 * 60, Decimal("480.00"))
    row = paid(of, berlin(20, "17:00"), berlin(21)).row("dana", "primary")  # 00:00 to 07:00 there
    assert (row.night, row.on_call) == (7 * 60, Decimal("49.00"))


def test_two_rotations_at_once_are_paid_once() -> None:
    """The minutes stand in both, the money in the first."""
    weekly = {"people": THREE, "first_shift": "2026-10-19", "timezone": BERLIN}
    of = company(rotations={"primary": weekly, "database": weekly})
    report = paid(of, berlin(20), berlin(21))
    first, second = report.row("dana", "primary"), report.row("dana", "database")
    assert (first.minutes, second.minutes) == (1440, 1440)
    assert (second.total, second.ordinary, second.night) == (Decimal("0.00"), 0, 0)
    assert first.total > 0


def test_work_outside_working_hours_is_overtime() -> None:
    """From 16:00 to 18:30: an hour and a half of it after the office closed, and no time off for a P1."""
    row = paid(company(), *FIRST, [incident("dana", berlin(20, "16:00"), berlin(20, "18:30"))]).row("dana", "primary")
    assert (row.response, row.overtime_minutes, row.overtime, row.time_off) == (150, 90, Decimal("90.00"), 0)
    assert (row.pages, row.night_pages) == (1, 0)


def test_a_short_call_out_counts_its_minimum() -> None:
    """Five minutes at three in the morning are half an hour; in working hours there is no call-out."""
    seen = [
        incident("dana", berlin(20, "03:00"), berlin(20, "03:05")),
        incident("dana", berlin(21, "11:00"), berlin(21, "11:05"), 2),
    ]
    row = paid(company(), *FIRST, seen).row("dana", "primary")
    assert (row.response, row.overtime_minutes, row.overtime) == (10, 30, Decimal("30.00"))
    assert (row.pages, row.night_pages) == (2, 1)


def test_two_incidents_at_once_are_one_work() -> None:
    """An hour in both is an hour; somebody who is not on call is paid for what they did as well."""
    seen = [
        incident("omar", berlin(20, "20:00"), berlin(20, "21:00"), severity="P0"),
        incident("omar", berlin(20, "20:30"), berlin(20, "21:30"), 2, severity="P0"),
    ]
    row = paid(company(), *FIRST, seen).row("omar", "")
    assert (row.response, row.overtime_minutes, row.overtime, row.time_off) == (90, 90, Decimal("90.00"), 480)


def test_drills_and_false_alarms_give_no_time_off() -> None:
    """A drill counts for nothing at all; a false alarm is work like any other."""
    at = (berlin(20, "20:00"), berlin(20, "21:00"))
    seen = [incident("dana", *at, severity="P0", drill=True)]
    assert paid(company(), *FIRST, seen).row("dana", "primary").response == 0
    false = replace(incident("dana", *at, severity="P0"), status="cancelled")
    row = paid(company(), *FIRST, [false]).row("dana", "primary")
    assert (row.response, row.time_off) == (60, 0)


def test_a_call_out_belongs_to_the_period_in_which_it_began() -> None:
    """One over midnight at the end of a month is neither doubled nor lost: all its eight hours are the first's."""
    seen = [incident("dana", berlin(22, "22:00"), berlin(23, "06:00"))]
    first = paid(company(), berlin(19), berlin(23), seen).row("dana", "primary")
    second = paid(company(), berlin(23), berlin(26), seen).row("dana", "primary")
    assert (first.overtime_minutes, second.overtime_minutes, second.response) == (480, 0, 0)


WORK = st.lists(st.tuples(st.integers(0, 6 * 24 * 60), st.integers(1, 600)), max_size=6)


@given(WORK, st.integers(1, 6))
def test_two_periods_have_the_work_of_both_together(worked: list[tuple[int, int]], day: int) -> None:
    """Wherever the month is cut, no minute of overtime is lost or paid twice."""
    begun = [(berlin(19) + timedelta(minutes=after), length) for after, length in worked]
    seen = [incident("omar", at, at + timedelta(minutes=n), k, "P0") for k, (at, n) in enumerate(begun)]
    cut = berlin(19 + day)

    def sums(*periods: tuple[datetime, datetime]) -> list[int]:
        rows = [row for period in periods for row in paid(company(), *period, seen).rows]
        return [
            sum(getattr(row, name) for row in rows) for name in ("response", "overtime_minutes", "time_off", "pages")
        ]

    assert sums((berlin(19), cut), (cut, berlin(28))) == sums((berlin(19), berlin(28)))


def test_work_that_is_not_over_is_named() -> None:
    """Of an open incident what is known by the end of the period."""
    seen = [replace(incident("dana", berlin(22, "22:00"), berlin(23, "01:00")), status="fixing")]
    report = paid(company(), berlin(19), berlin(23), seen)
    assert (report.row("dana", "primary").response, report.still_open) == (120, ("INC-20261020-001",))


def test_without_rates_there_is_the_load_and_no_money() -> None:
    """Somebody who only wants to know who did least needs no rates."""
    report = paid(company(pay=None), *FIRST)
    assert report.currency == ""
    assert report.row("dana", "primary").total == 0
    ranked = by_person(loads(company(), evidence(company(), *FIRST)))
    assert [load.person for load in ranked] == ["mei", "omar", "dana"]


def test_who_did_least_is_somebody_of_a_rotation() -> None:
    """A manager who was paged once did not take less of on call than others: they are in none, and stand apart."""
    found = loads(company(), evidence(company(), *FIRST, [incident("erik", berlin(20), berlin(20, "01:00"))]))
    on_call, others = on_and_off_call(found)
    assert [load.person for load in on_call] == ["mei", "omar", "dana"]
    assert [load_line(load) for load in others] == [": not on call; 1 page, 1 at night; 1:00 h in incidents"]


@given(st.fractions(min_value=0, max_value=10_000), st.integers(0, 4))
def test_amounts_are_rounded_half_up(amount: Fraction, decimals: int) -> None:
    """To the nearest unit, the half upwards, and never further than that."""
    found = Fraction(rounded(amount, decimals))
    unit = Fraction(1, 10**decimals)
    assert found % unit == 0
    assert -unit / 2 < found - amount <= unit / 2


def test_what_changed_since_it_was_final_is_named() -> None:
    """Row by row: the hour that was given away afterwards."""
    before = paid(company(), *FIRST)
    now = paid(company(), *FIRST, state=moved(company(), [(720, 60, "omar")]))
    found = {(c.person, c.field): (c.before, c.after) for c in changes(before, now)}
    assert found["dana", "minutes"] == (str(WEEK + 60), str(WEEK))
    assert found["omar", "minutes"] == ("0", "60")
    assert changes(before, before) == ()


@pytest.mark.parametrize("wrong", [-1, "a lot", True, "NaN", "1e9", "Infinity"])
def test_what_is_no_amount_is_refused(wrong: Any) -> None:
    """With what would be one."""
    with pytest.raises(ValidationError, match="is not an amount of money"):
        company(pay={**PAY, "hour": wrong})


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"pay": {**PAY, "people": {"zoe": {"hour": 1}}}}, "there is no person called 'zoe'"),
        ({"pay": {**PAY, "offices": {"oslo": {"hour": 1}}}}, "there is no office called 'oslo'"),
        (
            {"people": {n: {"slack": f"U{n.upper()}", "office": "oslo"} for n in THREE}},
            "there is no office called 'oslo'",
        ),
    ],
)
def test_rates_of_nobody_are_refused(changed: dict[str, Any], says: str) -> None:
    """A rate that would never be paid is a mistake."""
    with pytest.raises(ValidationError, match=says):
        company(**changed)


def test_a_gap_is_nobodys_and_is_named() -> None:
    """Everybody away for an hour: their minutes are less by it, and the report says so."""
    state: OncallState = EMPTY_STATE
    start: datetime = berlin(20, "10:00")
    for person in THREE:
        state = overrides.add_absence(state, company(), person, start, start + HOUR, berlin(18))
    report = paid(company(), *FIRST, state=state)
    assert report.uncovered == {"primary": 60}
    assert sum(row.minutes for row in report.rows) == WEEK
