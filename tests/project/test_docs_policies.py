"""docs/policies.md accounts for the documents: each row names a test that there is, or says that it is later work."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tocsin.config import loader

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "policies.md").read_text(encoding="utf-8")
COMPANIES = {"## KARS": "kars", "## Beauty with AI Precision": "beauty"}


def tables(text: str) -> list[list[list[str]]]:
    """Each table: its head, then its rows."""
    found = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [[[c.strip() for c in line.strip("|").split("|")] for line in table.splitlines()] for table in found]


ROWS = [row for table in tables(PAGE) for row in table[2:]]


@cache
def docstrings_in(file: str) -> dict[str, str]:
    """The names of a file's tests, each with its docstring."""
    found = list(TESTS.rglob(f"{file}.py"))
    if not found:
        return {}
    (path,) = found
    body = ast.parse(path.read_text(encoding="utf-8")).body
    made = [node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {node.name: ast.get_docstring(node) or "" for node in made}


def sentence_of(file: str, test: str) -> str:
    """What a test says is right."""
    return docstrings_in(file).get(test, "")


def test_every_table_ends_with_what_shows_it() -> None:
    """And every row has as many cells as its head."""
    for head, _, *rows in tables(PAGE):
        assert head[-1] == "shown by"
        assert {len(row) for row in rows} == {len(head)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:60])
def test_a_row_is_shown_by_a_test_or_said_to_be_later_work(row: list[str]) -> None:
    """Each test that is named exists."""
    named = re.findall(r"`(test_\w+)::([^`]*)`", row[-1])
    assert named or "later work" in row[-1]
    assert [f"{file}::{test}" for file, test in named if test not in docstrings_in(file)] == []


OUTSIDE = re.compile(r"\b(SMS|e?mail|status ?page|tickets?|zoom|phone)\b", re.IGNORECASE)


@pytest.mark.parametrize("row", [row for row in ROWS if OUTSIDE.search(row[0])], ids=lambda row: row[0][:60])
def test_whatever_goes_outside_slack_is_shown_by_a_test_with_a_sentence(row: list[str]) -> None:
    """SMS, mail, status pages, tickets and Zoom are no later work: a test says in a sentence what is right."""
    named = re.findall(r"`(test_\w+)::([^`]*)`", row[-1])
    assert named
    assert [test for file, test in named if not sentence_of(file, test)] == []


@pytest.mark.parametrize(("heading", "name"), COMPANIES.items())
def test_what_it_is_configured_in_is_in_the_policy(heading: str, name: str) -> None:
    """Checkpoints, communications and activities, by their ids."""
    section = PAGE.split(f"{heading}\n", 1)[1].split("\n## ", 1)[0]
    where = " ".join(row[2] for table in tables(section) for row in table[2:])
    named = set(re.findall(r"`(?:[a-z]+: )?([a-z][a-z0-9]*(?:-[a-z0-9]+)+)`", where))
    policy = loader.load_policy(name)
    rules = policy.severities.values()
    known = {c.id for r in rules for c in r.checkpoints} | {c.id for r in rules for c in r.communications}
    assert named <= known | {activity.id for activity in policy.activities}


@pytest.mark.parametrize(("heading", "name"), COMPANIES.items())
def test_whatever_waits_or_is_told_in_a_policy_is_on_the_page(heading: str, name: str) -> None:
    """No checkpoint, communication or activity that the page does not account for."""
    section = PAGE.split(f"{heading}\n", 1)[1].split("\n## ", 1)[0]
    policy = loader.load_policy(name)
    said = set(re.findall(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", section))
    told = {a.id for a in policy.activities}
    told |= {c.id for rules in policy.severities.values() for c in rules.communications}
    assert told <= said
