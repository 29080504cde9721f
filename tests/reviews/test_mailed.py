"""The finished review leaves Slack once it was held: by mail to the policy's lists, and into the ticket."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from escalation.config.lists import Recipients
from escalation.config.rules.communications import ListName
from escalation.config.rules.reviews import ReviewRule
from escalation.config.tickets import Tickets
from escalation.errors import Refused
from escalation.incident.effects import MailReview, UpdateIssue
from escalation.incident.events.moves import Acknowledge, Resolve, Reviewed
from escalation.reviews.draft import draft
from escalation.reviews.model import Written
from escalation.reviews.tracker import ticket_comment
from escalation.storage.reviews import Reviews
from escalation.text import text
from tests.support import story
from tests.support.bot import world
from tests.support.outside_services import MailServer, mail_server
from tests.support.story import START, Story
from workers.channels.smtp import MailClient
from workers.delivery.mail import MailPlanner
from workers.delivery.plan import Plan

CHIEF = "chief@example.com"
TICKETS = Tickets.model_validate({"github": "acme/ops", "private": {"github": "acme/secret"}})
RESOLVE = Resolve(by="UONCALL", summary="No payments", resolution="A larger pool")


@pytest.fixture
def smtp() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def mailing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The KARS policy, with a list for its reviews."""
    policy = story.kars()
    severities = {
        name: each.model_copy(
            update={"review": each.review and each.review.model_copy(update={"mail": ("executives",)})}
        )
        for name, each in policy.severities.items()
    }
    changed = policy.model_copy(update={"severities": severities})
    monkeypatch.setattr(story, "shipped", lambda name: changed)


def effects(**terms: Any) -> list[MailReview]:
    told = Story("P0", mail_lists=(ListName.EXECUTIVES,), **terms).until(10).do(RESOLVE).until(60)
    incident = told.do(Reviewed(by="UONCALL", text="A larger pool is enough")).incident
    return [e for e in incident.effects if isinstance(e, MailReview)]


def test_a_finished_review_is_mailed_to_the_policys_list(mailing: None, smtp: MailServer) -> None:
    """Each address gets the document with people's words, as Markdown and as HTML."""
    told = Story("P0", mail_lists=(ListName.EXECUTIVES,)).until(10).do(RESOLVE).until(60)
    incident = told.do(Reviewed(by="UONCALL", text="Held")).incident
    [effect] = [e for e in incident.effects if isinstance(e, MailReview)]
    behind = world(lists={ListName.EXECUTIVES: Recipients(mail=(CHIEF,))})
    Reviews(behind.redis).write(incident.id, {"lessons": "Watch the *pool*"}, "UONCALL", START)
    plan = MailPlanner(MailClient(smtp.url, "tocsin@example.com"), behind.service).plan(incident, effect, START)
    assert isinstance(plan, Plan)
    plan.go(False)
    [mail] = smtp.to(CHIEF)
    assert incident.id in str(mail.message["Subject"])
    parts = {part.get_content_type(): part.get_content() for part in mail.message.walk() if not part.is_multipart()}
    assert "Watch the *pool*" in parts["text/plain"]
    assert "<em>pool</em>" in parts["text/html"]


def test_reviews_of_private_incidents_and_drills_are_mailed_to_nobody(mailing: None) -> None:
    """Nor is one mailed to a list that the company does not keep."""
    assert len(effects()) == 1
    assert effects(security=True) == effects(drill=True) == []


def test_without_a_list_in_the_policy_nothing_is_mailed() -> None:
    """The first of the shipped policies names none."""
    assert effects() == []


def test_the_second_policy_mails_its_reviews_to_stakeholders() -> None:
    """Its source says that post-mortems go by mail: they do, where the company keeps that list."""
    assert effects(policy="beauty") == []
    for lists in ((), (ListName.EXECUTIVES,), (ListName.STAKEHOLDERS,)):
        story = Story("P1", policy="beauty", mail_lists=lists).until(10).do(RESOLVE).until(60)
        incident = story.do(Reviewed(by="UONCALL", text="A larger pool is enough")).incident
        mailed = [e for e in incident.effects if isinstance(e, MailReview)]
        assert [e.lists for e in mailed] == [lists] * (ListName.STAKEHOLDERS in lists)


def test_the_review_in_the_ticket_names_roles_and_is_cut_to_length() -> None:
    """Others than the team read a tracker."""
    incident = Story("P0").until(4).do(Acknowledge(by="UONCALL")).until(10).do(RESOLVE).incident
    review = draft(incident, {"lessons": Written("Thanks to Omar Haddad." + "\n\nSo it was." * 4000, "UONCALL")})
    lines = ticket_comment(incident, review, {"UONCALL": "Omar Haddad"})
    said = text(lines)
    assert "Thanks to the on-call engineer" in said
    assert "Omar" not in said
    assert "UONCALL" not in said
    assert len(said) < 32_767
    assert "The rest is in the review" in text(lines[-1:])


def test_the_review_goes_into_the_ticket_once_it_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind all that was said there before; that of a private incident goes nowhere."""
    policy = story.kars()
    severities = {
        name: each.model_copy(update={"review": each.review and each.review.model_copy(update={"ticket": True})})
        for name, each in policy.severities.items()
    }
    changed = policy.model_copy(update={"severities": severities})
    monkeypatch.setattr(story, "shipped", lambda name: changed)
    for private, wanted in ((False, ["review"]), (True, [])):
        told = Story("P0", tickets=TICKETS, security=private).until(10).do(RESOLVE).until(60)
        incident = told.do(Reviewed(by="UONCALL")).incident
        actions = [e.action for e in incident.effects if isinstance(e, UpdateIssue)]
        assert [action for action in actions if action == "review"] == wanted


def test_customers_are_told_in_public_words_instead() -> None:
    """A policy that would mail them a review is refused."""
    with pytest.raises((ValidationError, Refused), match="words of the team"):
        ReviewRule.model_validate({"within": "48h", "mail": "customers"})
