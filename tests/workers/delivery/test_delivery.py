"""Each effect reaches Slack exactly once, whatever goes wrong on the way: over the wire, to the local workspace."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from redis.exceptions import ConnectionError as Away

from escalation.config.policy import Severity
from escalation.incident.effects import PostCard, Reminded, RemindPerson, SendPage
from escalation.incident.events.moves import Acknowledge, Cancel, Edit, MarkSecurity, Resolve
from escalation.incident.events.news import CheckpointDue
from escalation.incident.model import Incident
from escalation.incident.state.facts import Facts
from escalation.incident.state.posted import CopyKind
from escalation.processes import QUEUES
from escalation.storage.alarms import ready
from tests.support.profiles import few_of
from tests.support.worker import Works, names, through
from workers.channels.slack import SlackClient
from workers.clock.sweep import Sweep
from workers.delivery import rate_limits
from workers.delivery.deliver import DeliveryPool
from workers.queue.rq import registry_key

MARKER, SLUG = "zebra crossing", "zebra-crossing"


# All is well ---------------------------------------------------------------------------------------------------------


def test_a_declaration_reaches_everybody_once(parts: Works) -> None:
    """Card, thread, room with topic, pin, link and people, and a page for each: all at once."""
    incident = parts.declare("P0")
    parts.run()
    now = parts.settled(incident)
    assert now.room is not None
    assert not now.troubles
    assert len(parts.directs()) == 3
    room = parts.channel(now.room.name)
    assert incident.id in room["topic"]["value"]
    assert incident.id in room["purpose"]["value"]
    assert parts.counted("deliveries_total", kind="page", result="sent") == 3


def test_cards_show_the_latest_face_in_every_copy(parts: Works) -> None:
    """An acknowledgement is seen in the channel, in the room and in each page's own card."""
    incident = parts.declare("P0")
    parts.run()
    parts.service.handle(incident.id, Acknowledge(by="U0OMAR0001"))
    parts.run()
    now = parts.settled(incident)
    cards = [c for c in now.copies if c.kind is not CopyKind.COMMUNICATIONS]
    assert {c.face for c in cards} == {now.face}
    assert len(cards) == 5


def test_people_known_by_key_are_looked_up_and_remembered(parts: Works) -> None:
    """From then on the page is that member's, so that the next one replaces it."""
    incident = parts.declare("P0")
    parts.run()
    assert {p.person for p in parts.now(incident).pages} == {"U0MEI00001", "U0LENA0001", "U0BRUNO001"}
    assert parts.store.directory().people["lena@example.com"] == "U0LENA0001"


def test_a_p0_does_not_wait_behind_p3_chatter(parts: Works) -> None:
    """Twenty P3s page the same person and fill the same channel, a message a second: the P0 goes out at once."""
    parts.context = replace(parts.context, paced=True)
    for n in range(20):
        parts.declare("P3", title=f"Typo {n}")
    parts.run()
    incident = parts.declare("P0")
    parts.run()
    assert len([m for m in parts.directs() if "P3" in m["text"]]) < 20
    assert len([m for m in parts.directs() if "P0" in m["text"]]) == 3
    assert parts.now(incident).card()


def test_a_leak_is_redacted_before_other_cards_are_refreshed(parts: Works) -> None:
    """However many updates wait: what is to be seen by nobody goes first."""
    parts.context = replace(parts.context, paced=True)
    incident = parts.declare("P3")
    parts.run()
    for n in range(40):
        rate_limits.reserve(parts.redis, rate_limits.UPDATE, f"another-{n}", parts.clock())
    parts.service.handle(incident.id, MarkSecurity(by="U0DANA0001"))
    parts.run()
    assert any("is now private" in call["args"]["text"] for call in parts.calls("chat.update"))


def test_a_cancelled_drill_waits_behind_the_cards_of_an_open_p0(parts: Works) -> None:
    """With the limits of updates used up, the open P0's cards change at once, and those of the drill later, but do."""
    parts.context = replace(parts.context, paced=True)
    real = parts.declare("P0")
    facts = Facts(title="Rehearsal", impact="None")
    drill = parts.service.declare("UPAULA", Severity.P0, facts, "drill", drill_speed=1000)
    parts.run_for(5, step=0.5)
    for n in range(60):
        rate_limits.reserve(parts.redis, rate_limits.update(parts.now(drill), card=True), f"other-{n}", parts.clock())
    parts.service.handle(drill.id, Cancel(by="UPAULA", why="over"))
    parts.service.handle(real.id, Acknowledge(by="U0MEI00001"))
    before = len(parts.calls("chat.update"))
    parts.run()
    cards = {copy.ts for copy in parts.now(real).copies if not copy.person}
    assert cards <= {call["args"]["ts"] for call in parts.calls("chat.update")[before:]}
    assert {copy.face for copy in parts.now(drill).copies} != {parts.now(drill).face}
    parts.run_for(300, step=5)
    assert {copy.face for copy in parts.now(drill).copies} == {parts.now(drill).face}


def test_of_many_updates_of_one_card_only_the_newest_is_sent(parts: Works) -> None:
    """While a card waits for the limit of updates, what a later change makes needless is never sent."""
    parts.context = replace(parts.context, paced=True)
    incident = parts.declare("P3")
    parts.run_for(5, step=0.5)
    for n in range(60):
        rate_limits.reserve(parts.redis, rate_limits.update(incident, card=True), f"other-{n}", parts.clock())
    card, before = parts.now(incident).card(), len(parts.calls("chat.update"))
    assert card
    for n in range(10):
        parts.service.handle(incident.id, Edit(by="UPAULA", title=f"Title {n}"))
        parts.run_for(1, step=0.5)
    parts.run_for(180, step=5)
    sent = [c["args"] for c in parts.calls("chat.update")[before:] if c["args"]["ts"] == card.ts]
    assert [f"Title {n}" for n in range(10) if f"Title {n}" in str(sent)] == ["Title 9"]
    assert len(sent) == 1


def test_what_became_private_while_its_answer_was_lost_is_found_and_redacted(parts: Works) -> None:
    """Card and room stand in public, nobody recorded them, and then it is marked: neither keeps its words."""
    parts.declare("P0")  # from here on the channels are known
    parts.run()
    parts.fault("*", "drop_after", times=None)
    incident = parts.declare("P0", title=MARKER)
    card = next(e.id for e in incident.effects if isinstance(e, PostCard))
    parts.run()
    assert parts.public_words(MARKER)
    assert any(SLUG in c["name"] for c in parts.channels() if not c["is_private"])
    parts.slack_back()
    parts.service.handle(incident.id, MarkSecurity(by="U0DANA0001"))
    parts.run_for(5, step=0.5)
    (posted,) = [m for m in parts.messages() if m.get("metadata", {}).get("event_payload", {}).get("delivery") == card]
    assert "is now private" in posted["text"]
    assert MARKER not in str(posted)
    assert not any(SLUG in c["name"] for c in parts.channels() if not c["is_private"])
    parts.settled(incident)


def test_what_became_private_before_it_was_sent_is_not_looked_for(parts: Works) -> None:
    """It never was there."""
    incident = parts.declare("P0", title=MARKER)
    parts.service.handle(incident.id, MarkSecurity(by="U0DANA0001"))
    parts.run()
    assert not parts.public_words(MARKER)
    assert not parts.calls("conversations.history")
    assert len([c for c in parts.channels() if c["name"].startswith("inc-")]) == 1
    parts.settled(incident)


# What goes wrong on the way ------------------------------------------------------------------------------------------

SENDING = ("chat.postMessage", "conversations.create", "chat.update", "*")
FURNISHING = (
    "conversations.open",
    "conversations.invite",
    "conversations.setTopic",
    "conversations.setPurpose",
    "conversations.list",
    "users.lookupByEmail",
    "pins.add",
    "bookmarks.add",
)
PASSING: dict[str, dict[str, Any]] = {
    "429": {"kind": "ratelimited", "retry_after": 2},
    "internal_error": {"kind": "error", "error": "internal_error"},
    "service_unavailable": {"kind": "error", "error": "service_unavailable"},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "drop before": {"kind": "drop_before"},
    "drop after": {"kind": "drop_after"},
}


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        *few_of(itertools.product(SENDING, PASSING)),
        *few_of(itertools.product(FURNISHING, ("429", "drop after"))),
    ],
)
def test_passing_failures_lose_nothing_and_double_nothing(parts: Works, method: str, fault: str) -> None:
    """Two in a row of each kind at each method: a few seconds later everything stands exactly once."""
    parts.fault(method, times=2, **PASSING[fault])
    incident = parts.declare("P0")
    parts.run()
    parts.run_for(8, step=0.5)
    now = parts.settled(incident)
    assert now.room is not None
    assert not now.room.name.endswith("-2")
    assert len(parts.directs()) == 3
    assert len(parts.calls("pins.add")) >= 1
    assert len(parts.channel(now.room.name)["bookmarks"]) == 1
    assert len([c for c in parts.channels() if c["name"].startswith("inc-")]) == 1


def test_a_lost_reply_is_adopted_and_not_sent_again(parts: Works) -> None:
    """The message is known by its metadata."""
    parts.fault("chat.postMessage", "drop_after", times=3)
    incident = parts.declare("P0")
    parts.run()
    parts.run_for(3)
    parts.settled(incident)
    adopted = sum(parts.counted("deliveries_total", kind=k, result="adopted") for k in ("page", "card", "say"))
    assert adopted == 3
    posts = [c for c in parts.calls("chat.postMessage") if c["ok"] or c["error"] is None]
    assert len(posts) == sum(parts.times_delivered().values())


def test_a_page_whose_reply_was_lost_is_known_though_the_next_one_took_its_place(parts: Works) -> None:
    """It is found before it is dropped as moot: each person has one living page, and none once all is resolved."""
    parts.fault("chat.postMessage", "drop_after", times=None)
    parts.fault("conversations.history", "drop_before", times=None)
    incident = parts.declare("P0")
    parts.run()
    first = {m["ts"] for m in parts.directs()}
    assert len(first) == 3
    parts.run_for(301, step=50)  # it is repeated meanwhile
    parts.slack_back()
    parts.run_for(60, step=2)
    assert len(living_pages(parts)) == 3
    assert not first & {m["ts"] for m in living_pages(parts)}
    parts.service.handle(incident.id, Resolve(by="U0OMAR0001", summary="It was the cache", resolution="We emptied it"))
    parts.run_for(60, step=2)
    parts.settled(incident)
    assert not living_pages(parts)


def living_pages(parts: Works) -> list[Any]:
    """The direct messages in which somebody can still acknowledge."""
    return [m for m in parts.directs() if "acknowledge|" in str(m.get("blocks"))]


def test_a_slack_that_hangs_is_given_up_and_asked_again(parts: Works) -> None:
    """The timeout is ours; whether the message arrived is looked up."""
    assert parts.workspace
    access = SlackClient(parts.workspace.bot_token, parts.workspace.api_url, parts.redis, timeout=3)
    parts.context = through(parts.context, slack=access)
    parts.fault("chat.postMessage", "hang")
    incident = parts.declare("P3")
    parts.run()
    assert parts.now(incident).effects
    parts.run_for(3, step=0.5)
    parts.settled(incident)


def test_the_wait_that_slack_asks_for_is_kept(parts: Works) -> None:
    """Not even a doubled job asks again before it is over."""
    parts.fault("chat.postMessage", "ratelimited", retry_after=3)
    incident = parts.declare("P3")
    parts.run()
    before = len(parts.calls("chat.postMessage"))
    parts.clock.push(seconds=2.999)
    parts.run()
    deliveries = DeliveryPool(parts.context)
    deliveries.deliver([e.id for e in parts.now(incident).effects])
    deliveries.close()
    assert len(parts.calls("chat.postMessage")) == before
    parts.clock.push(milliseconds=1)
    parts.run()
    parts.settled(incident)


def test_doubled_jobs_send_once(parts: Works) -> None:
    """Eight at the same time, while Slack takes its time."""
    parts.control("latency", seconds=0.05)
    incident = parts.declare("P0")
    ids = [e.id for e in incident.effects]
    deliveries = [DeliveryPool(parts.context) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: deliveries[n % 4].deliver(ids), range(8)))
    for each in deliveries:
        each.close()
    parts.run()
    parts.settled(incident)


def test_sends_whose_jobs_were_lost_go_out_after_a_repair(parts: Works) -> None:
    """RQ's side is wiped: the alarms are the truth."""
    incident = parts.declare("P0")
    for _ in range(12):
        for key in parts.redis.keys("rq:*"):
            parts.redis.delete(key)
        parts.clock.push(seconds=1.5)
        Sweep(parts.redis, parts.store).repair_lost(parts.clock())
        parts.run()
    parts.settled(incident)
    assert len(parts.directs()) == 3


# Stale work loses ----------------------------------------------------------------------------------------------------

RESOLVE = Resolve(by="U0OMAR0001", summary="Fixed", resolution="Restarted")


@pytest.mark.parametrize("move", [RESOLVE, "answered"])
def test_a_page_that_is_moot_by_now_is_not_sent(parts: Works, move: Any) -> None:
    """Nobody is paged for what is over, or for what they did already; a repeat takes the place of the former page."""
    incident = parts.declare("P0")
    parts.run()
    mei = "U0MEI00001"
    parts.clock.push(minutes=5)
    parts.redis.delete("rq:queue:urgent")
    before = len(parts.directs())
    parts.service.handle(incident.id, Acknowledge(by=mei) if move == "answered" else move)
    parts.run()
    now = parts.settled(incident)
    state = now.open_page_of(mei)
    assert state is None or move != "answered"
    posted = [c for c in parts.calls("chat.postMessage") if c["args"]["channel"].startswith("D")]
    # A list of communications to whoever looks after them; of an end that nobody outside waits for, none.
    repeats, lists = (0, 0) if move == RESOLVE else (2, 1)
    assert len(posted) == before + repeats + lists
    assert len(parts.directs()) == before + lists


def test_where_slack_deletes_no_former_page_it_is_shrunk_to_a_line(parts: Works) -> None:
    """A repeat rings as a new message; the former one stays, as one line without a button."""
    incident = parts.declare("P0")
    parts.run()
    parts.fault("chat.delete", "error", error="cant_delete_message", times=None)
    before = {(m["channel"], m["ts"]) for m in parts.directs()}
    parts.clock.push(minutes=5)
    parts.run()
    parts.settled(incident)
    former = [m for m in parts.directs() if (m["channel"], m["ts"]) in before]
    newer = [m for m in parts.directs() if (m["channel"], m["ts"]) not in before]
    assert len(former) == len(before)
    assert {m["channel"] for m in newer} == {m["channel"] for m in former}
    assert all([block["type"] for block in m["blocks"]] == ["context"] for m in former)
    assert all(m["blocks"][0]["elements"][0]["text"].startswith("Replaced by a newer page: ") for m in former)
    assert all(any(block["type"] == "actions" for block in m["blocks"]) for m in newer)


def test_a_commander_is_not_woken_about_what_is_over(parts: Works) -> None:
    """Resolved while the word about the missing update was on its way: nothing is told."""
    incident = parts.declare("P0")
    parts.run()
    parts.service.handle(incident.id, Acknowledge(by="U0MEI00001"))
    for _ in range(2):
        parts.run()
        parts.clock.push(minutes=40)
        parts.service.handle(incident.id, CheckpointDue(checkpoint="any"))
    waiting = [e for e in parts.now(incident).effects if isinstance(e, RemindPerson)]
    assert [(e.person, e.about) for e in waiting if e.about is Reminded.UPDATE] == [("U0MEI00001", Reminded.UPDATE)]
    parts.service.handle(incident.id, RESOLVE)
    parts.run()
    parts.settled(incident)
    assert not [m for m in parts.directs() if "Progress update" in m["text"]]


def test_only_the_newest_repeat_of_a_page_goes_out(parts: Works) -> None:
    """After an outage a person gets one message, not one for each repeat that was missed."""
    incident = parts.declare("P0")
    for _ in range(2):
        parts.clock.push(minutes=5)
        parts.redis.delete("rq:queue:urgent")  # the workers are away
        for checkpoint in parts.now(incident).checkpoints:
            if checkpoint.due <= parts.clock():
                from_job(parts, incident, checkpoint.id)
    pages = [e for e in parts.now(incident).effects if isinstance(e, SendPage)]
    assert len(pages) == 9
    deliveries = DeliveryPool(parts.context)
    deliveries.deliver([e.id for e in pages])
    deliveries.close()
    assert len(parts.directs()) == 3
    assert parts.counted("deliveries_total", kind="page", result="dropped") == 6


def from_job(parts: Works, incident: Incident, checkpoint_id: str) -> None:
    parts.service.handle(incident.id, CheckpointDue(checkpoint=checkpoint_id))


# A slow Slack --------------------------------------------------------------------------------------------------------


def test_a_job_does_not_wait_for_a_slow_slack(parts: Works) -> None:
    """The checkpoints behind it do not have to, either; the sends go on, each held by its lease."""
    parts.fault("conversations.open", "slow", seconds=3, times=None)
    incident = parts.declare("P0")
    pages = [e.id for e in incident.effects if isinstance(e, SendPage)]
    deliveries = DeliveryPool(replace(parts.context, patience=0.0))
    deliveries.deliver(pages)
    assert len([e for e in parts.now(incident).effects if isinstance(e, SendPage)]) == 3
    deliveries.close()
    assert not [e for e in parts.now(incident).effects if isinstance(e, SendPage)]


def test_what_one_process_cannot_hold_goes_back_to_redis(parts: Works) -> None:
    """So does what it holds when it is told to end: half a second later it is anybody's."""
    incidents = [parts.declare("P0", title=f"Incident {n}") for n in range(4)]
    parts.fault("conversations.open", "slow", seconds=1)
    parts.redis.delete("rq:queue:urgent")
    deliveries = DeliveryPool(replace(parts.context, patience=0.0, threads=1))
    deliveries.deliver([e.id for i in incidents for e in i.effects if isinstance(e, SendPage)])
    assert parts.redis.zcard("rq:scheduled:urgent") > sum(len(i.checkpoints) for i in incidents)
    deliveries.close()
    assert parts.redis.keys("tocsin:lease:*") == []
    parts.run_for(1)
    assert len(parts.directs()) == 12
    assert set(parts.times_delivered().values()) == {1}


def test_a_redis_that_was_away_often_leaves_room_for_what_comes(parts: Works) -> None:
    """Each claim that failed gives its place back; otherwise the process would one day take nothing at all."""
    incident = parts.declare("P0")
    away = True

    def clock() -> datetime:
        if away:
            raise Away("Redis is away")
        return parts.clock.now

    deliveries = DeliveryPool(replace(parts.context, clock=clock, threads=1, patience=20.0))
    page = next(e.id for e in incident.effects if isinstance(e, SendPage))
    for _ in range(20):
        with pytest.raises(Away):
            deliveries.deliver([page])
    away = False
    deliveries.deliver([page])
    deliveries.close()
    assert len(parts.directs()) == 1


def test_jobs_for_one_effect_that_find_no_thread_free_become_one(parts: Works) -> None:
    """Slack is slow and all threads are taken: however often an effect is asked for, one job waits for it."""
    parts.control("latency", seconds=0.5)
    effects = [e for n in range(4) for e in ready(parts.declare("P0", title=f"Number {n}"))]
    pool = DeliveryPool(replace(parts.context, patience=0.0, threads=1))
    pool.deliver(effects)
    waiting = [job for job in scheduled(parts) if job.startswith("retry-")]
    for _ in range(5):
        pool.deliver(effects)
    assert waiting
    assert sorted(job for job in scheduled(parts) if job.startswith("retry-")) == sorted(waiting)
    pool.close()


def scheduled(parts: Works) -> list[str]:
    return [job for name in QUEUES for job in names(parts.redis.zrange(registry_key(name), 0, -1))]
