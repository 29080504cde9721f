"""The forms: what they show, what they become, and what they say at the field when something is wrong."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import fakeredis
import pytest

from bot.handlers import perform, submissions
from bot.handlers.submissions import ANSWER_TIMEOUT, MAX_SEARCHED, latest_choice
from bot.moves.catalog import FORMS, move_modal
from bot.moves.form import FormContext
from bot.moves.form_state import FormState
from escalation.incident.communications import pending
from escalation.incident.effects import PostCard, SendPage
from escalation.incident.events.moves import Edit, FixApplied, MarkSecurity, Move, RootCause, StartFix, Workaround
from escalation.incident.events.outcomes import Delivered
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Detection, Status
from escalation.incident.state.leads import Lead
from escalation.storage import heartbeats
from sandbox.setup import Setup
from tests.support import http as wire
from tests.support.block_kit_schema import problems
from tests.support.bot import Json, Office, calls, control, open_office, world
from tests.support.company import user
from tests.support.incidents import declared, in_status
from tests.support.story import kars, roster_with
from tests.support.waiting import WITHIN, eventually

SERVER_AWAY = "Nothing was recorded"


def declaring(office: Office, text: str = "declare", by: str = "dana") -> Json:
    office.person(by).command(text)
    return office.person(by).modal("Declare")


def opened(office: Office, typed: str, by: str = "dana", *, fixed: bool = False) -> Json:
    """The form of a move on a new incident."""
    incident = office.declare(impact="Nobody can pay")
    if fixed:
        office.world.service.handle(incident.id, FixApplied(by=user("omar")))
    office.person(by).command(typed)
    return office.person(by).modal()


def block(view: Json, name: str) -> Json:
    return next(b for b in view["blocks"] if b["block_id"] == name)


# Declaring -------------------------------------------------------------------------------------------------------


def test_a_declaration_with_everything(office: Office) -> None:
    """Each field arrives; the answer names the incident, whom it pages and what fires next."""
    view = declaring(office, "declare Checkout is down <b>")
    assert block(view, "title")["element"]["initial_value"] == "Checkout is down <b>"
    view = office.person("dana").more_details(view)
    done = office.person("dana").submit(
        view,
        title="Checkout is down",
        severity="P1",
        impact="Nobody can pay",
        description="Since the *deploy* of <14:00> & later",
        service="checkout",
        flags=["outage", "major_impact"],
        data_loss="yes",
        detection=Detection.HEALTH_CHECK.value,
        public_wording="Payments fail",
    )
    assert done == {"ok": True}
    incident = office.incident()
    told = office.person("dana").told(f"Declared: 🟠 P1 Checkout is down ({incident.id}")
    assert f"Being paged: <@{user('mei')}>" in told
    assert "If not acknowledged by <!date" in told
    facts = incident.facts
    assert (facts.service, facts.detection, facts.public_wording) == (
        "checkout",
        Detection.HEALTH_CHECK,
        "Payments fail",
    )
    assert (facts.data_loss, facts.outage, facts.major_impact, facts.security) == (True, True, True, False)
    assert facts.description == "Since the *deploy* of <14:00> & later"
    assert incident.reporter == user("dana")
    assert not office.person("dana").modals()


@pytest.fixture
def patient_answer() -> Iterator[None]:
    """The answer to a declaration waits for card and room, however long they take."""
    with patch.object(perform, "SETTLING", WITHIN):
        yield


@pytest.mark.parametrize("from_channel", [True, False])
def test_the_answer_to_a_declaration_links_card_and_room(
    office: Office, patient_answer: None, from_channel: bool
) -> None:
    """Once the workers have posted them: whoever declared is one press away from both."""
    dana, redis = office.person("dana"), office.world.redis
    heartbeats.beat(redis, "tocsin:alive:urgent:elsewhere:1", 0.0)
    if from_channel:
        view = declaring(office)
    else:
        dana.shortcut("declare_incident")
        view = dana.modal("Declare")
    submitted = threading.Thread(target=dana.submit, args=(view,), kwargs={"title": "Slow", "severity": "P0"})
    submitted.start()
    incident = eventually(lambda: next(iter(office.world.store.recent()), None))
    card = next(e for e in incident.effects if isinstance(e, PostCard) and e.place == "channel")
    posted = Delivered(effect=card.id, channel=dana.channel("general"), ts="1700000000.000100", face=incident.face)
    office.world.service.handle(incident.id, posted)
    room = office.room(incident, "dana").room
    assert room is not None
    submitted.join()

    def links() -> list[str]:
        """The addresses behind the buttons of the answer."""
        shown = dana.messages() if from_channel else dana.modals()
        buttons = [e for m in shown for b in m.get("blocks", []) for e in b.get("elements", [])]
        return [b["url"] for b in buttons if b.get("action_id") in ("open-card", "open-room")]

    there = f"{office.workspace.url}/archives/"
    assert eventually(links) == [f"{there}{posted.channel}/p1700000000000100", f"{there}{room.channel}"]
    assert room.name == "inc-001-slow"


@pytest.mark.parametrize("private", [False, True])
def test_the_answer_to_a_declaration_says_that_slack_took_nothing(office: Office, private: bool) -> None:
    """While Slack takes no message, whoever declared reads that nothing is delivered yet, of a private incident too."""
    heartbeats.beat(office.world.redis, "tocsin:alive:urgent:elsewhere:1", 0.0)
    flags = {"flags": ["security"]} if private else {}
    office.person("dana").submit(declaring(office), title="Slow", severity="P0", **flags)
    told = office.person("dana").told("Declared")
    assert office.incident().private == private
    assert "Not delivered yet: Slack has not taken its card." in told
    assert "Being paged" in told


def test_without_workers_the_answer_names_what_is_to_come(office: Office) -> None:
    """Nobody waits for what nobody posts."""
    office.person("dana").submit(declaring(office), title="Slow", severity="P0")
    told = office.person("dana").told("Declared")
    assert "Incident: #incidents · War room: #inc-001-slow (being opened)" in told


def test_every_severity_is_explained_before_one_is_chosen(office: Office) -> None:
    """A line for each under the field; a choice shows its own, with examples, times and people."""
    view = declaring(office)
    shown = str(block(view, "definitions"))
    for policy in office.world.service.policy.severities.values():
        assert policy.definition in shown
        assert policy.examples[0].replace(">", "&gt;") not in shown
    assert [b["block_id"] for b in view["blocks"]] == [
        "title",
        "severity",
        "definitions",
        "impact",
        "service",
        "flags",
        "more",
    ]
    dana = office.person("dana")
    dana.pick(view, "severity", "P0")
    chosen = str(eventually(lambda: _definition_of(dana.modal(), "Critical")))
    assert "Acknowledge within 15 minutes" in chosen
    assert f"DevOps lead (<@{user('lena')}>)" in chosen
    assert "Cosmetic issues" not in chosen


def test_more_details_are_shown_when_asked_for(office: Office) -> None:
    """With everything that was typed and chosen before, in whatever order the two come."""
    dana, view = office.person("dana"), declaring(office)
    dana.pick(view, "severity", "P3")
    eventually(lambda: _definition_of(dana.modal(), "Low"))
    full = dana.more_details(dana.modal())
    names = [b["block_id"] for b in full["blocks"]]
    assert names[-5:] == ["flags", "description", "data_loss", "detection", "public_wording"]
    assert _definition_of(full, "Low")
    dana.pick(full, "severity", "P1")
    again = eventually(lambda: dana.modal() if _definition_of(dana.modal(), "High") else None)
    assert [b["block_id"] for b in again["blocks"]] == names
    assert dana.submit(again, title="T", public_wording="We look into it") == {"ok": True}
    assert (office.incident().severity, office.incident().facts.public_wording) == ("P1", "We look into it")


@pytest.mark.parametrize("typed", ["drill P0 10", "declare sev0 Checkout is down"])
def test_a_severity_chosen_by_the_command_says_whom_it_pages(office: Office, typed: str) -> None:
    """Before the form is submitted: the one thing that must not be a surprise."""
    shown = _definition_of(declaring(office, typed), "Critical")
    assert f"Pages at once: on-call engineer (<@{user('mei')}>)" in str(shown)


def test_any_of_many_services_can_be_chosen() -> None:
    """More than a hundred are searched as somebody types, or named in the command; in the form that edits as well."""
    services = {f"service-{n:03}": {"team": "backend"} for n in range(250)}
    with open_office(services=services) as office:
        dana = office.person("dana")
        view = declaring(office)
        assert len(dana.suggestions(view, "service")) == 100
        assert dana.suggestions(view, "service", "249") == ["service-249"]
        assert dana.suggestions(view, "service", "no such service") == []
        assert dana.suggestions(view, "service", "VICE 24")[0] == "service-024"
        dana.submit(view, title="T", severity="P2", service="service-249")
        assert office.incident().facts.service == "service-249"
        view = declaring(office, "declare P1 --service service-248 It is slow")
        assert block(view, "service")["element"]["initial_option"]["value"] == "service-248"
        dana.submit(view)
        second = next(i for i in office.world.store.recent() if i.severity == "P1")
        assert (second.facts.service, second.facts.title) == ("service-248", "It is slow")
        dana.command(f"edit {second.id}")
        form = dana.modal("Edit")
        assert dana.suggestions(form, "service", "200") == ["service-200"]
        dana.submit(form, service="service-200")
        eventually(lambda: office.incident(second.id).facts.service == "service-200")


def test_any_of_many_roles_can_be_paged() -> None:
    """Of more than a hundred roles, each is found as somebody types, and paged."""
    roles = world().company.roles | {f"expert_{n:03}": ("erik",) for n in range(150)}
    with open_office(roles=roles) as office:
        incident = office.declare()
        office.person("dana").command(f"page {incident.id}")
        view = office.person("dana").modal("Page someone")
        assert office.person("dana").suggestions(view, "role", "expert 149") == ["expert_149"]
        office.person("dana").submit(view, role="expert_149", why="The disk is full")
        eventually(lambda: any(page.person == user("erik") for page in office.incident().pages))


def test_any_incident_can_be_named_as_the_original() -> None:
    """Beyond what one list holds, the original of a duplicate is found by its number or the words of its title."""
    with open_office() as office:
        first = office.declare(severity="P3", title="The mail is slow")
        for n in range(MAX_SEARCHED + 1):
            office.declare(severity="P3", title=f"Noise {n}")
        dana, last = office.person("dana"), office.declare(severity="P3", title="Mail again")
        dana.command(f"cancel {last.id}")
        view = dana.modal("Cancel")
        assert dana.suggestions(view, "duplicate_of", "noise 299")[0] == office.world.store.recent(3)[-1].id
        assert dana.suggestions(view, "duplicate_of", first.id[-3:]) == [first.id]
        assert last.id not in dana.suggestions(view, "duplicate_of", last.id[-3:])
        dana.submit(view, duplicate_of=first.id)
        eventually(lambda: office.incident(last.id).timeline[-1].fields.get("duplicate_of") == first.id)


def test_resolving_begins_with_what_is_known(office: Office) -> None:
    """Root cause, fix and impact stand in the form already, to be corrected."""
    incident = office.declare(impact="Nobody can pay")
    office.world.service.handle(incident.id, RootCause(by=user("omar"), cause="The pool was exhausted"))
    office.world.service.handle(incident.id, Workaround(by=user("omar"), text="The old page"))
    office.person("dana").command("resolve")
    view = office.person("dana").modal("Resolve")
    initial = {b["block_id"]: b["element"].get("initial_value") for b in view["blocks"] if b["type"] == "input"}
    assert initial["summary"] == "Checkout is down. Root cause: The pool was exhausted"
    assert (initial["resolution"], initial["final_impact"]) == ("The old page", "Nobody can pay")


def _definition_of(view: Json, name: str) -> Json | None:
    shown = block(view, "definitions")
    return shown if len(shown["elements"]) == 2 and name in str(shown) else None


@pytest.mark.parametrize("slow", [1, 2])
def test_of_two_choices_the_later_is_explained(office: Office, slow: int) -> None:
    """The later severity is explained, however close together they come, and whether one update or both are slow."""
    dana, view = office.person("dana"), declaring(office)
    control(office.workspace, "faults", method="views.update", kind="slow", seconds=0.5, times=slow)
    dana.pick(view, "severity", "P0")
    dana.pick(view, "severity", "P3")

    def all_came() -> bool:
        """The slow ones too."""
        waiting = wire.web.get(f"{office.workspace.url}/control/faults").json()["faults"]
        return not waiting and all(call["status"] for call in calls(office.workspace, "views.update"))

    eventually(lambda: all_came() and _definition_of(dana.modal(), "Low"))


def test_the_latest_choice_counts_in_whatever_order_they_are_handled() -> None:
    """By the time of the click; a choice made again is the latest again."""
    redis = fakeredis.FakeRedis()
    chosen = [("P3", 2.0), ("P0", 1.0), ("P3", 2.0), ("P0", 3.0), ("", 4.0)]
    assert [latest_choice(redis, "V1", *each) for each in chosen] == ["P3", "P3", "P3", "P0", ""]
    assert latest_choice(redis, "V2", "P1", 1.0) == "P1"
    assert redis.ttl("tocsin:choices:V1") > 0


def test_words_stay_when_a_severity_is_chosen(office: Office) -> None:
    """The form is rewritten under the person's hands, with the same ids."""
    dana, view = office.person("dana"), declaring(office)
    dana.pick(view, "severity", "P3")
    eventually(lambda: _definition_of(dana.modal(), "Low"))
    again = dana.modal()
    assert [b["block_id"] for b in again["blocks"]] == [b["block_id"] for b in view["blocks"]]
    assert again["private_metadata"] == view["private_metadata"]
    assert dana.submit(again, title="Typo") == {"ok": True}
    assert office.incident().severity == "P3"


def test_without_services_a_service_is_typed() -> None:
    """A company that lists none still can name what is broken."""
    with open_office(services={}) as office:
        view = declaring(office)
        assert block(view, "service")["element"]["type"] == "plain_text_input"
        office.person("dana").submit(view, title="T", severity="P2", service="the coffee machine")
        assert office.incident().facts.service == "the coffee machine"


def test_none_of_the_services_is_a_choice(office: Office) -> None:
    """Then the incident names no service."""
    office.person("dana").submit(declaring(office), title="T", severity="P2", service="-")
    assert office.incident().facts.service == ""


@pytest.mark.parametrize(
    ("filled", "field", "words"),
    [
        ({"title": "   ", "severity": "P1"}, "title", "fill this in"),
        ({"title": "x" * 201, "severity": "P1"}, "title", "This has 201 characters; the limit is 200."),
        ({"title": "x" * 3000, "severity": "P1"}, "title", "This has 3,000 characters; the limit is 200."),
        ({"title": "T"}, "severity", ""),
        ({"title": "T", "severity": "P9"}, "severity", ""),
    ],
)
def test_what_is_wrong_is_said_at_its_field(office: Office, filled: Json, field: str, words: str) -> None:
    """The form stays open with its words, and takes the corrected ones."""
    dana, view = office.person("dana"), declaring(office)
    answer = dana.submit(view, **filled)
    assert words in answer["errors"][field]
    assert not office.world.store.recent()
    assert dana.submit(view, title="T", severity="P1") == {"ok": True}
    assert office.incident().facts.title == "T"


def test_a_title_of_5000_characters_says_how_long_it_is(office: Office) -> None:
    """Its words are kept in the description, where there is room for them."""
    view = declaring(office, "declare " + "x" * 5000)
    assert "5,000 characters; the limit is 200" in str(block(view, "warning"))
    assert block(view, "description")["element"]["initial_value"].startswith("xxx")
    assert "initial_value" not in block(view, "title")["element"]


def test_a_form_submitted_twice_declares_one_incident(office: Office) -> None:
    """A double click, and Slack's envelope once more."""
    dana, view = office.person("dana"), declaring(office)
    dana.submit(view, title="T", severity="P1")
    control(office.workspace, "redeliver", n=1)
    dana.command("list")
    dana.told("Open incidents (1)")
    assert len(office.world.store.recent()) == 1


def test_two_forms_declare_two_incidents(office: Office) -> None:
    """The same words in another form are another incident."""
    for _ in range(2):
        office.person("dana").submit(declaring(office), title="T", severity="P1")
    assert len({i.id for i in office.world.store.recent()}) == 2


def test_while_redis_is_away_the_words_are_kept() -> None:
    """The form says that nothing was recorded; once Redis is back, the same submit goes through."""
    server = fakeredis.FakeServer()
    with open_office(redis=fakeredis.FakeRedis(server=server)) as office:
        dana, view = office.person("dana"), declaring(office)
        server.connected = False
        answer = dana.submit(view, title="T", severity="P1")
        assert SERVER_AWAY in answer["errors"]["title"]
        assert "Try again" in answer["errors"]["title"]
        server.connected = True
        assert dana.submit(view, title="T", severity="P1") == {"ok": True}
        assert office.incident().facts.title == "T"


# Drills ----------------------------------------------------------------------------------------------------------


def test_a_drill_is_declared_by_its_own_command(office: Office) -> None:
    """The form says what it is; severity and speed are as they were typed."""
    view = declaring(office, "drill p1 60 Checkout is down")
    assert view["title"]["text"] == "Declare a drill"
    assert "Clocks run 60x faster" in str(block(view, "drill"))
    assert block(view, "severity")["element"]["initial_option"]["value"] == "P1"
    assert office.person("dana").submit(view) == {"ok": True}
    incident = office.incident()
    assert (incident.drill, incident.speed, incident.severity) == (True, 60.0, "P1")
    assert incident.facts.title == "Checkout is down"
    office.person("dana").told("Declared: 🧪 DRILL")


def test_what_is_declared_otherwise_is_no_drill(office: Office) -> None:
    """Nobody ticks a box by mistake."""
    view = declaring(office)
    assert "drill" not in str(view).lower()
    office.person("dana").submit(view, title="T", severity="P3")
    assert (office.incident().drill, office.incident().speed) == (False, 1.0)


# Correcting ------------------------------------------------------------------------------------------------------


def test_only_what_was_changed_is_corrected(office: Office) -> None:
    """What somebody else corrected while the form was open stays."""
    view = opened(office, "edit")
    assert block(view, "title")["element"]["initial_value"] == "Checkout is down"
    office.world.service.handle(office.incident().id, Edit(by=user("omar"), impact="Some cannot pay", outage=True))
    filled = {"title": "Payments  fail", "service": "checkout", "detection": "user report"}
    done = office.person("dana").submit(view, **filled, major_impact="yes", public_wording="Payments fail")
    assert done == {"ok": True}
    facts = office.incident().facts
    assert (facts.title, facts.impact, facts.public_wording) == ("Payments fail", "Some cannot pay", "Payments fail")
    assert (facts.outage, facts.major_impact, facts.data_loss) == (True, True, None)
    assert (facts.service, facts.detection, office.incident().team) == ("checkout", "user report", "backend")


@pytest.mark.parametrize(("chosen", "fact"), [("no", False), ("unknown", None)])
def test_a_field_can_be_emptied_and_an_answer_taken_back(office: Office, chosen: str, fact: bool | None) -> None:
    """That is a correction, too: to no, or to not known."""
    office.declare(impact="Nobody can pay", service="api", data_loss=True)
    office.person("dana").command("edit")
    view = office.person("dana").modal()
    assert office.person("dana").submit(view, impact="", service="-", data_loss=chosen) == {"ok": True}
    facts = office.incident().facts
    assert (facts.impact, facts.service, facts.data_loss) == ("", "", fact)


def test_nothing_changed_is_said(office: Office) -> None:
    """The form stays open."""
    view = opened(office, "edit")
    assert "nothing changed" in office.person("dana").submit(view)["errors"]["title"]


def test_nothing_of_a_private_incident_is_worded_for_the_public(office: Office) -> None:
    """The field is not there."""
    incident = office.declare()
    office.world.service.handle(incident.id, MarkSecurity(by=user("dana")))
    for command, title in ((f"edit {incident.id}", "Edit"), (f"update {incident.id}", "Post update")):
        office.person("dana").command(command)
        assert "public_wording" not in {b["block_id"] for b in office.person("dana").modal(title)["blocks"]}


@pytest.mark.parametrize("people", [(), ("omar",)])
def test_a_role_is_taken_or_offered(office: Office, people: tuple[str, ...]) -> None:
    """Without a name one takes it oneself."""
    view = opened(office, "lead")
    filled = {"lead": "communications"} | ({"to": [user(p) for p in people]} if people else {})
    assert office.person("dana").submit(view, **filled) == {"ok": True}
    incident = office.incident()
    assert (incident.offers if people else incident.leads) == {Lead.COMMUNICATIONS: user(*(people or ("dana",)))}


@pytest.mark.parametrize("move", list(FORMS))
@pytest.mark.parametrize("severity", ["P0", "P2"])
def test_every_form_is_one_that_slack_takes(move: Move, severity: str) -> None:
    """Empty incidents and full ones, by Slack's schema."""
    services = ("checkout", "api")
    for incident in (in_status(Status.MONITORING, severity=severity), declared(severity, service="odd", outage=True)):
        for known in ((), services):
            context = FormContext(
                incident, kars(), {"on_call": "on-call engineer"}, roster_with(), (declared(),), known, "typed"
            )
            if move is not Move.RUN and (move is not Move.COMMUNICATE or pending(incident)):
                assert not problems(move_modal(move, context, FormState()), "modal_view")


# Moves -----------------------------------------------------------------------------------------------------------


def test_an_update_moves_the_incident_along(office: Office) -> None:
    """Status, progress, next steps, ETA, impact and the next promise; the policy's cadence unless told."""
    view = opened(office, "update")
    assert block(view, "impact")["element"]["initial_value"] == "Nobody can pay"
    statuses = [o["value"] for o in block(view, "status")["element"]["options"]]
    assert statuses == ["investigating", "identified", "fixing", "monitoring"]
    filled = {
        "status": "fixing",
        "progress": "Rolling back",
        "next_steps": "Watch",
        "eta": "16:00",
        "impact": "Some",
        "next_in": "15m",
        "public_wording": "Payments fail",
    }
    assert office.person("dana").submit(view, **filled) == {"ok": True}
    incident = office.incident()
    told = incident.latest(EntryKind.UPDATE)
    assert told
    assert (incident.status, incident.eta, incident.facts.impact) == (Status.FIXING, "16:00", "Some")
    assert incident.facts.public_wording == "Payments fail"
    assert (told.text, told.fields["next_steps"], told.fields["promised"]) == ("Rolling back", "Watch", "15m")
    due = next(c.due for c in incident.checkpoints if c.kind == "update")
    assert due == office.world.clock() + timedelta(minutes=15)
    office.person("dana").told("INCIDENT UPDATE")


def test_an_update_makes_no_move_that_its_author_may_not() -> None:
    """Stating another status is that move: who may do it is asked as for its button."""
    with open_office(permissions={"start_fix": ["devops_lead"]}) as office:
        view = opened(office, "update")
        refused = office.person("dana").submit(view, status="fixing", progress="Rolling back")["errors"]["status"]
        assert "Only the devops lead may do that" in refused
        assert office.incident().status is Status.INVESTIGATING
        assert office.person("dana").submit(view, status="investigating", progress="Looking") == {"ok": True}


def test_a_status_left_as_it_was_says_nothing(office: Office) -> None:
    """Somebody started the fix meanwhile: the update does not turn that into a fix that failed."""
    view = opened(office, "update")
    office.world.service.handle(office.incident().id, StartFix(by=user("omar")))
    assert office.person("dana").submit(view, progress="Looking") == {"ok": True}
    assert office.incident().status is Status.FIXING


def test_resolving_fills_the_notice(office: Office) -> None:
    """Each field of the form is one of the resolution notice."""
    view = opened(office, "resolve")
    assert block(view, "final_impact")["element"]["initial_value"] == "Nobody can pay"
    filled = {
        "summary": "A disk",
        "resolution": "Another disk",
        "verification": "Paid",
        "next_steps": "Alert",
        "data_loss": "yes",
    }
    assert office.person("dana").submit(view, **filled) == {"ok": True}
    notice = office.incident().resolution
    assert notice
    assert (notice.summary, notice.resolution, notice.verification) == ("A disk", "Another disk", "Paid")
    assert (notice.final_impact, notice.next_steps, notice.data_loss) == ("Nobody can pay", "Alert", True)


def test_data_loss_that_nobody_spoke_of_stays_unknown(office: Office) -> None:
    """Resolved without touching that field, the record does not say that there was none."""
    view = opened(office, "resolve")
    assert office.person("dana").submit(view, summary="A disk", resolution="Another disk") == {"ok": True}
    notice = office.incident().resolution
    assert notice
    assert notice.data_loss is None


@pytest.mark.parametrize(
    ("typed", "filled", "kind", "words"),
    [
        ("root-cause", {"cause": "A full disk"}, EntryKind.ROOT_CAUSE, "A full disk"),
        ("fix-failed", {"text": "500s again"}, EntryKind.FIX_FAILED, "500s again"),
        ("fix-failed", {}, EntryKind.FIX_FAILED, ""),
        ("severity", {"severity": "P2", "why": "Few users"}, EntryKind.SEVERITY, "Few users"),
        ("severity p3", {"why": "A typo"}, EntryKind.SEVERITY, "A typo"),
        ("page", {"people": [user("erik")], "why": "You know it"}, EntryKind.PAGED, "paged directly: You know it"),
        ("page", {"role": "executives"}, EntryKind.PAGED, "paged directly"),
        ("security", {"why": "A leak"}, EntryKind.SECURITY, "A leak"),
        ("workaround", {"text": "The old page"}, EntryKind.WORKAROUND, "The old page"),
        ("cancel", {"why": "A test"}, EntryKind.CANCELLED, "A test"),
    ],
)
def test_each_form_makes_its_move(office: Office, typed: str, filled: Json, kind: EntryKind, words: str) -> None:
    """The words go to the timeline, with who said them."""
    view = opened(office, typed, fixed=True)
    assert office.person("dana").submit(view, **filled) == {"ok": True}
    entry = office.incident().latest(kind)
    assert entry
    assert (entry.by, entry.text or entry.why) == (user("dana"), words)


def test_a_duplicate_is_chosen_from_what_one_may_see(office: Office) -> None:
    """A private incident is not offered to somebody outside."""
    hidden = office.declare(title="Leak", by="sofia")
    office.world.service.handle(hidden.id, MarkSecurity(by=user("sofia")))
    first, second = office.declare(title="First"), office.declare(title="Second")
    office.person("dana").command(f"cancel {second.id}")
    view = office.person("dana").modal("Cancel")
    offered = {o["value"] for o in block(view, "duplicate_of")["element"]["options"]}
    assert offered == {"false-alarm", first.id}
    assert office.person("dana").submit(view, duplicate_of=first.id) == {"ok": True}
    told = office.incident(second.id).latest(EntryKind.CANCELLED)
    assert told
    assert told.fields["duplicate_of"] == first.id


@pytest.mark.parametrize(
    ("typed", "filled", "field", "words"),
    [
        ("page", {}, "people", "Choose a person"),
        ("root-cause", {"cause": "  "}, "cause", ""),
        ("severity", {"severity": "P1", "why": " "}, "why", ""),
        ("resolve", {"summary": " ", "resolution": "r"}, "summary", ""),
        ("workaround", {"text": " "}, "text", ""),
        ("lead", {}, "lead", ""),
        ("edit", {"title": " "}, "title", "fill this in"),
        ("update", {"progress": " "}, "progress", ""),
    ],
)
def test_what_is_missing_is_said_at_its_field(office: Office, typed: str, filled: Json, field: str, words: str) -> None:
    """The form stays open and says what it still needs."""
    view = opened(office, typed)
    errors = office.person("dana").submit(view, **filled)["errors"]
    assert words in errors[field]


def test_a_role_that_nobody_holds_cannot_be_paged() -> None:
    """The form says how many hold a role, and says so again when somebody chooses an empty one."""
    with open_office(roles={"on_call": "dana"}) as office:
        view = opened(office, "page")
        (empty,) = [o for o in block(view, "role")["element"]["options"] if o["value"] == "executives"]
        assert empty["description"]["text"] == "nobody on call"
        assert office.person("dana").submit(view, role="executives")["errors"] == {
            "people": "Nobody holds the role CTO and executives now."
        }


def test_a_move_that_is_not_legal_any_more_is_told_in_the_form(office: Office) -> None:
    """Somebody cancelled it while the form was open: the reason stands at the first field, the words stay."""
    view = opened(office, "update")
    office.person("omar").command("cancel false alarm")
    office.person("omar").told("Cancelled")
    errors = office.person("dana").submit(view, progress="Looking")["errors"]
    assert errors == {"status": "This incident is cancelled. Reopen it first."}
    assert office.person("dana").modals()


def test_a_form_for_a_move_that_is_not_legal_does_not_open(office: Office) -> None:
    """The reason is told at once, before anybody types."""
    office.declare()
    office.person("dana").command("fix-failed")
    office.person("dana").told("No fix has been started yet")
    assert not office.person("dana").modals()


def test_a_doubled_submit_of_a_move_counts_once(office: Office) -> None:
    """The key travels in the form."""
    view = opened(office, "update")
    office.person("dana").submit(view, progress="Looking")
    office.person("dana").told("INCIDENT UPDATE")
    control(office.workspace, "redeliver", n=1)
    office.person("omar").command("ack")
    office.person("omar").told("cknowledged")
    assert len([e for e in office.incident().timeline if e.kind is EntryKind.UPDATE]) == 1


def test_paging_by_form_pages_each_person_once(office: Office) -> None:
    """People and a role at once; whoever is in both gets one page."""
    view = opened(office, "page")
    office.person("dana").submit(view, people=[user("carla"), user("victor")], role="executives")
    pages = [p for p in office.incident().pages if p.person in (user("carla"), user("victor"))]
    assert [p.person for p in pages] == [user("carla"), user("victor")]
    assert (
        len([e for e in office.incident().effects if isinstance(e, SendPage) and e.page in {p.n for p in pages}]) == 2
    )


def test_while_redis_is_away_a_move_is_not_lost() -> None:
    """The form keeps its words, and the same submit goes through later."""
    server = fakeredis.FakeServer()
    with open_office(redis=fakeredis.FakeRedis(server=server)) as office:
        view = opened(office, "update")
        server.connected = False
        assert SERVER_AWAY in office.person("dana").submit(view, progress="Looking")["errors"]["status"]
        office.person("omar").command("ack")
        office.person("omar").told(SERVER_AWAY)
        server.connected = True
        assert office.person("dana").submit(view, progress="Looking") == {"ok": True}


def test_a_slow_service_is_answered_in_time(office: Office) -> None:
    """Slack waits three seconds; the form is told before that, and the doubled submit counts once."""
    assert Setup().ack_seconds - ANSWER_TIMEOUT > 0.5
    view = opened(office, "update")
    slow = SlowService(office.bot.bot.access.deps.service.handle)
    object.__setattr__(office.bot.bot.access.deps.service, "handle", slow)
    with patch.object(submissions, "ANSWER_TIMEOUT", 0.5):
        told = office.person("dana").submit(view, progress="Looking")["errors"]["status"]
    assert "may or may not have been saved" in told
    slow.go()
    eventually(lambda: office.incident().latest(EntryKind.UPDATE))
    assert office.person("dana").submit(view, progress="Looking") == {"ok": True}
    assert len([e for e in office.incident().timeline if e.kind is EntryKind.UPDATE]) == 1


class SlowService:
    """A service that does not answer until it is released."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._gate = threading.Event()

    def go(self) -> None:
        self._gate.set()

    def __call__(self, *args: Any) -> Any:
        self._gate.wait(WITHIN)
        return self._handle(*args)


def test_the_form_is_opened_with_one_call(office: Office) -> None:
    """A trigger lasts three seconds: between the command and the form Slack is asked only who it is."""
    office.declare()
    office.person("dana").command("update")
    office.person("dana").modal("Post update")
    asked = [c["method"] for c in calls(office.workspace)]
    assert asked.count("views.open") == 1
    assert set(asked) <= {"auth.test", "apps.connections.open", "users.info", "views.open"}


def test_acknowledged_by_whoever_submits(office: Office) -> None:
    """Finding the cause acknowledges what nobody acknowledged, in the name of the one who found it."""
    view = opened(office, "root-cause", by="omar")
    office.person("omar").submit(view, cause="A disk")
    acknowledged = office.incident().acknowledgement
    assert acknowledged
    assert acknowledged.by == user("omar")
