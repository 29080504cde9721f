"""The hash chain over a timeline: whatever is done to an entry is found, and a redaction is no break."""

import json
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from escalation.incident.events.moves import Acknowledge, MarkSecurity, Resolve
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry
from escalation.records.chain import MARK, PLAIN, SAID, Chain, broken, check, extended
from escalation.storage import migrations
from escalation.storage.store import chained
from tests.engine.test_state_machine import SEVERITIES, STEPS, Step, take
from tests.support.profiles import examples
from tests.support.story import Story

Json = dict[str, Any]


def told(steps: list[Step], born: tuple[str, str]) -> Incident:
    """A story, its chain extended after each step as the store does at each commit."""
    story = Story(born[1], policy=born[0])
    incident = chained(None, story.incident)
    for step in steps:
        take(story, step)
        story.incident = incident = chained(incident, story.incident.model_copy(update={"chain": incident.chain}))
    return incident


def document(incident: Incident) -> Json:
    return dict(json.loads(migrations.write(incident)))


def short() -> Json:
    story = Story("P1").until(4).do(Acknowledge(by="UONCALL")).until(9)
    closed = story.do(Resolve(by="UONCALL", summary="Zurück", resolution="Restarted"))
    return document(chained(None, closed.incident))


@given(st.lists(STEPS, max_size=8), st.sampled_from(SEVERITIES), st.data())
@settings(max_examples=examples(150), deadline=None)
def test_any_change_of_any_byte_of_any_entry_is_found(
    steps: list[Step], born: tuple[str, str], data: st.DataObject
) -> None:
    """And the first entry that is wrong is named."""
    stored = document(told(steps, born))
    assert check(stored)[1] is None
    number = data.draw(st.integers(0, len(stored["timeline"]) - 1))
    raw = bytearray(json.dumps(stored["timeline"][number], ensure_ascii=False).encode())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[place]))
    try:
        changed = json.loads(raw)
    except ValueError:
        return  # no JSON any more
    assume(changed != stored["timeline"][number])  # another kind of space
    stored["timeline"][number] = changed
    _, fault = check(stored)
    assert fault
    assert fault.entry in (number + 1, 0)


@given(st.data())
@settings(max_examples=examples(100), deadline=None)
def test_removed_moved_doubled_and_inserted_entries_are_found(data: st.DataObject) -> None:
    """With the number of the first place that is wrong."""
    stored = short()
    timeline = list(stored["timeline"])
    at = st.integers(0, len(timeline) - 1)
    one, other = data.draw(at), data.draw(at)
    how = data.draw(st.sampled_from(("remove", "swap", "double", "cut", "append")))
    match how:
        case "remove":
            del timeline[one]
        case "swap":
            timeline[one], timeline[other] = timeline[other], timeline[one]
        case "double":
            timeline.insert(one, timeline[one])
        case "cut":
            timeline = timeline[:one]
        case "append":
            timeline.append(timeline[one] | {"n": len(timeline) + 1})
    assume(timeline != stored["timeline"])
    _, fault = check(stored | {"timeline": timeline})
    assert fault
    first = {"remove": one, "swap": min(one, other), "double": one, "cut": one, "append": len(timeline) - 1}[how]
    assert first + 1 <= fault.entry <= first + 2  # two equal neighbours but for their number


def test_a_removed_last_entry_is_found_though_its_link_went_too() -> None:
    """The chain's last link is hashed whole."""
    stored = short()
    stored["timeline"].pop()
    stored["chain"]["marks"] = stored["chain"]["marks"][:-MARK]
    _, fault = check(stored)
    assert fault
    assert (fault.entry, fault.why) == (len(stored["timeline"]), "the end of the chain was changed")


def test_the_chain_does_not_say_what_it_hashes() -> None:
    """The same words in two incidents, or twice in one, have different digests: nobody can look them up."""
    entry = {"n": 1, "at": "2024-12-18T15:30:00Z", "kind": "declared", "text": "same", "why": "same"}
    one, other = (extended(Chain(seed=seed), [entry]) for seed in ("a", "b"))
    assert one.head != other.head
    assert broken(one, [entry]) is broken(other, [entry]) is None


def test_entries_of_an_earlier_build_are_adopted() -> None:
    """From the first commit on they are in the chain as well; what came before that is said."""
    story = Story("P1").until(4)
    old = story.incident
    assert check(document(old)) == (None, None)
    incident = chained(old, story.do(Acknowledge(by="UONCALL")).incident)
    assert incident.chain.adopted == len(old.timeline)
    stored = document(incident)
    stored["timeline"][0]["by"] = "USOMEBODY"
    _, fault = check(stored)
    assert fault
    assert fault.entry == 1


def test_marking_as_security_is_an_entry_and_no_break() -> None:
    """The public words are redacted in Slack; the timeline goes on."""
    story = Story("P0").until(2)
    before = chained(None, story.incident)
    story.incident = before
    after = chained(before, story.do(MarkSecurity(by="UONCALL", why="a breach")).incident)
    assert after.chain.length == len(after.timeline) > len(before.timeline)
    assert after.chain.marks.startswith(before.chain.marks)
    assert check(document(after))[1] is None


def test_every_field_of_an_entry_is_hashed() -> None:
    """A new field is named in SAID if an empty one is to be the same as none."""
    assert set(Entry.model_fields) == {*PLAIN, *SAID}


def test_what_is_no_chain_is_a_fault() -> None:
    """Not an error of ours."""
    broken: tuple[Any, ...] = (None, [], {"timeline": 1}, {"timeline": [1]}, short() | {"chain": {"head": 1}})
    for broken_one in broken:
        assert check(broken_one)[1]
