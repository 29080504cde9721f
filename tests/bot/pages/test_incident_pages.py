"""Incidents in the browser: who may open them, and what they show."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

from benchmarks.ports import free_port
from bot.http import incidents as routes
from bot.pages.incidents import UNFOLDED, IncidentPages
from escalation.config.policy import Severity
from escalation.config.rules.reviews import ReviewSection
from escalation.incident.events.moves import Acknowledge, Resolve
from escalation.incident.state.facts import Facts
from escalation.reviews.action_items import ActionItem
from escalation.storage.action_items import ActionItems
from escalation.storage.answers.person_links import INCIDENTS, REPORTS, PersonLinks
from escalation.storage.reviews import Reviews
from tests.reviews.test_review_examples import NAMES
from tests.reviews.test_review_examples import incident as reviewed
from tests.sandbox.page import CHROMIUM, FLAGS
from tests.support import http as wire
from tests.support.bot import BotAtWork, World, office_in, patient_workspace, running_bot, world
from tests.support.company import user
from tests.support.waiting import eventually

HOSTILE = "<script>alert(1)</script>"
SECRET = "Somebody reads our mail"
SIZES = {"phone": {"width": 360, "height": 640}, "desk": {"width": 1280, "height": 900}}


@dataclass
class Site:
    """A bot with one incident of each kind: closed and reviewed, private, open."""

    known: World
    bot: BotAtWork
    closed: str
    private: str
    open: str

    @property
    def url(self) -> str:
        return self.known.service.public_url

    def link(self, person: str, page: str = INCIDENTS) -> str:
        return PersonLinks(self.known.store.redis).link(self.url, page, user(person), self.known.service.clock())

    @contextmanager
    def browser(self, person: str) -> Iterator[httpx2.Client]:
        """A browser with somebody's session."""
        with wire.client(self.url, follow_redirects=True) as client:
            client.get(self.link(person))
            yield client


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with opened() as shown:
        yield shown


@pytest.fixture
def own_site() -> Iterator[Site]:
    """For a test that pushes the clock."""
    with opened() as shown:
        yield shown


@contextmanager
def opened() -> Iterator[Site]:
    known, port = world(), free_port()
    known.service.public_url = f"http://127.0.0.1:{port}"
    ids = []
    for facts, severity in (
        (Facts(title=f"Slow {HOSTILE}", service="checkout", description=f"{HOSTILE}\n& more"), "P1"),
        (Facts(title=SECRET, security=True), "P0"),
        (Facts(title="Search is down", service="platform"), "P2"),
    ):
        ids.append(known.service.declare(user("dana"), Severity(severity), facts, key=severity).id)
        known.clock.push(minutes=7)
    known.service.handle(ids[0], Acknowledge(by=user("omar")))
    known.service.handle(ids[0], Resolve(by=user("omar"), summary=HOSTILE, resolution="b"))
    words = f"**Bold** {HOSTILE} [a](javascript:alert(1)) ![i](https://x.org/i.png)"
    Reviews(known.redis).write(ids[0], {ReviewSection.LESSONS: words}, user("omar"), known.clock())
    items = ActionItems(known.redis)
    items.add(ids[0], lambda i: ActionItem(i, f"Alert {HOSTILE}", user("omar"), known.clock(), owner=user("dana")))
    with patient_workspace() as workspace, running_bot(workspace, known.service, connected=False, port=port) as bot:
        yield Site(known, bot, *ids)


def test_a_link_opens_a_session_for_incidents_and_reports(site: Site) -> None:
    """One cookie for both, out of reach of scripts; pages are never cached; a link to one incident leads to it."""
    with wire.client(site.url, follow_redirects=False) as browser:
        assert [browser.get(p).status_code for p in (INCIDENTS, INCIDENTS + site.closed)] == [403, 403]
        led = browser.get(f"{site.link('dana')}?to={site.closed}")
        assert (led.status_code, led.headers["location"]) == (303, INCIDENTS + site.closed)
        assert {"HttpOnly", "SameSite=lax"} <= set(led.headers["set-cookie"].split("; "))
        for path in (INCIDENTS, INCIDENTS + site.closed, REPORTS):
            shown = browser.get(path)
            assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
        away = browser.get(f"{site.link('dana')}?to=//evil.example.com")
        assert away.headers["location"] == INCIDENTS


def test_a_link_is_of_no_use_too_late_altered_or_to_guests_and_strangers(own_site: Site) -> None:
    """Ten minutes, as it is, for members; a session ends after twelve hours."""
    late = own_site.link("dana")
    with wire.client(follow_redirects=True) as browser:
        for wrong in (late[:-1], own_site.link("gus"), own_site.link("stranger")):
            refused = browser.get(wrong)
            assert refused.status_code == 403
            assert "Search is down" not in refused.text
        own_site.known.clock.push(minutes=10)
        assert browser.get(late).status_code == 403
        assert browser.get(own_site.link("dana")).status_code == 200
        own_site.known.clock.push(hours=12)
        assert browser.get(own_site.url + INCIDENTS).status_code == 403


def test_a_private_incident_is_shown_to_its_people_alone(site: Site) -> None:
    """To others it is as one that does not exist: no row, and the same page byte for byte."""
    insider = next(p.person for p in site.known.store.get(site.private).pages)
    outsider = next(u for u in ("mei", "bruno", "omar") if user(u) not in people(site))
    with wire.client(site.url, follow_redirects=True) as browser:
        now = site.known.service.clock()
        browser.get(PersonLinks(site.known.redis).link(site.url, INCIDENTS, insider, now))
        assert SECRET in browser.get(f"{INCIDENTS}?state=all").text
        assert SECRET in browser.get(INCIDENTS + site.private).text
    with site.browser(outsider) as browser:
        listed = browser.get(f"{INCIDENTS}?state=all")
        assert listed.status_code == 200
        assert SECRET not in listed.text
        assert site.private not in listed.text
        hidden, none = browser.get(INCIDENTS + site.private), browser.get(f"{INCIDENTS}INC-20200101-001")
        assert (hidden.status_code, hidden.text) == (404, none.text)


def people(site: Site) -> frozenset[str]:
    incident = site.known.store.get(site.private)
    return frozenset({*incident.people(), *(p.person for p in incident.pages)})


def test_what_is_hidden_leaves_no_gap_in_the_pages(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is filled with what may be seen, and there is no next one for what may not."""
    monkeypatch.setattr(routes, "ON_A_PAGE", 2)
    outsider = next(u for u in ("mei", "bruno", "omar") if user(u) not in people(site))
    with site.browser(outsider) as browser:
        text = browser.get(f"{INCIDENTS}?state=all").text
        assert text.count("<li><span") == 2
        assert "Older" not in text
        monkeypatch.setattr(routes, "ON_A_PAGE", 1)
        first = browser.get(f"{INCIDENTS}?state=all").text
        (older,) = re.findall(r'href="(\?[^"]+)" rel="next"', first)
        assert site.closed in browser.get(INCIDENTS + older.replace("&amp;", "&")).text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", {"open"}),
        ("state=closed", {"closed"}),
        ("state=all", {"open", "closed"}),
        ("state=all&severity=P1", {"closed"}),
        ("state=all&service=platform", {"open"}),
        (f"state=all&owner={user('omar')}", {"closed"}),
        (f"state=all&owner={user('mei')}", set()),
        ("state=all&since=2024-01-01&until=2024-12-31", {"open", "closed"}),
        ("state=all&until=2024-01-01", set()),
        ("state=all&since=2025-01-01", set()),
        ("state=nonsense&severity=P9&service=none&page=0&since=0000-99-99", {"open"}),
        ("page=99999&since=%3Cscript%3E", set()),
    ],
)
def test_filters_choose_and_nonsense_is_left_out(site: Site, query: str, shown: set[str]) -> None:
    """State, severity, service and days; a day that is none is said."""
    with site.browser("omar") as browser:
        answer = browser.get(f"{INCIDENTS}?{query}")
        assert answer.status_code == 200
        assert {name for name in ("open", "closed") if f'href="{getattr(site, name)}"' in answer.text} == shown
        assert ("is no date" in answer.text) is ("99-99" in query or "script" in query)
        assert "<script" not in answer.text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("state=nonsense", "&#39;nonsense&#39; is no state. Choose one of: open, closed, all."),
        ("severity=P9", "&#39;P9&#39; is no severity. Choose one of: P0, P1, P2, P3."),
        ("service=shop", "&#39;shop&#39; is no service. Choose one of: api, checkout, platform."),
        ("owner=nobody", "&#39;nobody&#39; is no owner. Choose one of: the people of the configuration."),
    ],
)
def test_a_filter_that_chooses_nothing_says_what_there_is(site: Site, query: str, said: str) -> None:
    """The list is shown as without it, and the page says so."""
    with site.browser("omar") as browser:
        assert said in browser.get(f"{INCIDENTS}?{query}").text


def test_a_page_has_facts_timeline_review_and_action_items_and_words_stay_words(site: Site) -> None:
    """No tag, script address or picture of what people wrote becomes one."""
    with site.browser("dana") as browser:
        text = browser.get(INCIDENTS + site.closed).text
    for heading in ("Timeline", "Post-incident review", "Action items"):
        assert re.search(rf"<h2 id=\"\w+\">{heading}</h2>", text)
    assert "<strong>Bold</strong>" in text
    assert "&lt;script&gt;" in text
    assert "&amp;lt;" not in text
    assert "&amp; more" in text
    assert text.count(">Action items</h") == 1
    assert "checkout" in text
    assert not re.search(r"<script|<img|href=\"javascript|@import|url\(", text)


def test_the_timeline_is_in_order_and_long_entries_are_folded_under_their_headline() -> None:
    """A pinned message stands where it was written, each day is named once, and a draft does not fill the screen."""
    shown = bytes(IncidentPages(NAMES, "Asia/Tokyo").one(reviewed(), (), ()).body).decode()
    said = re.findall(r"(?s)<li>(<time.*?)</li>", shown)
    pinned = next(n for n, entry in enumerate(said) if "The pool has 20 connections" in entry)
    assert "00:42:00" in said[pinned]
    assert "00:45:00" in said[pinned + 1]
    assert re.findall(r'<li class="day">(.*?)</li>', shown) == ["Thursday 19 December 2024"]
    assert all(("<details>" in entry) is (entry.count("<p>") > UNFOLDED) for entry in said)
    update = next(entry for entry in said if "INCIDENT UPDATE" in entry)
    assert "Timeouts to the database" in update.partition("</summary>")[0]


def test_the_address_of_a_page_of_the_timeline_is_read_and_nonsense_shows_the_latest(site: Site) -> None:
    """`upto` names its last entry, from which *Later* goes on."""
    with site.browser("dana") as browser:
        latest = browser.get(INCIDENTS + site.closed).text
        for nonsense in ("0", "-1", "x", "99999", "²"):
            assert browser.get(f"{INCIDENTS}{site.closed}?upto={nonsense}").text == latest
        first = browser.get(f"{INCIDENTS}{site.closed}?upto=1").text
    assert "Entries 1 to 1 of" in first
    assert "Later</a>" in first
    assert first.count("<time") < latest.count("<time")


def test_the_command_answers_with_a_link_for_one_person() -> None:
    """To the requester alone, to the list or to one incident; whoever may not see it, and a guest, get none."""
    with patient_workspace() as workspace, office_in(workspace) as office:
        dana, gus = office.person("dana"), office.person("gus")
        shown, private = office.declare(severity="P1"), office.declare(severity="P1", security=True, title=SECRET)
        dana.command("web")
        dana.told("Incidents cannot be opened in the browser")
        office.world.service.public_url = "https://tocsin.example.com"
        dana.command("web")
        dana.told("for you alone, and valid for ten minutes")
        dana.command(f"web {shown.id}")
        assert shown.id in dana.told(f"{shown.id}")
        answers = [m for m in dana.messages("general") if m.get("ephemeral")]
        urls = re.findall(r"https://tocsin.example.com/incidents/open/[^'\"\s>]+", str(answers))
        assert len(urls) >= 2
        assert any(f"?to={shown.id}" in url for url in urls)
        gus.command("web")
        gus.told("Guests cannot")
        near = {*private.people(), *(p.person for p in office.incident(private.id).pages)}
        other = office.person(next(u for u in ("mei", "bruno", "omar") if user(u) not in near))
        other.command(f"web {private.id}")
        refused = eventually(lambda: str(other.whispers()) if other.whispers() else "")
        assert SECRET not in refused
        assert "/incidents/open/" not in refused


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs the system's Chromium")
def test_it_is_read_by_everybody(site: Site, tmp_path: Path) -> None:
    """axe finds nothing by day or by night, and nothing is wider than a phone."""
    pages = {"list": "?state=all", "bad": "?since=x", "closed": site.closed, "open": site.open}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for size, viewport in SIZES.items():
            for scheme in ("light", "dark"):
                shown = chromium.new_page(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
                shown.goto(site.link("dana"))
                for name, path in pages.items():
                    shown.goto(site.url + INCIDENTS + path)
                    shown.screenshot(path=tmp_path / f"{name}-{size}-{scheme}.png", full_page=True)
                    assert shown.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
                    found = Axe().run(shown)
                    assert found.violations_count == 0, found.generate_report()
                shown.close()
        chromium.close()
