"""The work on a review in Slack: Home, the form of its plan, cause categories, recurrences, the runbook."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from bot.render.card import card
from bot.render.lists import SAY
from bot.render.pages import page
from bot.render.reviews.markdown import markdown
from escalation.errors import Refused
from escalation.figures.report import incident_report
from escalation.figures.words import causes
from escalation.incident.effects import BookmarkLink
from escalation.incident.events.moves import Edit, Resolve, RootCause
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.reviews.draft import draft
from escalation.storage.reviews import Reviews
from tests.support.bot import Office, Person, open_office
from tests.support.company import example_data, user
from tests.support.waiting import eventually
from tocsin.commands.report import report_data

RUNBOOK = "https://wiki.example.com/checkout"
LINKS = {"Monitoring": "https://grafana.example.com/d/1", "Release checklist": "https://wiki.example.com/release"}
SERVICE = {**example_data()["services"]["checkout"], "runbook": RUNBOOK, "links": LINKS}


def closed(office: Office, category: str = "", severity: str = "P0", **facts: Any) -> Incident:
    incident = office.declare(severity=severity, **({"service": "checkout"} | facts))
    done = Resolve(by=user("dana"), summary="s", resolution="r", category=category)
    return office.world.service.handle(incident.id, done)


def _once(office: Office, incident_id: str, known: str) -> Incident | None:
    """The incident, once that is known of it."""
    incident = office.incident(incident_id)
    return incident if getattr(incident, known) else None


def home(person: Person, words: str) -> str:
    def look() -> str:
        shown = str(person.home()["view"])
        return shown if words in shown else ""

    return eventually(look)


def test_home_says_what_i_owe(office: Office) -> None:
    """Reviews that are mine with what is missing and until when, and updates; of others nothing."""
    incident = closed(office)
    shown = home(office.person("dana"), "What you owe")
    assert "post-incident review" in shown
    assert incident.id in shown
    assert "missing: the text, action items" in shown
    assert "What you owe" not in home(office.person("paula"), "Open incidents")


def test_the_plan_is_made_in_a_form(office: Office) -> None:
    """Owner, meeting, what is not needed and the category; what was not touched stays."""
    incident = closed(office)
    dana = office.person("dana")
    dana.command(f"plan-review {incident.id}")
    form = dana.modal("Plan the review")
    meeting = int((office.world.clock.now + timedelta(days=1)).timestamp())
    dana.submit(form, owner=[user("omar")], starts=meeting, no_follow_ups="A known fault", category="Application bugs")
    planned = eventually(partial(_once, office, incident.id, "cause_category"))
    assert planned.review_work
    assert planned.review_work.owner == user("omar")
    assert planned.review_work.meeting
    assert int(planned.review_work.meeting.timestamp()) == meeting
    assert planned.review_work.no_follow_ups
    dana.command(f"plan-review {incident.id} @omar")
    dana.command(f"plan-review {incident.id} no meeting we met in the room")
    eventually(lambda: (work := office.incident(incident.id).review_work) and work.no_meeting)


def test_what_is_written_and_noted_is_ticked_at_once(office: Office) -> None:
    """A section saved in the form, and an action item with owner and day, are no longer missing."""
    incident = closed(office)
    dana = office.person("dana")
    dana.command(f"review {incident.id} write")
    dana.submit(dana.modal("Post-incident review"), lessons="Watch the pool")
    eventually(lambda: (work := office.incident(incident.id).review_work) and "lessons" in work.written)
    dana.command(f"action {incident.id} Watch the pool @omar friday")
    eventually(lambda: (work := office.incident(incident.id).review_work) and work.commitments == 1)


def test_what_is_written_elsewhere_is_found_by_the_next_round(office: Office) -> None:
    """The terminal writes into the store; the recurring work takes it over."""
    incident = closed(office)
    Reviews(office.world.redis).write(incident.id, {"summary": "The pool"}, "", office.world.clock.now)
    office.world.service.see_reviews()
    work = office.incident(incident.id).review_work
    assert work
    assert work.written == ("summary",)


def test_the_category_is_chosen_with_the_cause(office: Office) -> None:
    """In the form of the root cause, from the policy's list; the thread and the review name it."""
    incident = office.declare(service="checkout")
    dana = office.person("dana")
    dana.command("root-cause")
    dana.submit(dana.modal("Root cause found"), cause="The pool ran dry", category="Database issues")
    known = eventually(partial(_once, office, incident.id, "root_cause"))
    assert known.cause_category == "Database issues"
    assert "Cause category: Database issues" in markdown(draft(known, {}), {})


def test_the_same_service_and_cause_again_needs_a_review_and_is_counted(office: Office) -> None:
    """The second names the first; another service, another cause or a month later repeats nothing."""
    clock, first = office.world.clock, closed(office, "Database issues", "P2")
    assert first.review_by is None
    clock.push(minutes=60 * 24 * 3)
    others = [closed(office, "Application bugs", "P2"), closed(office, "Database issues", "P2", service="api")]
    again = closed(office, "Database issues", "P2")
    assert [i.repeats for i in (*others, again)] == ["", "", first.id]
    assert again.review_by
    assert [e.fields["repeats"] for e in again.timeline if e.kind is EntryKind.RECURRED] == [first.id]
    now = clock.push(minutes=1)
    figures = incident_report(office.world.store.observations(now - timedelta(days=30)), now - timedelta(days=30), now)
    data = report_data(figures)
    assert data["causes"] == {"Database issues": 3, "Application bugs": 1}
    assert data["recurrences"] == {"Database issues": 1}
    assert ("Database issues", "3 incidents, 1 recurrence") in causes(figures)
    clock.push(minutes=60 * 24 * 31)
    assert closed(office, "Database issues", "P2").repeats == ""


def test_a_private_incident_is_not_named_as_what_is_repeated(office: Office) -> None:
    """Whoever reads the public thread learns nothing of it."""
    closed(office, "Database issues", "P2", security=True)
    office.world.clock.push(minutes=60)
    assert closed(office, "Database issues", "P2").repeats == ""


def test_an_unknown_category_is_refused(office: Office) -> None:
    """With the list of those there are, and nothing is lost."""
    incident = office.declare()
    with pytest.raises(Refused, match="Database issues"):
        office.world.service.handle(incident.id, RootCause(by=user("dana"), cause="x", category="Gremlins"))
    assert office.incident(incident.id).root_cause is None


def test_the_runbook_is_at_hand_wherever_people_work() -> None:
    """On card, page, room and review, which asks whether it was updated; it follows the service."""
    services = {**example_data()["services"], "checkout": SERVICE}
    with open_office(services=services) as office:
        incident = office.declare(service="checkout")
        shown = str(card(incident, ()).blocks) + str(page(incident, 1).blocks)
        for name, address in {"Runbook": RUNBOOK, **LINKS}.items():
            assert shown.count(f"<{address}|{name}>") == 2
        bookmarks = {e.title: e.url for e in incident.effects if isinstance(e, BookmarkLink)}
        assert bookmarks.items() >= {"Runbook": RUNBOOK, **LINKS}.items()
        review = markdown(draft(closed(office), {}), {})
        assert "Was it updated?" in review
        assert all(name in review for name in LINKS)
        moved = office.world.service.handle(incident.id, Edit(by=user("dana"), service="api"))
        assert not moved.service_links


@pytest.mark.parametrize("url", ["https://tocsin.example.com", ""])
def test_a_review_is_read_whole_in_the_browser_where_there_is_one(office: Office, url: str) -> None:
    """One press answers with a link; nobody who has no terminal is sent to one alone."""
    dana, incident = office.person("dana"), closed(office)
    office.world.service.public_url = url
    dana.command(f"review {incident.id}")
    said = "as Markdown, HTML, PDF or JSON"
    answer = eventually(lambda: next((m for m in dana.messages() if said in str(m)), None))
    assert ("Read in the browser" in str(answer)) is bool(url)
    if url:
        dana.press(answer, f"{SAY}-review-web", dana.channel("general"))
        eventually(lambda: f"{url}/incidents/open/" in str(dana.messages()))
