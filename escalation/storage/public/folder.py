"""The folder of the status page on disk, which any web server can serve.

All files are staged, written through and then renamed one by one, the first page last: a full disk leaves the old ones
whole. Any process of a host may do it, one at a time. While none does, the page goes stale by itself, and says so.
"""

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from escalation.config.status_page import StatusPage
from escalation.status_page.files import FEED, INDEX, SUMMARY, render
from escalation.storage.problems import Problems
from escalation.storage.public.log import PublicLog
from escalation.storage.public.maintenance import PlannedMaintenance
from escalation.storage.spool import sync_folder

RENEWED_EVERY = timedelta(minutes=1)
STAGING, LOCK, STATE = ".staging", ".lock", ".state"
PROBLEM = "status_page:folder"
REMEDY = "free space on that disk, or let Tocsin write to TOCSIN_STATUS_DIR"


class StatusFolder:
    """The folder, and what keeps it up to date. `subscribe` is where people subscribe by mail; empty: nowhere."""

    def __init__(self, folder: Path, page: StatusPage, log: PublicLog, problems: Problems, subscribe: str = "") -> None:
        self.folder = folder
        self.subscribe = subscribe
        self.title = page.title
        self._page = page
        self._log = log
        self._planned = PlannedMaintenance(log.redis)
        self._problems = problems
        self._failed = False

    def renew(self, now: datetime) -> bool:
        """Write the folder if something was published, or it will soon be stale; True if it was written.

        RedisError passes through. A disk that refuses is a problem that people see.
        """
        try:
            written = self._renew(now)
        except OSError as error:
            text = f"the status page cannot be written ({error.strerror or type(error).__name__})"
            self._problems.report(PROBLEM, text, REMEDY)
            self._failed = True
            if self._state().get("withdrawn", 0) != self._log.withdrawn():
                _remove(self.folder)  # rather no page than one that shows what became private
            return False
        if written and (self._failed or self._problems.known(PROBLEM)):
            self._problems.clear(PROBLEM)
            self._failed = False
        return written

    def _renew(self, now: datetime) -> bool:
        version = self._log.version()
        if self._is_current(version, now):
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        with _locked(self.folder / LOCK) as ours:
            if not ours or self._is_current(version, now):
                return False
            version = self._log.version()  # before what it counts is read: at worst it is written once more
            windows = self._planned.all(self._page.maintenance)
            page = self._page.model_copy(update={"maintenance": tuple(windows)})
            files = render(page, self._log.publications(), now, self.subscribe)
            state = {"version": version, "at": now.timestamp(), "page": self._shown()}
            state["withdrawn"] = self._log.withdrawn()
            write(self.folder, files, json.dumps(state).encode())
        return True

    def _is_current(self, version: int, now: datetime) -> bool:
        state = self._state()
        age = now.timestamp() - float(state.get("at", 0.0))
        same = state.get("version") == version and state.get("page") == self._shown()
        return same and 0 <= age < RENEWED_EVERY.total_seconds()

    def _shown(self) -> dict[str, Any]:
        """What the configuration has the page show."""
        return {**self._page.model_dump(mode="json"), "subscribe": self.subscribe}

    def _state(self) -> dict[str, Any]:
        """What the folder was last written from; empty if it never was."""
        try:
            return dict(json.loads((self.folder / STATE).read_bytes()))
        except (OSError, ValueError):
            return {}


def write(folder: Path, files: Mapping[str, bytes], state: bytes) -> None:
    """Write all files into the folder, or none while the disk takes no more. Removes pages that are no more."""
    staging = folder / STAGING
    everything = {**files, STATE: state}
    shutil.rmtree(staging, ignore_errors=True)
    try:
        for path, content in everything.items():
            _write_through(staging / path, content)
        _put_in_place(folder, everything)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    for old in [p for p in folder.glob("history/*/index.html") if str(p.relative_to(folder)) not in files]:
        old.unlink()
        with contextlib.suppress(OSError):
            old.parent.rmdir()
    for each in {folder, *((folder / path).parent for path in files)}:
        sync_folder(each)


def _put_in_place(folder: Path, everything: Iterable[str]) -> None:
    staging = folder / STAGING
    for path in sorted(everything, key=lambda p: (p in (INDEX, STATE), p)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(staging / path, folder / path)


def _remove(folder: Path) -> None:
    """Remove every file that holds published words."""
    for path in (*folder.rglob("*.html"), folder / FEED, folder / SUMMARY):
        path.unlink(missing_ok=True)


def _write_through(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold the folder's lock; False while another process holds it, which then does the work."""
    with open(path, "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
