"""Channels as people write them in a configuration."""

import re
from typing import Annotated

from pydantic import AfterValidator


def parse_channel(text: str) -> str:
    """A name that Slack takes, without its #, or an id: a wrong one would only show when the first card is posted."""
    name = text.removeprefix("#")
    if re.fullmatch(r"[CG][A-Z0-9]{2,}", name) or (re.fullmatch(r"[\w-]{1,80}", name) and name == name.lower()):
        return name
    raise ValueError(f"'{text}' is not a channel; write its name in lower-case letters, digits, '-' or '_', or its id")


Channel = Annotated[str, AfterValidator(parse_channel)]
