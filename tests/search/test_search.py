"""Search in Slack and in a terminal."""

from collections.abc import Iterator

import fakeredis
import pytest

from escalation.incident.events import Resolve
from escalation.incident.model import Incident
from escalation.reviews.action_items import ActionItem
from escalation.storage.action_items import ActionItems
from escalation.storage.search.documents import DOCUMENTS, Search
from sandbox.server import RunningWorkspace
from tests.support.bot import Office, office_in, patient_workspace
from tests.support.company import user
from tests.support.worker import works


@pytest.fixture(scope="module")
def workspace() -> Iterator[RunningWorkspace]:
    with patient_workspace() as opened:
        yield opened


@pytest.fixture
def office(workspace: RunningWorkspace) -> Iterator[Office]:
    with office_in(workspace) as opened:
        yield opened


def test_words_and_filters_find_incidents(office: Office) -> None:
    """`/incident search` finds an incident by its words, narrowed by filters, and says so when there is none."""
    office.declare(severity="P1", title="Payment gateway rejects cards")
    office.declare(severity="P2", title="Mail relay is slow")
    dana = office.person("dana")
    dana.command("search gateways severity:P1 open")
    assert "Mail relay" not in dana.told("Payment gateway rejects cards")
    dana.command("search gateways severity:P0")
    dana.told("Nothing found for `gateways severity:P0`")
    dana.command("search gateways service:nowhere")
    dana.told("there is no service 'nowhere'")
    dana.command("search")
    dana.told("Use `/incident search` and words")


def test_lists_take_the_same_filters(office: Office) -> None:
    """`/incident list` takes the filters of the search, and refuses other words."""
    office.declare(severity="P1", title="Payment gateway rejects cards")
    office.declare(severity="P2", title="Mail relay is slow")
    dana = office.person("dana")
    dana.command("list severity:P2")
    assert "Payment gateway" not in dana.told("Mail relay is slow")
    dana.command("list nonsense")
    dana.told("There is no `/incident list nonsense`")


def test_a_private_incident_is_found_by_its_people_alone(office: Office) -> None:
    """The words of a private incident find it for those who may see it, and nothing for anybody else."""
    office.declare(by="dana", severity="P0", title="Stolen certificate", security=True)
    dana, outsider = office.person("dana"), office.person("omar")
    dana.command("search certificate")
    dana.told("Stolen certificate")
    assert user("omar") not in office.incident().people()
    outsider.command("search certificate")
    assert "INC-" not in outsider.told("Nothing found for `certificate`")


def closed_with(office: Office, title: str, **facts: object) -> Incident:
    incident = office.declare(severity="P1", title=title, **facts)
    resolve = Resolve(by=user("dana"), key=incident.id, summary="Over", resolution="Doubled the pool")
    return office.world.service.handle(incident.id, resolve)


def test_a_declaration_shows_what_is_alike(office: Office) -> None:
    """Who declares is told which open incident may be the same, and of the past what fixed it and is still open."""
    past = closed_with(office, "Payment gateway times out")
    closed_with(office, "Payment gateway times out, attack", security=True)
    items, now = ActionItems(office.world.redis), past.declared_at
    items.add(past.id, lambda i: ActionItem(i, "Alert on the pool", user("dana"), now))
    twin = office.declare(severity="P1", title="Payment gateway timeouts")
    dana = office.person("dana")
    dana.command("declare P1 Payment gateway times out again")
    again = dana.submit(dana.modal("Declare"), title="Payment gateway times out again", severity="P1")
    assert again == {"ok": True}
    told = dana.told("Maybe the same problem")
    new = next(i for i in office.world.store.recent() if i.facts.title.endswith("again"))
    assert f"{new.id} duplicate of {twin.id}" in told
    assert all(words in told for words in (past.id, "Doubled the pool", "Alert on the pool"))
    assert "attack" not in told


def test_the_search_for_an_incident_shows_what_is_alike(office: Office) -> None:
    """`/incident search INC-…` shows the incidents that are like it, or that none is."""
    past = closed_with(office, "Payment gateway times out")
    other, alone = (office.declare(severity="P1", title=t) for t in ("Payment gateway timeout", "Printer jams"))
    dana = office.person("dana")
    dana.command(f"search {other.id}")
    assert past.id in dana.told("Similar incidents of the past")
    dana.command(f"search {alone.id}")
    dana.told("No other incident is like this one")


def test_the_index_follows_every_change() -> None:
    """An incident is found by its resolution as soon as that is recorded, and again after the documents were lost."""
    parts = works(fakeredis.FakeRedis())
    incident = parts.declare("P1")
    search = Search(parts.context.store)
    with search as index:
        assert index.search("pooled") == []
    resolve = Resolve(by=user("dana"), key="resolve", summary="Down", resolution="Connections are pooled")
    parts.context.service.handle(incident.id, resolve)
    with search as index:
        assert [d.id for d in index.search("pooled")] == [incident.id]
    parts.context.redis.delete(DOCUMENTS)
    with Search(parts.context.store) as index:
        assert [d.id for d in index.search("pooled")] == [incident.id]
    assert parts.context.redis.hlen(DOCUMENTS) == 1
