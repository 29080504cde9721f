"""Try a check's target once. Names are resolved first and the resolved address is what is connected to.

So a name cannot mean a public address while it is examined and a private one while it is used.
"""

import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx2

from escalation.config.checks import Check, parse_place
from escalation.times import format_duration

LARGEST = 1_000_000  # bytes of a body that are searched for `contains`
NAT64 = ip_network("64:ff9b::/96")  # https://www.rfc-editor.org/rfc/rfc6052: the last 32 bits are an IPv4 address


class Seen(NamedTuple):
    """What one try saw. `unreachable`: nothing answered at all, so our own network may be the cause."""

    ok: bool
    text: str
    unreachable: bool = False


class _Failed(Exception):
    def __init__(self, text: str, *, unreachable: bool = False) -> None:
        super().__init__(text)
        self.unreachable = unreachable


def probe(check: Check) -> Seen:
    """Try a check once, within its time limit."""
    began = time.monotonic()
    try:
        text = _try(check, began + check.timeout.total_seconds())
    except _Failed as failed:
        return Seen(False, str(failed), failed.unreachable)
    took = timedelta(seconds=time.monotonic() - began)
    milliseconds = f"{round(took / timedelta(milliseconds=1))} ms"
    if check.within and took > check.within:
        return Seen(False, f"{text}, but only after {milliseconds} (limit {format_duration(check.within)})")
    return Seen(True, f"{text} in {milliseconds}")


def is_public(address: str) -> bool:
    """True for an address of the public internet, also where an IPv6 address carries an IPv4 one."""
    ip = ip_address(address.partition("%")[0])
    carried: IPv4Address | IPv6Address | None = None
    if isinstance(ip, IPv6Address):
        carried = ip.ipv4_mapped or ip.sixtofour
        if ip in NAT64:
            carried = IPv4Address(int(ip) & 0xFFFFFFFF)
    return is_public(str(carried)) if carried else ip.is_global and not ip.is_multicast


def _try(check: Check, ends: float) -> str:
    if check.dns is not None:
        return f"{check.dns} is {', '.join(_resolved(check.dns, 0)[:3])}"
    if check.http is not None:
        return _http(check, check.http, ends)
    place = parse_place(check.tcp or check.tls or "", 443)
    addresses = _allowed(check, place.host, place.port)
    if check.tls is not None:
        return _first(addresses, lambda a: _tls(check, place.host, a, place.port, ends))
    return _first(addresses, lambda a: _tcp(a, place.port, ends))


def _resolved(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        again = getattr(error, "errno", None) == socket.EAI_AGAIN
        raise _Failed(f"the name {host} cannot be resolved", unreachable=again) from None
    return list(dict.fromkeys(str(info[4][0]) for info in found))


def _allowed(check: Check, host: str, port: int) -> list[str]:
    """Resolve a host to the addresses that this check may connect to."""
    addresses = _resolved(host, port)
    allowed = [a for a in addresses if check.private or is_public(a)]
    if not allowed:
        raise _Failed(f"{host} is a private address ({addresses[0]}); `private: true` on the check allows it")
    return allowed


def _first(addresses: list[str], connect: Callable[[str], str]) -> str:
    """Try the addresses of a host in turn, as a browser would; raise what the last one raised."""
    for address in addresses[:-1]:
        try:
            return connect(address)
        except _Failed as failed:
            if not failed.unreachable:
                raise
    return connect(addresses[-1])


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise _Failed("no answer in time", unreachable=True)
    return left


def _connected(address: str, port: int, ends: float) -> socket.socket:
    try:
        return socket.create_connection((address, port), timeout=_left(ends))
    except TimeoutError:
        raise _Failed("no connection in time", unreachable=True) from None
    except ConnectionRefusedError:
        raise _Failed(f"port {port} refuses connections", unreachable=True) from None
    except OSError as error:
        raise _Failed(f"no connection ({error.strerror or type(error).__name__})", unreachable=True) from None


def _tcp(address: str, port: int, ends: float) -> str:
    with _connected(address, port, ends):
        return f"port {port} accepts connections"


def _tls(check: Check, host: str, address: str, port: int, ends: float) -> str:
    with _connected(address, port, ends) as plain:
        try:
            plain.settimeout(_left(ends))
            with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secured:
                certificate = secured.getpeercert() or {}
        except ssl.SSLCertVerificationError as error:
            raise _Failed(f"the certificate is not valid: {error.verify_message}") from None
        except OSError as error:
            raise _Failed(f"no TLS connection ({type(error).__name__})") from None
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    if expires - datetime.now(UTC) < timedelta(days=check.days):
        raise _Failed(f"the certificate expires on {expires:%Y-%m-%d %H:%M} UTC")
    return f"the certificate is valid until {expires:%Y-%m-%d}"


def _http(check: Check, url: str, ends: float) -> str:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    return _first(_allowed(check, host, port), lambda address: _get(check, url, host, address, ends))


def _get(check: Check, url: str, host: str, address: str, ends: float) -> str:
    """Get a page from one address; redirects are not followed, since they could lead anywhere."""
    wanted = httpx2.URL(url)
    headers = {"host": wanted.netloc.decode("ascii"), "user-agent": "Tocsin", "accept-encoding": "identity"}
    try:
        with (
            httpx2.Client(timeout=_left(ends), trust_env=False, follow_redirects=False) as client,
            client.stream(
                "GET", wanted.copy_with(host=address), headers=headers, extensions={"sni_hostname": host}
            ) as response,
        ):
            _require_status(check, response)
            body = _body(response, ends) if check.contains else b""
    except httpx2.TimeoutException:
        raise _Failed("no answer in time", unreachable=True) from None
    except httpx2.ConnectError as error:
        certificate = "CERTIFICATE_VERIFY_FAILED" in str(error)
        text = "the certificate is not valid" if certificate else "no connection"
        raise _Failed(text, unreachable=not certificate) from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise _Failed(f"no usable answer ({type(error).__name__})") from None
    if check.contains and check.contains not in body.decode("utf-8", "replace"):
        raise _Failed(f"the answer does not contain '{check.contains}'")
    return f"HTTP {response.status_code}"


def _require_status(check: Check, response: httpx2.Response) -> None:
    status = response.status_code
    if status == check.status or (check.status is None and 200 <= status < 300):
        return
    moved = "; redirects are not followed: check the address it leads to" if 300 <= status < 400 else ""
    raise _Failed(f"HTTP {status}{moved}")


def _body(response: httpx2.Response, ends: float) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        _left(ends)
        if len(body) > LARGEST:
            break
    return bytes(body)
