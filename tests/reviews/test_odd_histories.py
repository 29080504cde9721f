"""Reviews, figures and pages of incidents whose history is nearly empty, very long, or has holes."""

import re
import time
from datetime import timedelta

import pytest

from bot.moves.review import review_message
from bot.pages.incidents import IncidentPages
from bot.pages.timeline import PER_PAGE, timeline_page
from bot.render.blockkit import Message
from bot.render.reviews import canvas
from bot.render.reviews.html import html
from bot.render.reviews.markdown import markdown
from escalation.figures.observation import observe
from escalation.figures.report import MEASURES
from escalation.incident.events.moves import Acknowledge, PostUpdate, Resolve
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.records.chain import Chain, extended
from escalation.records.holes import holes
from escalation.reviews.draft import draft
from tests.reviews.test_reviews import words_of
from tests.support.block_kit_schema import problems
from tests.support.story import Story
from tocsin.commands.record.verify import recomputed

OMAR = "UONCALL"
MANY = 5_000
A_PAGE = 2.0  # seconds of the processor for a page of its timeline; it takes 0.1 on an idle machine
LONGEST = 10.0  # seconds of the processor for all forms of one review; it takes two on an idle machine


def closed() -> Incident:
    story = Story("P1").until(4).do(Acknowledge(by=OMAR)).until(60)
    return story.do(Resolve(by=OMAR, summary="No payments", resolution="A larger pool")).incident


def chained(incident: Incident) -> Incident:
    """As the store keeps it."""
    entries = [entry.model_dump(mode="json") for entry in incident.timeline]
    return incident.model_copy(update={"chain": extended(Chain(seed="s"), entries)})


def without(incident: Incident, *numbers: int) -> Incident:
    """Chained whole, and then some entries were taken out of the store."""
    left = tuple(entry for entry in incident.timeline if entry.n not in numbers)
    return chained(incident).model_copy(update={"timeline": left})


def long_one() -> Incident:
    """One that was worked on for hours, with a word every second."""
    posted = Story("P1").until(9).do(PostUpdate(by=OMAR, status="investigating", progress="Step 0 of many"))
    start = len(posted.incident.timeline)
    (update,) = (entry for _, entry in posted.entries(EntryKind.UPDATE))
    resolved = posted.until(300).do(Resolve(by=OMAR, summary="No payments", resolution="A larger pool")).incident
    before, after = resolved.timeline[:start], resolved.timeline[start:]
    words = tuple(
        update.model_copy(update={"n": start + k, "at": update.at + timedelta(seconds=k), "text": f"Step {k} of many"})
        for k in range(1, MANY - len(resolved.timeline) + 1)
    )
    moved = tuple(entry.model_copy(update={"n": entry.n + len(words)}) for entry in after)
    return resolved.model_copy(update={"timeline": (*before, *words, *moved)})


def page(incident: Incident, upto: int = 0) -> str:
    return bytes(IncidentPages({}, "UTC").one(incident, draft(incident, {}).sections, [], upto=upto).body).decode()


def _wrong(message: Message) -> list[str]:
    assert len(message.blocks) <= 50
    return [problem for block in message.blocks for problem in problems(block)]


@pytest.mark.parametrize(
    "incident",
    [
        Story("P3").incident.model_copy(update={"timeline": Story("P3").incident.timeline[:1]}),
        Story("P3").do(Resolve(by=OMAR, summary="a", resolution="b")).incident,
    ],
    ids=["one event", "none between declaration and resolution"],
)
def test_a_review_of_one_event_reads_well(incident: Incident) -> None:
    """Each section stands there, says that nothing is on record or what is, and asks its question."""
    review = draft(incident, {})
    text = markdown(review, {})
    for section in review.sections:
        assert section.title in text
        assert section.prompt in text
        assert section.lines or section.prompt
    assert " declared 2024-12-18 15:30" in text
    assert "To be written" not in text  # nobody is asked for a review that the policy does not ask for
    assert canvas.document(review, {})
    assert not _wrong(review_message(review))
    assert "Timeline" in page(incident)


def test_a_review_of_five_thousand_events_is_whole_and_quick() -> None:
    """Markdown and HTML have every line, the page the latest, the canvas what fits, and Slack takes the message."""
    incident, began = long_one(), time.process_time()
    review = draft(incident, {})
    text, shown, in_slack = markdown(review, {}), html(review, {}), canvas.document(review, {})
    browsed, message = page(incident), review_message(review)
    assert time.process_time() - began < LONGEST
    for whole in (text, shown):
        assert len(set(re.findall(r"Step (\d+) of many", whole))) > MANY - 50
    assert f"Step {MANY - 50} of many" in browsed
    total = len(incident.timeline)
    assert f"Entries {total - PER_PAGE + 1:,} to {total:,} of {total:,}" in browsed
    assert len(in_slack) < canvas.LARGEST
    assert words_of(text) == {section.key: "" for section in review.sections if section.prompt}
    assert not _wrong(message)


def test_every_entry_of_a_long_timeline_stands_on_one_page_that_opens_quickly() -> None:
    """The latest is shown first, *Earlier* leads back to the declaration, and each page is named by its beginning."""
    incident = long_one()
    shown, upto, pages = list[str](), 0, 0
    while True:
        began = time.process_time()
        text = page(incident, upto)
        assert time.process_time() - began < A_PAGE
        steps = re.findall(r"Step (\d+) of many", text)
        assert len(set(steps)) <= PER_PAGE
        shown, pages = list(dict.fromkeys(steps)) + shown, pages + 1
        back = re.search(r'<a href="\?upto=(\d+)#timeline" rel="prev">', text)
        if back is None:
            break
        upto = int(back[1])
    assert shown == list(dict.fromkeys(shown))
    assert len(shown) > MANY - 50
    assert "Declared" in text
    stretches = timeline_page(incident).stretches
    assert len(stretches) == pages
    assert list(stretches) == sorted(stretches)
    assert text.count('aria-current="page"') == 1
    assert page(incident, upto=10**5) == page(incident)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ((1,), "Entry 1 is missing from the record."),
        ((2, 3), "Entries 2 to 3 are missing from the record."),
        ((len(closed().timeline),), f"Entry {len(closed().timeline)} is missing from the record."),
        (tuple(range(1, len(closed().timeline) + 1)), f"Entries 1 to {len(closed().timeline)} are missing"),
    ],
    ids=["the declaration", "in the middle", "the end", "all of it"],
)
def test_a_history_with_holes_says_what_is_missing(gone: tuple[int, ...], said: str) -> None:
    """In the review and on the page, which read on; no time is computed from it, and the second computation agrees."""
    incident = without(closed(), *gone)
    review = draft(incident, {})
    assert said in markdown(review, {})
    assert said in page(incident)
    assert all(section.title in markdown(review, {}) for section in review.sections)
    known = {entry.n for entry in incident.timeline}
    assert {each.entry for section in review.sections for each in section.lines} <= {0, *known}
    seen = observe(incident)
    assert {measure.of(seen) for measure in MEASURES} == {"its timeline has holes"}
    assert set(recomputed(incident.model_dump(mode="json")).values()) == {None}


def test_an_entry_is_found_by_its_number_where_others_are_missing() -> None:
    """Never another one in its place; one that is missing is an error, and what held then is what held before it."""
    whole = closed()
    incident = without(whole, 2)
    assert incident.entry(4) == whole.entry(4)
    with pytest.raises(KeyError):
        incident.entry(2)
    assert [entry.n for entry in incident.as_of(incident.entry(4)).timeline] == [1, 3, 4]


def test_a_whole_history_has_no_holes() -> None:
    """Nor one whose chain lags behind, as that of an earlier build."""
    incident = closed()
    assert not list(holes((e.n for e in incident.timeline), chained(incident).chain.length))
    assert not list(holes((e.n for e in incident.timeline), 2))
    assert "missing from the record" not in markdown(draft(chained(incident), {}), {})
