"""`tocsin doctor` and the services that reach people: each fault has its remedy, and nothing is sent to anybody."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from escalation.config.company import Company
from tests.support.company import example, user
from tests.support.vendors import push, statuspage, twilio
from tests.support.vendors.push import NtfyStandIn, PushoverStandIn
from tests.support.vendors.server import running
from tests.support.vendors.statuspage import StatuspageStandIn
from tests.support.vendors.twilio import TwilioStandIn
from tocsin.config.settings import Settings, read
from tocsin.doctor.finding import Finding
from tocsin.doctor.people_checks import people_findings

PUBLIC = "https://tocsin.example.com"
EXAMPLE = example()
BARE: dict[str, Any] = {"smtp_url": None, "public_url": PUBLIC}


def found(company: Company = EXAMPLE, **settings: Any) -> dict[str, Finding]:
    """The findings, by their words' beginning."""
    checked: Settings = replace(read()[0], **(BARE | settings))
    return {finding.what: finding for finding in people_findings(checked, company)}


def account(vendor: TwilioStandIn, **changed: Any) -> dict[str, Any]:
    known = {"twilio_sid": twilio.SID, "twilio_token": SecretStr(twilio.TOKEN), "twilio_from": twilio.NUMBER}
    return known | {"twilio_url": vendor.url} | changed


def test_what_is_not_set_up_is_not_checked() -> None:
    """Without any of the services there is nothing to say, and no address of ours is asked for."""
    assert found(public_url="") == {}


@pytest.mark.parametrize(
    ("change", "state", "words", "remedy"),
    [
        ({}, "ok", "takes our login", ""),
        ({"twilio_token": SecretStr("wrong")}, "failed", "refuses our login", "TWILIO_AUTH_TOKEN"),
        ({"twilio_from": "+15005550001"}, "failed", "not a number of the account", "console.twilio.com"),
        ({"twilio_from": "", "twilio_service": "MG1"}, "warning", "nobody can be called", "number"),
        ({"public_url": ""}, "warning", "TOCSIN_URL is not set", "TOCSIN_LISTEN"),
        ({"public_url": "http://127.0.0.1:3000"}, "warning", "no other machine can reach", "Twilio can reach"),
        ({"public_url": "http://tocsin.example.com"}, "warning", "TOCSIN_URL is http", "use https"),
        ({}, "warning", "does not come to us", f"{PUBLIC}/twilio/sms"),
        ({"twilio_url": "http://127.0.0.1:9"}, "failed", "does not answer", "try again"),
    ],
)
def test_each_fault_of_twilio_has_its_remedy(change: dict[str, Any], state: str, words: str, remedy: str) -> None:
    """The account, its number and the way back to us are looked up, and no message is made."""
    with running(TwilioStandIn()) as vendor:
        findings = found(**account(vendor, **change))
        [finding] = [f for what, f in findings.items() if words in what]
        assert finding.state == state
        assert remedy in finding.remedy
        assert not vendor.messages
        assert not vendor.calls


@pytest.mark.parametrize(
    ("account_state", "words"), [({"status": "suspended"}, "not active"), ({"type": "Trial"}, "trial account")]
)
def test_an_account_that_reaches_few_is_named(account_state: dict[str, str], words: str) -> None:
    """A suspended account and a trial account are told apart from one that works."""
    with running(TwilioStandIn()) as vendor:
        vendor.account |= account_state
        assert any(words in what for what in found(**account(vendor)))


@pytest.mark.parametrize(
    ("off", "said"),
    [
        (set(), []),
        ({"calls DE"}, ["calls to +49 (Germany) are switched off"]),
        ({"texts FR"}, ["SMS to +33 (France) are switched off"]),
        ({"calls CA", "texts CA"}, []),  # somebody's number may be of the other country with that code
        ({"calls CA", "calls US"}, ["calls to +1 are switched off"]),
    ],
)
def test_a_country_that_is_switched_off_is_known_before_the_first_page(off: set[str], said: list[str]) -> None:
    """For each country of somebody's number, calls and SMS apart; nothing is sent."""
    numbers = {"dana": "+4915112345678", "omar": "+33612345678", "mei": "+15555550100"}
    people = {key: {"slack": user(key), "phone": number} for key, number in numbers.items()}
    here = Company.model_validate({"policy": "kars", "people": people})
    with running(TwilioStandIn(switched_off=off)) as vendor:
        findings = found(here, **account(vendor))
    assert [what for what in findings if "switched off" in what] == said
    assert all(findings[what].state == "failed" and "Geo" in findings[what].remedy for what in said)


def test_permissions_that_cannot_be_read_are_no_fault() -> None:
    """Some accounts may not: it is said where to look."""
    people = {"dana": {"slack": user("dana"), "phone": "+4915112345678"}}
    with running(TwilioStandIn(permissions=False)) as vendor:
        findings = found(Company.model_validate({"policy": "kars", "people": people}), **account(vendor))
    assert findings["does not tell whether numbers of +49 are allowed"].state == "warning"


def test_push_services_are_tried_without_a_message() -> None:
    """Pushover's token, ntfy's health and Apprise's addresses are checked, and nobody's phone rings."""
    with running(PushoverStandIn()) as pushover, running(NtfyStandIn()) as ntfy:
        findings = found(
            pushover_token=SecretStr(push.APP_TOKEN),
            pushover_url=pushover.url,
            ntfy_url=ntfy.url,
            apprise_urls=(SecretStr("json://localhost"),),
        )
        assert [f.about for f in findings.values() if f.state == "ok"] == ["pushover", "ntfy", "apprise"]
        assert not pushover.sent
        assert not ntfy.published


def test_no_secret_is_printed() -> None:
    """A refused token, password or address is named by its variable, and not repeated."""
    with running(PushoverStandIn()) as pushover:
        findings = found(
            pushover_token=SecretStr("s" * 30), pushover_url=pushover.url, apprise_urls=(SecretStr("nosuch://hidden"),)
        )
    assert {f.state for f in findings.values()} == {"failed"}
    assert "PUSHOVER_TOKEN" in str(findings)
    assert "sss" not in str(findings)
    assert "hidden" not in str(findings)


@pytest.mark.parametrize(("key", "words"), [(statuspage.KEY, "takes our key"), ("wrong", "refuses us (401)")])
def test_statuspage_is_tried_without_publishing(key: str, words: str) -> None:
    """Its components are read; a wrong key is named."""
    with running(StatuspageStandIn()) as vendor:
        settings: dict[str, Any] = {"statuspage_key": SecretStr(key), "statuspage_page": statuspage.PAGE}
        settings |= {"statuspage_url": vendor.url}
        assert [what for what in found(**settings) if words in what]
        assert {asked.method for asked in vendor.requests} == {"GET"}
