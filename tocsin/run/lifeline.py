"""A child holds on to its supervisor: once the pipe on its standard input closes, the supervisor is gone, and it goes.

The kernel closes that pipe whatever ends the supervisor, kill -9 included, on Linux and macOS alike.
"""

import os
import select
import threading

VARIABLE = "TOCSIN_LIFELINE"


def hold() -> bool:
    """End this process at once when the supervisor that started it ends; False when it was started by hand."""
    if os.environ.pop(VARIABLE, "") != "stdin":
        return False
    threading.Thread(target=_wait, name="lifeline", daemon=True).start()
    return True


def held() -> bool:
    """Whether a supervisor started this process and it does not hold on yet."""
    return os.environ.get(VARIABLE) == "stdin"


def broken() -> bool:
    """Whether the supervisor that started this process is gone: for who looks again and again, and has no threads."""
    return held() and bool(select.select([0], [], [], 0)[0]) and not os.read(0, 4096)


def take(end: int) -> None:
    """In a forked child: this end of a pipe is its lifeline."""
    os.dup2(end, 0)
    os.close(end)
    os.environ[VARIABLE] = "stdin"


def _wait() -> None:
    """No clean-up: whatever can be killed must survive being killed, and ports must be free for the next start."""
    while os.read(0, 4096):
        pass
    os._exit(1)
