"""A browser on the local workspace's page, and the app that writes there."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from sandbox.server import running
from tests.sandbox.page import CHROMIUM, DESK, FLAGS, SEEN_WITHIN, App
from tests.support.workspace import DANA, GENERAL, PATIENT


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def app() -> Iterator[App]:
    with running(setup=PATIENT) as workspace:
        app = App(workspace.url, workspace.bot_token, workspace.app_token)
        app.call("conversations.join", channel=GENERAL)
        with app.listening():
            yield app


@pytest.fixture
def page(browser: Browser, app: App) -> Iterator[Page]:
    context = browser.new_context(viewport=DESK, timezone_id="UTC", locale="en-US")  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(SEEN_WITHIN)
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(f"{app.url}/#as={DANA}&c={GENERAL}")
    expect(page.locator("#channel-name")).to_contain_text("general")
    yield page
    context.close()
    assert not failures
