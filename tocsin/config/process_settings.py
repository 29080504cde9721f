"""Checks of the variables that set up our processes: folders, addresses, workers, log. All raise ValueError."""

from pathlib import Path

from tocsin.config.addresses import Address, parse_address

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def data(folder: str) -> Path:
    """Check the folder for the state."""
    path = Path(folder).expanduser().resolve()
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file; name a folder, which is made if it is missing")
    return path


def status_dir(folder: str | None, data: str) -> Path:
    """Check the folder for the status page."""
    path = Path(folder or Path(data) / "status").expanduser().resolve()
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file; name a folder for the status page, which is made if it is missing")
    return path


def sandbox_listen(text: str) -> Address:
    """Check the address of the local workspace: for this machine alone."""
    address = parse_address(text)
    if not address.loopback:
        raise ValueError(
            f"{address} is open to others, and the local workspace has no passwords; use 127.0.0.1:{address.port}"
        )
    return address


def workers(text: str) -> int:
    """Check the number of workers."""
    if not text.strip().isdecimal() or int(text) > 64:
        raise ValueError(f"'{text}' is not a number of workers; write 0 to 64")
    return int(text)


def log_level(text: str | None) -> str | None:
    """Check the level of the log."""
    if text and text.upper() not in LOG_LEVELS:
        raise ValueError(f"'{text}' is not a level; write {', '.join(LOG_LEVELS)}")
    return text.upper() if text else None
