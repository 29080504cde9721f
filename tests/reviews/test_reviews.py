"""Reviews: what is generated names its entry, and what people wrote is kept byte for byte."""

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import fakeredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.render.reviews import canvas
from bot.render.reviews.html import confluence, html
from bot.render.reviews.markdown import END, checked, edited, generated_line, mark, markdown, regions_of
from escalation.config.business_time import Calendar
from escalation.config.rules.reviews import ReviewSection
from escalation.errors import Refused
from escalation.incident.events.moves import (
    Acknowledge,
    Decline,
    FixApplied,
    FixFailed,
    MarkSecurity,
    Reopen,
    Resolve,
    Reviewed,
    RootCause,
    StartFix,
    StateTimes,
)
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.reviews.draft import draft
from escalation.reviews.model import Generated, Written
from escalation.storage.reviews import Reviews
from escalation.text import Link
from tests.support.incidents import RESOLVE
from tests.support.story import START, Story

OMAR, MINUTE = "UONCALL", timedelta(minutes=1)
KARS = ["summary", "timeline", "root_cause", "impact", "went_well", "improve", "actions", "lessons"]
BEAUTY = [
    *("timeline", "root_cause", "impact", "resolution", "went_well", "improve"),
    *("preventive", "process", "actions"),
]
MARKERS = "<!-- people:"


def words_of(document: str, known: Collection[str] = frozenset(ReviewSection)) -> dict[str, str]:
    """People's words in a document."""
    return {key: region.text for key, region in regions_of(document, known).items()}


def resolved(policy: str = "kars", severity: str = "P0", **facts: Any) -> Incident:
    story = Story(severity, policy=policy, **facts).until(4).do(Acknowledge(by=OMAR)).until(10)
    story = story.do(RootCause(by=OMAR, cause="The pool ran dry")).until(20).do(StartFix(by=OMAR, text="Larger pool"))
    story = story.until(30).do(FixApplied(by=OMAR)).until(34).do(FixFailed(by=OMAR, text="Still dry"))
    story = story.until(40).do(FixApplied(by=OMAR)).until(200)
    done = Resolve(by=OMAR, summary="No payments", resolution="A larger pool", next_steps="Alert on the pool\nTune it")
    return story.do(done).incident


@pytest.mark.parametrize(("policy", "sections"), [("kars", KARS), ("beauty", BEAUTY)])
def test_the_sections_are_those_of_the_policys_template(policy: str, sections: list[str]) -> None:
    """In its order, each with its heading."""
    document = draft(resolved(policy), {})
    assert [section.key for section in document.sections] == sections
    headings = re.findall(r"^## \d+\. (.+)$", markdown(document, {}), re.MULTILINE)
    assert headings == [ReviewSection(key).heading for key in sections]


def test_every_generated_line_names_the_entry_that_it_came_from() -> None:
    """And that entry exists."""
    incident = resolved()
    lines = [generated for section in draft(incident, {}).sections for generated in section.lines]
    assert len(lines) > 20
    assert {entry for _, entry in lines} <= {entry.n for entry in incident.timeline}


def test_times_are_by_the_clocks_of_the_company() -> None:
    """Over a change of the clocks too, each with its zone; the canvas and the HTML say the same."""
    night = datetime(2026, 3, 29, 0, 50, tzinfo=UTC)
    calendar = Calendar(timezone="Europe/Berlin")
    review = draft(resolved(start=night, calendar=calendar), {})
    for text in (markdown(review, {}), html(review, {}), canvas.document(review, {})):
        assert "2026-03-29 01:50:00 CET" in text
        assert "2026-03-29 03:00:00 CEST" in text  # the cause, ten minutes later
        assert "Due by 2026-03-31 06:10 CEST." in text
        assert "UTC" not in text


def test_a_zone_without_a_name_is_said_by_its_distance() -> None:
    """`UTC+07` for Bangkok: a bare `+07` reads as part of the time."""
    night = datetime(2026, 3, 10, 4, tzinfo=UTC)
    text = markdown(draft(resolved(start=night, calendar=Calendar(timezone="Asia/Bangkok")), {}), {})
    assert "2026-03-10 11:00:00 UTC+07 " in text
    assert "Due by 2026-03-12 14:20 UTC+07." in text


def test_a_canvas_that_is_made_after_the_review_was_held_says_so() -> None:
    """And not by when it is due."""
    story = Story("P0").until(30).do(Resolve(by=OMAR, summary="a", resolution="b")).until(90)
    held = draft(story.do(Reviewed(by=OMAR, text="We talked")).incident, {})
    assert canvas.document(held, {}).startswith("Held on 2024-12-18 17:00 UTC: We talked.\n")


def test_reasons_that_people_gave_stand_beside_what_they_did() -> None:
    """Why the severity was changed, a page was declined, and it became a security incident."""
    story = Story("P1").until(2).do(Decline(by=OMAR, why="On a train")).until(9)
    story = story.change_to("P0", why="Everybody is affected").until(20)
    story = story.do(MarkSecurity(by=OMAR, why="A token leaked")).until(30)
    text = markdown(draft(story.do(Resolve(by=OMAR, summary="a", resolution="b")).incident, {}), {})
    for words in ("On a train", "Everybody is affected", "A token leaked"):
        assert re.search(f"@UONCALL: {words}", text), words


def test_what_people_said_stands_beside_what_they_did() -> None:
    """The cause, the fixes and the end are in the words of those who reported them."""
    text = markdown(draft(resolved(), {}), {})
    said = {"Root cause found": "The pool ran dry", "Fix started": "Larger pool", "Fix reported as failed": "Still dry"}
    for head, words in (said | {"Resolved": "No payments", "Declared": "Checkout is down"}).items():
        assert re.search(rf"{head} by @\w+: {words} \(entry", text), head


def test_the_impact_has_the_times_that_were_stated_last() -> None:
    """Not those that were put right since; the timeline has both, and each line the entry that stated it."""
    story = Story("P0").until(30).do(StateTimes(by="UONCALL", began=START - 20 * MINUTE, detected=START - 5 * MINUTE))
    story = story.do(StateTimes(by="UONCALL", began=START - 12 * MINUTE, ended=START + 28 * MINUTE))
    text = markdown(draft(story.incident, {}), {})
    timeline, impact = (
        text.partition(f" {title}\n")[2].partition("\n## ")[0] for title in ("Timeline", "Impact assessment")
    )
    first, second = (e.n for e in story.incident.timeline if e.kind is EntryKind.TIMES)
    assert f"- Impact began 2024-12-18 15:18:00 UTC. (entry {second})" in impact
    assert f"- Detected 2024-12-18 15:25:00 UTC, 7 minutes after it began. (entry {first})" in impact
    assert f"- Impact ended 2024-12-18 15:58:00 UTC, 40 minutes after it began. (entry {second})" in impact
    assert ("15:10:00" in timeline, "15:10:00" in impact) == (True, False)


def test_what_was_late_and_what_was_in_time_is_said() -> None:
    """From the policy's limits of then, beside fixes that failed; next steps are ideas for actions."""
    text = markdown(draft(resolved(), {}), {})
    well, improve = text.index("What went well"), text.index("What could be improved")
    assert "Acknowledged in time, 11 minutes before the policy's limit." in text[well:improve]
    assert "Resolved late, 1 hour 20 minutes after the policy's limit." in text[improve:]
    assert "- Alert on the pool (entry" in text[text.index("Action items") :]


@pytest.mark.parametrize(
    "incident",
    [
        Story("P0").incident,
        Story("P3").until(3).do(Resolve(by=OMAR, summary="a", resolution="b")).incident,
        Story("P1").until(3).do(Resolve(by=OMAR, summary="a", resolution="b")).until(9).do(Reopen(by=OMAR)).incident,
    ],
)
def test_a_review_of_an_incident_with_little_on_record_reads_well(incident: Incident) -> None:
    """Open, hardly begun or reopened: every section stands there, and asks its question."""
    document = draft(incident, {})
    text = markdown(document, {})
    assert all(section.title in text for section in document.sections)
    assert all(section.prompt in text for section in document.sections if section.prompt)


def test_an_open_incident_says_what_the_policy_will_ask_for() -> None:
    """A P0 needs a review however it ends; of a P1 that is known at its end; nobody reads that none is needed."""
    demands = [markdown(draft(Story(severity).until(5).incident, {}), {}).splitlines()[2] for severity in ("P0", "P1")]
    assert demands[0].startswith("Due 2 days after the resolution.")
    assert demands[1].startswith("Whether the policy asks for a review is known at the resolution.")
    closed = markdown(draft(Story("P1").do(Acknowledge(by="UONCALL")).do(RESOLVE).incident, {}), {})
    assert "The policy asks for no review." in closed


def test_words_of_the_record_are_no_markup() -> None:
    """A title cannot become a heading, a link or HTML, in Markdown or in HTML."""
    incident = resolved(title="# <b>x</b> [a](javascript:alert(1)) ![i](http://a.example/i.png)")
    text, page = markdown(draft(incident, {}), {}), html(draft(incident, {}), {})
    assert "\\<b\\>" in text
    assert "<b>" not in page
    assert "href" not in page
    assert "<img" not in page


@pytest.mark.parametrize(
    ("url", "label", "shown"),
    [
        ("https://x.org/a b)c", "a]b", "[a\\]b](https://x.org/a%20b%29c)"),
        ("https://x.org/(1)\n- x", "<i>", "[\\<i\\>](https://x.org/%281%29%0A-%20x)"),
        ("javascript:alert(1)", "a", "a (javascript:alert(1))"),
    ],
)
def test_a_link_of_the_record_is_a_link_and_nothing_else(url: str, label: str, shown: str) -> None:
    """Neither its address nor its label ends it, and another scheme is words."""
    assert generated_line(Generated((Link(url, label),), 0), {}) == f"- {shown}"


def test_the_html_asks_nothing_of_any_host() -> None:
    """One file: no script, link, image or font, whatever people write; their Markdown is read."""
    words = {"lessons": Written("**Bold** <script>x</script> ![i](https://a.example/i.png) [j](javascript:x)")}
    page = html(draft(resolved(), words), {})
    assert "<strong>Bold</strong>" in page
    assert not re.search(r"<(script|img|link|iframe)|src=|javascript:x\"|url\(", page)
    assert "people:" not in page


@given(words=st.dictionaries(st.sampled_from(KARS[2:]), st.text(max_size=200)))
def test_what_people_wrote_is_given_back_byte_for_byte(words: dict[str, str]) -> None:
    """Generated again, printed and read back, their regions are the same, whatever they wrote."""
    if any(MARKERS in text for text in words.values()):
        return
    document = markdown(draft(resolved(), {key: Written(text) for key, text in words.items()}), {})
    again = words_of(document)
    assert {key: text for key, text in again.items() if text} == {key: text for key, text in words.items() if text}
    assert markdown(draft(resolved(), {key: Written(text) for key, text in again.items()}), {}) == document


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text.replace(END, "", 1), "end marker"),
        (lambda text: text.replace("people: lessons", "people: lesson"), "unknown"),
        (lambda text: text.replace("people: lessons", "people: summary"), "stands there twice"),
        (lambda text: "Dear all", "no markers"),
    ],
)
def test_a_damaged_document_is_refused_whole(damage: object, words: str) -> None:
    """It says which marker is wrong, and nothing is read."""
    with pytest.raises(Refused, match=words):
        words_of(damage(markdown(draft(resolved(), {}), {})))  # type: ignore[operator]  # a function


def test_an_edited_document_changes_only_what_was_edited_in_it() -> None:
    """What somebody else wrote since it was printed stays, and a section that both changed is named and not written."""
    was = {"impact": Written("Few"), "lessons": Written("Slow down")}
    printed = markdown(draft(resolved(), was), {})
    document = printed.replace("Slow down", "Slow down, always")
    stored = {"impact": "Everybody", "lessons": "Slow down"}
    assert edited(regions_of(printed), stored) == {}
    assert edited(regions_of(document), stored) == {"lessons": "Slow down, always"}
    with pytest.raises(Refused, match="Somebody wrote since this was printed: lessons"):
        edited(regions_of(document), stored | {"lessons": "Hurry"})
    assert edited(regions_of(document), stored | {"lessons": "Slow down, always"})
    older = re.sub(r"(people: [a-z_]+) [0-9a-f]+ -->", r"\1 -->", document)
    assert edited(regions_of(older), stored)["impact"] == "Few"
    assert f"<!-- people: lessons {mark('Slow down')} -->" in printed


def test_words_that_could_not_be_read_back_are_refused() -> None:
    """A marker among them."""
    with pytest.raises(Refused, match="cannot be part"):
        checked(f"as I said: {END}")


def test_the_page_for_confluence_is_well_formed() -> None:
    """Its storage format is XHTML: what people wrote, whatever it is, breaks no page."""
    said = {"lessons": Written("Watch <b>it</b> & that\n\n---\n\n![x](https://elsewhere.example/x.png)  \nend")}
    page = ElementTree.fromstring(f"<page>{confluence(draft(resolved(), said), {})}</page>")
    assert len(page.findall("h2")) == len(KARS)
    assert "Watch <b>it</b> & that" in "".join(page.itertext())


def test_two_who_write_at_once_lose_nothing() -> None:
    """Who saved second is told which section the other changed; another section, or the same words, is no conflict."""
    reviews = Reviews(fakeredis.FakeRedis())
    assert reviews.write("INC-1", {"lessons": "A", "impact": "B"}, OMAR, START, seen={}) == []
    later = START + timedelta(minutes=1)
    assert reviews.write("INC-1", {"lessons": "C", "impact": "B"}, "UDANA", later, seen={"impact": "B"}) == ["lessons"]
    assert reviews.written("INC-1")["lessons"] == Written("A", OMAR, START)
    assert reviews.write("INC-1", {"lessons": "A", "impact": "D"}, "UDANA", later, seen={"impact": "B"}) == []
    assert reviews.written("INC-1")["impact"] == Written("D", "UDANA", later)
