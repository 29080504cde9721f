"""The page in a browser: an accessibility checker, a phone's width, light and dark, no request elsewhere."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from bot.pages import subscribe as forms
from escalation.config.status_page import ComponentState, StatusPage
from escalation.status_page.files import render
from escalation.status_page.html import STALE, STALE_HERE
from escalation.status_page.publications import Impact, Publication
from tests.sandbox.page import CHROMIUM, DESK, FLAGS, PHONE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs the system's Chromium"),
]
NOW = datetime(2026, 11, 29, 14, 2, tzinfo=UTC)
# A page without script can renew itself in no other way; a reader would else look at a state that is over.
RENEWED = "meta-refresh"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with an open incident, one that is over, and maintenance."""
    window = {"title": "New disks", "starts": NOW + timedelta(hours=9), "ends": NOW + timedelta(hours=10)}
    settings = {"title": "Shop status", "components": ["checkout", "api"], "maintenance": [window]}
    root = tmp_path_factory.mktemp("status")
    log = [
        published(1, "a1", timedelta(days=40), "investigating", ComponentState.PARTIAL),
        published(2, "a1", timedelta(days=39), "resolved", ComponentState.OPERATIONAL),
        published(3, "b2", timedelta(minutes=90), "identified", ComponentState.MAJOR, next_by=NOW, entry=4),
        published(4, "b2", timedelta(minutes=80), "identified", ComponentState.PARTIAL, corrects=4, body="Cards only."),
    ]
    page = StatusPage.model_validate(settings)
    pages = {
        "subscribe.html": forms.form("Shop status", "That is no mail address."),
        "left.html": forms.left("Shop status"),
    }
    files = {**render(page, log, NOW, "https://example.com/status/subscribe"), **{n: p.body for n, p in pages.items()}}
    stale = bytes(files["index.html"]).replace(STALE_HERE.encode(), STALE.encode())
    for path, content in {**files, "stale.html": stale}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(bytes(content))
    return root


def published(n: int, incident: str, ago: timedelta, status: str, state: ComponentState, **more: Any) -> Publication:
    fields = {"n": n, "incident": incident, "ours": str(n), "at": NOW - ago, "knew_at": NOW - ago, "status": status}
    words = {"name": "Payments with cards fail", "body": "We are looking into it.\nPayPal works."}
    effect = {"impact": Impact.CRITICAL, "components": {"checkout": state}}
    return Publication.model_validate(fields | words | effect | more)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("path", ["index.html", "history/index.html", "stale.html", "subscribe.html", "left.html"])
def test_the_page_is_accessible_and_fits(browser: Browser, folder: Path, path: str, size: Any, scheme: Any) -> None:
    """The checker finds nothing, nothing is wider than the screen, and nothing is asked of anybody else."""
    page = browser.new_page(viewport=size, color_scheme=scheme)
    requests = list[str]()
    page.on("request", lambda request: requests.append(request.url))
    page.goto((folder / path).as_uri())
    assert [url for url in requests if not url.startswith((folder.as_uri(), "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    found = [v["id"] for v in Axe().run(page).response["violations"]]
    assert set(found) <= {RENEWED}
    page.close()


def test_an_out_of_date_page_shows_no_state(browser: Browser, folder: Path) -> None:
    """Neither the headline, nor a component's state, nor its days with what stands below them."""
    page = browser.new_page()
    for path, seen in (("index.html", True), ("stale.html", False)):
        page.goto((folder / path).as_uri())
        for part in (".now", ".state", ".days", ".ends"):
            assert page.locator(part).first.is_visible() is seen, part
