"""Statuspage follows the public log: through its stand-in, with lost replies, refusals and withdrawals."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import fakeredis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation.config.status_page import ComponentState, Maintenance
from escalation.status_page.publications import Impact, Publication
from escalation.status_page.standing import incidents_of, intervals, state_now
from escalation.storage.problems import Problems
from escalation.storage.public.log import PublicLog
from tests.support.profiles import examples
from tests.support.vendors.server import running
from tests.support.vendors.statuspage import KEY, PAGE, StatuspageStandIn
from workers.channels.failures import Failed, Kind
from workers.channels.public.statuspage import StatuspageClient
from workers.recurring.statuspage import OURS_WAIT, Mirror

NOW = datetime(2026, 11, 29, 14, 2, tzinfo=UTC)
INCIDENT = "INC-20261129-001"
DOWN, FINE = ComponentState.MAJOR, ComponentState.OPERATIONAL


class Behind:
    """A log, a mirror and the stand-in."""

    def __init__(self, vendor: StatuspageStandIn) -> None:
        self.vendor = vendor
        self.redis = fakeredis.FakeRedis()
        self.log, self.problems = PublicLog(self.redis), Problems(self.redis)
        self.mirror = Mirror(self.redis, StatuspageClient(KEY, PAGE, vendor.url), self.problems)
        self.now = NOW

    def publish(self, ours: str, status: str = "investigating", *, of: str = INCIDENT, **more: Any) -> None:
        state = FINE if status == "resolved" else DOWN
        said = {"n": 0, "incident": "", "ours": ours, "at": self.now, "knew_at": self.now, "status": status}
        words = {"name": "Payments are slow", "body": f"Words of {ours}", "impact": Impact.CRITICAL}
        self.log.append(of, Publication.model_validate(said | words | {"components": {"checkout": state}} | more))

    def step(self, times: int = 1, seconds: float = 10) -> None:
        for _ in range(times):
            self.now += timedelta(seconds=seconds)
            self.mirror.step(self.now)


@pytest.fixture
def behind() -> Iterator[Behind]:
    with running(StatuspageStandIn()) as vendor:
        yield Behind(vendor)


def test_an_incident_its_updates_and_its_end_go_to_statuspage(behind: Behind) -> None:
    """One incident there, each update once, the component down and healed, and its impact as published."""
    behind.publish("e1")
    behind.publish("e2", "identified")
    behind.step(4)
    [incident] = behind.vendor.incidents
    assert (incident["status"], incident["impact_override"]) == ("identified", "critical")
    assert behind.vendor.components == {"checkout": "major_outage"}
    behind.publish("e3", "resolved")
    behind.step(2)
    assert [u["body"] for u in behind.vendor.incidents[0]["incident_updates"]] == [f"Words of e{n}" for n in (3, 2, 1)]
    assert behind.vendor.components == {"checkout": "operational"}


def test_a_correction_is_an_update_there_in_the_status_of_today(behind: Behind) -> None:
    """It opens nothing again, and says that it is one."""
    behind.publish("e1", entry=4)
    behind.publish("e2", "resolved", entry=9)
    behind.publish("e3", corrects=4, components={})
    behind.step(4)
    [incident] = behind.vendor.incidents
    assert (incident["status"], incident["incident_updates"][0]["body"]) == ("resolved", "Correction: Words of e3")
    assert behind.vendor.components == {"checkout": "operational"}


def test_lost_replies_double_nothing(behind: Behind) -> None:
    """Neither the creation nor an update: the one is found by its metadata, the other compared."""
    for ours, status in (("e1", "investigating"), ("e2", "monitoring")):
        behind.publish(ours, status)
        behind.vendor.lose = 1
        behind.step(4)
    [incident] = behind.vendor.incidents
    assert [u["body"] for u in incident["incident_updates"]] == ["Words of e2", "Words of e1"]


@pytest.mark.parametrize("lose", [0, 1])
def test_what_is_withdrawn_is_deleted_there(behind: Behind, lose: int) -> None:
    """Also when the reply to its creation was lost just before."""
    behind.vendor.lose = lose
    behind.publish("e1")
    behind.step()
    behind.log.withdraw(INCIDENT)
    behind.step(3)
    assert behind.vendor.incidents == []


def test_what_somebody_deleted_there_holds_up_nothing_once_it_is_withdrawn(behind: Behind) -> None:
    """It was withdrawn by hand before: what is published next goes out."""
    behind.publish("e1")
    behind.step()
    behind.vendor.incidents.clear()
    behind.log.withdraw(INCIDENT)
    behind.publish("e2", of="INC-20261129-002")
    behind.step(2)
    assert [incident["name"] for incident in behind.vendor.incidents] == ["Payments are slow"]
    assert not behind.problems.current()


Deed = tuple[int, str, dict[str, ComponentState]]
NAMES = ("checkout", "api")
STATES = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(ComponentState))
DEEDS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["investigating", "resolved", "correction", "withdrawal"]), STATES),
    max_size=10,
)


@settings(max_examples=examples(50))
@given(DEEDS)
def test_components_stand_there_as_on_our_own_page(deeds: list[Deed]) -> None:
    """Whatever several incidents say of them, correct and end, and whichever of them becomes private."""
    with running(StatuspageStandIn(components=dict.fromkeys(NAMES, "operational"))) as vendor:
        behind = Behind(vendor)
        for n, (which, deed, states) in enumerate(deeds):
            incident, said = f"INC-20261129-00{which}", behind.log.of(f"INC-20261129-00{which}")
            if deed == "withdrawal":
                behind.log.withdraw(incident)
            elif deed != "correction":
                healed = dict.fromkeys(states, FINE) if deed == "resolved" else states
                behind.publish(f"e{n}", deed, of=incident, entry=n + 1, components=healed)
            elif said:
                behind.publish(f"e{n}", of=incident, entry=n + 1, corrects=said[0].entry, components=states)
            behind.step(2)
            ours = intervals(incidents_of(behind.log.publications()))
            assert vendor.components == {name: state_now(name, ours, behind.now) for name in NAMES}


def test_maintenance_in_progress_outlasts_the_end_of_an_incident(behind: Behind) -> None:
    """The component is under maintenance again, and not operational."""
    window = Maintenance(title="New disks", starts=NOW, ends=NOW + timedelta(hours=1), components=("checkout",))
    behind.mirror = Mirror(behind.redis, StatuspageClient(KEY, PAGE, behind.vendor.url), behind.problems, [window])
    behind.publish("e1")
    behind.step(3)
    assert behind.vendor.components == {"checkout": "major_outage"}
    behind.publish("e2", "resolved")
    behind.step(2)
    assert behind.vendor.components == {"checkout": "under_maintenance"}


@pytest.mark.parametrize("before", [{}, {"checkout": "operational"}], ids=["made later", "renamed"])
def test_components_that_change_there_are_followed(behind: Behind, before: dict[str, str]) -> None:
    """One that is missing holds up no words; once it is there, under the same name, it is down."""
    behind.vendor.components = dict(before)
    behind.publish("e1")
    behind.step(2)
    behind.vendor.components = {"shop": "operational"}
    behind.publish("e2", "identified")
    behind.step(2)
    [incident] = behind.vendor.incidents
    assert [u["body"] for u in incident["incident_updates"]] == ["Words of e2", "Words of e1"]
    behind.vendor.components = {"checkout": "operational"}
    behind.publish("e3", "monitoring")
    behind.step(2)
    assert behind.vendor.components == {"checkout": "major_outage"}
    assert behind.problems.current() == []


def test_a_correction_keeps_the_name_of_today(behind: Behind) -> None:
    """What is corrected is an older update: its headline is not the incident's any more."""
    behind.publish("e1", entry=4, name="Payments fail")
    behind.publish("e2", "identified", entry=5, name="Only cards fail")
    behind.publish("e3", entry=6, corrects=4, name="Most payments failed", components={})
    behind.step(4)
    assert [incident["name"] for incident in behind.vendor.incidents] == ["Only cards fail"]


@pytest.mark.parametrize(("status", "wait"), [(401, OURS_WAIT), (404, OURS_WAIT), (429, 0), (420, 0), (503, 0)])
def test_a_refusal_is_a_problem_and_nothing_is_lost(behind: Behind, status: int, wait: float) -> None:
    """It is listed while it lasts, and the update goes once it is over."""
    behind.publish("e1")
    behind.vendor.refuse = status
    behind.step()
    assert [p.key for p in behind.problems.current()] == ["statuspage"]
    behind.vendor.refuse = 0
    behind.step(seconds=wait + 10)
    assert len(behind.vendor.incidents) == 1
    assert behind.problems.current() == []


def test_an_update_that_statuspage_finds_invalid_holds_up_no_other(behind: Behind) -> None:
    """It is named for a person to publish; what comes after it still goes."""
    behind.publish("e1")
    behind.step()
    behind.vendor.refuse_writes = True
    behind.publish("e2", "identified")
    behind.step()
    behind.vendor.refuse_writes = False
    behind.publish("e3", "resolved")
    behind.step(2)
    assert [u["body"] for u in behind.vendor.incidents[0]["incident_updates"]] == ["Words of e3", "Words of e1"]
    assert [p.key for p in behind.problems.current()] == ["statuspage:refused"]


@pytest.mark.parametrize("page", ["[]", "[1]", "{}", "null", '"Hello"'])
def test_a_success_that_is_not_statuspages_publishes_nothing(page: str) -> None:
    """A proxy that answers in its place is a fault of ours, which names the address to correct."""
    with running(StatuspageStandIn(impostor=page)) as proxy:
        client = StatuspageClient(KEY, PAGE, proxy.url)
        with pytest.raises(Failed) as failed:
            client.restate("i0", {})
    assert failed.value.kind is Kind.OURS
    assert "correct STATUSPAGE_URL" in failed.value.reason.remedy
