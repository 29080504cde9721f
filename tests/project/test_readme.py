"""README.md says what is so: commands, variables, defaults, the sample configuration, links and pictures."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from bot.parsing.command import parse
from bot.vocabulary import MOVES, VERBS
from escalation.config.policy import Severity
from tocsin.cli import main
from tocsin.config import loader
from tocsin.config.settings import LOCAL_SPEED, Environment, read

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CODE = re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", README, re.DOTALL)
SAID = [block or inline for block, inline in CODE]  # everything that is set as code
PROSE = " ".join(README.split())
READING = (
    "help",
    "declare",
    "search",
    "list",
    "maintenance",
    "show",
    "oncall",
    "me",
    "tickets",
    "contacts",
    "drill",
    "simulate",
    "alerts",
    "slo",
    "report",
    "web",
    "review",
    "action",
    "actions",
)
VARIABLE = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+\b")


def mentioned(pattern: str) -> list[str]:
    """What follows in code, each once: `make X`, `tocsin X`, `/incident X`."""
    return sorted({found for code in SAID for found in re.findall(pattern, code)})


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose head begins so."""
    lines = README.split(f"| {heading} |", 1)[1].splitlines()[2:]
    table = lines[: next(n for n, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]


@pytest.mark.parametrize("target", mentioned(r"\bmake ([\w./-]+)"))
def test_make_knows_the_target(target: str) -> None:
    """Every `make X` is a rule of the Makefile."""
    assert re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", mentioned(r"(?<![\w/.-])(?:\.venv/bin/)?tocsin ([a-z]+)"))
def test_the_command_line_knows_the_command(command: str) -> None:
    """Every `tocsin X` is one."""
    assert command in main.commands


def test_the_tables_of_commands_are_complete() -> None:
    """Nothing that can be typed is left out; help is `/incident` alone, and `fix applied` a form of `fix`."""
    assert set(VERBS) - {"help", "fix-applied"} <= {parse(words).verb for words in typed()}
    assert set(main.commands) <= set(mentioned(r"\btocsin ([a-z]+)"))


def typed() -> list[str]:
    """What the README has people type after /incident."""
    found = (re.fullmatch(r"/incident ?(.*)", line) for code in SAID for line in code.strip().splitlines())
    return sorted({match[1] for match in found if match})


@pytest.mark.parametrize("words", typed())
def test_the_bot_understands_what_is_to_be_typed(words: str) -> None:
    """Every `/incident X` is a verb, and one that something is done about."""
    asked = parse(words.replace("[ID]", ""))
    assert asked.verb
    assert asked.verb in MOVES or asked.verb in READING


def test_the_table_of_variables_is_the_environment() -> None:
    """All that are read are listed, and all that are listed are read."""
    listed = {name for variables, *_ in rows("variable") for name in VARIABLE.findall(variables)}
    assert listed == {name.upper() for name in Environment.model_fields}
    assert {name for code in SAID for name in VARIABLE.findall(code)} <= listed


def test_the_defaults_are_those_of_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the table calls the default is what the settings are when nothing is set."""
    monkeypatch.chdir(tmp_path)  # no .env here
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    settings, problems = read()
    assert not problems
    said = {name: default for variables, _, default in rows("variable") for name in VARIABLE.findall(variables)}
    fields = {name.upper(): field.default for name, field in Environment.model_fields.items()}
    for name in ("TOCSIN_DATA", "TOCSIN_WORKERS"):
        assert said[name].strip("`") == fields[name]
    assert said["TOCSIN_LISTEN"].replace("`", "") == f"{settings.listen}, {settings.sandbox_listen}"
    assert said["TOCSIN_SPEED"].split()[0] == f"{LOCAL_SPEED:g}" == f"{settings.speed:g}"
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    assert said["SLACK_API_URL"].strip("`") == read()[0].api_url


def test_the_first_escalation_comes_when_a_newcomer_is_told() -> None:
    """Fifteen minutes of the shipped policy, fifteen seconds in the local workspace."""
    first = loader.load_policy("kars").severities[Severity("P0")].checkpoints[0]
    assert "60 times faster there, so the fifteen minutes until the next tier is paged take fifteen seconds" in PROSE
    assert first.after.length / LOCAL_SPEED == timedelta(seconds=15)


def test_the_sample_configuration_is_one(tmp_path: Path) -> None:
    """The YAML block is taken as it stands, and every role of the policy has somebody."""
    (sample,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "tocsin.yml").write_text(sample)
    loaded = loader.load(tmp_path / "tocsin.yml")
    assert not loaded.gaps
    paged = {role for rules in loaded.policy.severities.values() for tier in rules.tiers for role in tier.roles}
    assert paged <= set(loaded.company.roles)


LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PAGES = sorted(p.relative_to(ROOT) for p in (ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")))


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    """Every file that a page links to or shows is there."""
    targets = [t.split("#")[0] for t in LINK.findall((ROOT / page).read_text()) if "://" not in t]
    assert [t for t in targets if t and not (ROOT / page.parent / t).exists()] == []


def test_python_versions_are_those_that_are_asked_for() -> None:
    """README, Makefile and package name the same versions."""
    lowest, highest = re.search(r"Python (\d\.\d+) to (\d\.\d+)", README).groups()  # type: ignore[union-attr]
    following = f"3.{int(highest.split('.')[1]) + 1}"
    assert f'requires-python = ">={lowest},<{following}"' in (ROOT / "pyproject.toml").read_text()
    assert f"python{highest} " in (ROOT / "Makefile").read_text()
