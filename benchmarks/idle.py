"""Measure the cost of open incidents while nothing is due (processor, memory, Redis), and the start-up time."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.ports import free_port
from benchmarks.rig import Rig, answers, busy, process, resident, wait_until


@dataclass(frozen=True)
class Cost:
    """Cost at rest. `processor` is all parts' share of one core, `commands` are Redis's a second, `memory` bytes."""

    processor: float
    commands: float
    memory: float


def cost(rig: Rig, seconds: float) -> Cost:
    """Measure the cost over so many seconds in which nothing is due."""
    before, commands = _busy(rig), _commands(rig)
    time.sleep(seconds)
    memory = sum(resident(pid) for pid in rig.parts.values())
    return Cost((_busy(rig) - before) / seconds, (_commands(rig) - commands) / seconds, memory)


def stored(rig: Rig) -> int:
    """Bytes of data in Redis."""
    return int(rig.redis.info("memory")["used_memory_dataset"])


def start(rig: Rig) -> float:
    """Measure the seconds from `tocsin run` on an empty folder until it is ready."""
    web, page = free_port(), free_port()
    secrets = ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_API_URL", "REDIS_URL")
    with TemporaryDirectory(prefix="tocsin-bench-") as folder:
        environment = {k: v for k, v in rig.environment().items() if k not in secrets} | {
            "TOCSIN_DATA": str(Path(folder) / "data"),
            "TOCSIN_LISTEN": f"127.0.0.1:{web}",
            "TOCSIN_SANDBOX_LISTEN": f"127.0.0.1:{page}",
        }
        began = time.monotonic()
        with process(sys.executable, "-m", "tocsin", "run", environment=environment, mute=True):
            wait_until(lambda: answers(f"http://127.0.0.1:{web}/readyz"), "tocsin run")
            return time.monotonic() - began


def _busy(rig: Rig) -> float:
    return sum(busy(pid) for pid in rig.parts.values())


def _commands(rig: Rig) -> int:
    return int(rig.redis.info("stats")["total_commands_processed"])
