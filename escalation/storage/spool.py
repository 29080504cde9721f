"""Spool on disk: bodies that came while Redis was away, in the order in which they came.

Those that came together share a file, a line each: a disk takes as long for one as for a hundred.
Grafana, Uptime Kuma and Sentry never send a failed alert again, so what was answered 202 has to be on the disk. Any
process of this host empties it, one at a time; a body that is handed on twice does no harm, since it is kept once by
its id.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from escalation.storage.intake import Body

MAX_BYTES = 256 * 1024 * 1024
MAX_BODIES = 50_000
COUNT_EVERY = 1.0  # seconds; other processes of the host add and drain as well
BATCH_BODIES, BATCH_BYTES = 200, 8_000_000
TRIAL_BYTES = 1_000_000  # the largest body of most sources: a disk that has less room left is as good as full
SUFFIX, TOGETHER = ".alert", ".alerts"  # of a file with one body, and of one with as many as its name says
BAD = ".unreadable"


class SpoolFull(Exception):
    """The spool holds all that it may."""


class Spool:
    """A folder of bodies. OSError passes through: the disk is full, or the folder is not ours."""

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES, max_bodies: int = MAX_BODIES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_bodies = max_bodies
        self._counted, self._counts_until = (0, 0), 0.0

    def add(self, *bodies: Body) -> None:
        """Write bodies so that they outlive a power cut, all or none. Raises SpoolFull or OSError."""
        if not bodies:
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = b"\n".join(body.dump().encode() for body in bodies)
        count, size = self._about()
        if count + len(bodies) > self._max_bodies or size + len(text) > self._max_bytes:
            raise SpoolFull
        ending = SUFFIX if len(bodies) == 1 else f".{len(bodies)}{TOGETHER}"
        final = self._folder / f"{round(bodies[0].at * 1_000_000):020d}-{bodies[0].id}{ending}"
        partial = final.with_suffix(".partial")
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, final)
        self._counted = (count + len(bodies), size + len(text))
        sync_folder(self._folder)

    def _about(self) -> tuple[int, int]:
        """Return the depth as it was counted a moment ago, with what was added since: a list takes long when full."""
        if time.monotonic() >= self._counts_until:
            self._counted, self._counts_until = self.depth(), time.monotonic() + COUNT_EVERY
        return self._counted

    def holds_any(self) -> bool:
        """Check whether a body waits. OSError passes through."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            return any(_holds(entry.name) for entry in entries)
        return False

    def drain(self, keep: Callable[..., None]) -> int:
        """Hand the bodies on in their order, many at once, and remove them once that is done; returns how many.

        What `keep` raises passes through, and those bodies stay. A file that cannot be read to its end is set aside.
        While another process of the host is at it, nothing is done: two would not keep the order.
        """
        with contextlib.suppress(FileNotFoundError, BlockingIOError), _locked(self._folder):
            return self._drain(keep)
        return 0

    def _drain(self, keep: Callable[..., None]) -> int:
        count = 0
        for paths in self._batches():
            found = [(path, *_read(path)) for path in paths]
            bodies = [body for _, several, _ in found for body in several]
            if bodies:
                keep(*bodies)
            for path, _, whole in found:
                with contextlib.suppress(FileNotFoundError):  # another process was faster
                    path.unlink() if whole else path.rename(path.with_suffix(BAD))
            count += len(bodies)
        self._counts_until = 0.0
        return count

    def _batches(self) -> Iterator[list[Path]]:
        """The files in the order of their bodies, as many together as one transaction may take."""
        batch, count, size = list[Path](), 0, 0
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                size += path.stat().st_size
                count += _holds(path.name)
                batch.append(path)
            if count >= BATCH_BODIES or size >= BATCH_BYTES:
                yield batch
                batch, count, size = [], 0, 0
        if batch:
            yield batch

    def fault(self) -> str:
        """Say why no body would be taken now, as somebody reads it; empty if one would. Writes a file to find out."""
        trial = self._folder / f".trial-{os.getpid()}"
        try:
            count, size = self.depth()
            if count >= self._max_bodies or size >= self._max_bytes:
                return f"it is full: {count} bodies"
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                trial.write_bytes(bytes(TRIAL_BYTES))
            finally:
                trial.unlink(missing_ok=True)
        except OSError as error:
            return error.strerror or type(error).__name__
        return ""

    def depth(self) -> tuple[int, int]:
        """Count the bodies that wait, and their bytes."""
        count = size = 0
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                if holds := _holds(entry.name):
                    with contextlib.suppress(FileNotFoundError):
                        size += entry.stat().st_size
                        count += holds
        return count, size

    def _files(self) -> Iterator[Path]:
        try:
            names = sorted(name for name in os.listdir(self._folder) if _holds(name))
        except FileNotFoundError:
            return
        yield from (self._folder / name for name in names)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, which ends with the process. BlockingIOError while another holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _holds(name: str) -> int:
    """Count the bodies of a file by its name; 0 for one of another kind."""
    if name.endswith(SUFFIX):
        return 1
    count = name.removesuffix(TOGETHER).rpartition(".")[2] if name.endswith(TOGETHER) else ""
    return int(count) if count.isdecimal() and len(count) < 10 else 0


def _read(path: Path) -> tuple[list[Body], bool]:
    """Read the bodies of a file, none if another process was faster; and whether all of it could be read."""
    bodies = list[Body]()
    try:
        for line in path.read_bytes().split(b"\n"):
            bodies.append(Body.load(line))
    except FileNotFoundError:
        return [], True
    except ValueError:
        return bodies, False
    return bodies, len(bodies) == _holds(path.name)


def sync_folder(folder: Path) -> None:
    """Write the folder's own entry through: a file without a name is as good as lost."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
