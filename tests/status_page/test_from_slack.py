"""The status page from Slack: the form with its preview, component states, corrections, approval, maintenance."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.moves.maintenance import windows_lines
from bot.render.mrkdwn import plain
from escalation.config.policy import Severity
from escalation.config.rules.communications import Means
from escalation.config.status_page import STATUS_PAGE, Maintenance
from escalation.errors import Refused
from escalation.incident.communications import updates_on_page
from escalation.incident.events.moves import Answer, AnswerCommunication, MarkSecurity, PublishUpdate, Reopen, Resolve
from escalation.incident.events.outcomes import Delivered, Dropped
from escalation.incident.model import Incident
from escalation.incident.state.communications import OwedState
from escalation.status_page.maintenance import PlannedWindow
from escalation.storage.alarms import ready
from escalation.storage.public.folder import StatusFolder
from escalation.storage.public.log import PublicLog
from tests.support.bot import Json, Office, open_office
from tests.support.company import user
from tests.support.waiting import eventually
from workers.delivery.public.status_page import StatusPagePlanner

PAGE = {"title": "Shop status", "components": ["checkout", "api", "platform"]}
WORDS = "Payments with cards fail. PayPal works."
RESOLVE = Resolve(by=user("omar"), summary="It works", resolution="Rolled back")


class Public:
    """A bot at work, what its incidents publish, and the folder."""

    def __init__(self, office: Office, folder: Path) -> None:
        self.office = office
        page = office.world.company.status_page
        assert page
        world = office.world
        self.folder = StatusFolder(folder, page, PublicLog(world.redis), world.store.problems)

    def publish(self) -> None:
        """Carry out what goes to the page, as a worker does."""
        service = self.office.world.service
        planner = StatusPagePlanner(service)
        for incident in service.store.recent():
            while effects := [e for e in ready(service.store.get(incident.id)).values() if e.carried_by == STATUS_PAGE]:
                outcome = planner.plan(service.store.get(incident.id), effects[0], service.clock())
                assert isinstance(outcome, Delivered | Dropped)
                service.handle(incident.id, outcome)

    def summary(self) -> Json:
        self.publish()
        self.folder.renew(self.office.world.clock())
        return dict(json.loads((self.folder.folder / "summary.json").read_text()))

    def html(self) -> str:
        self.summary()
        return (self.folder.folder / "index.html").read_text()

    def states(self) -> dict[str, str]:
        return {c["name"]: c["status"] for c in self.summary()["components"]}

    def updates(self) -> list[Json]:
        return [u for incident in self.summary()["incidents"] for u in incident["updates"]]

    def form(self, incident: Incident, typed: str = "", by: str = "dana") -> Json:
        self.office.person(by).command(f"publish {incident.id} {typed}".strip())
        return self.office.person(by).modal("Publish")

    def send(self, view: Json, by: str = "dana", **values: Any) -> str:
        """Submit the form and then its preview; gives what the preview showed."""
        person = self.office.person(by)
        assert person.submit(view, **values) == {"ok": True}
        shown = eventually(lambda: next((v for v in person.modals()[-1:] if "Preview:" in str(v)), None) or {})
        assert person.submit(shown) == {"ok": True}
        return str(shown["blocks"])


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Public]:
    with open_office(status_page=PAGE) as office:
        yield Public(office, tmp_path / "status")


def declared(public: Public, severity: str = "P0", **facts: Any) -> Incident:
    incident = public.office.declare(severity=severity, service="checkout", **facts)
    public.publish()
    return public.office.incident(incident.id)


def test_an_update_is_seen_before_it_is_published(public: Public) -> None:
    """The first press shows words, status and components as they will stand there; the second publishes just that."""
    incident = declared(public)
    view = public.form(incident)
    person = public.office.person("dana")
    person.submit(view, wording=WORDS, partial_outage=["api"], major_outage=["checkout"])
    shown = eventually(lambda: next((v for v in person.modals()[-1:] if "Preview:" in str(v)), None) or {})
    assert WORDS not in str(public.updates())
    assert shown["submit"]["text"] == "Publish"
    for words in ("Payments with cards fail", "PayPal works", "Investigating", "api: partial outage"):
        assert words in str(shown["blocks"])
    person.submit(shown)
    eventually(lambda: WORDS in str(public.updates()))
    assert public.states() == {"checkout": "major_outage", "api": "partial_outage", "platform": "operational"}


def test_a_changed_form_is_previewed_again(public: Public) -> None:
    """Nothing stands on the page that nobody has read in the preview."""
    incident = declared(public)
    view, person = public.form(incident), public.office.person("dana")
    person.submit(view, wording="First words")
    shown = eventually(lambda: next((v for v in person.modals()[-1:] if "Preview:" in str(v)), None) or {})
    person.submit(shown, wording="Second words")
    again = eventually(
        lambda: next((v for v in person.modals()[-1:] if "Second words" in str(v["blocks"])), None) or {}
    )
    assert "First words" not in str(public.updates()) + str(public.updates())
    person.submit(again)
    eventually(lambda: "Second words" in str(public.updates()))
    assert "First words" not in str(public.updates())


def test_what_was_chosen_holds_until_the_end(public: Public) -> None:
    """What is taken out of the form is operational; states stay with the next update, and all heal at the end."""
    incident, service = declared(public), public.office.world.service
    public.send(public.form(incident), major_outage=[], degraded_performance=["api"])
    eventually(lambda: public.states()["api"] == "degraded_performance")
    assert public.states()["checkout"] == "operational"
    assert public.summary()["incidents"][0]["impact"] == "minor"
    service.handle(incident.id, PublishUpdate(by="U1", wording="Still slow."))
    assert public.states()["api"] == "degraded_performance"
    service.handle(incident.id, RESOLVE)
    assert set(public.states().values()) == {"operational"}
    service.handle(incident.id, Reopen(by="U1"))
    assert public.office.incident(incident.id).public_components == {}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("chekcout=major", "'chekcout' is no component of the status page. Did you mean 'checkout'?"),
        ("billing=ok", "'billing' is no component of the status page. Its components: checkout, api, platform."),
        ("api=broken", "'broken' is no state: use ok, degraded, partial or major."),
    ],
)
def test_a_component_that_does_not_exist_is_refused_by_name(public: Public, typed: str, said: str) -> None:
    """So is a state; the nearest, or all there are, is said."""
    incident = declared(public)
    public.office.person("dana").command(f"publish {incident.id} {typed}")
    public.office.person("dana").told(said)


def test_a_component_that_left_the_configuration_is_refused(public: Public) -> None:
    """By name, whoever sends it; nothing is published."""
    incident = declared(public)
    with pytest.raises(Refused, match="'gone' is no component"):
        public.office.world.service.handle(
            incident.id,
            PublishUpdate(by="U1", wording="x", components={"gone": "major_outage"}),  # as it is stored
        )


def test_typed_words_and_states_stand_in_the_form(public: Public) -> None:
    """`publish api=partial Cards fail.` needs the preview only."""
    incident = declared(public)
    view = public.form(incident, "api=partial, platform=degraded Cards fail.")
    shown = public.send(view)
    assert "Cards fail" in shown
    eventually(lambda: public.states()["api"] == "partial_outage")
    assert public.states()["platform"] == "degraded_performance"


def test_a_component_that_was_typed_as_fine_is(public: Public) -> None:
    """It stands in the form and in the preview, is operational on the page, and the words name what is not."""
    incident = declared(public)
    view = public.form(incident, "checkout=ok api=partial Some calls fail.")
    assert "checkout: operational" in public.send(view)
    eventually(lambda: public.states()["api"] == "partial_outage")
    assert public.states()["checkout"] == "operational"
    assert public.updates()[0]["body"].startswith("We are still working on the problem with api.")
    public.send(public.form(incident, "api=ok"))
    eventually(lambda: set(public.states().values()) == {"operational"})


def test_what_an_update_names_no_more_is_operational(public: Public) -> None:
    """As when the service is corrected: the component of the wrong one does not stay down until the end."""
    incident, service = declared(public), public.office.world.service
    service.store.update(
        incident.id,
        lambda i: i.model_copy(update={"facts": i.facts.model_copy(update={"service": "api"}), "stamp": ""}),
    )
    service.handle(incident.id, PublishUpdate(by="U1", wording="Calls fail."))
    assert public.states() == {"checkout": "operational", "api": "major_outage", "platform": "operational"}


def test_one_component_in_two_states_is_said_at_its_field(public: Public) -> None:
    """The form stays open with what was typed."""
    view = public.form(declared(public))
    answer = public.office.person("dana").submit(view, wording=WORDS, partial_outage=["api"], major_outage=["api"])
    assert answer["errors"] == {"major_outage": "api is named twice: choose one state for it."}


def test_a_correction_stays_visible(public: Public) -> None:
    """It stands in place of the wrong words, says when it came, and what had stood there."""
    incident = declared(public, public_wording="All payments fail.")
    public.office.world.clock.push(minutes=10)
    [told] = updates_on_page(incident)
    view = public.form(incident)
    choice = next(b for b in view["blocks"] if b["block_id"] == "what")["element"]["options"][1]
    assert choice["value"] == str(told.n)
    assert "All payments fail." in choice["text"]["text"]
    shown = public.send(view, what=str(told.n), wording="Only card payments fail.")
    assert "stays visible" in shown
    eventually(lambda: "Only card payments fail." in str(public.updates()))
    [update] = public.updates()
    assert "All payments fail." in update["corrected"][0]["was"]
    html = public.html()
    assert html.index("Only card payments fail.") < html.index("Corrected at") < html.index("All payments fail.")
    feed = (public.folder.folder / "feed.atom").read_text()
    assert "<title>Correction: Only card payments fail</title>" in feed


def test_an_end_can_be_corrected_and_a_correction_opens_nothing(public: Public) -> None:
    """After it is resolved, the words of any update can be mended; the incident stays closed on the page."""
    incident, service = declared(public), public.office.world.service
    service.handle(incident.id, RESOLVE)
    public.publish()
    first, end = updates_on_page(public.office.incident(incident.id))
    for entry in (end, first):
        service.handle(incident.id, PublishUpdate(by="U1", wording="Mended.", corrects=entry.n))
    assert public.summary()["incidents"] == []
    assert set(public.states().values()) == {"operational"}
    with pytest.raises(Refused, match="correct an update, or reopen it"):
        service.handle(incident.id, PublishUpdate(by="U1", wording="New."))
    service.handle(incident.id, Reopen(by="U1"))
    service.handle(incident.id, RESOLVE)
    public.publish()
    assert public.summary()["incidents"] == []


def test_only_what_stands_there_can_be_corrected(public: Public) -> None:
    """Not another entry of the timeline."""
    incident = declared(public)
    with pytest.raises(Refused, match="no such update"):
        public.office.world.service.handle(incident.id, PublishUpdate(by="U1", wording="x", corrects=1))


def test_where_the_policy_wants_approval_the_form_asks_for_it(public: Public) -> None:
    """The preview says so, the draft names the components, and approval publishes it; a correction waits too."""
    service = public.office.world.service
    incident = declared(public, "P2")
    shown = public.send(public.form(incident), wording=WORDS, partial_outage=["api"])
    assert "waits for approval" in shown
    waiting = eventually(lambda: public.office.incident(incident.id).communications)[-1]
    assert (waiting.state, public.updates()) == ("waiting", [])
    public.office.person("omar").command(f"communications {incident.id}")
    shown = str(public.office.person("omar").modal("Communications")["blocks"])
    assert "api: partial outage" in shown
    service.handle(incident.id, AnswerCommunication(by=user("omar"), n=waiting.n, answer=Answer.APPROVED))
    assert WORDS in str(public.updates())
    [told] = updates_on_page(public.office.incident(incident.id))
    after = service.handle(incident.id, PublishUpdate(by="U1", wording="Mended.", corrects=told.n))
    assert after.communications[-1].state == "waiting"
    assert "Mended" not in str(public.updates())


def test_new_words_take_the_place_of_what_waits_and_move_no_deadline(public: Public) -> None:
    """One draft, for all that the former was to go through, due when the former was."""
    incident = declared(public)
    [first] = [o for o in incident.communications if o.plan.id == "status-page"]
    plan = first.plan.model_copy(update={"approval": True, "through": (Means.STATUS_PAGE, Means.SUPPORT_PORTAL)})
    store, clock = public.office.world.store, public.office.world.clock
    due = clock() + timedelta(minutes=15)
    former = first.model_copy(update={"plan": plan, "through": plan.through, "state": OwedState.WAITING, "due": due})
    store.update(incident.id, lambda i: i.model_copy(update={"communications": (former,), "stamp": ""}))
    clock.push(minutes=5)
    after = public.office.world.service.handle(incident.id, PublishUpdate(by="U1", wording=WORDS))
    old, new = after.communications
    assert (old.state, new.state, new.through, new.due) == ("replaced", "waiting", plan.through, due)


@pytest.mark.parametrize("kind", ["private", "drill", "no page"])
def test_what_is_not_for_the_public_is_refused(public: Public, kind: str) -> None:
    """A security incident, a drill; and where there is no page, that is said."""
    service = public.office.world.service
    incident = declared(public)
    if kind == "private":
        service.handle(incident.id, MarkSecurity(by="U1"))
    else:
        changed = {"drill": True} if kind == "drill" else {"public_page": False}
        service.store.update(incident.id, lambda i: i.model_copy(update={**changed, "stamp": ""}))
    with pytest.raises(Refused, match=r"nothing of it is published|no status page"):
        service.handle(incident.id, PublishUpdate(by="U1", wording="x"))


def test_a_policy_without_a_status_page_publishes_what_a_person_sends(public: Public) -> None:
    """And the end follows it there, once."""
    service = public.office.world.service
    incident = declared(public, Severity.P3)
    assert public.updates() == []
    public.send(public.form(incident), wording="Platform is slow.")
    eventually(lambda: "Platform is slow." in str(public.updates()))
    service.handle(incident.id, RESOLVE)
    assert public.summary()["incidents"] == []


# Maintenance -----------------------------------------------------------------------------------------------------


def plan(public: Public, **values: Any) -> Json:
    person = public.office.person("dana")
    person.command("maintenance New disks")
    view = person.modal("Planned maintenance")
    return person.submit(view, **values)


def test_maintenance_is_announced_and_cancelled_visibly(public: Public) -> None:
    """It stands there with its components and words; the answer says how to cancel it, and that is seen as well."""
    assert plan(public, components=["checkout"], words="Payments may be slow.") == {"ok": True}
    public.office.person("dana").told("`/incident maintenance cancel M1`")
    [window] = public.summary()["maintenance"]
    assert (window["name"], window["status"], window["components"]) == ("New disks", "scheduled", ["checkout"])
    assert "Payments may be slow." in public.html()
    public.office.person("omar").command("maintenance list")
    public.office.person("omar").told("New disks")
    public.office.person("omar").command("maintenance cancel m1")
    public.office.person("omar").told("Cancelled, and the status page says so")
    assert [w["status"] for w in public.summary()["maintenance"]] == ["cancelled"]
    public.office.person("omar").command("maintenance cancel M1")
    public.office.person("omar").told("M1 is cancelled already")


def test_maintenance_of_the_configuration_and_from_slack_are_listed_together() -> None:
    """By their starts; what is over or cancelled is not listed, and only what came from Slack is cancelled there."""
    now = datetime(2026, 12, 1, 12, tzinfo=UTC)

    def times(start: int) -> dict[str, Any]:
        return {"starts": now + timedelta(hours=start), "ends": now + timedelta(hours=start + 1)}

    known = [Maintenance(title="New disks", **times(5)), Maintenance(title="Long over", **times(-9))]
    planned = [
        PlannedWindow(id="M1", by="U1", title="New cables", **times(2)),
        PlannedWindow(id="M2", by="U1", title="Called off", cancelled_at=now, **times(3)),
    ]
    cables, disks, cancel = (plain(said) for said in windows_lines([*known, *planned], now))
    assert cables.startswith("M1: New cables from ")
    assert disks.startswith("In the configuration: New disks from ")
    assert "maintenance cancel M1" in cancel
    assert len(windows_lines(known, now)) == 1
    assert plain(windows_lines(known[1:], now)[0]).startswith("No maintenance is planned")


def test_maintenance_runs_by_its_times(public: Public) -> None:
    """In progress and completed by themselves, and gone from the page a day after the end."""
    assert plan(public) == {"ok": True}
    clock, seen = public.office.world.clock, list[str]()
    for hours in (0, 1, 1, 24):
        clock.push(hours=hours)
        seen += [w["status"] for w in public.summary()["maintenance"]] or ["gone"]
    assert seen == ["scheduled", "in_progress", "completed", "gone"]


def test_maintenance_that_ends_before_it_starts_is_said_at_the_field(public: Public) -> None:
    """Neither that nor one that is over is announced."""
    now = int(public.office.world.clock().timestamp())
    assert plan(public, starts=now + 7200, ends=now + 3600)["errors"] == {"ends": "It ends before it starts."}
    assert plan(public, starts=now - 7200, ends=now - 3600)["errors"] == {"ends": "That time is over."}
    assert public.summary()["maintenance"] == []
