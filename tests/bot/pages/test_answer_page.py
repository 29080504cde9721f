"""The page behind a link in a real browser, at a phone's size, by day and by night."""

from collections.abc import Iterator
from unittest.mock import Mock

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect, sync_playwright

from benchmarks.ports import free_port
from bot.deps import AnswerDeps
from escalation.answers import AnswerService
from escalation.config.policy import Severity
from escalation.incident.state.facts import Facts
from tests.sandbox.page import CHROMIUM, FLAGS, IN_A_BROWSER
from tests.support.bot import World, running_bot, world
from tests.support.company import user

PHONE = {"width": 360, "height": 640}
LONG = "Checkout is down for everybody in the whole of Europe and a-word-that-is-very-long-indeed-and-never-ends-at-all"
pytestmark = IN_A_BROWSER


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def behind() -> Iterator[World]:
    made, port = world(), free_port()
    made.service.public_url = f"http://127.0.0.1:{port}"
    workspace = Mock(bot_token="xoxb-1", app_token="xapp-1", signing_secret="s", api_url="http://127.0.0.1:9/")
    deps = AnswerDeps(public_url=made.service.public_url)
    with running_bot(workspace, made.service, connected=False, port=port, answers=deps):
        yield made


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_answered_with_one_thumb_at_night(browser: Browser, behind: World, scheme: str) -> None:
    """Opening it answers nothing; both buttons are large and on the first screen; axe is content; a press answers."""
    incident = behind.service.declare(user("dana"), Severity.P0, Facts(title=LONG, impact="Nobody can pay"), key="k")
    link = AnswerService(behind.service).link(incident, incident.pages[0])
    page = browser.new_page(viewport=PHONE, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(link)
    page.wait_for_load_state("networkidle")
    assert not behind.store.get(incident.id).acknowledgement
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for name in ("Acknowledge", "Can't take it"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box
        assert box["height"] >= 48
        assert box["y"] + box["height"] <= PHONE["height"]
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("status")).to_contain_text("is acknowledged")
    acknowledgement = behind.store.get(incident.id).acknowledgement
    assert acknowledgement
    assert acknowledgement.by == incident.pages[0].person
    page.reload()
    assert "You acknowledged it" in page.content()
    page.close()


def test_a_scanner_that_runs_scripts_answers_nothing_by_opening_the_link(browser: Browser, behind: World) -> None:
    """Whatever is fetched is fetched by GET, and the page stays unanswered, however often it is opened."""
    incident = behind.service.declare(user("dana"), Severity.P0, Facts(title=LONG), key="k")
    link = AnswerService(behind.service).link(incident, incident.pages[0])
    page = browser.new_page(java_script_enabled=True)
    methods = set[str]()
    page.on("request", lambda request: methods.add(request.method))
    for _ in range(3):
        page.goto(link)
        page.wait_for_load_state("networkidle")
    page.close()
    assert methods == {"GET"}
    after = behind.store.get(incident.id)
    assert not after.acknowledgement
    assert after.pages[0] == incident.pages[0]
