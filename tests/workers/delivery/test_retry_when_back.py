"""What Slack's absence held up goes when Slack is back, and not when its own next try would come."""

from datetime import timedelta

from escalation.storage.alarms import effect_alarm, ready
from escalation.storage.indexes import ALARMS
from tests.support.worker import Works
from workers.delivery import retry_when_back
from workers.queue import outbox


def away_for(parts: Works, seconds: float) -> None:
    parts.slack_away()
    parts.run_for(seconds, step=1)
    parts.slack_back()


def tries(parts: Works) -> int:
    return sum(c["status"] == 503 for c in parts.calls("chat.postMessage"))


def test_the_first_that_succeeds_calls_the_others_in(parts: Works) -> None:
    """After three minutes the tries are half a minute apart; one is tried each second, and then all are out."""
    parts.slack_away()
    made = [parts.declare("P0", title=f"Outage {n}") for n in range(3)]
    away_for(parts, 180)
    assert parts.redis.zcard(outbox.HELD)
    assert retry_when_back.probe(parts.redis, parts.clock()) == 1
    parts.run_for(1)
    for incident in made:
        parts.settled(incident)
    assert parts.redis.zcard(outbox.HELD) == 0


def test_one_is_tried_each_second_while_slack_is_away(parts: Works) -> None:
    """However many wait, and however many sweeps look."""
    parts.slack_away()
    for n in range(3):
        parts.declare("P0", title=f"Outage {n}")
    parts.run_for(120, step=1)
    waiting = parts.redis.zcard(outbox.HELD)
    before = tries(parts)
    assert sum(retry_when_back.probe(parts.redis, parts.clock()) for _ in range(5)) == 1
    parts.run()
    assert tries(parts) <= before + 1
    assert parts.redis.zcard(outbox.HELD) == waiting


def test_a_wait_that_slack_asked_for_is_kept(parts: Works) -> None:
    """Whatever else succeeds meanwhile."""
    parts.fault("chat.postMessage", "ratelimited", retry_after=30)
    incident = parts.declare("P3")
    parts.run()
    asked_to_wait = len(ready(parts.now(incident)))
    other = parts.declare("P3", title="Another")
    parts.run()
    parts.settled(other)
    assert parts.redis.zcard(outbox.HELD) == 0
    assert len(ready(parts.now(incident))) == asked_to_wait
    parts.run_for(30, step=1)
    parts.settled(incident)


def test_an_alarm_that_was_set_anew_is_left_alone(parts: Works) -> None:
    """It failed, was held, failed once more and was told to wait: it waits."""
    incident = parts.declare("P3")
    effect, now = next(iter(ready(incident))), parts.clock()
    outbox.retry(parts.redis, effect, now + timedelta(seconds=20), urgent=False, held=True)
    outbox.retry(parts.redis, effect, now + timedelta(seconds=40), urgent=False)
    assert retry_when_back.release_all(parts.redis, now) == 0
    assert parts.redis.zscore(ALARMS, effect_alarm(effect)) == (now + timedelta(seconds=40)).timestamp()


def test_nothing_is_probed_that_comes_soon(parts: Works) -> None:
    """Nor what was tried already."""
    incident = parts.declare("P3")
    effect, now = next(iter(ready(incident))), parts.clock()
    outbox.retry(parts.redis, effect, now + timedelta(seconds=0.5), urgent=False, held=True)
    assert retry_when_back.probe(parts.redis, now) == 0
    assert retry_when_back.probe(parts.redis, now + timedelta(seconds=1)) == 0
    assert parts.redis.zcard(outbox.HELD) == 0


def test_the_job_of_the_later_try_is_taken_away(parts: Works) -> None:
    """A called one has one job."""
    incident = parts.declare("P3")
    effect, now = next(iter(ready(incident))), parts.clock()
    later = now + timedelta(seconds=20)
    outbox.retry(parts.redis, effect, later, urgent=False, held=True)
    name = outbox.retry_id(effect, later.timestamp())
    assert parts.redis.exists(f"rq:job:{name}")
    assert retry_when_back.release_all(parts.redis, now) == 1
    assert not parts.redis.exists(f"rq:job:{name}")
