"""Addresses in settings: host:port, the Web API's base URL, and URLs of Redis and of sentinels."""

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from escalation.hosts import is_loopback

REDIS_FORMS = (
    "write redis://host:6379/0, rediss://…, unix:///path or redis+sentinel://host:26379,host2:26379/mymaster/0"
)


class Address(NamedTuple):
    """A host and port to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """URL for a browser on this machine."""
        return f"http://{Address('127.0.0.1', self.port) if self.host in ('0.0.0.0', '::') else self}"  # noqa: S104 - read, not bound

    @property
    def loopback(self) -> bool:
        """True if only this machine can connect."""
        return is_loopback(self.host)


def is_real_slack(api_url: str) -> bool:
    """True for a host under slack.com, where time is never sped up and a configuration is required."""
    host = urlsplit(api_url).hostname or ""
    return host == "slack.com" or host.endswith(".slack.com")


def parse_address(text: str) -> Address:
    """Parse `127.0.0.1:3000` or `[::1]:3000`; ValueError says how to write it."""
    host, _, port = text.strip().rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not bare or (":" in bare and bare == host) or not (port.isdecimal() and 1 <= int(port) <= 65535):
        raise ValueError(f"'{text}' is not host:port; write one like 127.0.0.1:3000")
    return Address(bare, int(port))


def check_redis_url(url: str) -> str:
    """Check a Redis URL and return it. ValueError says what is wrong without repeating it: it may hold a password."""
    if is_sentinel(url):
        sentinel(url)
        return url
    scheme = url.partition("://")[0]
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"has no readable host and port (quote # ? / @ in a password); {REDIS_FORMS}") from None
    numbered = (parts.path.strip("/") or "0").isdecimal()
    if (scheme == "unix" and parts.path) or (scheme in ("redis", "rediss") and host and numbered):
        return url
    raise ValueError(f"is not the address of a Redis; {REDIS_FORMS}")


def is_sentinel(url: str) -> bool:
    """True if a URL names sentinels, which are asked for the server."""
    return url.partition("://")[0] == "redis+sentinel"


class Sentinel(NamedTuple):
    """Addresses of the sentinels, the master that they watch, and the login for it."""

    hosts: tuple[tuple[str, int], ...]
    master: str
    db: int
    username: str | None
    password: str | None


def sentinel(url: str) -> Sentinel:
    """Parse `redis+sentinel://[user:password@]host:26379,host2:26379/mymaster/0`; ValueError says how to write it."""
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    master, _, db = parts.path.strip("/").partition("/")
    if not hosts or not master or not (db or "0").isdecimal():
        raise ValueError("names no sentinel or no master; write redis+sentinel://host:26379,host2:26379/mymaster/0")
    user, _, password = login.partition(":")
    return Sentinel(
        hosts=tuple(parse_address(h if ":" in h else f"{h}:26379") for h in hosts.split(",")),
        master=master,
        db=int(db or 0),
        username=unquote(user) or None,
        password=unquote(password) or None,
    )
