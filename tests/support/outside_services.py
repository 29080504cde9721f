"""Services outside Tocsin, faked on this machine: a mail server (SMTP) and a paging service (PagerDuty's events)."""

import base64
import contextlib
import email
import email.policy
import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
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
    raw: str
    encrypted: bool

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"]).strip()  # a long one is folded

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def body(self) -> str:
        plain = self.message.get_body(("plain",))
        return str(plain.get_content()) if plain else ""

    @property
    def html(self) -> str:
        found = self.message.get_body(("html",))
        return str(found.get_content()) if found else ""


class MailServer(socketserver.ThreadingTCPServer):
    """SMTP server (RFC 5321) that keeps every mail. `refusing` maps a command, `RCPT` or `DATA`, to the reply it gets;
    `refusing_to` maps an address to the reply that a RCPT for it gets, `refusing_from` the beginning of a sender's.
    After a mail of which `loses` is true the connection is cut instead of a reply.

    `login` (`user:password`, escaped for a URL) goes into the address; the server accepts any.
    """

    allow_reuse_address = daemon_threads = True

    def __init__(self, *, starttls: bool = False, login: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.login = login
        self.mails: list[Mail] = []
        self.logins: list[str] = []
        self.refusing: dict[str, str] = {}
        self.refusing_to: dict[str, str] = {}
        self.refusing_from: dict[str, str] = {}
        self.loses: Callable[[Mail], bool] = lambda mail: False
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if starttls else None
        if self.context:
            self.context.load_cert_chain(CERTIFICATE)

    @property
    def url(self) -> str:
        return f"smtp://{self.login and self.login + '@'}localhost:{self.server_address[1]}"

    def to(self, address: str) -> list[Mail]:
        """The mails that an address got."""
        return [m for m in self.mails if address in m.to]


class _Session(socketserver.StreamRequestHandler):
    """SMTP session of one client."""

    server: MailServer

    def setup(self) -> None:
        super().setup()
        self.encrypted, self.sender, self.recipients = False, "", list[str]()

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            self._reply("220 localhost")
            while line := self.rfile.readline().decode().strip():
                verb = line.split()[0].upper()
                self._reply(self.server.refusing.get(verb) or self._carry_out(verb, line))
                if verb == "QUIT":
                    return
                if verb == "STARTTLS":
                    self._encrypt()

    def _carry_out(self, verb: str, line: str) -> str:
        match verb:
            case "EHLO":
                offers = ["STARTTLS"] if self.server.context and not self.encrypted else ["AUTH PLAIN"]
                return f"250-localhost\r\n250 {offers[0]}"
            case "STARTTLS":
                return "220 go on"
            case "AUTH":
                self.server.logins.append(base64.b64decode(line.split()[2]).decode())
                return "235 welcome"
            case "MAIL" if refused := [r for f, r in self.server.refusing_from.items() if _address(line).startswith(f)]:
                return refused[0]
            case "MAIL":
                self.sender, self.recipients = _address(line), []
            case "RCPT" if refusal := self.server.refusing_to.get(_address(line)):
                return refusal
            case "RCPT":
                self.recipients.append(_address(line))
            case "DATA":
                self._reply("354 go on")
                if self.server.loses(self._receive()):
                    raise ConnectionAbortedError
            case "QUIT":
                return "221 bye"
        return "250 ok"

    def _receive(self) -> Mail:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        raw = b"".join(lines)
        message = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        mail = Mail(self.sender, self.recipients, message, raw.decode(), self.encrypted)
        self.server.mails.append(mail)
        return mail

    def _encrypt(self) -> None:
        assert self.server.context
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.encrypted = True

    def _reply(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


def _address(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]


@dataclass
class PagingService:
    """Events API as PagerDuty has it: POST takes events, GET takes heartbeats or redirects to `sends_to`.

    `statuses` are the next answers to events; then it is `status`.
    """

    url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)  # the accepted ones
    bodies: list[str] = field(default_factory=list)  # every one, refused or not
    asked: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    status: int = 202
    sends_to: str = ""

    @property
    def pings(self) -> int:
        """How many heartbeats came."""
        return self.asked.count("/ping")

    def actions(self, key: str) -> list[str]:
        """What was asked for under a dedup_key, in order."""
        return [e["event_action"] for e in self.events if e["dedup_key"] == key]


@contextmanager
def mail_server(*, starttls: bool = False, login: str = "") -> Iterator[MailServer]:
    """A mail server for as long as the block lasts."""
    with MailServer(starttls=starttls, login=login) as server, serving(server):
        yield server


@contextmanager
def paging_service() -> Iterator[PagingService]:
    """A paging service for as long as the block lasts."""
    service = PagingService()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(service)) as server, serving(server):
        service.url = f"http://127.0.0.1:{server.server_port}"
        yield service


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    """Serve in a thread for as long as the block lasts."""
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()


def _handler(service: PagingService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            service.bodies.append(body)
            status = service.statuses.pop(0) if service.statuses else service.status
            if status < 300:
                service.events.append(json.loads(body))
            self._answer(status)

        def do_GET(self) -> None:
            service.asked.append(self.path)
            self._answer(302 if service.sends_to else 200, service.sends_to)

        def _answer(self, status: int, location: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            if location:
                self.send_header("Location", location)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Nothing: the tests read `events`."""

    return Handler
