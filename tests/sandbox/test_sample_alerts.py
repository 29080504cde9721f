"""Sample alerts of the local workspace's page: a click is a monitoring tool's request to the app."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from pydantic import SecretStr

from bot.alerts.authentication import AlertSecrets
from bot.alerts.source import Received
from bot.alerts.sources import SOURCES, parsed
from escalation.config.alerts import Alerts
from sandbox.server import RunningWorkspace, running
from sandbox.setup import Monitoring, SampleAlert, SampleBody, Setup
from tests.sandbox.page import DESK, IN_A_BROWSER, PHONE
from tests.support.waiting import eventually
from tests.support.workspace import DANA, GENERAL, get, post
from tocsin.config.settings import ALERT_SECRETS, Settings, load
from tocsin.run.workspace import monitoring

JSON = "application/json"
SECRET = {"x-token": "secret"}
SAMPLES = (
    SampleAlert("pager", "Pager", SampleBody(b'{"down": 1}', SECRET), SampleBody(b'{"up": 1}', SECRET)),
    SampleAlert("probe", "Probe", SampleBody(b"{}"), SampleBody(b"[]")),
    SampleAlert("post", "Post", SampleBody(b"a=1", {"content-type": "a/form", "x-token": "clé"})),
)
Got = list[tuple[str, str | None, str | None, bytes]]


@contextmanager
def app_behind(status: int = 202) -> Iterator[tuple[RunningWorkspace, Got]]:
    """A workspace whose page sends to an app; gives what that got."""
    got: Got = []

    class App(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append((self.path, self.headers["x-token"], self.headers["content-type"], body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), App)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/in"
    try:
        with running(setup=Setup(monitoring=Monitoring(url, SAMPLES))) as workspace:
            yield workspace, got
    finally:
        server.shutdown()
        server.server_close()


def test_an_alert_and_its_end_are_sent_as_the_tool_would() -> None:
    """To the tool's own address, with what lets it in; an unknown one is refused."""
    with app_behind() as (workspace, got):
        listed = get(workspace, "/ui/state", **{"as": DANA})["alerts"]
        assert [(one["name"], one["title"], one["ends"]) for one in listed] == [
            ("pager", "Pager", True), ("probe", "Probe", True), ("post", "Post", False)
        ]  # fmt: skip
        for ended in (False, True):
            assert post(workspace, "/ui/alert", **{"as": DANA}, source="pager", ended=ended) == {"ok": True}
        assert got == [("/in/pager", "secret", JSON, b'{"down": 1}'), ("/in/pager", "secret", JSON, b'{"up": 1}')]
        assert post(workspace, "/ui/alert", **{"as": DANA}, source="post") == {"ok": True}
        assert got[2:] == [("/in/post", "clé".encode().decode("latin-1"), "a/form", b"a=1")]
        assert "never says" in post(workspace, "/ui/alert", **{"as": DANA}, source="post", ended=True)["error"]
        assert post(workspace, "/ui/alert", **{"as": DANA}, source="none")["error"] == "source_not_found"


def test_an_alert_that_is_not_accepted_is_said_so() -> None:
    """With the address, and what it answered; without a setup there is nothing to send."""
    with app_behind(status=401) as (workspace, got):
        answer = post(workspace, "/ui/alert", **{"as": DANA}, source="pager")
        assert (answer["ok"], answer["error"].endswith("/in/pager answered 401.")) == (False, True)
        assert len(got) == 1
    nowhere = Setup(monitoring=Monitoring("http://127.0.0.1:1/in", SAMPLES))
    with running(setup=nowhere) as workspace:
        assert "Is the app running?" in post(workspace, "/ui/alert", **{"as": DANA}, source="pager")["error"]
    with running() as workspace:
        assert get(workspace, "/ui/state", **{"as": DANA})["alerts"] == []
        assert post(workspace, "/ui/alert", **{"as": DANA}, source="pager")["error"] == "source_not_found"


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Those of the local workspace, without a secret in the environment."""
    for name in (*ALERT_SECRETS, "SLACK_BOT_TOKEN", "ALERTS_SNS_TOPICS"):
        monkeypatch.delenv(name, raising=False)
    return load()


def test_there_is_a_sample_of_each_source(settings: Settings) -> None:
    """Of mail too, which never says that it is over; without any secret there is none."""
    found = monitoring(settings)
    assert found is not None
    assert found.url == f"{settings.listen.url}/alerts"
    assert {sample.name for sample in found.samples} == SOURCES.keys()
    assert all(SOURCES[sample.name].title == sample.title for sample in found.samples)
    assert [sample.name for sample in found.samples if sample.ended is None] == ["mail"]
    assert monitoring(replace(settings, alert_secrets={})) is None


@pytest.mark.parametrize("token", [True, False])
def test_every_sample_is_let_in_whatever_secrets_its_source_has(settings: Settings, token: bool) -> None:
    """A source that signs gets its sample signed, with the token or without; Amazon's alone cannot be made."""
    own = {name: (SecretStr(f"the secret of {name}"),) for name in ALERT_SECRETS if token or name != "ALERTS_TOKEN"}
    topics = ("arn:aws:sns:eu-west-1:123456789012:alarms",)
    found = monitoring(replace(settings, alert_secrets=own, sns_topics=topics))
    assert found
    plain = {name: tuple(one.get_secret_value() for one in several) for name, several in own.items()}
    secrets = AlertSecrets(plain.pop("ALERTS_TOKEN", ()), plain | {"ALERTS_SNS_TOPICS": topics})
    for sample in found.samples:
        for body in filter(None, (sample.firing, sample.ended)):
            received = Received(body.raw, body.headers)
            way = SOURCES[sample.name].way(received)
            assert secrets.lets_in(way, received, datetime.now(UTC)), sample.name
            assert parsed(SOURCES[sample.name], received, Alerts()).alerts
    names = {sample.name for sample in found.samples}
    assert names == (SOURCES.keys() - {"sns"} if token else {"grafana", "pagerduty", "sentry"})


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
            ending = page.get_by_role("button", name="End it")
            ending.click()
            expect(page.locator("#toasts")).to_contain_text("Tocsin accepted the end of Probe's sample alert.")
            eventually(lambda: [body for *_, body in got] == [b"{}", b"[]"])
            page.get_by_label("Monitoring").select_option(label="Post")
            expect(ending).to_be_disabled()
            page.close()
