"""A report in a real browser: on a phone and at a desk, by day and by night."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from bot.pages.report import Filters, report_html
from escalation.reports.documents import on_request
from tests.figures.test_figures import made
from tests.reports.test_documents import MONTH, gathered
from tests.reports.test_report_page import page
from tests.sandbox.page import CHROMIUM, FLAGS, IN_A_BROWSER

HOUR = timedelta(hours=1)
SIZES = {"phone": {"width": 360, "height": 640}, "desk": {"width": 1280, "height": 900}}
PHONE = {"width": 390, "height": 844}
LONG = "Customers in Frankfurt and Singapore cannot pay by card since the deployment of this morning; others can"
PAPER = {"width": 680, "height": 1009}  # A4 within margins of 15 mm, at 96 pixels an inch
pytestmark = IN_A_BROWSER


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_is_read_by_everybody(browser: Browser, tmp_path: Path, size: str, scheme: str) -> None:
    """axe finds nothing, nothing is wider than the screen, and each filter has a name and can be reached by keys."""
    file = tmp_path / "report.html"
    file.write_text(page(), encoding="utf-8")
    shown = browser.new_page(viewport=SIZES[size], color_scheme=scheme)  # type: ignore[arg-type]
    shown.goto(file.as_uri())
    assert shown.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    found = Axe().run(shown)
    assert found.violations_count == 0, found.generate_report()
    for _ in range(3):  # behind the links to the other pages
        shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.name") == "period"
    small = "[...document.querySelectorAll('input, select')].filter(e => parseFloat(getComputedStyle(e).fontSize) < 16)"
    assert shown.evaluate(f"{small}.length") == 0  # a phone zooms in on them, and stays there
    assert shown.get_by_role("img", name="Each incident by the time to resolve it").count() == 1
    shown.close()


def full_page() -> str:
    """A page whose incidents have every time, and the longest names."""
    seen = [
        made(100 * k, n=k, at=MONTH + k * HOUR, service="customer-notifications", severity=f"P{k % 4}", **times(k))
        for k in range(1, 30)
    ]
    seen = [replace(s, id=f"INC-20261218-{n:03d}") for n, s in enumerate(seen)]
    found = gathered(seen)
    document, observations = on_request(found, "UTC", mean=True), found.figures.observations
    titles = {s.id: LONG if n % 2 else "Checkout is down" for n, s in enumerate(seen)}
    return report_html(document, observations, {}, Filters(csv="?x"), titles=titles)


def times(k: int) -> dict[str, float]:
    start = (MONTH + k * HOUR).timestamp()
    names = ("first_page", "acknowledged", "root_cause", "fix", "told")
    return {name: start + 3601 * k + n for n, name in enumerate(names)}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_an_incident_is_stays_in_sight_on_a_phone(browser: Browser, tmp_path: Path, scheme: str) -> None:
    """At 390 pixels severity and title are seen first of a row, and still when its times are moved into sight."""
    file = tmp_path / "report.html"
    file.write_text(full_page(), encoding="utf-8")
    shown = browser.new_page(viewport=PHONE, color_scheme=scheme)  # type: ignore[arg-type]
    shown.goto(file.as_uri())
    assert shown.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    row, longest = (shown.locator(".each tbody th").nth(n) for n in (0, 1))
    assert LONG in longest.inner_text()
    region = shown.get_by_role("region", name="The incidents")
    for moved in (0, 10_000):
        region.evaluate(f"e => e.scrollLeft = {moved}")
        for part in (r.locator(p) for r in (row, longest) for p in (".sev", "a", ".soft")):
            box = part.bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= PHONE["width"]
    last = shown.locator(".each tbody tr").first.locator("td").last.bounding_box()
    first = row.bounding_box()
    assert last
    assert first
    assert first["x"] + first["width"] <= last["x"]  # its times are beside it, not behind it
    assert last["x"] + last["width"] <= PHONE["width"]
    found = Axe().run(shown)
    assert found.violations_count == 0, found.generate_report()
    shown.close()


def test_nothing_is_cut_off_on_paper(browser: Browser, tmp_path: Path) -> None:
    """Every column stands on an A4 page, no heading over another one, and what a colour means is printed with it."""
    file = tmp_path / "report.html"
    file.write_text(full_page(), encoding="utf-8")
    shown = browser.new_page(viewport=PAPER)  # type: ignore[arg-type]
    shown.goto(file.as_uri())
    shown.emulate_media(media="print")
    wider = "[...document.querySelectorAll('*')].filter(e => e.scrollWidth > Math.max(e.clientWidth, %d)).length"
    assert shown.evaluate(wider % PAPER["width"]) == 0
    cut = "[...document.querySelectorAll('th, td')].filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText)"
    assert shown.evaluate(cut) == []
    colours = "getComputedStyle(document.querySelector('.legend i')).printColorAdjust"
    assert shown.evaluate(colours) == "exact"
    assert not shown.locator("form, nav").first.is_visible()
    shown.close()
