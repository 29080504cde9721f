"""Review templates of a company's own: what they may say, and what is refused with what to write."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import fakeredis
import pytest
import yaml
from pydantic import ValidationError

from bot.moves.form_state import FormState
from bot.moves.review import review_message, review_modal
from bot.render.reviews import canvas
from bot.render.reviews.html import html
from bot.render.reviews.markdown import markdown
from bot.render.reviews.public import public_review
from escalation.config.rules.reviews import ReviewRule
from escalation.errors import Refused
from escalation.incident.events.moves import Acknowledge, Resolve
from escalation.incident.events.news import ReviewSeen
from escalation.incident.model import Incident
from escalation.messages.reviews import progress
from escalation.reviews.draft import LEFT, draft
from escalation.reviews.model import Written
from escalation.storage.reviews import Reviews
from escalation.text import text
from tests.reviews.test_reviews import words_of
from tests.support.block_kit_schema import problems
from tests.support.company import example_data
from tests.support.story import SHIPPED, START, Story
from tocsin.config import loader
from tocsin.config.loader import ConfigError

OMAR = "UONCALL"
OURS: dict[str, Any] = {
    "within": "48h",
    "always": True,
    "sections": ["summary", "what_we_saw", "whys", "lessons", "actions"],
    "headings": {
        "what_we_saw": {"title": "What we saw, when & *how*", "record": ["timeline", "impact"]},
        "whys": {"title": "Five whys", "ask": "Why? And why that? <five times>"},
        "lessons": {"title": "What we take away"},
    },
}


def reviewed(rule: dict[str, Any] | None = None) -> Incident:
    """A resolved incident whose policy has this review."""
    done = Resolve(by=OMAR, summary="No payments", resolution="A larger pool", next_steps="Tune it")
    incident = Story("P0").until(4).do(Acknowledge(by=OMAR)).until(60).do(done).incident
    policy = incident.policy.model_copy(update={"review": ReviewRule.model_validate(rule or OURS)})
    return incident.model_copy(update={"policy": policy})


def test_a_template_of_ones_own_is_drafted_in_every_form() -> None:
    """Its headings, questions and order, with lines of the record where it wants them, each with its entry."""
    incident = reviewed()
    review = draft(incident, {})
    document = markdown(review, {})
    titles = ["Incident summary", "What we saw, when & *how*", "Five whys", "What we take away", "Action items"]
    assert [section.title for section in review.sections] == titles
    assert "## 2. What we saw, when & \\*how\\*\n" in document
    saw, whys = document.index("## 2."), document.index("## 3.")
    assert "*Declared* by" not in document[:saw]
    assert "Declared by @UREPORTER: Checkout is down (entry 1)" in document[saw:whys]
    assert "Nobody can pay (entry 1)" in document[saw:whys]
    assert "*Why? And why that? \\<five times\\>*" in document
    assert set(words_of(document, {s.key for s in review.sections})) == {"summary", "whys", "lessons", "actions"}
    page = html(review, {})
    assert "<h2>2. What we saw, when &amp; *how*</h2>" in page
    assert "&lt;five times&gt;" in page
    assert not [p for b in review_message(review).blocks for p in problems(b)]
    form = review_modal(review, FormState(incident=incident.id))
    assert [b["label"]["text"] for b in form["blocks"]] == [titles[0], *titles[2:]]


def test_what_people_write_in_it_comes_back_from_canvas_and_markdown() -> None:
    """Whatever signs the heading has, and however Slack writes them."""
    words = {"whys": Written("Because.\nAnd because of *that*."), "lessons": Written("Slow down")}
    review = draft(reviewed(), words)
    expected = {"summary": "", "actions": ""} | {key: each.text for key, each in words.items()}
    assert words_of(markdown(review, {}), {s.key for s in review.sections}) == expected
    assert canvas.read(canvas.document(review, {}), review).words == expected
    assert canvas.read(canvas.document(review, {}).replace("\\*how\\*", "*how*"), review).words == expected


def test_the_review_s_clock_asks_for_the_template_s_questions() -> None:
    """What is still to be written is named as the template names it."""
    incident = reviewed()
    work = incident.review_work
    assert work is not None
    said = text(progress(incident))
    assert "still to be written: incident summary, five whys, what we take away, action items" in said
    written = work.model_copy(update={"written": ("summary", "whys", "lessons", "actions")})
    assert "Text: written" in text(progress(incident.model_copy(update={"review_work": written})))
    assert ReviewSeen(written=("whys",), commitments=0).written == ("whys",)


def test_words_of_a_section_that_the_template_has_no_more_are_kept() -> None:
    """A severity with another template does not drop what somebody wrote; it is not published either."""
    words = {"whys": Written("Because"), "public": Written("It was us"), "summary": Written("Short")}
    incident = reviewed({"within": "48h", "sections": ["summary", "lessons"]})
    review = draft(incident, words)
    assert [(s.key, s.left) for s in review.sections] == [
        ("summary", False),
        ("lessons", False),
        ("public", True),
        ("whys", True),
    ]
    document = markdown(review, {})
    assert "## 4. Whys" in document
    assert LEFT in document
    assert words_of(document, {s.key for s in review.sections})["whys"] == "Because"
    assert canvas.read(canvas.document(review, {}), review).words["whys"] == "Because"
    with pytest.raises(Refused):
        public_review(review, None)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"sections": ["sumary"]}, "section 'sumary' is unknown; did you mean 'summary'?"),
        ({"sections": ["lessons", "summary", "lessons"]}, "section 'lessons' stands there twice"),
        ({"headings": {"whys": {"ask": "Why?"}}, "sections": ["whys"]}, "'whys' is one of your own: give it a `title`"),
        ({"headings": {"whys": {"title": "Whys"}}, "sections": ["whys"]}, "'whys' asks nothing and has no record"),
        ({"headings": {"timeline": {"title": "T", "record": []}}}, "section 'timeline' asks nothing and has no record"),
        ({"headings": {"whys": {"title": "W", "ask": "Why?"}}}, "heading 'whys' is of no section"),
        (
            {"headings": {"whys": {"title": "*Timeline*", "ask": "Why?"}}, "sections": ["timeline", "whys"]},
            "section 'whys' has the title of section 'timeline'",
        ),
        ({"headings": {"lessons": {"title": "🎓"}}}, "section 'lessons' needs a title with letters or digits"),
        ({"headings": {"lessons": {"record": ["whys"]}}}, "Input should be 'summary', 'timeline'"),
        ({"headings": {"Lessons!": {"title": "L"}}}, "should match pattern"),
        ({"headings": {"lessons": {"title": "x" * 81}}}, "at most 80 characters"),
        ({"sections": []}, "at least 1 item"),
    ],
)
def test_a_template_that_breaks_is_refused_with_what_to_write(changed: dict[str, Any], says: str) -> None:
    """Unknown, doubled, nameless, empty or mistakable sections: nobody finds out while they write a review."""
    with pytest.raises(ValidationError, match=says.replace("?", r"\?").replace("*", r"\*")):
        ReviewRule.model_validate({"within": "48h"} | changed)


def test_the_line_of_a_broken_template_is_named(tmp_path: Path) -> None:
    """`tocsin check` points at it, as at any mistake of a policy."""
    policy = yaml.safe_load((SHIPPED / "kars.yml").read_text())
    policy["severities"]["P0"]["review"]["sections"] = ["summary", "five_whys"]
    (tmp_path / "own.yml").write_text(yaml.safe_dump(policy, sort_keys=False))
    (tmp_path / "tocsin.yml").write_text(yaml.safe_dump(example_data() | {"policy": "./own.yml"}))
    line = 1 + (tmp_path / "own.yml").read_text().splitlines().index("      - five_whys")
    with pytest.raises(ConfigError, match=rf"own.yml:{line}: .*section 'five_whys' is unknown"):
        loader.load(tmp_path / "tocsin.yml")


def test_two_who_edit_a_section_of_their_own_lose_nothing() -> None:
    """As in ours: who saves second is told, and nothing is overwritten."""
    reviews = Reviews(fakeredis.FakeRedis())
    assert reviews.write("INC-20241218-001", {"whys": "One"}, OMAR, START, seen={"whys": ""}) == []
    late = reviews.write("INC-20241218-001", {"whys": "Two"}, "UTEAM1", START + timedelta(minutes=1), seen={"whys": ""})
    assert late == ["whys"]
    assert reviews.written("INC-20241218-001")["whys"].text == "One"
