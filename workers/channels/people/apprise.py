"""Every other service, through Apprise (https://github.com/caronc/apprise), which is installed as an extra.

It says whether a service took a message, and no more: not why not, and nothing to find it by. So a message is sent at
least once, and a failure is passing.
"""

import functools
import re
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from workers.channels.failures import Failed, Kind, Reason

TIMEOUT = 20.0  # seconds until Apprise stops waiting
# Act on this host, or run code: not what a page is for.
LOCAL_SCHEMAS = frozenset(["dbus", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"])
_SCHEMA = re.compile(r"([a-z0-9]{1,20})://", re.IGNORECASE)


def installed() -> bool:
    """True if the extra is installed."""
    return find_spec("apprise") is not None


def problem_of(url: str) -> str:
    """Why an address cannot be used, without the address, which holds secrets; empty if it can."""
    schema = _SCHEMA.match(url)
    if not schema:
        return "is no address of Apprise's, like tgram://token/chat"
    if schema[1].lower() in LOCAL_SCHEMAS:
        return f"holds {schema[1].lower()}://, which acts on this host only"
    return ""


class AppriseClient:
    """Client of some services. Import and loading of all plug-ins take seconds, so they wait for the first message."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = tuple(urls)

    def send(self, title: str, message: str) -> None:
        """Send a message to every service. Raises Failed, when one did not take it: then all are tried again."""
        unreached = [n for n, service in enumerate(self._services, 1) if not self._notify(service, title, message)]
        if unreached:
            which = ", ".join(map(str, unreached))
            reason = Reason(f"Apprise could not send it (address {which} of APPRISE_URLS)")
            raise Failed("apprise: not sent", Kind.PASSING, reason=reason)

    def check(self) -> None:
        """Check that Apprise takes each address: nothing is sent. Raises Failed."""
        _ = self._services

    @functools.cached_property
    def _services(self) -> list[Any]:
        from apprise import Apprise  # noqa: PLC0415 - an extra, which takes seconds to load

        services = []
        for n, url in enumerate(self._urls, 1):
            service = Apprise()
            if not service.add(url):
                reason = Reason(f"Apprise does not take address {n} of APPRISE_URLS", "correct it, or remove it")
                raise Failed("apprise: bad address", Kind.OURS, reason=reason)
            services.append(service)
        return services

    @staticmethod
    def _notify(service: Any, title: str, message: str) -> bool:
        return bool(service.notify(title=title, body=message, timeout=TIMEOUT))
