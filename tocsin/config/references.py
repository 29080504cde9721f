"""Names in a configuration that refer to nothing, found in the plain data: all at once, each with its own line."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from escalation.config.company import Holder, parse_holder, suggest
from escalation.incident.events import Move
from tocsin.config.yaml_lines import Path

PERMISSIONS = {"declare", *(str(m) for m in Move)}
SECTIONS = {
    "person": ("people",),
    "rotation": ("rotations",),
    "role": ("roles",),
    "team": ("teams",),
    "vendor": ("contacts", "vendors"),
}


class Reference(NamedTuple):
    """A place in the file that names a person, a rotation, a role, a team or a vendor."""

    path: Path
    kind: str
    name: str


def unknown(data: Any) -> list[tuple[Path, str]]:
    """What refers to nothing, as (path, what is wrong; what would be right)."""
    out = []
    for path, kind, name in _references(data):
        known = set(_section(data, *SECTIONS[kind]))
        if name not in known:
            out.append((path, f"there is no {kind} called '{name}'{suggest(name, known)}"))
    for move in _section(data, "permissions"):
        if move not in PERMISSIONS:
            out.append(
                (
                    ("permissions", move),
                    f"nothing is called '{move}' that could be permitted{suggest(move, PERMISSIONS)}",
                )
            )
    return out


def _references(data: Any) -> Iterator[Reference]:
    for role, holders in _section(data, "roles").items():
        for path, text in _items(("roles", role), holders):
            yield from _holder(path, text)
    for name, rotation in _section(data, "rotations").items():
        yield from _named("person", ("rotations", name, "people"), rotation)
    for name, team in _section(data, "teams").items():
        yield from _named("person", ("teams", name, "lead"), team)
        yield from _named("person", ("teams", name, "members"), team)
    for name, service in _section(data, "services").items():
        yield from _named("person", ("services", name, "lead"), service)
        yield from _named("vendor", ("services", name, "vendor"), service)
        if _section(data, "teams"):
            yield from _named("team", ("services", name, "team"), service)
    for move, roles in _section(data, "permissions").items():
        yield from (Reference(p, "role", str(role)) for p, role in _items(("permissions", move), roles))


def _holder(path: Path, text: Any) -> Iterator[Reference]:
    """What cannot be read as a holder is left to the model, which says so."""
    try:
        holder = parse_holder(text)
    except ValueError:
        return
    if isinstance(holder, Holder) and holder.person:
        yield Reference(path, "person", holder.person)
    if isinstance(holder, Holder) and holder.rotation:
        yield Reference(path, "rotation", holder.rotation)


def _named(kind: str, path: Path, body: Any) -> Iterator[Reference]:
    named = body.get(path[-1]) if isinstance(body, dict) else None
    yield from (Reference(p, kind, str(name)) for p, name in _items(path, named))


def _items(path: Path, value: Any) -> list[tuple[Path, Any]]:
    if isinstance(value, list):
        return [((*path, n), item) for n, item in enumerate(value)]
    return [] if value is None else [(path, value)]


def _section(data: Any, *path: str) -> dict[str, Any]:
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}
