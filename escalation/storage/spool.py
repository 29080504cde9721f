"""Spool on disk: bodies that came while Redis was away, one file each, in the order in which they came.

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
MAX_FILES = 50_000
COUNT_EVERY = 1.0  # seconds; other processes of the host add and drain as well
BATCH_FILES, BATCH_BYTES = 200, 8_000_000
TRIAL_BYTES = 1_000_000  # the largest body of most sources: a disk that has less room left is as good as full
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
        self._counted, self._counts_until = (0, 0), 0.0

    def add(self, *bodies: Body) -> None:
        """Write bodies so that they outlive a power cut. Raises SpoolFull or OSError; some may be written then."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for body in bodies:
            self._write(body)
        _sync(self._folder)

    def _write(self, body: Body) -> None:
        text = body.dump().encode()
        files, size = self._about()
        if files >= self._max_files or size + len(text) > self._max_bytes:
            raise SpoolFull
        final = self._folder / f"{round(body.at * 1_000_000):020d}-{body.id}{SUFFIX}"
        partial = final.with_suffix(".partial")
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, final)
        self._counted = (files + 1, size + len(text))

    def _about(self) -> tuple[int, int]:
        """Return the depth as it was counted a moment ago, with what was added since: a list takes long when full."""
        if time.monotonic() >= self._counts_until:
            self._counted, self._counts_until = self.depth(), time.monotonic() + COUNT_EVERY
        return self._counted

    def holds_any(self) -> bool:
        """Check whether a body waits. OSError passes through."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            return any(entry.name.endswith(SUFFIX) for entry in entries)
        return False

    def drain(self, keep: Callable[..., None]) -> int:
        """Hand the bodies on in their order, many at once, and remove them once that is done; returns how many.

        What `keep` raises passes through, and those bodies stay. A file that cannot be read is set aside, not lost.
        While another process of the host is at it, nothing is done: two would not keep the order.
        """
        with contextlib.suppress(FileNotFoundError, BlockingIOError), _locked(self._folder):
            return self._drain(keep)
        return 0

    def _drain(self, keep: Callable[..., None]) -> int:
        count = 0
        for paths in self._batches():
            bodies = [body for path in paths if (body := _read(path))]
            if bodies:
                keep(*bodies)
            for path in paths:
                path.unlink(missing_ok=True)
            count += len(bodies)
        self._counts_until = 0.0
        return count

    def _batches(self) -> Iterator[list[Path]]:
        """The files in the order of their bodies, as many together as one transaction may take."""
        batch, size = list[Path](), 0
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                size += path.stat().st_size
                batch.append(path)
            if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def fault(self) -> str:
        """Say why no body would be taken now, as somebody reads it; empty if one would. Writes a file to find out."""
        trial = self._folder / f".trial-{os.getpid()}"
        try:
            files, size = self.depth()
            if files >= self._max_files or size >= self._max_bytes:
                return f"it is full: {files} bodies"
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


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, which ends with the process. BlockingIOError while another holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> Body | None:
    """Read a body; None if another process was faster, or if it is damaged and now set aside."""
    try:
        return Body.load(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        path.rename(path.with_suffix(BAD))
        return None


def _sync(folder: Path) -> None:
    """Write the folder's own entry through: a file without a name is as good as lost."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
