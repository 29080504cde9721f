"""The proof of an import: whatever layers a source has, ours say the same, and a difference does not pass unseen."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation.config.company import Company
from tocsin.imports.model import (
    Export,
    ImportFault,
    Member,
    Override,
    Repeated,
    Schedule,
    SourceLayer,
    Span,
    WeeklyHours,
)
from tocsin.imports.proof import differences, next_clock_change, spoken
from tocsin.imports.recurrence import layers, parse_dates, parse_rule
from tocsin.imports.writing import written

NOW = datetime(2026, 10, 10, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
PEOPLE = ("a", "b", "c")


def exported(*found: SourceLayer, overrides: tuple[Override, ...] = ()) -> Export:
    members = {p: Member(p, p.upper(), f"{p}@example.com") for p in PEOPLE}
    return Export("Test", members, {"s": Schedule("s", "Primary", "UTC", found, overrides)})


def differing(export: Export, against: Export | None = None) -> list[str]:
    """What differs between an export and the configuration that is written of it, or of another one."""
    made = written(against or export, "kars", NOW)
    company = Company.model_validate({**made.config, "policy": "kars"})
    return [spoken(d) for d in differences(export, made, company, NOW, timedelta(days=30))]


def _hours() -> st.SearchStrategy[WeeklyHours]:
    starts = st.sampled_from([time(0, 0), time(6, 30), time(9, 0), time(22, 0)])
    return st.builds(
        WeeklyHours, st.integers(0, 6), starts, st.sampled_from([1, 8, 24, 30, 62]).map(lambda h: timedelta(hours=h))
    )


def _layer() -> st.SearchStrategy[SourceLayer]:
    places = st.lists(st.lists(st.sampled_from(PEOPLE), max_size=2, unique=True).map(tuple), max_size=2)
    return st.builds(
        SourceLayer,
        name=st.just("layer"),
        places=places.map(lambda more: (("a",), *more)),
        start=st.integers(0, 2000).map(lambda h: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=h)),
        every=st.sampled_from([2, 8, 12, 24, 48, 168, 336]).map(lambda h: timedelta(hours=h)),
        zone=st.sampled_from(ZONES),
        hours=st.lists(_hours(), max_size=3).map(tuple),
        level=st.integers(0, 2),
    )


def _clear_of_clock_changes(found: list[SourceLayer]) -> bool:
    """An edge at a wall-clock time that comes twice, or never, has no one meaning: the sources do not say theirs."""
    for layer in found:
        local = layer.start.astimezone(ZoneInfo(layer.zone))
        at = {(local + n * layer.every).hour for n in range(12)} if layer.every < timedelta(days=1) else {local.hour}
        edges = at | {h.starts.hour for h in layer.hours}
        edges |= {(datetime.combine(NOW.date(), h.starts) + h.length).hour for h in layer.hours}
        if edges & {1, 2, 3}:
            return False
    return True


@settings(max_examples=40, deadline=None)
@given(found=st.lists(_layer(), min_size=1, max_size=3).filter(_clear_of_clock_changes))
def test_whatever_layers_there_are_both_calendars_agree(found: list[SourceLayer]) -> None:
    """In five zones, over their clock changes, with hours over midnight, empty places and levels."""
    if all(layer.every >= timedelta(hours=2) for layer in found):
        assert differing(exported(*found)) == []


def test_overrides_replace_everybody() -> None:
    """Those to come are written as layers on top."""
    layer = SourceLayer("l", (("a",), ("b",)), NOW, timedelta(days=1), "UTC")
    cover = Override(("c",), NOW + timedelta(days=3), NOW + timedelta(days=4))
    assert differing(exported(layer, overrides=(cover,))) == []
    (missing,) = differing(exported(layer, overrides=(cover,)), against=exported(layer))
    assert "C by the rules of Test, B here" in missing


def test_another_order_is_a_difference() -> None:
    """A day too many, or people in another order, does not pass."""
    layer = SourceLayer("l", (("a",), ("b",)), NOW, timedelta(days=1), "Europe/Berlin")
    for wrong in (replace(layer, places=(("b",), ("a",))), replace(layer, every=timedelta(days=2))):
        assert differing(exported(layer), against=exported(wrong))


def test_the_next_clock_change_is_looked_at() -> None:
    """Though it is months away."""
    berlin = next_clock_change("Europe/Berlin", datetime(2026, 11, 29, tzinfo=UTC))
    assert berlin == datetime(2027, 3, 28, 1, tzinfo=UTC)
    assert next_clock_change("Asia/Kolkata", NOW) is None


def test_rules_of_recurrence_count_occurrences() -> None:
    """Two shifts each from a Wednesday on, over weekends: the proof is a list that was counted by hand."""
    start = datetime(2026, 10, 14, 9, tzinfo=UTC)  # a Wednesday
    rule = parse_rule("RRULE:FREQ=WEEKLY;BYDAY=MO,WE,FR", "test")
    shift = Repeated("s", start, start + timedelta(hours=8), "UTC", rule, (("a",), ("b",)), each=2)
    export = exported(*layers(shift))
    days = {14: "a", 16: "a", 19: "b", 21: "b", 23: "a", 26: "a", 28: "b", 30: "b"}
    wanted = tuple(
        Span((person,), datetime(2026, 10, day, 9, tzinfo=UTC), datetime(2026, 10, day, 17, tzinfo=UTC))
        for day, person in days.items()
    )
    with_calendar = Export("Test", export.members, {"s": replace(export.schedules["s"], rendered=wanted)})
    assert differing(with_calendar) == []


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=WEEKLY;INTERVAL=²",
        "FREQ=WEEKLY;INTERVAL=999999999",
        "FREQ=DAILY;COUNT=0",
        "FREQ=WEEKLY;WKST=XX",
        "FREQ=WEEKLY;BYDAY=MO,LUN",
        "FREQ=DAILY;BYMONTH=13",
        "FREQ=DAILY;BYMONTHDAY=foo",
        "FREQ",
    ],
)
def test_what_is_no_rule_of_recurrence_is_said(rule: str) -> None:
    """With its place in the export: it was a failure of ours, or counted as another rule."""
    with pytest.raises(ImportFault, match=r"schedule P: .* is no recurrence rule"):
        parse_rule(f"RRULE:{rule}", "schedule P")


def test_dates_that_are_left_out_in_a_zone_that_nobody_knows_are_said() -> None:
    """As any other zone of an export is."""
    with pytest.raises(ImportFault, match="schedule P: 'Mars/Olympus' is not a time zone"):
        parse_dates("EXDATE;TZID=Mars/Olympus:20261225T090000", "schedule P", "UTC")
