"""Interfaces of other paging tools beyond an alert and its end: what their clients ask and change besides."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.test_whole_way import TOKEN, Monitored, monitored

KEY = {"authorization": f"GenieKey {TOKEN}"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Monitored]:
    with monitored(tmp_path) as made:
        yield made


def asked(site: Monitored, method: str, path: str, **headers: str) -> Any:
    return site.bot.web.request(method, path, headers=headers or KEY)


@pytest.mark.parametrize("alias", ["", "checkout/5xx"])
def test_a_client_that_asks_for_its_alert_finds_it_by_its_id(site: Monitored, alias: str) -> None:
    """It polls the status of its request, and then works with the id of the alert that it was told."""
    created = site.post({"message": "Checkout is down", "alias": alias, "priority": "P1"}, "/v2/alerts", **KEY)
    status = asked(site, "GET", f"/v2/alerts/requests/{created.json()['requestId']}").json()
    assert status["requestId"] == created.json()["requestId"]
    data = status["data"]
    assert (data["success"], data["isSuccess"], data["action"]) == (True, True, "Create")
    assert data["alias"] == (alias or data["alertId"])
    site.parts.run()
    assert site.incidents()[0].alerts.firing == 1
    closed = asked(site, "POST", f"/v2/alerts/{data['alertId']}/close")
    ended = asked(site, "GET", f"/v2/alerts/requests/{closed.json()['requestId']}").json()["data"]
    assert (ended["action"], ended["alertId"]) == ("Close", data["alertId"])
    site.parts.run()
    assert site.incidents()[0].alerts.firing == 0


def test_the_status_of_a_request_is_for_who_has_the_key(site: Monitored) -> None:
    """A stranger learns nothing; an unknown request, or one of another source, is not found and may be asked again."""
    created = site.post({"message": "Checkout is down"}, "/v2/alerts", **KEY).json()["requestId"]
    other = site.post({"title": "Elsewhere"}, "/alerts/generic").json()["id"]
    assert asked(site, "GET", f"/v2/alerts/requests/{created}", authorization="GenieKey wrong").status_code == 401
    for unknown in ("00000000-0000-4000-8000-000000000000", "nonsense", other):
        answer = asked(site, "GET", f"/v2/alerts/requests/{unknown}")
        assert answer.status_code == 404
        assert "might not be processed" in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "change"),
    [
        *(("PUT", each) for each in ("message", "description", "priority")),  # Alertmanager's, two of them
        *(("POST", each) for each in ("notes", "tags", "details", "assign", "snooze", "escalate", "unacknowledge")),
        ("DELETE", "tags"),
    ],
)
def test_a_change_of_an_alert_is_accepted_and_changes_nothing(site: Monitored, method: str, change: str) -> None:
    """Refused, it would stop its client before the end is sent; it stands in the list."""
    site.taken({"message": "Checkout is down", "alias": "one"}, "/v2/alerts", **KEY)
    [before] = site.incidents()
    answer = site.bot.web.request(method, f"/v2/alerts/one/{change}", json={"note": "x", "priority": "P1"}, headers=KEY)
    assert (answer.status_code, answer.json()["result"]) == (202, "Request will be processed")
    site.parts.run()
    assert site.incidents() == [before]
    assert site.results()[-1] == f"note: {change} of one"


def test_an_alert_that_is_deleted_has_ended(site: Monitored) -> None:
    """Nobody would send its end any more."""
    site.taken({"message": "Checkout is down", "alias": "one"}, "/v2/alerts", **KEY)
    assert asked(site, "DELETE", "/v2/alerts/one").status_code == 202
    site.parts.run()
    assert site.incidents()[0].alerts.firing == 0


def test_what_is_no_action_of_the_interface_is_refused(site: Monitored) -> None:
    """With its own status for that, and nothing is kept."""
    for method, path in (("POST", "one/explode"), ("PUT", "one"), ("POST", "close"), ("PUT", "message")):
        assert asked(site, method, f"/v2/alerts/{path}").status_code == 422
    assert site.results() == []
