"""The ledger: what was due, decided, accepted and acknowledged, once each, and what the figures make of it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from escalation import slo
from escalation.config.policy import Severity
from escalation.incident.effects import SendPage
from escalation.incident.events.moves import Acknowledge, Cancel, StartFix
from escalation.incident.events.outcomes import Delivered
from escalation.incident.state.facts import Facts
from escalation.slo import Objective, Record, RecordKind, Report, Row, decode, encode
from escalation.storage.indexes import METRICS
from escalation.storage.store import LEDGER
from tests.support.company import example
from tests.support.http import web
from tests.support.story import START
from tests.support.worker import BACKENDS, Works, raw, redis_of, works
from workers import jobs
from workers.queue import ledger
from workers.recurring import slo_breach
from workers.recurring.slo_breach import SloBreach

DAY = timedelta(days=1)


@pytest.fixture(params=BACKENDS)
def alone(request: pytest.FixtureRequest) -> Iterator[Works]:
    """No Slack: what is decided is not accepted."""
    with redis_of(request.param) as client:
        made = works(client)
        jobs.bind(made.context)
        yield made
        jobs.unbind()


def kept(parts: Works) -> list[bytes]:
    """The ledger's entries as Redis has them."""
    return [raw(fields[b"r"]) for _, fields in parts.redis.xrange(LEDGER) or () if fields]


def written(parts: Works, *kinds: RecordKind) -> list[Record]:
    return [r for entry in kept(parts) for r in decode(entry) if r.what in kinds]


def report(parts: Works, objective: Objective | None = None, last: timedelta = DAY) -> Report:
    return parts.store.report(objective or Objective(), last, parts.clock())


def row(found: Report, kind: str) -> Row:
    return next(r for r in found.rows if r.kind == kind)


# What is written -----------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_written_down_in_the_commit_that_fires_it(alone: Works) -> None:
    """With its due time and the time at which it was decided; a second ring adds nothing."""
    incident = alone.declare("P0")
    alone.clock.push(minutes=15, seconds=0.25)
    for _ in range(2):
        jobs.checkpoint_due(incident.id, "unacknowledged-1")
    (fired,) = [r for r in written(alone, RecordKind.FIRED) if "unacknowledged" in r.id]
    due = (START + timedelta(minutes=15)).timestamp()
    assert (fired.kind, fired.due, fired.at) == ("policy", due, due + 0.25)
    assert row(report(alone), slo.CHECKPOINTS).count == len(written(alone, RecordKind.FIRED))


def test_a_page_counts_from_the_checkpoint_that_called_for_it(alone: Works) -> None:
    """Deciding late makes it late."""
    incident = alone.declare("P0")
    alone.clock.push(minutes=15, seconds=3)
    jobs.checkpoint_due(incident.id, "unacknowledged-1")
    before = {e.id for e in incident.effects}
    pages = [r for r in written(alone, RecordKind.DECIDED) if r.id not in before]
    assert pages
    assert all(r.at - r.due >= 3 for r in pages)


def test_a_moot_checkpoint_is_not_written_down(alone: Works) -> None:
    """It was acknowledged: nothing was due any more."""
    incident = alone.declare("P0")
    alone.service.handle(incident.id, Acknowledge(by="UOMAR"))
    alone.clock.push(minutes=15)
    jobs.checkpoint_due(incident.id, "unacknowledged-1")
    assert not [r for r in written(alone, RecordKind.FIRED) if "unacknowledged" in r.id]


def test_an_acknowledgement_is_written_down_once(alone: Works) -> None:
    """With the policy's target; in the metrics too. What happens later is none."""
    incident = alone.declare("P0")
    alone.clock.push(minutes=4)
    for event in (Acknowledge(by="UOMAR"), StartFix(by="UOMAR")):
        alone.service.handle(incident.id, event)
    found = row(report(alone), "P0 acknowledged")
    assert (found.count, found.in_time, found.p50) == (1, 1, 240)
    assert alone.redis.hget(METRICS, "acknowledgement_seconds_count|severity=P0") == b"1"
    assert alone.redis.hget(METRICS, "acknowledgement_seconds_bucket|severity=P0,le=300") == b"1"


def test_an_exercise_says_nothing_of_how_fast_people_are(alone: Works) -> None:
    """Its pages count all the same: they go out."""
    drill = alone.service.declare("UPAULA", Severity.P0, Facts(title="Exercise"), drill_speed=1.0)
    alone.service.handle(drill.id, Acknowledge(by="UOMAR"))
    assert not written(alone, RecordKind.ACKNOWLEDGED)
    assert written(alone, RecordKind.DECIDED)


def test_there_are_no_words_in_the_ledger(alone: Works) -> None:
    """Ids and times only, of private incidents too."""
    alone.declare("P0", title="zebra crossing", security=True)
    assert b"zebra" not in b"".join(kept(alone))


def test_the_ledger_is_capped(alone: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go, a node of the stream at a time."""
    monkeypatch.setattr(ledger, "MAX_ENTRIES", 100)
    incident = alone.declare("P0")
    effect = next(e for e in incident.effects if isinstance(e, SendPage))
    pipe = alone.redis.pipeline(transaction=False)
    for _ in range(500):
        ledger.accepted(pipe, effect, Delivered(effect=effect.id), alone.clock(), adopted=False)
    pipe.execute()
    assert 100 <= alone.redis.xlen(LEDGER) < 500


def test_what_slack_accepts_is_written_down(parts: Works) -> None:
    """Pages and messages apart, each with its time from due to accepted; all of them in time."""
    incident = parts.declare("P0")
    parts.run()
    parts.settled(incident)
    found = report(parts)
    assert (found.pages, found.pages_in_time, found.share, found.met) == (3, 3, 100, True)
    assert row(found, "messages").count > 3
    assert (found.lost, found.doubled, found.early) == (0, 0, 0)


def test_pages_that_slack_takes_late_miss_the_objective(parts: Works) -> None:
    """Slack was away: the time until it took them counts, and retries count once."""
    parts.fault("chat.postMessage", "status", status=503, times=None)
    incident = parts.declare("P0")
    parts.run()
    parts.clock.push(seconds=5)
    assert report(parts).pages == 3  # nobody has them yet, and their time is over
    assert report(parts).met is False
    assert parts.workspace
    web.delete(f"{parts.workspace.url}/control/faults").raise_for_status()
    parts.run_for(60, step=5)
    parts.settled(incident)
    found = report(parts)
    assert (found.pages, found.pages_in_time, found.met) == (3, 0, False)
    assert row(found, "pages in Slack").p50 >= 5
    assert found.doubled == 0


def test_a_page_whose_reply_was_lost_is_not_doubled(parts: Works) -> None:
    """It is found in Slack and adopted."""
    parts.fault("chat.postMessage", "drop_after", times=1)
    parts.declare("P0")
    parts.run_for(10, step=1)
    assert report(parts).doubled == 0


def test_a_page_that_was_called_off_in_time_is_no_page(alone: Works) -> None:
    """A false alarm, a second after the declaration; one that waited longer was late, whatever came after."""
    for wait, pages in ((1, 0), (60, 3)):
        incident = alone.declare("P0")
        alone.clock.push(seconds=wait)
        alone.service.handle(incident.id, Cancel(by="UOMAR", why="a test"))
        alone.run()
        alone.clock.push(seconds=60)
        assert report(alone).pages == pages


# What the figures make of it -----------------------------------------------------------------------------------------


def pages_at(*seconds: float, kind: str = "page") -> list[Record]:
    """A page each, due at the start and accepted so much later."""
    at = START.timestamp()
    decided = [Record(RecordKind.DECIDED, f"e{n}", kind, at, at) for n in range(len(seconds))]
    return decided + [
        Record(RecordKind.ACCEPTED, f"e{n}", kind, at, at + s, mark=f"m{n}") for n, s in enumerate(seconds)
    ]


def figures(records: list[Record], objective: Objective | None = None) -> Report:
    return slo.report(records, objective or Objective(), START - DAY, START + DAY)


@pytest.mark.parametrize(
    ("late", "in_time", "met"),
    [((0.1,), 1, True), ((2.0,), 1, True), ((2.1,), 0, False), ((0.1,) * 999 + (9.0,), 999, True),
     ((0.1,) * 998 + (9.0,) * 2, 998, False)],
)  # fmt: skip
def test_the_objective_is_a_share_of_the_pages(late: tuple[float, ...], in_time: int, met: bool) -> None:
    """99.9 % within two seconds."""
    found = figures(pages_at(*late))
    assert (found.pages_in_time, found.met) == (in_time, met)


def test_a_page_that_was_told_twice_counts_once() -> None:
    """A crash between two writes leaves a record too many."""
    records = pages_at(0.5, 0.5)
    found = figures([*records, *records])
    assert (found.pages, found.doubled) == (2, 0)


@pytest.mark.parametrize(("mark", "adopted", "doubled"), [("m9", False, 1), ("m9", True, 0), ("m0", False, 0)])
def test_a_page_is_doubled_when_two_messages_stand_for_it(mark: str, adopted: bool, doubled: int) -> None:
    """One that was found and adopted is not a second one."""
    at = START.timestamp()
    again = Record(RecordKind.ACCEPTED, "e0", "page", at, at + 9, mark=mark, adopted=adopted)
    assert figures([*pages_at(0.5), again]).doubled == doubled


def test_a_period_that_is_over_has_only_what_was_due_in_it() -> None:
    """A late page of the day after counts for that day, as does one that still waits; neither is lost before."""
    records, later = pages_at(0.5), DAY.total_seconds()
    records += [replace(r, id=f"late-{r.id}", due=r.due + later, at=r.at + later) for r in pages_at(65.0)]
    waits = (START + DAY).timestamp()
    records.append(Record(RecordKind.DECIDED, "waits", "page", waits, waits))
    over = slo.report(records, Objective(), START - DAY, START + 3 * DAY, until=START + DAY)
    assert (over.pages, over.pages_in_time, over.lost, over.until) == (1, 1, 0, START + DAY)
    running = slo.report(records, Objective(), START - DAY, START + 3 * DAY)
    assert (running.pages, running.pages_in_time, running.lost) == (3, 1, 1)


def test_early_is_counted() -> None:
    """It must never be."""
    assert figures(pages_at(-0.001, 0.001)).early == 1


def test_what_was_due_before_does_not_count() -> None:
    """Only what was due in the time that is looked at."""
    found = slo.report(pages_at(9.0), Objective(), START + timedelta(seconds=1), START + DAY)
    assert (found.pages, found.met, found.rows) == (0, None, ())


def test_percentiles_are_values_that_occurred() -> None:
    """By nearest rank."""
    found = row(figures(pages_at(*(n / 100 for n in range(1, 101)))), "pages in Slack")
    assert [found.p50, found.p99, found.most] == pytest.approx([0.5, 0.99, 1.0])


def test_what_a_newer_version_writes_is_passed_over() -> None:
    """Fields and kinds of record."""
    text = encode(pages_at(0.5))[:-1] + ',{"what":"dreamt","id":"x"},{"what":"fired","id":"y","kind":"z","new":1}]'
    assert [r.what for r in decode(text)] == [RecordKind.DECIDED, RecordKind.ACCEPTED, RecordKind.FIRED]


def test_what_is_due_for_long_is_lost(alone: Works) -> None:
    """Whatever still stands in the alarms."""
    alone.declare("P0")
    alone.clock.push(seconds=31)
    assert report(alone).lost > 0


# An incident on itself -----------------------------------------------------------------------------------------------


def watching(parts: Works, objective: Objective) -> SloBreach:
    company = example().model_copy(update={"objective": objective})
    parts.service.company = company
    return SloBreach(parts.context)


def look(parts: Works, of: SloBreach) -> list[str]:
    """Look, five minutes later; the titles of all incidents."""
    parts.redis.delete(slo_breach.CHECKED)
    of.check(parts.clock.push(minutes=5))
    return [i.facts.title for i in parts.store.recent()]


def test_a_missed_objective_is_an_incident_once(parts: Works) -> None:
    """By the bot, and again only when it was kept in between."""
    of = watching(parts, Objective(open_incident=True))
    parts.redis.xadd(LEDGER, {"r": encode(pages_at(9.0))})
    assert look(parts, of) == look(parts, of) == [slo_breach.TITLE]
    (incident,) = parts.store.recent()
    assert (incident.severity, incident.reporter) == ("P2", parts.context.slack.rooms.bot_id())
    assert "0 % on time (1 pages" in incident.facts.description
    parts.redis.delete(LEDGER)
    parts.redis.xadd(LEDGER, {"r": encode(pages_at(0.1))})
    look(parts, of)
    parts.redis.xadd(LEDGER, {"r": encode(pages_at(0.1, 9.0))})
    assert look(parts, of) == [slo_breach.TITLE] * 2


@pytest.mark.parametrize(
    ("objective", "late"),
    [(Objective(), (9.0,)), (Objective(open_incident=True), (0.1,)), (Objective(open_incident=True), ())],
)
def test_otherwise_it_is_none(parts: Works, objective: Objective, late: tuple[float, ...]) -> None:
    """Not asked for, kept, or nothing to tell it by."""
    of = watching(parts, objective)
    parts.redis.xadd(LEDGER, {"r": encode(pages_at(*late))})
    assert look(parts, of) == []
