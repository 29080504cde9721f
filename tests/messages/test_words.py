"""Retired phrases: stilted or cryptic wording that must not come back, wherever people read it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.messages.rendered import Page, chapters

ROOT = Path(__file__).parents[2]
# What stands in its place is in docs/style.md, or is plain; matched without regard to case.
RETIRED = re.compile(
    "|".join(
        (
            r"are to be told",
            r"do not reply here",
            r"\bowed by\b",
            r"should have been told",
            r"those outside",
            r"what fires next",
            r"no answer yet",
            r"you are paged (again|as)\b",
            r"if you are on it",
            r"acknowledged their page",
            r"expected to work again",
            r"it works again",
            r"it lasted",
            r"people are working on it",
            r"you need not do",
            r"unless things change",
            r"its card is in the",
            r"counts once",
            r"take (command|communications|notes)\b",
            r"facilitator",
            r"being watched",
            r"fix (hold|did not hold)",
            r"checkpoint is off",
            r"nobody has taken this",
            r"paged by name",
            r"asked for by hand",
            r"escalated by hand",
            r"at the same time:",
            r"it is resolved: reopen",
            r"wording for the public",
            r"where it stands",
            r"outage for customers",
            r"is it one of these",
            r"manual: somebody noticed",
            r"what do you see\?",
            r"\bsay so\b",
            r"record it\b",
            r"roles of the response",
            r"take or hand over",
            r"how do we know",
            r"their turns are",
            r"made an override",
            r"took it back",
            r"announced it",
            r"they are not among the people",
            r"there is no /incident",
            r"that is how it already is",
            r"those concerned",
            r"everybody concerned",
            r"only the members of its room",
            r"of no team yet",
            r"there is no fix to verify",
            r"could not be posted before",
            r"review (was )?held\*?, says",
            r"sorry for the trouble",
            r"what had been visible",
            r"nothing more is (ahead|said|written)",
            r"that is said of it",
            r"look at everything that",
            r"no tocsin runs",
            r"the page was not answered",
            r"schedule the post-mortem",
            r"escalation rests",
        )
    ),
    re.IGNORECASE,
)
PACKAGES = ("escalation", "bot", "workers", "tocsin")


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Every string of a module that is not a docstring, with its line."""
    tree = ast.parse(path.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Every line of a template or a policy that is not a comment, with its number."""
    for number, text in enumerate(path.read_text().splitlines(), start=1):
        if not text.lstrip().startswith("#"):
            yield number, text


@pytest.mark.parametrize("package", PACKAGES)
def test_no_string_of_the_code_has_a_retired_phrase(package: str) -> None:
    """Messages, forms, refusals and help texts keep to the words that on-call engineers know."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {hit[0]}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for number, text in strings(path)
        if (hit := RETIRED.search(text))
    ]
    assert not found, "\n".join(found)


def test_no_template_policy_or_example_has_a_retired_phrase() -> None:
    """Policies, templates of notices and examples speak like the rest."""
    paths = [
        *(ROOT / "escalation").rglob("*.txt"),
        *(ROOT / "escalation/policies").glob("*.yml"),
        *(ROOT / "docs/examples").glob("*.yml"),
    ]
    assert paths
    found = [
        f"{path.relative_to(ROOT)}:{number}: {hit[0]}"
        for path in paths
        for number, text in texts(path)
        if (hit := RETIRED.search(text))
    ]
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("chapter", chapters())
def test_no_message_as_sent_has_a_retired_phrase(chapter: str) -> None:
    """What Slack and the mail server receive, put together from all its parts, has no retired phrase."""
    page = Page()
    chapters()[chapter](page)
    assert len(page.lines) > 50
    found = [text for text in page.lines if RETIRED.search(text)]
    assert not found, "\n".join(found)
