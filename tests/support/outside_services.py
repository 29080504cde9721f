"""Others that Tocsin speaks to: a mail server and a paging service that take what they get, and remember every byte."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Others:
    """Addresses, what came there, and (None: all is well) the reply that each gives instead."""

    smtp_url: str = ""
    events_url: str = ""
    mails: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    sends_to: str = ""
    refuses_login: bool = False
    answers: int = 202


@contextmanager
def others(login: str = "") -> Iterator[Others]:
    """Both, for as long as the block lasts. `login` (user:password) goes into the address; nobody checks it."""
    here = Others()
    smtp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _mailbox(here))
    http = ThreadingHTTPServer(("127.0.0.1", 0), _inbox(here))
    here.smtp_url = f"smtp://{login and login + '@'}127.0.0.1:{smtp.server_address[1]}"
    here.events_url = f"http://127.0.0.1:{http.server_address[1]}/v2/enqueue"
    servers = (smtp, http)
    for server in servers:
        server.daemon_threads = True  # nobody waits for a client that hangs on
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield here
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def _mailbox(here: Others) -> type[socketserver.StreamRequestHandler]:
    class Mailbox(socketserver.StreamRequestHandler):
        """RFC 5321, as far as a client that sends a mail needs it."""

        def handle(self) -> None:
            self._say("220 here")
            while line := self.rfile.readline().decode().strip():
                verb = line.split()[0].upper()
                if verb == "DATA":
                    self._say("354 go on")
                    here.mails.append(self._mail())
                self._say(self._reply(verb))
                if verb == "QUIT":
                    return

        def _reply(self, verb: str) -> str:
            if verb == "EHLO":
                return "250-here\r\n250 AUTH PLAIN LOGIN"
            if verb == "AUTH":
                return "535 no" if here.refuses_login else "235 yes"
            return "221 bye" if verb == "QUIT" else "250 ok"

        def _mail(self) -> str:
            lines = iter(lambda: self.rfile.readline().decode(), ".\r\n")
            return "".join(lines)

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    return Mailbox


def _inbox(here: Others) -> type[BaseHTTPRequestHandler]:
    class Inbox(BaseHTTPRequestHandler):
        """Takes events, and sends whoever asks for something to another address."""

        def do_POST(self) -> None:  # http.server's own name
            here.events.append(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(here.answers)
            self.end_headers()

        def do_GET(self) -> None:  # as above
            here.asked.append(self.path)
            self.send_response(302)
            self.send_header("location", here.sends_to)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    return Inbox
