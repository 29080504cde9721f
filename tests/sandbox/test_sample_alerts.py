"""Sample alerts of the local workspace's page: a click is a monitoring tool's request to the app."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from pydantic import SecretStr

from bot.alerts.sources import SOURCES
from sandbox.server import RunningWorkspace, running
from sandbox.setup import Monitoring, SampleAlert, Setup
from tests.sandbox.page import DESK, IN_A_BROWSER, PHONE
from tests.support.waiting import eventually
from tests.support.workspace import DANA, GENERAL, get, post
from tocsin.config.settings import load
from tocsin.run.workspace import monitoring

SAMPLES = (SampleAlert("pager", "Pager", b'{"down": 1}', b'{"up": 1}'), SampleAlert("probe", "Probe", b"{}", b"[]"))
Got = list[tuple[str, str, bytes]]


@contextmanager
def app_behind(status: int = 202) -> Iterator[tuple[RunningWorkspace, Got]]:
    """A workspace whose page sends to an app; gives what that got."""
    got: Got = []

    class App(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append((self.path, self.headers["x-token"], body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), App)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/in"
    try:
        with running(setup=Setup(monitoring=Monitoring(url, {"x-token": "secret"}, SAMPLES))) as workspace:
            yield workspace, got
    finally:
        server.shutdown()
        server.server_close()


def test_an_alert_and_its_end_are_sent_as_the_tool_would() -> None:
    """To the tool's own address, with what lets it in; an unknown one is refused."""
    with app_behind() as (workspace, got):
        listed = get(workspace, "/ui/state", **{"as": DANA})["alerts"]
        assert listed == [{"name": "pager", "title": "Pager"}, {"name": "probe", "title": "Probe"}]
        for ended in (False, True):
            assert post(workspace, "/ui/alert", **{"as": DANA}, source="pager", ended=ended) == {"ok": True}
        assert got == [("/in/pager", "secret", b'{"down": 1}'), ("/in/pager", "secret", b'{"up": 1}')]
        assert post(workspace, "/ui/alert", **{"as": DANA}, source="none")["error"] == "source_not_found"


def test_an_alert_that_is_not_accepted_is_said_so() -> None:
    """With the address, and what it answered; without a setup there is nothing to send."""
    with app_behind(status=401) as (workspace, got):
        answer = post(workspace, "/ui/alert", **{"as": DANA}, source="pager")
        assert (answer["ok"], answer["error"].endswith("/in/pager answered 401.")) == (False, True)
        assert len(got) == 1
    nowhere = Setup(monitoring=Monitoring("http://127.0.0.1:1/in", {}, SAMPLES))
    with running(setup=nowhere) as workspace:
        assert "Is the app running?" in post(workspace, "/ui/alert", **{"as": DANA}, source="pager")["error"]
    with running() as workspace:
        assert get(workspace, "/ui/state", **{"as": DANA})["alerts"] == []
        assert post(workspace, "/ui/alert", **{"as": DANA}, source="pager")["error"] == "source_not_found"


def test_there_is_a_sample_of_each_source_that_the_token_lets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail alone has none; one that has to sign is left out, and without a token there is none."""
    for name in ("ALERTS_TOKEN", "SLACK_BOT_TOKEN", "ALERTS_SECRET_SENTRY"):
        monkeypatch.delenv(name, raising=False)
    settings = load()
    found = monitoring(settings)
    assert found is not None
    assert found.url == f"{settings.listen.url}/alerts"
    assert {sample.name for sample in found.samples} == SOURCES.keys() - {"mail"}
    assert all(SOURCES[sample.name].title == sample.title for sample in found.samples)
    signing = replace(
        settings, alert_secrets={**settings.alert_secrets, "ALERTS_SECRET_SENTRY": (SecretStr("a-secret"),)}
    )
    left = monitoring(signing)
    assert left
    assert {s.name for s in found.samples} - {s.name for s in left.samples} == {"sentry"}
    assert monitoring(replace(settings, alert_secrets={})) is None


class TestInABrowser:
    """What a newcomer clicks."""

    pytestmark = IN_A_BROWSER

    @pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
    def test_a_source_is_chosen_and_its_alert_sent(self, browser: Browser, viewport: Any) -> None:
        """The page says that the app accepted it; the end is another button."""
        with app_behind() as (workspace, got):
            page = browser.new_page(viewport=viewport)
            page.goto(f"{workspace.url}/#as={DANA}&c={GENERAL}")
            expect(page.locator("#channel-name")).to_contain_text("general")
            if viewport is PHONE:
                page.click("#to-sidebar")
            page.get_by_label("Monitoring").select_option(label="Probe")
            page.get_by_role("button", name="Send a sample alert").click()
            expect(page.locator("#toasts")).to_contain_text("Tocsin accepted Probe's sample alert.")
            page.get_by_role("button", name="End it").click()
            expect(page.locator("#toasts")).to_contain_text("Tocsin accepted the end of Probe's sample alert.")
            eventually(lambda: [body for _, _, body in got] == [b"{}", b"[]"])
            page.close()
