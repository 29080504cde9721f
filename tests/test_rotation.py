"""Who is on call at an instant, through handovers and DST changes, and how a configuration is read."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from escalation.company import Company, Directory, roster
from escalation.rotation import Rotation

THREE = ("dana", "omar", "mei")
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda d: d.replace(tzinfo=UTC))  # noqa: DTZ001


def test_a_week_is_one_persons() -> None:
    """From Monday 00:00 to Monday 00:00, then the next in the order."""
    rotation = Rotation(people=THREE, first_shift=date(2024, 12, 16))
    monday = datetime(2024, 12, 16, tzinfo=UTC)
    assert [rotation.on_call(monday + timedelta(days=d)) for d in (0, 6.999, 7, 14, 21)] == [
        "dana", "dana", "omar", "mei", "dana",
    ]  # fmt: skip
    assert rotation.next_on_call(monday) == "omar"
    assert rotation.shift(monday).ends == monday + timedelta(days=7)


@pytest.mark.parametrize("day", [date(2025, 3, 30), date(2025, 10, 26)])
def test_the_handover_stays_at_its_local_time_over_a_dst_change(day: date) -> None:
    """The week with the change is an hour shorter or longer; both handovers are at 09:00 local."""
    rotation = Rotation(people=THREE, handover="Monday 09:00", timezone="Europe/Berlin")
    shift = rotation.shift(datetime(day.year, day.month, day.day, 12, tzinfo=UTC))
    zone = ZoneInfo("Europe/Berlin")
    assert (shift.starts.astimezone(zone).hour, shift.ends.astimezone(zone).hour) == (9, 9)
    assert abs(shift.ends - shift.starts - timedelta(days=7)) == timedelta(hours=1)


@given(INSTANTS, ZONES, st.sampled_from(["Monday 00:00", "Sunday 02:30", "Friday 17:00"]))
def test_there_is_always_exactly_one_shift(at: datetime, zone: str, handover: str) -> None:
    """No gap and no overlap: each instant is inside its shift, and the next begins where it ends."""
    rotation = Rotation(people=THREE, handover=handover, timezone=zone)
    shift, following = rotation.shift(at), rotation.shift(at, ahead=1)
    assert shift.starts <= at < shift.ends == following.starts
    assert THREE[(THREE.index(shift.person) + 1) % 3] == following.person
    assert rotation.on_call(shift.ends - timedelta(microseconds=1)) == shift.person


@pytest.mark.parametrize("handover", ["", "Monday", "00:00", "Someday 00:00", "Monday 24:00", "T 09:00", "M 09:00"])
def test_a_bad_handover_is_refused(handover: str) -> None:
    """The error shows how to write one."""
    with pytest.raises(ValidationError, match="Monday 00:00"):
        Rotation(people=THREE, handover=handover)


def company(**changed: Any) -> Company:
    data = {
        "policy": "kars",
        "people": {"dana": {"email": "dana@example.com"}, "omar": {"slack": "U0OMAR"}},
        "roles": {"on_call": "rotation primary", "backup": "rotation primary next", "leads": ["dana", "S0GROUP"]},
        "rotations": {"primary": {"people": ["dana", "omar"], "first_shift": "2024-12-16"}},
    }
    return Company.model_validate(data | changed)


def test_the_roster_is_read_at_the_instant() -> None:
    """The same role is another person after the handover; groups are expanded; a person not yet found goes by key."""
    before = roster(company(), Directory(), datetime(2024, 12, 22, 23, 59, tzinfo=UTC))
    after = roster(company(), Directory(people={"dana@example.com": "U0DANA"}), datetime(2024, 12, 23, tzinfo=UTC))
    assert (before.of("on_call"), before.of("backup")) == (("dana",), ("U0OMAR",))
    assert (after.of("on_call"), after.of("backup")) == (("U0OMAR",), ("U0DANA",))
    grouped = Directory(groups={"S0GROUP": ("U1", "U2")})
    assert roster(company(), grouped, datetime(2024, 12, 23, tzinfo=UTC)).of("leads") == ("dana", "U1", "U2")
    assert after.of("nobody_has_this") == ()


def test_a_key_that_means_somebody_else_now_does_not_page_the_former_one() -> None:
    """What the workspace told is kept by address: the new one is looked up, whatever the old one's id was."""
    known = Directory(people={"dana@example.com": "U0DANA"})
    succeeded = company(people={"dana": {"email": "dora@example.com"}, "omar": {"slack": "U0OMAR"}})
    assert succeeded.member("dana", known) == "dana"
    assert company().member("dana", known) == "U0DANA"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"roles": {"on_call": "dona"}}, "roles.on_call: there is no person called 'dona'; did you mean 'dana'?"),
        ({"roles": {"on_call": "rotation primry"}}, "no rotation called 'primry'; did you mean 'primary'?"),
        ({"roles": {"on_call": "rotation"}}, "on_call"),
        ({"rotations": {"primary": {"people": ["zed"]}}}, "no person called 'zed'; known are: dana, omar"),
        ({"rotations": {"primary": {"people": []}}}, "at least 1 item"),
        ({"rotations": {"primary": {"people": ["dana"], "timezone": "Mars/Base"}}}, "not a time zone"),
        ({"people": {"dana": {}}}, "give an email or a slack id"),
        ({"people": {"dana": {"email": "dana"}}}, "email"),
        ({"meeting_url": "javascript:alert(1)"}, "begins with https"),
        ({"permissions": {"resolve": "boss"}}, "no role called 'boss'"),
        ({"services": {"checkout": {"lead": "zed"}}}, "services.checkout.lead"),
        ({"polcy": "kars"}, "Extra inputs"),
    ],
)
def test_what_is_wrong_with_a_configuration_is_said(changed: dict[str, Any], words: str) -> None:
    """Each names the place, and the nearest known name where there is one."""
    with pytest.raises(ValidationError, match=words.replace("?", "\\?")):
        company(**changed)
