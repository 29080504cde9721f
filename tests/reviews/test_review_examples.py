"""The reviews in docs/examples, made of one story; `python -m tests.reviews.test_review_examples` writes them."""

from datetime import date
from pathlib import Path

import pytest

from bot.render.reviews import canvas
from bot.render.reviews.html import html
from bot.render.reviews.markdown import markdown
from escalation.incident.events.moves import (
    Acknowledge,
    FixApplied,
    FixFailed,
    PostUpdate,
    Resolve,
    RootCause,
    StartFix,
    Workaround,
)
from escalation.incident.events.news import MessageNoted
from escalation.incident.model import Incident
from escalation.incident.noted import Noting
from escalation.reviews.action_items import ActionItem
from escalation.reviews.draft import draft
from escalation.reviews.model import Review, Written
from tests.support.story import START, Story

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
OMAR, DANA, LENA = "UONCALL", "UREPORTER", "UDEVOPS"
NAMES = {
    OMAR: "Omar Haddad",
    DANA: "Dana Ruiz",
    LENA: "Lena Fischer",
    "UBACKEND": "Jonas Weber",
    "UMANAGER": "Paula Novak",
}
WORDS = {
    "summary": (
        "For an hour and a quarter, one customer in three could not pay. A release had halved the connection pool."
    ),
    "root_cause": (
        "1. The release took its pool size from a default, because the key had been renamed.\n"
        "2. Nothing compared the two: the check of the configuration *accepts unknown keys*.\n"
        "3. The dashboard shows the pool's use in percent, so that a smaller pool looked the same."
    ),
    "impact": "About 2,100 payments failed; support answered 64 tickets. No payment was taken twice.",
    "went_well": "The rollback was found and agreed on within ten minutes of the cause.",
    "improve": "- The first fix was applied without somebody to watch it.\n- Support heard of it from customers.",
    "lessons": "A default that differs from production is a change, even if nobody made one.",
}


def incident() -> Incident:
    """A P0 of the KARS policy, from the first page until the end."""
    story = Story("P0", service="checkout", title="Payments fail with 502", impact="One in three cannot pay")
    story = story.until(4).do(Acknowledge(by=OMAR)).until(12)
    seen = MessageNoted(
        by=OMAR,
        what=Noting.ADDED,
        channel="CROOM",
        ts="1734536460.000100",
        author=LENA,
        text="The pool has 20 connections, it used to have 40",
        sent_at=story.now,
        url="https://example.slack.com/archives/CROOM/p1734536460000100",
        files=("pool.png\thttps://example.slack.com/files/F1/pool.png",),
        how="pin",
    )
    story = story.do(PostUpdate(by=OMAR, progress="Timeouts to the database since the release of 15:20")).until(16)
    story = story.do(seen).do(RootCause(by=LENA, cause="The release halved the connection pool")).until(20)
    story = story.do(StartFix(by=LENA, text="Set the pool to 40")).until(28).do(FixApplied(by=LENA)).until(34)
    story = story.do(FixFailed(by=OMAR, text="Half of the hosts still have 20")).until(41)
    story = story.do(Workaround(by=OMAR, text="Rolled the release back")).do(FixApplied(by=OMAR)).until(75)
    end = Resolve(
        by=OMAR,
        summary="One customer in three could not pay",
        resolution="The release was rolled back",
        verification="No 502 for half an hour, payments at their usual rate",
        final_impact="About 2,100 failed payments",
        data_loss=False,
        next_steps="Refuse unknown keys in the configuration",
    )
    return story.do(end).incident


def review() -> Review:
    """Its review, as people wrote it."""
    of = incident()
    item = ActionItem(f"{of.id}/1", "Alert on the size of the pool", OMAR, START, LENA, date(2025, 1, 10), "checkout")
    return draft(of, {key: Written(text, OMAR, START) for key, text in WORDS.items()}, [item])


def examples() -> dict[str, str]:
    """Each file with its text."""
    return {
        "review.md": markdown(review(), NAMES),
        "review.html": html(review(), NAMES),
        "review-canvas.md": canvas.document(review(), NAMES),
    }


@pytest.mark.parametrize("name", sorted(examples()))
def test_the_example_is_what_is_made(name: str) -> None:
    """What the docs show is what one gets."""
    assert (EXAMPLES / name).read_text() == examples()[name]


if __name__ == "__main__":
    EXAMPLES.mkdir(exist_ok=True)
    for written, text in examples().items():
        (EXAMPLES / written).write_text(text)
