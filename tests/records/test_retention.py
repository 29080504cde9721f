"""Retention: what is older than the configuration says is removed, and nothing else."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from pydantic import ValidationError

from escalation.config.documents.reviews import ReviewVendor
from escalation.errors import NotFound
from escalation.incident.events.moves import Acknowledge, Reopen, Resolve
from escalation.incident.model import Incident
from escalation.records.retention import Retention, spoken_period
from escalation.reviews.action_items import ActionItem, ItemState, closed
from escalation.storage import archive
from escalation.storage.action_items import ActionItems
from escalation.storage.keeping import audit
from escalation.storage.keeping.packed import is_packed
from escalation.storage.keeping.retention import due, remove, removed_ids
from escalation.storage.reviews import Reviews
from escalation.storage.reviews.canvases import Canvas, Canvases
from escalation.storage.reviews.documents import Document, ReviewDocuments, slot
from escalation.storage.search.documents import DOCUMENTS, Search, fold
from tests.support.company import EXAMPLE
from tests.support.worker import Works, redis_of, valkey, works
from tocsin.cli import main
from tocsin.commands.record.verify import missing
from tocsin.config.settings import Environment
from workers.recurring.keeping.retention import Keeping

YEAR = Retention.model_validate({"closed": "1y", "alerts": "30d", "audit": "2y"})


@pytest.fixture
def parts() -> Iterator[Works]:
    with redis_of("valkey") as redis:
        yield works(redis)


def over(parts: Works) -> Incident:
    """A closed incident with nothing left to do, and a review."""
    one = parts.declare("P3")
    parts.service.handle(one.id, Acknowledge(by="UONCALL"))
    parts.service.handle(one.id, Resolve(by="UONCALL", summary="a", resolution="b"))
    parts.store.update(one.id, lambda i: i.model_copy(update={"effects": (), "checkpoints": ()}))
    Reviews(parts.redis).write(one.id, {"lessons": "Slow down"}, "UONCALL", parts.clock())
    name = slot(one.id, ReviewVendor.GITHUB, private=False)
    ReviewDocuments(parts.redis).save(name, Document("acme/reviews", parts.clock(), parts.clock(), "acme/reviews#1"))
    return parts.now(one)


def test_an_old_closed_incident_goes_and_its_figures_stay(parts: Works) -> None:
    """With its review; lists leave it out, and `verify` misses nothing."""
    one = over(parts)
    since = one.declared_at
    figures = parts.store.observations(since)
    now = parts.clock() + timedelta(days=367)
    assert due(parts.store, YEAR, now - timedelta(days=2)).incidents == []
    assert remove(parts.store, YEAR, now).incidents == [one.id]
    with pytest.raises(NotFound):
        parts.store.get(one.id)
    assert parts.store.recent() == ()
    assert Reviews(parts.redis).written(one.id) == {}
    assert ReviewDocuments(parts.redis).all() == {}
    assert parts.store.observations(since) == figures
    assert removed_ids(parts.store) == {one.id}
    assert list(missing(parts.store.all_ids(), {"20241218": 1})) == []
    [entry] = audit.entries(parts.redis)
    assert one.id in entry["what"]
    assert remove(parts.store, YEAR, now).incidents == []
    assert len(audit.entries(parts.redis)) == 1


def test_no_word_of_a_removed_incident_is_left(parts: Works) -> None:
    """Neither in the store, the search's documents among it, nor in the index of a process that runs."""
    one = over(parts)
    facts = one.facts.model_copy(update={"title": "Zebrafish"})
    parts.store.update(one.id, lambda i: i.model_copy(update={"facts": facts}))
    canvases = Canvases(parts.redis)
    canvases.save(one.id, Canvas("F1", "https://example.slack.com/docs/zebrafish"))
    search = Search(parts.store)
    with search as index:
        assert [d.id for d in index.search("zebrafish")] == [one.id]
    fold(parts.store)
    assert keys_with(parts, "zebrafish")
    assert remove(parts.store, YEAR, parts.clock() + timedelta(days=367)).incidents == [one.id]
    assert keys_with(parts, "zebrafish") == []
    assert (parts.redis.hlen(DOCUMENTS), canvases.of(one.id)) == (0, None)
    for each in (search, Search(parts.store)):
        with each as index:
            assert index.search("zebrafish") == []


def keys_with(parts: Works, word: str) -> list[str]:
    """Keys of the store in which a word stands; incidents are unpacked."""
    keys = sorted(str(key, "utf-8") for key in parts.redis.scan_iter("tocsin:*"))
    return [key for key in keys if word in str(archive.record_of(parts.redis, key)).lower()]


def test_open_action_items_and_a_legal_hold_keep_it(parts: Works) -> None:
    """And why is said."""
    one, other, third = over(parts), over(parts), over(parts)
    parts.service.handle(third.id, Reopen(by="UONCALL", why="It is back"))
    items = ActionItems(parts.redis)
    made = items.add(one.id, lambda n: ActionItem(n, "Fix it", "UONCALL", parts.clock(), owner="UX", due=date.today()))  # noqa: DTZ011  # any day will do
    held = YEAR.model_copy(update={"keep": (other.id,)})
    now = parts.clock() + timedelta(days=400)
    found = due(parts.store, held, now)
    assert found.incidents == []
    assert found.kept == {
        one.id: "it has open action items",
        other.id: "it is under legal hold (`retention.keep`)",
    }
    items.change(made.id, lambda item: closed(item, ItemState.DONE, "UX", now))
    assert remove(parts.store, held, now).incidents == [one.id]
    assert items.all() == []


def test_the_command_says_what_goes_and_what_went(
    parts: Works, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Dry, for scripts, and afterwards from the audit log: what was removed, when and why."""
    one = over(parts)
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{valkey().port}")
    config = yaml.safe_load(EXAMPLE.read_text()) | {"retention": {"closed": "1d"}}
    (tmp_path / "tocsin.yml").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("TOCSIN_CONFIG", str(tmp_path / "tocsin.yml"))

    def retention(*options: str) -> str:
        return CliRunner().invoke(main, ["retention", *options]).output

    assert retention("--log") == "Nothing was removed yet.\n"
    dry = json.loads(retention("--dry-run", "--json"))
    assert (dry["dry_run"], dry["incidents"]) == (True, [one.id])
    assert json.loads(retention("--json"))["incidents"] == [one.id]
    assert "1 incidents" in retention("--log")
    (entry,) = json.loads(retention("--log", "--json"))
    assert entry["did"] == "retention"


def test_without_a_period_everything_is_kept(parts: Works) -> None:
    """For ever."""
    over(parts)
    assert not due(parts.store, Retention(), parts.clock() + timedelta(days=40_000)).anything


def test_old_outcomes_and_audit_entries_go(parts: Works) -> None:
    """By the server's time of each."""
    for n in range(3):
        for stream in ("tocsin:intake:log", "tocsin:intake:dropped"):
            parts.redis.xadd(stream, {"o": "{}"}, id=f"{(n + 1) * 1000}-0")
    audit.note(parts.redis, "forgot", "former:1")
    now = parts.store.now()
    found = remove(parts.store, YEAR, now)
    assert (found.alerts, found.audit) == (3, 0)
    assert [parts.redis.xlen(f"tocsin:intake:{stream}") for stream in ("log", "dropped")] == [0, 0]
    assert remove(parts.store, YEAR, now + timedelta(days=800)).audit == 2
    assert [entry["did"] for entry in audit.entries(parts.redis)] == ["retention"]


def test_once_a_day_it_happens_by_itself_and_old_documents_are_packed(parts: Works) -> None:
    """By one process; the second does nothing."""
    one, name = over(parts), "tocsin:incident:{}"
    plain = dict(parts.store.documents())[one.id]
    parts.redis.set(name.format(one.id), json.dumps(json.loads(plain)))
    company = parts.service.company.model_copy(update={"retention": YEAR})
    parts.service.company = company
    Keeping(parts.context).run(parts.clock())
    raw = parts.redis.get(name.format(one.id))
    assert isinstance(raw, bytes)
    assert is_packed(raw)
    assert parts.now(one).timeline == one.timeline
    Keeping(parts.context).run(parts.clock() + timedelta(days=400))
    assert parts.now(one)
    parts.redis.delete("tocsin:retention:done")
    Keeping(parts.context).run(parts.clock() + timedelta(days=400))
    assert parts.store.recent() == ()


@pytest.mark.parametrize("text", ["30d", "26w", "3y", "100y"])
def test_periods_read_as_they_are_written(text: str) -> None:
    """In days, weeks and years."""
    period = Retention.model_validate({"closed": text}).closed
    assert period
    assert spoken_period(period) == text


@pytest.mark.parametrize("wrong", ["0d", "30", "3m", "-1d", "101y", "soon", ""])
def test_what_is_no_period_is_refused(wrong: str) -> None:
    """With how to write one."""
    with pytest.raises(ValidationError, match="write 30d, 26w or 3y"):
        Retention.model_validate({"closed": wrong})
