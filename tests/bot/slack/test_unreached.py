"""People whom no message reaches, given something to do: whoever names them reads it in the answer."""

from collections.abc import Iterator

import pytest

from tests.support.bot import Office, control, open_office
from tests.support.company import user
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    with open_office() as opened:
        control(opened.workspace, f"users/{user('mei')}", deleted=True)
        yield opened


@pytest.mark.parametrize(
    "typed",
    [
        "oncall override @mei from now to 23:00",
        "oncall swap primary with @mei",
        "page {} @mei the disk is full",
        "page {} @Tocsin the disk is full",
        "action {} Alert on the pool @mei friday",
    ],
)
def test_whoever_gives_something_to_somebody_who_left_is_told(office: Office, typed: str) -> None:
    """On call, a page, an action item: it is recorded, and the answer says that they will not hear of it."""
    incident = office.declare()
    person = office.person("dana")
    before = len(person.whispers())
    person.command(typed.format(incident.id))
    answer = eventually(lambda: "\n".join(person.whispers()[before:]))
    assert "cannot be reached in Slack: a deactivated account" in answer


def test_nobody_is_taken_for_gone_while_slack_does_not_say(office: Office) -> None:
    """An answer that we lack is no reason to warn of anybody."""
    incident = office.declare()
    control(office.workspace, "faults", method="users.info", kind="status", status=503, times=None)
    person = office.person("dana")
    before = len(person.whispers())
    person.command(f"page {incident.id} @sofia the disk is full")
    answer = eventually(lambda: "\n".join(person.whispers()[before:]))
    assert "cannot be reached" not in answer
    assert "Paged directly" in answer
