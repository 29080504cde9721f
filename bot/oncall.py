"""Who is on call, who is the backup, when the next handover is. Pure."""

from collections.abc import Iterator
from datetime import datetime

from escalation.company import Company, Directory, Roster
from escalation.policy import Policy
from escalation.words import Line, Person, Strong, Time, line, people


def on_call(company: Company, policy: Policy, directory: Directory, duty: Roster, now: datetime) -> tuple[Line, ...]:
    """A line for each rotation, then one for each role of the policy."""
    return (*_rotations(company, directory, now), *_roles(policy, duty))


def _rotations(company: Company, directory: Directory, now: datetime) -> Iterator[Line]:
    def person(key: str) -> Person:
        return Person(company.member(key, directory))

    for name, rotation in company.rotations.items():
        shift = rotation.shift(now)
        yield line(Strong(f"{name}: "), person(shift.person), ", backup ", person(rotation.next_on_call(now)))
        yield line("Next handover: ", Time(shift.ends, clock=False), " to ", person(rotation.next_on_call(now)))


def _roles(policy: Policy, duty: Roster) -> Iterator[Line]:
    for role, name in policy.roles.items():
        yield line(Strong(f"{name}: "), *people(duty.of(role)))
