"""Who is on call at an instant, through handovers and DST changes, and how a configuration is read."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from escalation.config.company import Company, Directory
from escalation.config.rotations import Rotation
from escalation.oncall.roster import roster
from escalation.times import DAYS
from tests.support.profiles import examples

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
    assert rotation.shift(monday, ahead=1).person == "omar"
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


ALL_ZONES = st.sampled_from(sorted(available_timezones() - {"localtime"}))
STARTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)).map(lambda d: d.replace(tzinfo=UTC))  # noqa: DTZ001
LENGTHS = st.sampled_from(["2h", "3h", "8h", "12h", "1d", "36h", "5d", "1w", "2w", "30d"])
HANDOVERS = st.tuples(st.sampled_from(DAYS), st.times()).map(lambda t: f"{t[0]} {t[1]:%H:%M}")


@settings(max_examples=examples(300))
@given(STARTS, ALL_ZONES, LENGTHS, HANDOVERS, st.none() | st.dates(date(2025, 1, 1), date(2028, 1, 1)))
def test_at_every_instant_exactly_one_shift_of_any_length_holds(
    at: datetime, zone: str, every: str, handover: str, first: date | None
) -> None:
    """In any zone, through DST both ways: each begins where the one before ends, and the people follow their order."""
    rotation = Rotation(people=THREE, every=every, handover=handover, timezone=zone, first_shift=first)
    shift = rotation.shift(at)
    assert shift.starts <= at < shift.ends
    for _ in range(30):
        following = rotation.shift(shift.ends)
        assert following.starts == shift.ends < following.ends
        assert THREE[(THREE.index(shift.person) + 1) % 3] == following.person
        shift = following


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [
        # A day each: the handover's hour, from the first shift on.
        ({"every": "1d", "handover": "Monday 09:00", "first_shift": "2026-11-25"},
         [("2026-11-25T08:59", "mei"), ("2026-11-25T09:00", "dana"), ("2026-11-26T09:00", "omar")]),
        # Half days: the weekday of the handover begins the count.
        ({"every": "12h", "handover": "Monday 08:00", "first_shift": "2026-11-23"},
         [("2026-11-23T08:00", "dana"), ("2026-11-23T20:00", "omar"), ("2026-11-24T08:00", "mei")]),
        # Fortnights: the handover on or before the first shift's day begins the first.
        ({"every": "2w", "first_shift": "2026-11-25"},
         [("2026-11-22T23:59", "mei"), ("2026-11-23T00:00", "dana"), ("2026-12-07T00:00", "omar")]),
        # A leap day.
        ({"every": "1d", "first_shift": "2028-02-29"},
         [("2028-02-28T12:00", "mei"), ("2028-02-29T12:00", "dana"), ("2028-03-01T12:00", "omar")]),
    ],
)  # fmt: skip
def test_turns_of_any_length_are_counted_from_the_first_shift(
    rotation: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    """`first_shift` is a day of the first person's turn."""
    found = Rotation.model_validate({"people": THREE} | rotation)
    instants = [(at, found.on_call(datetime.fromisoformat(at).replace(tzinfo=UTC))) for at, _ in expected]
    assert instants == expected


def test_a_zone_that_skips_a_day_leaves_the_skipped_shifts_no_time() -> None:
    """Samoa had no 30 December 2011: no overlap, no gap, nothing out of order."""
    rotation = Rotation(people=THREE, every="2h", timezone="Pacific/Apia")
    at, seen = datetime(2011, 12, 29, tzinfo=UTC), []
    while at < datetime(2012, 1, 1, tzinfo=UTC):
        shift = rotation.shift(at)
        assert shift.starts == at < shift.ends
        seen.append(shift)
        at = shift.ends
    assert {s.ends - s.starts for s in seen} == {timedelta(hours=2)}


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("every", "1h", "'1h' is no length of a shift; write whole hours, 2h or more"),
        ("every", "150m", "'2h30m' is no length of a shift"),
        ("every", "weekly", "'weekly' is not a duration"),
        ("first_shift", "2027-02-29", "first_shift"),
        ("ical", "http://cal.example/a.ics", "its address begins with https:// or webcal://"),
        ("group", "On Call", "is not a user group; write its handle like oncall-engineer"),
        ("handover_channel", "War Room", "is not a channel"),
    ],
)
def test_a_rotation_that_cannot_be_is_refused(field: str, value: str, words: str) -> None:
    """The error shows how to write it."""
    with pytest.raises(ValidationError, match=words):
        Rotation.model_validate({"people": THREE, field: value})


@pytest.mark.parametrize("field", [{"handover": "Monday 00:00"}, {"every": "1d"}, {"first_shift": "2026-11-23"}])
def test_a_calendar_and_a_plan_exclude_each_other(field: dict[str, str]) -> None:
    """The calendar alone says when shifts begin."""
    feed = {"people": THREE, "ical": "webcal://cal.example/a.ics"}
    assert Rotation.model_validate(feed | {"group": "@oncall"}).group == "oncall"
    with pytest.raises(ValidationError, match=f"ical and {next(iter(field))} exclude each other"):
        Rotation.model_validate(feed | field)


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
        (
            {"teams": {"core": {"members": ["dona"]}}},
            "teams.core.members: there is no person called 'dona'; did you mean 'dana'?",
        ),
        ({"teams": {"core": {}}, "services": {"api": {"team": "cor"}}}, "no team called 'cor'; did you mean 'core'?"),
        ({"services": {"api": {"vendor": "stripe"}}}, "services.api.vendor: there is no vendor called 'stripe'"),
        ({"contacts": {"hotline": {"phone": "call me"}}}, "'call me' is not a telephone number"),
        ({"contacts": {"technical": [{"note": "?"}]}}, "a contact needs a name, phone, email, slack or url"),
        ({"people": {"dana": {"slack": "UDANA", "away": "2027-02-29"}}}, "'2027-02-29' are not days that exist"),
        ({"people": {"dana": {"slack": "UDANA", "away": "2027-01-02..2026-12-24"}}}, "ends before it begins"),
        ({"polcy": "kars"}, "Extra inputs"),
    ],
)
def test_what_is_wrong_with_a_configuration_is_said(changed: dict[str, Any], words: str) -> None:
    """Each names the place, and the nearest known name where there is one."""
    with pytest.raises(ValidationError, match=words.replace("?", "\\?")):
        company(**changed)


def test_two_rotations_for_one_role_are_refused() -> None:
    """With both ways out."""
    two = {"a": {"people": ["dana"]}, "b": {"people": ["omar"]}}
    with pytest.raises(ValidationError, match="make one rotation of both, or give the second its own role"):
        company(rotations=two, roles={"on_call": ["rotation a", "rotation b"]})
    assert company(rotations=two, roles={"on_call": ["rotation a", "rotation a next"], "backup": "rotation b"})


def test_roles_that_follow_the_service() -> None:
    """Its lead, else its team's; its team's members; else whoever holds the role of that name."""
    owned = company(
        teams={"core": {"lead": "dana", "members": ["dana", "omar"], "channel": "#team-core"}, "empty": {}},
        services={"api": {"team": "core"}, "shop": {"team": "core", "lead": "omar"}, "mail": {"team": "empty"}},
        roles={"on_call": "dana", "service_lead": "dana"},
    )
    held = roster(owned, Directory(), datetime(2026, 11, 23, tzinfo=UTC))
    assert [held.of("service_lead", s) for s in ("api", "shop", "mail", "nothing", "")] == [
        ("dana",), ("U0OMAR",), ("dana",), ("dana",), ("dana",),
    ]  # fmt: skip
    assert (held.of("service_team", "api"), held.of("service_team", "mail")) == (("dana", "U0OMAR"), ())
    assert held.of("on_call", "api") == ("dana",)
    assert owned.team_of("api").channel == "team-core"


def test_contacts_may_be_names_only() -> None:
    """Or everything that is known of them."""
    known = company(
        contacts={
            "hotline": {"phone": "+49 30 1234567", "note": "day and night"},
            "technical": ["Dana", {"name": "Omar", "slack": "U0OMAR"}],
            "vendors": {"stripe": {"name": "Stripe", "url": "https://support.stripe.com"}},
        },
        services={"checkout": {"vendor": "stripe", "team": "whoever"}},
    )
    assert [c.name for c in known.contacts.technical] == ["Dana", "Omar"]
    assert known.contacts.vendors[known.services["checkout"].vendor or ""].name == "Stripe"
