"""Search, filters and the public review in a terminal."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from escalation.config.tickets import Vendor
from escalation.incident.events.moves import Acknowledge, Resolve
from escalation.incident.model import Incident
from escalation.reviews.action_items import ActionItem, ItemState, ItemTicket
from escalation.status_page.publications import Impact, Publication, PublicStatus
from escalation.storage.action_items import ActionItems
from escalation.storage.intake import Intake, Outcome
from escalation.storage.public.log import PublicLog
from escalation.storage.reviews import Reviews
from tests.support.company import EXAMPLE, user
from tests.support.worker import Works, redis_of, valkey, works
from tocsin.cli import main
from tocsin.config.settings import Environment


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Works]:
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_CONFIG", str(EXAMPLE))
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{valkey().port}")
    with redis_of("valkey") as redis:
        yield works(redis)


def tocsin(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def ids(*arguments: str) -> list[str]:
    result = tocsin(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return [row["id"] for row in json.loads(result.output)]


def solved(parts: Works, incident: Incident, resolution: str = "Doubled the pool") -> Incident:
    event = Resolve(by=user("dana"), summary="Over", resolution=resolution)
    return parts.service.handle(incident.id, event)


def test_search_finds_incidents_by_their_words(parts: Works) -> None:
    """By title and by what fixed it, the best first, as a table and for scripts; and says when there is nothing."""
    first = solved(parts, parts.declare("P1", title="Payment gateway times out", service="checkout"))
    other = parts.declare("P2", title="Mail relay is slow")
    table = tocsin("search", "gateways").output.splitlines()
    assert table[0].split("\t")[0] == "ID"
    assert [line.split("\t")[0] for line in table[1:]] == [first.id]
    assert ids("search", "pool") == [first.id]
    assert ids("search", "slow", "severity:P2", "open") == [other.id]
    assert ids("search", "service:checkout", "closed") == [first.id]
    assert ids("search", "slow", "severity:P0") == []
    assert tocsin("search", "nonsense").output == "Nothing found. Fewer words find more.\n"


def test_a_private_incident_is_never_found_in_a_terminal(parts: Works) -> None:
    """Not by its words, and not by the service that it is of or who has it."""
    private = parts.declare("P0", title="Stolen certificate", security=True, service="checkout")
    parts.service.handle(private.id, Acknowledge(by=user("dana")))
    assert ids("search", "certificate") == ids("list", "service:checkout") == ids("list", "owner:dana") == []
    assert ids("list", "severity:P0") == [private.id]


def test_lists_in_a_terminal_are_filtered(parts: Works) -> None:
    """By owner, service, severity and day, whatever each list has; `--all` includes what is closed."""
    mine = parts.declare("P1", title="Payment gateway times out", service="checkout")
    parts.service.handle(mine.id, Acknowledge(by=user("dana")))
    other = solved(parts, parts.declare("P2", title="Mail relay is slow"))
    assert ids("list", f"owner:{user('dana')}") == [mine.id]
    assert ids("list", "owner:@omar") == []
    assert ids("list", "severity:P2", "--all") == ids("list", "closed") == [other.id]


def test_action_items_in_a_terminal_are_filtered(parts: Works) -> None:
    """By owner, service, and the day on which they were noted."""
    items, now = ActionItems(parts.redis), parts.store.now()
    incident = parts.declare("P1", service="checkout")
    for owner, service, at in (("dana", "checkout", now), ("omar", "api", now - timedelta(days=40))):
        made = partial(ActionItem, text="Alert on the pool", by="UX", at=at, owner=user(owner), service=service)
        items.add(incident.id, made)
    one, two = f"{incident.id}/1", f"{incident.id}/2"
    assert ids("actions", f"owner:{user('dana')}") == ids("actions", "service:checkout") == [one]
    assert ids("actions", "to:30d") == [two]
    assert tocsin("actions", "service:api", "from:2d").output == "No action item matches.\n"
    items.change(two, lambda item: item.__class__(**{**item.__dict__, "state": ItemState.DONE}))
    assert ids("actions", "service:api") == []
    assert ids("actions", "service:api", "--all") == [two]


def test_action_items_in_a_terminal_name_their_ticket_or_why_there_is_none(parts: Works) -> None:
    """One whose ticket was deleted in the tracker has none."""
    incident, items, at = parts.declare("P2", service="checkout"), ActionItems(parts.redis), datetime.now(UTC)
    ticket = ItemTicket(Vendor.GITHUB, "acme/web#7", "https://github.example/acme/web/issues/7")
    gone = replace(ticket, key="acme/web#8", gone=True)
    for fields in ({"ticket": ticket}, {"trouble": "GitHub refuses our token"}, {"ticket": gone}):
        items.add(incident.id, partial(ActionItem, text="Alert", by="UX", at=at, owner=user("dana"), **fields))
    rows = {row[0]: row[4] for row in (line.split("\t") for line in tocsin("actions").output.splitlines())}
    assert rows.pop("ID") == "TICKET"
    said = ("acme/web#7", "GitHub refuses our token", "")
    assert rows == {f"{incident.id}/{n}": words for n, words in enumerate(said, start=1)}


def test_alerts_in_a_terminal_are_filtered(parts: Works) -> None:
    """By severity, source, day, and the service of the incident that they joined."""
    incident = parts.declare("P1", service="checkout")
    intake, now = Intake(parts.redis, lambda pipe, members: None), parts.store.now()
    for name, source, severity, joined in (("a", "grafana", "P1", incident.id), ("b", "datadog", "P3", "")):
        intake.note(Outcome(now.timestamp(), source, name, "declared", joined, severity))

    def titles(*options: str) -> list[str]:
        return [row["title"] for row in json.loads(tocsin("alerts", *options, "--json").output)]

    assert titles("--severity", "P3") == titles("--source", "datadog") == ["b"]
    assert titles("--service", "checkout") == ["a"]
    assert titles("--to", "1d") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "team:payments"], "there is no filter `team:` here, but `severity:P0`, `service:NAME`"),
        (["search", "team:payments", "slow"], "there is no filter `team:` here, but `severity:P0`, `service:NAME`"),
        (["actions", "severity:P0"], "there is no filter `severity:` here, but `service:NAME`"),
        (["actions", "mine"], "'mine' is no filter; there are `service:NAME`"),
        (["list", "owner:nobody"], "nobody is called 'nobody'"),
        (["alerts", "--source", "graphana"], "did you mean 'grafana'?"),
        (["alerts", "--service", "nowhere"], "there is no service 'nowhere'"),
    ],
)
def test_a_filter_that_a_list_does_not_have_is_refused(parts: Works, arguments: list[str], said: str) -> None:
    """It says which there are, and nothing is listed as if it had not been asked for."""
    result = tocsin(*arguments)
    assert result.exit_code in (1, 2)
    assert said in result.output


def test_the_public_review_is_printed(parts: Works) -> None:
    """Only what was worded for the public; where nothing was, it is refused and says so."""
    incident = solved(parts, parts.declare("P1", title="Vendor X broke", service="checkout"), "Called vendor X")
    refused = tocsin("review", incident.id, "--format", "public")
    assert (refused.exit_code, "Nothing of this incident was worded" in refused.output) == (1, True)
    at = datetime(2024, 12, 18, 15, tzinfo=UTC)
    common = {"n": 0, "incident": "p1", "knew_at": at, "at": at, "name": "Payments fail", "impact": Impact.MAJOR}
    words = (("a", PublicStatus.INVESTIGATING, "Some payments fail."), ("b", PublicStatus.RESOLVED, "It is over."))
    for ours, status, body in words:
        made = Publication(**common, ours=f"{incident.id}/{ours}", status=status, body=body)
        PublicLog(parts.redis).append(incident.id, made)
    Reviews(parts.redis).write(incident.id, {"lessons": "Never vendor X again"}, user("dana"), at)
    printed = tocsin("review", incident.id, "--format", "public")
    assert printed.exit_code == 0, printed.output
    assert printed.output.startswith("# Payments fail\n")
    assert "It is over." in printed.output
    assert "endor X" not in printed.output
    assert incident.id not in printed.output
