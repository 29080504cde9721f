"""HTTP to this machine: no proxy, no connection that outlives a server, no store of certificates (30 ms a client)."""

from typing import Any

import httpx2

from tests.support.waiting import WITHIN

_FRESH = httpx2.Limits(max_keepalive_connections=0)


def client(url: str = "", **options: Any) -> httpx2.Client:
    """A client; paths are taken from `url`."""
    return httpx2.Client(base_url=url, trust_env=False, verify=False, limits=_FRESH, **{"timeout": WITHIN, **options})


web = client()
