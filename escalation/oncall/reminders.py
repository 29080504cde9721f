"""Recurring reminders that are due: test pages, handovers, activities, rest, notices of overrides and absences. Pure.

Each has an id that is the same at each call, so that it can be sent exactly once. What was due more than a day ago is
not sent any more, and an activity only on its own business day.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, time, timedelta
from itertools import chain
from typing import Self
from zoneinfo import ZoneInfo

from escalation.config.company import Company, Directory
from escalation.config.notify import Via
from escalation.config.policy import LEAD, Activity, HandoverRules, Policy
from escalation.notify.methods import PERSONAL
from escalation.oncall.activities import last_activity
from escalation.oncall.coverage import Gap, gaps, wakes
from escalation.oncall.edits import PlanChange, plan_changes
from escalation.oncall.handovers import (
    ShiftChange,
    shift_changes,
    shift_id,
    time_of_handover_message,
    time_of_test_page,
)
from escalation.oncall.roster import roster
from escalation.oncall.schedule import (
    MICROSECOND,
    GroupFault,
    LeftShift,
    Notice,
    OncallShift,
    OncallState,
    RestAsk,
    RestDebt,
    TestPage,
    kept_shift,
    on_call_at,
    shift_at,
)
from escalation.values import Frozen, title_of

DAY, HOUR, WEEK = timedelta(days=1), timedelta(hours=1), timedelta(days=7)
MORNING = time(9)
LOOK_AHEAD = timedelta(days=21)  # a test page goes out up to that long before a handover if the company closes between


class Recipient(Frozen):
    """Who hears a reminder: a person by key or id, else a channel. `why` says to them why it is them."""

    to: str = ""
    channel: str = ""
    why: str = ""


class DueReminder(Frozen):
    """A reminder to send from `due` (inclusive) until (exclusive). `to`: a person's key or id; none: for `channel`.

    `instead` are those who hear it when the person cannot be reached, in this order; `why` is for those who do.
    """

    id: str
    due: datetime
    until: datetime
    to: str = ""
    channel: str = ""
    why: str = ""
    instead: tuple[Recipient, ...] = ()

    def handed_on(self) -> Self | None:
        """Return the same for whoever is next; None when nobody is left."""
        if not self.instead:
            return None
        following, *rest = self.instead
        return self.model_copy(update={**following.model_dump(), "instead": tuple(rest)})

    @property
    def unheard(self) -> str:
        """What an operator has to do when nobody could be reached; empty where others hear of it anyway."""
        return ""


class DueTestPage(DueReminder):
    """The test page to an incoming person."""

    change: ShiftChange


class DueHandover(DueReminder):
    """The handover's message with its agenda and checklist."""

    change: ShiftChange


class DueShift(DueReminder):
    """Somebody's own reminder of their next shift."""

    change: ShiftChange


class DueUnanswered(DueReminder):
    """An overdue test page: for the channel, the outgoing people, and the role's other holders."""

    test: TestPage
    outgoing: tuple[str, ...]


class DueRelease(DueReminder):
    """A late answer to a test page, which releases the outgoing people."""

    test: TestPage
    outgoing: tuple[str, ...]


class DueNotice(DueReminder):
    """Notice of an override or absence that was made or taken back."""

    notice: Notice


class DueEdit(DueReminder):
    """An edit of a rotation in the configuration: the running shift, which stays, and what changes after it."""

    kept: OncallShift
    changes: tuple[PlanChange, ...]


class DueLeft(DueReminder):
    """Time on call that counts no more since an edit, and who is on call `instead`, by key."""

    left: LeftShift
    instead_on_call: tuple[str, ...]


class DueGroupFault(DueReminder):
    """A user group that does not follow its rotation: for the channel."""

    rotation: str
    fault: GroupFault


class DueAsleep(DueReminder):
    """The weekly note of those whom nothing wakes, though an urgent tier pages them before the next note."""

    gaps: tuple[Gap, ...]


class DueActivity(DueReminder):
    """A recurring activity: for its owners and the channel. `people` by key or id."""

    activity: Activity
    people: tuple[str, ...]


class DueRestOffer(DueReminder):
    """The question to somebody whether they take the shift of a person who is to rest."""

    debt: RestDebt
    ask: RestAsk


class DueRestUnmet(DueReminder):
    """Nobody took the shift of a person who is to rest: for their `leads`, by key or id, and for themselves."""

    debt: RestDebt
    leads: tuple[str, ...]


AnyReminder = (
    DueTestPage
    | DueHandover
    | DueShift
    | DueUnanswered
    | DueRelease
    | DueNotice
    | DueEdit
    | DueLeft
    | DueGroupFault
    | DueAsleep
    | DueActivity
    | DueRestOffer
    | DueRestUnmet
)


def due_reminders(
    company: Company,
    policy: Policy,
    state: OncallState,
    directory: Directory,
    now: datetime,
    set_up: Collection[Via] = PERSONAL,
) -> tuple[AnyReminder, ...]:
    """Return all reminders that are due, the oldest first, whether or not they were sent. `set_up`: as in gaps."""
    found = chain(
        _handovers(company, policy, state, now),
        _shifts(company, state, now),
        _test_page_results(company, policy, state, directory, now),
        _notices(company, state, directory),
        _edits(company, state),
        _left(company, state, directory, now),
        _group_faults(company, state),
        _asleep(company, policy, state, directory, now, set_up),
        _activities(company, policy, state, directory, now),
        _rest(company, state, directory),
    )
    return tuple(sorted((o for o in found if o.due <= now < o.until), key=lambda o: (o.due, o.id)))


def channel_of(company: Company, rotation: str = "") -> str:
    """Return the channel of a rotation, or of on call in general."""
    own = company.rotations[rotation].handover_channel if rotation in company.rotations else None
    return own or company.workspace.oncall_channel or company.workspace.incidents_channel


# Handovers -----------------------------------------------------------------------------------------------------------


def _handovers(company: Company, policy: Policy, state: OncallState, now: datetime) -> Iterator[AnyReminder]:
    rules = policy.handover
    if rules is None:
        return
    for name, rotation in company.rotations.items():
        for change in shift_changes(name, company, state, now - DAY, now + LOOK_AHEAD):
            if rules.test_page and rotation.test_page:
                yield from _test_pages(company, rules, change, now)
            due = time_of_handover_message(change.at, company.calendar)
            until = min(max(change.at, due + DAY), change.ends or change.at + DAY)
            id = f"handover-{change.id}"
            yield DueHandover(id=id, due=due, until=until, channel=channel_of(company, name), change=change)


def _test_pages(company: Company, rules: HandoverRules, change: ShiftChange, now: datetime) -> Iterator[AnyReminder]:
    """Yield a handover's test pages. Late ones (an outage, a swap) wait for working hours if any are left before it."""
    due, until = time_of_test_page(change.at, company.calendar, rules.answer_within), change.at + rules.answer_within
    if due <= now and company.calendar.next_opening(now) > now:
        opening = company.calendar.next_opening(now)
        due = opening if opening + rules.answer_within <= change.at else due
    for person in change.incoming:
        if person not in change.outgoing:
            yield DueTestPage(id=f"test-{change.id}-{person}", due=due, until=until, to=person, change=change)


def _shifts(company: Company, state: OncallState, now: datetime) -> Iterator[AnyReminder]:
    """Yield the reminders of shifts that people set for themselves."""
    wanted = {key: own.shift_reminder for key, own in state.preferences.items() if own.shift_reminder}
    longest = max(wanted.values(), default=None)
    for name in company.rotations if longest else ():
        for change in shift_changes(name, company, state, now, now + (longest or DAY) + DAY):
            for person in change.incoming:
                if person in wanted and person not in change.outgoing:
                    due, id = change.at - wanted[person], f"shift-{change.id}-{person}"
                    yield DueShift(id=id, due=due, until=change.at, to=person, change=change)


def _test_page_results(
    company: Company, policy: Policy, state: OncallState, directory: Directory, now: datetime
) -> Iterator[AnyReminder]:
    rules = policy.handover
    if rules is None:
        return
    for test in state.tests:
        deadline = test.sent_at + rules.answer_within
        if now - DAY < deadline <= now and test.answered_at is None and _still_takes_over(test, company, state):
            yield from _unanswered(test, deadline, company, state, directory)
        elif test.answered_at and test.answered_at >= deadline and test.rotation in company.rotations:
            yield DueRelease(
                id=f"released-{shift_id(test.rotation, test.shift_start)}-{test.person}",
                due=test.answered_at,
                until=test.answered_at + DAY,
                channel=channel_of(company, test.rotation),
                test=test,
                outgoing=_outgoing(test, company, state),
            )


def _still_takes_over(test: TestPage, company: Company, state: OncallState) -> bool:
    """True if the person tested still takes over: the shift may have been swapped since."""
    if test.rotation not in company.rotations:
        return False
    return test.person in shift_at(test.rotation, company, state, test.shift_start).people


def _outgoing(test: TestPage, company: Company, state: OncallState) -> tuple[str, ...]:
    return on_call_at(test.rotation, company, state, test.shift_start - MICROSECOND)


def _unanswered(
    test: TestPage, deadline: datetime, company: Company, state: OncallState, directory: Directory
) -> Iterator[AnyReminder]:
    outgoing = _outgoing(test, company, state)
    id = f"unanswered-{shift_id(test.rotation, test.shift_start)}-{test.person}"
    first = DueUnanswered(
        id=id,
        due=deadline,
        until=deadline + DAY,
        channel=channel_of(company, test.rotation),
        test=test,
        outgoing=outgoing,
    )
    yield first
    others = (*outgoing, *_role_members(test.rotation, company, state, directory, deadline))
    for person in dict.fromkeys(p for p in others if p != test.person):
        yield first.model_copy(update={"id": f"{id}-to-{person}", "to": person})


def _role_members(
    rotation: str, company: Company, state: OncallState, directory: Directory, at: datetime
) -> Iterator[str]:
    """Yield the keys of everybody who holds a role that the rotation stands for."""
    on_call = roster(company, directory, at, state)
    for role, holders in company.roles.items():
        if any(h.rotation == rotation for h in holders):
            yield from _keys(on_call.of(role), company, directory)


def _keys(members: tuple[str, ...], company: Company, directory: Directory) -> tuple[str, ...]:
    """Keys of members where the configuration has them: those do not change when Slack is asked."""
    return tuple(company.key_of(m, directory) or m for m in members)


# The rest ------------------------------------------------------------------------------------------------------------


def _notices(company: Company, state: OncallState, directory: Directory) -> Iterator[AnyReminder]:
    """Yield the notices for the channel, and for each person concerned but the one who did it."""
    for notice in state.notices:
        first = notice.pieces[0]
        rotation = getattr(first, "rotation", "")  # an absence concerns them all
        id = f"{notice.did}-{first.id}"
        reminder = DueNotice(
            id=id, due=notice.at, until=notice.at + DAY, channel=channel_of(company, rotation), notice=notice
        )
        yield reminder
        for person in notice.concerned():
            if person in company.people and company.member(person, directory) != notice.by:
                yield reminder.model_copy(update={"id": f"{id}-to-{person}", "to": person})


def _edits(company: Company, state: OncallState) -> Iterator[AnyReminder]:
    """Yield the edits of rotations: for the channel, and for everybody whose shifts they change."""
    for name, rotation in company.rotations.items():
        kept, changes = kept_shift(name, company, state), plan_changes(name, company, state)
        if kept is None or kept.ends is None or not changes:
            continue
        first = DueEdit(
            id=f"edit-{shift_id(name, kept.starts)}-{rotation.definition}",
            due=kept.starts,
            until=kept.ends,
            channel=channel_of(company, name),
            kept=kept,
            changes=changes,
        )
        yield first
        concerned = dict.fromkeys(p for c in changes for p in (*c.before, *c.after) if p in company.people)
        yield from (first.model_copy(update={"id": f"{first.id}-to-{p}", "to": p}) for p in concerned)


def _left(company: Company, state: OncallState, directory: Directory, now: datetime) -> Iterator[AnyReminder]:
    """Yield what counts no more: for the channel, for whoever arranged it, and for those on call instead."""
    for shift in state.left:
        held = shift.rotation in company.rotations
        instead = on_call_at(shift.rotation, company, state, max(now, shift.starts)) if held else ()
        # Once a day at most: two hosts that have different configurations note it anew in each round.
        id = f"left-{shift.rotation}-{shift.number}-{shift.person}-{shift.since:%Y%m%d}"
        until = min(shift.ends, shift.since + DAY)
        about = {"left": shift, "instead_on_call": instead, "channel": channel_of(company, shift.rotation)}
        first = DueLeft(id=id, due=shift.since, until=until, **about)
        yield first
        by = shift.by if shift.by and not title_of(shift.by) else ""
        for person in dict.fromkeys(filter(None, (*_keys((by,), company, directory), *instead))):
            yield first.model_copy(update={"id": f"{id}-to-{person}", "to": person})


def _group_faults(company: Company, state: OncallState) -> Iterator[AnyReminder]:
    for name, fault in state.group_faults.items():
        if name in company.rotations:
            yield DueGroupFault(
                id=f"group-{name}-{fault.since.timestamp():.0f}",
                due=fault.since,
                until=fault.since + DAY,
                channel=channel_of(company, name),
                rotation=name,
                fault=fault,
            )


def _asleep(
    company: Company,
    policy: Policy,
    state: OncallState,
    directory: Directory,
    now: datetime,
    set_up: Collection[Via],
) -> Iterator[AnyReminder]:
    """Yield the weekly note, on the week's first working morning. In a company that wakes nobody it is no news."""
    if not any(wakes(company, key, state, set_up) for key in company.people):
        return
    monday = now.astimezone(ZoneInfo(company.calendar.timezone)).date()
    monday -= timedelta(days=monday.weekday())
    due = company.calendar.next_opening(datetime.combine(monday, MORNING, ZoneInfo(company.calendar.timezone)))
    if not due <= now < due + DAY:
        return
    found = gaps(company, policy, state, due, due + WEEK, directory, set_up)
    if asleep := tuple(gap for gap in found if gap.person):
        yield DueAsleep(id=f"asleep-{due:%Y%m%d}", due=due, until=due + DAY, channel=channel_of(company), gaps=asleep)


def _activities(
    company: Company, policy: Policy, state: OncallState, directory: Directory, now: datetime
) -> Iterator[AnyReminder]:
    for activity in policy.activities:
        due = last_activity(activity, company.calendar, now, DAY)
        if due is None:
            continue
        # Who holds the role when it falls due: a handover an hour later reminds nobody again.
        people = _keys(roster(company, directory, due, state).of(activity.owner), company, directory)
        reminder = DueActivity(
            id=f"activity-{activity.id}-{due:%Y%m%d}",
            due=due,
            until=_end_of_day(company, due),
            channel=channel_of(company),
            activity=activity,
            people=people,
        )
        yield reminder
        yield from (reminder.model_copy(update={"id": f"{reminder.id}-to-{p}", "to": p}) for p in people)


def _rest(company: Company, state: OncallState, directory: Directory) -> Iterator[AnyReminder]:
    """Yield what is asked for those who are to rest, and who knows that nobody took over."""
    for debt in state.rest:
        if debt.taken_by or debt.person not in company.people:
            continue
        id = f"rest-{debt.id}"
        for ask in debt.asked:
            if not ask.declined_at and ask.person in company.people:
                yield DueRestOffer(
                    id=f"{id}-{ask.person}", due=ask.at, until=debt.ends, to=ask.person, debt=debt, ask=ask
                )
        if debt.unmet_at:
            yield from _unmet(debt, debt.unmet_at, company, state, directory)


def _unmet(
    debt: RestDebt, since: datetime, company: Company, state: OncallState, directory: Directory
) -> Iterator[AnyReminder]:
    """Yield for the tired person and each of their leads, else for the rotation's channel."""
    leads = _leads(debt.person, company, state, directory, since)
    first = DueRestUnmet(
        id=f"rest-{debt.id}-unmet",
        due=since,
        until=debt.ends,
        channel=channel_of(company, debt.rotation),
        debt=debt,
        leads=leads,
    )
    if not leads:
        yield first
    channel = (Recipient(channel=first.channel),)
    yield first.model_copy(update={"id": f"{first.id}-to-{debt.person}", "to": debt.person})
    for person in leads:  # somebody besides the tired one has to know
        yield first.model_copy(update={"id": f"{first.id}-to-{person}", "to": person, "instead": channel})


def _leads(person: str, company: Company, state: OncallState, directory: Directory, at: datetime) -> tuple[str, ...]:
    """Return the leads of somebody's teams, else the holders of the role of service leads; themselves left out."""
    teams = (team.lead for team in company.teams.values() if person in team.members and team.lead)
    holders = _keys(roster(company, directory, at, state).of(LEAD), company, directory)
    found = [lead for lead in teams if lead != person] or [lead for lead in holders if lead != person]
    return tuple(dict.fromkeys(found))


def _end_of_day(company: Company, due: datetime) -> datetime:
    """Return when an activity's reminder expires: yesterday's concerns nobody this morning."""
    session = company.calendar.opening(due.astimezone(ZoneInfo(company.calendar.timezone)).date())
    return max(session[1] if session else due, due + HOUR)
