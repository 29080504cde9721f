"""End a child process when its supervisor is gone, which shows as the end of the pipe on standard input.

The kernel closes that pipe whatever ends the supervisor, kill -9 included, on Linux and macOS alike.
"""

import os
import select
import threading

VARIABLE = "TOCSIN_LIFELINE"


def exit_with_supervisor() -> bool:
    """End this process at once when its supervisor ends; False if it has none (started by hand)."""
    if os.environ.pop(VARIABLE, "") != "stdin":
        return False
    threading.Thread(target=_wait, name="lifeline", daemon=True).start()
    return True


def is_supervised() -> bool:
    """True if a supervisor started this process and `exit_with_supervisor` was not called yet."""
    return os.environ.get(VARIABLE) == "stdin"


def supervisor_is_gone() -> bool:
    """True if the supervisor that started this process has ended. For callers that poll and may have no threads."""
    return is_supervised() and bool(select.select([0], [], [], 0)[0]) and not os.read(0, 4096)


def adopt(end: int) -> None:
    """Make this end of a pipe the lifeline of a forked child."""
    os.dup2(end, 0)
    os.close(end)
    os.environ[VARIABLE] = "stdin"


def _wait() -> None:
    """Exit without clean-up once the pipe closes: kill -9 must be survivable anyway, and the ports are needed."""
    while os.read(0, 4096):
        pass
    os._exit(1)
