"""A report in the browser: who may open it, and what it shows."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock
from zoneinfo import ZoneInfo

import pytest

from benchmarks.ports import free_port
from bot.pages.report import MAX_DOTS, Filters, plot, report_html
from escalation.config.policy import Severity
from escalation.errors import NotFound
from escalation.incident.events.moves import Acknowledge, Resolve
from escalation.incident.state.facts import Facts
from escalation.reports.documents import on_request
from escalation.storage.answers.person_links import REPORTS, PersonLinks, Purpose
from tests.figures.test_figures import made
from tests.reports.test_documents import DAY, MONTH, gathered, many
from tests.support import http as wire
from tests.support.bot import World, running_bot, world
from tests.support.company import user
from tests.support.worker import redis_of

HOSTILE = "<script>alert(1)</script>"
SECRET = "Somebody reads our mail"


def page(n: int = 120, **more: Any) -> str:
    found = gathered(many(n, MONTH - 10 * DAY, service="checkout"), **more)
    choices = Filters(period="30d", severities=("P0", "P1", "P2", "P3"), services=("checkout", "search"), csv="?x")
    return report_html(on_request(found, "UTC", mean=True), found.figures.observations, {}, choices, found.now)


def test_each_incident_is_a_dot_and_a_row() -> None:
    """On a logarithmic axis; nothing of it is asked of another host, and nothing runs."""
    html = page()
    assert html.count("<circle") == len(re.findall(r'<th scope="row"><span[^>]*>P\d</span> <a href="../inc', html)) > 0
    assert not re.search(r"<script|https?://|@import|url\(", html)


def test_what_a_row_is_of_is_said_once_for_the_rows_of_its_severities() -> None:
    """A phone's column has no room for it five times; a screen reader hears it with each of them."""
    html = page()
    cell = r'<th scope="rowgroup" rowspan="(\d)">Time to resolve \(MTTR\)</th>'
    [rows] = re.findall(cell, html)
    assert int(rows) > 1
    assert len(re.findall(r'<th scope="row[^>]*>Time to resolve', html)) == 1


def test_a_report_on_some_incidents_says_what_in_it_is_about_all() -> None:
    """Action items and Tocsin's own punctuality are not filtered, and do not read as if they were."""
    for narrowed in (True, False):
        html = page(narrowed=narrowed)
        assert ("Open action items of all incidents: " in html) is narrowed
        assert ("in this period of all incidents" in html) is narrowed


def test_times_of_day_are_the_companys() -> None:
    """In the list and on each dot, over a change of the clocks; the page says whose they are, and so does a file."""
    at = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    found = gathered([made(10, at=at)], since=at - DAY, until=at + DAY)
    html = report_html(on_request(found, "Europe/Berlin"), found.figures.observations, zone="Europe/Berlin")
    assert html.count("2026-03-29 03:30") == 2
    assert "Times of day are in Europe/Berlin;" in html
    assert "01:30" not in html
    assert "<a href" not in html


@pytest.mark.parametrize("n", [0, 1, 5000])
def test_a_page_over_nothing_one_or_thousands_reads_well(n: int) -> None:
    """It says that there is nothing, or how many are not drawn, and stays a page that a phone loads."""
    found = gathered([made(1 + k, n=k, at=MONTH + DAY) for k in range(n)])
    html = report_html(on_request(found, "UTC"), found.figures.observations)
    assert ("No incidents" in html) is (n == 0)
    assert html.count("<circle") == min(n, MAX_DOTS)
    assert ("shortest are not drawn" in html) is (n > MAX_DOTS)
    assert len(html) < 400_000


def test_a_time_that_nobody_stated_has_no_column() -> None:
    """One that a single incident has, has one."""
    seen = [made(9, at=MONTH + DAY, n=n) for n in range(2)]
    for observations, shown in (
        (seen, False),
        ([seen[0], replace(seen[1], began=seen[1].declared - 60.0, detected=seen[1].declared)], True),
    ):
        found = gathered(observations)
        html = report_html(on_request(found, "UTC"), found.figures.observations)
        assert (">detect (MTTD)</th>" in html) is shown
        assert ">resolve (MTTR)</th>" in html


def test_dots_stand_in_the_order_of_their_times() -> None:
    """From a second to a month, each within the picture."""
    drawn = plot([made(minutes, n=n) for n, minutes in enumerate((0.02, 1, 60, 1440, 43200))], ZoneInfo("UTC"))
    assert drawn
    places = [float(dot.x.rstrip("%")) for dot in drawn.dots]
    assert places == sorted(places)
    assert 0 <= places[0] < places[-1] <= 100
    assert all(0 < dot.y < drawn.height for dot in drawn.dots)


def test_what_people_wrote_is_no_markup() -> None:
    """A service or a source with a tag in its name stays words."""
    seen = [made(9, at=MONTH + DAY, service=HOSTILE), made(9, n=1, at=MONTH + DAY, source=HOSTILE)]
    found = gathered(seen)
    document, observations = on_request(found, "UTC"), found.figures.observations
    titles = {s.id: HOSTILE for s in observations}
    assert HOSTILE not in report_html(document, observations, {}, Filters(period=HOSTILE), titles=titles)


# Over the wire -------------------------------------------------------------------------------------------------------


@pytest.fixture
def site() -> Iterator[World]:
    """A bot with an incident that was resolved, and a private one."""
    known, port = world(), free_port()
    known.service.public_url = f"http://127.0.0.1:{port}"
    for facts, severity in (
        (Facts(title="Slow", service="checkout"), "P1"),
        (Facts(title=SECRET, security=True), "P0"),
    ):
        declared = known.service.declare(user("dana"), Severity(severity), facts, key=severity)
        known.clock.push(minutes=7)
        known.service.handle(declared.id, Acknowledge(by=user("omar")))
        known.service.handle(declared.id, Resolve(by=user("omar"), summary="a", resolution="b"))
    workspace = Mock(bot_token="xoxb-1", app_token="xapp-1", signing_secret="s", api_url="http://127.0.0.1:9/")
    with running_bot(workspace, known.service, connected=False, port=port):
        yield known


def link(site: World, person: str) -> str:
    return PersonLinks(site.store.redis).link(site.service.public_url, REPORTS, person, site.service.clock())


def test_a_link_opens_a_session_for_one_person(site: World) -> None:
    """The cookie is out of reach of scripts, the page is never cached, and nothing private is in it."""
    with wire.client(follow_redirects=False) as browser:
        assert browser.get(f"{site.service.public_url}{REPORTS}").status_code == 403
        opened = browser.get(link(site, user("dana")))
        assert (opened.status_code, opened.headers["location"]) == (303, REPORTS)
        assert {"HttpOnly", "SameSite=lax"} <= set(opened.headers["set-cookie"].split("; "))
        shown = browser.get(f"{site.service.public_url}{REPORTS}?period=7d")
        assert shown.status_code == 200
        assert shown.headers["cache-control"] == "no-store"
        assert "1 incident: 1 P1." in shown.text
        assert SECRET not in shown.text
        assert re.search(r'<span class="sev P1">P1</span> <a href="[^"]*">Slow</a> <span class="soft">INC-', shown.text)
        sheet = browser.get(f"{site.service.public_url}{REPORTS}?period=7d&format=csv")
        assert [row["severity"] for row in csv.DictReader(io.StringIO(sheet.text))] == ["P1"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("period=2024-12&severity=P1", "1 incident: 1 P1."),
        ("severity=P2", "No incidents"),
        ("service=platform", "No incidents"),
        ("service=nonsense&severity=P9", "1 incident: 1 P1."),
        ("period=sometime", "Not a period: sometime"),
        ("period=" + "9" * 5000, "Not a period"),
    ],
)
def test_filters_are_links_and_forms(site: World, query: str, says: str) -> None:
    """What does not exist is left out, and a period that nobody can read is said."""
    with wire.client(follow_redirects=True) as browser:
        browser.get(link(site, user("dana")))
        shown = browser.get(f"{site.service.public_url}{REPORTS}?{query}")
        assert shown.status_code == 200
        assert says in shown.text


def test_a_link_is_of_no_use_too_late_altered_or_to_strangers(site: World) -> None:
    """Ten minutes, as it is, and only for members whom Slack or the configuration knows."""
    late, altered = link(site, user("dana")), link(site, user("dana"))[:-1]
    with wire.client(follow_redirects=True) as browser:
        assert browser.get(altered).status_code == 403
        assert browser.get(altered + "\u00e9").status_code == 403
        assert browser.get(link(site, "USTRANGER")).status_code == 403
        site.clock.push(minutes=10)
        assert browser.get(late).status_code == 403
        browser.get(link(site, user("dana")))
        site.clock.push(hours=12)
        assert browser.get(f"{site.service.public_url}{REPORTS}").status_code == 403


def test_a_token_is_for_its_purpose_alone() -> None:
    """A link is no session, and a session no link."""
    with redis_of("fakeredis") as redis:
        links, now = PersonLinks(redis), MONTH
        token = links.token("UDANA", Purpose.LINK, now)
        assert links.person(token, Purpose.LINK, now + timedelta(minutes=9)) == "UDANA"
        longer = f"link.UDANA.9999999999.{token.rpartition('.')[2]}"
        for wrong, purpose in ((token, Purpose.SESSION), (longer, Purpose.LINK), ("", Purpose.LINK)):
            with pytest.raises(NotFound):
                links.person(wrong, purpose, now)
