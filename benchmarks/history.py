"""Read every committed state of every incident and of on call, in order, from the server's append-only files.

The server deletes a file once it has rewritten it; a hard link keeps it. When it restarts after a crash it truncates an
incomplete command, so the files hold exactly what was committed.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from escalation.storage.keeping.packed import POLICIES, kept_in, unpack

Json = dict[str, Any]
ONCALL = "on call"  # stands in place of an incident's id
_PREFIX = b"tocsin:incident:"
_ONCALL = b"tocsin:duty"
_POLICIES = POLICIES.encode()
_OUTCOMES = b"tocsin:intake:log"


def keep(data: Path, kept: Path) -> None:
    """Link new files. Call this more often than the server rewrites."""
    kept.mkdir(exist_ok=True)
    for path in (data / "appendonlydir").glob("*.incr.aof"):
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            os.link(path, kept / path.name)


def states(kept: Path) -> Iterator[tuple[str, Json]]:
    """Yield (incident id, document) for every commit, oldest first; of the on-call state, (ONCALL, document)."""
    policies: dict[bytes, bytes] = {}
    for path in sorted(kept.glob("*.incr.aof"), key=_number):
        with path.open("rb") as file:
            for command in _commands(file):
                if command[0].upper() == b"HSET" and command[1] == _POLICIES:
                    policies |= dict(zip(command[2::2], command[3::2], strict=True))
                if command[0].upper() != b"SET":
                    continue
                if command[1].startswith(_PREFIX):
                    yield str(command[1][len(_PREFIX) :], "utf-8"), json.loads(unpack(command[2], kept_in(policies)))
                elif command[1] == _ONCALL:
                    yield ONCALL, json.loads(command[2])


def outcomes(kept: Path) -> Iterator[Json]:
    """Yield what became of each alert, as it was written down, oldest first."""
    for path in sorted(kept.glob("*.incr.aof"), key=_number):
        with path.open("rb") as file:
            for command in _commands(file):
                if command[0].upper() == b"XADD" and command[1] == _OUTCOMES:
                    yield json.loads(command[-1])


def _number(path: Path) -> int:
    """Sequence number of a file: `appendonly.aof.12.incr.aof` -> 12."""
    return int(path.name.split(".")[-3])


def _commands(file: IO[bytes]) -> Iterator[list[bytes]]:
    """Yield the commands of a file: https://valkey.io/topics/protocol. An incomplete last one was not acknowledged."""
    while head := file.readline():
        if head.startswith(b"#"):
            continue
        command = [_argument(file) for _ in range(int(head[1:]))]
        if any(part is None for part in command):
            return
        yield [part for part in command if part is not None]


def _argument(file: IO[bytes]) -> bytes | None:
    head = file.readline()
    if not head.endswith(b"\r\n"):
        return None
    size = int(head[1:])
    whole = file.read(size + 2)
    return whole[:size] if len(whole) == size + 2 else None
