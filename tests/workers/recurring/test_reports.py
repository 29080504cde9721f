"""Scheduled reports over the wire: each once, whatever fails on the way, with nothing private in it."""

import csv
import html
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from escalation.config.company import Company
from escalation.config.rules.reports import ScheduledReport
from escalation.incident.events.moves import Acknowledge, MarkSecurity, Resolve
from escalation.incident.state.entries import EntryKind
from escalation.reviews.action_items import ActionItem
from escalation.storage.action_items import ActionItems
from tests.support.company import example, user
from tests.support.outside_services import MailServer
from tests.support.worker import SlackByClock, Works, redis_of, works_anew
from tocsin.doctor.redis_checks import surfaces_off
from workers.channels.smtp import MailClient
from workers.recurring.keeping.posted import PostedRounds
from workers.recurring.reminders import SINCE, Reminders

DAY = timedelta(days=1)
SECRET = "Somebody reads our mail"


@pytest.fixture
def parts(slack_by_clock: SlackByClock, smtp: MailServer) -> Iterator[Works]:
    """Tocsin on the morning of Thursday, 2024-12-19, after a day of two incidents and a private one."""
    with redis_of("valkey") as redis:
        made = works_anew(redis, *slack_by_clock)
        channels = replace(made.context.channels, mail=MailClient(smtp.url, "tocsin@example.com"))
        made.context = replace(made.context, channels=channels)
        redis.set(SINCE, (made.clock() - DAY).timestamp())
        resolved = made.declare("P1", service="checkout")
        made.service.handle(resolved.id, Acknowledge(by=user("omar")))
        made.service.handle(resolved.id, Resolve(by=user("omar"), summary="a", resolution="b"))
        made.declare("P0", title="Search & <find> are *slow*", service="search")
        made.declare("P0", title=SECRET, security=True)
        made.clock.now = made.clock().replace(hour=9, minute=0, second=0, microsecond=0) + DAY
        yield made


def plan(parts: Works, **plan: Any) -> Reminders:
    """A worker that knows this report."""
    own = (ScheduledReport.model_validate({"at": "08:00"} | plan),)
    parts.service.company = company(own)
    return Reminders(parts.context)


def company(reports: tuple[ScheduledReport, ...]) -> Company:
    return example().model_copy(update={"reports": reports})


def reports(parts: Works) -> list[dict[str, Any]]:
    marks = ((m.get("metadata") or {}).get("event_payload", {}).get("delivery", "") for m in parts.messages())
    return [m for m, mark in zip(parts.messages(), marks, strict=True) if mark.startswith("report-")]


def kinds(message: dict[str, Any]) -> list[str]:
    return [block["type"] for block in message["blocks"]]


def test_the_daily_report_says_what_is_open_what_happened_and_what_is_due(parts: Works) -> None:
    """A table of the open ones, yesterday's, overdue action items; private incidents are counted, and never named."""
    due = parts.clock().date() - DAY
    item = ActionItem("", "Alert on the pool", user("omar"), parts.clock() - 9 * DAY, owner=user("omar"), due=due)
    ActionItems(parts.redis).add("INC-20241201-001", lambda new: replace(item, id=new))
    plan(parts, every="day").send_due(parts.clock())
    [message] = reports(parts)
    assert "Daily incident report, Thursday 19 December 2024" in message["text"]
    assert "1 incident open. Since Wednesday: 2 declared, 1 closed." in message["text"]
    assert "Of private incidents, 1 were declared and 1 are open." in message["text"]
    assert "Alert on the pool" in message["text"]
    assert SECRET not in str(message)
    [table] = [block for block in message["blocks"] if block["type"] == "data_table"]
    [row] = table["rows"][1:]
    assert [cell["text"] for cell in row[:3]] == ["P0", "INC-20241218-002", "Search & <find> are *slow*"]


def test_what_became_private_leaves_the_reports_that_named_it(parts: Works) -> None:
    """Title and words go, in the table and in what stands for it; the private room hears where they stood."""
    worker = plan(parts, every="day")
    worker.send_due(parts.clock())
    [message] = reports(parts)
    assert "<find>" in html.unescape(str(message))
    incident = next(i for i in parts.store.recent() if i.facts.title.startswith("Search"))
    parts.service.handle(incident.id, MarkSecurity(by=user("dana"), why="A leak"))
    PostedRounds(parts.context, lambda: False).run()
    [message] = reports(parts)
    assert "<find>" not in html.unescape(str(message))
    assert incident.id in str(message)
    assert "Checkout is down" in str(message)
    [exposed] = [e for e in parts.now(incident).timeline if e.kind is EntryKind.EXPOSED]
    assert message["channel"] in exposed.fields["channels"]


@pytest.mark.parametrize(("owner", "of_it"), [("mei", False), ("omar", True)])
def test_what_became_private_leaves_the_reminders_that_named_it(parts: Works, owner: str, of_it: bool) -> None:
    """Also in direct messages: whoever was reminded of an action item and is not of its incident reads it no more."""
    incident = next(i for i in parts.store.recent() if i.facts.title.startswith("Search"))
    parts.service.handle(incident.id, Acknowledge(by=user("omar")))
    due, now = parts.clock().date() - DAY, parts.clock()
    item = ActionItem("", "Close the hole in the search", user("omar"), now - 9 * DAY, owner=user(owner), due=due)
    ActionItems(parts.redis).add(incident.id, lambda new: replace(item, id=new))
    Reminders(parts.context).send_due(now)
    [channel] = [c["id"] for c in parts.look("control/state")["channels"] if c.get("user") == user(owner)]

    def direct() -> str:
        return str(parts.look("control/state")["messages"][channel])

    assert "Close the hole" in direct()
    parts.service.handle(incident.id, MarkSecurity(by=user("dana"), why="A leak"))
    PostedRounds(parts.context, lambda: False).run()
    assert ("Close the hole" in direct()) is of_it
    assert incident.id in direct()
    [exposed] = [e for e in parts.now(incident).timeline if e.kind is EntryKind.EXPOSED]
    assert (user(owner) in exposed.people) is not of_it
    assert channel not in exposed.fields["channels"]


def test_it_is_posted_once_though_the_answer_is_lost(parts: Works) -> None:
    """A round after it finds it in the channel, and another posts nothing."""
    reminders = plan(parts, every="day")
    parts.fault("chat.postMessage", "drop_after", times=1)
    assert reminders.send_due(parts.clock()) == 0
    assert reminders.send_due(parts.clock()) == 1
    assert [Reminders(parts.context).send_due(parts.clock()) for _ in range(2)] == [0, 0]
    assert len(reports(parts)) == 1


def test_after_an_outage_the_last_one_is_caught_up(parts: Works) -> None:
    """Slack was away for two days: one report, about the day before."""
    reminders = plan(parts, every="day")
    parts.slack_away()
    for _ in range(3):
        reminders.send_due(parts.clock())
        parts.clock.push(days=1)
    parts.slack_back()
    assert reminders.send_due(parts.clock()) >= 1
    assert len(reports(parts)) == 1


def test_a_monthly_report_has_charts_and_sortable_tables(parts: Works) -> None:
    """With the same figures as text: where Slack takes no such blocks it goes out at once, as lines, and stays so."""
    parts.clock.now = parts.clock().replace(year=2025, month=1, day=2)
    assert plan(parts, every="month", mean=True).send_due(parts.clock()) == 1
    [native] = reports(parts)
    assert {"data_table", "data_visualization"} <= set(kinds(native))
    times = next(block for block in native["blocks"] if block["type"] == "data_table")
    assert {cell["type"] for row in times["rows"][1:] for cell in row[2:]} == {"raw_number"}  # they sort as numbers
    for figure in ("Time to resolve (MTTR)", "mean", "1 private incident is not in these figures."):
        assert figure in str(native["blocks"])
    parts.fault("chat.postMessage", "error", error="invalid_blocks", times=1)
    assert plan(parts, every="month", mean=True, channel="general").send_due(parts.clock()) == 1
    [plain] = [message for message in reports(parts) if message["channel"] != native["channel"]]
    assert set(kinds(plain)) == {"section"}
    words = str(plain["blocks"])
    for block in native["blocks"]:
        for row in block.get("rows", [])[1:]:
            assert all(cell["text"] in words for cell in row if cell["text"] != "–"), row
    assert len([call for call in parts.calls("chat.postMessage") if call["error"]]) == 1
    assert {f.state for f in surfaces_off(parts.redis)} == {"ok"}
    assert parts.store.problems.current() == []


def test_a_report_by_mail_has_the_table_and_the_incidents_as_csv(parts: Works, smtp: MailServer) -> None:
    """Text, HTML with the same figures, and a line for each incident; once, and nothing private."""
    parts.clock.now = parts.clock().replace(year=2025, month=1, day=2)
    reminders = plan(parts, every="month", mail=["ceo@example.com", "cto@example.com"])
    assert [reminders.send_due(parts.clock()) for _ in range(2)] == [2, 0]
    assert sorted(mail.to[0] for mail in smtp.mails) == ["ceo@example.com", "cto@example.com"]
    mail = smtp.mails[0]
    assert mail.subject == "Monthly incident report, December 2024"
    assert "Time to resolve (MTTR)" in mail.body
    assert "<table" in mail.html
    assert "http" not in mail.html
    [sheet] = list(mail.message.iter_attachments())
    rows = list(csv.DictReader(io.StringIO(sheet.get_content())))
    assert sheet.get_filename() == "incidents-2024-12-01.csv"
    assert [(row["severity"], row["service"]) for row in rows] == [("P1", "checkout"), ("P0", "search")]
    assert SECRET not in mail.raw
    assert reports(parts) == []


def test_a_refused_address_is_a_problem_that_somebody_hears_of(parts: Works, smtp: MailServer) -> None:
    """The others have their report; it is not tried for ever, and the doctor names the address."""
    smtp.refusing_to["gone@example.com"] = "550 5.1.1 no such mailbox"
    reminders = plan(parts, every="day", mail=["gone@example.com", "ceo@example.com"])
    assert [reminders.send_due(parts.clock()) for _ in range(2)] == [2, 0]
    assert [mail.to for mail in smtp.mails] == [["ceo@example.com"]]
    [problem] = parts.store.problems.current()
    assert "g…@example.com" in problem.text  # readiness is open to anybody
    assert "gone" not in str(problem)
    assert problem.remedy


def test_a_mail_server_that_is_away_is_tried_again(parts: Works, smtp: MailServer) -> None:
    """And nobody has it twice."""
    smtp.refusing["DATA"] = "451 4.3.0 try again later"
    reminders = plan(parts, every="day", mail="ceo@example.com")
    assert reminders.send_due(parts.clock()) == 0
    smtp.refusing.clear()
    assert [reminders.send_due(parts.clock()) for _ in range(2)] == [1, 0]
    assert len(smtp.mails) == 1
    assert parts.store.problems.current() == []


def test_on_a_quiet_day_the_report_is_one_line(parts: Works) -> None:
    """Silence would mean nothing: it says that there is nothing."""
    parts.redis.flushall()
    parts.redis.set(SINCE, (parts.clock() - DAY).timestamp())
    plan(parts, every="day").send_due(parts.clock())
    [message] = reports(parts)
    assert "Nothing is open, nothing is due, and nothing happened since Wednesday." in message["text"]
    assert kinds(message) == ["section"]


def test_reports_due_before_the_first_start_are_not_sent(parts: Works) -> None:
    """A new Tocsin does not begin with old news."""
    parts.redis.set(SINCE, (parts.clock() - timedelta(minutes=5)).timestamp())
    assert plan(parts, every="day").send_due(parts.clock()) == 0
    assert reports(parts) == []
