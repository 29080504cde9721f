"""Bad configurations, policies and on-call arrangements, in tables: refused in words that say what would be right."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from escalation.config.company import Company
from escalation.config.policy import Policy
from escalation.config.rotations import Rotation, Shift
from escalation.errors import Refused
from escalation.oncall import overrides
from escalation.oncall.coverage import gaps
from escalation.oncall.schedule import EMPTY_STATE, on_call_at
from escalation.times import local_instant
from tocsin.config.loader import SHIPPED, ConfigError, Finding, load
from workers.recurring.oncall.calendar_events import FeedProblem, read

COMPANY = """\
policy: mine.yml
people:
  dana: {email: dana@example.com, away: 2027-01-04..2027-01-10}
  omar: {email: omar@example.com}
roles:
  on_call: rotation primary
  backup: rotation primary next
rotations:
  primary: {people: [dana, omar], handover: Monday 00:00, first_shift: 2026-01-05}
services:
  checkout: {lead: omar}
"""
POLICY = (SHIPPED / "kars.yml").read_text(encoding="utf-8")
NOW = datetime(2026, 12, 18, 12, tzinfo=UTC)
YEAR = timedelta(days=365)


def refusal(tmp_path: Path, company: str = COMPANY, policy: str = POLICY) -> list[Finding]:
    """What is wrong with both files."""
    written(tmp_path, company, policy)
    with pytest.raises(ConfigError) as wrong:
        load(tmp_path / "c.yml")
    return list(wrong.value.findings)


def written(tmp_path: Path, company: str = COMPANY, policy: str = POLICY) -> Path:
    (tmp_path / "mine.yml").write_text(policy, encoding="utf-8")
    (tmp_path / "c.yml").write_text(company, encoding="utf-8")
    return tmp_path / "c.yml"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        # Rotations
        ("people: [dana, omar]", "people: []", "rotations.primary.people: "),
        ("people: [dana, omar]", "people: [dana, omr]", "there is no person called 'omr'; did you mean 'omar'?"),
        ("on_call: rotation primary", "on_call: rotation second", "there is no rotation called 'second'"),
        ("handover: Monday 00:00", "every: 90m", "'1h30m' is no length of a shift; write whole hours, 2h or more"),
        ("handover: Monday 00:00", "ical: oncall.ics", "'oncall.ics' is not a calendar; its address begins with http"),
        ("handover: Monday 00:00", "ical: 'https://x.example/i'", "ical and first_shift exclude each other: the"),
        ("handover: Monday 00:00", "handover: Monday 02:60", "'Monday 02:60' is not a handover; write one like"),
        # Days that there are not
        ("first_shift: 2026-01-05", "first_shift: 2027-02-29", "rotations.primary.first_shift: input should be a"),
        ("2027-01-04..2027-01-10", "2027-02-28..2027-02-29", "'2027-02-28..2027-02-29' are not days that exist; write"),
        ("2027-01-04..2027-01-10", "2027-01-10..2027-01-04", "ends before it begins; write the earlier day first"),
        # Business time
        ("services:", "calendar: {holidays: Germany}\nservices:", "are known of 'Germany'; did you mean 'DE'?"),
        ("services:", "calendar: {holidays: DE-BEE}\nservices:", "DE has no part 'BEE'; did you mean 'BE'?"),
        ("services:", "calendar: {hours: 17-9}\nservices:", "'17-9' are not business hours; write them like"),
        ("services:", "calendar: {hours: '22:00-06:00'}\nservices:", "close before they open"),
        ("services:", "calendar: {days: []}\nservices:", "calendar.days: "),
        # Words and names
        ("services:", "templates: {public_notce: x}\nservices:", "public_notce (did you mean public_notice?)"),
        ("services:", "templates: {handover: '{{ incomming }}'}\nservices:", "(did you mean incoming?)"),
        ("services:", "templates: {public_notice: '{{ title }}'}\nservices:", "what goes outside the company never"),
        ("services:", "templates: {handover: '{{ starts'}\nservices:", "templates.handover: line 1: unexpected end of"),
        ("services:", "public_channels: [statuspage]\nservices:", "did you mean 'status_page'?"),
        ("{lead: omar}", "{lead: omar, vendor: stripe}", "there is no vendor called 'stripe'"),
        ("{lead: omar}", "{lead: omar, team: a}\nteams: {b: {}}", "there is no team called 'a'; known are: b"),
    ],
)
def test_a_configuration_that_makes_no_sense(tmp_path: Path, old: str, new: str, says: str) -> None:
    """It is refused with the line that is wrong, and what would be right."""
    assert COMPANY.count(old) == 1
    line = COMPANY[: COMPANY.index(old)].count("\n") + 1
    refused = refusal(tmp_path, COMPANY.replace(old, new))
    assert any(f.line == line and says in f.text and f.file.endswith("c.yml") for f in refused), refused


def test_two_rotations_for_one_role(tmp_path: Path) -> None:
    """Both would be on call, each without knowing of the other's swaps."""
    two = COMPANY.replace("services:", "  second: {people: [omar]}\nservices:")
    two = two.replace("on_call: rotation primary", "on_call: [rotation second, rotation primary]")
    (fault,) = refusal(tmp_path, two)
    assert "rotation primary is the second rotation of this role, after second; make one rotation" in fault.text
    assert fault.line == 6


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("page: [{tier: 2}]", "page: [{tier: 1}]", "checkpoint unacknowledged can never fire: tier 1 is paged at once"),
        ("page: [{tier: 2}]", "page: []", "checkpoint unacknowledged does nothing; give it something to page, notify"),
        ("unless: acknowledged", "since: acknowledged\n        unless: acknowledged", "it counts from what makes it"),
        ("room_invites: [engineering_manager]", "room_invites: [manager]", "P0 invites manager, which `roles` does"),
        ("notify: [executives]", "notify: [executive]", "P1 notifies executive, which `roles` does not list; did you"),
        ("commander: service_lead", "commander: lead", "P2 is commanded by lead, which `roles` does not list"),
        ("on_breach: [security_team]", "on_breach: [security]", "P0 pages security, which `roles` does not list; did"),
        ("audience: customers", "audience: customer", "not 'customer'; did you mean 'customers'?"),
        ("through: [status_page]", "through: [slack]", "slack reaches colleagues, not customers"),
        ("silence: 10m", "silence: 30m", "silence is not shorter than every"),
        ("after: 15m", "after: 15 businesshours", "'15 businesshours' is not a time to wait; write 15m"),
        ("acknowledge_within: 4h", "acknowledge_within: 0 business days", "is not between one and 5000 days"),
        ("begins: fixing", "begins: fix", "not 'fix'; did you mean 'fixing'?"),
    ],
)
def test_a_policy_that_keeps_no_promise(tmp_path: Path, old: str, new: str, says: str) -> None:
    """A checkpoint that never fires or does nothing, roles and words that there are not."""
    line = POLICY[: POLICY.index(old)].count("\n") + 1
    (fault, *_) = refusal(tmp_path, policy=POLICY.replace(old, new, 1))
    assert says in fault.text
    assert fault.file.endswith("mine.yml")
    assert fault.line <= line + 1
    assert line - fault.line < 60  # what concerns a whole part of the policy is named where that part begins


def test_a_severity_that_pages_nobody(tmp_path: Path) -> None:
    """Without a ticket, somebody has to be paged at some time."""
    quiet = POLICY.replace("    ticket: backlog\n", "")
    head, last = quiet.split("  P3:\n")
    (fault,) = refusal(tmp_path, policy=head + "  P3:\n" + last.replace("        team: true\n", ""))
    assert "P3 pages nobody, ever; give it at_once, a checkpoint that pages, or a ticket" in fault.text


def test_a_checkpoint_that_another_always_forestalls(tmp_path: Path) -> None:
    """It is a warning: nobody is paged less than the policy says."""
    late = POLICY.replace("page: [{tier: 4, again: true}]", "page: [{tier: 4}]", 1)
    (found,) = [w for w in load(written(tmp_path, policy=late)).warnings if "never fires" in w.text]
    assert "checkpoint still-unresolved never fires: unresolved has paged its tiers by then; add `again: " in found.text
    assert late.splitlines()[found.line - 1].strip() == "- id: still-unresolved"


def test_buttons_that_nobody_would_see(tmp_path: Path) -> None:
    """They stand below a checkpoint's message, and this one writes none."""
    mute = POLICY.replace(
        "page: [{tier: 4, again: true}]", "page: [{tier: 4, again: true}]\n        offer: [start_fix]", 1
    )
    (found,) = [w for w in load(written(tmp_path, policy=mute)).warnings if "buttons" in w.text]
    assert "checkpoint still-unresolved offers buttons and has no message for them; add `say: " in found.text
    assert mute.splitlines()[found.line - 1].strip() == "offer: [start_fix]"


# On call -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return load(written(tmp_path)).company


@pytest.mark.parametrize(
    ("rotation", "person", "starts", "ends", "says"),
    [
        ("primary", "omar", 2, 1, "It ends before it begins; give the earlier time first."),
        ("primary", "omar", 2, 2, "It ends before it begins; give the earlier time first."),
        ("primary", "omar", -3, -2, "It is entirely in the past; past shifts cannot be changed."),
        ("primary", "omar", 1, 400, "It is longer than a year; change the rotation in the configuration instead."),
        ("primary", "frank", 1, 2, "There is no person called 'frank'"),
        ("primry", "omar", 1, 2, "There is no rotation called 'primry'; did you mean 'primary'?"),
    ],
)
def test_an_override_that_cannot_be(
    company: Company, rotation: str, person: str, starts: int, ends: int, says: str
) -> None:
    """Backwards, in the past, too long, by somebody who left, in no rotation."""
    span = (NOW + timedelta(days=starts), NOW + timedelta(days=ends))
    with pytest.raises(Refused, match=re.escape(says)):
        overrides.add_override(EMPTY_STATE, company, rotation, person, *span, NOW)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2027-02-29", "there is no 2027-02-29 in the calendar"),
        ("2027-02-29 18:00", "there is no 2027-02-29 in the calendar"),
        ("24:00", "'24:00' is not a time; write one like 2026-12-24 18:00"),
        ("next year", "'next year' is not a time"),
        ("", "'' is not a time"),
    ],
)
def test_an_instant_that_there_is_not(text: str, says: str) -> None:
    """A leap day in another year, and words that are no time."""
    with pytest.raises(ValueError, match=re.escape(says)):
        local_instant(text, "Europe/Berlin", NOW)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2028-02-29", datetime(2028, 2, 28, 23, tzinfo=UTC)),
        ("2027-03-28 02:30", datetime(2027, 3, 28, 1, 30, tzinfo=UTC)),  # skipped: as much later as the gap is long
        ("2027-10-31 02:30", datetime(2027, 10, 31, 0, 30, tzinfo=UTC)),  # twice: the first time
    ],
)
def test_a_leap_day_and_a_local_hour_that_is_missing_or_comes_twice(text: str, instant: datetime) -> None:
    """They are instants all the same."""
    assert local_instant(text, "Europe/Berlin", NOW) == instant


def test_a_rotation_whose_people_are_all_away(company: Company) -> None:
    """A gap: from when until when and why, as `tocsin check --coverage` prints it."""
    monday = datetime(2027, 1, 4, tzinfo=UTC)
    both = overrides.add_absence(EMPTY_STATE, company, "omar", monday, monday + timedelta(days=2), NOW)
    assert on_call_at("primary", company, both, monday) == ()
    found = gaps(company, Policy.model_validate(yaml.safe_load(POLICY)), both, NOW, NOW + YEAR)
    gap = next(g for g in found if (g.severity, g.tier) == ("P1", 1))
    assert (gap.starts, gap.ends) == (monday, monday + timedelta(days=2))
    assert gap.why.startswith("nobody of rotation primary is there (")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "it is not a calendar"),
        (b"<html>Please log in</html>", "it is not a calendar"),
        (b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n", "it has no shift in the next 100 days"),
    ],
)
def test_a_feed_that_is_broken(company: Company, text: bytes, says: str) -> None:
    """The reason is kept for `/incident oncall`, and the last good copy goes on."""
    rotation = Rotation(people=("dana",), ical="https://calendar.example/oncall")
    fed = company.model_copy(update={"rotations": {"primary": rotation}})
    with pytest.raises(FeedProblem, match=says) as problem:
        read(text, rotation, fed, NOW)
    good = overrides.record_feed(EMPTY_STATE, "primary", [Shift(person="dana", starts=NOW, ends=NOW + YEAR)], NOW)
    after = overrides.record_feed_failure(good, "primary", str(problem.value), NOW + timedelta(hours=1))
    assert on_call_at("primary", fed, after, NOW + timedelta(hours=2)) == ("dana",)
    assert after.feeds["primary"].error.startswith(says)
