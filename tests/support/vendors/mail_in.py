"""Bodies as Mailgun, SendGrid and Amazon SES post them for a mail that came in.

Fields and names as in their documentation: documentation.mailgun.com (receive-http), twilio.com/docs/sendgrid
(setting-up-the-inbound-parse-webhook), docs.aws.amazon.com/ses (receiving-email-notifications-contents).
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field
from email.message import EmailMessage, Message
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlencode

KEY = "key-3ax6xnjp29jd6fds4gc373sgvjxteol0"  # Mailgun's signing key, as its documentation has it


@dataclass(frozen=True)
class Written:
    """A mail as somebody sent it. `spf`, `dkim`, `dmarc` are what the service found; `signer` is who signed.

    `ready` is the mail where it is made already.
    """

    sender: str = "Dana <dana@example.com>"
    subject: str = "Checkout is down"
    text: str = "Nobody can pay."
    to: str = "alerts@in.example.com"
    id: str = "one@example.com"
    html: str = ""
    envelope: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)
    spf: str = "pass"
    dkim: str = "pass"
    dmarc: str = ""
    signer: str = ""
    ready: Message | None = None

    @property
    def address(self) -> str:
        return parseaddr(self.sender)[1]

    @property
    def bounce_to(self) -> str:
        return self.address if self.envelope is None else self.envelope

    @property
    def domain(self) -> str:
        return self.signer or self.address.rpartition("@")[2]

    def message(self) -> Message:
        """The mail itself."""
        if self.ready:
            return self.ready
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self.sender, self.to, self.subject
        mail["Message-ID"] = f"<{self.id}>"
        for name, value in self.headers:
            mail[name] = value
        if self.dkim:
            mail["DKIM-Signature"] = f"v=1; a=rsa-sha256; d={self.domain}; s=s1; h=from:to; bh=abc=; b=abc="
        if self.text or not self.html:
            mail.set_content(self.text)
        if self.html:
            (mail.add_alternative if self.text else mail.set_content)(self.html, subtype="html")
        for name, content in self.files.items():
            mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
        return mail

    def pairs(self) -> list[list[str]]:
        return [[name, str(value)] for name, value in self.message().items()]


Request = tuple[bytes, dict[str, str]]


def mailgun(mail: Written, key: str = KEY, mime: bool = False, age: int = 0, token: str = "") -> Request:
    """A route's forward(): a form, of several parts where files are attached. Everything is UTF-8 already."""
    token, stamp = token or secrets.token_hex(25), str(int(time.time()) - age)
    results = [
        ["X-Mailgun-Incoming", "Yes"],
        *([["X-Mailgun-Spf", mail.spf.capitalize()]] if mail.spf else []),
        *([["X-Mailgun-Dkim-Check-Result", mail.dkim.capitalize()]] if mail.dkim else []),
    ]
    message = mail.message()
    for name, value in results:
        message[name] = value
    fields = {
        "recipient": mail.to,
        "sender": mail.bounce_to,
        "from": mail.sender,
        "subject": mail.subject,
        "timestamp": stamp,
        "token": token,
        "signature": hmac.new(key.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest(),
    }
    if mime:
        return _form(fields | {"body-mime": message.as_bytes().decode("utf-8", "replace")})
    pairs = [*results, *mail.pairs()]
    fields |= dict(pairs)
    fields |= {"body-plain": mail.text, "stripped-text": mail.text.split("\nOn ")[0], "body-html": mail.html}
    fields |= {"message-headers": json.dumps(pairs), "attachment-count": str(len(mail.files))}
    files = {f"attachment-{n}": file for n, file in enumerate(mail.files.items(), 1)}
    return _multipart({k: v.encode() for k, v in fields.items()}, files) if files else _form(fields)


def sendgrid(mail: Written, raw: bool = False, charset: str = "utf-8") -> Request:
    """Inbound Parse: always several parts; a text stays in its own charset, which `charsets` names."""
    fields = {
        "to": mail.to,
        "from": mail.sender,
        "subject": mail.subject,
        "dkim": f"{{@{mail.domain} : {mail.dkim}}}" if mail.dkim else "none",
        "SPF": mail.spf or "none",
        "envelope": json.dumps({"to": [mail.to], "from": mail.bounce_to}),
        "charsets": json.dumps({"to": "UTF-8", "subject": "UTF-8", "from": "UTF-8", "text": charset, "html": charset}),
        "sender_ip": "192.0.2.1",
        "attachments": str(len(mail.files)),
    }
    encoded = {name: value.encode() for name, value in fields.items()}
    if raw:
        return _multipart(encoded | {"email": mail.message().as_bytes()}, {})
    head = "\n".join(f"{name}: {value}" for name, value in mail.pairs())
    encoded |= {"headers": head.encode(), "text": mail.text.encode(charset)}
    if mail.html:
        encoded["html"] = mail.html.encode(charset)
    return _multipart(encoded, {f"attachment{n}": file for n, file in enumerate(mail.files.items(), 1)})


def ses(mail: Written, encoding: str = "BASE64", content: bool = True) -> Request:
    """A receipt rule's action SNS; without its content as an action S3 tells of a mail."""
    raw = mail.message().as_bytes()
    verdicts = {"spf": mail.spf, "dkim": mail.dkim, "dmarc": mail.dmarc or "gray", "spam": "pass", "virus": "pass"}
    notification: dict[str, Any] = {
        "notificationType": "Received",
        "receipt": {
            "recipients": [mail.to],
            "action": {"type": "SNS" if content else "S3", "encoding": encoding},
            **{f"{name}Verdict": {"status": (found or "gray").upper()} for name, found in verdicts.items()},
        },
        "mail": {
            "source": mail.bounce_to,
            "messageId": "d6iitobk75ur44p8kdnnp7g2n800",
            "destination": [mail.to],
            "headersTruncated": False,
            "headers": [{"name": name, "value": value} for name, value in mail.pairs()],
        },
    }
    if content:
        plain = raw.decode("utf-8", "replace")
        notification["content"] = base64.b64encode(raw).decode() if encoding == "BASE64" else plain
    envelope = {"Type": "Notification", "MessageId": "m-1", "TopicArn": "arn:aws:sns:eu-west-1:1:mail"}
    return json.dumps(envelope | {"Message": json.dumps(notification)}).encode(), {"content-type": "text/plain"}


def _form(fields: dict[str, str]) -> Request:
    return urlencode(fields).encode(), {"content-type": "application/x-www-form-urlencoded"}


def _multipart(fields: dict[str, bytes], files: dict[str, tuple[str, bytes]]) -> Request:
    boundary = "xYzZY0123456789"
    parts = [f'Content-Disposition: form-data; name="{k}"\r\n\r\n'.encode() + v for k, v in fields.items()]
    for name, (file, content) in files.items():
        head = f'Content-Disposition: form-data; name="{name}"; filename="{file}"\r\nContent-Type: image/png\r\n\r\n'
        parts.append(head.encode() + content)
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    return body + f"--{boundary}--\r\n".encode(), {"content-type": f"multipart/form-data; boundary={boundary}"}
