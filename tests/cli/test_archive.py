"""`tocsin export --all` and `tocsin import tocsin`: to another machine and back, and what cannot be imported."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner, Result

from escalation.storage.heartbeats import beat
from escalation.storage.store import Store
from tests.support.story import Story
from tocsin.cli import main
from tocsin.config.settings import Environment
from tocsin.run import embedded

ROOT = Path(__file__).parents[2]
ID = "INC-20241218-001"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder that is being served, with one incident."""
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "old"
    embedded.make_folder(folder)
    embedded.start(folder)
    client = redis.Redis.from_url(embedded.url(folder))
    Store(client, lambda pipe, changes: None).declare("20241218", "", lambda _: Story("P1").incident)
    monkeypatch.setenv("TOCSIN_DATA", str(folder))
    yield folder
    client.shutdown(nosave=True)


def tocsin(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def imported(file: Path) -> "subprocess.CompletedProcess[str]":
    return apart("import", "tocsin", str(file))


def apart(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """In a process of its own: the embedded server inherits its streams."""
    command = [sys.executable, "-m", "tocsin", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_everything_moves_to_another_machine(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exported, imported into a new folder whose Tocsin does not run, and exported there: the same file."""
    file = tmp_path / "all.jsonl"
    assert tocsin("export", "--all", "--to", str(file)).exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob(".*.part"))
    new = tmp_path / "new"
    monkeypatch.setenv("TOCSIN_DATA", str(new))
    found = imported(file)
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith("Imported ")
    assert not embedded.running(new)
    assert "not empty" in imported(file).stderr
    assert apart("export", "--all").stdout.encode() == file.read_bytes()  # stopped, as for a move
    assert not embedded.running(new)
    embedded.start(new)
    try:
        assert tocsin("export", "--all").stdout.encode() == file.read_bytes()
        assert tocsin("show", ID).exit_code == 0
        assert "Stop it first" in tocsin("import", "tocsin", str(file)).output
    finally:
        redis.Redis.from_url(embedded.url(new)).shutdown(nosave=True)


def test_a_running_tocsin_elsewhere_is_not_written_to(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With REDIS_URL the heartbeats tell."""
    file = tmp_path / "all.jsonl"
    tocsin("export", "--all", "--to", str(file))
    client = redis.Redis.from_url(embedded.url(data))
    client.flushall()
    beat(client, "tocsin:alive:ticker:host:1", 0)
    monkeypatch.setenv("REDIS_URL", embedded.url(data))
    found = tocsin("import", "tocsin", str(file))
    assert (found.exit_code, "Stop it first" in found.output) == (1, True)
    client.flushall()
    assert tocsin("import", "tocsin", str(file)).exit_code == 0


@pytest.mark.parametrize("size", [0.5, 0.99])
def test_a_file_that_was_cut_off_is_refused_with_the_line(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: float
) -> None:
    """Nothing is imported, and the new folder stays empty."""
    file = tmp_path / "all.jsonl"
    tocsin("export", "--all", "--to", str(file))
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * size)])
    monkeypatch.setenv("TOCSIN_DATA", str(tmp_path / "new"))
    found = imported(file)
    assert found.returncode == 1
    assert f"{file}: line " in found.stderr
    assert "Nothing was imported." in found.stderr
    file.write_bytes(whole)
    assert imported(file).returncode == 0


def test_bad_calls_say_what_to_write(data: Path, tmp_path: Path) -> None:
    """Neither an id nor --all, both, a file that exists or is missing, a folder that is missing."""
    assert "--all for everything" in tocsin("export").output
    assert tocsin("export", ID, "--all").exit_code == 2
    assert tocsin("export", ID, "--to", "x").exit_code == 2
    (tmp_path / "there").write_text("mine")
    assert "exists already" in tocsin("export", "--all", "--to", str(tmp_path / "there")).output
    assert "cannot be written" in tocsin("export", "--all", "--to", str(tmp_path / "no" / "x")).output
    assert "cannot be read" in tocsin("import", "tocsin", str(tmp_path / "missing")).output
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert (tmp_path / "there").read_text() == "mine"
