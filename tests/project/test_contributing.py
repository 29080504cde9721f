"""docs/contributing.md: the walk through a new channel is built as the page says, and its page arrives."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(python|diff)\n# file: (\S+)\n(.*?)```", re.DOTALL)
BLOCKS = [(kind, file, text) for kind, file, text in BLOCK.findall(PAGE)]
NEEDED = (
    *("escalation", "bot", "workers", "tocsin", "sandbox", "benchmarks"),
    *("tests/support", "tests/__init__.py", "pyproject.toml"),
)


def added(text: str, diff: str) -> str:
    """A file with the lines that a diff of the page adds, each below the line that the page shows before it."""
    for before, new in re.findall(r"^ (.*\n)((?:\+.*\n)+)", diff, re.MULTILINE):
        assert text.count(before) == 1, f"the page adds something below a line that is not there once: {before!r}"
        text = text.replace(before, before + re.sub(r"^\+", "", new, flags=re.MULTILINE))
    return text


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """The project with the channel of the page."""
    for name in NEEDED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, tmp_path / name)
    for kind, file, text in BLOCKS:
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(added(path.read_text(), text) if kind == "diff" else text)
    return tmp_path


def test_a_channel_is_two_new_files_and_a_few_lines_in_three() -> None:
    """Its client, its planner, its settings, and one line of registration."""
    new = {file for kind, file, _ in BLOCKS if kind == "python" and not file.startswith("tests/")}
    touched = {file for kind, file, _ in BLOCKS if kind == "diff"}
    assert new == {"workers/channels/pager.py", "workers/delivery/pager.py"}
    assert touched == {"tocsin/config/settings.py", "escalation/config/notify.py", "tocsin/run/channels.py"}
    registered = [line for _, file, text in BLOCKS if file == "tocsin/run/channels.py" for line in text.splitlines()]
    assert len([line for line in registered if line.startswith("+    Channel(")]) == 1
    lines = sum(text.count("\n+") for kind, _, text in BLOCKS if kind == "diff")
    assert lines <= 8


@pytest.mark.slow  # tests in a process of their own
def test_what_the_page_builds_pages_people(built: Path) -> None:
    """The page's own test passes, in a copy of the project with the page's channel in it."""
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "tests/workers/test_pager.py"]
    environment = {**os.environ, "PYTHONPATH": str(built)}
    done = subprocess.run(command, cwd=built, env=environment, capture_output=True, text=True, check=False)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_every_place_that_the_page_names_is_there() -> None:
    """Folders and files, but for those that it says come later."""
    named = set(re.findall(r"`((?:escalation|bot|workers|tocsin|tests)/[\w/.]*)`", PAGE))
    later = {"bot/alerts/", "escalation/alerts/"}
    assert [name for name in sorted(named - later) if not (ROOT / name).exists()] == []
