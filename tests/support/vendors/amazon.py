"""A stand-in for Amazon SNS: certificates and confirmations at a loopback address, and messages that it signs."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

HOST = "https://sns.eu-west-1.amazonaws.com"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
CERTIFICATE = f"{HOST}/SimpleNotificationService-0123456789abcdef.pem"
SUBSCRIBE = f"{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=abc123"
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


def certificate(key: RSAPrivateKey, days: int = 30) -> bytes:
    """A certificate of that key; with negative days one that has expired."""
    now, name = datetime.now(UTC), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = (
        built.serial_number(1).not_valid_before(now - timedelta(days=60)).not_valid_after(now + timedelta(days=days))
    )
    return built.sign(key, SHA256()).public_bytes(Encoding.PEM)


class AmazonSns:
    """What it answers with, by path (status, body, headers), and what it was asked for."""

    def __init__(self) -> None:
        self.key = generate_private_key(public_exponent=65537, key_size=2048)
        self.answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.serve(CERTIFICATE, certificate(self.key))
        self.serve(SUBSCRIBE, b"<ConfirmSubscriptionResponse/>")
        self.asked: list[str] = []
        self.port = 0

    def serve(self, url: str, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer so at an address."""
        self.answers[url] = (status, body, headers)

    def message(self, kind: str = "Notification", version: str = "2", **fields: Any) -> dict[str, Any]:
        """A signed message; a field that is None is left out."""
        made: dict[str, Any] = {
            "Type": kind,
            "MessageId": "2b9fa3c7-3ef7-43fa-a6cd-b46678dfffb0",
            "TopicArn": TOPIC,
            "Subject": 'ALARM: "checkout-5xx"',
            "Message": json.dumps({"AlarmName": "checkout-5xx", "NewStateValue": "ALARM", "Region": "EU"}) + "\n",
            "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE,
        }
        if kind != "Notification":
            made |= {"SubscribeURL": SUBSCRIBE, "Token": "abc123", "Subject": None}
        made = {name: value for name, value in (made | fields).items() if value is not None}
        text = "".join(f"{name}\n{made[name]}\n" for name in SIGNED[kind] if name in made)
        hashing = SHA1() if version == "1" else SHA256()
        signature = self.key.sign(text.encode(), PKCS1v15(), hashing)
        return {"Signature": base64.b64encode(signature).decode(), **made}

    def transport(self) -> httpx2.AsyncBaseTransport:
        """The way to it, whatever host is asked for."""
        port = self.port

        class Loopback(httpx2.AsyncHTTPTransport):
            async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
                request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=port)
                return await super().handle_async_request(request)

        return Loopback()


@contextmanager
def running_sns() -> Iterator[AmazonSns]:
    """The stand-in at work."""
    sns = AmazonSns()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = f"https://{self.headers['host']}{self.path}"
            sns.asked.append(url)
            status, body, headers = sns.answers.get(url, (404, b"", {}))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    sns.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield sns
    finally:
        server.shutdown()
        server.server_close()
