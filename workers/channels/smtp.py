"""SMTP client. The delivery's id is the Message-ID, so that readers can fold a mail sent twice after a crash into one.

SMTP cannot be asked whether a mail was accepted, so mail is sent at least once.
"""

import contextlib
import smtplib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import replace
from email import policy
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from urllib.parse import unquote, urlsplit

from escalation.messages.calendar import CalendarEvent, icalendar
from escalation.messages.mail import Mail
from workers.channels.failures import Failed, Kind, Reason
from workers.channels.refusals.mail import smtp_failure
from workers.channels.tls import ssl_context

TIMEOUT = 15.0  # seconds


class MailClient:
    """Sends mail. `url`: smtp://user:password@host:587 (STARTTLS where the server offers it) or smtps://…:465."""

    def __init__(self, url: str, sender: str) -> None:
        self._url = urlsplit(url)
        self._sender = sender
        self._domain = parseaddr(sender)[1].rpartition("@")[2] or "tocsin.invalid"

    def send(self, to: Sequence[str], mail: Mail, delivery: str, bounces_to: str = "") -> None:
        """Send a mail; raises Failed if the server accepts it for nobody, with what is ours before the rest."""
        failures = self.send_each(to, mail, delivery, bounces_to)
        if len(failures) == len(to):
            raise next((f for f in failures.values() if f.kind is Kind.OURS), next(iter(failures.values())))

    def send_each(self, to: Sequence[str], mail: Mail, delivery: str, bounces_to: str = "") -> dict[str, Failed]:
        """Send a mail to each address by itself; return the failures by address. The others were accepted.

        `bounces_to`: unless to its sender.
        """
        try:
            server = self._connect()
        except (OSError, smtplib.SMTPException) as error:
            return dict.fromkeys(to, _failed(error))
        try:
            made = {address: self._message(address, mail, delivery) for address in to}
            tried = {address: _send_one(server, message, address, bounces_to) for address, message in made.items()}
        finally:
            with contextlib.suppress(OSError, smtplib.SMTPException):  # the mails are decided
                server.quit()
            server.close()
        return {address: failed for address, failed in tried.items() if failed}

    def session(self) -> "MailSession":
        """Open a connection for several mails. Raises Failed."""
        try:
            return MailSession(self._connect(), self._message)
        except (OSError, smtplib.SMTPException) as error:
            raise _failed(error) from None

    def check(self) -> None:
        """Connect and log in, as before a mail, and send none. Raises Failed."""
        try:
            with self._connect():
                pass
        except (OSError, smtplib.SMTPException) as error:
            raise _failed(error) from None

    def _message(self, to: str, mail: Mail, delivery: str) -> EmailMessage:
        """Build the mail for one address: nobody reads who else has it."""
        # A folded address is one that no reader finds again: https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1
        message = EmailMessage(policy.SMTP.clone(max_line_length=998) if mail.headers else policy.SMTP)
        message["From"], message["To"] = self._sender, _deliverable(to)
        message["Subject"] = " ".join(mail.subject.split())  # a header holds no line break
        message["Message-ID"] = f"<{delivery}@{self._domain}>"
        if mail.thread:  # RFC 5322, 3.6.4: all answer to one root, which need not exist, and so stand together
            message["In-Reply-To"] = message["References"] = f"<{mail.thread}@{self._domain}>"
        message["Date"] = formatdate()
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        # Exchange heeds this one: https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcmail
        message["X-Auto-Response-Suppress"] = "All"
        for name, value in mail.headers:
            message[name] = value
        message.set_content(mail.body)
        if mail.html:
            message.add_alternative(mail.html, subtype="html")
        if mail.event:
            self._invite(message, mail.event, to)
        for file in mail.attachments:
            message.add_attachment(file.content, maintype=file.maintype, subtype=file.subtype, filename=file.name)
        return message

    def _invite(self, message: EmailMessage, event: CalendarEvent, to: str) -> None:
        """Add an event as Outlook and Gmail take it: the last of the alternatives, with its method, and attached.

        RFC 6047; the organizer has to be the sender.
        """
        event = replace(event, uid=f"{event.uid}@{self._domain}")
        text = icalendar(event, parseaddr(self._sender)[1], to)
        message.add_alternative(text, subtype="calendar", cte="base64", params={"method": event.method})
        message.add_attachment(text.encode(), maintype="application", subtype="ics", filename="invite.ics")

    def _connect(self) -> smtplib.SMTP:
        host, port = self._url.hostname or "localhost", self._url.port
        if self._url.scheme == "smtps":
            return self._log_in(smtplib.SMTP_SSL(host, port or 465, timeout=TIMEOUT, context=ssl_context()))
        return self._log_in(smtplib.SMTP(host, port or 587, timeout=TIMEOUT))

    def _log_in(self, server: smtplib.SMTP) -> smtplib.SMTP:
        """Start TLS where the server offers it, and log in; a connection that fails is closed at once."""
        try:
            server.ehlo_or_helo_if_needed()  # raises what the server answers, as `ehlo` does not
            if server.has_extn("starttls"):
                server.starttls(context=ssl_context())
            if self._url.username:
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
        except (OSError, smtplib.SMTPException):
            server.close()
            raise
        return server


class MailSession:
    """An open connection. `broken` once the server has ended it: the other mails are for another one."""

    def __init__(self, server: smtplib.SMTP, message: Callable[[str, Mail, str], EmailMessage]) -> None:
        self._server = server
        self._message = message

    @property
    def broken(self) -> bool:
        """True if nothing can be sent any more."""
        return self._server.sock is None

    def send(self, to: str, mail: Mail, delivery: str, bounces_to: str = "") -> Failed | None:
        """Send a mail to one address; None if the server accepted it. `bounces_to`: unless to its sender."""
        return _send_one(self._server, self._message(to, mail, delivery), to, bounces_to)

    def __enter__(self) -> "MailSession":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, smtplib.SMTPException):  # the mails are decided
            self._server.quit()
        self._server.close()


def _send_one(server: smtplib.SMTP, message: EmailMessage, address: str, bounces_to: str = "") -> Failed | None:
    """Send to one address over an open connection; None if the server accepted it.

    A server that takes mail from SMTP_FROM alone gets it from there: it bounces to where nobody reads it, but goes.
    """
    address = _deliverable(address)
    try:
        _hand_over(server, message, address, bounces_to or parseaddr(str(message["From"]))[1])
    except smtplib.SMTPRecipientsRefused as refused:
        return smtp_failure(*refused.recipients[address])
    except smtplib.SMTPSenderRefused as refused:
        return _send_one(server, message, address) if bounces_to and server.sock else _failed(refused)
    except smtplib.SMTPNotSupportedError as error:
        return _failed(error) if address.isascii() else _no_such_letters(error)
    except (OSError, smtplib.SMTPException) as error:
        return _failed(error)
    return None


def _deliverable(address: str) -> str:
    """Write a domain of other letters as every mail server knows it (RFC 5890): `müller.de` as `xn--mller-kva.de`."""
    local, at, domain = address.rpartition("@")
    try:
        return f"{local}{at}{domain.encode('idna').decode()}"
    except UnicodeError:  # no domain at all: the server says so
        return address


def _no_such_letters(error: Exception) -> Failed:
    """The letters before the @ need SMTPUTF8 (RFC 6531), which this server lacks: that address alone is at fault."""
    words = "the mail server takes no address with such letters before the @ (it lacks SMTPUTF8)"
    return Failed(f"smtp: {type(error).__name__}", Kind.PERSON, reason=Reason(words))


def _hand_over(server: smtplib.SMTP, message: EmailMessage, address: str, sender: str) -> None:
    """Send a mail as it is: `send_message` writes `>From ` where a line begins with `From `, unless it is SMTPUTF8."""
    if f"{sender}{address}".isascii():
        server.sendmail(sender, [address], message.as_bytes())
    else:
        server.send_message(message, from_addr=sender, to_addrs=[address])


def _failed(error: Exception) -> Failed:
    """Classify an error of the SMTP client: a reply by its code; what the server cannot do, or is not, is ours."""
    if isinstance(error, smtplib.SMTPResponseException):
        return smtp_failure(error.smtp_code, error.smtp_error, rcpt=False)
    name = f"smtp: {type(error).__name__}"
    if isinstance(error, ssl.SSLCertVerificationError):
        words = "the mail server's certificate cannot be verified"
        return Failed(name, Kind.OURS, reason=Reason(words, "trust its authority on this host, or correct SMTP_URL"))
    if isinstance(error, smtplib.SMTPNotSupportedError) or type(error) is smtplib.SMTPException:
        words = "the mail server offers no login that we know"
        return Failed(name, Kind.OURS, reason=Reason(words, "check user, password and port in SMTP_URL"))
    return Failed(name, Kind.PASSING, reason=Reason(f"the mail server does not answer ({type(error).__name__})"))
