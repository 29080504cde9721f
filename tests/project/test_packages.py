"""The packages inside the rooms: imports point inward, nothing goes round, and docs/architecture.md has the picture."""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
# From the inside out: a package may import those before it, and no others.
ORDER = {
    "escalation": (
        *(
            "hosts",
            "webhooks",
            "processes",
            "values",
            "times",
            "text",
            "errors",
            "slo",
            "records",
            "config",
            "alerts",
            "notify",
            "oncall",
            "incident",
            "figures",
            "pay",
        ),
        *(
            "engine",
            "replay",
            "dead_man",
            "messages",
            "reviews",
            "search",
            "status_page",
            "storage",
            "service",
            "answers",
            "alert_service",
            "simulation",
            "reports",
        ),
    ),
    "bot": (
        *(
            "slack",
            "alerts",
            "keeper",
            "doors",
            "deps",
            "vocabulary",
            "errors",
            "pages",
            "render",
            "parsing",
            "moves",
            "access",
            "likeness",
            "handlers",
            "app",
        ),
        *("directory", "bot", "http", "process"),
    ),
    "workers": (
        "metrics",
        "queue",
        "channels",
        "context",
        "inbound_mail",
        "alerts",
        "delivery",
        "recurring",
        "clock",
        "jobs",
        "process",
    ),
    "tocsin": (
        "errors",
        "config",
        "run",
        "accounts",
        "imports",
        "commands",
        "doctor",
        "watchdog",
        "mcp",
        "cli",
        "__main__",
    ),
}
MOST = 16  # modules in a folder, its __init__ included
Edges = dict[str, set[str]]


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module(path): path for room in ORDER for path in sorted((ROOT / room).rglob("*.py"))}


def package(name: str) -> str:
    """`escalation.engine.moves` -> `escalation.engine`; a module at the top of a room stands for itself."""
    return ".".join(name.split(".")[:2])


def imported(path: Path) -> set[str]:
    """The modules of ours that a file imports, inside functions too."""
    froms = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom) and n.module]
    named = {f"{n.module}.{a.name}" for n in froms for a in n.names}
    return (named | {str(n.module) for n in froms}) & set(MODULES)


@cache
def edges() -> Edges:
    """Package -> the packages that it imports."""
    found: Edges = {package(name): set() for name in MODULES if "." in name}
    for name, path in MODULES.items():
        if "." in name:
            mine = package(name)
            found[mine] |= {package(other) for other in imported(path) if "." in other} - {mine}
    return found


def reduced(arrows: Edges) -> Edges:
    """Without the arrows that follow from others."""

    def reaches(start: str, end: str) -> bool:
        return any(n == end or reaches(n, end) for n in arrows[start])

    return {a: {b for b in to if not any(reaches(c, b) for c in to - {b})} for a, to in arrows.items()}


def picture() -> str:
    """The packages of each room in their order, as Mermaid."""
    lines = ["```mermaid", "flowchart BT"]
    for room, order in ORDER.items():
        lines += [f"  subgraph {room}", *(f"    {room}.{p}[{p}]" for p in order), "  end"]
    for room, order in ORDER.items():
        inside = {f"{room}.{p}": {t for t in edges()[f"{room}.{p}"] if t.startswith(f"{room}.")} for p in order}
        lines += [f"  {a} --> {b}" for a, to in reduced(inside).items() for b in sorted(to)]
    rooms = {
        room: {b.split(".")[0] for a, to in edges().items() if a.startswith(f"{room}.") for b in to} for room in ORDER
    }
    lines += [
        f"  {a} --> {b}" for a, to in reduced({r: to - {r} for r, to in rooms.items()}).items() for b in sorted(to)
    ]
    return "\n".join([*lines, "```"])


@pytest.mark.parametrize("room", ORDER)
def test_every_package_has_its_place(room: str) -> None:
    """A new one is put into the order here."""
    assert {name.split(".")[1] for name in edges() if name.startswith(f"{room}.")} == set(ORDER[room])


@pytest.mark.parametrize("room", ORDER)
def test_imports_point_inward(room: str) -> None:
    """No arrow goes upward, so none goes round."""
    names = [f"{room}.{p}" for p in ORDER[room]]
    upward = [(a, b) for n, a in enumerate(names) for b in edges()[a] if b in names[n:]]
    assert upward == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Inside a package too, apart from an import for types alone."""
    arrows = {name: imported(path) - {name} for name, path in MODULES.items()}
    arrows["workers.channels"] -= {"workers.channels.slack"}  # for types: the client imports what stands there
    done: set[str] = set()

    def walk(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way, name))
        if name not in done:
            for other in sorted(arrows[name]):
                walk(other, (*way, name))
            done.add(name)

    for name in arrows:
        walk(name, ())


def test_the_picture_shows_the_packages_as_they_are() -> None:
    """docs/architecture.md; on a failure, the picture as it should be."""
    shown = re.search(r"```mermaid.*?```", PAGE, re.DOTALL)
    assert shown
    assert shown[0] == picture(), picture()


def test_folders_stay_small() -> None:
    """No folder with more than sixteen modules, those of the tests among them."""
    paths = [*MODULES.values(), *(ROOT / "tests").rglob("*.py")]
    folders = Counter(str(path.parent.relative_to(ROOT)) for path in paths)
    assert {folder: n for folder, n in folders.items() if n > MOST} == {}
