"""Places of published reviews: in the configuration, in the environment, in `tocsin check`, the doctor and Slack."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from bot.moves.review import published_lines
from escalation.config.documents.reviews import ReviewPlaces
from escalation.storage.reviews.documents import Document
from escalation.text import text
from tests.config.test_loader import GOOD, errors
from tests.support.company import example, example_company
from tests.support.story import START
from tests.support.vendors import confluence, github
from tests.support.vendors.confluence import PARENT, ConfluenceStandIn
from tests.support.vendors.github import GitHubStandIn
from tests.support.vendors.server import Vendor, running
from tocsin.cli import main
from tocsin.config.settings import Settings, SettingsError, read
from tocsin.doctor.finding import Finding
from tocsin.doctor.tracker_checks import review_findings
from tocsin.run import channels

LINE = len(GOOD.splitlines()) + 1
ACCOUNT = {"CONFLUENCE_URL": "https://example.atlassian.net/wiki", "CONFLUENCE_USER": "bot@example.com"}
PLACE: dict[str, Any] = {"confluence": confluence.SPACE}


@pytest.mark.parametrize(
    ("reviews", "expected"),
    [
        ("{}", "reviews need a place: write {github: owner/repo}, {confluence: OPS}, or both"),
        ("{github: reviews}", "write owner and repository, like acme/shop"),
        ("{confluence: Our space}", "write the key of a space, like OPS"),
        ("{confluence: OPS, parent: top}", "should be a valid integer"),
        ("{github: acme/reviews, parent: 4711}", "parent is a page of Confluence"),
        ("{confluence: OPS, labels: [review]}", "labels are for GitHub"),
        ("{confluence: OPS, private: {confluence: OPS}}", "reviews of private incidents need a place of their own"),
        ("{github: acme/r, confluence: OPS, private: {github: acme/p, confluence: OPS}}", "a place of their own"),
        ("{confluense: OPS}", "did you mean 'confluence'?"),
    ],
)
def test_a_wrong_place_is_named_with_its_line(tmp_path: Path, reviews: str, expected: str) -> None:
    """What is wrong, and what would be right."""
    found = errors(tmp_path, f"{GOOD}reviews: {reviews}\n")
    assert all(each.startswith(f"{LINE}: ") for each in found)
    assert any(expected in each for each in found), found


@pytest.mark.parametrize(
    ("reviews", "variables", "missing"),
    [
        ({"github": "acme/reviews"}, {}, "GITHUB_TOKEN"),
        ({"confluence": "OPS"}, {}, "CONFLUENCE_URL"),
        (
            {"github": "acme/reviews", "private": {"confluence": "SEC"}},
            {"GITHUB_TOKEN": "ghp_aaaaaaaa"},
            "CONFLUENCE_URL",
        ),
    ],
)
def test_a_place_without_its_variables_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, reviews: dict[str, object], variables: dict[str, str], missing: str
) -> None:
    """The start names the variable, of the private place too."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=missing):
        channels.check(read()[0], example_company(reviews=reviews))


@pytest.mark.parametrize(
    ("variables", "wrong"),
    [
        (ACCOUNT, {"CONFLUENCE_TOKEN"}),
        ({"CONFLUENCE_TOKEN": "ATATT3xFf"}, {"CONFLUENCE_URL", "CONFLUENCE_USER"}),
        (ACCOUNT | {"CONFLUENCE_TOKEN": "ATATT3xFf", "CONFLUENCE_URL": "example"}, {"CONFLUENCE_URL"}),
        (ACCOUNT | {"CONFLUENCE_TOKEN": "ATATT3xFf"}, set()),
    ],
)
def test_variables_that_belong_together_are_checked(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], wrong: set[str]
) -> None:
    """Each problem names its variable, and none shows a secret."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings, problems = read()
    assert {p.variable for p in problems} == wrong
    assert not [p for p in problems if "ATATT3xFf" in p.text]
    assert ("ATATT3xFf" in settings.secrets()) is ("CONFLUENCE_TOKEN" in variables)


def found(vendor: Vendor, places: dict[str, Any], **changed: Any) -> list[Finding]:
    account: dict[str, Any] = {
        "github_token": SecretStr(github.TOKEN),
        "github_url": vendor.url,
        "confluence_url": vendor.url,
        "confluence_user": confluence.USER,
        "confluence_token": SecretStr(confluence.TOKEN),
    }
    settings: Settings = replace(read()[0], **(account | changed))
    company = example().model_copy(update={"reviews": ReviewPlaces.model_validate(places)})
    return list(review_findings(settings, company))


@pytest.mark.parametrize(
    ("there", "places", "changed", "words", "remedy"),
    [
        (ConfluenceStandIn(), PLACE | {"parent": PARENT}, {}, "", ""),
        (ConfluenceStandIn(), PLACE, {"confluence_token": SecretStr("old")}, "refuses our login", "CONFLUENCE_TOKEN"),
        (ConfluenceStandIn(), {"confluence": "NONE"}, {}, "shows us no space NONE", "correct reviews"),
        (ConfluenceStandIn(), PLACE | {"parent": 99}, {}, "shows us no page 99", "correct reviews"),
        (ConfluenceStandIn(readonly=True), PLACE, {}, "does not let us write in OPS", "add and edit pages"),
        (ConfluenceStandIn(outage=503), PLACE, {}, "does not take it", "try again"),
        (ConfluenceStandIn(), PLACE, {"confluence_url": "http://127.0.0.1:9"}, "does not answer", "try again"),
        (GitHubStandIn(), {"github": github.REPO}, {}, "", ""),
        (GitHubStandIn(), {"github": "acme/none"}, {}, "shows us no acme/none", "correct the repository"),
        (GitHubStandIn(disabled=True), {"github": github.REPO}, {}, "issues are switched off", "switch them on"),
    ],
)
def test_each_fault_of_a_place_has_its_remedy(
    there: Vendor, places: dict[str, Any], changed: dict[str, Any], words: str, remedy: str
) -> None:
    """The login, the space, the page above, and whether we may add pages; nothing is created."""
    with running(there) as vendor:
        [finding] = found(vendor, places, **changed)
        assert (finding.state == "failed") is bool(words)
        assert words in finding.what
        assert remedy in finding.remedy
        assert {r.method for r in vendor.requests} <= {"GET"}


@pytest.mark.parametrize(("space", "says"), [("OPS", "reviews can go to OPS in Confluence"), ("X", "no space X")])
def test_check_tries_the_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, space: str, says: str) -> None:
    """One line for each, and nothing is created."""
    file = tmp_path / "company.yml"
    file.write_text(f"{GOOD}reviews: {{confluence: {space}}}\n", encoding="utf-8")
    with running(ConfluenceStandIn()) as there:
        monkeypatch.setenv("CONFLUENCE_URL", there.url)
        monkeypatch.setenv("CONFLUENCE_USER", confluence.USER)
        monkeypatch.setenv("CONFLUENCE_TOKEN", confluence.TOKEN)
        assert says in CliRunner().invoke(main, ["check", str(file)]).output


def test_the_review_in_slack_says_where_it_is_published() -> None:
    """With links, with what keeps one from being up to date, and with what is to be deleted."""
    there = Document("acme/reviews", START, START, "acme/reviews#1", "https://github.com/acme/reviews/issues/1")
    refused = Document("OPS", START, START, trouble="Confluence refuses our login")
    lines = tuple(published_lines({"INC-1/github": there, "INC-1/confluence": refused}))
    assert text(lines).splitlines() == [
        "Published in GitHub (https://github.com/acme/reviews/issues/1).",
        "⚠️ Not up to date in Confluence: Confluence refuses our login",
    ]
    assert "delete it in GitHub" in text(tuple(published_lines({"INC-1/github": replace(there, withdrawn=True)})))
