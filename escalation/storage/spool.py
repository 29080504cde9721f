"""Spool on disk: bodies that came while Redis was away, one file each, in the order in which they came.

Grafana, Uptime Kuma and Sentry never send a failed alert again, so what was answered 202 has to be on the disk. Any
process of this host empties it; two that take the same file do no harm, since a body is kept once by its id.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from escalation.storage.intake import Body

MAX_BYTES = 256 * 1024 * 1024
MAX_FILES = 50_000
SUFFIX = ".alert"
BAD = ".unreadable"


class SpoolFull(Exception):
    """The spool holds all that it may."""


class Spool:
    """A folder of bodies. OSError passes through: the disk is full, or the folder is not ours."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES, max_files: int = MAX_FILES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_files = max_files

    def add(self, body: Body) -> None:
        """Write a body so that it outlives a power cut. Raises SpoolFull or OSError."""
        text = body.dump().encode()
        files, size = self.depth()
        if files >= self._max_files or size + len(text) > self._max_bytes:
            raise SpoolFull
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        final = self._folder / f"{round(body.at * 1_000_000):020d}-{body.id}{SUFFIX}"
        partial = final.with_suffix(".partial")
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, final)
        _sync(self._folder)

    def drain(self, keep: Callable[[Body], None]) -> int:
        """Hand each body on in its order, and remove it once that is done; returns how many.

        What `keep` raises passes through, and that body stays. A file that cannot be read is set aside, not lost.
        """
        count = 0
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                try:
                    body = Body.load(path.read_bytes())
                except ValueError:
                    path.rename(path.with_suffix(BAD))
                    continue
                keep(body)
                path.unlink()
                count += 1
        return count

    def depth(self) -> tuple[int, int]:
        """Count the bodies that wait, and their bytes."""
        files = size = 0
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX):
                    with contextlib.suppress(FileNotFoundError):
                        size += entry.stat().st_size
                        files += 1
        return files, size

    def _files(self) -> Iterator[Path]:
        try:
            names = sorted(name for name in os.listdir(self._folder) if name.endswith(SUFFIX))
        except FileNotFoundError:
            return
        yield from (self._folder / name for name in names)


def _sync(folder: Path) -> None:
    """Write the folder's own entry through: a file without a name is as good as lost."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
