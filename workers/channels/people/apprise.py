"""Every other service, through Apprise (https://github.com/caronc/apprise), which is installed as an extra.

It says whether a service took a message, and no more: not why not, and nothing to find it by. So a message is sent at
least once, and a failure is passing.
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from workers.channels.failures import Failed, Kind, Reason

TIMEOUT = 20.0  # seconds until Apprise stops waiting
# Act on this host, or run code: not what a page is for.
LOCAL_SCHEMAS = frozenset(["dbus", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"])
_TAGGED = re.compile(r"(?:([a-z][a-z0-9_.-]*)=)?([a-z0-9]{1,20})://", re.IGNORECASE)


def installed() -> bool:
    """True if the extra is installed."""
    return find_spec("apprise") is not None


def problem_of(url: str) -> str:
    """Why an address cannot be used, without the address, which holds secrets; empty if it can."""
    found = _TAGGED.match(url)
    if not found:
        return "is no address of Apprise's, like dana=tgram://token/chat"
    if found[2].lower() in LOCAL_SCHEMAS:
        return f"holds {found[2].lower()}://, which acts on this host only"
    return ""


class AppriseClient:
    """Client of some services: `tag=address`, where a tag is that of a person, or one address for everybody.

    Import and loading of all plug-ins take seconds, so they wait for the first message.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = tuple(addresses)

    def send(self, tag: str, title: str, message: str) -> None:
        """Send a message to the services of a tag, else to those of everybody. Raises Failed.

        When one of several did not take it, all are tried again.
        """
        mine = [s for s in self._services if s.tag == tag] or [s for s in self._services if not s.tag]
        if not mine:
            reason = Reason(f"APPRISE_URLS has no address for {tag}", f"add {tag}=address, or one for everybody")
            raise Failed("apprise: no address", Kind.OURS, reason=reason)
        unreached = [str(service.n) for service in mine if not service.notify(title, message)]
        if unreached:
            reason = Reason(f"Apprise could not send it (address {', '.join(unreached)} of APPRISE_URLS)")
            raise Failed("apprise: not sent", Kind.PASSING, reason=reason)

    def check(self) -> None:
        """Check that Apprise takes each address: nothing is sent. Raises Failed."""
        _ = self._services

    @functools.cached_property
    def _services(self) -> tuple["_Service", ...]:
        from apprise import Apprise  # noqa: PLC0415 - an extra, which takes seconds to load

        services = []
        for n, address in enumerate(self._addresses, 1):
            found, to = _TAGGED.match(address), Apprise()
            tag = (found and found[1]) or ""
            if not to.add(address.removeprefix(f"{tag}=") if tag else address):
                reason = Reason(f"Apprise does not take address {n} of APPRISE_URLS", "correct it, or remove it")
                raise Failed("apprise: bad address", Kind.OURS, reason=reason)
            services.append(_Service(n, tag, to))
        return tuple(services)


@dataclass(frozen=True)
class _Service:
    """One address: its place in the variable, and the tag of whom it reaches (empty: everybody)."""

    n: int
    tag: str
    to: Any

    def notify(self, title: str, message: str) -> bool:
        """Send a message; False if the service did not take it."""
        return bool(self.to.notify(title=title, body=message, timeout=TIMEOUT))
