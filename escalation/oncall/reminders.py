"""What is to be said when, of all that comes round again: test pages, handovers, activities, and what was arranged.

Each message has an id that is the same whenever it is asked for, so that it can be sent exactly once. What was owed
more than a day ago is not said any more, and an activity only on its own business day. Pure.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

from escalation.config.company import Company, Directory
from escalation.config.policy import Activity, HandoverRules, Policy
from escalation.oncall.activities import last_activity
from escalation.oncall.handovers import ShiftChange, announced_at, shift_changes, shift_id, tested_at
from escalation.oncall.roster import roster
from escalation.oncall.schedule import TICK, Notice, OncallState, TestPage, on_duty, shift_at
from escalation.values import Frozen

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
AHEAD = timedelta(days=21)  # a test page goes out that long before a handover, when the company is closed meanwhile


class DueReminder(Frozen):
    """One message, from `due` (inclusive) until (exclusive). `to`: a person's key or id; none: it is for `channel`."""

    id: str
    due: datetime
    until: datetime
    to: str = ""
    channel: str = ""


class DueTestPage(DueReminder):
    """The incoming person is asked to answer."""

    change: ShiftChange


class DueHandover(DueReminder):
    """The handover's message with its agenda and checklist."""

    change: ShiftChange


class DueUnanswered(DueReminder):
    """A test page was not answered in time: said in the channel, to whoever goes off duty, and to the role's others."""

    test: TestPage
    outgoing: tuple[str, ...]


class DueRelease(DueReminder):
    """A test page was answered after all."""

    test: TestPage
    outgoing: tuple[str, ...]


class DueNotice(DueReminder):
    """Somebody arranged something."""

    notice: Notice


class DueActivity(DueReminder):
    """An activity is due: told to its owners, and said in the channel. `people` by key or id."""

    activity: Activity
    people: tuple[str, ...]


AnyReminder = DueTestPage | DueHandover | DueUnanswered | DueRelease | DueNotice | DueActivity


def owed(
    company: Company, policy: Policy, duty: OncallState, directory: Directory, now: datetime
) -> tuple[AnyReminder, ...]:
    """All that should have been said by now, the oldest first, whether or not it was."""
    found = chain(
        _handovers(company, policy, duty, now),
        _answers(company, policy, duty, directory, now),
        _notices(company, duty),
        _activities(company, policy, duty, directory, now),
    )
    return tuple(sorted((o for o in found if o.due <= now < o.until), key=lambda o: (o.due, o.id)))


def channel_of(company: Company, rotation: str = "") -> str:
    """Where the matters of a rotation, or of on call in general, are said."""
    own = company.rotations[rotation].handover_channel if rotation in company.rotations else None
    return own or company.workspace.oncall_channel or company.workspace.incidents_channel


def call_length(company: Company, rules: HandoverRules, rotation: str) -> timedelta:
    """A rotation's own length of the handover call, else the policy's."""
    entry = company.rotations[rotation]
    return entry.handover_call if "handover_call" in entry.model_fields_set else rules.call


# Handovers -----------------------------------------------------------------------------------------------------------


def _handovers(company: Company, policy: Policy, duty: OncallState, now: datetime) -> Iterator[AnyReminder]:
    rules = policy.handover
    if rules is None:
        return
    for name, rotation in company.rotations.items():
        for change in shift_changes(name, company, duty, now - DAY, now + AHEAD):
            if rules.test_page and rotation.test_page:
                yield from _test_pages(company, rules, change, now)
            due = announced_at(change.at, company.calendar)
            until = min(max(change.at, due + DAY), change.ends or change.at + DAY)
            id = f"handover-{change.id}"
            yield DueHandover(id=id, due=due, until=until, channel=channel_of(company, name), change=change)


def _test_pages(company: Company, rules: HandoverRules, change: ShiftChange, now: datetime) -> Iterator[AnyReminder]:
    """Late ones (an outage, a swap) wait for working hours if there are any left before the handover."""
    due, until = tested_at(change.at, company.calendar, rules.answer_within), change.at + rules.answer_within
    if due <= now and company.calendar.next_opening(now) > now:
        opening = company.calendar.next_opening(now)
        due = opening if opening + rules.answer_within <= change.at else due
    for person in change.incoming:
        if person not in change.outgoing:
            yield DueTestPage(id=f"test-{change.id}-{person}", due=due, until=until, to=person, change=change)


def _answers(
    company: Company, policy: Policy, duty: OncallState, directory: Directory, now: datetime
) -> Iterator[AnyReminder]:
    rules = policy.handover
    if rules is None:
        return
    for test in duty.tests:
        late = test.sent_at + rules.answer_within
        if now - DAY < late <= now and test.answered_at is None and _stands(test, company, duty):
            yield from _unanswered(test, late, company, duty, directory)
        elif test.answered_at and test.answered_at >= late and test.rotation in company.rotations:
            yield DueRelease(
                id=f"released-{shift_id(test.rotation, test.shift_start)}-{test.person}",
                due=test.answered_at,
                until=test.answered_at + DAY,
                channel=channel_of(company, test.rotation),
                test=test,
                outgoing=_outgoing(test, company, duty),
            )


def _stands(test: TestPage, company: Company, duty: OncallState) -> bool:
    """Whether the person who was asked still takes over: it may have been swapped away since."""
    if test.rotation not in company.rotations:
        return False
    return test.person in shift_at(test.rotation, company, duty, test.shift_start).people


def _outgoing(test: TestPage, company: Company, duty: OncallState) -> tuple[str, ...]:
    return on_duty(test.rotation, company, duty, test.shift_start - TICK)


def _unanswered(
    test: TestPage, late: datetime, company: Company, duty: OncallState, directory: Directory
) -> Iterator[AnyReminder]:
    outgoing = _outgoing(test, company, duty)
    id = f"unanswered-{shift_id(test.rotation, test.shift_start)}-{test.person}"
    first = DueUnanswered(
        id=id, due=late, until=late + DAY, channel=channel_of(company, test.rotation), test=test, outgoing=outgoing
    )
    yield first
    others = (*outgoing, *_role_of(test.rotation, company, duty, directory, late))
    for person in dict.fromkeys(p for p in others if p != test.person):
        yield first.model_copy(update={"id": f"{id}-to-{person}", "to": person})


def _role_of(rotation: str, company: Company, duty: OncallState, directory: Directory, at: datetime) -> Iterator[str]:
    """Everybody who holds a role together with a rotation, and its backup."""
    held = roster(company, directory, at, duty)
    for role, holders in company.roles.items():
        if any(h.rotation == rotation for h in holders):
            yield from _keys(held.of(role), company, directory)


def _keys(members: tuple[str, ...], company: Company, directory: Directory) -> tuple[str, ...]:
    """By the configuration's keys where it has them: those do not change when the workspace is asked."""
    return tuple(company.key_of(m, directory) or m for m in members)


# The rest ------------------------------------------------------------------------------------------------------------


def _notices(company: Company, duty: OncallState) -> Iterator[AnyReminder]:
    for notice in duty.notices:
        first = notice.pieces[0]
        rotation = getattr(first, "rotation", "")  # an absence concerns them all
        id = f"{notice.did}-{first.id}"
        yield DueNotice(
            id=id, due=notice.at, until=notice.at + DAY, channel=channel_of(company, rotation), notice=notice
        )


def _activities(
    company: Company, policy: Policy, duty: OncallState, directory: Directory, now: datetime
) -> Iterator[AnyReminder]:
    for activity in policy.activities:
        due = last_activity(activity, company.calendar, now, DAY)
        if due is None:
            continue
        # Who holds the role when it falls due: a handover an hour later reminds nobody again.
        people = _keys(roster(company, directory, due, duty).of(activity.owner), company, directory)
        said = DueActivity(
            id=f"activity-{activity.id}-{due:%Y%m%d}",
            due=due,
            until=_day_ends(company, due),
            channel=channel_of(company),
            activity=activity,
            people=people,
        )
        yield said
        yield from (said.model_copy(update={"id": f"{said.id}-to-{p}", "to": p}) for p in people)


def _day_ends(company: Company, due: datetime) -> datetime:
    """Yesterday's activity is nobody's concern this morning."""
    session = company.calendar.opening(due.astimezone(ZoneInfo(company.calendar.timezone)).date())
    return max(session[1] if session else due, due + HOUR)
