"""The command line, as a terminal sees it: what it prints, and its exit codes."""

import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
import redis
from click.testing import CliRunner, Result

from escalation.config.company import Directory
from escalation.incident.events.moves import Acknowledge, Resolve
from escalation.incident.model import Incident
from escalation.oncall import overrides, schedule
from escalation.oncall.edits import record_running
from escalation.oncall.schedule import OncallState
from escalation.storage.reviews import Reviews
from escalation.storage.store import Store
from tests.support.incidents import declared, incident_after
from tocsin.cli import main
from tocsin.config import loader
from tocsin.config.settings import Environment
from tocsin.run import embedded

CONFIG = """\
policy: kars
people: {dana: {slack: U0DANA0001}, omar: {email: omar@example.com}}
roles: {on_call: rotation primary, backup: rotation primary next, devops_lead: dana}
rotations: {primary: {people: [dana, omar], handover: Monday 00:00}}
timezone: Europe/Berlin
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder that is being served, as by a running instance."""
    folder = tmp_path_factory.mktemp("cli")
    embedded.start(folder)
    yield folder
    redis.Redis.from_url(embedded.url(folder)).shutdown(nosave=True)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder and an environment without our variables."""
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def store(data: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store, found through TOCSIN_DATA."""
    monkeypatch.setenv("TOCSIN_DATA", str(data))
    client = redis.Redis.from_url(embedded.url(data))
    client.flushall()
    found = Store(client, lambda *_: None)
    found.save_directory(Directory(names={"UREPORTER": "Paula Weiss", "UONCALL": "Dana Ruiz"}))
    return found


def keep(store: Store, incident: Incident) -> str:
    """Commit a finished incident under the day's next number."""
    return store.declare("20241218", "", lambda new_id: incident.model_copy(update={"id": new_id})).id


def tocsin(*arguments: str, answers: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=answers)


def resolved() -> Incident:
    return incident_after(
        Acknowledge(by="UONCALL"),
        Resolve(by="UONCALL", summary="A *bad* <deploy>", resolution="Rolled back"),
        title="Payments | fail",
    )


def test_list_shows_open_incidents(store: Store) -> None:
    """One line each, tabs in a pipe; closed ones only when asked for."""
    keep(store, declared(title="Checkout is down"))
    keep(store, resolved())
    lines = tocsin("list").output.splitlines()
    assert lines[0].split("\t") == ["ID", "SEVERITY", "STATUS", "SINCE", "ACKNOWLEDGED", "TITLE"]
    assert lines[1].split("\t") == [
        "INC-20241218-001", "P0", "investigating", "2024-12-18 15:30:00", "", "Checkout is down",
    ]  # fmt: skip
    assert len(lines) == 2
    everything = tocsin("list", "--all").output
    assert "Dana Ruiz\tPayments | fail" in everything


def test_list_begins_with_the_worst(store: Store) -> None:
    """As `/incident list` does."""
    for severity in ("P3", "P0", "P1"):
        keep(store, declared(severity))
    assert [row["severity"] for row in json.loads(tocsin("list", "--json").output)] == ["P0", "P1", "P3"]


def test_list_says_when_there_is_nothing(store: Store) -> None:
    """An empty list is a sentence; for scripts it is an empty list."""
    assert tocsin("list").output == "No open incidents.\n"
    assert json.loads(tocsin("list", "--json").output) == []


def test_list_as_json(store: Store) -> None:
    """The fields that scripts want."""
    keep(store, declared(title="Checkout is down", service="checkout"))
    [found] = json.loads(tocsin("list", "--json").output)
    assert found == {
        "id": "INC-20241218-001",
        "severity": "P0",
        "status": "investigating",
        "private": False,
        "declared_at": "2024-12-18T15:30:00+00:00",
        "acknowledged": False,
        "title": "Checkout is down",
        "service": "checkout",
    }


def test_show_tells_what_fires_next_and_what_happened(store: Store) -> None:
    """Headline, checkpoints to come with their people, timeline; ids in any case."""
    keep(store, declared(title="Checkout is down"))
    said = tocsin("show", "inc-20241218-001").output
    assert said.startswith("INC-20241218-001  P0 Critical  investigating  Checkout is down\n")
    assert "15:45:00 UTC  nobody acknowledged within 15 minutes → " in said
    assert "2024-12-18 15:30:00  🚨 P0 INCIDENT - CRITICAL" in said
    assert "Declared by: @Paula Weiss" in said


def test_show_as_json_has_no_machinery(store: Store) -> None:
    """Facts, pages, timeline and what fires next; nothing of effects, copies and keys."""
    keep(store, declared(title="Checkout is down"))
    found = json.loads(tocsin("show", "INC-20241218-001", "--json").output)
    assert found["facts"]["title"] == "Checkout is down"
    assert found["next"][0]["due"].startswith("2024-12-18T15:")
    assert found["timeline"][0]["kind"] == "declared"
    assert not {"effects", "copies", "keys", "stamp"} & set(found)


def test_export_is_a_document_in_which_words_stay_words(store: Store) -> None:
    """Markdown: facts and timeline; people's words format nothing."""
    keep(store, resolved())
    said = tocsin("export", "INC-20241218-001").output
    assert said.startswith("# INC-20241218-001: Payments \\| fail\n")
    assert "- **Status:** resolved" in said
    assert "A \\*bad\\* \\<deploy\\>" in said
    assert "\n## Timeline (UTC)\n" in said


@pytest.mark.parametrize("arguments", [("--format", "json"), ("--json",)])
def test_export_as_json(store: Store, arguments: tuple[str, ...]) -> None:
    """The same facts, for scripts."""
    keep(store, resolved())
    found = json.loads(tocsin("export", "INC-20241218-001", *arguments).output)
    assert found["resolution"]["resolution"] == "Rolled back"


def test_a_private_incident_has_no_words_here(store: Store) -> None:
    """Only its members see it: lists name it, nothing shows or exports it."""
    keep(store, declared(title="Stolen keys", service="vault", security=True))
    assert "private incident" in tocsin("list").output
    for command in (["list"], ["list", "--all"], ["list", "--json"]):
        said = tocsin(*command).output
        assert "Stolen" not in said
        assert "vault" not in said
    for command in (["show"], ["show", "--json"], ["export"], ["export", "--json"]):
        result = tocsin(*command[:1], "INC-20241218-001", *command[1:])
        assert result.exit_code == 1
        assert "is private. Only its responders can view it" in result.output
        assert "Stolen" not in result.output


def test_an_unknown_incident_is_named(store: Store) -> None:
    """With a hint where to look."""
    result = tocsin("show", "INC-20241218-404")
    assert (result.exit_code, result.output) == (
        1, "There is no incident INC-20241218-404. `tocsin list --all` shows the latest.\n",
    )  # fmt: skip


@pytest.mark.parametrize("command", [["list"], ["show", "INC-20241218-001"], ["export", "INC-20241218-001"]])
def test_without_a_running_instance_the_way_out_is_told(command: list[str], tmp_path: Path) -> None:
    """Nothing runs on this folder."""
    result = tocsin(*command)
    assert result.exit_code == 1
    assert f"No running Tocsin found for {tmp_path / 'data'}, and REDIS_URL is not set." in result.output
    assert "Traceback" not in result.output


def test_a_redis_that_is_away_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback, no password."""
    monkeypatch.setenv("REDIS_URL", "redis://:hush-hush@127.0.0.1:1/0")
    result = tocsin("list")
    assert result.exit_code == 1
    assert "Redis does not answer" in result.output
    assert "hush" not in result.output


@pytest.mark.parametrize(
    ("at", "on_call", "backup"),
    [
        ("2026-11-23T00:00:00+00:00", "dana", "omar"),
        ("2026-11-22T23:59:59+00:00", "omar", "dana"),
        # Berlin is an hour ahead of UTC in winter: half past midnight there is still Sunday here.
        ("2026-11-23T00:30", "omar", "dana"),
    ],
)
def test_oncall_at_an_instant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, on_call: str, backup: str
) -> None:
    """Either side of a handover; a time without an offset is the company's own."""
    (tmp_path / "c.yml").write_text(CONFIG)
    monkeypatch.setenv("TOCSIN_CONFIG", "c.yml")
    found = json.loads(tocsin("oncall", "--at", at, "--json").output)
    assert found["roles"]["on_call"] == [on_call]
    assert found["roles"]["backup"] == [backup]
    assert found["rotations"]["primary"]["on_call"] == on_call
    assert found["rotations"]["primary"]["next"] == backup


def test_oncall_as_text(tmp_path: Path) -> None:
    """Roles, and the next handover; `check` and `oncall` need no tokens and no server."""
    (tmp_path / ".env").write_text("TOCSIN_CONFIG=c.yml\n")
    (tmp_path / "c.yml").write_text(CONFIG)
    said = tocsin("oncall", "--at", "2026-11-22T12:00").output
    assert "devops_lead\tdana" in said
    assert "Rotation primary: omar until Monday 2026-11-23 00:00 UTC, then dana." in said


def arranged(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Omar stands in for Dana on 24 November, is away in December, and his test page waits; the company of CONFIG."""
    Path("c.yml").write_text(CONFIG)
    monkeypatch.setenv("TOCSIN_CONFIG", "c.yml")
    company = loader.load(Path("c.yml")).company
    start = datetime(2026, 11, 23, tzinfo=UTC)
    day = timedelta(days=1)

    def step(state: OncallState) -> OncallState:
        state = overrides.add_override(
            state, company, "primary", "omar", start + day, start + 2 * day, start, why="dentist"
        )
        state = overrides.add_absence(state, company, "omar", start + 7 * day, start + 9 * day, start)
        page = schedule.TestPage(rotation="primary", shift_start=start + day, person="omar", sent_at=start + day)
        return overrides.record_test_page(state, page)

    store.update_oncall_state(step)


def test_oncall_tells_what_was_arranged(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the running instance: overrides, who is away, the next handovers, a test page without an answer."""
    arranged(store, monkeypatch)
    said = tocsin("oncall", "--at", "2026-11-24T12:00").output
    for words in (
        "on_call\tomar, dana",
        "Rotation primary: omar and dana (planned: dana) until Wednesday 2026-11-25 00:00 UTC, then dana.",
        "  After that: Monday 2026-11-30 00:00 UTC dana; Wednesday 2026-12-02 00:00 UTC omar.",
        "  Test page to omar: sent Tuesday 2026-11-24 00:00 UTC, not answered yet.",
        "Override 1: omar in primary from Tuesday 2026-11-24 00:00 UTC until Wednesday 2026-11-25 00:00 UTC (dentist)",
        "Away 2: omar from Monday 2026-11-30 00:00 UTC until Wednesday 2026-12-02 00:00 UTC",
    ):
        assert words in said
    assert "were not looked at" not in said
    assert "omar (override 1, instead of dana)" in said
    longer = tocsin("oncall", "--at", "2026-11-24T12:00", "--weeks", "8").output
    assert "  Monday 2026-12-28" not in said
    assert "  Monday 2026-12-28" in longer
    found = json.loads(tocsin("oncall", "--at", "2026-11-24T12:00", "--weeks", "1", "--json").output)
    assert found["schedule"]["primary"][0]["override"] == 1
    assert len(found["schedule"]["primary"]) == 3
    assert found["arrangements"] is True
    assert found["overrides"][0]["person"] == "omar"
    assert found["rotations"]["primary"]["people"] == ["omar", "dana"]
    assert found["rotations"]["primary"]["handovers"][0] == {"at": "2026-11-25T00:00:00+00:00", "people": ["dana"]}


COVERED = "policy: mine.yml\n" + CONFIG.partition("\n")[2]
LONELY = COVERED.replace("people: [dana, omar]", "people: [omar]")
MINE = """\
name: mine
title: Mine
roles: {on_call: on call, devops_lead: DevOps lead}
severities:
  P0:
    name: Critical
    definition: All is lost.
    acknowledge_within: 15m
    resolve_within: 2h
    monitor_for: 30m
    tiers: [{name: On call, roles: [on_call]}, {name: Lead, roles: [devops_lead]}]
"""


def test_coverage_is_shown_for_the_whole_window(tmp_path: Path) -> None:
    """Exit 0 and one sentence; without a running instance it says what it did not see."""
    (tmp_path / "mine.yml").write_text(MINE)
    (tmp_path / "c.yml").write_text(COVERED)
    result = tocsin("check", "c.yml", "--coverage", "90d")
    assert result.exit_code == 0
    assert "covered: every tier of every severity has somebody at every instant from 20" in result.output
    assert "Overrides, absences and calendars were not looked at: no running Tocsin answers here" in result.output
    assert json.loads(tocsin("check", "c.yml", "--coverage", "90d", "--json").output)["coverage"]["covered"] is True
    assert tocsin("check", "c.yml", "--coverage", "soon").exit_code == 2


def test_coverage_shows_the_first_counter_example(tmp_path: Path, store: Store) -> None:
    """Exit 1: tier, severity, from when until when, and why; absences said in Slack are seen."""
    (tmp_path / "mine.yml").write_text(MINE)
    (tmp_path / "c.yml").write_text(LONELY)
    assert tocsin("check", "c.yml", "--coverage", "30d").exit_code == 0
    now = datetime.now(UTC).replace(microsecond=0)
    company = loader.load(Path("c.yml")).company
    starts, ends = now + timedelta(days=8), now + timedelta(days=9)
    store.update_oncall_state(lambda state: overrides.add_absence(state, company, "omar", starts, ends, now))
    result = tocsin("check", "c.yml", "--coverage", "30d")
    assert result.exit_code == 1
    assert (
        f"not covered: P0 tier 1 (On call), from {starts:%Y-%m-%d %H:%M} until {ends:%Y-%m-%d %H:%M} UTC: "
        f"nobody of rotation primary is there (omar until {ends:%Y-%m-%d %H:%M} UTC)\n"
    ) in result.output
    assert "covered: every" not in result.output
    [gap] = json.loads(tocsin("check", "c.yml", "--coverage", "30d", "--json").output)["coverage"]["gaps"]
    assert (gap["severity"], gap["tier"], datetime.fromisoformat(gap["starts"])) == ("P0", 1, starts)


@pytest.mark.parametrize(
    "arguments",
    [["oncall", "--at", "noon"], ["nonsense"], ["show"], ["list", "--nonsense"], ["export", "X", "--format", "pdf"]],
)
def test_a_wrong_command_line_is_2(arguments: list[str]) -> None:
    """Exit code 2 is for the command line itself."""
    assert tocsin(*arguments).exit_code == 2


def test_check_of_a_good_file(tmp_path: Path) -> None:
    """Exit 0; roles with nobody are warnings."""
    (tmp_path / "c.yml").write_text(CONFIG)
    result = tocsin("check", "c.yml")
    assert result.exit_code == 0
    assert "c.yml:3: warning: nobody is CTO and executives" in result.output
    assert result.output.endswith("c.yml is fine.\n")


def test_check_of_a_wrong_file(tmp_path: Path) -> None:
    """Exit 1, every mistake with its line."""
    (tmp_path / "c.yml").write_text(CONFIG.replace("kars", "karz").replace("devops_lead: dana", "devops_lead: dna"))
    result = tocsin("check", "c.yml")
    assert result.exit_code == 1
    assert "c.yml:1: there is no policy 'karz'" in result.output
    assert "c.yml:3: there is no person called 'dna'; did you mean 'dana'?" in result.output
    assert result.output.endswith("c.yml: 2 things are wrong.\n")


@pytest.mark.parametrize("number", [99, 100, 120])
@pytest.mark.parametrize("over_http", [False, True])
def test_check_knows_when_services_are_more_than_a_menu_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, over_http: bool
) -> None:
    """Nothing is cut: it says that they are searched, and over HTTP which address of the app that needs."""
    if over_http:
        monkeypatch.setenv("SLACK_SIGNING_SECRET", "s" * 32)
    services = "".join(f"  service-{n:03}: {{}}\n" for n in range(number))
    (tmp_path / "c.yml").write_text(f"{CONFIG}services:\n{services}")
    result = tocsin("check", "c.yml")
    assert result.exit_code == 0
    many = number > 99  # beside "None of these"
    assert (f"{number} services: a menu in Slack shows 100, so forms search all of them" in result.output) == many
    assert ("Options Load URL" in result.output) == (many and over_http)
    assert bool(json.loads(tocsin("check", "c.yml", "--json").output)["menus"]) == many


def test_check_knows_the_names_that_a_menu_does_not_take(tmp_path: Path) -> None:
    """A form with a name that is too long for Slack would never open; one that is cut is a warning."""
    (tmp_path / "c.yml").write_text(f"{CONFIG}services: {{{'a' * 151}: {{}}, {'b' * 76}: {{}}, {'c' * 75}: {{}}}}\n")
    result = tocsin("check", "c.yml")
    assert result.exit_code == 1
    assert "is too long a name for Slack's menus: 150 characters at most" in result.output
    (tmp_path / "c.yml").write_text(f"{CONFIG}services: {{{'b' * 76}: {{}}, {'c' * 75}: {{}}}}\n")
    result = tocsin("check", "c.yml")
    assert result.exit_code == 0
    assert result.output.count("Slack's menus show 75 characters") == 1


def test_check_refuses_a_severity_that_pages_nobody_at_first(tmp_path: Path) -> None:
    """An empty first tier is more than a warning."""
    (tmp_path / "c.yml").write_text("policy: kars\npeople: {}\nroles: {}\n")
    result = tocsin("check", "c.yml", "--json")
    assert result.exit_code == 1
    report = json.loads(result.output)
    assert report["ok"] is False
    assert report["errors"][0]["line"] == 3
    assert "a P0 would page nobody at first" in report["errors"][0]["text"]


def test_check_without_a_file_takes_the_configured_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TOCSIN_CONFIG, else the shipped example."""
    assert tocsin("check").output.endswith("example.yml is fine.\n")
    monkeypatch.setenv("TOCSIN_CONFIG", str(tmp_path / "none.yml"))
    assert "there is no file" in tocsin("check").output


def test_run_names_every_wrong_setting_and_starts_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One error, exit 1, no data folder."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv("TOCSIN_SPEED", "60")
    result = tocsin("run")
    assert result.exit_code == 1
    for variable in ("SLACK_APP_TOKEN", "TOCSIN_CONFIG", "TOCSIN_SPEED"):
        assert variable in result.output
    assert not os.path.lexists(tmp_path / "data")


def test_run_refuses_a_wrong_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before anything is started."""
    (tmp_path / "c.yml").write_text("policy: karz\n")
    monkeypatch.setenv("TOCSIN_CONFIG", "c.yml")
    result = tocsin("run")
    assert (result.exit_code, "c.yml:1: there is no policy 'karz'" in result.output) == (1, True)


def test_titles_cannot_move_the_cursor(store: Store) -> None:
    """Control characters of a title are blanks in a terminal."""
    keep(store, declared(title="Down\x1b[2Jagain\nand again"))
    assert "Down [2Jagain and again" in tocsin("list").output


def test_the_checkpoints_of_a_fast_incident_are_close(store: Store) -> None:
    """At speed 60 fifteen minutes are fifteen seconds."""
    incident = declared(speed=60)
    keep(store, incident)
    found = json.loads(tocsin("show", "INC-20241218-001", "--json").output)
    dues = [u["due"] for u in found["next"] if "nobody acknowledged" in u["why"]]
    assert dues == [(incident.declared_at + timedelta(seconds=15)).isoformat()]


def test_check_says_whose_shifts_an_edit_moves(tmp_path: Path, store: Store) -> None:
    """Compared with the instance that runs: who stays until the handover, and who changes after it."""
    (tmp_path / "mine.yml").write_text(MINE)
    (tmp_path / "c.yml").write_text(COVERED)
    before = loader.load(Path("c.yml")).company
    now = datetime.now(UTC)
    state = store.update_oncall_state(lambda state: record_running(state, before, now))
    assert tocsin("check", "c.yml").output.endswith("c.yml is fine.\n")
    (tmp_path / "c.yml").write_text(COVERED.replace("people: [dana, omar]", "people: [omar, dana]"))
    result = tocsin("check", "c.yml")
    assert result.exit_code == 0
    (on_call,) = state.running["primary"].people
    assert f"rotation primary differs from the one that runs: {on_call} stays on call until " in result.output
    assert "dana instead of omar." in result.output
    assert len(json.loads(tocsin("check", "c.yml", "--json").output)["running"]) > 1


PRINT_NO_DATA = {"run", "bot", "worker", "sandbox", "mcp", "watchdog", "init", "schema"}  # schema prints JSON anyway


def test_whatever_prints_data_prints_json_too() -> None:
    """Every command, those of groups too, has `--json` for scripts, but those that run on, ask, or write a file."""

    def lacking(command: click.Command, name: str) -> Iterator[str]:
        if "--json" not in {option for parameter in command.params for option in parameter.opts}:
            yield name
        for inner, found in getattr(command, "commands", {}).items():
            yield from lacking(found, inner)

    assert {name for command in main.commands.values() for name in lacking(command, str(command.name))} == PRINT_NO_DATA


def test_a_review_as_json(store: Store) -> None:
    """`--json` is `--format json`: sections, lines with their entry, people's words."""
    keep(store, resolved())
    found = json.loads(tocsin("review", "INC-20241218-001", "--json").output)
    assert found["sections"][0]["lines"][0]["entry"] == 1
    assert tocsin("review", "INC-20241218-001", "--format", "json").output.startswith("{")


def test_two_who_edit_a_review_as_markdown_lose_nothing(store: Store, tmp_path: Path) -> None:
    """Each section is read back by itself; where both changed one, all is refused, and the section is named."""
    keep(store, resolved())
    document, review = tmp_path / "review.md", ("review", "INC-20241218-001")
    printed = tocsin(*review).output
    document.write_text(re.sub(r"(people: lessons \w+ -->\n)", r"\1Watch the pool", printed))
    Reviews(store.redis).write("INC-20241218-001", {"impact": "Everybody"}, "UDANA", store.now())
    assert tocsin(*review, "--from", str(document)).exit_code == 0
    assert {k: w.text for k, w in Reviews(store.redis).written("INC-20241218-001").items()} == {
        "impact": "Everybody",
        "lessons": "Watch the pool",
    }
    document.write_text(re.sub(r"(people: impact \w+ -->\n)", r"\1Nobody", printed))
    refused = tocsin(*review, "--from", str(document))
    assert refused.exit_code == 1
    assert "Somebody wrote since this was printed: impact. Nothing was read" in refused.output
    assert Reviews(store.redis).written("INC-20241218-001")["impact"].text == "Everybody"


def test_a_review_as_pdf_needs_the_extra(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the command says how to get it, and prints nothing else."""
    keep(store, resolved())
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    refused = tocsin("review", "INC-20241218-001", "--format", "pdf")
    assert refused.exit_code == 1
    assert "pip install tocsin[pdf]" in refused.output
    assert "%PDF" not in refused.output
