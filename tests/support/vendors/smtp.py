"""A real mail server on this machine, aiosmtpd, which keeps what it takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller

from benchmarks.ports import free_port


@dataclass
class RealMailServer:
    """The mails that it took, each with its one recipient, and as it came."""

    url: str = ""
    taken: list[tuple[str, bytes]] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a mail."""
        self.taken.extend((to, envelope.content) for to in envelope.rcpt_tos)
        return "250 OK"

    def to(self, address: str) -> list[EmailMessage]:
        """The mails that an address got, the oldest first."""
        found = (message_from_bytes(raw, policy=default) for to, raw in self.taken if to == address)
        return [message for message in found if isinstance(message, EmailMessage)]


@contextmanager
def real_mail_server() -> Iterator[RealMailServer]:
    """The server, for as long as the block lasts."""
    port = free_port()
    server = RealMailServer(f"smtp://127.0.0.1:{port}")
    controller = Controller(server, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


def plain(mail: EmailMessage) -> str:
    """The plain text of a mail."""
    body = mail.get_body(("plain",))
    return str(body.get_content()) if body else ""
