"""Rest after a night: who was paged and worked between 22:00 and 07:00 is offered relief in the morning. Pure steps.

At 07:00 of somebody's own zone their night is looked at, once. If they are on call before their rest is over, the
people of that rotation are asked to take the shift, one after another, whoever did least first. Until somebody accepts,
the tired person stays on call: there is never a gap.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from escalation.config.company import Company
from escalation.errors import Refused
from escalation.oncall.minutes import NIGHT_ENDS, is_night
from escalation.oncall.overrides import add_notice, add_override
from escalation.oncall.schedule import OncallState, RestAsk, RestDebt, absences, on_call_at, upcoming_shifts
from escalation.text import Person, Time, line
from escalation.values import PersonId

ANSWER_WITHIN = timedelta(minutes=15)  # then the next is asked as well
SHORTEST = timedelta(hours=1)  # of a shift that is worth asking for
LATEST = timedelta(hours=4)  # after 07:00: an outage longer than that leaves the morning as it was
KEPT = timedelta(days=7)
NIGHT = timedelta(hours=9)


def mornings(company: Company, state: OncallState, now: datetime) -> dict[str, datetime]:
    """Return whose night is to be looked at, and when it ended: at 07:00 of their zone, once each day."""
    if company.rest is None:
        return {}
    people = {person for rotation in company.rotations.values() for person in rotation.people}
    ended = {person: _night_end(company, person, now) for person in sorted(people)}
    return {p: at for p, at in ended.items() if now - at < LATEST and state.nights_seen.get(p) != at}


def _night_end(company: Company, person: str, now: datetime) -> datetime:
    """Return the last 07:00 of somebody's zone."""
    zone = ZoneInfo(company.place_of(person).timezone)
    local = now.astimezone(zone)
    today = datetime.combine(local.date(), NIGHT_ENDS, zone)
    found = today if today <= local else datetime.combine(local.date() - timedelta(days=1), NIGHT_ENDS, zone)
    return found.astimezone(now.tzinfo)


def see_nights(
    state: OncallState,
    company: Company,
    ended: Mapping[str, datetime],
    worked: Mapping[str, datetime],
    now: datetime,
) -> OncallState:
    """Note that these nights were looked at, and the debts of those who `worked` in them, until when each."""
    fresh = {person: at for person, at in ended.items() if state.nights_seen.get(person) != at}
    if not fresh:
        return state
    debts = [
        debt for person in fresh if person in worked for debt in _debts(state, company, person, worked[person], now)
    ]
    recent = tuple(debt for debt in state.rest if debt.ends > now - KEPT)
    return state.model_copy(update={"nights_seen": {**state.nights_seen, **fresh}, "rest": (*recent, *debts)})


def _debts(state: OncallState, company: Company, person: str, worked: datetime, now: datetime) -> Iterator[RestDebt]:
    """Yield the shifts of somebody in the time of their rest, the first of each rotation."""
    over = worked + (company.rest or timedelta())
    for name in company.rotations:
        for shift in upcoming_shifts(name, company, state, now, over):
            starts, ends = max(shift.starts, now), min(shift.ends or over, over)
            if person in shift.people and ends - starts >= SHORTEST:
                id = f"{name}-{person}-{now:%Y%m%d}"
                yield RestDebt(id=id, rotation=name, person=person, worked=worked, starts=starts, ends=ends)
                break


def needs_asking(state: OncallState, company: Company, now: datetime) -> bool:
    """True if somebody else is to be asked now: only then it matters who did least."""
    return any(_is_due(_as_it_stands(debt, state, now), company, state, now) for debt in state.rest)


def ask_next(state: OncallState, company: Company, ranked: Mapping[str, int], now: datetime) -> OncallState:
    """Ask the next person for each open debt, whoever did least first.

    `ranked` are the minutes that people were on call lately, by key and in that order.
    """
    debts = (_as_it_stands(debt, state, now) for debt in state.rest)
    rest = tuple(
        _asked(debt, company, state, ranked, now) if _is_due(debt, company, state, now) else debt for debt in debts
    )
    return state if rest == state.rest else state.model_copy(update={"rest": rest})


def _is_due(debt: RestDebt, company: Company, state: OncallState, now: datetime) -> bool:
    return _is_open(debt, company, state, now) and not _waits(debt, now)


def _as_it_stands(debt: RestDebt, state: OncallState, now: datetime) -> RestDebt:
    """Return a debt; one whose override was cancelled meanwhile is open again, as if that person had declined."""
    taker = debt.taken_by
    held = (o.rotation == debt.rotation and o.person == taker and o.ends == debt.ends for o in state.overrides)
    if not taker or any(held):
        return debt
    asked = tuple(_declined(ask, now) if ask.person == taker else ask for ask in debt.asked)
    return debt.model_copy(update={"taken_by": "", "taken_as": "", "asked": asked})


def _is_open(debt: RestDebt, company: Company, state: OncallState, now: datetime) -> bool:
    """True while somebody could still take the shift, and it is still theirs who is to rest."""
    if debt.taken_by or debt.unmet_at or now >= debt.ends or debt.rotation not in company.rotations:
        return False
    return debt.person in on_call_at(debt.rotation, company, state, max(now, debt.starts))


def _waits(debt: RestDebt, now: datetime) -> bool:
    """True while the last one asked may still answer."""
    last = debt.asked[-1] if debt.asked else None
    return last is not None and last.declined_at is None and now < last.at + ANSWER_WITHIN


def _asked(debt: RestDebt, company: Company, state: OncallState, ranked: Mapping[str, int], now: datetime) -> RestDebt:
    """Ask the next who is awake; wait for somebody who is not yet; else note that nobody is left."""
    known = {ask.person for ask in debt.asked}
    left = [p for p in _candidates(debt, company, state, now) if p not in known]
    order = list(ranked)
    left.sort(key=lambda p: (order.index(p) if p in ranked else len(order), p))
    awake = [p for p in left if not is_night(now, company.place_of(p).timezone)]
    latest = debt.ends - SHORTEST
    if awake and now <= latest:
        ask = RestAsk(person=awake[0], at=now, minutes=ranked.get(awake[0], 0))
        return debt.model_copy(update={"asked": (*debt.asked, ask)})
    if now <= latest and any(not is_night(latest, company.place_of(p).timezone) for p in left):
        return debt  # somebody is asleep now, and awake in time
    return debt.model_copy(update={"unmet_at": now})


def _candidates(debt: RestDebt, company: Company, state: OncallState, now: datetime) -> Iterator[str]:
    """Yield the people of the rotation who are there for all of it, not on call in it, and owe no rest themselves."""
    starts = max(now, debt.starts)
    away = {a.person for a in absences(company, state) if a.starts < debt.ends and a.ends > starts}
    tired = {other.person for other in state.rest if other.ends > now}
    busy = set(on_call_at(debt.rotation, company, state, starts))
    for person in company.rotations[debt.rotation].people:
        if person not in away | tired | busy:
            yield person


def answer(
    state: OncallState,
    company: Company,
    debt_id: str,
    person: str,
    member: PersonId,
    did: Literal["take", "decline"],
    now: datetime,
) -> OncallState:
    """Take or decline the shift of somebody who is to rest. Refused with words when that cannot be done any more."""
    debt = next((debt for debt in state.rest if debt.id == debt_id), None)
    if debt is None or debt.ends <= now:
        raise Refused("That shift is over.")
    debt = _as_it_stands(debt, state, now)
    if person not in (ask.person for ask in debt.asked):
        raise Refused("This was asked of somebody else.")
    if debt.taken_by == person:
        raise Refused(line("You have this shift already, until ", Time(debt.ends), "."))
    if debt.taken_by:
        raise Refused(line(Person(debt.taken_as), " has taken this shift already. Thank you."))
    if did == "decline":
        asked = tuple(_declined(ask, now) if ask.person == person else ask for ask in debt.asked)
        return _with(state, debt.model_copy(update={"asked": asked}))
    starts = max(now, debt.starts)
    if debt.person not in on_call_at(debt.rotation, company, state, starts):
        raise Refused("That shift is somebody else's by now. Thank you.")
    after = add_override(state, company, debt.rotation, person, starts, debt.ends, now, member, WHY)
    after = _with(after, debt.model_copy(update={"taken_by": person, "taken_as": member}))
    return add_notice(state, after, "took", member, now, company)


WHY = "rest after a page at night"


def _declined(ask: RestAsk, now: datetime) -> RestAsk:
    return ask if ask.declined_at else ask.model_copy(update={"declined_at": now})


def _with(state: OncallState, debt: RestDebt) -> OncallState:
    return state.model_copy(update={"rest": tuple(debt if debt.id == d.id else d for d in state.rest)})
