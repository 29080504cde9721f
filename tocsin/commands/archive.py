"""`tocsin export --all` and `tocsin import tocsin`: the whole record into a file, and back into an empty store."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from redis import Redis

from escalation.storage import archive
from escalation.storage.archive import ArchiveFault, NotEmpty
from escalation.storage.heartbeats import alive
from tocsin.config.settings import Settings
from tocsin.errors import Refusal
from tocsin.run import embedded
from tocsin.run import redis as server

GO_ON = "Open incidents go on as soon as Tocsin is started: pages are due again."
RUNNING = "Tocsin is running there. Stop it first: it would write meanwhile."


def export_all(redis: Redis, to: Path | None) -> None:
    """Write the archive to a file that only its owner can read, or to standard output."""
    if to is None:
        for line in archive.export(redis):
            click.echo(line)
        return
    if to.exists():
        raise Refusal(f"{to} exists already.")
    draft = to.with_name(f".{to.name}.part")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in archive.export(redis))
            out.flush()
            os.fsync(out.fileno())
        draft.replace(to)
    except OSError as error:
        raise Refusal(f"{to} cannot be written: {error.strerror}.") from None
    finally:
        draft.unlink(missing_ok=True)
    click.echo(f"Written: {to}. It holds everything, private incidents and addresses too: keep it safe.", err=True)


def import_all(file: Path, settings: Settings) -> int:
    """Write an archive into an empty store, whole or not at all. Returns how many records there are."""
    try:
        opened = file.open(encoding="utf-8", newline="\n")
    except OSError as error:
        raise Refusal(f"{file} cannot be read: {error.strerror}.") from None
    try:
        with opened as lines, _stopped(settings) as redis:
            return archive.load(redis, lines)
    except UnicodeDecodeError:
        raise Refusal(f"{file}: this is no export of Tocsin (`tocsin export --all`). Nothing was imported.") from None
    except ArchiveFault as fault:
        raise Refusal(f"{file}: {fault}. Nothing was imported.") from None
    except NotEmpty:
        raise Refusal("The store is not empty. Import into a new one: an empty TOCSIN_DATA or REDIS_URL.") from None


@contextmanager
def _stopped(settings: Settings) -> Iterator[Redis]:
    """Connect to the store of a Tocsin that is not running; the embedded server is started for as long as it takes."""
    if settings.redis_url is not None:
        with server.connect(settings) as redis:
            if alive(redis):
                raise Refusal(RUNNING)
            yield redis
        return
    embedded.make_folder(settings.data)
    if embedded.running(settings.data):
        raise Refusal(RUNNING)
    with started(settings) as redis:
        yield redis


def at_rest(settings: Settings) -> bool:
    """True if there is a record in the data folder, and nothing serves it."""
    kept = settings.redis_url is None and (settings.data / "appendonlydir").is_dir()
    return kept and not embedded.running(settings.data)


@contextmanager
def started(settings: Settings) -> Iterator[Redis]:
    """Start the embedded server of a Tocsin that does not run, for as long as it takes."""
    with embedded.folder_lock(settings.data, "valkey.lock"):
        embedded.start(settings.data)
        redis = server.connect(settings)
        try:
            yield redis
        finally:
            redis.shutdown(save=True)
