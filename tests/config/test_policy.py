"""Policies and durations: what is accepted, what is refused and in which words."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from escalation.config.policy import Policy, Severity, SeverityPolicy
from escalation.times import after_every, format_duration, parse_duration, spoken_duration
from tests.support.story import beauty, kars, shipped


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("2h", 7200), ("1h30m", 5400), ("1 h 30 m", 5400), ("2d", 172800), ("1w", 604800)],
)
def test_durations_as_people_write_them(text: str, seconds: int) -> None:
    """A number and a unit, one or several."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "15", "m", "15x", "15m later", "-5m", "0m", "9999d", "1.5h", None, 15])
def test_what_is_not_a_duration_is_refused(text: Any) -> None:
    """The error says how to write one."""
    with pytest.raises(ValueError, match=r"is not (a duration|between)"):
        parse_duration(text)


@given(st.integers(min_value=1, max_value=366 * 86400))
def test_durations_survive_being_written(seconds: int) -> None:
    """Reading what was written gives the same length."""
    length = timedelta(seconds=seconds)
    assert parse_duration(format_duration(length)) == length


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 seconds"), (1, "1 second"), (900, "15 minutes"), (5400, "1 hour 30 minutes"), (90061, "1 day 1 hour")],
)
def test_durations_as_they_are_said(seconds: int, words: str) -> None:
    """Two units at the most."""
    assert spoken_duration(timedelta(seconds=seconds)) == words


def broken(**changed: Any) -> dict[str, Any]:
    """A small valid policy with one part changed."""
    p0 = {
        "name": "Critical",
        "definition": "All is down.",
        "acknowledge_within": "15m",
        "resolve_within": "2h",
        "monitor_for": "30m",
        "tiers": [{"name": "First", "roles": ["on_call"]}],
    }
    roles = changed.pop("roles", {"on_call": "on call"})
    return {"name": "ours", "title": "Ours", "roles": roles, "severities": {"P0": p0 | changed}}


CHECKPOINT = {"id": "late", "after": "15m", "unless": "acknowledged", "page": [{"tier": 1}], "why": "late"}
NOTICE = {"id": "notice", "audience": "customers", "through": "status_page", "why": "they are affected"}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"at_once": [2]}, "pages tier 2, but there are tiers 1 to 1"),
        ({"on_fix_failed": [0]}, "pages tier 0"),
        ({"checkpoints": [CHECKPOINT | {"page": [{"tier": 3}]}]}, "checkpoint late pages tier 3"),
        ({"checkpoints": [CHECKPOINT, CHECKPOINT]}, "two checkpoints are called late"),
        ({"checkpoints": [CHECKPOINT | {"unless": "happy"}]}, "acknowledged"),
        ({"checkpoints": [CHECKPOINT | {"after": "soon"}]}, "'soon' is not a time to wait"),
        ({"updates": {"every": "10m", "silence": "10m"}}, "silence is not shorter than every"),
        ({"updates": {"every": "next opening", "silence": "5m"}}, "'next opening', which has no length"),
        ({"updates": {"every": "1 business hour", "silence": "4h"}}, "silence is not shorter than every"),
        ({"checkpoints": [CHECKPOINT | {"since": "fix_applied", "rests_while_monitoring": True}]}, "it rests while"),
        ({"tiers": []}, "at least 1 item"),
        ({"tiers": [{"name": "First", "roles": ["boss"]}]}, "boss, which `roles` does not list"),
        ({"checkpoints": [CHECKPOINT]}, "checkpoint late can never fire: tier 1 is paged at once already"),
        ({"checkpoints": [CHECKPOINT | {"page": []}]}, "checkpoint late does nothing"),
        ({"checkpoints": [CHECKPOINT | {"since": "acknowledged"}]}, "counts from what makes it moot"),
        ({"checkpoints": [CHECKPOINT | {"after": "9 to 5"}]}, "'9 to 5' is not a time to wait"),
        ({"checkpoints": [CHECKPOINT | {"only_if": "raining"}]}, "outage"),
        ({"checkpoints": [CHECKPOINT | {"offer": ["dance"]}]}, "acknowledge"),
        ({"checkpoints": [CHECKPOINT | {"page": [], "notify": ["boss"]}]}, "boss, which `roles` does not list"),
        ({"communications": [NOTICE | {"through": ["slack"]}]}, "slack reaches colleagues, not customers"),
        ({"communications": [NOTICE | {"through": []}]}, "at least 1 item"),
        ({"communications": [NOTICE | {"audience": "everybody"}]}, "stakeholders"),
        ({"communications": [NOTICE, NOTICE]}, "two communications are called notice"),
        ({"at_once": []}, "P0 pages nobody, ever"),
        ({"commander": "boss"}, "boss, which `roles` does not list"),
        ({"ticket": "someday"}, "'team' or 'backlog'"),
        ({"review": {"within": "soon"}}, "'soon' is not a duration"),
        ({"colour": "red"}, "Extra inputs are not permitted"),
        ({"roles": {"On Call": "x"}}, "pattern"),
    ],
)
def test_what_is_wrong_with_a_policy_is_said(changed: dict[str, Any], words: str) -> None:
    """A policy that could not work is refused at start."""
    with pytest.raises(ValidationError, match=words):
        Policy.model_validate(broken(**changed))


def test_a_frozen_copy_stands_alone() -> None:
    """A severity's policy knows its own name and what the roles are called."""
    p0 = kars().severities[Severity.P0]
    assert p0.severity is Severity.P0
    assert p0.role_name("on_call") == "on-call engineer"
    assert p0.role_name("unheard_of") == "unheard of"


BOTH = pytest.mark.parametrize("policy", [kars(), beauty()], ids=["kars", "beauty"])


@BOTH
def test_a_shipped_policy_has_all_four_severities_with_their_definitions(policy: Policy) -> None:
    """The modal shows each with its definition and examples."""
    assert list(policy.severities) == list(Severity)
    assert all(p.definition and len(p.examples) >= 5 for p in policy.severities.values())


@BOTH
def test_a_shipped_policy_survives_being_frozen_into_an_incident(policy: Policy) -> None:
    """What is read back from Redis is what was meant."""
    for severity in policy.severities.values():
        assert SeverityPolicy.model_validate_json(severity.model_dump_json()) == severity


@BOTH
def test_each_role_of_a_shipped_policy_is_asked_of_somebody(policy: Policy) -> None:
    """A role that nothing refers to would only be a question that `tocsin init` asks in vain."""
    used = {role for severity in policy.severities.values() for role in severity.roles()}
    told = {"stakeholders"}  # by the plan of a communication, not by a role
    on_call = {"backup"}  # the rotation's second: duty asks for it where the policy does not
    assert used | told | on_call | {a.owner for a in policy.activities} >= set(policy.roles)


@BOTH
def test_a_breach_reaches_the_security_team_at_every_severity(policy: Policy) -> None:
    """Whatever is declared may turn out to be one."""
    for severity in policy.severities.values():
        assert any("security_team" in tier.on_breach for tier in severity.tiers)


@pytest.mark.parametrize(
    ("policy", "severity", "commander"),
    [
        ("kars", "P0", "on_call"),
        ("kars", "P1", "on_call"),
        ("kars", "P2", "service_lead"),
        ("kars", "P3", "service_lead"),
        ("beauty", "P0", "on_call"),
        ("beauty", "P1", "on_call"),
        ("beauty", "P2", "engineering_team"),
        ("beauty", "P3", "engineering_team"),
    ],
)
def test_who_leads_until_somebody_takes_it(policy: str, severity: str, commander: str) -> None:
    """On call for what is urgent; whoever works a ticket off for the rest."""
    assert shipped(policy).severities[Severity(severity)].commanding_role() == commander


@pytest.mark.parametrize(
    ("policy", "title", "every", "owner"),
    [
        ("beauty", "Health checks and metric review", "day", "on_call"),
        ("beauty", "Weekly incident review", "week", "engineering_manager"),
        ("beauty", "Weekly summary of P3 incidents", "week", "engineering_manager"),
        ("beauty", "Disaster recovery test", "month", "engineering_manager"),
        ("beauty", "Security audit", "quarter", "security_team"),
    ],
)
def test_the_regular_activities(policy: str, title: str, every: str, owner: str) -> None:
    """Daily, weekly, monthly, quarterly: each has an owner."""
    [activity] = [a for a in shipped(policy).activities if a.title == title]
    assert (activity.every, activity.owner) == (every, owner)


@pytest.mark.parametrize(
    ("length", "said"),
    [("1 hour", "hour"), ("30 minutes", "30 minutes"), ("1 hour 30 minutes", "1 hour 30 minutes"), ("1 day", "day")],
)
def test_one_of_a_unit_is_said_without_its_number(length: str, said: str) -> None:
    """`every hour`, as people write it."""
    assert after_every(length) == said
