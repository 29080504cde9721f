"""`tocsin alerts`: what came in, and what a body would do."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tocsin.cli import main

FIRING = Path(__file__).parents[1] / "data" / "alerts" / "alertmanager" / "captured_0.25_firing.json"


def tried(file: Path, *more: str, source: str = "alertmanager") -> Result:
    return CliRunner().invoke(main, ["alerts", "try", str(file), "--source", source, *more])


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No .env and no data of this checkout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_DATA", str(tmp_path / "data"))


def test_a_body_is_tried_without_doing_anything() -> None:
    """Its alerts, how bad they are, and which incident they would declare or join."""
    found = tried(FIRING)
    assert found.exit_code == 0
    assert found.output.splitlines()[1].split("\t") == [
        "checkout 5xx above 5%", "firing", "P1", "checkout", "declares, or joins, the incident of: service checkout",
    ]  # fmt: skip
    [data] = json.loads(tried(FIRING, "--json").output)
    assert (data["alert"]["fingerprint"], data["route"]["severity"]) == ("e7ec7c95c14b24e8", "P1")


def test_a_body_of_another_source_is_refused_in_words() -> None:
    """With the file, the source, and what is missing."""
    found = tried(FIRING, source="datadog")
    assert found.exit_code == 1
    assert "is no body of Datadog: alert_transition names no transition" in found.output


def test_without_a_running_tocsin_the_list_says_so() -> None:
    """And how to find or start one."""
    found = CliRunner().invoke(main, ["alerts"])
    assert found.exit_code == 1
    assert "TOCSIN_DATA" in found.output
