"""A small app that talks to the local workspace as an app talks to Slack, and what the tests of its page share."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.support.http import web
from tests.support.waiting import WITHIN, eventually

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 800}
IN_A_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs the system's Chromium"),
]
Json = dict[str, Any]
SEEN_WITHIN = 1000 * WITHIN  # milliseconds until something has to be seen
expect.set_options(timeout=SEEN_WITHIN)  # Playwright's own five seconds are too few for a busy machine


@dataclass
class App:
    """An app without a framework: Web API calls out, Socket Mode in, answers from `on`."""

    url: str
    bot_token: str
    app_token: str
    on: dict[str, Callable[[Json], Any]] = field(default_factory=dict)
    seen: list[Json] = field(default_factory=list)

    def call(self, method: str, token: str | None = None, **arguments: Any) -> Json:
        headers = {"Authorization": f"Bearer {token or self.bot_token}"}
        reply = web.post(f"{self.url}/api/{method}", json=arguments, headers=headers).json()
        assert reply["ok"], (method, reply)
        return dict(reply)

    def post(self, channel: str, text: str, *blocks: Json, **more: Any) -> str:
        """Post and return the ts."""
        return str(self.call("chat.postMessage", channel=channel, text=text, blocks=list(blocks), **more)["ts"])

    def dm(self, user: str) -> str:
        return str(self.call("conversations.open", users=user)["channel"]["id"])

    @contextmanager
    def listening(self) -> Iterator[None]:
        address = self.call("apps.connections.open", token=self.app_token)["url"]
        with connect(address, proxy=None) as socket:
            assert json.loads(socket.recv())["type"] == "hello"
            listener = threading.Thread(target=self._listen, args=(socket,))
            listener.start()
            yield
            socket.close()
            listener.join()

    def _listen(self, socket: ClientConnection) -> None:
        try:
            for frame in socket:
                self._answer(socket, json.loads(frame))
        except ConnectionClosed:
            return

    def _answer(self, socket: ClientConnection, envelope: Json) -> None:
        if "envelope_id" not in envelope:
            return
        payload = envelope["payload"]
        self.seen.append(payload)
        handler = self.on.get(payload.get("type") or payload.get("command", ""))
        answer = handler(payload) if handler else None
        body = {"envelope_id": envelope["envelope_id"]}
        socket.send(json.dumps(body if answer is None else {**body, "payload": answer}))


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def button(action_id: str, text: str, **more: Any) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain(text), "value": "v1", **more}


def field_block(block_id: str, element: Json, **more: Any) -> Json:
    return {"type": "input", "block_id": block_id, "label": plain(block_id.title()), "element": element, **more}


def option(value: str) -> Json:
    return {"text": plain(value.title()), "value": value}


def say(page: Page, text: str) -> None:
    page.fill("#composer", text)
    page.press("#composer", "Enter")


def message(page: Page, ts: str) -> Any:
    return page.locator(f'#messages [data-ts="{ts}"]')


def meanwhile(page: Page, look: Callable[[], object]) -> None:
    """Wait for what happens outside the page, and let the page go on."""

    def there() -> object:
        page.wait_for_timeout(20)
        return look()

    eventually(there)


FORM: Json = {
    "type": "modal",
    "title": plain("Declare"),
    "submit": plain("Send"),
    "notify_on_close": True,
    "blocks": [
        field_block("title", {"type": "plain_text_input", "action_id": "v", "initial_value": "Checkout"}),
        field_block("details", {"type": "plain_text_input", "action_id": "v", "multiline": True}, optional=True),
        field_block("level", {"type": "static_select", "action_id": "v", "options": [option("p0"), option("p1")]}),
        field_block(
            "tags", {"type": "multi_static_select", "action_id": "v", "options": [option("web"), option("db")]}
        ),
        field_block("how", {"type": "radio_buttons", "action_id": "v", "options": [option("alert"), option("user")]}),
        field_block("flags", {"type": "checkboxes", "action_id": "v", "options": [option("breach"), option("loss")]}),
        field_block("lead", {"type": "users_select", "action_id": "v"}),
        field_block("tell", {"type": "multi_users_select", "action_id": "v"}),
        field_block("place", {"type": "conversations_select", "action_id": "v"}),
        field_block("day", {"type": "datepicker", "action_id": "v"}),
        field_block("hour", {"type": "timepicker", "action_id": "v"}),
        field_block("since", {"type": "datetimepicker", "action_id": "v"}),
        field_block("count", {"type": "number_input", "action_id": "v", "is_decimal_allowed": False}),
        field_block("link", {"type": "url_text_input", "action_id": "v"}),
    ],
}


def open_form(app: App, page: Page, view: Json | None = None) -> None:
    def show(payload: Json) -> None:
        app.call("views.open", trigger_id=payload["trigger_id"], view=view or FORM)

    app.on["/incident"] = show
    say(page, "/incident declare")
    expect(page.locator("dialog[open]")).to_be_visible()


def submissions(app: App) -> list[Json]:
    return [payload for payload in app.seen if payload.get("type") == "view_submission"]
