"""Actions in the configuration: what `tocsin check` and the start say of wrong ones."""

import base64
from pathlib import Path

import pytest
from click.testing import CliRunner

from escalation.config.policy import Severity
from tests.config.test_loader import GOOD, errors
from tocsin.cli import main
from tocsin.config.action_checks import unusable_secrets
from tocsin.config.loader import Loaded, load
from tocsin.config.settings import SettingsError, read, webhook_secrets
from tocsin.run import channels

FIRST = len(GOOD.splitlines()) + 2  # the line of the first action
RESTART = "name: restart, url: 'https://ops.example.com/restart', secret_env: RESTART_SECRET"
SECRET = "whsec_" + base64.b64encode(b"a secret of ours").decode()


def configured(*actions: str) -> str:
    return GOOD + "actions:\n" + "".join(f"  - {{{action}}}\n" for action in actions)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (f"{RESTART}, when: declard", "has no checkpoint 'declard'; did you mean 'declared'?"),
        (f"{RESTART}, when: [button, no-ack-99m]", "policy kars has no checkpoint 'no-ack-99m'"),
        (f"{RESTART}, match: {{service: chekout}}", "there is no service called 'chekout'; did you mean 'checkout'?"),
        (f"{RESTART}, match: {{severity: P9}}", "P9"),
        (RESTART.replace("https://ops.example.com/restart", "ops.example.com"), "is no web address"),
        (RESTART.replace("restart,", "Restart it,"), "write up to 40 lower-case letters"),
        (RESTART.replace("RESTART_SECRET", "whsec_abc"), "write the name of an environment variable"),
        (f"{RESTART}, when: []", "when"),
        (f"{RESTART}, whenn: declared", "did you mean 'when'?"),
    ],
)
def test_a_wrong_action_is_named_with_its_line(tmp_path: Path, action: str, expected: str) -> None:
    """What is wrong, and what would be right."""
    (found,) = errors(tmp_path, configured(action))
    assert found.startswith(f"{FIRST}: ")
    assert expected in found


def test_two_actions_of_one_name_are_refused(tmp_path: Path) -> None:
    """Nobody could tell their runs apart."""
    assert "there are two actions called 'restart'" in str(errors(tmp_path, configured(RESTART, RESTART)))


def test_a_checkpoint_of_other_severities_is_named(tmp_path: Path) -> None:
    """An action for a P3 at a checkpoint that only a P0 has would never run."""
    policy = load_good(tmp_path, RESTART).policy
    ids = {s: {c.id for c in rules.checkpoints} for s, rules in policy.severities.items()}
    only = sorted(ids[Severity.P0] - ids[Severity.P3])[0]
    (found,) = errors(tmp_path, configured(f"{RESTART}, when: {only}, match: {{severity: P3}}"))
    assert f"'{only}' is no checkpoint of P3, so restart would never run then" in found


def load_good(tmp_path: Path, *actions: str) -> Loaded:
    (tmp_path / "good.yml").write_text(configured(*actions), encoding="utf-8")
    return load(tmp_path / "good.yml")


def test_an_address_that_anybody_can_read_is_a_warning(tmp_path: Path) -> None:
    """The start goes on; an address of this host is fine."""
    loaded = load_good(tmp_path, RESTART.replace("https", "http"), RESTART.replace("restart,", "here,").replace(
        "https://ops.example.com", "http://127.0.0.1:9000"))  # fmt: skip
    assert [w.text for w in loaded.warnings if "actions" in w.text or "http" in w.text] == [
        "restart: http lets others on the way read what is sent; use https"
    ]


def test_a_missing_secret_is_named_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable once, with the action that it signs; a dry run needs none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESTART_SECRET", raising=False)
    company = load_good(tmp_path, RESTART, RESTART.replace("restart,", "again,")).company
    with pytest.raises(SettingsError, match=r"RESTART_SECRET: is missing; .*it signs restart, again"):
        channels.check(read()[0], company)
    assert len(unusable_secrets(company)) == 1
    assert unusable_secrets(load_good(tmp_path, f"{RESTART}, dry_run: true").company) == []


def test_check_names_a_missing_secret_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file itself is right: it may be checked where no secret is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESTART_SECRET", raising=False)
    (tmp_path / "c.yml").write_text(configured(RESTART), encoding="utf-8")
    done = CliRunner().invoke(main, ["check", "c.yml"])
    assert done.exit_code == 0, done.output
    assert "RESTART_SECRET: is missing" in done.output


@pytest.mark.parametrize("where", ["environment", "file"])
def test_secrets_come_from_the_environment_or_its_file(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As all other variables do; several, with commas between, for rotation."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESTART_SECRET", raising=False)
    if where == "file":
        (tmp_path / ".env").write_text(f"RESTART_SECRET={SECRET}, {SECRET}\n", encoding="utf-8")
    else:
        monkeypatch.setenv("RESTART_SECRET", f"{SECRET}, {SECRET}")
    assert webhook_secrets("RESTART_SECRET") == (SECRET, SECRET)


@pytest.mark.parametrize("secret", ["short", "whsec_%%%%%%%%%%%%", "whsec_AAAA"])
def test_a_secret_that_signs_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    """One that is short, and what follows `whsec_` and is no base64."""
    monkeypatch.setenv("RESTART_SECRET", secret)
    with pytest.raises(ValueError, match="whsec_"):
        webhook_secrets("RESTART_SECRET")
