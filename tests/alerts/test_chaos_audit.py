"""The audit of alerts in `benchmarks.chaos`: it finds each kind of harm that is done to a sound history."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmarks import alarms, history
from escalation.storage.intake import Intake, Outcome
from tests.support.waiting import eventually
from tests.support.worker import redis_of

Json = dict[str, Any]
ACCEPTED = (
    ("Alarm000", 0, "firing"),
    ("Alarm000", 1, "firing"),
    ("Alarm000", 1, "firing"),
    ("Alarm000", 0, "resolved"),
)


class Monitored:
    """A problem on two hosts, of which one alert ended: what became of its alerts, and its incident."""

    def __init__(self) -> None:
        self.outcomes: list[Json] = [{"fingerprint": f"{name}-{n}", "result": "joined"} for name, n, _ in ACCEPTED]
        shown = [{"title": f"Alarm000 on host{n}"} for n in range(2)]
        told = [{"fields": {"began": "Alarm000 on host1\nAlarm000 on host0"}}, {"fields": {}}]
        alarm = {"id": "INC-1", "facts": {"title": "Alarm000 on host0"}, "timeline": told}
        other = {"id": "INC-2", "facts": {"title": "Search is down"}, "timeline": []}
        none = {"shown": [], "firing": 0, "total": 0}
        self.incidents: dict[str, Json] = {
            "INC-1": alarm | {"alerts": {"shown": shown, "firing": 1, "total": 2}},
            "INC-2": other | {"alerts": none},
        }

    def found(self) -> alarms.Found:
        return alarms.audit(ACCEPTED, self.outcomes, self.incidents)


def forgotten_alert(site: Monitored) -> None:
    """A body was answered 202, and nothing became of it."""
    del site.outcomes[-2]


def unread_alert(site: Monitored) -> None:
    """It was worked on, and could not be read."""
    site.outcomes[1]["result"] = "unparsable: the body is no JSON"


def no_incident(site: Monitored) -> None:
    del site.incidents["INC-1"]


def two_incidents(site: Monitored) -> None:
    site.incidents["INC-3"] = site.incidents["INC-1"] | {"id": "INC-3"}


def stranger_shown(site: Monitored) -> None:
    """The alert of another problem is on the card."""
    site.incidents["INC-1"]["alerts"]["shown"][1]["title"] = "Alarm001 on host1"


def stranger_told(site: Monitored) -> None:
    """It was on the card once: the timeline tells it."""
    site.incidents["INC-1"]["timeline"][1]["fields"]["ended"] = "Alarm001 on host1"


def end_overtaken(site: Monitored) -> None:
    """The end of an alert came before its beginning: it fires for ever."""
    site.incidents["INC-1"]["alerts"]["firing"] = 2


@pytest.mark.parametrize(
    ("harm", "kind", "words"),
    [
        (forgotten_alert, "lost", "Alarm000-1 was accepted 2 times, and worked on 1"),
        (unread_alert, "lost", "Alarm000-1 was accepted 2 times, and worked on 1"),
        (no_incident, "lost", "Alarm000 was accepted and has no incident"),
        (two_incidents, "doubled", "Alarm000 has 2 incidents: INC-1, INC-3"),
        (stranger_shown, "astray", "INC-1 of Alarm000 shows 'Alarm001 on host1'"),
        (stranger_told, "astray", "INC-1 of Alarm000 shows 'Alarm001 on host1'"),
        (end_overtaken, "lost", "INC-1: Alarm000 fires on 1 of 2 hosts, and the card says 2 of 2"),
    ],
)
def test_harm_to_alerts_is_found(harm: Callable[[Monitored], None], kind: str, words: str) -> None:
    """An alert that is lost, a second incident of a problem, an alert on the wrong one: each is named."""
    site = Monitored()
    assert site.found() == alarms.Found()
    harm(site)
    found = site.found()
    assert getattr(found, kind) == [words]
    assert len(found.lost + found.doubled + found.astray) == 1


def test_what_became_of_alerts_is_read_from_the_servers_file(tmp_path: Path) -> None:
    """As it was committed: a last command that is incomplete was not."""
    with redis_of("valkey") as redis:
        redis.config_set("appendonly", "yes")
        folder = Path(str(redis.config_get("dir")["dir"])) / str(redis.config_get("appenddirname")["appenddirname"])
        eventually(lambda: not redis.info("persistence")["aof_rewrite_in_progress"])
        outcome = Outcome(1.0, "alertmanager", "Down", "declared", fingerprint="a")
        Intake(redis, lambda pipe, members: None).note(outcome)
        eventually(lambda: [*outcomes_of(folder, tmp_path)] == [asdict(outcome)])


def outcomes_of(folder: Path, kept: Path) -> Iterator[Json]:
    """What `history` finds in copies of a server's files."""
    for path in folder.glob("*.incr.aof"):
        (kept / path.name).write_bytes(path.read_bytes())
    return history.outcomes(kept)
