"""The embedded Valkey: one server for a folder, which survives its watcher and keeps every write."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.support.waiting import WITHIN, eventually, is_held
from tocsin.run import embedded, lifeline

pytestmark = pytest.mark.slow  # each starts processes


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder; whatever serves it in the end is shut down."""
    folder = tmp_path / "data"
    yield folder
    if embedded.running(folder):
        client(folder).shutdown(nosave=True)


def client(folder: Path) -> redis.Redis:
    return redis.Redis.from_url(embedded.url(folder))


def server_id(folder: Path) -> int:
    return int(client(folder).info("server")["process_id"])


def watched(folder: Path) -> "subprocess.Popen[bytes]":
    """A watcher at work on the folder, holding its lock."""
    watcher = subprocess.Popen([sys.executable, "-m", "tocsin.run.embedded", str(folder)], stderr=subprocess.PIPE)
    eventually(lambda: is_held(folder / "valkey.lock") and embedded.running(folder))
    return watcher


def test_it_writes_through_and_never_evicts(data: Path) -> None:
    """What the promise of no lost page rests on."""
    watcher = watched(data)
    wanted = {"appendonly": "yes", "appendfsync": "always", "save": "", "maxmemory-policy": "noeviction", "port": "0"}
    assert {name: client(data).config_get(name)[name] for name in wanted} == wanted
    watcher.terminate()
    assert watcher.wait(timeout=WITHIN) == 0


def test_ending_the_watcher_ends_the_server_and_keeps_the_data(data: Path) -> None:
    """A clean stop; the next start finds everything."""
    first = watched(data)
    client(data).set("key", "value")
    first.terminate()
    assert first.wait(timeout=WITHIN) == 0
    assert not embedded.running(data)
    second = watched(data)
    assert client(data).get("key") == b"value"
    second.terminate()
    second.wait(timeout=WITHIN)


def test_a_killed_server_ends_its_watcher_and_loses_nothing(data: Path) -> None:
    """kill -9 of Valkey: the watcher says so by ending, and the next one serves the same data."""
    watcher = watched(data)
    client(data).set("key", "value")
    os.kill(server_id(data), 9)
    assert watcher.wait(timeout=WITHIN) == 1
    again = watched(data)
    assert client(data).get("key") == b"value"
    again.terminate()
    again.wait(timeout=WITHIN)


def test_a_server_that_lost_its_watcher_is_adopted(data: Path) -> None:
    """kill -9 of the watcher costs nothing: the next one takes over the same server, and ends it in the end."""
    first = watched(data)
    serving = server_id(data)
    first.kill()
    first.wait()
    assert embedded.running(data)
    second = watched(data)
    assert server_id(data) == serving
    second.terminate()
    assert second.wait(timeout=WITHIN) == 0
    assert not embedded.running(data)


def test_the_server_goes_when_the_supervisor_is_gone(data: Path) -> None:
    """The lifeline: its closing shuts the server down cleanly."""
    watcher = subprocess.Popen(
        [sys.executable, "-m", "tocsin.run.embedded", str(data)],
        stdin=subprocess.PIPE,
        env=os.environ | {lifeline.VARIABLE: "stdin"},
    )
    eventually(lambda: embedded.running(data))
    assert watcher.stdin is not None
    watcher.stdin.close()
    assert watcher.wait(timeout=WITHIN) == 0
    assert not embedded.running(data)


def test_a_folder_that_another_server_answers_for_is_refused(data: Path, tmp_path: Path) -> None:
    """A socket in our folder behind which somebody else's data lie."""
    other = tmp_path / "other"
    watcher = watched(other)
    embedded.make_folder(data)
    embedded.socket_path(data).symlink_to(embedded.socket_path(other))
    with pytest.raises(embedded.EmbeddedError, match="answered by a server of"):
        embedded.running(data)
    embedded.socket_path(data).unlink()
    watcher.terminate()
    watcher.wait(timeout=WITHIN)


def test_a_deep_folder_is_served_too(tmp_path: Path) -> None:
    """A socket's path has a limit of about a hundred bytes; a data folder has none."""
    deep = tmp_path / ("long folder name " * 6).strip() / "data"
    assert len(str(embedded.socket_path(deep))) < embedded.LONGEST_SOCKET_PATH
    watcher = watched(deep)
    client(deep).set("key", "value")
    watcher.terminate()
    assert watcher.wait(timeout=WITHIN) == 0
    embedded.socket_path(deep).parent.rmdir()


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    """A file is in the way."""
    (tmp_path / "file").write_text("")
    with pytest.raises(embedded.EmbeddedError, match="set TOCSIN_DATA to another"):
        embedded.make_folder(tmp_path / "file" / "data")


def test_one_folder_has_one_holder(data: Path) -> None:
    """The second one is told, and the lock goes with its holder."""
    with (
        embedded.folder_lock(data, "tocsin.lock"),
        pytest.raises(embedded.FolderTaken, match="Another `tocsin run`"),
        embedded.folder_lock(data, "tocsin.lock"),
    ):
        pass
    with embedded.folder_lock(data, "tocsin.lock"):
        pass
