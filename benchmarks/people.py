"""Plan what people do to which incident and when, from a seed. `acting` carries it out at the workspace's page.

People declare with the slash command and its form, acknowledge with the button or by typing, and so on. What fails
because something was just killed, they retry.
"""

import random
from dataclasses import dataclass
from typing import Literal

What = Literal[
    "acknowledge",
    "root_cause",
    "start_fix",
    "fix_applied",
    "fix_failed",
    "update",
    "escalate",
    "security",
    "resolve",
]
SEVERITIES = {"P0": 40, "P1": 25, "P2": 25, "P3": 10}
RESPONDERS = ("dana", "omar", "mei", "lena", "bruno", "erik")
REPORTERS = ("paula", "victor", "carla", *RESPONDERS)
SECURITY = ("sofia", "sam")
SERVICES = ("checkout", "api", "platform")


@dataclass(frozen=True)
class Act:
    """One move of a person, `after` so many seconds since the one before."""

    after: float
    what: What
    by: str
    typed: bool
    twice: bool


@dataclass(frozen=True)
class Story:
    """One incident, declared `at` seconds after the start, and its moves."""

    title: str
    at: float
    by: str
    severity: str
    service: str
    flags: tuple[str, ...]
    acts: tuple[Act, ...]


def plan(dice: random.Random, seconds: float, incidents: int) -> tuple[Story, ...]:
    """Plan declarations spread over the time, none in the last tenth of it."""
    times = sorted(round(dice.random() * seconds * 0.9, 3) for _ in range(incidents))
    return tuple(_story(dice, n, at) for n, at in enumerate(times, 1))


def _story(dice: random.Random, n: int, at: float) -> Story:
    severity = dice.choices(list(SEVERITIES), list(SEVERITIES.values()))[0]
    private = dice.random() < 0.06
    flags = tuple(f for f in ("outage", "major_impact") if dice.random() < 0.2)
    team = SECURITY if private else RESPONDERS
    return Story(
        title=f"chaos {n:04d} {severity}",
        at=at,
        by=dice.choice(team if private else REPORTERS),
        severity=severity,
        service=dice.choice(SERVICES),
        flags=(*flags, "security") if private else flags,
        acts=tuple(_acts(dice, team)),
    )


def _acts(dice: random.Random, team: tuple[str, ...]) -> list[Act]:
    """Plan the moves: most incidents are handled in time, some only acknowledged, some ignored."""
    fate = dice.random()
    if fate < 0.12:
        return []
    acts = [_act(dice, team, "acknowledge", 1, 9)]
    if fate < 0.2:
        return acts
    acts += [_act(dice, team, "escalate", 1, 4)] if dice.random() < 0.1 else []
    acts += [_act(dice, team, "update", 1, 5)] if dice.random() < 0.3 else []
    acts += [_act(dice, SECURITY, "security", 1, 4)] if dice.random() < 0.04 else []
    if any(a.what == "security" for a in acts):
        team = SECURITY
    acts += [_act(dice, team, "root_cause", 1, 8), _act(dice, team, "start_fix", 0.5, 3)]
    if dice.random() < 0.2:
        acts += [_act(dice, team, "fix_applied", 1, 3), _act(dice, team, "fix_failed", 1, 6)]
    return [*acts, _act(dice, team, "fix_applied", 1, 6), _act(dice, team, "resolve", 1, 12)]


def _act(dice: random.Random, team: tuple[str, ...], what: What, least: float, most: float) -> Act:
    after = round(dice.uniform(least, most), 3)
    return Act(after, what, dice.choice(team), typed=dice.random() < 0.5, twice=dice.random() < 0.25)
