"""Whether every tier has somebody at every instant, and the counter-example when not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation.config.company import Company, Directory
from escalation.config.notify import Notify, Via
from escalation.config.policy import Policy, Severity
from escalation.config.rotations import Shift
from escalation.notify.preferences import Preferences, parse_steps
from escalation.oncall import overrides
from escalation.oncall.coverage import Gap, gaps
from escalation.oncall.roster import roster
from escalation.oncall.schedule import EMPTY_STATE, OncallState
from tests.support.profiles import examples

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
END = START + timedelta(days=90)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def first_gap(*asked: Any) -> Gap | None:
    """The earliest gap."""
    return min(gaps(*asked), key=lambda g: g.starts, default=None)


def policy(*tiers: list[str]) -> Policy:
    """A P0 with these tiers' roles; a P1 with the first."""
    roles = {role: role for tier in tiers for role in tier}
    tier_list = [{"name": f"Tier {n}", "roles": tier} for n, tier in enumerate(tiers, 1)]
    common = {
        "name": "Bad",
        "definition": "Bad",
        "acknowledge_within": "15m",
        "resolve_within": "2h",
        "monitor_for": "30m",
    }
    severities = {"P0": common | {"tiers": tier_list}, "P1": common | {"tiers": tier_list[:1]}}
    return Policy.model_validate({"name": "mine", "title": "Mine", "roles": roles, "severities": severities})


def company(**changed: Any) -> Company:
    data = {
        "policy": "mine",
        "people": {name: {"slack": f"U{name.upper()}"} for name in ("dana", "omar", "erik")},
        "roles": {"on_call": "rotation primary", "backup": "rotation primary next", "boss": "erik", "group": "S0GROUP"},
        "rotations": {"primary": {"people": ["dana", "omar"], "first_shift": "2026-11-23"}},
    }
    return Company.model_validate(data | changed)


def test_all_is_covered() -> None:
    """By the plan; a user group counts as somebody until the workspace said that it is empty."""
    tiers = policy(["on_call"], ["backup"], ["group"], ["boss"])
    assert gaps(company(), tiers, OncallState(), START, END) == ()
    assert first_gap(company(), tiers, OncallState(), START, END, Directory()) is None
    gap = first_gap(company(), tiers, OncallState(), START, END, Directory(groups={"S0GROUP": ()}))
    assert gap
    assert (gap.tier, gap.starts, gap.ends, gap.why) == (3, START, END, "the user group S0GROUP has no members")


def test_everybody_away_is_a_gap_with_its_bounds() -> None:
    """To the second, in each severity that needs them; a tier with somebody else beside them is covered."""
    state = overrides.add_absence(OncallState(), company(), "dana", START, START + 5 * DAY, START)
    state = overrides.add_absence(state, company(), "omar", START + 2 * DAY, START + 4 * DAY, START)
    found = gaps(company(), policy(["on_call"], ["on_call", "boss"]), state, START, END)
    assert [(g.severity, g.tier, g.starts, g.ends) for g in found] == [
        ("P0", 1, START + 2 * DAY, START + 4 * DAY),
        ("P1", 1, START + 2 * DAY, START + 4 * DAY),
    ]
    assert found[0].why == (
        "nobody of rotation primary is there (dana until 2026-11-28 09:00 UTC, omar until 2026-11-27 09:00 UTC)"
    )
    covered = overrides.add_override(state, company(), "primary", "erik", START + 2 * DAY, START + 4 * DAY, START)
    assert gaps(company(), policy(["on_call"]), covered, START, END) == ()
    late = overrides.add_override(state, company(), "primary", "erik", START + 2 * DAY + HOUR, START + 4 * DAY, START)
    [gap, _] = gaps(company(), policy(["on_call"]), late, START, END)
    assert gap.ends - gap.starts == HOUR


def test_a_backup_alone_on_earth_is_a_gap() -> None:
    """While the other one is away nobody follows."""
    state = overrides.add_absence(OncallState(), company(), "omar", START + DAY, START + 2 * DAY, START)
    gap = first_gap(company(), policy(["backup"]), state, START, END)
    assert gap
    assert (gap.starts, gap.ends) == (START + DAY, START + 2 * DAY)
    assert gap.why == "nobody follows dana in rotation primary"


def test_a_gap_in_a_calendar_is_a_gap() -> None:
    """And the end of the last good copy is one."""
    fed = company(rotations={"primary": {"people": ["dana", "omar"], "ical": "https://cal.example/a.ics"}})
    never = first_gap(fed, policy(["on_call"]), OncallState(), START, END)
    assert never
    assert never.why == "the calendar of rotation primary was never read"
    plan = [
        Shift(person="dana", starts=START, ends=START + DAY),
        Shift(person="omar", starts=START + 2 * DAY, ends=END),
    ]
    state = overrides.record_feed(OncallState(), "primary", plan, START)
    [gap] = [g for g in gaps(fed, policy(["on_call"]), state, START, END) if g.severity == "P0"]
    assert (gap.starts, gap.ends, gap.why) == (
        START + DAY, START + 2 * DAY, "the calendar of rotation primary has a gap",
    )  # fmt: skip
    later = gaps(fed, policy(["on_call"]), state, START, END + DAY)
    assert [g.starts for g in later if g.severity == "P0"] == [START + DAY, END]


def test_roles_of_the_service_are_looked_at_for_each_service_and_for_none() -> None:
    """Each counter-example names its service."""
    services = {"api": {"lead": "dana"}, "shop": {}}
    bare = gaps(company(services=services), policy(["service_lead"]), OncallState(), START, END)
    assert [(g.severity, g.service) for g in bare] == [("P0", ""), ("P0", "shop"), ("P1", ""), ("P1", "shop")]
    assert bare[0].why == "an incident of no service has no service_lead, and roles.service_lead names nobody"
    assert bare[1].why == "the service shop has no service_lead, and roles.service_lead names nobody"
    fallen_back = company(services=services, roles={"service_lead": "erik"})
    assert gaps(fallen_back, policy(["service_lead"]), OncallState(), START, END) == ()


def test_a_role_that_names_nobody_is_a_gap_all_the_time() -> None:
    """It says which."""
    gap = first_gap(company(), policy(["cto"]), OncallState(), START, END)
    assert gap
    assert (gap.starts, gap.ends, gap.why) == (START, END, "roles.cto names nobody")


PIECES = st.lists(
    st.tuples(st.sampled_from(["dana", "omar"]), st.integers(0, 300), st.integers(1, 200)), min_size=1, max_size=6
)


@settings(max_examples=examples(50), deadline=None)
@given(PIECES, st.integers(0, 500), st.sampled_from(["12h", "1w"]))
def test_the_answer_is_exact(pieces: list[tuple[str, int, int]], hour: int, every: str) -> None:
    """At any instant: nobody holds the role just when it lies in a gap."""
    here = company(rotations={"primary": {"people": ["dana", "omar"], "every": every}})
    state = OncallState()
    for person, after, length in pieces:
        state = overrides.add_absence(state, here, person, START + after * HOUR, START + (after + length) * HOUR, START)
    found = gaps(here, policy(["on_call"]), state, START, START + 600 * HOUR)
    at = START + hour * HOUR
    in_gap = any(g.starts <= at < g.ends for g in found)
    assert in_gap == (not roster(here, Directory(), at, state).of("on_call"))


@pytest.mark.parametrize("every", ["2h", "1d"])
def test_short_turns_over_a_quarter_are_covered(every: str) -> None:
    """A thousand handovers."""
    here = company(rotations={"primary": {"people": ["dana", "omar"], "every": every, "timezone": "Europe/Berlin"}})
    assert first_gap(here, policy(["on_call"], ["backup"]), OncallState(), START, END) is None


def urgent(*tiers: list[str]) -> Policy:
    """The same, where a P0 is urgent."""
    made = policy(*tiers)
    rules = made.severities[Severity.P0].model_copy(update={"urgent": True})
    return made.model_copy(update={"severities": {**made.severities, Severity.P0: rules}})


def asleep(here: Company, state: OncallState = EMPTY_STATE, **known: Any) -> dict[str | None, str]:
    """Whom nothing wakes within an hour, and why."""
    tiers = urgent(["on_call"], ["boss"])
    return {gap.person: gap.why for gap in gaps(here, tiers, state, START, START + HOUR, **known)}


def everybody(**changed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Three people with telephones."""
    return {
        name: {"slack": f"U{name.upper()}", "phone": "+49 151 12345678"} | changed.get(name, {})
        for name in ("dana", "omar", "erik")
    }


def test_whoever_leaves_out_of_their_order_what_wakes_is_a_gap() -> None:
    """They have a phone, and an order of their own, of their entry or of the company by which it never rings."""
    own = Preferences(notify=Notify(urgent=parse_steps("mail")))
    assert asleep(company(people=everybody())) == {}
    found = asleep(company(people=everybody()), OncallState(preferences={"erik": own}))
    assert list(found) == ["erik"]
    assert "their urgent methods names none that does" in found["erik"]
    quiet = {"urgent": [{"by": ["slack", "mail"]}]}
    assert list(asleep(company(people=everybody(erik={"notify": quiet})))) == ["erik"]
    assert set(asleep(company(people=everybody(), notify=quiet))) == {"dana", "erik"}


def test_a_channel_that_is_not_set_up_wakes_nobody() -> None:
    """A phone is of no use where Twilio is not set up."""
    people = everybody(erik={"ntfy": "erik-pages"})
    found = asleep(company(people=people), set_up={Via.NTFY, Via.MAIL})
    assert found == {"dana": "nothing wakes dana: SMS, call not set up here"}
    assert set(asleep(company(people=people), set_up={Via.SMS})) == set()


def test_members_of_a_user_group_are_woken_too() -> None:
    """Whoever is in the group and not in the configuration has no method at all; who is in both is known."""
    people = everybody(omar={"phone": None, "slack": None, "email": "omar@example.com"})
    here = company(people=people, roles={"on_call": "S0GROUP", "boss": "erik"})
    directory = Directory(people={"omar@example.com": "U0OMAR"}, groups={"S0GROUP": ("UDANA", "U0OMAR", "UMEI")})
    assert set(asleep(here, directory=directory)) == {"omar", "UMEI"}
    assert set(asleep(here)) == set()


def test_whom_a_breach_pages_is_woken_too() -> None:
    """The security team is paged for security incidents only, and urgently."""
    tiers = urgent(["on_call"])
    rules = tiers.severities[Severity.P0]
    breach = tuple(tier.model_copy(update={"on_breach": ("boss",)}) for tier in rules.tiers)
    rules = rules.model_copy(update={"tiers": breach})
    tiers = tiers.model_copy(update={"severities": {**tiers.severities, Severity.P0: rules}})
    found = gaps(company(people=everybody(erik={"phone": None})), tiers, EMPTY_STATE, START, START + HOUR)
    assert [gap.person for gap in found] == ["erik"]


def test_somebody_whom_nothing_wakes_is_a_gap_of_an_urgent_tier() -> None:
    """Slack and mail wake nobody: each person of an urgent tier needs a phone or a push service."""
    tiers = urgent(["on_call"], ["boss"])
    people = {
        "dana": {"slack": "UDANA", "phone": "+49 151 12345678"},
        "omar": {"slack": "UOMAR", "email": "omar@example.com"},
        "erik": {"slack": "UERIK", "ntfy": "erik-pages"},
    }
    found = gaps(company(people=people), tiers, OncallState(), START, END)
    assert {(gap.severity, gap.tier, gap.person) for gap in found} == {("P0", 1, "omar")}
    assert found[0].why == "nothing wakes omar: give them a phone, pushover, ntfy or apprise under people"
    weeks = [(gap.starts, gap.ends) for gap in found]
    assert len(weeks) > 5  # omar's shifts, not dana's
    assert all(ends - starts <= 7 * DAY for starts, ends in weeks)
