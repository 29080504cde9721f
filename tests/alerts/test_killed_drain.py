"""A process that empties the spool is killed at its worst moments; real files, a real Redis, a real SIGKILL."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from escalation.storage.intake import Body, Intake
from escalation.storage.spool import Spool
from tests.alerts.test_whole_way import Monitored, alert, group, site
from workers.alerts import drain_spool
from workers.queue.outbox import post_alerts

__all__ = ["site"]
DRAINS = """
import os, signal, sys
from pathlib import Path
from redis import Redis
from escalation.storage.intake import Body, Intake
from escalation.storage.spool import Spool
from workers.queue.outbox import post_alerts

moment, folder, port = sys.argv[1:]
intake = Intake(Redis(port=int(port)), post_alerts)

def keep(*bodies: Body) -> None:
    if moment == "after":
        intake.keep(bodies[0])
    os.kill(os.getpid(), signal.SIGKILL)

Spool(Path(folder)).drain(keep)
"""


def spooled(folder: Path, n: int, status: str, name: str = "Down") -> None:
    raw = json.dumps(group(alert(name, status))).encode()
    Spool(folder).add(Body(id=f"b{n}", source="alertmanager", at=float(n), raw=raw))


def killed(folder: Path, moment: str, site: Monitored) -> None:
    """Let a process empty the spool, killed before or after the first body is kept, and with its file still there."""
    port = str(site.parts.redis.connection_pool.connection_kwargs["port"])
    ended = subprocess.run([sys.executable, "-c", DRAINS, moment, str(folder), port], check=False)
    assert ended.returncode == -signal.SIGKILL


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_killed_drain_neither_loses_nor_doubles(site: Monitored, tmp_path: Path, moment: str) -> None:
    """What was kept already is worked on once, though its file is found again; all others follow in their order."""
    folder = tmp_path / "left"
    spooled(folder, 1, "firing")
    spooled(folder, 2, "firing", "Slow")
    killed(folder, moment, site)
    site.parts.run()
    killed(folder, moment, site)
    site.parts.run()
    assert Spool(folder).depth()[0] == 2
    assert drain_spool(replace(site.parts.context, spool=folder)) == 2
    site.parts.run()
    (incident,) = site.incidents()
    assert incident.alerts is not None
    assert (incident.alerts.firing, len(site.results())) == (2, 2)
    assert Intake(site.parts.redis, post_alerts).due(site.parts.clock.now)[:2] == ([], [])


def test_a_body_that_both_took_does_not_fire_again_after_its_end(site: Monitored, tmp_path: Path) -> None:
    """Redis' answer was lost, so the disk took it as well; it was worked on and had ended by the time of the drain."""
    folder, intake = tmp_path / "left", Intake(site.parts.redis, post_alerts)
    spooled(folder, 1, "firing")
    Spool(folder).drain(intake.keep)
    spooled(folder, 1, "firing")
    site.parts.run()
    site.taken(group(alert("Down", "resolved")))
    before = site.results()
    drain_spool(replace(site.parts.context, spool=folder))
    site.parts.run()
    assert site.results() == before
    (incident,) = site.incidents()
    assert incident.alerts is not None
    assert incident.alerts.firing == 0
