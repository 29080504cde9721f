"""Responses of Slack that cannot be read: a gateway in between speaks in its place."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import fakeredis
import pytest

from tests.support.outside_services import serving
from workers.channels.failures import Failed, Kind
from workers.channels.slack import SlackClient

BODIES = {
    "a list": ('[{"ok": true}]', "application/json"),
    "an empty list": ("[]", "application/json"),
    "a string": ('"ok"', "application/json"),
    "a number": ("7", "application/json"),
    "null": ("null", "application/json"),
    "a page": ("<html>Sign in</html>", "text/html"),
    "a page that says it is JSON": ("<html>Sign in</html>", "application/json"),
    "plain text": ("ok", "text/plain"),
    "nothing": ("", "application/json"),
    "no text": ("\xff\xfe", "application/json"),
}


@contextmanager
def answering(body: str, content_type: str) -> Iterator[str]:
    """The address of a Web API that answers everything with 200 and this body."""

    class Gateway(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode("latin-1"))

        def log_message(self, *args: Any) -> None:
            """Nothing: the tests look at the failure."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server, serving(server):
        yield f"http://127.0.0.1:{server.server_port}/api/"


@pytest.mark.parametrize("body", BODIES)
def test_a_response_that_is_no_object_passes(body: str) -> None:
    """It is retried: nobody knows whether Slack ever saw the call."""
    with answering(*BODIES[body]) as url:
        slack = SlackClient("xoxb-1", url, fakeredis.FakeRedis())
        for call in (lambda: slack.rooms.set_topic("C1", "x"), lambda: slack.member_by_email("a@example.com")):
            with pytest.raises(Failed) as failed:
                call()
            assert failed.value.kind is Kind.PASSING
            assert failed.value.error == "unreadable_response"
