"""Reviews for readers outside: names become roles, and the public version has public words only."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.render.reviews.markdown import markdown
from bot.render.reviews.public import public_review
from escalation.config.rules.reviews import ReviewSection
from escalation.config.status_page import ComponentState
from escalation.errors import Refused
from escalation.incident.model import Incident
from escalation.reviews.draft import draft
from escalation.reviews.model import Review, Section, Written
from escalation.reviews.roles import roles_of, without_names
from escalation.status_page.publications import Impact, Publication, PublicStatus
from escalation.status_page.standing import PublicIncident, incidents_of
from tests.reviews.test_reviews import OMAR, resolved
from tests.support.story import START

NAMES = {OMAR: "Omar Haddad", "UREPORTER": "Dana Ruiz", "UDEVOPS": "Ann", "UBACKEND": "Anna Lee"}


def with_words(incident: Incident, text: str, key: ReviewSection = ReviewSection.LESSONS) -> Review:
    review = draft(incident, {})
    kept = tuple(s for s in review.sections if s.key is not key)
    return replace(review, sections=(*kept, Section(key, key.heading, key.question, (), Written(text, OMAR))))


def test_names_become_roles_everywhere() -> None:
    """In the record and in what people wrote, mentioned or spelled out; the longer name is not half replaced."""
    incident = resolved(title="Anna Lee's checkout is down")
    review = with_words(incident, f"Thanks to @Anna Lee, Ann and <@{OMAR}>; Annabel helped.")
    document = markdown(without_names(review, roles_of(incident, review), NAMES), NAMES)
    for name in (*NAMES, *NAMES.values()):
        assert f" {name}" not in document.replace("Annabel", "")
    assert "Annabel" in document
    assert "the reporter" in document


def test_two_of_one_role_are_told_apart() -> None:
    """Roles are numbered where two people held the same; a lead of the response is named as that."""
    incident = resolved()
    roles = roles_of(incident, draft(incident, {}))
    assert len(set(roles.values())) == len(roles)
    assert roles["UREPORTER"] == "reporter"


def published(**changes: object) -> PublicIncident:
    common = {"incident": "p1", "knew_at": START, "name": "Payments fail", "impact": Impact.MAJOR}
    first = Publication(
        n=1, ours="a", at=START + timedelta(minutes=9), status=PublicStatus.INVESTIGATING, body="Payments fail.",
        components={"checkout": ComponentState.MAJOR}, entry=4, **common,
    )  # fmt: skip
    last = Publication(
        n=2, ours="b", at=START + timedelta(minutes=90), status=PublicStatus.RESOLVED, body="It is over.", **common
    )
    [incident] = incidents_of([first, last])
    return incident


def test_the_public_version_has_only_public_words() -> None:
    """What was published, and the section written for the public: no title, name, entry or word of another section."""
    review = with_words(resolved(title="Vendor X broke"), "The pool was *too small*.", ReviewSection.PUBLIC)
    text = public_review(review, published())
    assert text.startswith("# Payments fail\n")
    for said in ("Major impact", "after 1 hour 30 minutes", "It is over.", "The pool was *too small*."):
        assert said in text
    for ours in ("Vendor X", "INC-", "entry", OMAR, "pool ran dry"):
        assert ours not in text


def test_where_nothing_was_worded_for_the_public_there_is_no_public_version() -> None:
    """It is refused, and says what is missing; a private incident has none at all."""
    with pytest.raises(Refused, match="Nothing of this incident was worded"):
        public_review(draft(resolved(), {}), None)
    private = replace(with_words(resolved(), "It was us.", ReviewSection.PUBLIC), private=True)
    with pytest.raises(Refused, match="private"):
        public_review(private, published())
