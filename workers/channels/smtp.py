"""SMTP client. The delivery's id is the Message-ID, so that readers can fold a mail sent twice after a crash into one.

SMTP cannot be asked whether a mail was accepted, so mail is sent at least once.
"""

import smtplib
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from urllib.parse import unquote, urlsplit

from escalation.messages.mail import Mail
from workers.channels.failures import Failed, Kind
from workers.channels.tls import ssl_context

TIMEOUT = 15.0  # seconds


class MailClient:
    """Sends mail. `url`: smtp://user:password@host:587 (STARTTLS where the server offers it) or smtps://…:465."""

    def __init__(self, url: str, sender: str) -> None:
        self._url = urlsplit(url)
        self._sender = sender
        self._domain = parseaddr(sender)[1].rpartition("@")[2] or "tocsin.invalid"

    def send(self, to: Sequence[str], mail: Mail, delivery: str) -> None:
        """Send a mail; raises Failed if the server does not accept it."""
        message = self._message(to, mail, delivery)
        try:
            with self._connect() as server:
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as refused:
            raise _failed(next(iter(refused.recipients.values()))[0], Kind.PERSON) from None
        except smtplib.SMTPResponseException as response:
            raise _failed(response.smtp_code, Kind.OURS) from None
        except (OSError, smtplib.SMTPException) as error:
            raise Failed(f"smtp: {type(error).__name__}", Kind.PASSING) from None

    def _message(self, to: Sequence[str], mail: Mail, delivery: str) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"] = self._sender, ", ".join(to)
        message["Subject"] = " ".join(mail.subject.split())  # a header holds no line break
        message["Message-ID"] = f"<{delivery}@{self._domain}>"
        message["Date"] = formatdate()
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        message.set_content(mail.body)
        return message

    def _connect(self) -> smtplib.SMTP:
        host, port = self._url.hostname or "localhost", self._url.port
        if self._url.scheme == "smtps":
            return self._log_in(smtplib.SMTP_SSL(host, port or 465, timeout=TIMEOUT, context=ssl_context()))
        return self._log_in(smtplib.SMTP(host, port or 587, timeout=TIMEOUT))

    def _log_in(self, server: smtplib.SMTP) -> smtplib.SMTP:
        """Start TLS where the server offers it, and log in; a connection that fails is closed at once."""
        try:
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=ssl_context())
            if self._url.username:
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
        except (OSError, smtplib.SMTPException):
            server.close()
            raise
        return server


def _failed(code: int, lasting: Kind) -> Failed:
    """Classify a reply code: 4xx is passing (RFC 5321, 4.2.1), any other has the `lasting` kind."""
    return Failed(f"smtp: {code}", Kind.PASSING if 400 <= code < 500 else lasting)
