"""Finished reviews in GitHub and Confluence, through stand-ins: one document each, in step with the review."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.render.reviews import published
from escalation.config.documents.reviews import ReviewPlaces, ReviewVendor
from escalation.incident.events.moves import Acknowledge, MarkSecurity, Reopen, Resolve, Reviewed
from escalation.incident.model import Incident
from escalation.records.forgetting import Forgotten
from escalation.reviews.draft import draft
from escalation.reviews.model import Written
from escalation.storage.keeping.forgetting import Forgetting
from escalation.storage.reviews import Reviews
from escalation.storage.reviews.documents import Document, ReviewDocuments
from tests.support.story import START, Story
from tests.support.vendors import confluence, github
from tests.support.vendors.confluence import ConfluenceStandIn
from tests.support.vendors.github import GitHubStandIn
from tests.support.vendors.server import running
from tests.support.worker import Works, redis_of, works
from workers.channels import Channels
from workers.channels.documents.client import DocumentClient
from workers.channels.documents.confluence import ConfluenceClient
from workers.channels.documents.github import GitHubDocuments
from workers.channels.trackers.github import GitHubClient
from workers.recurring.reviews.documents import COMPARED, PublishedReviews

ISSUES, PAGES = {"github": github.REPO}, {"confluence": confluence.SPACE, "parent": confluence.PARENT}
RESOLVE = Resolve(by="UDANA", summary="No payments", resolution="A larger pool")
BOTH = pytest.mark.parametrize("where", [ISSUES, PAGES], ids=["github", "confluence"])


@dataclass
class Case:
    """An incident whose review was held, and the service where it is published."""

    parts: Works
    there: Any
    incident: Incident

    def __post_init__(self) -> None:
        self.rounds = PublishedReviews(self.parts.context)
        self.documents = ReviewDocuments(self.parts.redis)

    def act(self, seconds: float = 90.0) -> None:
        """Run a round, some time later."""
        self.parts.clock.push(seconds=seconds)
        for name in self.parts.redis.scan_iter("tocsin:review-document:wait:*"):
            self.parts.redis.delete(name)
        self.parts.redis.delete(COMPARED)
        self.rounds.refresh(self.parts.clock())

    def do(self, *events: Any) -> None:
        for event in events:
            self.parts.service.handle(self.incident.id, event)
        self.act()

    def write(self, **words: str) -> None:
        """Write in the review, and have it published."""
        Reviews(self.parts.redis).write(self.incident.id, words, "UDANA", self.parts.clock())
        self.act()

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Title and text of every document there."""
        if isinstance(self.there, GitHubStandIn):
            return [(i["title"], i["body"]) for i in self.there.issues.values()]
        return [(p["title"], p["body"]["storage"]["value"]) for p in self.there.ours()]

    @property
    def document(self) -> Document:
        [document] = self.documents.of(self.incident.id).values()
        return document

    @property
    def problems(self) -> list[str]:
        return [f"{p.text}: {p.remedy}" for p in self.parts.store.problems.current()]

    def writes(self) -> int:
        return len([r for r in self.there.requests if r.method != "GET"])


@contextmanager
def held(
    where: dict[str, Any], there: Any = None, *, facts: dict[str, Any] | None = None, **more: Any
) -> Iterator[Case]:
    """A review that was held and not published yet."""
    there = there or (GitHubStandIn() if "github" in where else ConfluenceStandIn())
    with redis_of("fakeredis") as redis, running(there):
        parts = works(redis)
        if isinstance(there, GitHubStandIn):
            there.now = parts.clock
        clients: dict[ReviewVendor, DocumentClient] = {
            ReviewVendor.GITHUB: GitHubDocuments(GitHubClient(github.TOKEN, there.url)),
            ReviewVendor.CONFLUENCE: ConfluenceClient(there.url, confluence.USER, confluence.TOKEN),
        }
        known = {vendor: client for vendor, client in clients.items() if vendor in where}
        channels = Channels(parts.context.slack, documents=known)
        parts.context = replace(parts.context, channels=channels)
        places = ReviewPlaces.model_validate(where | more)
        parts.service.company = parts.service.company.model_copy(update={"reviews": places})
        incident = parts.declare("P0", **facts or {})
        parts.service.handle(incident.id, Acknowledge(by="UDANA"))
        parts.service.handle(incident.id, RESOLVE)
        Reviews(redis).write(incident.id, {"lessons": "Watch the *pool* & <b>its</b> size"}, "UDANA", parts.clock())
        parts.service.handle(incident.id, Reviewed(by="UDANA", text="A larger pool is enough"))
        yield Case(parts, there, incident)


@BOTH
def test_a_review_that_was_held_is_published_once(where: dict[str, Any]) -> None:
    """With the record and people's words, by roles, and no second time."""
    with held(where) as case:
        case.act()
        case.act()
        [(title, text)] = case.texts
        assert title == f"{case.incident.id}: Checkout is down"
        assert "A larger pool is enough" in text
        assert "Acknowledged by the on-call engineer" in text or "reporter" in text
        assert "UDANA" not in text
        assert case.writes() == 1
        assert case.document.key


def test_a_page_stands_below_its_parent_and_is_well_formed() -> None:
    """Confluence refuses what is no XHTML; what people wrote is Markdown there too."""
    with held(PAGES) as case:
        case.act()
        [page] = case.there.ours()
        assert page["parentId"] == str(confluence.PARENT)
        assert "Watch the <em>pool</em> &amp; &lt;b&gt;its&lt;/b&gt; size" in page["body"]["storage"]["value"]
        assert case.document.url == f"{case.there.url}/wiki/spaces/OPS/pages/{page['id']}"


@BOTH
def test_a_review_that_is_not_held_or_of_a_drill_is_not_published(where: dict[str, Any]) -> None:
    """Nor one whose severity is not among those wanted."""
    with held(where, severities=["P1"]) as case:
        case.act()
        case.parts.declare("P0")
        case.act()
        assert case.texts == []
        assert case.documents.due() == []


@BOTH
def test_what_changes_later_is_written_there_anew(where: dict[str, Any]) -> None:
    """Words, and a review that is held again after a reopening, which it says: one document all the while."""
    with held(where) as case:
        case.act()
        case.write(lessons="Size the pool by the load")
        [(_, text)] = case.texts
        assert "Size the pool by the load" in text
        case.do(Reopen(by="UDANA", why="It is back"), RESOLVE)
        [(_, text)] = case.texts
        assert "reopened: this review is not finished" in text
        case.do(Reviewed(by="UDANA", text="Held again"))
        [(_, text)] = case.texts
        assert "Held again" in text
        assert "not finished" not in text
        assert case.writes() == 4


@BOTH
@pytest.mark.parametrize("fault", ["lost", "late"])
def test_a_creation_whose_reply_was_lost_is_adopted(where: dict[str, Any], fault: str) -> None:
    """It is looked for before anything is created again, by its mark or its title."""
    with held(where) as case:
        if fault == "lost":
            case.there.lose = 1
        else:
            case.there.swallow = 1
        case.act()
        assert not case.document.key
        if isinstance(case.there, GitHubStandIn):
            case.there.deliver_late()
        case.act()
        assert len(case.texts) == 1
        assert case.document.key
        assert case.writes() == 1


def test_a_second_issue_that_came_late_is_closed() -> None:
    """An hour after a creation that got no answer, as a duplicate; the one that is linked stays."""
    with held(ISSUES) as case:
        case.there.swallow = 1
        case.act()
        case.act()
        case.parts.clock.push(seconds=60)
        case.there.deliver_late()
        assert len(case.texts) == 2
        case.act(3700)
        states = {f"{github.REPO}#{number}": issue["state"] for number, issue in case.there.issues.items()}
        assert states.pop(case.document.key) == "open"
        assert list(states.values()) == ["closed"]
        assert case.document.doubted is None


@BOTH
def test_what_was_adopted_is_brought_up_to_date(where: dict[str, Any]) -> None:
    """Words that changed between the lost reply and the next try are there."""
    with held(where) as case:
        case.there.lose = 1
        case.act()
        case.write(lessons="Newer words")
        [(_, text)] = case.texts
        assert "Newer words" in text


@BOTH
def test_a_deleted_document_is_created_anew(where: dict[str, Any]) -> None:
    """With the next change, where the review is published now."""
    with held(where) as case:
        case.act()
        if isinstance(case.there, GitHubStandIn):
            del case.there.issues[1]
        else:
            case.there.ours()[0]["status"] = "trashed"
        case.write(lessons="Later words")
        [(_, text)] = case.texts
        assert "Later words" in text


def test_a_page_that_others_save_at_the_same_time_is_read_anew() -> None:
    """A stale version is refused with 409: the next number is taken, and no page is lost."""
    with held(PAGES) as case:
        case.act()
        case.there.raced = 2
        case.write(lessons="Later words")
        [page] = case.there.ours()
        assert "Later words" in page["body"]["storage"]["value"]
        assert page["version"]["number"] == 4


def test_an_update_whose_reply_was_lost_makes_one_version() -> None:
    """The version's message says what it shows."""
    with held(PAGES) as case:
        case.act()
        case.there.lose = 1
        case.write(lessons="Later words")
        case.act()
        assert case.there.ours()[0]["version"]["number"] == 2
        assert not case.document.trouble


def test_a_title_that_people_gave_a_page_stays() -> None:
    """And a page that they archived is left alone."""
    with held(PAGES) as case:
        case.act()
        [page] = case.there.ours()
        case.there.edit(page, title="The Tuesday outage")
        case.write(lessons="Later words")
        assert page["title"] == "The Tuesday outage"
        case.there.edit(page, status="archived")
        before = case.writes()
        case.write(lessons="Latest words")
        assert case.writes() == before


def test_a_page_of_somebody_elses_is_not_written_over() -> None:
    """Of the same title, without our mark: the doctor says what to do."""
    with held(PAGES) as case:
        title = f"{case.incident.id}: Checkout is down"
        case.there.pages["77"] = confluence._page("77", title, "<p>Mine</p>", None)
        case.act()
        assert case.there.pages["77"]["body"]["storage"]["value"] == "<p>Mine</p>"
        [problem] = case.problems
        assert "a page of the review's title that we did not write" in problem


@BOTH
def test_refusals_are_problems_until_they_are_mended(where: dict[str, Any]) -> None:
    """A token is for the operator; an outage is waited out, and no problem."""
    with held(where) as case:
        case.there.refuse = 401
        case.act()
        [problem] = case.problems
        assert "TOKEN" in problem
        assert "refuses our" in case.document.trouble
        case.there.refuse = 503
        case.act()
        case.there.refuse = 0
        case.act()
        assert case.problems == []
        assert len(case.texts) == 1
        assert not case.document.trouble


@BOTH
def test_private_reviews_go_to_the_private_place_only(where: dict[str, Any]) -> None:
    """And nowhere without one."""
    with held(where, facts={"security": True}) as case:
        case.act()
        assert case.texts == []
        assert case.writes() == 0


def test_a_private_review_is_published_where_the_configuration_says() -> None:
    """The private place has a repository of its own."""
    there = GitHubStandIn()
    private = {"private": {"github": github.REPO}}
    with held({"github": "acme/open"}, there, facts={"security": True}, **private) as case:
        case.act()
        assert len(case.texts) == 1
        assert [r.path for r in there.requests if r.method == "POST"] == [f"/repos/{github.REPO}/issues"]


@pytest.mark.parametrize("again", [(), (Reopen(by="UDANA", why="It is back"),)])
@BOTH
def test_a_review_is_withdrawn_when_its_incident_becomes_private(
    where: dict[str, Any], again: tuple[Reopen, ...]
) -> None:
    """No word is left there but its number; the doctor names what to delete until it is."""
    with held(where) as case:
        case.act()
        case.do(*again, MarkSecurity(by="UDANA", why="A leak"))
        [(title, text)] = case.texts
        assert title == case.incident.id
        assert "pool" not in text
        [problem] = case.problems
        assert f"delete {case.document.key}" in problem
        if isinstance(case.there, GitHubStandIn):
            case.there.issues.clear()
        else:
            case.there.ours()[0]["status"] = "trashed"
        case.act()
        assert case.problems == []
        assert case.documents.of(case.incident.id) == {}


@BOTH
def test_a_creation_in_doubt_is_withdrawn_too(where: dict[str, Any]) -> None:
    """What a lost reply left there is looked for before the incident's number is all that may stand there."""
    with held(where) as case:
        case.there.lose = 1
        case.act()
        case.do(Reopen(by="UDANA", why="It is back"), MarkSecurity(by="UDANA", why="A leak"))
        [(title, text)] = case.texts
        assert title == case.incident.id
        assert "pool" not in text
        assert len(case.problems) == 1


@BOTH
def test_what_names_somebody_who_is_forgotten_is_written_anew(where: dict[str, Any]) -> None:
    """Where names stand there; earlier versions are listed as what cannot be taken back."""
    with held(where, roles=False) as case:
        omar = Forgotten("former:1", frozenset({"UOMAR"}), frozenset({"omar"}), frozenset(), frozenset({"Omar Haddad"}))
        case.write(lessons="Omar Haddad found it")
        assert "Omar Haddad" in case.texts[0][1]
        found = Forgetting(case.parts.store, omar, dry=False).run()
        case.act()
        [(_, text)] = case.texts
        assert "Omar Haddad" not in text
        assert f"earlier versions of the review {case.document.url}" in found.outside


@given(st.text(), st.text())
def test_every_page_is_well_formed_whatever_people_write(words: str, name: str) -> None:
    """Control characters, which XML has no place for, and markup included."""
    incident = Story("P0").incident
    review = draft(incident, {"lessons": Written(words, "UDANA", START)})
    text = published.for_confluence(replace(review, title=name), {"UDANA": name}, "review-x")
    ElementTree.fromstring(f"<page>{text}</page>")


@given(st.text(alphabet="@#<!->a1 \n"))
def test_an_issue_calls_nobody_and_hides_nothing(words: str) -> None:
    """Neither a mention nor another issue's number, nor the beginning of a comment that hides the rest."""
    incident = Story("P0").incident
    text = published.for_github(draft(incident, {"lessons": Written(words, "UDANA", START)}), {})
    assert "<!--" not in text
    assert not any(call in text for call in ("@a", "@1", "#1"))


def test_a_long_review_loses_lines_of_the_record_and_no_words() -> None:
    """GitHub takes 65,536 characters; how many lines are missing is said."""
    review = draft(Story("P0").incident, {"lessons": Written("Every word stays", "UDANA", START)})
    section = review.sections[1]
    long = replace(review, sections=(replace(section, lines=section.lines[:1] * 5000), *review.sections[2:]))
    text = published.for_github(long, {})
    assert len(text) < 65_000
    assert "more: `tocsin review" in text.replace("\\`", "`")
    assert "Every word stays" in text
