"""What people did in an incident, read from its timeline: events to replay, outages, and who held which role."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from escalation.config.rules.checkpoints import Said
from escalation.incident.events import moves, news
from escalation.incident.events.moves import MoveEvent
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.leads import Lead
from escalation.incident.state.pages import Page, PageState
from escalation.oncall.roster import Roster
from escalation.times import parse_duration
from escalation.values import PersonId

RosterAt = Callable[[datetime], Roster]


@dataclass(frozen=True)
class Unreachable:
    """A page that could not reach its person."""

    person: PersonId
    why: str


Event = MoveEvent | news.SignOfLife | news.RolesChanged | Unreachable


@dataclass(frozen=True)
class Recorded:
    """An event at its time."""

    at: datetime
    event: Event


def recorded(incident: Incident) -> tuple[Recorded, ...]:
    """Read what people did from the timeline, the oldest first. What the engine did by itself is left out."""
    found = [Recorded(e.at, event) for e in incident.timeline if (event := _event(incident, e))]
    return tuple(sorted([*found, *_signs_of_life(incident)], key=attrgetter("at")))


def outages(incident: Incident) -> tuple[tuple[datetime, datetime], ...]:
    """Times in which nothing fired that was due: from the first that was missed until it was made up for."""
    found = []
    for entry in incident.timeline:
        if entry.kind is EntryKind.RECOVERED:
            missed = [datetime.fromisoformat(line.split()[0]) for line in entry.fields["missed"].splitlines()]
            away = [datetime.fromisoformat(at) for at in (entry.fields.get("from"),) if at]
            found.append((min((*missed, *away)), entry.at))
    return tuple(found)


def _event(incident: Incident, entry: Entry) -> Event | None:
    if entry.kind is EntryKind.REFUSED and entry.people and "tier" in entry.fields:
        return Unreachable(entry.people[0], entry.why)
    if entry.kind is EntryKind.MOVED:
        return news.RolesChanged(by=entry.by)
    made = _MOVES.get(entry.kind)
    if not entry.by or made is None:
        return None
    return made(incident, entry)


def _paged(incident: Incident, entry: Entry) -> Event | None:
    """A page by name. Those of a tier, and of the security team, follow from another entry of the same instant."""
    if entry.fields["tier"] != "0":
        return None
    pages = (p for p in incident.pages if (p.at, p.tier) == (entry.at, 0) and p.person in entry.people)
    roles = tuple(dict.fromkeys(role for page in pages for role in page.roles))
    causes = (EntryKind.SECURITY, EntryKind.DECLARED, EntryKind.REOPENED)
    if roles and any((e.at, e.by) == (entry.at, entry.by) and e.kind in causes for e in incident.timeline):
        return None
    return moves.PagePeople(by=entry.by, people=entry.people, roles=roles)


def _edited(incident: Incident, entry: Entry) -> Event:
    yes_or_no = {"True": True, "False": False, "None": None}
    facts = {name: yes_or_no[text] if name in set(Said) else text for name, text in entry.fields.items()}
    team = {"team": incident.as_of(entry).team} if "service" in facts else {}
    return moves.Edit.model_validate({"by": entry.by, **facts, **team})


def _updated(incident: Incident, entry: Entry) -> Event:
    promised = entry.fields.get("promised")
    next_in = parse_duration(promised) if promised else None
    return moves.PostUpdate(by=entry.by, progress=entry.text, next_in=next_in)


def _leading(incident: Incident, entry: Entry) -> Event:
    lead, what = Lead(entry.fields["lead"]), entry.fields["what"]
    to = entry.people[0] if what == "offered" and entry.people else ""
    return moves.TakeLead(by=entry.by, lead=lead, to=to, declined=what == "declined")


def _severity(incident: Incident, entry: Entry) -> Event:
    return moves.ChangeSeverity(by=entry.by, policy=incident.as_of(entry).policy, why=entry.why)


def _resolved(incident: Incident, entry: Entry) -> Event:
    done = incident.as_of(entry).resolution
    lost = done.data_loss if done else None
    return moves.Resolve(by=entry.by, summary=entry.text, resolution=entry.text, data_loss=lost)


def _cancelled(incident: Incident, entry: Entry) -> Event:
    return moves.Cancel(by=entry.by, why=entry.why, duplicate_of=entry.fields.get("duplicate_of", ""))


def _sign_of_life(incident: Incident, entry: Entry) -> Event:
    return news.SignOfLife(by=entry.by)


_MOVES: Mapping[EntryKind, Callable[[Incident, Entry], Event | None]] = {
    EntryKind.ACKNOWLEDGED: lambda i, e: moves.Acknowledge(by=e.by),
    EntryKind.JOINED: lambda i, e: moves.Acknowledge(by=e.by),
    EntryKind.DECLINED: lambda i, e: moves.Decline(by=e.by, why=e.text),
    EntryKind.ROOT_CAUSE: lambda i, e: moves.RootCause(by=e.by, cause=e.text),
    EntryKind.WORKAROUND: lambda i, e: moves.Workaround(by=e.by, text=e.text),
    EntryKind.FIX_STARTED: lambda i, e: moves.StartFix(by=e.by, text=e.text),
    EntryKind.FIX_APPLIED: lambda i, e: moves.FixApplied(by=e.by, text=e.text),
    EntryKind.FIX_FAILED: lambda i, e: moves.FixFailed(by=e.by, text=e.text),
    EntryKind.UPDATE: _updated,
    EntryKind.SCHEDULED: lambda i, e: moves.Schedule(by=e.by, when=e.text),
    EntryKind.VERIFIED: lambda i, e: moves.Verify(by=e.by, text=e.text),
    EntryKind.SEVERITY: _severity,
    EntryKind.ESCALATED: lambda i, e: moves.Escalate(by=e.by, why=e.why),
    EntryKind.PAGED: _paged,
    EntryKind.EDITED: _edited,
    EntryKind.LEADING: _leading,
    EntryKind.SECURITY: lambda i, e: moves.MarkSecurity(by=e.by, why=e.why),
    EntryKind.RESOLVED: _resolved,
    EntryKind.REVIEWED: lambda i, e: moves.Reviewed(by=e.by, text=e.text),
    EntryKind.REOPENED: lambda i, e: moves.Reopen(by=e.by, why=e.why),
    EntryKind.CANCELLED: _cancelled,
    # They page nobody and change no page but that of their own person.
    EntryKind.SNOOZED: _sign_of_life,
    EntryKind.TIMES: _sign_of_life,
    EntryKind.COMMUNICATION: _sign_of_life,
    EntryKind.COMMUNICATED: _sign_of_life,
    EntryKind.ACTION: _sign_of_life,
}


def _signs_of_life(incident: Incident) -> Iterator[Recorded]:
    """Yield what left no entry: somebody pressed a button that changed nothing, and their page was repeated no more."""
    for page in incident.pages:
        sent = _sends(incident, page)
        repeat = incident.as_of(_latest(incident, sent[-1])).policy.repeats_of(page.tier)
        if page.state is not PageState.ANSWERED or repeat is None or len(sent) > repeat.times:
            continue
        expected = sent[-1] + incident.scaled(repeat.every)
        acted = any(e.by == page.person and page.at <= e.at <= expected for e in incident.timeline)
        if not acted and (incident.closed_at is None or expected < incident.closed_at):
            yield Recorded(sent[-1], news.SignOfLife(by=page.person))


def _sends(incident: Incident, page: Page) -> list[datetime]:
    again = (e for e in incident.timeline if e.kind is EntryKind.REPEATED and page.person in e.people)
    return [page.at, *(e.at for e in again if e.at > page.at)][: page.sent]


def _latest(incident: Incident, at: datetime) -> Entry:
    return next((e for e in reversed(incident.timeline) if e.at <= at), incident.timeline[0])


# Who held which role ---------------------------------------------------------------------------------------------


class _Over(Mapping[str, tuple[PersonId, ...]]):
    """Holders, some of them replaced; the others are resolved on lookup."""

    def __init__(self, known: Mapping[str, tuple[PersonId, ...]], others: Mapping[str, tuple[PersonId, ...]]) -> None:
        self._known, self._others = known, others

    def __getitem__(self, role: str) -> tuple[PersonId, ...]:
        return self._known[role] if role in self._known else self._others[role]

    def __iter__(self) -> Iterator[str]:
        return iter({**dict.fromkeys(self._others), **self._known})

    def __len__(self) -> int:
        return len({*self._others, *self._known})


def recorded_roster(incident: Incident, roster_at: RosterAt) -> RosterAt:
    """Return the rosters of an incident's time: the record where it shows who held a role, else `roster_at`.

    Schedules and people were changed since. Before the first evidence of a role, its holder then is assumed.
    """
    evidence = defaultdict[str, list[tuple[datetime, tuple[PersonId, ...] | None]]](list)
    for at, role, people, by in _evidence(incident):
        base = roster_at(at).of(role, incident.facts.service)
        others = set(base) - set(people)  # those who knew already were not paged
        agrees = set(people) <= set(base) and (not others or (people and others <= incident.people() | {by}))
        evidence[role].append((at, None if agrees else people))

    def at_instant(at: datetime) -> Roster:
        known = dict[str, tuple[PersonId, ...]]()
        for role, seen in evidence.items():
            held = next((people for since, people in reversed(seen) if since <= at), seen[0][1])
            if held is not None:
                known[role] = known[f"{role}@{incident.facts.service}"] = held
        return Roster(holders=_Over(known, roster_at(at).holders))

    return at_instant


def _evidence(incident: Incident) -> Iterator[tuple[datetime, str, tuple[PersonId, ...], PersonId]]:
    """Yield (at, role, its holders, who asked), the oldest first."""
    for entry in incident.timeline:
        tiers = incident.as_of(entry).policy.tiers
        if entry.kind is EntryKind.SKIPPED and entry.fields["tier"] != "0":
            tier = tiers[int(entry.fields["tier"]) - 1]
            for role in tier.roles_for(incident.as_of(entry).facts.security):
                yield entry.at, role, (), entry.by
        elif entry.kind in (EntryKind.PAGED, EntryKind.MOVED):
            pages = [p for p in incident.pages if p.at == entry.at and p.person in entry.people]
            for role in dict.fromkeys(role for page in pages for role in page.roles):
                yield entry.at, role, tuple(p.person for p in pages if role in p.roles), entry.by
