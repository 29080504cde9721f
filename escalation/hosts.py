"""Loopback hosts, and the proxy variables to drop for them."""

from collections.abc import MutableMapping
from ipaddress import ip_address
from urllib.parse import urlsplit

_LOWER = ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy")
PROXIES = (*_LOWER, *(name.upper() for name in _LOWER))


def is_loopback(host: str) -> bool:
    """True if a host is this machine and nothing else."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def drop_proxies_for(url: str, environment: MutableMapping[str, str]) -> None:
    """Drop the proxy variables when `url` is on this machine: Slack's clients send even loopback traffic to a proxy."""
    if is_loopback(urlsplit(url).hostname or ""):
        for name in PROXIES:
            environment.pop(name, None)
