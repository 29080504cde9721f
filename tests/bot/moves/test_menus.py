"""Menus that are filled from the configuration or from an incident: whatever their number, each entry can be chosen."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.moves.catalog import FORMS, more_modal, move_modal
from bot.moves.declare import declare_modal
from bot.moves.form import FormContext
from bot.moves.form_state import FormState
from bot.moves.maintenance import maintenance_modal
from bot.render.inputs import MAX_OPTIONS, SEARCH
from bot.render.oncall import ShiftValue, handover, take_buttons
from escalation.config.status_page import STATUS_PAGE
from escalation.incident.communications import pending, updates_on_page
from escalation.incident.events.moves import Move, PublishUpdate
from escalation.incident.events.outcomes import Delivered
from escalation.incident.model import Incident
from escalation.storage.alarms import ready
from escalation.text import line
from tests.support.block_kit_schema import problems
from tests.support.bot import Json, Office, open_office, parts_of, world
from tests.support.company import user
from tests.support.incidents import BY_HAND, declared
from tests.support.story import kars, roster_with

MANY = 120
SERVICES = tuple(f"service-{n:03}" for n in range(MANY))
CONFIGURED: dict[str, Any] = {
    "services": {name: {"team": "backend"} for name in SERVICES},
    "roles": world().company.roles | {f"expert_{n:03}": ("erik",) for n in range(MANY)},
    "actions": tuple(BY_HAND.model_copy(update={"name": f"restart-{n:03}"}) for n in range(MANY)),
    "status_page": {"title": "Shop", "components": SERVICES},
}
# The selects that may have more entries than a menu.
SEARCHED = (
    *("service", "role", "action", "duplicate_of", "what"),
    *("degraded_performance", "partial_outage", "major_outage", "components"),
)


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    with open_office(**CONFIGURED) as opened:
        yield opened


@pytest.fixture(scope="module")
def full(office: Office) -> Incident:
    """An incident with as many updates on the status page."""
    service, incident = office.world.service, office.declare(severity="P0", title="Everything")
    for n in range(MANY):
        service.handle(incident.id, PublishUpdate(by=user("dana"), wording=f"Update {n:03}."))
        for effect in ready(service.store.get(incident.id)).values():
            if effect.carried_by == STATUS_PAGE:
                service.handle(incident.id, Delivered(effect=effect.id))
    found = service.store.get(incident.id)
    assert len(updates_on_page(found)) >= MANY
    return found


def elements(view: Json) -> dict[str, Json]:
    return {b["block_id"]: b["element"] for b in view["blocks"] if b["type"] == "input"}


@pytest.mark.parametrize("move", list(FORMS))
def test_no_form_has_more_entries_than_a_menu_takes(move: Move, office: Office, full: Incident) -> None:
    """Slack refuses a form with a longer menu; a select with more entries is searched, and each of those is known."""
    page, roles = office.world.company.status_page, {f"expert_{n:03}": "expert" for n in range(MANY)}
    others = tuple(declared("P3").model_copy(update={"id": f"INC-20241218-{n:03}"}) for n in range(1, MANY))
    context = FormContext(full, kars(), roles, roster_with(), others, SERVICES, page=page)
    if move is not Move.COMMUNICATE or pending(full):
        within_limits(move_modal(move, context, FormState()))


def test_no_other_form_has_more_entries_than_a_menu_takes(office: Office) -> None:
    """Those that declare and that plan maintenance."""
    deps = parts_of(office.workspace, office.world.service)
    within_limits(declare_modal(deps, FormState()))
    page = office.world.company.status_page
    assert page
    within_limits(maintenance_modal(page, "New disks", office.world.clock(), FormState()))


def within_limits(view: Json) -> None:
    assert not problems(view, "modal_view")
    for name, element in elements(view).items():
        assert len(element.get("options", ())) <= MAX_OPTIONS
        if element["action_id"] == SEARCH:
            assert name in SEARCHED


@pytest.mark.parametrize(
    ("typed", "title", "field", "entry", "value"),
    [
        ("declare", "Declare", "service", "service-{n}", "service-{n}"),
        ("edit {id}", "Edit", "service", "service-{n}", "service-{n}"),
        ("page {id}", "Page", "role", "expert {n}", "expert_{n}"),
        ("run {id}", "Run", "action", "restart-{n}", "restart-{n}:0"),
        ("publish {id}", "Publish", "what", "Update {n}", ""),
        ("publish {id}", "Publish", "degraded_performance", "service-{n}", "service-{n}"),
        ("publish {id}", "Publish", "partial_outage", "service-{n}", "service-{n}"),
        ("publish {id}", "Publish", "major_outage", "service-{n}", "service-{n}"),
        ("maintenance", "Planned", "components", "service-{n}", "service-{n}"),
    ],
)
def test_every_entry_of_a_long_menu_is_found(
    office: Office, full: Incident, typed: str, title: str, field: str, entry: str, value: str
) -> None:
    """By typing a part of its name, the first and the last alike; nothing is cut off unsaid."""
    dana = office.person("dana")
    dana.command(typed.format(id=full.id))
    view = dana.modal(title)
    assert elements(view)[field]["action_id"] == SEARCH
    for n in ("000", "100", f"{MANY - 1:03}"):
        offered = dana.suggestions(view, field, entry.format(n=n))
        assert offered
        assert not value or offered == [value.format(n=n)]
    assert len(dana.suggestions(view, field)) == MAX_OPTIONS
    dana.close(view)


def test_many_actions_are_chosen_in_a_form(full: Incident) -> None:
    """The list behind More has a row for each of a few, and one row that opens the form for many."""
    view = more_modal(full, user("dana"), ())
    assert not problems(view, "modal_view")
    assert [b["block_id"] for b in view["blocks"] if b.get("block_id", "").startswith("more-run")] == ["more-run"]
    few = declared(actions=(BY_HAND,))
    assert "more-run-failover" in [b.get("block_id") for b in more_modal(few, user("dana"), ())["blocks"]]


def test_whatever_the_number_of_rotations_each_shift_has_its_button() -> None:
    """In rows of as many as Slack takes."""
    shifts = [ShiftValue(f"rotation-{n}", datetime(2026, 1, 1, tzinfo=UTC)) for n in range(MANY)]
    rows = take_buttons(shifts)
    assert not [problem for row in rows for problem in problems(row)]
    assert len({e["value"] for row in rows for e in row["elements"]}) == MANY
    assert len({row["block_id"] for row in rows}) == len(rows)


def test_a_checklist_is_whole_however_long() -> None:
    """Twenty points have a box; the others, and what a box does not show to its end, stand below."""
    points = [f"Point {n}" for n in range(30)] + ["Short", "word " * 20 + "the end"]
    blocks = handover((line("Handover"),), points, "primary:1").blocks
    assert len(blocks) <= 50
    assert len([b for b in blocks if str(b["block_id"]).startswith("oncall_tick")]) == 20
    whole = str([b for b in blocks if str(b["block_id"]).startswith("checklist-rest")])
    assert all(point.strip() in whole for point in points[20:])
    assert "checklist-rest" not in str(handover((line("Handover"),), points[:5], "primary:1").blocks)
