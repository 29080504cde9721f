"""A mail server and a paging service on this machine, each as small as can be: what they were given, and refusals."""

import base64
import contextlib
import email
import email.policy
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CERTIFICATE = Path(__file__).parents[1] / "data" / "localhost.pem"  # for `localhost`, signed by itself


@dataclass
class Mail:
    """One mail as it was taken."""

    sender: str
    to: list[str]
    message: EmailMessage
    encrypted: bool

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"]).strip()  # a long one is folded

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def body(self) -> str:
        return str(self.message.get_content())


class PostOffice(socketserver.ThreadingTCPServer):
    """Takes mail by SMTP (RFC 5321). `refusing` maps a command, `RCPT` or `DATA`, to the answer it gets instead."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, *, starttls: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Counter)
        self.mails: list[Mail] = []
        self.logins: list[str] = []
        self.refusing: dict[str, str] = {}
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if starttls else None
        if self.context:
            self.context.load_cert_chain(CERTIFICATE)

    @property
    def url(self) -> str:
        """With a login where there is encryption to hide it."""
        return f"smtp://{'tocsin:pass%40word@' if self.context else ''}localhost:{self.server_address[1]}"

    def to(self, address: str) -> list[Mail]:
        return [m for m in self.mails if address in m.to]


class _Counter(socketserver.StreamRequestHandler):
    """One client's conversation."""

    server: PostOffice

    def setup(self) -> None:
        super().setup()
        self.encrypted, self.sender, self.recipients = False, "", list[str]()

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            self._say("220 localhost")
            while line := self.rfile.readline().decode().strip():
                verb = line.split()[0].upper()
                self._say(self.server.refusing.get(verb) or self._answer(verb, line))
                if verb == "QUIT":
                    return
                if verb == "STARTTLS":
                    self._encrypt()

    def _answer(self, verb: str, line: str) -> str:
        match verb:
            case "EHLO":
                offers = ["STARTTLS"] if self.server.context and not self.encrypted else ["AUTH PLAIN"]
                return f"250-localhost\r\n250 {offers[0]}"
            case "STARTTLS":
                return "220 go on"
            case "AUTH":
                self.server.logins.append(base64.b64decode(line.split()[2]).decode())
                return "235 welcome"
            case "MAIL":
                self.sender, self.recipients = _address(line), []
            case "RCPT":
                self.recipients.append(_address(line))
            case "DATA":
                self._say("354 go on")
                self._take()
            case "QUIT":
                return "221 bye"
        return "250 ok"

    def _take(self) -> None:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.server.mails.append(Mail(self.sender, self.recipients, message, self.encrypted))

    def _encrypt(self) -> None:
        assert self.server.context
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.encrypted = True

    def _say(self, answer: str) -> None:
        self.wfile.write(f"{answer}\r\n".encode())


def _address(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]


@dataclass
class Switchboard:
    """Takes events as PagerDuty does, and pings. `statuses` are the next answers; then it is 202."""

    url: str
    events: list[dict[str, Any]] = field(default_factory=list)
    pings: int = 0
    statuses: list[int] = field(default_factory=list)

    def actions(self, key: str) -> list[str]:
        """What was asked for under a dedup_key, in order."""
        return [e["event_action"] for e in self.events if e["dedup_key"] == key]


@contextmanager
def post_office(*, starttls: bool = False) -> Iterator[PostOffice]:
    """A mail server for as long as the block lasts."""
    with PostOffice(starttls=starttls) as office:
        threading.Thread(target=office.serve_forever, args=(0.02,), daemon=True).start()
        yield office
        office.shutdown()


@contextmanager
def switchboard() -> Iterator[Switchboard]:
    """A paging service, and a dead man's switch at /ping."""

    class Desk(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = board.statuses.pop(0) if board.statuses else 202
            if status < 300:
                board.events.append(body)
            self._answer(status)

        def do_GET(self) -> None:
            board.pings += 1
            self._answer(200)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Nothing: the test reads `events`."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Desk) as server:
        board = Switchboard(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield board
        server.shutdown()
