"""`tocsin doctor` and the trackers that tickets go to: each fault has its remedy, and nothing is created."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from escalation.config.tickets import Tickets
from tests.support.company import example
from tests.support.vendors import github, jira
from tests.support.vendors.github import GitHubStandIn
from tests.support.vendors.jira import JiraStandIn
from tests.support.vendors.server import Vendor, running
from tocsin.config.settings import Settings, read
from tocsin.doctor.finding import Finding
from tocsin.doctor.tracker_checks import tracker_findings

SECRETS = {name: (SecretStr("a webhook's secret"),) for name in ("GITHUB_WEBHOOK_SECRET", "JIRA_WEBHOOK_SECRET")}


def found(vendor: Vendor, tickets: Tickets, **changed: Any) -> list[Finding]:
    account: dict[str, Any] = {
        "github_token": SecretStr(github.TOKEN),
        "github_url": vendor.url,
        "jira_url": vendor.url,
        "jira_user": jira.USER,
        "jira_token": SecretStr(jira.TOKEN),
        "hook_secrets": SECRETS,
    }
    settings: Settings = replace(read()[0], **(account | changed))
    return list(tracker_findings(settings, example().model_copy(update={"tickets": tickets})))


@pytest.mark.parametrize(
    ("there", "project", "changed", "words", "remedy"),
    [
        (GitHubStandIn(), github.REPO, {}, "", ""),
        (GitHubStandIn(), github.REPO, {"github_token": SecretStr("old")}, "refuses our token", "GITHUB_TOKEN"),
        (GitHubStandIn(), "acme/none", {}, "shows us no acme/none", "correct the repository"),
        (GitHubStandIn(push=False), github.REPO, {}, "leaves out labels", "the role Write"),
        (GitHubStandIn(disabled=True), github.REPO, {}, "issues are switched off", "switch them on"),
        (GitHubStandIn(outage=503), github.REPO, {}, "does not take it", "try again"),
    ],
)
def test_each_fault_of_github_has_its_remedy(
    there: GitHubStandIn, project: str, changed: dict[str, Any], words: str, remedy: str
) -> None:
    """The token, the repository, whether it has issues, and whether labels stay."""
    with running(there) as vendor:
        [finding] = found(vendor, Tickets(github=project), **changed)
        assert (finding.state == "failed") is bool(words)
        assert words in finding.what
        assert remedy in finding.remedy
        assert {r.method for r in vendor.requests} == {"GET"}


@pytest.mark.parametrize(
    ("tickets", "changed", "words", "remedy"),
    [
        (Tickets(jira="OPS"), {}, "", ""),
        (Tickets(jira="OPS"), {"jira_token": SecretStr("old")}, "refuses our login", "JIRA_TOKEN"),
        (Tickets(jira="NONE"), {}, "no such project", "correct tickets"),
        (Tickets(jira="OPS", type="Incident"), {}, "no issue type Incident", "set one of Task, Bug"),
        (Tickets(jira="OPS"), {"jira_url": "http://127.0.0.1:9"}, "does not answer", "try again"),
    ],
)
def test_each_fault_of_jira_has_its_remedy(tickets: Tickets, changed: dict[str, Any], words: str, remedy: str) -> None:
    """The login, the project, and its issue types."""
    with running(JiraStandIn()) as vendor:
        [finding] = found(vendor, tickets, **changed)
        assert (finding.state == "failed") is bool(words)
        assert words in finding.what
        assert remedy in finding.remedy


def test_a_missing_webhook_is_a_warning() -> None:
    """Without its secret what others change is seen by the poll alone, and the doctor says so."""
    with running(GitHubStandIn()) as vendor:
        *_, finding = found(vendor, Tickets(github=github.REPO), hook_secrets={})
        assert (finding.state, "GITHUB_WEBHOOK_SECRET" in finding.what) == ("warning", True)
