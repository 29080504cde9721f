"""The audit of `benchmarks.chaos`: it finds each kind of harm that is done to a sound history; and a short storm."""

import copy
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from benchmarks import chaos, faults, interference, monitoring, people
from benchmarks.acting import member
from benchmarks.count import Observations, Verdict, judged, percentile
from benchmarks.holders import ROLE, Holders
from benchmarks.witness import MESSAGES, clock_time
from escalation.incident.effects import Effect, OpenRoom, PostCard, Refresh, SendPage
from escalation.incident.events.moves import Acknowledge, Resolve
from escalation.incident.events.outcomes import Delivered, RoomOpened
from escalation.incident.model import Incident
from escalation.incident.state.rooms import Room
from tests.support.story import Story

Json = dict[str, Any]


class Recorded(Story):
    """A story of which every state is kept, and whose messages stand in a workspace a tenth of a second later."""

    def __init__(self, **facts: Any) -> None:
        self.states: list[tuple[str, Json]] = []
        self.messages: list[Json] = []
        self.direct: dict[str, list[Json]] = {}
        self.rooms: list[Json] = []
        super().__init__(**facts)

    def _stands(self, incident: Incident) -> "Story":
        self.states.append((incident.id, json.loads(incident.model_dump_json())))
        return super()._stands(incident)

    def deliver(self) -> "Recorded":
        """Carry out everything that waits."""
        while self.incident.effects:
            effect = self.incident.effects[0]
            self.now += timedelta(seconds=0.1)
            if isinstance(effect, OpenRoom):
                self.rooms.append({"id": "CROOM", "name": effect.name})
                self.do(RoomOpened(effect=effect.id, room=Room(channel="CROOM", name=effect.name, private=False)))
                continue
            ts = f"{self.now.timestamp():.6f}"
            channel = self._place(effect)
            if effect.kind in MESSAGES:
                payload = {"delivery": effect.id}
                message = {"ts": ts, "metadata": {"event_type": "tocsin_delivery", "event_payload": payload}}
                (self.direct.setdefault(channel, []) if channel != "C1" else self.messages).append(message)
            face = effect.face if isinstance(effect, Refresh) else self.incident.face
            person = self.incident.page(effect.page).person if isinstance(effect, SendPage) else ""
            self.do(Delivered(effect=effect.id, channel=channel, ts=ts, face=face, person=person))
        return self

    def _place(self, effect: Effect) -> str:
        if isinstance(effect, SendPage):
            return f"D{self.incident.page(effect.page).person}"
        return "CROOM" if getattr(effect, "place", "") == "room" else "C1"

    def observed(self) -> Observations:
        people = [{"id": channel, "user": channel[1:]} for channel in self.direct if channel.startswith("D")]
        messages = {"C1": self.messages, **self.direct}
        state = {"messages": messages, "channels": [*self.rooms, *people], "deleted": []}
        now, mark = (self.now + timedelta(seconds=10)).timestamp(), self.incident.stamp
        return Observations(state, frozenset(), (), {}, {self.incident.id: mark}, now)


def told() -> Recorded:
    """A P0 that nobody acknowledges for half an hour, and that is resolved then."""
    story = Recorded(severity="P0")
    for minute in range(1, 33):
        story.deliver().until(minute)
    story.do(Acknowledge(by="UONCALL"))
    story.deliver().do(Resolve(by="UONCALL", summary="It was the cache", resolution="We emptied it"))
    return story.deliver()


@pytest.fixture(scope="module")
def sound() -> Recorded:
    return told()


def verdict(
    story: Recorded, states: list[tuple[str, Json]] | None = None, observed: Observations | None = None
) -> Verdict:
    return judged(states or story.states, observed or story.observed())


def test_a_sound_history_is_found_sound(sound: Recorded) -> None:
    """Everything that fired and was sent is counted, and nothing is complained of."""
    found = verdict(sound)
    assert found.sound, found
    assert found.fired > 10
    assert found.sent["page"] > 5


def delivery(message: Json) -> str:
    return str(message["metadata"]["event_payload"]["delivery"])


@pytest.mark.parametrize(
    ("by", "seconds", "doubled"),
    [("U0TOCSIN01", 9, 0), ("", 9, 1), ("", -0.5, 0)],
    ids=["taken back by the app", "deleted by hand while both stood", "deleted by hand before it was posted again"],
)
def test_what_was_gone_when_it_was_posted_again_stands_once(
    sound: Recorded, by: str, seconds: float, doubled: int
) -> None:
    """Two that stand at a time are a double, whoever deletes one of them later."""
    observed = copy.deepcopy(sound.observed())
    standing = float(page_of(sound)["ts"])
    before = {**page_of(sound), "ts": f"{standing - 1:.6f}" if seconds < 0 else f"{standing + 1:.6f}"}
    direct = next(channel for channel in sound.direct if channel.startswith("D"))
    gone = {"channel": direct, "message": before, "deleted_by": by, "deleted_at": standing + seconds}
    observed.workspace["deleted"].append(gone)
    assert len(verdict(sound, observed=observed).doubled) == doubled


def page_of(story: Recorded) -> Json:
    return next(messages[0] for channel, messages in story.direct.items() if channel.startswith("D"))


def place_of(story: Recorded, state: Json) -> list[Json]:
    page = delivery(page_of(story))
    return next(rows for rows in state["messages"].values() if any(delivery(m) == page for m in rows))


def card_of(story: Recorded, state: Json) -> Json:
    cards = {e.id for e in story.caused.values() if isinstance(e, PostCard) and e.place == "channel"}
    return next(m for m in state["messages"]["C1"] if delivery(m) in cards)


def without_a_page(story: Recorded, state: Json) -> None:
    place_of(story, state).remove(page_of(story))


def with_a_page_in_public(story: Recorded, state: Json) -> None:
    place_of(story, state).remove(page_of(story))
    state["messages"]["C1"].append(page_of(story))


def without_a_card(story: Recorded, state: Json) -> None:
    card = card_of(story, state)
    state["messages"]["C1"].remove(card)
    state["deleted"].append({"channel": "C1", "message": card, "deleted_by": "U0TOCSIN01", "deleted_at": 1.0})


def with_a_dead_button(story: Recorded, state: Json) -> None:
    button = {"type": "button", "value": f"acknowledge|{story.incident.id}|1"}
    card_of(story, state)["blocks"] = [{"type": "actions", "elements": [button]}]


def with_a_dead_choice_in_a_container(story: Recorded, state: Json) -> None:
    menu = {"type": "overflow", "options": [{"value": f"communicate|{story.incident.id}|1|1:published"}]}
    folded = {"type": "container", "child_blocks": [{"type": "section", "accessory": menu}]}
    card_of(story, state)["blocks"] = [folded]


def with_a_page_twice(story: Recorded, state: Json) -> None:
    place_of(story, state).append({**page_of(story), "ts": "1734539999.000000"})


def with_a_page_too_soon(story: Recorded, state: Json) -> None:
    found = next(m for m in place_of(story, state) if delivery(m) == delivery(page_of(story)))
    found["ts"] = f"{story.caused[delivery(found)].at.timestamp() - 0.001:.6f}"


def with_a_stranger(story: Recorded, state: Json) -> None:
    payload = {"delivery": "INC-20241218-001-999"}
    state["messages"]["C1"].append(
        {"ts": "1.0", "metadata": {"event_type": "tocsin_delivery", "event_payload": payload}}
    )


def with_a_second_room(story: Recorded, state: Json) -> None:
    state["channels"].append({"id": "COTHER", "name": "inc-1218-001-checkout-is-down"})


@pytest.mark.parametrize(
    ("harm", "kind", "words"),
    [
        (without_a_page, "lost", "is not in Slack"),
        (with_a_page_twice, "doubled", "stands 2 times in Slack"),
        (with_a_page_too_soon, "early", "before it was decided"),
        (with_a_stranger, "doubled", "nobody decided it"),
        (with_a_second_room, "doubled", "belongs to nobody"),
        (with_a_page_in_public, "astray", "stands in C1"),
        (without_a_card, "cards", "has 0 living cards"),
        (with_a_dead_button, "dead_buttons", "acknowledge in C1"),
        (with_a_dead_choice_in_a_container, "dead_buttons", "communicate in C1"),
    ],
)
def test_harm_in_slack_is_found(sound: Recorded, harm: Callable[[Recorded, Json], None], kind: str, words: str) -> None:
    """One message, room or button too few, too many, too soon or in the wrong place is named, and nothing else."""
    observed = copy.deepcopy(sound.observed())
    harm(sound, observed.workspace)
    found = verdict(sound, observed=observed)
    everything = (found.lost, found.doubled, found.early, found.astray, found.cards, found.dead_buttons)
    assert sum(map(len, everything)) == 1, everything
    (line,) = getattr(found, kind)
    assert words in line


def firing(states: list[tuple[str, Json]]) -> int:
    """The number of the state in which nobody's acknowledging was noticed."""
    return next(n for n, (_, doc) in enumerate(states) if any(e["kind"] == "checkpoint" for e in doc["timeline"]))


def forgotten(states: list[tuple[str, Json]]) -> None:
    """The checkpoint vanishes, and leaves no line behind."""
    for _, doc in states[firing(states) :]:
        for entry in doc["timeline"]:
            entry["kind"] = "other" if entry["kind"] == "checkpoint" else entry["kind"]


def hasty(states: list[tuple[str, Json]]) -> None:
    """The checkpoint fires a millisecond before its time."""
    for _, doc in states[firing(states) :]:
        entry = next(e for e in doc["timeline"] if e["kind"] == "checkpoint")
        entry["at"] = entry["fields"]["due"].replace(":00+00:00", ":59.999+00:00").replace("15:45", "15:44")


def never_set(states: list[tuple[str, Json]]) -> None:
    """The first checkpoint is not among those that wait, from the beginning."""
    for _, doc in states:
        doc["checkpoints"] = [c for c in doc["checkpoints"] if c["about"] != "unacknowledged"]


def stuck(states: list[tuple[str, Json]]) -> None:
    """The last state still has a checkpoint whose time has passed."""
    del states[firing(states) :]


@pytest.mark.parametrize(
    ("harm", "kind", "words"),
    [
        (forgotten, "lost", "unacknowledged-1 (due 2024-12-18T15:45:00Z) went without firing"),
        (hasty, "early", "unacknowledged-1 fired 0.001000 s early"),
        (never_set, "lost", "unacknowledged was never set"),
        (stuck, "lost", "unacknowledged-1 (due 2024-12-18T15:45:00Z) has not fired"),
    ],
)
def test_harm_in_the_history_is_found(
    sound: Recorded, harm: Callable[[list[tuple[str, Json]]], None], kind: str, words: str
) -> None:
    """A checkpoint that is missing, forgotten, hasty or stuck is named."""
    states = copy.deepcopy(sound.states)
    harm(states)
    assert any(words in line for line in getattr(verdict(sound, states), kind))


@pytest.mark.parametrize(("decided_after", "lost"), [(-1.0, True), (1.0, False)])
def test_what_is_decided_while_the_workers_end_is_not_lost(decided_after: float, lost: bool) -> None:
    """It waits for the next start; what waited before should have been sent."""
    story = Recorded(severity="P0").deliver()
    story.now += timedelta(seconds=60)
    story.do(Acknowledge(by="UONCALL"))
    settled_at = story.now.timestamp() - decided_after
    verdict = judged(story.states, replace(story.observed(), settled_at=settled_at))
    assert bool(verdict.lost) is lost


def test_whoever_was_told_of_a_declaration_finds_it(sound: Recorded) -> None:
    """A title that a person saw confirmed has to be there; one that was never confirmed need not."""
    observed = sound.observed()
    observed.confirmed.update({"Checkout is down": True, "Search is down": True, "Mail is down": False})
    assert verdict(sound, observed=observed).lost == ["'Search is down' was declared and is not there"]


@pytest.mark.parametrize(
    ("words", "seconds"), [("15m", 900), ("1h30m", 5400), ("1w", 604_800), ("at once", 0), ("4 business hours", 0)]
)
def test_waits_in_clock_time_are_read(words: str, seconds: float) -> None:
    """What is counted in business time is left to the program's own tests."""
    assert clock_time(words) == seconds


TAKEN = {
    "overrides": [
        {
            "id": 1,
            "rotation": "primary",
            "person": "mei",
            "starts": "2024-12-18T16:00:00Z",
            "ends": "2024-12-19T16:00:00Z",
        }
    ]
}
TAKEN_AT = 1734537600.0  # that same 16:00


def of_a_page(person: str, *more: str, sent: int = 1, **changed: Any) -> Json:
    """An incident whose pages for the role on call went to these people."""
    pages = [
        {"n": n, "tier": 1, "role": ROLE, "person": member(key), "sent": sent, "state": "open"}
        for n, key in enumerate((person, *more), 1)
    ]
    return {"id": "INC-1", "status": "investigating", "acknowledgement": None, "pages": pages, **changed}


@pytest.mark.parametrize(
    ("commits", "found", "moved"),
    [
        ([(-60, of_a_page("omar")), (1, of_a_page("omar", "mei")), (50, of_a_page("omar", "mei"))], "", 0),
        ([(-60, of_a_page("omar")), (2, of_a_page("omar")), (9, of_a_page("omar", "mei"))], "", 1),
        (
            [(-60, of_a_page("omar")), (9, of_a_page("omar", sent=2))],
            "engineer went to U0OMAR0001",
            0,
        ),
        (
            [(-60, of_a_page("omar")), (2, of_a_page("omar")), (50, of_a_page("omar"))],
            "page 1 stays with U0OMAR0001",
            0,
        ),
        ([(-60, of_a_page("omar")), (2, of_a_page("omar")), (50, of_a_page("omar", status="resolved"))], "", 0),
        ([(-60, of_a_page("omar")), (-50, of_a_page("omar", "lena"))], "", 0),
    ],
)
def test_a_page_that_stays_behind_is_found(commits: list[tuple[float, Json]], found: str, moved: int) -> None:
    """After Mei took over, a repeat to Omar or a page that stays with him is named; one that moved is counted."""
    holders, taken = Holders(), False
    for after, doc in commits:
        if after > 0 and not taken:
            holders.add_oncall(TAKEN)
            taken = True
        holders.add_incident(doc, TAKEN_AT + after)
    lines = holders.end()
    assert bool(lines) is bool(found), lines
    assert found in "".join(lines)
    assert holders.moved == moved


def test_an_absence_excuses_a_page_to_somebody_else() -> None:
    """While somebody is deactivated, whom the role falls to is the program's business."""
    holders = Holders([(member("mei"), TAKEN_AT, TAKEN_AT + 60)])
    holders.add_incident(of_a_page("omar"), TAKEN_AT - 60)
    holders.add_oncall(TAKEN)
    holders.add_incident(of_a_page("omar", sent=2), TAKEN_AT + 9)
    assert not holders.end()


def test_people_do_every_kind_of_act_even_in_a_short_storm() -> None:
    """Half a minute has each once; what was planned and never happened is named."""
    acts = interference.plan(random.Random(1), 30)
    assert {act.kind for act in acts} == {*interference.STAFF, *interference.SURFACES}
    done = Counter(act.kind for act in acts if act.kind != "swap")
    assert interference.missing(acts, done) == ["nobody ever: swap"]


def test_the_same_seed_gives_the_same_storm() -> None:
    """Faults, acts and alerts are planned before anything runs; another seed plans others."""

    def plans(seed: int) -> tuple[object, ...]:
        dice = random.Random(seed)
        acts = (people.plan(dice, 60, 30), interference.plan(dice, 60), monitoring.plan(dice, 60))
        return faults.plan(dice, 60, (2, 2)), *acts

    assert plans(1) == plans(1)
    assert plans(1) != plans(2)


def test_a_percentile_is_a_value_of_the_sample() -> None:
    """Half of four values do not exceed the second; all of them do not exceed the last."""
    assert [percentile([4, 1, 3, 2], share) for share in (0.5, 0.99, 1.0)] == [2, 4, 4]


@pytest.mark.slow
def test_a_short_storm_loses_nothing_and_doubles_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """The real program under some ten kills, one of them of Redis, while Slack fails and people interfere."""
    code = chaos.main(["--short", "--seed", "1"])
    said = capfd.readouterr().out
    assert code == 0, said
