"""Search in Slack and in a terminal."""

from collections.abc import Iterator

import fakeredis
import pytest

from escalation.incident.events import Resolve
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
