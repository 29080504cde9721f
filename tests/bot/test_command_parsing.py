"""What people type after /incident, read without a bot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.moves.declare import TypedDeclaration, parse_declaration, parse_drill
from bot.moves.edit import typed_edit
from bot.moves.lead import typed_lead
from bot.parsing.command import (
    ParsedCommand,
    Targets,
    nearest_incident,
    nearest_verb,
    parse,
    parse_duplicate,
    parse_targets,
    unescape,
)
from bot.vocabulary import MOVES
from escalation.errors import Refused
from escalation.incident.state.leads import Lead
from tests.support.story import kars

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
        ("close INC-20241218-001", "resolve", "INC-20241218-001", ""),
        ("closed", "resolve", "", ""),
        ("Done", "resolve", "", ""),
        ("on-call", "oncall", "", ""),
        ("on call", "oncall", "", ""),
        ("On Call override @mei tomorrow", "oncall", "", "override @mei tomorrow"),
        ("root cause INC-20241218-001 the disk is full", "root-cause", "INC-20241218-001", "the disk is full"),
        ("show <#C123|inc-014-checkout>", "show", "C123", ""),
        ("workaround INC-20241218-001 the old page", "workaround", "INC-20241218-001", "the old page"),
        ("rollback", "workaround", "", ""),
        ("schedule next deployment", "schedule", "", "next deployment"),
        ("verify", "verify", "", ""),
        ("edit inc-20241218-001 outage", "edit", "INC-20241218-001", "outage"),
        ("lead commander INC-20241218-001 <@U0DANA0001>", "lead", "INC-20241218-001", "commander <@U0DANA0001>"),
        ("lead INC-20241218-001 scribe", "lead", "INC-20241218-001", "scribe"),
        ("reviewed", "reviewed", "", ""),
        ("tickets backend", "tickets", "", "backend"),
        ("contacts", "contacts", "", ""),
        ("drill P0 10", "drill", "", "P0 10"),
        ("simulate P0 at tomorrow", "simulate", "", "P0 at tomorrow"),
        ("snooze 30", "snooze", "", "30"),
        ("schedule 2026-12", "schedule", "", "2026-12"),
        ("schedule Sprint 24", "schedule", "", "Sprint 24"),
        ("update 3 of 4 are back", "update", "", "3 of 4 are back"),
        ("severity P1 #14", "severity", "#14", "P1"),
        ("severity P1 14 users wrote", "severity", "", "P1 14 users wrote"),
        ("page <@U0DANA0001|dana> 1218-14", "page", "1218-14", "<@U0DANA0001|dana>"),
        ("lead scribe 14", "lead", "14", "scribe"),
        ("run restart 14", "run", "14", "restart"),
        ("fix 14 failed", "fix-failed", "14", ""),
        ("fix 14 of 20 hosts", "fix", "", "14 of 20 hosts"),
        ("review 14 write", "review", "14", "write"),
        ("actions done INC-20241218-001/2", "actions", "", "done INC-20241218-001/2"),
        ("frobnicate it", "", "", "it"),
    ],
)
def test_commands_are_read(typed: str, verb: str, incident: str, text: str) -> None:
    """Verb, id (in any case) and the rest are told apart; the id may stand before or after a first argument."""
    asked = parse(typed)
    assert (asked.verb, asked.incident, asked.text) == (verb, incident, text)


OF_AN_INCIDENT = [verb for verb in (*MOVES, "show", "review", "action", "alerts") if verb != "snooze"]


@pytest.mark.parametrize("typed", ["14", "#14", "014", "inc-14", "1218-014", "20241218-014"])
@pytest.mark.parametrize("verb", OF_AN_INCIDENT)
def test_a_number_alone_names_an_incident(verb: str, typed: str) -> None:
    """For every command of an incident, also where words may follow: those are asked for."""
    asked = parse(f"{verb} {typed}")
    assert (asked.verb, asked.incident.lower(), asked.text) == (verb, typed, "")


@given(st.text(max_size=200))
def test_any_text_is_read(typed: str) -> None:
    """Nothing that people type breaks the reading."""
    assert isinstance(parse(typed), ParsedCommand)
    assert isinstance(unescape(typed), str)
    assert isinstance(parse_targets(typed, ROLES, KEYS), Targets)
    assert isinstance(nearest_verb(typed), str)


@pytest.mark.parametrize(
    ("word", "verb"),
    [("resovle", "resolve"), ("decalre", "declare"), ("akc", "ack"), ("zzz", ""), ("rootcause", "root-cause")],
)
def test_a_typing_mistake_is_understood(word: str, verb: str) -> None:
    """The nearest verb is suggested, and none for what is near to nothing."""
    assert nearest_verb(word) == verb


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
    assert unescape(sent, {"U0OMAR0001": "Omar"}) == said


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("<@U0DANA0001|dana> the disk", Targets(people=("U0DANA0001",), why="the disk")),
        ("<@U0DANA0001>, <@U0OMAR0001>", Targets(people=("U0DANA0001", "U0OMAR0001"))),
        ("<!subteam^S0SRE|@sre> help", Targets(groups=("S0SRE",), why="help")),
        (
            "<@U0DANA0001> <!subteam^S0SRE|@sre> cto the disk",
            Targets(("U0DANA0001",), ("S0SRE",), ("cto",), "the disk"),
        ),
        ("cto backend_lead, the disk", Targets(roles=("cto", "backend_lead"), why="the disk")),
        ("cto, backend lead: the disk", Targets(roles=("cto", "backend_lead"), why="the disk")),
        ("dana omar and <@U0MEI00001> please", Targets(("U0DANA0001", "U0OMAR0001", "U0MEI00001"), why="please")),
        ("@dana @nobody the disk", Targets(("U0DANA0001",), unknown=("@nobody",), why="the disk")),
        (
            "@dana <mailto:mei@x.example|mei@x.example>, the disk",
            Targets(("U0DANA0001",), unknown=("mei@x.example",), why="the disk"),
        ),
        ("@dana root@db1 hangs", Targets(("U0DANA0001",), why="root@db1 hangs")),
        ("@dana @dana", Targets(("U0DANA0001",))),
        ("backend lead the disk", Targets(roles=("backend_lead",), why="the disk")),
        ("backend_lead", Targets(roles=("backend_lead",))),
        ("on-call engineer now", Targets(roles=("on_call",), why="now")),
        ("CTO", Targets(roles=("cto",))),
        ("dana please", Targets(people=("U0DANA0001",), why="please")),
        ("@dana", Targets(people=("U0DANA0001",))),
        ("ctofoo", Targets(unknown=("ctofoo",), why="ctofoo")),
    ],
)
def test_people_and_roles_are_found(typed: str, named: Targets) -> None:
    """Mentions, user groups, roles by key or by name, and people by their key in the configuration."""
    assert parse_targets(typed, ROLES, KEYS) == named


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("duplicate of INC-20241218-001", ("INC-20241218-001", "")),
        ("Duplicate inc-20241218-001: same cause", ("INC-20241218-001", "same cause")),
        ("a test, not a duplicate of INC-20241218-001", ("", "a test, not a duplicate of INC-20241218-001")),
        ("duplicate of 14", ("14", "")),
        ("Duplicate #14, same cause", ("#14", "same cause")),
        ("duplicate of the one of this morning", ("", "duplicate of the one of this morning")),
        ("duplicate", ("", "duplicate")),
        ("monitoring was wrong", ("", "monitoring was wrong")),
    ],
)
def test_a_duplicate_names_the_other_incident(text: str, found: tuple[str, str]) -> None:
    """Only a reason that begins so makes it a duplicate."""
    assert parse_duplicate(text) == found


# The words of single moves ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "lead", "to"),
    [
        ("commander", Lead.COMMANDER, ""),
        ("Incident Commander", Lead.COMMANDER, ""),
        ("comms @omar", Lead.COMMUNICATIONS, "U0OMAR0001"),
        ("communications lead <@U0DANA0001|dana>", Lead.COMMUNICATIONS, "U0DANA0001"),
        ("scribe dana", Lead.SCRIBE, "U0DANA0001"),
    ],
)
def test_a_role_of_the_response_is_read(typed: str, lead: Lead, to: str) -> None:
    """By its usual names; with somebody, it is offered to them."""
    event = typed_lead(typed, "UME", "k", KEYS)
    assert (event.lead, event.to, event.by) == (lead, to, "UME")


@pytest.mark.parametrize(
    ("typed", "words"),
    [("captain", "There is no incident role 'captain'"), ("scribe nobody", "Mention them with @")],
)
def test_an_unknown_role_or_person_is_named(typed: str, words: str) -> None:
    """With what would be right."""
    with pytest.raises(Refused, match=words):
        typed_lead(typed, "UME", "k", KEYS)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("major-impact", {"major_impact": True}),
        ("Major Impact", {"major_impact": True}),
        ("outage, data-loss", {"outage": True, "data_loss": True}),
        ("no outage", {"outage": False}),
        ("not data_loss major-impact", {"data_loss": False, "major_impact": True}),
    ],
)
def test_what_an_incident_is_can_be_said_in_a_word(typed: str, said: dict[str, bool]) -> None:
    """Several at once, and taken back."""
    event = typed_edit(typed, "UME", "k")
    assert event.model_dump(include={"outage", "major_impact", "data_loss"}, exclude_none=True) == said


@pytest.mark.parametrize("typed", ["security", "outages", "major", "no", "-"])
def test_other_words_are_no_correction(typed: str) -> None:
    """Those that are known are named."""
    with pytest.raises(Refused, match="no outage"):
        typed_edit(typed, "UME", "k")


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("P0 Checkout is down", ("P0", "", "Checkout is down")),
        ("p1: Checkout is down", ("P1", "", "Checkout is down")),
        ("p1:Checkout is down", ("P1", "", "Checkout is down")),
        ("[P1] Checkout is down", ("P1", "", "Checkout is down")),
        ("sev1 Checkout is down", ("P1", "", "Checkout is down")),
        ("SEV-1: Checkout is down", ("P1", "", "Checkout is down")),
        ("P2", ("P2", "", "")),
        ("P9 Checkout is down", ("", "", "P9 Checkout is down")),
        ("P0-only regression", ("", "", "P0-only regression")),
        ("P0-only: a regression", ("", "", "P0-only: a regression")),
        ("Checkout P0", ("", "", "Checkout P0")),
        ("", ("", "", "")),
        ("P0 --service checkout Nobody can pay", ("P0", "checkout", "Nobody can pay")),
        ("\u2014service=Checkout P0 Nobody can pay", ("P0", "checkout", "Nobody can pay")),
        ("Nobody can pay service:api gateway", ("", "api gateway", "Nobody can pay")),
        ("A service is down", ("", "", "A service is down")),
    ],
)
def test_a_declaration_may_begin_with_its_severity(typed: str, found: tuple[str, str, str]) -> None:
    """As people and other tools write it, with its service; whatever is neither belongs to the title."""
    assert parse_declaration(typed, kars(), {"checkout", "api", "api gateway"}) == TypedDeclaration(*found)


def test_a_service_that_does_not_exist_is_said() -> None:
    """With the one that was probably meant."""
    with pytest.raises(Refused, match=r"no service called 'chekout'.*did you mean 'checkout'"):
        parse_declaration("P0 --service chekout it is slow", kars(), {"checkout", "api"})


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("003", "INC-20241218-002"),
        ("INC-20241218-01", "INC-20241218-001"),
        ("2026", ""),
        ("zebra", ""),
    ],
)
def test_an_unknown_incident_gets_a_suggestion(typed: str, meant: str) -> None:
    """The nearest number or id, the newest first; nothing for what is near to nothing."""
    assert nearest_incident(typed, ["INC-20241218-002", "INC-20241218-001", "INC-20241217-002"]) == meant


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("P0", ("P0", 10.0, "")),
        ("p1 5", ("P1", 5.0, "")),
        ("P0 60x Checkout is down", ("P0", 60.0, "Checkout is down")),
        ("P2 Checkout 5", ("P2", 10.0, "Checkout 5")),
        ("P0 1.5", ("P0", 1.5, "")),
    ],
)
def test_a_drill_is_read(typed: str, found: tuple[str, float, str]) -> None:
    """Severity, how fast its clocks run, and its title."""
    assert parse_drill(typed, kars()) == found


@pytest.mark.parametrize(
    ("typed", "words"),
    [("", "Which severity"), ("P9", "P0, P1, P2, P3"), ("P0 0", "1 to 1000"), ("P0 5000", "not 5000")],
)
def test_what_is_no_drill_is_said(typed: str, words: str) -> None:
    """With an example that would be right."""
    with pytest.raises(Refused, match=words):
        parse_drill(typed, kars())
