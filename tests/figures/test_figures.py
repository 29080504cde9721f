"""Figures: from which event to which, what is left out and why, and that they follow from the timeline alone."""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.month import recount
from escalation.config.rules.communications import Means
from escalation.errors import Refused
from escalation.figures import words
from escalation.figures.observation import Observation, decode, encode, observe, text_of
from escalation.figures.periods import parse_period
from escalation.figures.report import MEASURES, MIN_FOR_TREND, IncidentReport, Share, incident_report
from escalation.incident.events.moves import (
    Acknowledge,
    Answer,
    AnswerCommunication,
    Cancel,
    FixApplied,
    MoveEvent,
    Reopen,
    Resolve,
    RootCause,
    StartFix,
    StateTimes,
)
from escalation.incident.impact import impact_times
from escalation.incident.model import Incident
from tests.support.story import START, Story
from tocsin.commands.record.verify import recomputed

OMAR = "UONCALL"
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
RESOLVE = Resolve(by=OMAR, summary="A", resolution="B")


def times(incident: Incident) -> dict[str, float | str]:
    seen = observe(incident)
    return {measure.key: measure.of(seen) for measure in MEASURES}


def worked_on() -> Story:
    story = Story("P1").until(4).do(Acknowledge(by=OMAR)).until(10).do(RootCause(by=OMAR, cause="Disk"))
    story = story.until(12).do(StartFix(by=OMAR, text="x")).until(20).do(FixApplied(by=OMAR))
    return story.until(50).do(RESOLVE)


def test_each_time_is_between_two_named_events() -> None:
    """MTTA from the first page to the first acknowledgement, the rest from the declaration, in seconds."""
    assert times(worked_on().incident) == {
        "detect": "nobody said when the impact began",
        "declare": "nobody said when it was detected",
        "mitigate": "nobody said when the impact began",
        "mtta": 240.0,
        "root_cause": 600.0,
        "fix": 1200.0,
        "tell": "nobody outside was told",
        "mttr": 3000.0,
    }


def test_times_of_the_impact_are_what_people_stated_last() -> None:
    """To detect: from its beginning; to declare: from the detection; to mitigate: until its end. Nothing is assumed."""
    story = worked_on().until(60).do(StateTimes(by=OMAR, began=START - 20 * MINUTE, detected=START - 9 * MINUTE))
    assert times(story.incident)["mitigate"] == "nobody said when the impact ended"
    story = story.do(StateTimes(by=OMAR, detected=START - 5 * MINUTE, ended=START + 40 * MINUTE))
    found = times(story.incident)
    assert (found["detect"], found["declare"], found["mitigate"]) == (15 * 60, 5 * 60, 60 * 60)
    known = impact_times(story.incident)
    for wrong, why in (
        ({"ended": START + 61 * MINUTE}, "still to come"),
        ({"ended": START - 30 * MINUTE}, "cannot end before it begins"),
        (known, "nothing changed"),
    ):
        with pytest.raises(Refused, match=why):
            story.do(StateTimes.model_validate({"by": OMAR, **wrong}))


@pytest.mark.parametrize(
    ("story", "reasons"),
    [
        (Story("P1").until(5), dict.fromkeys(("mtta", "root_cause", "fix", "tell", "mttr"), "still open")),
        (
            Story("P3").until(5).do(RESOLVE),
            {
                "mtta": "nobody was paged",
                "root_cause": "no root cause was stated",
                "fix": "no fix was marked as applied",
            },
        ),
        (Story("P1").until(5).do(RESOLVE), {"mtta": "never acknowledged"}),
        (Story("P1").until(5).do(Cancel(by=OMAR)), {"mttr": "never resolved"}),
    ],
)
def test_what_has_no_such_time_is_left_out_with_its_reason(story: Story, reasons: dict[str, str]) -> None:
    """Never zero, and never taken from another event."""
    assert {key: why for key, why in times(story.incident).items() if key in reasons} == reasons


def test_a_reopened_incident_is_resolved_when_it_was_for_good() -> None:
    """Its time to resolve ends with the last resolution; the first acknowledgement counts."""
    story = (
        worked_on().until(60).do(Reopen(by=OMAR, why="again")).until(70).do(Acknowledge(by=OMAR)).until(90).do(RESOLVE)
    )
    assert times(story.incident)["mttr"] == 90 * 60
    assert times(story.incident)["mtta"] == 240.0
    assert observe(story.incident).reopened == 1


def test_an_open_one_that_was_reopened_has_no_times_yet() -> None:
    """Until it is closed again."""
    assert set(times(worked_on().until(60).do(Reopen(by=OMAR, why="again")).incident).values()) == {"still open"}


def test_targets_are_those_of_then() -> None:
    """An acknowledgement in time stays in time when the severity is changed afterwards."""
    story = Story("P2").until(8).do(Acknowledge(by=OMAR))
    assert observe(story.incident).acknowledged_in_time is True
    assert observe(story.until(20).change_to("P0").until(300).do(RESOLVE).incident).acknowledged_in_time is True
    assert observe(story.incident).resolved_in_time is False


def test_what_tocsin_told_by_itself_in_time_is_a_promise_kept() -> None:
    """A status page that publishes itself has a deadline like any other; one that a person forgot is broken."""
    by_itself = Story("P0", public_page=True, public_means=(Means.STATUS_PAGE,)).until(1).do(RESOLVE)
    seen = observe(by_itself.incident)
    assert (seen.promised, seen.late) == (3, 0)  # the page, twice, and that stakeholders heard it works again


def test_what_nobody_told_in_time_is_a_promise_broken_though_the_end_replaced_it() -> None:
    """The status page was due after 15 minutes, mail to stakeholders after 30: the end does not undo it."""
    seen = observe(Story("P0").until(60).do(RESOLVE).incident)
    assert (seen.promised, seen.late) == (3, 2)
    early = observe(Story("P0").until(9).do(RESOLVE).incident)
    assert early.late == 0


def test_a_share_of_nothing_reads_as_neither_kept_nor_broken() -> None:
    """Not as `none`, behind the name of a promise."""
    assert words.share_of(Share(0, 0)) == "no cases"


def moves() -> st.SearchStrategy[list[tuple[int, MoveEvent]]]:
    kinds: tuple[MoveEvent, ...] = (
        Acknowledge(by=OMAR),
        RootCause(by=OMAR, cause="x"),
        StartFix(by=OMAR, text="x"),
        FixApplied(by=OMAR),
        RESOLVE,
        StateTimes(by=OMAR, began=START - DAY, detected=START - timedelta(hours=3, milliseconds=5)),
        StateTimes(by=OMAR, began=START + timedelta(minutes=50), ended=START + timedelta(minutes=70, milliseconds=3)),
        Reopen(by=OMAR, why="again"),
        Cancel(by=OMAR),
    )
    return st.lists(st.tuples(st.integers(0, 90), st.sampled_from(kinds)), max_size=9)


def lived_through(severity: str, done: list[tuple[int, MoveEvent]]) -> Incident:
    """An incident with every move that was allowed, each so many minutes after the one before."""
    story = Story(severity)
    for minutes, move in done:
        story = story.until(story.minute + minutes)
        try:
            story = story.do(move)
        except Refused:  # not allowed now
            continue
    return story.incident


@given(severity=st.sampled_from(("P0", "P1", "P2", "P3")), done=moves())
def test_the_recount_of_the_scripted_month_finds_every_time(severity: str, done: list[tuple[int, MoveEvent]]) -> None:
    """The same times to the millisecond, those of the impact as well, and none besides."""
    incident = lived_through(severity, done)
    found = {key: time for key, time in times(incident).items() if not isinstance(time, str)}
    assert recount.times(incident.model_dump(mode="json")) == pytest.approx(found, abs=0.0005)


@given(severity=st.sampled_from(("P0", "P1", "P2", "P3")), done=moves())
def test_every_time_follows_from_the_timeline_alone(severity: str, done: list[tuple[int, MoveEvent]]) -> None:
    """Recomputed from the exported timeline by code of its own, to the millisecond, whatever happened."""
    incident = lived_through(severity, done)
    exported = json.loads(incident.model_dump_json(include={"status", "timeline", "communications"}))
    again = recomputed(exported)
    for key, found in times(incident).items():
        expected = again[key]
        assert (expected is None) == isinstance(found, str), key
        assert isinstance(found, str) or expected is None or abs(found - expected) < 0.001


@given(done=moves())
def test_an_observation_survives_being_stored(done: list[tuple[int, MoveEvent]]) -> None:
    """What was encoded is decoded as it was, also as an earlier build stored it; a newer field is passed over."""
    story = Story("P1")
    for minutes, move in done:
        story = story.until(story.minute + minutes)
        try:
            story = story.do(move)
        except Refused:
            continue
    seen = observe(story.incident)
    assert decode(encode(seen)) == decode(text_of(encode(seen))) == decode(text_of(encode(seen)).encode()) == seen
    assert decode(json.dumps(json.loads(text_of(encode(seen))) | {"newer": 1})) == seen


def made(minutes: float, *, n: int = 0, at: datetime = START, **more: object) -> Observation:
    start = at.timestamp()
    facts = {"severity": "P1", "first_severity": "P1", "status": "resolved", "resolved": start + 60 * minutes}
    return Observation(id=f"INC-{n}", declared=start, **(facts | more))  # type: ignore[arg-type]  # by name


def of(seen: list[Observation], **more: Any) -> IncidentReport:
    return incident_report(seen, START - DAY, START + DAY, **more)


def row(report: IncidentReport, measure: str) -> tuple[int, float, float, float]:
    found = next(r for r in report.rows if r.measure == measure)
    return (found.n, found.p50, found.p90, found.most)


def test_the_longest_is_never_hidden() -> None:
    """Of seven incidents, one of more than a day, the maximum and the total say so; mean and median alone would not."""
    report = of([made(m, n=n) for n, m in enumerate((1774, 43, 4, 5, 6, 7, 5))])
    assert row(report, "mttr") == (7, 6 * 60, 1774 * 60, 1774 * 60)
    _, cells = words.table(report, mean=True)
    assert cells[-1] == ("Time to resolve (MTTR)", "P1", "7", "6m", "1d6h", "1d6h", "1d7h", "4h23m")


def test_there_is_no_trend_below_a_stated_number() -> None:
    """With one incident fewer in either period, none is shown."""
    now = [made(10, n=n) for n in range(MIN_FOR_TREND)]
    before = [made(20, n=100 + n, at=START - 2 * DAY) for n in range(MIN_FOR_TREND)]
    trend = next(r.trend for r in of([*now, *before]).rows if r.measure == "mttr")
    assert trend == -600
    for fewer in ([*now[1:], *before], [*now, *before[1:]]):
        assert next(r.trend for r in of(fewer).rows if r.measure == "mttr") is None


def test_why_there_is_no_trend_is_said_once() -> None:
    """Not behind each of five times; where some have one, it is said of the others."""
    few = [made(10, n=n) for n in range(MIN_FOR_TREND)]
    before = [made(20, n=100 + n, at=START - 2 * DAY) for n in range(MIN_FOR_TREND)]
    for seen, said in (([made(10)], "No trend: that takes"), ([*few, *before], "No trend of the others: that takes")):
        lines = list(words.definitions(of(seen)))
        assert [line.startswith(said) for line in lines] == [*[False] * len(MEASURES), True]
        assert sum("No trend" in line for line in lines) == 1


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-02-28T23:00Z", "2026-03-31T22:00Z", "in March 2026"),
        ("2025-11-30T23:00Z", "2025-12-31T23:00Z", "in December 2025"),
        ("2026-02-28T23:00Z", "2026-03-07T23:00Z", "from 2026-03-01 to 2026-03-07"),
        ("2026-03-28T23:00Z", "2026-03-29T22:00Z", "on 2026-03-29"),  # a day of 23 hours
        ("2026-03-01T00:00Z", "2026-04-01T00:00Z", "from 2026-03-01 01:00 until 2026-04-01 02:00"),
    ],
)
def test_a_period_is_said_by_the_clocks_of_the_company(since: str, until: str, said: str) -> None:
    """March in Berlin begins at its own midnight, and not at 23:00 of the day before."""
    report = incident_report([], datetime.fromisoformat(since), datetime.fromisoformat(until))
    assert words.title(report, "Europe/Berlin") == f"Incidents declared {said} (Europe/Berlin)"


def test_the_row_of_every_severity_says_so() -> None:
    """No cell of a name is empty: that would read as a severity that got lost."""
    _, cells = words.table(of([made(10), made(20, n=1, severity="P2")]))
    assert {row[1] for row in cells} == {"all", "P1", "P2"}


def test_a_duplicate_is_no_false_alarm() -> None:
    """The trouble was real, and counts under the other's name."""
    seen = observe(Story("P1").until(5).do(Cancel(by=OMAR, duplicate_of="INC-20241218-002")).incident)
    report = of([seen])
    assert report.left_out == {"duplicate": 1}
    assert not report.false_alarms


def test_drills_and_false_alarms_are_counted_apart() -> None:
    """They stand in no time, and the report says how many there were; false alarms by source, and of all together."""
    seen = [made(10), made(9, n=1, drill=True), made(8, n=2, status="cancelled", resolved=None, source="Alertmanager")]
    report = of(seen)
    assert report.left_out == {"drill": 1, "false alarm": 1}
    assert row(report, "mttr")[0] == 1
    assert words.share_of(report.false_alarms["Alertmanager"]) == "1 of 1 (100 %)"
    assert "False alarms, of all sources: 1 of 2 (50 %)" in words.promises(report)
    assert not any("of all sources" in said for said in words.promises(of(seen[2:])))
    assert list(words.summary(report)) == ["1 incident: 1 P1 (left out: 1 drill, 1 false alarm)."]


@pytest.mark.parametrize("seen", [[], [made(10)], [made(10, drill=True)]])
def test_a_report_on_nothing_or_one_reads_well(seen: list[Observation]) -> None:
    """It says that there was nothing, or shows the one."""
    report = of(seen)
    lines = [words.title(report, "UTC"), *words.summary(report), *words.definitions(report), *words.promises(report)]
    assert all(lines)
    assert [cells[2] for cells in words.table(report)[1] if cells[2] == "0"] == []


def test_where_nothing_was_closed_one_line_says_so() -> None:
    """In place of rows without figures, and of what each would have been; one that is closed has its times."""
    report = of([made(10, status="investigating", resolved=None), made(5, n=1, status="fixing", resolved=None)])
    assert list(words.definitions(report)) == ["No times yet: nothing of this period was closed."]
    assert words.table(report)[1] == []
    assert words.table(of([made(10, n=2), *report.observations]))[1]


def test_pages_stand_under_the_local_hour_over_a_change_of_the_clock() -> None:
    """02:30 local time after the end of summer time is that hour, and counts as night."""
    page = datetime(2024, 10, 27, 1, 30, tzinfo=UTC)  # 02:30 in Berlin, for the second time
    seen = made(10, at=page, pages=(("UONCALL", page.timestamp()),))
    report = incident_report([seen], page - DAY, page + DAY, zone="Europe/Berlin")
    assert report.by_hour[2] == 1
    assert report.at_night == {"UONCALL": 1}


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("7d", "2024-12-11T09:00", "2024-12-18T09:00"),
        ("2024-11", "2024-11-01T00:00", "2024-12-01T00:00"),
        ("november", "2024-11-01T00:00", "2024-12-01T00:00"),
        ("last month", "2024-11-01T00:00", "2024-12-01T00:00"),
        ("month", "2024-12-01T00:00", "2024-12-18T09:00"),
        ("dec", "2024-12-01T00:00", "2024-12-18T09:00"),
        ("january", "2024-01-01T00:00", "2024-02-01T00:00"),
    ],
)
def test_periods_are_read_as_people_write_them(text: str, since: str, until: str) -> None:
    """Months are those of the company's zone; the running one ends now."""
    now = datetime(2024, 12, 18, 9, tzinfo=UTC)
    found = parse_period(text, now, "UTC")
    assert found == tuple(datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (since, until))


@pytest.mark.parametrize("text", ["2025-01", "ju", "13", "0d", "-3d", "2024-13", "yesterday", "99999d"])
def test_other_words_are_no_period(text: str) -> None:
    """The refusal says how to write one."""
    with pytest.raises(ValueError, match=r"Write `7d`|still to come"):
        parse_period(text, datetime(2024, 12, 18, 9, tzinfo=UTC), "UTC")


def test_pages_stand_under_the_hour_of_whoever_got_them() -> None:
    """Eleven in the morning in Berlin wakes somebody in New York; without a zone of their own the company's counts."""
    page = datetime(2024, 12, 18, 10, tzinfo=UTC).timestamp()
    seen = made(10, pages=(("UBERLIN", page), ("UYORK", page), ("UNOBODY", page)))
    zones = {"UBERLIN": "Europe/Berlin", "UYORK": "America/New_York"}
    report = incident_report([seen], START - DAY, START + DAY, zone="Asia/Tokyo", zones=zones)
    assert [(hour, n) for hour, n in enumerate(report.by_hour) if n] == [(5, 1), (11, 1), (19, 1)]
    assert report.at_night == {"UYORK": 1}


@given(minutes=st.lists(st.floats(0, 50_000), max_size=40), severities=st.randoms())
def test_a_table_of_times_is_what_a_second_computation_finds(minutes: list[float], severities: Random) -> None:
    """n, p50, p90, max, total and mean, for all and by severity, from the sorted times alone."""
    seen = [made(m, n=n, severity=severities.choice(("P0", "P1"))) for n, m in enumerate(minutes)]
    for row in (r for r in of(seen).rows if r.measure == "mttr"):
        mine = [s for s in seen if row.severity in ("all", s.severity)]
        times = sorted((s.resolved or 0) - s.declared for s in mine)
        assert row.n == len(times)
        if times:
            reached = [
                next(t for t in times if sum(u <= t for u in times) >= share * len(times)) for share in (0.5, 0.9)
            ]
            assert [row.p50, row.p90, row.most] == pytest.approx([*reached, max(times)], abs=0.001)
            assert [row.total, row.mean] == pytest.approx([sum(times), fmean(times)], abs=0.001)


def test_customers_are_told_when_the_first_word_is_outside() -> None:
    """Not when it became due, and not by what colleagues read; the second computation finds the same."""
    story = Story("P0", outage=True).until(20)
    owed = next(o for o in story.incident.communications if o.plan.audience.outside)
    inside = next(o for o in story.incident.communications if not o.plan.audience.outside)
    story = story.do(AnswerCommunication(by=OMAR, n=inside.n, answer=Answer.PUBLISHED)).until(25)
    assert observe(story.incident).told is None
    story = story.do(AnswerCommunication(by=OMAR, n=owed.n, answer=Answer.PUBLISHED)).until(50).do(RESOLVE)
    assert times(story.incident)["tell"] == 25 * 60
    exported = json.loads(story.incident.model_dump_json(include={"status", "timeline", "communications"}))
    assert recomputed(exported)["tell"] == 25 * 60
