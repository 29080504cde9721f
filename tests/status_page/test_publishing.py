"""From an incident to the folder: what publishes itself, what waits, what is withdrawn, and a disk that refuses."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from escalation.config.company import Company
from escalation.config.status_page import StatusPage
from escalation.incident.events.moves import (
    Answer,
    AnswerCommunication,
    Cancel,
    MarkSecurity,
    PostUpdate,
    PublishUpdate,
    Resolve,
)
from escalation.incident.model import Incident
from escalation.incident.state.facts import Status
from escalation.storage.problems import Problems
from escalation.storage.public.folder import PROBLEM, StatusFolder
from escalation.storage.public.log import LOG, PublicLog
from tests.support.company import example_company
from tests.support.story import START
from tests.support.worker import SlackByClock, Works, redis_of, works

MARK = "zebramarker"
PUBLIC = "Payments are slow."
PAGE = {"title": "Shop status", "components": ["checkout", "api"]}
RESOLVE = Resolve(by="UONCALL", summary=MARK, resolution=MARK)


class Published:
    """A worker with a status page, and its folder."""

    def __init__(self, parts: Works, folder: Path) -> None:
        self.parts = parts
        self.log = PublicLog(parts.redis)
        page = StatusPage.model_validate(PAGE)
        self.folder = StatusFolder(folder, page, self.log, parts.store.problems)

    def declare(self, severity: str = "P0", **facts: Any) -> Incident:
        said = {"title": MARK, "description": MARK, "impact": MARK, "service": "checkout", "public_wording": PUBLIC}
        return self.parts.declare(severity, **(said | facts))

    def files(self) -> dict[str, str]:
        self.parts.run()
        self.folder.renew(self.parts.clock())
        root = self.folder.folder
        return {str(p.relative_to(root)): p.read_text() for p in root.rglob("*") if p.is_file()}

    def open_incidents(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.files()["summary.json"])["incidents"]
        return found


def company() -> Company:
    return example_company(status_page=PAGE)


@pytest.fixture
def published(slack_by_clock: SlackByClock, tmp_path: Path) -> Iterator[Published]:
    workspace, clock = slack_by_clock
    with redis_of("fakeredis") as redis:
        clock.now = START
        parts = works(redis, workspace, clock, company())
        parts.control("reset")
        yield Published(parts, tmp_path / "status")


def test_a_communication_without_approval_publishes_itself_at_once(published: Published) -> None:
    """In the public wording, with the component's state, and nobody is asked to do it by hand."""
    incident = published.declare()
    [shown] = published.open_incidents()
    assert (shown["name"], shown["status"], shown["impact"]) == ("Payments are slow", "investigating", "critical")
    [state, _] = json.loads(published.files()["summary.json"])["components"]
    assert state == {"name": "checkout", "status": "major_outage"}
    after = published.parts.now(incident)
    assert [o.state for o in after.communications if o.plan.id == "status-page"] == ["done"]
    assert "status_page" in [p.place for p in after.posts]


def test_what_begins_later_publishes_itself_then(published: Published) -> None:
    """A P1 is on the page once it lasted two hours, not before, and nobody is asked."""
    incident = published.declare("P1")
    published.parts.run_for(2 * 3600 - 60, step=420)
    assert published.open_incidents() == []
    published.parts.run_for(120, step=30)
    [shown] = published.open_incidents()
    assert (shown["name"], shown["impact"]) == ("Payments are slow", "major")
    assert [o.state for o in published.parts.now(incident).communications if o.plan.id == "status-page"] == ["done"]


@pytest.mark.parametrize("approval", [False, True])
@pytest.mark.parametrize("how", ["archived", "deleted"])
def test_a_channel_that_is_gone_holds_up_no_publication(published: Published, how: str, approval: bool) -> None:
    """Archived or deleted by hand while words wait for approval, or are on their way: they stand on the page."""
    incident, parts = published.declare("P2" if approval else "P0"), published.parts
    parts.run()
    event = PublishUpdate(by="UONCALL", wording="Cards fail.")
    if approval:
        parts.service.handle(incident.id, event)
    channel = next(c["id"] for c in parts.channels() if c["name"] == "incidents")
    if how == "archived":
        parts.control(f"channels/{channel}", is_archived=True)
    else:
        parts.control(f"channels/{channel}", name="gone")
        unknown = {"kind": "error", "error": "channel_not_found", "times": None, "match": {"channel": channel}}
        parts.control("faults", method="*", **unknown)
    n = parts.now(incident).communications[-1].n
    approved = AnswerCommunication(by="UONCALL", n=n, answer=Answer.APPROVED)
    parts.service.handle(incident.id, approved if approval else event)
    [shown] = published.open_incidents()
    assert shown["name"] == "Cards fail"
    named = [problem.text for problem in parts.store.problems.current()]
    anew = [c["id"] for c in parts.channels() if c["name"] == "incidents" and c["id"] != channel]
    assert named == ["#incidents is archived"] if how == "archived" else len(anew) == 1


def test_nothing_internal_is_published(published: Published) -> None:
    """Neither the title nor an update's words, a cause, a person or our number stand in any file."""
    incident = published.declare()
    published.parts.run()
    published.parts.service.handle(incident.id, PostUpdate(by="UONCALL", progress=MARK))
    files = published.files()
    for secret in (MARK, incident.id, "UPAULA"):
        assert not [path for path, text in files.items() if secret in text]


def test_the_end_is_published_and_heals_the_component(published: Published) -> None:
    """As resolved, in one incident with its beginning."""
    incident = published.declare()
    published.parts.run()
    published.parts.clock.push(minutes=20)
    published.parts.service.handle(incident.id, RESOLVE)
    assert published.open_incidents() == []
    assert len({p.incident for p in published.log.publications()}) == 1
    assert "Resolved" in published.files()["history/index.html"]


def test_a_false_alarm_that_was_published_is_ended_on_the_page(published: Published) -> None:
    """Nobody is left with an open incident that is none."""
    incident = published.declare()
    published.parts.run()
    published.parts.service.handle(incident.id, Cancel(by="UONCALL", why=MARK))
    assert published.open_incidents() == []


def test_a_duplicate_stands_on_the_page_until_its_original_is_over(published: Published) -> None:
    """What readers were told of it goes on under the other's name, and ends with that, by the time of that."""
    original, duplicate = published.declare("P1"), published.declare()
    published.parts.run()
    service, clock = published.parts.service, published.parts.clock
    service.handle(duplicate.id, Cancel(by="UONCALL", duplicate_of=original.id))
    clock.push(minutes=20)
    assert [shown["name"] for shown in published.open_incidents()] == ["Payments are slow"]
    assert '"major_outage"' in published.files()["summary.json"]
    service.handle(original.id, RESOLVE)
    assert published.open_incidents() == []
    assert "major_outage" not in published.files()["summary.json"]
    assert published.log.publications()[-1].body.count("20 minutes") <= 1
    assert published.parts.now(duplicate).status is Status.CANCELLED
    assert published.parts.now(duplicate).effects == ()


def test_a_duplicate_of_what_is_over_leaves_the_page_at_once(published: Published) -> None:
    """Also of one whose original is a false alarm in the end."""
    first, second = published.declare(), published.declare()
    published.parts.run()
    service = published.parts.service
    service.handle(first.id, RESOLVE)
    service.handle(second.id, Cancel(by="UONCALL", duplicate_of=first.id))
    assert published.open_incidents() == []
    original, duplicate = published.declare(), published.declare()
    published.parts.run()
    service.handle(duplicate.id, Cancel(by="UONCALL", duplicate_of=original.id))
    assert published.open_incidents() != []
    service.handle(original.id, Cancel(by="UONCALL", why="A test"))
    assert published.open_incidents() == []


def test_a_repeated_job_publishes_once(published: Published) -> None:
    """Recognised by the effect, whatever was lost."""
    incident = published.declare()
    published.parts.run()
    [first] = published.log.publications()
    again = published.log.append(incident.id, first.model_copy(update={"body": "Twice"}))
    assert again == first
    assert published.parts.redis.llen(LOG) == 1


def test_an_incident_that_becomes_private_leaves_the_page(published: Published) -> None:
    """Its words are gone from every file and from the log; what is still under way is refused; the chain holds."""
    incident = published.declare(public_wording="okapiwording")
    assert "okapiwording" in published.files()["index.html"]
    late = published.log.publications()[0].model_copy(update={"ours": "late"})
    published.parts.service.handle(incident.id, MarkSecurity(by="UONCALL"))
    files = published.files()
    assert not [path for path, text in files.items() if "okapiwording" in text]
    assert published.log.append(incident.id, late) is None
    assert published.log.broken() == []
    assert "okapiwording" not in str(published.parts.redis.hgetall("tocsin:public:words"))


def test_a_private_incident_and_a_drill_are_never_published(published: Published) -> None:
    """No byte of either, from the beginning to the end."""
    incident = published.declare(security=True, public_wording=MARK)
    published.parts.run()
    published.parts.service.handle(incident.id, RESOLVE)
    files = published.files()
    assert not [path for path, text in files.items() if MARK in text]
    assert published.log.publications() == []


def test_a_disk_that_refuses_leaves_the_page_whole_and_is_said(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old page stays as it was, the fault is listed, and it ends by itself."""
    before = published.files()
    published.declare()
    refuse(monkeypatch)
    published.parts.run()
    assert published.files() == before
    assert [p.key for p in published.parts.store.problems.current()] == [PROBLEM]
    monkeypatch.undo()
    assert published.open_incidents()
    assert published.parts.store.problems.current() == []


def test_a_disk_that_refuses_never_keeps_what_became_private(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather no page than one that shows it."""
    incident = published.declare(public_wording="okapiwording")
    assert "okapiwording" in published.files()["index.html"]
    refuse(monkeypatch)
    published.parts.service.handle(incident.id, MarkSecurity(by="UONCALL"))
    assert not [path for path, text in published.files().items() if "okapiwording" in text]


def refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full: nothing can be written through."""

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)


FULL = """
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from redis import Redis
from escalation.config.status_page import StatusPage
from escalation.storage.problems import Problems
from escalation.storage.public.folder import StatusFolder
from escalation.storage.public.log import PublicLog
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, 3_000))
redis = Redis(port=int(sys.argv[2]))
page = StatusPage(title="Shop status", components=("checkout",))
print(StatusFolder(Path(sys.argv[1]), page, PublicLog(redis), Problems(redis)).renew(datetime.now(UTC)))
"""


def test_a_file_system_that_takes_no_more_leaves_nothing_half_written(tmp_path: Path) -> None:
    """The kernel refuses in the middle of a page: the old files stay, no staged one is left, and the fault is told."""
    with redis_of("valkey") as redis:
        page = StatusPage(title="Shop status", components=("checkout",))
        folder = StatusFolder(tmp_path, page, PublicLog(redis), Problems(redis))
        assert folder.renew(START)
        before = {p: p.read_bytes() for p in tmp_path.rglob("*.*") if p.is_file()}
        port = str(redis.connection_pool.connection_kwargs["port"])
        command = [sys.executable, "-c", FULL, str(tmp_path), port]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
        assert done.stdout == "False\n"
        assert {p: p.read_bytes() for p in tmp_path.rglob("*.*") if p.is_file()} == before
        [problem] = Problems(redis).current()
        assert (problem.key, problem.text) == (PROBLEM, "the status page cannot be written (File too large)")
