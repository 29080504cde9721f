"""What reports say, and that every form of them says the same."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.render.blockkit import OPTIONAL, without
from bot.render.reports.mail import report_mail
from bot.render.reports.slack import MAX_POINTS, MAX_SERIES, chart_block, fitted, report_message, table_block
from escalation.config.rules.reports import ScheduledReport
from escalation.figures.observation import Observation
from escalation.figures.recurrence import Recurrence
from escalation.figures.report import MIN_FOR_TREND, incident_report
from escalation.reports.documents import on_request, scheduled
from escalation.reports.gather import MAX_NAMED, Gathered
from escalation.reports.model import Chart, Document, Number, Section, Series, Table, count
from escalation.reviews.action_items import ActionItem
from escalation.slo import Objective, report
from escalation.text import text
from sandbox.blockkit import message_problems
from tests.figures.test_figures import made
from tests.support.block_kit_schema import problems

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
DAY = timedelta(days=1)
MONTH = datetime(2026, 11, 1, tzinfo=UTC)


def gathered(
    seen: list[Observation], *, since: datetime = MONTH, until: datetime = NOW, zone: str = "UTC", **more: Any
) -> Gathered:
    before = since - (until - since)
    facts: dict[str, Any] = {
        "figures": incident_report(seen, since, until, before=before, zone=zone),
        "before": incident_report(seen, before, since, zone=zone),
        "seen": tuple(seen),
        "open": (),
        "named": {},
        "private": 0,
        "private_open": 0,
        "items": (),
        "own": report([], Objective(), since, until),
        "names": {},
        "now": until,
    }
    return Gathered(**(facts | more))


def words(document: Document) -> str:
    return text(tuple(document.in_words()))


def plan(every: str) -> ScheduledReport:
    return ScheduledReport.model_validate({"every": every, "mean": True})


def many(n: int, at: datetime, **more: Any) -> list[Observation]:
    severities = ("P0", "P1", "P2", "P3")
    return [
        made(7 * k % 90 + 1, n=k, at=at + k * timedelta(hours=3), **({"severity": severities[k % 4]} | more))
        for k in range(n)
    ]


@pytest.mark.parametrize("every", ["day", "week", "month", "quarter"])
@pytest.mark.parametrize(
    "seen",
    [
        [],
        [made(10, at=NOW - DAY)],
        [made(10, at=NOW - DAY, drill=True)],
        [made(10, at=NOW - DAY, status="investigating", resolved=None)],
    ],
)
def test_a_report_on_nothing_or_one_reads_well(every: str, seen: list[Observation]) -> None:
    """Every part has words, no table is empty, and Slack takes it."""
    document = scheduled(plan(every), gathered(seen), "Europe/Berlin")
    assert all(line for line in words(document).splitlines())
    message = report_message(document)
    assert message_problems(message.blocks) == []
    assert all(s.lines or s.table or (s.chart and s.chart.total) for s in document.sections)  # no heading over nothing
    assert all(s.table.rows for s in document.sections if s.table)
    assert ("No incidents" in words(document) or every == "day") is (
        not [s for s in seen if not s.drill] or every == "day"
    )


def test_incidents_are_counted_by_local_days_over_a_change_of_the_clock() -> None:
    """00:30 in Berlin is that day's, on the day of 25 hours too, and every incident stands in exactly one bar."""
    since, until = datetime(2026, 10, 18, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC)
    times = [since, datetime(2026, 10, 24, 22, 30, tzinfo=UTC), datetime(2026, 10, 25, 22, 59, tzinfo=UTC)]
    seen = [made(10, n=n, at=at) for n, at in enumerate(times)]
    document = scheduled(plan("week"), gathered(seen, since=since, until=until), "Europe/Berlin")
    chart = next(s.chart for s in document.sections if s.chart)
    assert dict(zip(chart.labels, chart.series[0].values, strict=True)) == {
        "Mon 19 Oct": 1, "Tue 20 Oct": 0, "Wed 21 Oct": 0, "Thu 22 Oct": 0, "Fri 23 Oct": 0, "Sat 24 Oct": 0,
        "Sun 25 Oct": 2,
    }  # fmt: skip


def test_no_change_is_named_below_a_stated_number() -> None:
    """The quarterly report compares with the quarter before only where both have enough."""
    enough = [*many(MIN_FOR_TREND, MONTH + DAY, severity="P1"), *many(MIN_FOR_TREND, MONTH - 20 * DAY, severity="P1")]
    for seen, shown in ((enough, True), (enough[1:], False)):
        document = scheduled(plan("quarter"), gathered(seen), "UTC")
        table = next(s.table for s in document.sections if s.table and s.title == "Against the quarter before")
        row = next(row for row in table.rows if row[0] == "Time to resolve (MTTR)")
        assert bool(row[-1].shown) is shown if isinstance(row[-1], Number) else False


def test_a_recurrence_is_within_thirty_days_of_the_same_service() -> None:
    """Counted where it recurs; drills, false alarms and those without a service are none."""
    seen = [
        made(10, n=1, at=MONTH - 20 * DAY, service="checkout"),
        made(10, n=2, at=MONTH + 9 * DAY, service="checkout"),
        made(10, n=3, at=MONTH + 10 * DAY, service="search"),
        made(10, n=4, at=MONTH + 11 * DAY, service="search", drill=True),
        made(10, n=5, at=MONTH + 12 * DAY),
        made(10, n=6, at=MONTH + 13 * DAY),
    ]
    said = words(scheduled(plan("month"), gathered(seen), "UTC"))
    assert "Recurrences, of the same service and cause within 30 days: 0." in said
    assert "4 closed incidents without a service or a cause category cannot be compared." in said
    assert "checkout: incidents 1, pages 0, reopened 0, again 1" in said


def test_a_recurrence_is_one_row_with_the_item_that_was_to_be_done_first() -> None:
    """Others that were open are counted, not listed: a path with ten of them does not bury the report."""
    alike: dict[str, Any] = {"service": "checkout", "cause_category": "Database issues"}
    seen = [made(10, n=1, at=MONTH + DAY, **alike), made(10, n=2, at=MONTH + 9 * DAY, **alike)]
    days = (20, 4, 9)
    items = tuple(
        ActionItem(
            f"{seen[0].id}/{n}", f"Item {n}", "UDANA", MONTH + 2 * DAY, "UDANA", (MONTH + d * DAY).date(), "checkout"
        )
        for n, d in enumerate(days, 1)
    )
    again = {seen[1].id: Recurrence(seen[0].id, tuple(item.id for item in items))}
    found = gathered(seen, items=items)
    found = replace(found, figures=replace(found.figures, recurred=again))
    [table] = [s.table for s in scheduled(plan("month"), found, "UTC").sections if s.title == "Prevention"]
    assert table
    [row] = table.rows
    assert row[4:] == ("UDANA", "5 days overdue", f"{seen[0].id}/2 Item 2 and 2 more")


def test_action_items_that_a_daily_report_does_not_name_are_counted() -> None:
    """Twenty stand there; a list that was cut says so, and where the rest is."""
    due = [
        ActionItem(f"INC-20261101-{n:03d}/1", "Do it", "UDANA", MONTH, owner="UDANA", due=NOW.date() - DAY)
        for n in range(MAX_NAMED + 7)
    ]
    said = words(scheduled(plan("day"), gathered([], items=tuple(due)), "UTC"))
    assert said.count("(overdue)") == MAX_NAMED
    assert "7 more: /incident actions." in said.replace("`", "")


def test_a_table_of_a_mail_is_no_wider_than_a_phone() -> None:
    """It is moved sideways by itself, and the rest of the mail stands still."""
    found = gathered(many(60, MONTH))
    html = report_mail(scheduled(plan("month"), found, "UTC"), found.figures, {}, "x").html
    assert html.count("<div style='overflow-x:auto'><table") == html.count("<table") > 2


def test_a_mail_has_one_bar_for_each_time_with_its_counts_beside_it() -> None:
    """Severities stand one after another in it; a time without incidents says 0 and has no bar."""
    chart = Chart("Incidents declared, by day", ("Mon", "Tue"), (Series("P0", (1, 0)), Series("P2", (3, 0))))
    html = report_mail(Document("A week", (), (Section("Incidents", chart=chart),)), gathered([]).figures, {}, "x").html
    monday, tuesday = re.findall(r"<tr><th[^>]*>(.*?)</tr>", html)
    assert monday.startswith("Mon</th>")
    assert re.sub(r"<[^>]*>", "", monday) == "Mon P0 1, P2 3"
    assert re.findall(r"width:(\d+)px", monday) == ["40", "120"]
    assert re.sub(r"<[^>]*>", "", tuesday) == "Tue 0"
    assert "width" not in tuesday


@pytest.mark.parametrize("every", ["week", "month", "quarter"])
def test_slack_mail_and_words_hold_the_same_figures(every: str) -> None:
    """Whatever a cell or a bar shows stands in the text, in what replaces the table, and in the mail."""
    found = gathered(many(120, MONTH - 10 * DAY, service="checkout"))
    document = scheduled(plan(every), found, "Europe/Berlin")
    said, message = words(document), report_message(document)
    assert not [p for b in message.blocks for p in problems(b)]
    assert message_problems(message.blocks) == []
    plain = without(message, OPTIONAL)
    assert {b["type"] for b in plain.blocks} <= {"section", "context"}
    assert message_problems(plain.blocks) == []
    mail = report_mail(document, found.figures, {}, "x")
    for section in document.sections:
        for cell in (c for row in (section.table.rows if section.table else ()) for c in row):
            shown = cell.shown if isinstance(cell, Number) else cell
            assert shown in said
            assert shown in mail.html
            assert shown in str(plain.blocks)


charts = st.builds(
    lambda names, labels, draw: Chart(
        "Incidents", tuple(labels), tuple(Series(name, tuple(draw.random() * 9 for _ in labels)) for name in names)
    ),
    st.lists(st.text(max_size=40), min_size=1, max_size=13),
    st.lists(st.text(max_size=40), min_size=1, max_size=60),
    st.randoms(),
)


@given(chart=charts)
def test_any_chart_is_one_that_slack_takes(chart: Chart) -> None:
    """One point or sixty, one series or thirteen, names that are long, empty or the same: no count is lost."""
    block = chart_block(chart, "c")
    assert message_problems([block]) == []
    assert problems(block) == []
    small = fitted(chart)
    assert len(small.labels) <= MAX_POINTS
    assert len(small.series) <= MAX_SERIES
    assert small.total == pytest.approx(chart.total)


@given(
    rows=st.lists(
        st.tuples(st.text(max_size=300), st.integers(0, 10**9), st.text(max_size=30)), min_size=1, max_size=150
    )
)
def test_any_table_is_one_that_slack_takes(rows: list[tuple[str, int, str]]) -> None:
    """However long; columns of numbers sort as numbers."""
    block = table_block(Table("T", ("a", "n", "b"), tuple((a, count(n), b) for a, n, b in rows)), "t")
    assert message_problems([block]) == []
    assert problems(block) == []
    assert {row[1]["type"] for row in block["rows"][1:]} == {"raw_number"}


def test_a_third_chart_and_a_table_too_long_stand_as_lines() -> None:
    """A message takes two charts and so many characters of tables; nothing is dropped in silence."""
    chart = Chart("Bars", ("a", "b"), (Series("n", (1, 2)),))
    table = Table("Long", ("x", "n"), tuple(("word " * 30 + str(n), count(n)) for n in range(90)))
    sections = tuple(Section(f"S{n}", table=table, chart=chart) for n in range(3))
    message = report_message(Document("Report", (), sections))
    kinds = [block["type"] for block in message.blocks]
    assert kinds.count("data_visualization") == 2
    assert message_problems(message.blocks) == []
    assert "goes on" in str(message.blocks[-1])


def test_the_period_asked_for_tells_nobody_how_many_were_private() -> None:
    """Whoever may choose an hour would learn that there was one."""
    found = gathered([made(10, at=NOW - DAY)], private=3)
    assert "Private incidents are not in these figures." in words(on_request(found, "UTC"))
    assert "3 private incidents are not" in words(scheduled(plan("month"), found, "UTC"))
