"""Slack as our dead man: it pages when nothing of ours runs any more, and never beside a page of ours."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from bot.render.pages import STOOD_IN
from escalation.dead_man import BEHIND
from escalation.incident.events.moves import Acknowledge, MarkSecurity, Resolve
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.oncall import overrides
from tests.support.company import example_company, user
from tests.support.story import START
from tests.support.waiting import eventually
from tests.support.worker import SlackByClock, Works, redis_of, works
from tocsin.doctor.redis_checks import surfaces_off
from workers.queue.stand_ins import KEY
from workers.recurring.dead_man import PROBLEM, DeadMan

Json = dict[str, Any]


@pytest.fixture
def parts(slack_by_clock: SlackByClock) -> Iterator[Works]:
    """The whole of Tocsin but its processes, whose people are known to Slack."""
    workspace, clock = slack_by_clock
    with redis_of("valkey") as redis:
        clock.now = START
        made = works(redis, workspace, clock, example_company())
        made.control("reset")
        yield made


def keep(parts: Works) -> None:
    """Let a worker look after what stands in Slack, for a few rounds: each makes twenty calls at most."""
    worker = DeadMan(parts.context)
    for _ in range(3):
        worker.reconcile(parts.clock.now)


def standing(parts: Works) -> list[Json]:
    found: list[Json] = parts.look("control/state")["scheduled"]
    return found


def persons(parts: Works, rows: list[Json]) -> list[str]:
    """Whose direct messages these are."""
    direct = {c["id"]: c.get("user") for c in parts.look("control/state")["channels"]}
    return sorted(str(direct[row["channel"]]) for row in rows)


def posted(parts: Works) -> list[Json]:
    """What Slack posted by itself, and nobody has taken over."""
    return [m for m in parts.directs() if STOOD_IN in m["text"]]


def armed(parts: Works, severity: str = "P0", **facts: Any) -> Incident:
    """Declare an incident, have it sent, and the dead man set."""
    incident = parts.declare(severity, **facts)
    parts.run()
    keep(parts)
    return incident


def next_page(parts: Works, incident: Incident) -> tuple[float, set[str]]:
    """Seconds until the next tier is paged, and whom it pages."""
    ahead = [up for up in parts.service.upcoming(parts.now(incident)) if up.tiers]
    people = {person for up in ahead if up.due == ahead[0].due for person in up.people}
    return (ahead[0].due - parts.clock.now).total_seconds(), people


def test_for_every_tier_to_come_a_message_stands_three_minutes_behind(parts: Works) -> None:
    """One for each person of each, in their direct messages, and without the metadata that Slack chokes on."""
    incident = armed(parts)
    ahead = [up for up in parts.service.upcoming(parts.now(incident)) if up.tiers]
    wanted = sorted((person, (up.due + BEHIND).timestamp()) for up in ahead for person in up.people)
    rows = standing(parts)
    assert sorted(r["post_at"] for r in rows) == sorted(at for _, at in wanted)
    assert persons(parts, rows) == sorted(person for person, _ in wanted)
    assert all(r["metadata"] is None for r in rows)
    assert all("Checkout is down" in str(r["content"]) for r in rows)
    keep(parts)
    assert standing(parts) == rows


def test_with_everything_of_ours_gone_slack_pages(parts: Works) -> None:
    """Killed ten seconds before the next tier: three minutes after its time Slack itself pages its people."""
    incident = armed(parts)
    seconds, people = next_page(parts, incident)
    parts.clock.push(seconds=seconds - 10)
    parts.run()
    keep(parts)
    before = len(parts.directs())
    parts.clock.push(seconds=10 + 179)  # and nothing of ours runs
    assert len(parts.directs()) == before
    parts.clock.push(seconds=1)
    rang = eventually(lambda: found if len(found := posted(parts)) >= len(people) else None)
    assert set(persons(parts, rang)) >= people
    assert all(incident.id in m["text"] for m in rang)


def test_when_ours_went_through_slack_says_nothing(parts: Works) -> None:
    """The next tier is paged in time: its stand-ins are called off, and an hour later nothing stands or was posted."""
    incident = armed(parts)
    for _ in range(90):
        parts.clock.push(seconds=60)
        parts.run()
        keep(parts)
    assert incident.id
    assert posted(parts) == []
    parts.service.handle(incident.id, Resolve(by=incident.pages[0].person, summary="s", resolution="r"))
    parts.run()
    keep(parts)
    assert standing(parts) == []
    assert set(parts.times_delivered().values()) == {1}


def test_a_page_that_slack_has_not_taken_keeps_its_stand_in(parts: Works) -> None:
    """While the page itself fails, what stands in Slack's queue is the better one; it goes once the page went."""
    incident = armed(parts)
    seconds, people = next_page(parts, incident)
    parts.fault("chat.postMessage", "status", status=503, times=None)
    parts.clock.push(seconds=seconds)
    parts.run()
    keep(parts)
    due = [r for r in standing(parts) if r["post_at"] == parts.clock.seconds() + BEHIND.total_seconds()]
    assert set(persons(parts, due)) == people
    parts.slack_back()
    parts.run_for(60, step=5)
    keep(parts)
    assert not [r for r in standing(parts) if r in due]


def test_an_acknowledgement_calls_off_what_it_makes_needless(parts: Works) -> None:
    """Tiers that are paged only while nobody has acknowledged are no longer to come."""
    incident = armed(parts)
    many = len(standing(parts))
    parts.service.handle(incident.id, Acknowledge(by=incident.pages[0].person))
    parts.run()
    keep(parts)
    ahead = [p for up in parts.service.upcoming(parts.now(incident)) if up.tiers for p in up.people]
    assert len(standing(parts)) == len(ahead) < many


def test_it_follows_whoever_takes_over(parts: Works) -> None:
    """A shift that is taken moves the stand-in of its role to its new holder."""
    armed(parts)
    before = persons(parts, standing(parts))
    company = parts.service.company
    backup = parts.service.roster(parts.clock.now).of("backup")[0]
    assert backup in before
    key = company.key_of(backup, parts.store.directory()) or ""
    until = parts.clock.now + timedelta(days=365)
    parts.service.update_oncall(lambda state, now: overrides.add_absence(state, company, key, now, until, now))
    keep(parts)
    assert backup not in persons(parts, standing(parts))
    assert len(standing(parts)) == len(before)


@pytest.mark.parametrize("kind", ["drop_after", "drop_before"])
def test_a_lost_reply_leaves_one_and_its_id_is_known(parts: Works, kind: str) -> None:
    """What Slack took though we heard nothing is found in its list; what it did not take is scheduled again."""
    parts.fault("chat.scheduleMessage", kind)
    incident = armed(parts)
    keep(parts)
    rows = standing(parts)
    assert len({(r["channel"], r["post_at"]) for r in rows}) == len(rows) > 1
    parts.service.handle(incident.id, Resolve(by=incident.pages[0].person, summary="s", resolution="r"))
    keep(parts)
    assert standing(parts) == []


def test_after_redis_lost_its_records_they_are_found_in_slack(parts: Works) -> None:
    """A worker that starts adopts what stands there: nothing is doubled, and what is over is called off."""
    incident = armed(parts)
    rows = standing(parts)
    parts.redis.delete(KEY)
    keep(parts)
    assert standing(parts) == rows
    parts.redis.delete(KEY)
    parts.service.handle(incident.id, Acknowledge(by=incident.pages[0].person))
    keep(parts)
    ahead = [p for up in parts.service.upcoming(parts.now(incident)) if up.tiers for p in up.people]
    assert len(standing(parts)) == len(ahead) < len(rows)


def test_what_slack_sent_meanwhile_becomes_the_page(parts: Works) -> None:
    """Back after an outage nobody is rung twice: the message gets the page's buttons, and the thread tells of it."""
    incident = armed(parts)
    seconds, people = next_page(parts, incident)
    parts.clock.push(seconds=seconds + 240)
    rang = eventually(lambda: found if len(found := posted(parts)) >= len(people) else None)
    pages = _pages(parts)
    parts.run()
    keep(parts)
    assert (posted(parts), _pages(parts)) == ([], pages)
    stands = {m["ts"]: m for m in parts.directs()}
    assert all("You're being paged" in stands[m["ts"]]["text"] for m in rang if m["ts"] in stands)
    now = parts.now(incident)
    told = [e for e in now.timeline if e.kind is EntryKind.STOOD_IN]
    assert {person for e in told for person in e.people} == people
    assert set(parts.times_delivered().values()) == {1}


def _pages(parts: Works) -> int:
    """How often Slack was asked to page."""
    return sum("You're being paged" in str(c["args"].get("text")) for c in parts.calls("chat.postMessage"))


def test_in_the_last_minute_it_is_deleted_as_soon_as_it_stands(parts: Works) -> None:
    """Slack no longer lets go of it then; what it posts goes again, and has rung once too often at most."""
    incident = armed(parts)
    seconds, _ = next_page(parts, incident)
    parts.clock.push(seconds=seconds + 150)
    parts.service.handle(incident.id, Resolve(by=incident.pages[0].person, summary="s", resolution="r"))
    keep(parts)
    assert standing(parts)
    parts.clock.push(seconds=31)
    eventually(lambda: posted(parts))
    keep(parts)
    assert posted(parts) == []
    assert standing(parts) == []
    assert parts.redis.hlen(KEY) == 0


def test_more_than_slack_takes_are_said(parts: Works) -> None:
    """The thirty-first of one conversation in five minutes has none: the pages go as always, and the doctor says it."""
    for _ in range(31):
        parts.declare("P0")
    parts.run()
    for _ in range(15):
        keep(parts)
    [problem] = parts.store.problems.current()
    assert (problem.key, problem.blocks) == (PROBLEM, False)
    assert "no more scheduled messages" in problem.text
    for incident in parts.store.open_incidents():
        parts.service.handle(incident.id, Resolve(by=user("dana"), summary="s", resolution="r"))
    for _ in range(25):
        keep(parts)
    assert parts.store.problems.current() == []
    assert standing(parts) == []


@pytest.mark.parametrize("error", ["unknown_method", "missing_scope", "restricted_action"])
def test_where_slack_refuses_it_is_switched_off_and_no_fault(parts: Works, error: str) -> None:
    """The doctor names it, readiness does not; pages go as always, and Slack is asked no more that day."""
    parts.fault("chat.scheduleMessage", "error", error=error, times=None)
    incident = armed(parts)
    keep(parts)
    assert len(parts.calls("chat.scheduleMessage")) == 1
    [finding] = surfaces_off(parts.redis)
    assert (finding.state, error in finding.what) == ("ok", True)
    assert parts.store.problems.current() == []
    assert parts.now(incident).effects == ()


@pytest.mark.parametrize(
    ("method", "field"),
    [("chat.scheduleMessage", "scheduled_message_id"), *(("list", name) for name in ("id", "channel_id", "post_at"))],
)
def test_an_answer_without_what_it_has_to_have_is_a_refusal(parts: Works, method: str, field: str) -> None:
    """Of scheduling and of the list alike: switched off, named by the doctor, and no fault of ours."""
    parts.declare("P0")
    parts.run()
    keep(parts)
    method = method if "." in method else "chat.scheduledMessages.list"
    parts.fault(method, "without", fields=[field], times=None)
    armed(parts, title="Another one")
    [finding] = surfaces_off(parts.redis)
    assert (finding.state, f"no_field_{field}" in finding.what) == ("ok", True)
    assert parts.store.problems.current() == []
    parts.slack_back()
    for incident in parts.store.open_incidents():
        parts.service.handle(incident.id, Resolve(by=user("dana"), summary="s", resolution="r"))
    for _ in range(5):
        keep(parts)
    assert standing(parts) == []


def test_a_list_that_is_refused_switches_it_off(parts: Works) -> None:
    """It would never be known what stands there."""
    parts.fault("chat.scheduledMessages.list", "error", error="missing_scope", times=None)
    armed(parts)
    [finding] = surfaces_off(parts.redis)
    assert "missing_scope" in finding.what
    assert standing(parts) == []


def test_the_switch_turns_it_off_and_calls_off_what_stands(parts: Works) -> None:
    """`slack_dead_man: false`: nothing is scheduled, and what an earlier start scheduled is deleted."""
    armed(parts)
    assert standing(parts)
    parts.service.company = example_company(slack_dead_man=False)
    for _ in range(2):
        keep(parts)
    assert standing(parts) == []


def test_of_a_private_incident_it_has_no_words(parts: Works) -> None:
    """Severity and id, as any other channel says them."""
    armed(parts, title="zebra crossing", impact="zebra", security=True)
    assert standing(parts)
    assert "zebra" not in str(standing(parts))


@pytest.mark.parametrize("lost", [False, True])
def test_when_an_incident_becomes_private_its_words_leave_slacks_queue(parts: Works, lost: bool) -> None:
    """What stood there is replaced by messages without words, also when the records of them were lost."""
    incident = armed(parts, title="zebra crossing")
    assert "zebra" in str(standing(parts))
    parts.service.handle(incident.id, MarkSecurity(by=incident.pages[0].person))
    if lost:
        parts.redis.delete(KEY)
    keep(parts)
    ahead = [up for up in parts.service.upcoming(parts.now(incident)) if up.tiers]
    assert persons(parts, standing(parts)) == sorted(p for up in ahead for p in up.people)
    assert "zebra" not in str(standing(parts))


@pytest.mark.parametrize("severity", ["P2", "P3"])
def test_what_is_not_urgent_has_none(parts: Works, severity: str) -> None:
    """Nobody is rung by Slack for what waits until morning, nor for a drill."""
    armed(parts, severity)
    parts.service.declare(user("paula"), "P0", parts.declare("P3").facts, drill_speed=1.0)  # type: ignore[arg-type]
    parts.run()
    keep(parts)
    assert standing(parts) == []
