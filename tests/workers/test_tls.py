"""Calls to Slack are encrypted, to a server whose certificate is good; the authorities are read once."""

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.outside_services import CERTIFICATE
from workers.channels.failures import Failed, Kind
from workers.channels.slack_api import SlackApi
from workers.channels.tls import ssl_context


class Slack(http.server.BaseHTTPRequestHandler):
    """Says ok to everything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"ok": true}')

    def log_message(self, *args: object) -> None:
        """Nothing."""


@contextmanager
def encrypted_slack() -> Iterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slack) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://localhost:{server.server_port}/api/"
        server.shutdown()


@pytest.fixture
def authorities(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """What this test lets us trust is forgotten after it."""
    yield monkeypatch
    ssl_context.cache_clear()


def test_a_good_certificate_is_asked_for(authorities: pytest.MonkeyPatch) -> None:
    """An unknown one is as if nobody were there."""
    with encrypted_slack() as url:
        with pytest.raises(Failed) as failed:
            SlackApi("xoxb-1", url).call("chat.postMessage", channel="C1")
        assert failed.value.kind is Kind.PASSING
        authorities.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        ssl_context.cache_clear()
        assert SlackApi("xoxb-1", url).call("chat.postMessage", channel="C1") == {"ok": True}


def test_the_authorities_are_read_once(authorities: pytest.MonkeyPatch) -> None:
    """Forty milliseconds of the processor for each call would be most of what a page costs."""
    reads: list[ssl.SSLContext] = []
    read = ssl.create_default_context

    def counted() -> ssl.SSLContext:
        reads.append(read())
        return reads[-1]

    authorities.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with encrypted_slack() as url:
        authorities.setattr(ssl, "create_default_context", counted)
        authorities.setattr(ssl, "_create_default_https_context", counted)  # what urllib makes where it is given none
        ssl_context.cache_clear()
        slack = SlackApi("xoxb-1", url)
        for _ in range(3):
            slack.call("chat.postMessage", channel="C1")
    assert len(reads) == 1
