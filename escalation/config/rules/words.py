"""Names and lines in a policy."""

from typing import Annotated, Any

from pydantic import StringConstraints

Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


def one_or_several(value: Any) -> Any:
    """Return a list; the file may hold its only item instead."""
    return (value,) if isinstance(value, str) else value
