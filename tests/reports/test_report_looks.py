"""A report in a real browser: on a phone and at a desk, by day and by night."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from tests.reports.test_report_page import page
from tests.sandbox.page import CHROMIUM, FLAGS, IN_A_BROWSER

SIZES = {"phone": {"width": 360, "height": 640}, "desk": {"width": 1280, "height": 900}}
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
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.name") == "period"
    assert shown.get_by_role("img", name="Each incident by the time to resolve it").count() == 1
    shown.close()
