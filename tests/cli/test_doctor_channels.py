"""`tocsin doctor` and the channels beside Slack: each fault has its remedy, and nothing is sent."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from benchmarks.ports import free_port
from tests.support.company import example_company
from tests.support.outside_services import mail_server, paging_service
from tests.support.vendors.server import running
from tests.support.vendors.zoom import ACCOUNT, CLIENT, SECRET, ZoomStandIn
from tocsin.config.settings import read
from tocsin.doctor.channel_checks import channel_findings, service_findings
from tocsin.doctor.finding import Finding

KEY = "0123456789abcdef0123456789ABCDEF"


def found(**settings: Any) -> list[Finding]:
    return list(channel_findings(replace(read()[0], smtp_from="tocsin@example.com", **settings)))


def test_what_is_not_set_up_is_not_checked() -> None:
    """No mail server and no key: nothing to say."""
    assert found(smtp_url=None, pagerduty_key=None) == []


def test_a_mail_server_that_takes_our_login_is_fine() -> None:
    """It was logged in to, and no mail was sent."""
    with mail_server(login="tocsin:secret") as smtp:
        [finding] = found(smtp_url=SecretStr(smtp.url), pagerduty_key=None)
        assert finding.state == "ok"
        assert smtp.logins
        assert not smtp.mails


@pytest.mark.parametrize(
    ("command", "reply", "remedy"),
    [
        ("AUTH", "535 5.7.8 wrong password", "correct user and password in SMTP_URL"),
        ("AUTH", "454 4.7.0 not now", "try again"),
        ("EHLO", "421 going down", "try again"),
    ],
)
def test_a_mail_server_that_refuses_us_fails_with_its_remedy(command: str, reply: str, remedy: str) -> None:
    """The login is tried as before a mail."""
    with mail_server(login="tocsin:wrong") as smtp:
        smtp.refusing[command] = reply
        smtp.refusing.setdefault("HELO", reply)
        [finding] = found(smtp_url=SecretStr(smtp.url), pagerduty_key=None)
    assert finding.state == "failed"
    assert remedy in finding.remedy


def test_a_mail_server_or_pagerduty_that_does_not_answer_fails() -> None:
    """Each is named, with the variable that says where it is."""
    nowhere = f"127.0.0.1:{free_port()}"
    mail, pagerduty = found(
        smtp_url=SecretStr(f"smtp://{nowhere}"), pagerduty_key=SecretStr(KEY), pagerduty_url=f"http://{nowhere}"
    )
    assert (mail.state, pagerduty.state) == ("failed", "failed")
    assert "SMTP_URL" in mail.remedy
    assert "PAGERDUTY_URL" in pagerduty.remedy


@pytest.mark.parametrize(("key", "states"), [(KEY, ["ok"]), ("R0UTING", ["warning", "ok"])])
def test_pagerdutys_key_has_to_look_like_one(key: str, states: list[str]) -> None:
    """Its shape is all that can be checked: an event would page somebody. The API is reached without one."""
    with paging_service() as service:
        findings = found(smtp_url=None, pagerduty_key=SecretStr(key), pagerduty_url=service.url)
        assert [finding.state for finding in findings] == states
        assert not service.bodies


@pytest.mark.parametrize(
    ("ways", "said"),
    [
        ({}, "hears of each incident that pages somebody"),
        ({"slack_down": "pagerduty"}, "hears of pages that Slack does not take"),
        ({"page": []}, "hears of no incident"),
    ],
)
def test_what_a_paging_service_is_told_is_said(ways: dict[str, Any], said: str) -> None:
    """A key that was meant for the watchdog alone is not taken for incidents in silence."""
    settings = replace(read()[0], pagerduty_key=SecretStr(KEY))
    company = example_company(other_ways=ways)
    [finding] = service_findings(settings, company)
    assert (finding.about, finding.state) == ("pagerduty", "ok")
    assert said in finding.what


@pytest.mark.parametrize(
    ("hosts", "secret", "scope", "states", "said"),
    [
        ((), SECRET, "", ["ok"], "the app's owner"),
        (
            ("room@example.com", "gone@example.com"),
            SECRET,
            "",
            ["ok", "failed"],
            "gone@example.com: Zoom does not know",
        ),
        ((), "wrong", "", ["failed"], "correct ZOOM_ACCOUNT_ID"),
        ((), SECRET, "meeting:read:admin", ["failed"], "add meeting:write:admin"),
    ],
)
def test_zoom_is_tried_for_each_host(
    hosts: tuple[str, ...], secret: str, scope: str, states: list[str], said: str
) -> None:
    """Login, scopes and hosts each have their remedy; no meeting is made."""
    with running(ZoomStandIn(hosts=("me", "room@example.com"))) as vendor:
        vendor.scope = scope or vendor.scope
        zoom = {
            "zoom_account": ACCOUNT,
            "zoom_client": CLIENT,
            "zoom_secret": SecretStr(secret),
            "zoom_url": vendor.url,
        }
        findings = found(smtp_url=None, pagerduty_key=None, zoom_hosts=hosts, **zoom)
    assert [finding.state for finding in findings] == states
    assert said in str(findings)
    assert vendor.made == []
