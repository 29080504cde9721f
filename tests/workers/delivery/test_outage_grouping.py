"""After an outage each person gets one page, which lists what they missed; the other pages are in its thread."""

import json
from typing import Any

import pytest

from escalation.incident.effects import is_page
from escalation.incident.events.moves import Acknowledge, Resolve
from escalation.incident.events.outcomes import PageGathered
from escalation.incident.model import Incident
from escalation.incident.state.pages import MAX_ALSO
from tests.support.worker import Works

pytestmark = pytest.mark.slow
PAGED = "You're being paged"


def calls(parts: Works, since: float = 0.0) -> dict[str, list[dict[str, Any]]]:
    """Channel -> the pages there that rang: those which are in no thread. A list of what is due is no page."""
    rang: dict[str, list[dict[str, Any]]] = {}
    for message in parts.directs():
        paged = is_page(((message.get("metadata") or {}).get("event_payload") or {}).get("delivery", ""))
        if paged and float(message["ts"]) >= since and message.get("thread_ts", message["ts"]) == message["ts"]:
            rang.setdefault(message["channel"], []).append(message)
    return rang


def until_called(parts: Works) -> None:
    while not calls(parts):
        parts.run_for(0.25)


def replies(parts: Works, leading: dict[str, Any]) -> list[dict[str, Any]]:
    """The pages in its thread."""
    return [m for m in parts.directs() if m.get("thread_ts") == leading["ts"] != m["ts"] and PAGED in m["text"]]


def back_after(parts: Works, *severities: str) -> list[Incident]:
    """Incidents that were declared while Slack was away for a minute; they are out by now."""
    parts.slack_away()
    made = [parts.declare(severity, title=f"No {n} of {severity}") for n, severity in enumerate(severities)]
    parts.run_for(60, step=5)
    parts.slack_back()
    parts.run_for(60, step=1)
    return made


def test_one_page_lists_what_tocsin_slept_through(parts: Works) -> None:
    """Three incidents were to escalate meanwhile: whoever is called for all three is called once."""
    made = [parts.declare("P0", title=f"Outage {n}") for n in range(3)]
    parts.run()
    back = parts.clock.push(minutes=40).timestamp()
    parts.run()
    parts.run_for(2)
    rang = calls(parts, since=back)
    assert rang
    assert all(len(messages) == 1 for messages in rang.values())
    for (leading,) in rang.values():
        listed = {i.id for i in made if i.id in str(leading["blocks"])}
        assert listed == {i.id for i in made}
        assert "You are paged for 2 more" in leading["text"]
        assert len(replies(parts, leading)) == 2
    for incident in made:
        parts.settled(incident)


def test_what_slack_held_up_comes_as_one_page(parts: Works) -> None:
    """The cards in the thread are cards: each follows its own incident."""
    first, second = back_after(parts, "P0", "P0")
    (leading,) = calls(parts)[channel_of(parts, first)]
    (reply,) = replies(parts, leading)
    parts.service.handle(second.id, Acknowledge(by="U0OMAR0001"))
    parts.run()
    (reply,) = replies(parts, leading)
    assert "has acknowledged" in str(reply["blocks"])
    assert "Acknowledge to take this page" in str(leading["blocks"])
    for incident in (first, second):
        parts.settled(incident)


def channel_of(parts: Works, incident: Incident) -> str:
    """Where the first page of an incident stands."""
    return next(c.channel for c in parts.now(incident).copies if c.page == 1)


def test_the_worse_one_gets_a_page_of_its_own(parts: Works) -> None:
    """A page never stands silently under a less severe one."""
    parts.slack_away()
    mild = parts.declare("P1", title="Slow")
    parts.run_for(15, step=5)
    parts.slack_back()
    until_called(parts)
    parts.slack_away()
    bad = parts.declare("P0", title="Down")
    parts.run_for(15, step=5)
    parts.slack_back()
    parts.run_for(60, step=1)
    both = {c.channel for c in parts.now(mild).copies if c.page} & {c.channel for c in parts.now(bad).copies if c.page}
    assert both
    for channel in both:
        titles = [m["text"] for m in calls(parts)[channel] if PAGED in m["text"]]
        assert ["Slow" in titles[0], "Down" in titles[1]] == [True, True]


def test_a_page_in_time_is_nobodys_reply(parts: Works) -> None:
    """Two incidents on a good day: each calls."""
    first, second = parts.declare("P0"), parts.declare("P0")
    parts.run()
    assert {len(messages) for messages in calls(parts).values()} == {2}
    for incident in (first, second):
        parts.settled(incident)


def test_an_answered_page_leads_no_more(parts: Works) -> None:
    """Its person has looked already, and would not look into its thread: what comes then calls anew."""
    (first,) = back_after(parts, "P0")
    for page in parts.now(first).pages:
        parts.service.handle(first.id, Acknowledge(by=page.person))
    (second,) = back_after(parts, "P0")
    assert {len(messages) for messages in calls(parts).values()} == {2}
    parts.settled(second)


def test_a_page_that_is_called_off_leaves_the_lead_to_the_next(parts: Works) -> None:
    """It was to lead and never went out."""
    parts.slack_away()
    first = parts.declare("P0")
    parts.run_for(20, step=5)
    second = parts.declare("P0")
    parts.run_for(20, step=5)
    parts.service.handle(first.id, Resolve(by="U0OMAR0001", summary="Over", resolution="Restarted"))
    parts.slack_back()
    parts.run_for(60, step=1)
    assert {len(messages) for messages in calls(parts).values()} == {1}
    assert all(second.id in message["text"] for (message,) in calls(parts).values())
    parts.settled(second)


def test_a_reply_that_was_lost_is_found_in_the_thread(parts: Works) -> None:
    """Slack takes every message and answers none: each stands once, where it was to stand."""
    made = [parts.declare("P0", title=f"Outage {n}") for n in range(3)]
    parts.run()
    back = parts.clock.push(minutes=16).timestamp()
    parts.fault("chat.postMessage", "drop_after", times=None)
    parts.run_for(10)
    assert {len(messages) for messages in calls(parts, since=back).values()} == {1}
    assert parts.counted("deliveries_total", kind="page", result="adopted") >= 6
    for incident in made:
        parts.settled(incident)


def test_a_page_that_may_have_arrived_is_looked_for_where_it_was_sent(parts: Works) -> None:
    """Its answer was lost, then Slack was away, and meanwhile another one leads: it is not posted a second time."""
    parts.fault("chat.postMessage", "drop_after", times=4)
    first = parts.declare("P0")
    parts.run()
    parts.slack_away()
    second = parts.declare("P0")
    parts.run_for(30, step=5)
    parts.slack_back()
    parts.run_for(60, step=1)
    for incident in (first, second):
        parts.settled(incident)


def test_a_reply_that_is_moot_by_now_is_found_in_the_thread(parts: Works) -> None:
    """Its answer was lost, and then the incident was resolved: the page in the thread has no buttons either."""
    made = [parts.declare("P0", title=f"Outage {n}") for n in range(2)]
    parts.run()
    back = parts.clock.push(minutes=16).timestamp()
    parts.fault("chat.postMessage", "drop_after", times=None)
    while not any(replies(parts, leading) for pages in calls(parts, since=back).values() for leading in pages):
        parts.run_for(0.25)
    for incident in made:
        parts.service.handle(incident.id, Resolve(by="U0OMAR0001", summary="Over", resolution="Restarted"))
    parts.slack_back()
    parts.run_for(30, step=1)
    assert parts.counted("deliveries_total", kind="page", result="adopted") >= 1
    assert not any("acknowledge|" in json.dumps(message["blocks"]) for message in parts.directs())


def test_a_deleted_leader_takes_nobody_with_it(parts: Works) -> None:
    """A page whose thread is gone stands by itself."""
    parts.slack_away()
    first, second = parts.declare("P0"), parts.declare("P0")
    parts.run_for(30, step=5)
    parts.slack_back()
    parts.fault("chat.postMessage", "error", error="thread_not_found", times=20)
    parts.run_for(60, step=1)
    for incident in (first, second):
        assert not parts.now(incident).effects


def test_a_page_is_listed_once(parts: Works) -> None:
    """Doubled jobs say it twice; and there is an end to the list."""
    first, second = back_after(parts, "P0", "P0")
    copy = next(c for c in parts.now(first).copies if c.page)
    listed = parts.now(first)
    assert parts.service.handle(first.id, PageGathered(effect=copy.id, other=second.id)) == listed
    for n in range(100, 150):
        listed = parts.service.handle(first.id, PageGathered(effect=copy.id, other=f"INC-20241218-{n}"))
    assert len(listed.page(copy.page).also) == MAX_ALSO
