"""`tocsin init`: a conversation, piped or typed, that ends in a configuration which `tocsin check` accepts."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from sandbox.server import RunningWorkspace, running
from tocsin.cli import main
from tocsin.config import loader, yaml_lines
from tocsin.config.loader import load
from tocsin.config.settings import Environment

# One answer a line: on call (a rotation, and its three questions), backup, the seven others, channel, meeting link.
ANSWERS = """\
rotation
dana@example.com, omar@example.com
Tuesday 09:00
Europe/Berlin
rotation
@U0LENA0001
bruno@example.com

bruno@example.com
sofia@example.com, S012SECURITY

carla@example.com
victor@example.com
ops-incidents
https://meet.example/abc
"""


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty folder and an environment without our variables."""
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def workspace() -> Iterator[RunningWorkspace]:
    with running() as found:
        yield found


def init(*arguments: str, answers: str = ANSWERS) -> Result:
    return CliRunner().invoke(main, ["init", *arguments], input=answers)


def test_answers_become_a_configuration(tmp_path: Path) -> None:
    """Rotation, people by address and by id, a user group, a role with nobody."""
    result = init("--policy", "kars")
    assert result.exit_code == 0, result.output
    company = load(tmp_path / "tocsin.yml").company
    assert {r: ", ".join(map(str, h)) for r, h in company.roles.items()} == {
        "on_call": "rotation primary",
        "backup": "rotation primary next",
        "devops_lead": "u0lena0001",
        "backend_lead": "bruno",
        "service_team": "",
        "service_lead": "bruno",
        "security_team": "sofia, S012SECURITY",
        "engineering_manager": "",
        "executives": "carla",
        "stakeholders": "victor",
    }
    assert company.rotations["primary"].people == ("dana", "omar")
    assert str(company.rotations["primary"].handover) == "Tuesday 09:00"
    assert company.rotations["primary"].timezone == "Europe/Berlin"
    assert (company.workspace.incidents_channel, company.meeting_url) == ("ops-incidents", "https://meet.example/abc")


def test_it_ends_with_the_check_and_the_next_step() -> None:
    """What has nobody is said at once, and what to set."""
    said = init("--policy", "kars").output
    assert "warning: nobody is engineering manager" in said
    assert said.endswith(
        "tocsin.yml is fine.\nNext: put TOCSIN_CONFIG=tocsin.yml into .env, then run `tocsin doctor`.\n"
    )


@pytest.mark.parametrize("policy", loader.shipped_policies())
def test_every_shipped_policy_can_be_chosen(tmp_path: Path, policy: str) -> None:
    """One person in every role is a configuration that checks clean, by the schema that lies beside it too."""
    roles = len(loader.load_policy(policy).roles)
    result = init("--policy", policy, answers="dana@example.com\n" * roles + "incidents\n\n")
    assert result.exit_code == 0, result.output
    assert "warning" not in result.output
    text = (tmp_path / "tocsin.yml").read_text()
    assert text.startswith("# yaml-language-server: $schema=tocsin.schema.json\n")
    described = json.loads((tmp_path / "tocsin.schema.json").read_text())
    jsonschema.validate(yaml_lines.parse(text).data, described)


def test_the_policy_is_asked_for(tmp_path: Path) -> None:
    """Without --policy the first question is which; it explains them all, and Enter takes the README's."""
    result = init("--output", "mine.yml", answers="\n" + ANSWERS)
    assert result.exit_code == 0, result.output
    assert load(tmp_path / "mine.yml").company.policy == "kars"
    for name in loader.shipped_policies():
        assert f"  {name}: {loader.load_policy(name).title}\n    " in result.output
    assert " pages " in result.output.partition("Policy (")[0]


def test_an_unknown_policy_is_refused() -> None:
    """With the list of those that there are."""
    result = init("--policy", "karz")
    assert (result.exit_code, result.output.startswith("There is no policy 'karz'. Shipped are: ")) == (1, True)


def test_a_file_is_only_overwritten_by_force(tmp_path: Path) -> None:
    """Nobody loses a configuration by a typing error."""
    (tmp_path / "tocsin.yml").write_text("mine")
    result = init("--policy", "kars")
    assert result.exit_code == 1
    assert "--force overwrites it" in result.output
    assert (tmp_path / "tocsin.yml").read_text() == "mine"
    assert init("--policy", "kars", "--force").exit_code == 0


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("Tuesday 09:00", "Funday", "'Funday' is not a handover; write one like"),
        ("Europe/Berlin", "Berlin", "'Berlin' is not a time zone"),
        ("dana@example.com, omar@example.com", "dana@example.com, omar", "'omar' is not an e-mail address"),
        ("dana@example.com, omar@example.com", "@", "name at least one person"),
        ("@U0LENA0001", "?", "'?' is not an e-mail address, a member id, a user group id or `rotation`"),
        ("sofia@example.com, S012SECURITY", "sofia@example.com, security", "'security' is not"),
    ],
)
def test_wrong_answers_are_asked_again(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    """Whatever the question: the complaint says what would be right, and nobody is lost."""
    result = init("--policy", "kars", answers=ANSWERS.replace(right, f"{wrong}\n{right}", 1))
    assert result.exit_code == 0, result.output
    assert said in result.output
    expected = tmp_path / "expected.yml"
    assert init("--policy", "kars", "--output", str(expected)).exit_code == 0
    company, other = load(tmp_path / "tocsin.yml").company, load(expected).company
    assert company == other


def test_a_rotation_named_as_backup_makes_on_call_work(tmp_path: Path) -> None:
    """Whoever has the shift is on call, and the next one is the backup."""
    _, rest = ANSWERS.split("rotation\n", 1)
    questions, others = rest.split("rotation\n", 1)
    result = init("--policy", "kars", answers=f"\nrotation\n{questions}{others}")
    assert result.exit_code == 0, result.output
    roles = load(tmp_path / "tocsin.yml").company.roles
    assert [str(h) for h in roles["on_call"]] == ["rotation primary"]
    assert [str(h) for h in roles["backup"]] == ["rotation primary next"]


def test_complaints_name_the_line_of_their_role(tmp_path: Path) -> None:
    """So that an editor opens where there is something to fill in."""
    said = init("--policy", "kars").output
    lines = (tmp_path / "tocsin.yml").read_text().splitlines()
    n = next(n for n, line in enumerate(lines, 1) if line.strip().startswith("engineering_manager:"))
    assert f"tocsin.yml:{n}: warning: nobody is engineering manager" in said


def test_nobody_at_all_is_written_but_refused() -> None:
    """The file is there to be filled in, and the exit code says that it is not done."""
    result = init("--policy", "kars", answers="\n" * 12)
    assert result.exit_code == 1
    assert "would page nobody at first" in result.output
    assert result.output.splitlines()[-1].startswith("Next: correct tocsin.yml")


def test_people_are_looked_up_when_there_is_a_token(
    monkeypatch: pytest.MonkeyPatch, workspace: RunningWorkspace, tmp_path: Path
) -> None:
    """Who was found, who was not, and a key from the name for somebody given by id."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", workspace.bot_token)
    monkeypatch.setenv("SLACK_APP_TOKEN", workspace.app_token)
    monkeypatch.setenv("SLACK_API_URL", workspace.api_url)
    result = init("--policy", "kars", answers=ANSWERS.replace("carla@", "nobody@").replace("victor@", "gus@"))
    assert "found, but Gus Novak (U0GUS00001) is a guest: they can answer their pages" in result.output
    assert "found Dana Ruiz (U0DANA0001)" in result.output
    assert "nobody@example.com was not found in the workspace: users_not_found" in result.output
    company = load(tmp_path / "tocsin.yml").company
    assert company.people["lena-fischer"].slack == "U0LENA0001"
