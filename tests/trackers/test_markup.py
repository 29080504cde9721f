"""Text from outside in a tracker's markup: it calls nobody, links nothing, and reads as it was written."""

import html
import re

from hypothesis import example, given
from hypothesis import strategies as st

from escalation.text import Link, Strong, Verbatim, clean, line
from workers.channels.trackers.markup import APART, for_github, for_jira, plain

HOSTILE = st.lists(
    st.sampled_from(
        ["@octocat", "#12", "<!-- tocsin:INC-20241218-001 -->", "[x](http://a)", "![i](http://a)", "`", "**"]
    )
    | st.sampled_from(["h1. ", "{code}", "[~dana]", "!x.png!", "OPS-12", "- a", "1. a", "\\", "_a_", "&lt;", "www.a.b"])
    | st.text(max_size=5),
    max_size=8,
).map("".join)


@given(HOSTILE)
@example("@everyone fixes #12 <!-- tocsin:INC-20241218-001 --> http://a")
def test_github_shows_it_as_it_was_written(words: str) -> None:
    """No mention, reference, tag, link or mark survives; without the escapes it is the text again."""
    made = for_github((line(Verbatim(words)),))
    assert not re.search(r"@\w|#\d|<|>|://", made)
    unescaped = re.sub(r"\\([\\`*_\[\]|~!+-]|\d)", r"\1", made).replace(APART, "")
    assert html.unescape(unescaped) == clean(words).replace(APART, "")


@given(HOSTILE)
@example("[~dana] {code} !x.png! h1. @everyone #12")
def test_jira_shows_it_as_it_was_written(words: str) -> None:
    """No mention, macro, image or heading survives; without the escapes it is the text again."""
    made = for_jira((line(Verbatim(words)),))
    assert not re.search(r"(?<!\\)(?:\\\\)*[{}\[\]!|]", made)
    assert not re.search(r"(?m)^\s*h[1-6]\.|@\w|#\d", made)
    assert re.sub(r"\\([\\{}\[\]!*_|^+~?-])", r"\1", made).replace(APART, "") == clean(words).replace(APART, "")


@given(HOSTILE)
def test_a_title_is_one_line_that_calls_nobody(words: str) -> None:
    """A tracker's titles are no markup, and are sent by mail."""
    made = plain(words)
    assert "\n" not in made
    assert not re.search(r"@\w|#\d", made)


def test_our_own_words_keep_their_form() -> None:
    """Bold, and a link that works."""
    said = (line(Strong("Impact: "), Verbatim("none")), line(Link("https://a.example/x?y=1", "The incident")))
    assert for_github(said) == "**Impact:** none\n\n[The incident](https://a.example/x?y=1)"
    assert for_jira(said) == "*Impact:* none\n\n[The incident|https://a.example/x?y=1]"
