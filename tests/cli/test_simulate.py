"""`tocsin simulate` in a terminal, and `/incident simulate` in Slack: what they print, and what they refuse."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
import yaml
from click.testing import CliRunner, Result

from bot.deps import BotDeps
from bot.handlers.reply import short_message
from bot.parsing.simulate import simulation_lines
from escalation.config.company import Company, Directory
from escalation.errors import Refused
from escalation.oncall.schedule import EMPTY_STATE, OncallState, Override
from escalation.storage.store import Store
from escalation.text import text
from tests.support.story import kars
from tests.support.worker import redis_of, works
from tocsin.cli import main
from tocsin.config import loader
from tocsin.config.settings import Environment
from tocsin.run import embedded

CONFIG = """\
policy: kars
timezone: Europe/Berlin
people: {dana: {slack: U0DANA0001}, omar: {email: omar@example.com}, erik: {slack: U0ERIK0001}}
roles: {on_call: rotation primary, backup: rotation primary next, devops_lead: dana, engineering_manager: erik}
rotations: {primary: {people: [dana, omar], handover: Monday 09:00, timezone: Europe/Berlin}}
services: {checkout: {team: backend, lead: omar}}
calendar: {timezone: Europe/Berlin}
"""
AT = "2026-12-14 08:50"  # ten minutes before Dana hands over to Omar


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A configuration, and nothing that runs."""
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_CONFIG", str(tmp_path / "tocsin.yml"))
    (tmp_path / "tocsin.yml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Store]:
    """The empty store of a running instance."""
    folder = tmp_path / "data"
    embedded.start(folder)
    monkeypatch.setenv("TOCSIN_DATA", str(folder))
    client = redis.Redis.from_url(embedded.url(folder))
    yield Store(client, lambda *_: None)
    client.shutdown(nosave=True)


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["simulate", *arguments])


def cells(result: Result) -> list[list[str]]:
    return [line.split("\t") for line in result.stdout.splitlines() if "\t" in line]


# The terminal --------------------------------------------------------------------------------------------------------


def test_a_table_of_what_would_happen() -> None:
    """When by the company's clock, how long after, what, whom, why and unless what; people by their keys."""
    result = simulate("P0", "--at", AT)
    head, *rows = cells(result)
    assert result.exit_code == 0
    assert head == ["TIME (EUROPE/BERLIN)", "AFTER", "WHAT", "WHOM", "WHY", "UNLESS"]
    paged = [row for row in rows if row[2].startswith("page tier 2")]
    assert paged == [
        [
            "2026-12-14 09:05:00",
            "+15m",
            "page tier 2 (On call and backup)",
            "@omar and @dana",
            "nobody acknowledged within 15 minutes",
            "acknowledged",
        ]
    ]
    assert "And so on, until somebody acts: a progress update is asked for every 30 minutes" in result.stdout
    assert "no running Tocsin answers here" in result.stderr


def test_json_for_scripts() -> None:
    """Instants in UTC, lengths in seconds, people by their keys."""
    found = json.loads(simulate("p0", "--at", AT, "--ack-after", "12m", "--resolve-after", "1h", "--json").stdout)
    assert (found["severity"], found["policy"], found["at"]) == ("P0", "kars", "2026-12-14T07:50:00+00:00")
    (signed,) = (row for row in found["rows"] if row["kind"] == "acknowledged")
    assert (signed["after_seconds"], signed["by"]) == (720, "dana")
    pages = [row for row in found["rows"] if row["kind"] == "paged"]
    assert [(row["after_seconds"], row["people"]) for row in pages] == [(0, ["dana"]), (1800, ["erik"])]
    assert pages[1]["unless"] == ["root cause"]
    assert pages[1]["places"][0] == "direct message"
    assert (found["ahead"], found["and_so_on"], found["arrangements"]) == ([], [], False)


def test_the_steps_by_which_people_are_reached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each channel at its time, to whom, and that an answer prevents it; only channels that are set up, if any is."""
    people = {"dana": {"email": "dana@example.com", "phone": "+4915112345678", "ntfy": "dana-pages"}}
    path = tmp_path / "reach.yml"
    path.write_text(yaml.safe_dump({"policy": "kars", "people": people, "roles": {"on_call": "dana"}}))
    monkeypatch.setenv("TOCSIN_CONFIG", str(path))

    def steps() -> list[tuple[float, str, list[str]]]:
        found = json.loads(simulate("P0", "--at", AT, "--until", "4m", "--json").stdout)["rows"]
        reached = [row for row in found if row["what"].startswith("reach by ")]
        assert all(row["unless"] == ["answered"] for row in reached)
        return [(row["after_seconds"], row["what"], row["people"]) for row in reached]

    everything = [(0, "reach by ntfy"), (0, "reach by email"), (60, "reach by SMS"), (180, "reach by call")]
    assert steps() == [(at, what, ["dana"]) for at, what in everything]
    monkeypatch.setenv("NTFY_URL", "https://ntfy.example.com")
    assert steps() == [(0, "reach by ntfy", ["dana"])]


def test_what_people_do_and_say() -> None:
    """Each option moves the incident or says something of it."""
    lengths = {"ack": 1, "root-cause": 2, "workaround": 3, "fix": 4, "fix-fails": 5, "resolve": 6}
    options = [word for step, n in lengths.items() for word in (f"--{step}-after", f"{n}m")]
    flags = ["--security", "--outage", "--major-impact", "--data-loss"]
    found = json.loads(simulate("P0", "--at", AT, "--service", "checkout", *options, *flags, "--json").stdout)
    kinds = [row["kind"] for row in found["rows"] if row["by"] and row["after_seconds"]]
    assert kinds == ["acknowledged", "root_cause", "workaround", "fix_applied", "fix_failed", "paged", "resolved"]
    assert "communication" not in {row["kind"] for row in found["rows"]}


def test_it_stops_where_it_is_told_to() -> None:
    """And says what is still ahead then, and whom it would page."""
    result = simulate("P0", "--at", AT, "--until", "20m")
    assert cells(result)[-1][1] == "+20m"
    assert "Still ahead at 2026-12-14 09:10:00:" in result.stdout
    assert "no root cause was found within 30 minutes → @erik" in result.stdout


def test_the_example_company_without_a_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can try it."""
    monkeypatch.delenv("TOCSIN_CONFIG")
    result = simulate("P0", "--at", AT)
    assert result.exit_code == 0
    assert "@lena and @bruno" in result.stdout


def test_the_running_instance_knows_more(store: Store) -> None:
    """Overrides are counted, and people are called by their names."""
    store.save_directory(Directory(people={"omar@example.com": "U0OMAR0001"}, names={"U0ERIK0001": "Erik Olsen"}))
    start = datetime(2026, 12, 14, 7, 0, tzinfo=UTC)
    swap = Override(id=1, rotation="primary", person="erik", starts=start, ends=start + timedelta(hours=3))
    store.update_oncall_state(lambda before: before.model_copy(update={"overrides": (swap,), "made": 1}))
    result = simulate("P1", "--at", AT)
    assert cells(result)[2][2:4] == ["page tier 1 (On call)", "@Erik Olsen"]
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument 'SEVERITY'"),
        (["P7"], "'P7' is not a severity; write P0, P1, P2, P3"),
        (["P0", "--at", "yesterday"], "write one like 2026-12-24 18:00"),
        (["P0", "--ack-after", "soon"], "'soon' is not a duration; write 90s, 15m"),
        (["P0", "--service", "chekout"], "did you mean 'checkout'?"),
        (["P0", "--until", "60d"], "a simulation lasts 14d at the most"),
        (["P0", "--until", "1h", "--ack-after", "2h"], "ack would come after the end"),
        (["P0", "--fix-fails-after", "5m"], "fix-fails after 5m would be refused"),
    ],
)
def test_a_wrong_command_line_says_what_would_be_right(arguments: list[str], words: str) -> None:
    """Exit code 2, and no traceback."""
    result = simulate(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr


# In Slack ------------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 12, 14, 7, 50, tzinfo=UTC)


@pytest.fixture
def parts(here: Path) -> Iterator[BotDeps]:
    company: Company = loader.load(here / "tocsin.yml").company
    with redis_of("fakeredis") as behind:
        made = works(behind, company=company)
        yield BotDeps("xoxb-nobody", behind, made.store, made.service, company, kars(), "")


def answer(parts: BotDeps, typed: str, state: OncallState = EMPTY_STATE) -> str:
    return text(simulation_lines(parts, Directory(), state, typed, NOW))


def test_the_command_tells_the_same(parts: BotDeps) -> None:
    """What happens when, to whom, why, unless what; long dashes are what Slack makes of two."""
    said = answer(parts, "P0 \u2014ack-after 12m --resolve-after 1h")
    assert "A P0 (Critical) declared at 2026-12-14 07:50 UTC. Nothing is sent." in said
    assert "+12m acknowledged: by U0DANA0001" in said
    assert "+30m page tier 3 (Engineering manager): U0ERIK0001 — no root cause was found within 30 minutes" in said
    assert "(unless root cause)" in said
    assert said.endswith("End of simulation.")


def test_an_instant_of_several_words(parts: BotDeps) -> None:
    """In the company's zone, as in a terminal."""
    assert "declared at 2026-12-15 02:00 UTC" in answer(parts, "p1 at tomorrow 03:00 outage until 2h")


def test_a_long_answer_fits_into_a_message(parts: BotDeps) -> None:
    """What does not is counted, and the end is still told."""
    lines = simulation_lines(parts, Directory(), EMPTY_STATE, "P0 until 5d", NOW)
    assert len(short_message(*lines).text) <= 3000
    assert "`tocsin simulate` prints them all" in text(lines[-2:])
    assert "Next after that" in text(lines[-1:])


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "Say which severity; write it like"),
        ("P9", "'P9' is not a severity; write it like"),
        ("P0 quickly", "'quickly' is not known here"),
        ("P0 ack-aftr 5m", "did you mean 'ack-after'?"),
        ("P0 ack-after", "ack-after: '' is not a duration"),
        ("P0 at noonish", "at: 'noonish' is not a time"),
        ("P0 until 30d", "at the most"),
        ("P0 service payments", "There is no service called 'payments'"),
        ("P0 fix-fails-after 5m", "would be refused"),
    ],
)
def test_a_wrong_command_is_refused_with_a_remedy(parts: BotDeps, typed: str, words: str) -> None:
    """In words for the one who typed it."""
    with pytest.raises(Refused) as refused:
        answer(parts, typed)
    assert words in text([refused.value.words])
