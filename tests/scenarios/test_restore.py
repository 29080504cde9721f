"""A backup brought back as docs/deployment.md says, and what happens to the incidents in it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

import sandbox.server
from benchmarks.ports import free_port
from escalation.incident.state.entries import EntryKind
from tests.scenarios.test_sentinel import BINARIES, answers
from tests.support.clock import PushedClock
from tests.support.company import user
from tests.support.waiting import eventually
from tests.support.worker import connect, works

pytestmark = pytest.mark.slow


@contextmanager
def serving(binary: str, folder: Path, appendonly: str) -> Iterator["redis.Redis"]:
    """A server on a folder, killed in the end."""
    port = free_port()
    settings = ("--appendonly", appendonly, "--appendfsync", "always", "--save", "")
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *settings]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: answers(port))
        yield connect(port)
    finally:
        process.kill()
        process.wait()


def saved(client: "redis.Redis") -> bool:
    return not client.info("persistence")["rdb_bgsave_in_progress"]


def rewritten(client: "redis.Redis") -> bool:
    told = client.info("persistence")
    return not told["aof_rewrite_in_progress"] and not told["aof_rewrite_scheduled"]


@pytest.mark.parametrize("name", BINARIES)
def test_what_a_restored_backup_owes_is_done_and_said(name: str, tmp_path: Path) -> None:
    """The tiers that were not paged are, the thread says that Tocsin was away, and nothing is sent twice."""
    binary, clock = BINARIES[name], PushedClock()
    if not binary:
        pytest.skip(f"there is no {name}-server on this machine")
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    with sandbox.server.running(clock=clock.seconds) as workspace:
        with serving(binary, before, "yes") as client:
            lost = works(client, workspace, clock)
            incident = lost.declare("P0", by=user("paula"))
            lost.run()
            client.bgsave()
            eventually(lambda: saved(client))
        shutil.copy(before / "dump.rdb", after)
        clock.push(minutes=40)
        with serving(binary, after, "no") as client:
            client.config_set("appendonly", "yes")
            eventually(lambda: rewritten(client))
        with serving(binary, after, "yes") as client:
            restored = works(client, workspace, clock)
            assert [i.id for i in restored.store.open_incidents()] == [incident.id]
            restored.run()
            now = restored.settled(incident)
    assert [e.kind for e in now.timeline].count(EntryKind.RECOVERED) == 1
    assert now.tiers_paged == (1, 2, 3)


@pytest.mark.parametrize("name", BINARIES)
def test_a_server_with_an_append_only_file_ignores_a_dump(name: str, tmp_path: Path) -> None:
    """Why the guide starts it without one first."""
    if not BINARIES[name]:
        pytest.skip(f"there is no {name}-server on this machine")
    with serving(BINARIES[name], tmp_path, "no") as client:
        client.set("kept", "yes")
        client.save()
    with serving(BINARIES[name], tmp_path, "yes") as client:
        assert client.get("kept") is None
