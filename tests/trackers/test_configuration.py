"""Trackers in the configuration and in the environment: what the start and `tocsin check` say of wrong ones."""

from pathlib import Path

import pytest

from escalation.config.company import Company, Directory
from escalation.config.tickets import Tracker, Vendor
from tests.config.test_loader import GOOD, errors
from tests.support.company import example, example_company
from tocsin.config.settings import SettingsError, read
from tocsin.run import channels

LINE = len(GOOD.splitlines()) + 1


@pytest.mark.parametrize(
    ("tickets", "expected"),
    [
        ("{}", "tickets need a tracker: write {github: owner/repo} or {jira: OPS}"),
        ("{github: acme/shop, jira: OPS}", "tickets go to one tracker: give github or jira, not both"),
        ("{github: shop}", "write owner and repository, like acme/shop"),
        ("{github: https://github.com/acme/shop}", "write owner and repository, like acme/shop"),
        ("{jira: ops-board}", "write the key of a project, like OPS"),
        ("{jira: OPS, labels: [two words]}", "write a label without spaces"),
        ("{jira: OPS, severities: [P9]}", "P9"),
        ("{jira: OPS, private: {jira: OPS}}", "private incidents need a tracker of their own"),
        ("{github: acme/shop, fields: {a: 1}}", "fields are for Jira"),
        ("{jira: OPS, fields: {summary: mine}}", "the field 'summary' is filled in by Tocsin"),
        ("{githb: acme/shop}", "did you mean 'github'?"),
    ],
)
def test_a_wrong_tracker_is_named_with_its_line(tmp_path: Path, tickets: str, expected: str) -> None:
    """What is wrong, and what would be right."""
    found = errors(tmp_path, f"{GOOD}tickets: {tickets}\n")
    assert all(text.startswith(f"{LINE}: ") for text in found)
    assert any(expected in text for text in found)


@pytest.mark.parametrize(
    ("tickets", "variables", "missing"),
    [
        ({"github": "acme/shop"}, {}, "GITHUB_TOKEN"),
        ({"jira": "OPS"}, {}, "JIRA_URL"),
        ({"github": "acme/shop", "private": {"jira": "SEC"}}, {"GITHUB_TOKEN": "ghp_aaaaaaaa"}, "JIRA_URL"),
    ],
)
def test_a_tracker_without_its_variables_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, tickets: dict[str, object], variables: dict[str, str], missing: str
) -> None:
    """The start names the variable, of the private tracker too."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    company = example_company(tickets=tickets)
    with pytest.raises(SettingsError, match=missing):
        channels.check(read()[0], company)


@pytest.mark.parametrize(
    ("variables", "wrong"),
    [
        ({"JIRA_URL": "https://example.atlassian.net"}, {"JIRA_TOKEN"}),
        ({"JIRA_TOKEN": "ATATT3xFf"}, {"JIRA_URL"}),
        ({"JIRA_URL": "example.atlassian.net", "JIRA_TOKEN": "ATATT3xFf"}, {"JIRA_URL"}),
        ({"GITHUB_URL": "github.example.com", "GITHUB_TOKEN": "ghp_aaaaaaaa"}, {"GITHUB_URL"}),
        ({"GITHUB_WEBHOOK_SECRET": "short"}, {"GITHUB_WEBHOOK_SECRET"}),
        ({"JIRA_URL": "https://jira.example.com", "JIRA_TOKEN": "NjkxAAAA"}, set()),
    ],
)
def test_variables_that_belong_together_are_checked(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], wrong: set[str]
) -> None:
    """Each problem names its variable, and none shows a secret."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    problems = read()[1]
    assert {p.variable for p in problems} == wrong
    assert not [p for p in problems if "ATATT3xFf" in p.text]


def test_a_login_belongs_to_one_member_whatever_its_case() -> None:
    """GitHub's logins have no case; a login of the other tracker is another one."""
    dana = example().people["dana"].model_copy(update={"slack": "UDANA", "github": "OctoCat"})
    company: Company = example().model_copy(update={"people": {**example().people, "dana": dana}})
    known = Directory()
    assert company.member_of_login(Vendor.GITHUB, "octocat", known) == "UDANA"
    assert company.member_of_login(Vendor.JIRA, "octocat", known) == ""
    assert company.member_of_login(Vendor.GITHUB, "", known) == ""


def test_all_trackers_are_known_once() -> None:
    """For the doctor and the start: the common one, the private one, and those of teams."""
    company = example_company(
        tickets={"github": "acme/shop", "private": {"jira": "SEC"}},
        teams={"backend": {"tickets": {"jira": "OPS"}}, "devops": {"tickets": {"jira": "OPS"}}},
    )
    assert [t.project for t in company.trackers()] == ["acme/shop", "SEC", "OPS"]
    assert company.trackers()[1] == Tracker(jira="SEC")
