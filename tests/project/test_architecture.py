"""The rooms of the house: who may import whom, and how long a function may be."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("escalation", "bot", "workers", "sandbox", "tocsin")
MAY_IMPORT = {
    "escalation": {"escalation", "pydantic"},
    "bot": {"bot", "escalation"},
    "workers": {"workers", "escalation", "bot"},
    "sandbox": {"sandbox"},
    "tocsin": set(ROOMS),
}
PURE_BOT = {"bot.render", "bot.alerts"}


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imported(path: Path) -> set[str]:
    """Every module that a file imports, at any depth."""
    tree = parsed(path)
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    froms = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module]
    return names | {n.module or "" for n in froms} | {f"{n.module}.{a.name}" for n in froms for a in n.names}


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_inward(room: str) -> None:
    """A room knows the rooms further in, and no others."""
    for path in modules(room):
        rooms = {name.split(".")[0] for name in imported(path)} & set(ROOMS)
        assert rooms <= MAY_IMPORT[room], path


def test_the_domain_does_no_io_but_in_the_store() -> None:
    """escalation imports the standard library and pydantic; its storage alone adds redis."""
    outside = {"redis", "rq", "slack_sdk", "slack_bolt", "aiohttp", "httpx2", "starlette", "yaml", "structlog", "click"}
    for path in modules("escalation"):
        found = {name.split(".")[0] for name in imported(path)} & outside
        assert found <= ({"redis"} if "storage" in path.parts else set()), path


def test_workers_use_only_the_pure_part_of_the_bot() -> None:
    """Workers render cards and read alerts; they do not talk to people."""
    for path in modules("workers"):
        used = {".".join(n.split(".")[:2]) for n in imported(path) if n.startswith("bot.")}
        assert used <= PURE_BOT, path


def test_the_domain_never_reads_a_clock() -> None:
    """Time comes in as an argument: no datetime.now, utcnow or time.time in escalation."""
    for path in modules("escalation"):
        calls = {n.attr for n in ast.walk(parsed(path)) if isinstance(n, ast.Attribute)}
        assert not calls & {"utcnow", "today"}, path
        assert "datetime.now" not in path.read_text(), path


@pytest.mark.parametrize("room", ROOMS)
def test_functions_fit_on_a_screen(room: str) -> None:
    """No function is longer than fifty lines."""
    for path in modules(room):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= 50, f"{path.name}:{node.lineno} {node.name} has {length} lines"
