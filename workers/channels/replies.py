"""Replies of vendors' APIs over HTTP, and which of them are the vendor's.

A proxy, a login page or a wrong address answers 200 as well, and has sent nothing to anybody.
"""

from typing import Any

import httpx2

from workers.channels.failures import Failed, Kind, Reason


def json_object(response: httpx2.Response) -> dict[str, Any]:
    """Return the JSON object of a reply; empty where it holds none."""
    try:
        found = response.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def check_accepted(response: httpx2.Response, vendor: str, setting: str) -> None:
    """Raise Failed unless a reply is an API's: 202, or a JSON object. `setting` holds the vendor's address."""
    if response.status_code != 202 and not json_object(response):
        raise not_theirs(vendor, setting)


def not_theirs(vendor: str, setting: str) -> Failed:
    """A success that is not the vendor's: what was to be sent was not."""
    remedy = f"correct {setting}, or let our requests through the proxy"
    reason = Reason(f"something else than {vendor} answers at its address", remedy)
    return Failed(f"{vendor.lower()}: another's answer", Kind.OURS, reason=reason)
