"""A vendor's API over HTTP on loopback: requests in, status and JSON out, replies lost on demand."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from tests.support.outside_services import serving


@dataclass
class Asked:
    """A request: `form` holds the last value of each field, of a form or of the query; `json` a JSON body."""

    method: str
    path: str
    headers: dict[str, str]
    form: dict[str, str]
    lists: dict[str, list[str]]
    json: Any
    body: str


Answer = tuple[int, Any]
V = TypeVar("V", bound="Vendor")


@dataclass
class Vendor:
    """Base of the vendors. `lose` answers are carried out, and their connection then cut; `outage` answers that.

    `impostor` is what somebody else answers with 200 in its place. `more` are headers of the next answer.
    A request waits for `hang`, and is carried out then.
    """

    url: str = ""
    lose: int = 0
    outage: int = 0
    impostor: str = ""
    retry_after: str = ""
    hang: threading.Event | None = None
    more: dict[str, str] = field(default_factory=dict)
    requests: list[Asked] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def answer(self, asked: Asked) -> Answer:
        """Carry out a request."""
        raise NotImplementedError

    def handle(self, asked: Asked) -> Answer | None:
        """Answer a request; None cuts the connection instead."""
        if self.hang:
            self.hang.wait(10)
        with self.lock:
            self.requests.append(asked)
            if self.outage:
                return self.outage, {}
            if self.impostor:
                return 200, {}
            answer = self.answer(asked)
            if self.lose and asked.method != "GET":
                self.lose -= 1
                return None
            return answer


@contextmanager
def running(vendor: V) -> Iterator[V]:
    """The vendor, for as long as the block lasts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(vendor)) as server, serving(server):
        vendor.url = f"http://127.0.0.1:{server.server_port}"
        yield vendor


def _handler(vendor: Vendor) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self._do("POST")

        def do_PUT(self) -> None:
            self._do("PUT")

        def do_PATCH(self) -> None:
            self._do("PATCH")

        def do_DELETE(self) -> None:
            self._do("DELETE")

        def do_GET(self) -> None:
            self._do("GET")

        def _do(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            parts = urlsplit(self.path)
            is_json = body[:1] in ("{", "[")
            lists = parse_qs(parts.query, keep_blank_values=True)
            lists |= {} if is_json else parse_qs(body, keep_blank_values=True)
            form = {name: values[-1] for name, values in lists.items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = vendor.handle(
                Asked(method, parts.path, headers, form, lists, json.loads(body) if is_json else None, body)
            )
            if answer is None:
                self.close_connection = True
                return
            status, content = answer
            raw = b"" if status == 204 else (vendor.impostor or json.dumps(content)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            if vendor.retry_after and status >= 400:
                self.send_header("Retry-After", vendor.retry_after)
            for name, value in vendor.more.items():
                self.send_header(name, value)
            vendor.more = {}
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *args: Any) -> None:
            """Nothing: the tests read `requests`."""

    return Handler
