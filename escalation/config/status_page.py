"""Our own status page: its title, the services that it lists, and its address."""

from typing import Annotated

from pydantic import AfterValidator, Field

from escalation.config.policy import Line, Means
from escalation.values import Frozen

STATUS_PAGE = str(Means.STATUS_PAGE)
"""Name of the channel that carries what is published there."""


def _address(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("the address of a status page begins with https://")
    return url if url.endswith("/") else f"{url}/"


class StatusPage(Frozen):
    """Our own status page, a folder of files. `components` are services; `url` is where the public reads the page."""

    title: Line = Field(min_length=1, max_length=100)
    components: tuple[str, ...] = ()
    url: Annotated[str, AfterValidator(_address)] | None = None
