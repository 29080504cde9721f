"""Every failure that is logged has an owner who is told of it: no log line is the only one that knows.

The table names each warning and error of the log by its event. A new one fails here until it says who hears of it.
"""

import ast
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEVELS = {"warning", "error", "exception", "critical"}


class Told(StrEnum):
    """Who hears of a failure besides the log."""

    PROBLEM = "whoever runs Tocsin: doctor, /readyz and /metrics, with the remedy, until it is over"
    READINESS = "whoever runs Tocsin: /readyz fails, or the watchdog tells, for as long as it lasts"
    DOCTOR = "whoever runs Tocsin, when they ask: an optional surface of Slack's that is off is no fault"
    INCIDENT = "the people of the incident: its card or its timeline"
    PERSON = "the person concerned: in Slack, by voice or on the page that they opened"
    RECORD = "whoever looks: figures of /metrics, `tocsin alerts`, `tocsin slo`, the ticket itself"
    AGAIN = "nobody: it is tried again, and what it delays is told by what waits for it"
    NOBODY = "nobody: nothing was lost, and the message is read all the same"


HEARD = {
    Told.PROBLEM: (
        "a check cannot be run",
        "alert put off: amazon does not answer",
        "alert refused: no valid secret",
        "alerts of this source are not accepted: set …",
        "another system not read",
        "broken template, using the shipped one",
        "calendar events left out",
        "calendar feed problem",
        "canary did not arrive",
        "channel cannot be reached",
        "channel not known",
        "delivery failed",
        "home tab not published",
        "message not read",
        "message not updated, retrying",
        "nobody could be invited to the incidents channel",
        "queue is behind",
        "receipt not read",
        "reminder failed, retrying",
        "request refused: no valid secret",
        "request refused: not signed by Twilio for this address; see TOCSIN_URL, TWILIO_AUTH_TOKEN",
        "request refused: signature invalid or too old, or SLACK_SIGNING_SECRET wrong",
        "request unreadable, though signed",
        "result of a test not told",
        "row of an action item not written",
        "slack lookup failed",
        "slack refused blocks, sending text only",
        "slo breach not declared, retrying",
        "spool of alerts cannot be read",
        "spool takes no alerts",
        "stand-ins failed",
        "stand-ins not kept, trying again",
        "step failed",
        "step of upkeep failed",
        "tickets not read",
        "unhandled error",
        "unreadable alert",
        "unreadable incident",
        "user group not read",
        "user group not updated",
        "user group not updated, retrying",
        "user groups not listed",
        "user of pagerduty not read",
        "webhook not understood",
        "work in another system failed",
    ),
    Told.READINESS: (
        "alert not kept",
        "child ended, restarting",
        "heartbeat failed",  # the monitor that waits for it tells
        "problems found",
        "redis unavailable, a check's result is lost",
        "redis unavailable, alert spooled",
        "redis unavailable, deletion not recorded",
        "redis unavailable, delivery not finished",
        "redis unavailable, leases not renewed",
        "redis unavailable, message not noted",
        "redis unavailable, stand-ins waiting",
        "redis unavailable, status page not renewed",
        "redis unavailable, sweep waiting",
        "redis unavailable, ticker waiting",
        "redis unavailable, waiting",
        "redis unavailable, worker restarting",
        "sending notice failed",  # the watchdog's own: its heartbeat ends, and the monitor that waits for it tells
        "slack connection failed, retrying",
        "slack connection silent, reconnecting",
        "slack refuses the connection, retrying",
        "slack unreachable, retrying",
        "upkeep failed",  # of Redis: what else fails is a step
        "watchdog check failed",
    ),
    Told.DOCTOR: (
        "slack does not tell who is silent",
        "slack takes no canvas",
        "slack takes no list",
        "slack takes no scheduled messages",
    ),
    Told.INCIDENT: (
        "no ticker was running",  # what went out late says so
        "send fails, operator action needed",  # and among the problems
        "send keeps failing, still retrying",
        "send refused for a person",
        "send waits until the bot is invited",
        "stand-in of a page not found",  # the page itself is sent
        "ticket not followed",
    ),
    Told.PERSON: (
        "answer not delivered there",  # it comes by direct message
        "answer rejected",  # it comes by direct message
        "callback of a page that is not known",
        "canvas not brought up to date",
        "modal not opened",
        "modal not updated",
        "person unreachable, reminder handed on",  # the next one hears it, and why
        "refused",
    ),
    Told.RECORD: ("canary not posted", "repaired lost job", "second ticket closed"),
    Told.AGAIN: (
        "channel not listened in",  # lasting ones are reported by the way to the channel
        "send failed, retrying",
        "action items not named",  # during an upgrade
    ),
    Told.NOBODY: (
        "answer not delivered",  # by no way at all: pages to them fail alike, which is told
        "message not refreshed",  # it is recorded, and the next press shows it
        "room purpose not set",
        "status of a delivery that is not known",  # of an incident that retention removed
        "stray reply not deleted",
    ),
}
# What the function that logs calls, or what it calls does, when a failure becomes a problem.
REPORTS = ("report", "turned_away", "slack_refuses", "found_bug", "_refused", "_on_failure", "raise")


@cache
def logged() -> tuple[tuple[str, str, str], ...]:
    """(event, the function that logs it, where) of every warning and error."""
    return tuple(_logged())


def _logged() -> Iterator[tuple[str, str, str]]:
    for room in ("bot", "workers", "tocsin", "escalation"):
        for path in sorted((ROOT / room).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
            for function in functions:
                for call in ast.walk(function):
                    if isinstance(call, ast.Call) and _logs(call.func):
                        yield _event(call.args[0]), ast.unparse(function), f"{path.relative_to(ROOT)}:{call.lineno}"


def _logs(called: ast.expr) -> bool:
    by = called.value if isinstance(called, ast.Attribute) and called.attr in LEVELS else None
    return isinstance(by, ast.Name) and by.id in ("log", "audit")


def _event(said: ast.expr) -> str:
    """The event; `…` stands for what is only known when it is logged."""
    if isinstance(said, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in said.values)
    assert isinstance(said, ast.Constant), "an event of the log is a constant"
    return str(said.value)


def test_every_failure_in_the_log_says_who_hears_of_it() -> None:
    """A failure that only the log knows is one that nobody mends."""
    listed = [event for events in HEARD.values() for event in events]
    assert len(listed) == len(set(listed))
    found = {event: where for event, _, where in logged()}
    assert found.keys() - set(listed) == set(), "say in HEARD who is told, and tell them"
    assert set(listed) - found.keys() == set(), "these are logged no more"


@pytest.mark.parametrize("event", HEARD[Told.PROBLEM])
def test_what_is_told_to_whoever_runs_tocsin_is_reported_where_it_is_logged(event: str) -> None:
    """The table is no promise alone: beside the line stands the call that tells."""
    for found, function, where in logged():
        if found == event:
            assert any(word in function for word in REPORTS), where
