"""`tocsin verify`: the store and exports, whole or of one incident, and what is wrong in each."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from escalation.incident.events.moves import Acknowledge, Resolve
from escalation.incident.model import Incident
from escalation.storage import migrations
from escalation.storage.keeping.archived import COUNTER
from escalation.storage.store import Store
from tests.support.story import Story
from tests.support.worker import redis_of, valkey
from tocsin.cli import main
from tocsin.config.settings import Environment


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Store]:
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{valkey().port}")
    with redis_of("valkey") as redis:
        yield Store(redis, lambda pipe, changes: None)


@pytest.fixture
def incident(store: Store) -> Incident:
    """One that is closed, and another that is open."""
    story = Story("P1").until(4).do(Acknowledge(by="UONCALL")).until(9)
    closed = story.do(Resolve(by="UONCALL", summary="Over", resolution="Restarted")).incident
    closed = closed.model_copy(update={"effects": (), "checkpoints": ()})
    store.declare("20241218", "", lambda name: Story("P0").incident.model_copy(update={"id": name}))
    return store.declare("20241218", "", lambda name: closed.model_copy(update={"id": name}))


def tocsin(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def spoil(redis: Redis, incident: Incident) -> None:
    """Change a word in the third entry, as somebody with access to Redis could."""
    changed = incident.timeline[2].model_copy(update={"why": "another reason"})
    timeline = (*incident.timeline[:2], changed, *incident.timeline[3:])
    document = migrations.write(incident.model_copy(update={"timeline": timeline}))
    redis.set(f"tocsin:incident:{incident.id}", document)


def test_a_store_that_nobody_changed(store: Store, incident: Incident) -> None:
    """Exit code 0, with counts."""
    result = tocsin("verify", "--figures")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Timelines: nothing was changed in 2 incidents with ")


def test_a_changed_entry_is_named(store: Store, incident: Incident) -> None:
    """The incident, the entry's number, and exit code 1; for scripts as well."""
    spoil(store.redis, incident)
    result = tocsin("verify")
    assert result.exit_code == 1
    assert result.output.startswith(f"{incident.id}: entry 3 of its timeline is wrong: it was changed, or ")
    found = json.loads(tocsin("verify", "--json").output)["timelines"]["broken"]
    assert [(one["id"], one["entry"]) for one in found] == [(incident.id, 3)]


def test_a_removed_incident_is_named(store: Store, incident: Incident) -> None:
    """Numbers have no gaps."""
    store.redis.delete(f"tocsin:incident:{incident.id}")
    result = tocsin("verify")
    assert result.exit_code == 1
    assert f"{incident.id}: it is missing, and `tocsin retention` did not remove it." in result.output


def test_of_many_missing_incidents_a_few_are_named(store: Store, incident: Incident, tmp_path: Path) -> None:
    """An export that was cut off in its middle lacks thousands: all of them are for scripts."""
    store.redis.set(f"{COUNTER}20241218", 2002)
    file = tmp_path / "all.jsonl"
    tocsin("export", "--all", "--to", str(file))
    for arguments in (("verify",), ("verify", str(file))):
        lines = tocsin(*arguments).output.splitlines()
        assert [line[:16] for line in lines if "it is missing" in line] == [f"INC-20241218-{n:03}" for n in range(3, 8)]
        assert "1995 more incidents are missing (`--json` names all)." in lines
        assert len(lines) < 10
        assert len(json.loads(tocsin(*arguments, "--json").output)["timelines"]["missing"]) == 2000


def test_a_chain_that_was_taken_off_is_named(store: Store, incident: Incident) -> None:
    """An incident without one is no proof of anything."""
    document = json.loads(migrations.write(incident))
    del document["chain"]
    store.redis.set(f"tocsin:incident:{incident.id}", json.dumps(document))
    result = tocsin("verify")
    assert result.exit_code == 1
    assert f"Not chained: {incident.id}." in result.output


def test_an_export_of_everything(store: Store, incident: Incident, tmp_path: Path) -> None:
    """Untouched it is right, figures included; a changed word is found, and in which entry."""
    file = tmp_path / "all.jsonl"
    assert tocsin("export", "--all", "--to", str(file)).exit_code == 0
    right = tocsin("verify", str(file), "--figures")
    assert right.exit_code == 0, right.output
    assert "Figures: every time follows" in right.output
    lines = file.read_text().split("\n")
    n = next(n for n, line in enumerate(lines) if f'"tocsin:incident:{incident.id}"' in line)
    lines[n] = lines[n].replace('"text":"Over"', '"text":"Nothing"')
    file.write_text("\n".join(lines))
    wrong = tocsin("verify", str(file))
    assert wrong.exit_code == 1
    assert "The file was changed, or cut off: line " in wrong.output
    resolved = len(incident.timeline) if incident.timeline[-1].kind == "resolved" else 0
    assert f"{incident.id}: entry {resolved or ''}" in wrong.output


def test_an_export_that_was_cut_off_or_lacks_an_incident(store: Store, incident: Incident, tmp_path: Path) -> None:
    """Both are said."""
    file = tmp_path / "all.jsonl"
    tocsin("export", "--all", "--to", str(file))
    lines = [line for line in file.read_text().splitlines() if f'"tocsin:incident:{incident.id}"' not in line]
    file.write_text("\n".join(lines[:-1]))
    result = tocsin("verify", str(file))
    assert result.exit_code == 1
    assert "cut off" in result.output
    assert f"{incident.id}: it is missing" in result.output


def test_translated_line_ends_are_a_change(store: Store, incident: Incident, tmp_path: Path) -> None:
    """As they are for `tocsin import`."""
    file = tmp_path / "all.jsonl"
    tocsin("export", "--all", "--to", str(file))
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert (tocsin("verify", str(file)).exit_code, tocsin("import", "tocsin", str(file)).exit_code) == (1, 1)


def test_an_export_of_one_incident(store: Store, incident: Incident, tmp_path: Path) -> None:
    """Its JSON has the chain."""
    file = tmp_path / "one.json"
    text = tocsin("export", incident.id, "--json").output
    file.write_text(text)
    assert tocsin("verify", str(file)).exit_code == 0
    file.write_text(text.replace("Over", "Ober"))
    assert tocsin("verify", str(file)).exit_code == 1


@pytest.mark.parametrize("text", ["", "# INC-1", "[1]", "{}"])
def test_what_is_no_export_is_refused(store: Store, tmp_path: Path, text: str) -> None:
    """With the two that are."""
    file = tmp_path / "other"
    file.write_text(text)
    result = tocsin("verify", str(file))
    assert result.exit_code == 1
    assert "neither an incident as JSON" in result.output
