"""What people type after /incident, read without a bot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.asked import Asked, Named, duplicate_of, nearest, parse, spoken, who

ROLES = {"on_call": "on-call engineer", "backend_lead": "backend lead", "cto": "CTO"}
KEYS = {"dana": "U0DANA0001", "omar": "U0OMAR0001"}


@pytest.mark.parametrize(
    ("typed", "verb", "incident", "text"),
    [
        ("", "help", "", ""),
        ("  HELP ", "help", "", ""),
        ("declare Checkout is down", "declare", "", "Checkout is down"),
        ("list", "list", "", ""),
        ("show inc-20241218-001", "show", "INC-20241218-001", ""),
        ("ack", "ack", "", ""),
        ("acknowledge INC-20241218-002", "ack", "INC-20241218-002", ""),
        ("ack INC-7", "ack", "INC-7", ""),
        ("root-cause INC-20241218-001 the disk is full", "root-cause", "INC-20241218-001", "the disk is full"),
        ("root-cause like INC-20241218-001 last week", "root-cause", "", "like INC-20241218-001 last week"),
        ("fix", "fix", "", ""),
        ("fix restarting the pods", "fix", "", "restarting the pods"),
        ("fix applied", "fix-applied", "", ""),
        ("fix applied INC-20241218-001 restarted", "fix-applied", "INC-20241218-001", "restarted"),
        ("fix INC-20241218-001 applied", "fix-applied", "INC-20241218-001", ""),
        ("fix-applied", "fix-applied", "", ""),
        ("fix failed still 500s", "fix-failed", "", "still 500s"),
        ("severity P1 worse than thought", "severity", "", "P1 worse than thought"),
        ("severity INC-20241218-001 P1 why", "severity", "INC-20241218-001", "P1 why"),
        ("severity P1 INC-20241218-001 why", "severity", "INC-20241218-001", "P1 why"),
        ("page <@U0DANA0001|dana> INC-20241218-001 now", "page", "INC-20241218-001", "<@U0DANA0001|dana> now"),
        ("cancel duplicate of INC-20241218-001", "cancel", "", "duplicate of INC-20241218-001"),
        ("on-call", "oncall", "", ""),
        ("frobnicate it", "", "", "it"),
    ],
)
def test_commands_are_read(typed: str, verb: str, incident: str, text: str) -> None:
    """Verb, id (in any case) and the rest are told apart; the id may stand before or after a first argument."""
    asked = parse(typed)
    assert (asked.verb, asked.incident, asked.text) == (verb, incident, text)


@given(st.text(max_size=200))
def test_any_text_is_read(typed: str) -> None:
    """Nothing that people type breaks the reading."""
    assert isinstance(parse(typed), Asked)
    assert isinstance(spoken(typed), str)
    assert isinstance(who(typed, ROLES, KEYS), Named)
    assert isinstance(nearest(typed), str)


@pytest.mark.parametrize(
    ("word", "verb"),
    [("resovle", "resolve"), ("decalre", "declare"), ("akc", "ack"), ("zzz", ""), ("rootcause", "root-cause")],
)
def test_a_slip_of_the_finger_is_understood(word: str, verb: str) -> None:
    """The nearest verb is suggested, and none for what is near to nothing."""
    assert nearest(word) == verb


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("a &amp; b &lt;c&gt;", "a & b <c>"),
        ("ask <@U0DANA0001|dana>", "ask @dana"),
        ("ask <@U0OMAR0001>", "ask @Omar"),
        ("ask <@U0UNKNOWN1>", "ask @U0UNKNOWN1"),
        ("see <#C123|general>", "see #general"),
        ("<!subteam^S123|@sre> and <!here>", "@sre and @here"),
        ("<https://status.example/a?b=1&amp;c=2|status.example>", "https://status.example/a?b=1&c=2"),
        ("<mailto:a@b.c|a@b.c>", "a@b.c"),
        ("&amp;lt;", "&lt;"),
    ],
)
def test_slacks_escapes_are_undone(sent: str, said: str) -> None:
    """What is stored is what the person meant; it is escaped again when it is shown."""
    assert spoken(sent, {"U0OMAR0001": "Omar"}) == said


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("<@U0DANA0001|dana> the disk", Named(people=("U0DANA0001",), why="the disk")),
        ("<@U0DANA0001>, <@U0OMAR0001>", Named(people=("U0DANA0001", "U0OMAR0001"))),
        ("<!subteam^S0SRE|@sre> help", Named(groups=("S0SRE",), why="help")),
        ("backend lead the disk", Named(role="backend_lead", why="the disk")),
        ("backend_lead", Named(role="backend_lead")),
        ("on-call engineer now", Named(role="on_call", why="now")),
        ("CTO", Named(role="cto")),
        ("dana please", Named(people=("U0DANA0001",), why="please")),
        ("@dana", Named(people=("U0DANA0001",))),
        ("ctofoo", Named(unknown="ctofoo")),
    ],
)
def test_people_and_roles_are_found(typed: str, named: Named) -> None:
    """Mentions, user groups, roles by key or by name, and people by their key in the configuration."""
    assert who(typed, ROLES, KEYS) == named


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("duplicate of INC-20241218-001", ("INC-20241218-001", "")),
        ("Duplicate inc-20241218-001: same cause", ("INC-20241218-001", "same cause")),
        ("a test, not a duplicate of INC-20241218-001", ("", "a test, not a duplicate of INC-20241218-001")),
        ("monitoring was wrong", ("", "monitoring was wrong")),
    ],
)
def test_a_duplicate_names_the_other_incident(text: str, found: tuple[str, str]) -> None:
    """Only a reason that begins so makes it a duplicate."""
    assert duplicate_of(text) == found
