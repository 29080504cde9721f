"""Comparison of past incidents under two policies: pages more, fewer, earlier, later and at night."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import zip_longest
from zoneinfo import ZoneInfo

from escalation.config.policy import Policy
from escalation.figures.report import NIGHT
from escalation.incident.model import Incident
from escalation.replay.recorded import RosterAt
from escalation.replay.replay import Replayed, Sent, as_it_was, by, replay, severities
from escalation.values import PersonId

EXACT = timedelta(seconds=10)  # a checkpoint fires a moment after it is due


@dataclass
class Tally:
    """Pages of a severity or a person, before and after: first sends, repeats, and those at night.

    `earlier` and `later` are by how much, of pages that come under both policies.
    """

    before: int = 0
    after: int = 0
    more: int = 0
    fewer: int = 0
    earlier: list[timedelta] = field(default_factory=list)
    later: list[timedelta] = field(default_factory=list)
    repeats_before: int = 0
    repeats_after: int = 0
    night_before: int = 0
    night_after: int = 0

    @property
    def same(self) -> bool:
        """True if nothing differs."""
        counts = (self.repeats_before == self.repeats_after, self.night_before == self.night_after)
        return not (self.more or self.fewer or self.earlier or self.later) and all(counts)


@dataclass(frozen=True)
class Comparison:
    """Difference between what incidents' own policies paged and what another one would have.

    `deviating` are replayed, but not exactly as they were recorded; `unplayable` have a severity that the other policy
    lacks. `refused` counts what people did and the other policy would not have allowed.
    """

    replayed: int
    differing: tuple[str, ...]
    severities: dict[str, Tally]
    people: dict[PersonId, Tally]
    deviating: tuple[str, ...]
    unplayable: tuple[str, ...]
    refused: int


def compare(incidents: Iterable[Incident], policy: Policy, roster_at: RosterAt, now: datetime, zone: str) -> Comparison:
    """Replay incidents by their own policy and by another one. `zone`: whose night it is."""
    by_severity, people = defaultdict[str, Tally](Tally), defaultdict[PersonId, Tally](Tally)
    replayed, refused = 0, 0
    differing, deviating, unplayable = list[str](), list[str](), list[str]()
    for incident in incidents:
        if not severities(incident) <= set(policy.severities):
            unplayable.append(incident.id)
            continue
        replayed += 1
        was, would = (replay(incident, rules, roster_at, now) for rules in (as_it_was, by(policy)))
        refused += max(0, would.refused - was.refused)
        if not _as_recorded(incident, was):
            deviating.append(incident.id)
        own = list[Tally]()
        for person in dict.fromkeys(sent.person for sent in (*was.pages, *would.pages)):
            own.append(tally := Tally())
            for kept in (tally, by_severity[incident.severity], people[person]):
                _count(kept, _of(was, person), _of(would, person), ZoneInfo(zone))
        if not all(tally.same for tally in own):
            differing.append(incident.id)
    return Comparison(
        replayed=replayed,
        differing=tuple(differing),
        severities=dict(sorted(by_severity.items())),
        people=dict(people),
        deviating=tuple(deviating),
        unplayable=tuple(unplayable),
        refused=refused,
    )


def _of(replayed: Replayed, person: PersonId) -> list[Sent]:
    return [sent for sent in replayed.pages if sent.person == person]


def _count(tally: Tally, was: list[Sent], would: list[Sent], zone: ZoneInfo) -> None:
    """Count one person's pages of one incident: the first of one policy is compared with the first of the other."""
    for old, new in zip_longest(_first_sends(was), _first_sends(would)):
        tally.before += old is not None
        tally.after += new is not None
        tally.more += old is None
        tally.fewer += new is None
        if old and new and new < old:
            tally.earlier.append(old - new)
        elif old and new and new > old:
            tally.later.append(new - old)
    tally.repeats_before += sum(sent.again for sent in was)
    tally.repeats_after += sum(sent.again for sent in would)
    tally.night_before += sum(_at_night(sent.at, zone) for sent in was)
    tally.night_after += sum(_at_night(sent.at, zone) for sent in would)


def _first_sends(sent: list[Sent]) -> Iterator[datetime]:
    return (page.at for page in sent if not page.again)


def _at_night(at: datetime, zone: ZoneInfo) -> bool:
    hour = at.astimezone(zone).hour
    return hour >= NIGHT[0] or hour < NIGHT[1]


def _as_recorded(incident: Incident, was: Replayed) -> bool:
    """True if the replay by the incident's own policy paged the same people at the same times as it did."""
    known = sorted((page.person, page.at, page.sent) for page in incident.pages)
    first = sorted((sent.person, sent.at) for sent in was.pages if not sent.again)
    repeats = sum(sent.again for sent in was.pages)
    return (
        [person for person, *_ in known] == [person for person, _ in first]
        and all(abs(at - again) <= EXACT for (_, at, _), (_, again) in zip(known, first, strict=True))
        and repeats == sum(sent - 1 for *_, sent in known)
    )
