"""Audit alerts: what was accepted and what became of it, and the incidents of each problem; as plain JSON."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Sent = tuple[str, int, str]  # name of the problem, host, state
PREFIX = "Alarm"


@dataclass
class Found:
    """What is wrong with alerts, one line each."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    astray: list[str] = field(default_factory=list)


def audit(accepted: Iterable[Sent], outcomes: Iterable[Json], incidents: Mapping[str, Json]) -> Found:
    """Compare accepted alerts with their outcomes and the last states of all incidents.

    A body that was sent again, because its answer was lost, may have more outcomes than it was accepted times.
    """
    found, states = Found(), list(accepted)
    became = Counter(str(outcome["fingerprint"]) for outcome in outcomes if not _unread(outcome))
    for fingerprint, times in Counter(f"{name}-{host}" for name, host, _ in states).items():
        if became[fingerprint] < times:
            found.lost.append(f"{fingerprint} was accepted {times} times, and worked on {became[fingerprint]}")
    of_problem: dict[str, list[Json]] = {}
    for incident in incidents.values():
        if (name := _problem(incident["facts"]["title"])).startswith(PREFIX):
            of_problem.setdefault(name, []).append(incident)
            found.astray += _strangers(incident, name)
    for name in dict.fromkeys(name for name, _, _ in states):
        its = of_problem.get(name, [])
        if not its:
            found.lost.append(f"{name} was accepted and has no incident")
        if len(its) > 1:
            found.doubled.append(f"{name} has {len(its)} incidents: {', '.join(sorted(i['id'] for i in its))}")
        if len(its) == 1:
            found.lost += _counts(its[0], name, states)
    return found


def _counts(incident: Json, name: str, states: list[Sent]) -> list[str]:
    """Compare the alerts on the incident's card with what was accepted last of each."""
    last = {host: state for problem, host, state in states if problem == name}
    firing, alerts = sum(state == "firing" for state in last.values()), incident["alerts"]
    if (alerts["total"], alerts["firing"]) == (len(last), firing):
        return []
    shown = f"{alerts['firing']} of {alerts['total']}"
    return [f"{incident['id']}: {name} fires on {firing} of {len(last)} hosts, and the card says {shown}"]


def _strangers(incident: Json, name: str) -> list[str]:
    """Alerts of another problem on an incident: shown now, or told in its timeline."""
    titles = {alert["title"] for alert in incident["alerts"]["shown"]}
    for entry in incident["timeline"]:
        for part in ("began", "ended"):
            titles |= set(filter(None, entry["fields"].get(part, "").split("\n")))
    return [f"{incident['id']} of {name} shows '{title}'" for title in sorted(titles) if _problem(title) != name]


def _problem(title: str) -> str:
    return title.partition(" ")[0]


def _unread(outcome: Json) -> bool:
    return str(outcome["result"]).startswith("unparsable")
