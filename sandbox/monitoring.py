"""Sample alerts: the page sends one to the app, as a monitoring tool would."""

import httpx2

from sandbox.setup import Monitoring

TIMEOUT = 10.0  # seconds


async def send(monitoring: Monitoring, name: str, *, ended: bool) -> str:
    """Send an alert, or its end. Returns why it was not accepted, in words for the page; empty if it was.

    KeyError for a name without a sample.
    """
    sample = {sample.name: sample for sample in monitoring.samples}[name]
    url, body = f"{monitoring.url}/{name}", sample.ended if ended else sample.firing
    if body is None:
        return f"{sample.title} never says that an alert is over."
    headers = {"content-type": "application/json", **body.headers}
    encoded = [
        (name.encode(), value.encode()) for name, value in headers.items()
    ]  # the client refuses what is no ASCII
    # The environment's proxies are for the outside world; the app is here.
    async with httpx2.AsyncClient(trust_env=False, timeout=TIMEOUT) as client:
        try:
            response = await client.post(url, content=body.raw, headers=encoded)
        except httpx2.HTTPError:
            return f"Nothing answers at {url}. Is the app running?"
    return "" if response.is_success else f"{url} answered {response.status_code}."
