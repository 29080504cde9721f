"""Reading of exports: JSON in one file, in a folder, or in a ZIP archive; fields of the type that they must have."""

import json
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from escalation.times import known_zone
from tocsin.imports.model import ImportFault

MAX_BYTES = 200_000_000  # of all JSON together: a backup of thousands of people has a few megabytes
BIGGEST = 10**10  # of a number that means anything: in seconds, three centuries
YEARS = range(1971, 2200)
Json = dict[str, Any]


def documents(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield every JSON document with its name. Raises ImportFault for what is missing, cut off, or no JSON."""
    if path.is_dir():
        files = sorted(path.rglob("*.json"))
        if not files:
            raise ImportFault(f"{path} holds no .json file")
        yield from ((str(file.relative_to(path)), _parsed(str(file), file.read_bytes())) for file in files)
    elif not path.is_file():
        raise ImportFault(f"there is no file {path}")
    elif zipfile.is_zipfile(path):
        yield from _archived(path)
    else:
        yield path.name, _parsed(str(path), path.read_bytes())


def _archived(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            files = [info for info in archive.infolist() if info.filename.endswith(".json")]
            if sum(info.file_size for info in files) > MAX_BYTES:
                raise ImportFault(f"{path} unpacks to more than {MAX_BYTES // 1_000_000} MB")
            for info in sorted(files, key=lambda info: info.filename):
                yield info.filename, _parsed(f"{path}: {info.filename}", archive.read(info))
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError) as error:
        raise ImportFault(f"{path} is a damaged archive ({error}); export it again") from None
    except (RuntimeError, NotImplementedError) as error:  # of a file with a password, or packed in another way
        raise ImportFault(f"{path} cannot be unpacked ({error}); unpack it, and give the folder") from None


def _parsed(name: str, raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ImportFault(f"{name} is no JSON, or was cut off ({error}); export it again") from None


def items(data: Any, where: str) -> list[Json]:
    """Return a list of objects; ImportFault names the place where something else stands."""
    if data is None:
        return []
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise ImportFault(f"{where} is not a list of objects; is this the export of another tool?")
    return data


def text(data: Json, *names: str) -> str:
    """Return the first of these fields that holds text or a number; empty when none does."""
    found = (data.get(name) for name in names)
    return next((str(value).strip() for value in found if isinstance(value, str | int | float) and value != ""), "")


def number(data: Json, name: str, where: str, default: int = 0) -> int:
    """Return a whole number; ImportFault otherwise."""
    value = data.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < BIGGEST or value != int(value):
        raise ImportFault(f"{where}.{name} is not a whole number")
    return int(value)


def zone(name: str, where: str) -> str:
    """Return a known time zone; UTC when none is given. ImportFault for one that nobody knows."""
    try:
        return known_zone(name) if name else "UTC"
    except ValueError as error:
        raise ImportFault(f"{where}: {error}") from None


def instant(value: Any, where: str, local_zone: str = "UTC") -> datetime | None:
    """Return an instant in UTC; without an offset it is local, and a number counts milliseconds.

    None for nothing, and for the year 1 or 9999 by which programs say so; ImportFault for what is no instant.
    """
    if value in (None, ""):
        return None
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC)
        found = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        raise ImportFault(f"{where} is '{value}', which is no date with a time") from None
    if found.year not in YEARS:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(local_zone))).astimezone(UTC)


def needed(value: datetime | None, where: str) -> datetime:
    """Return an instant that has to be there."""
    if value is None:
        raise ImportFault(f"{where} is missing")
    return value


def clock(value: Any, where: str) -> time:
    """Return a time of day of `09:00:00`."""
    try:
        return time.fromisoformat(str(value)).replace(tzinfo=None)
    except ValueError:
        raise ImportFault(f"{where} is '{value}', which is no time of day") from None


def seconds(data: Json, name: str, where: str) -> timedelta:
    """Return a length in seconds, more than none."""
    found = number(data, name, where)
    if found <= 0:
        raise ImportFault(f"{where}.{name} is {found}; a length is more than no seconds")
    return timedelta(seconds=found)


def phone(value: str) -> str:
    """Return a telephone number in international form, `+4915112345678`; empty for what is none."""
    digits = re.sub(r"[^\d+]", "", value)
    return digits if re.fullmatch(r"\+[1-9]\d{6,14}", digits) else ""
