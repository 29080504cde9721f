"""Words as mrkdwn and as plain text: escaping, cutting, splitting."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.render.mrkdwn import (
    CLOCK,
    DAY,
    brief,
    cut,
    emphasised,
    escape,
    link,
    moment,
    pieces,
    plain,
    render,
    share,
    size,
)
from escalation.text import Channel, Line, Link, Person, Strong, Time, line

AT = datetime(2024, 12, 18, 15, 45, 0, 900_000, tzinfo=UTC)
ENTITY = re.compile(r"&(?:amp|lt|gt);")
WILD = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from("&<>🚨 \n*|@!")), max_size=400)


@pytest.mark.parametrize(
    ("spans", "shown"),
    [
        (line("a < b & c > d"), "a &lt; b &amp; c &gt; d"),
        (line("<!channel> <@U123ABC>"), "&lt;!channel&gt; &lt;@U123ABC&gt;"),
        (line(Strong("Severity: "), "P0"), "*Severity:* P0"),
        (line(Strong("<two*\nlines>")), "*&lt;two∗ lines&gt;*"),
        (line(Strong("  ")), "  "),
        (line(Person("U012ABCDEF")), "<@U012ABCDEF>"),
        (line(Person("dana")), "dana"),
        (line(Person("U1> <!here>")), "U1&gt; &lt;!here&gt;"),
        (line(Time(AT)), "<!date^1734536700^{time}|15:45 UTC>"),
        (line(Time(AT, seconds=True)), "<!date^1734536700^{time_secs}|15:45:00 UTC>"),
        (line(Time(AT, clock=False)), "<!date^1734536700^{date_short_pretty} at {time}|2024-12-18 15:45 UTC>"),
        (line(Link("https://meet.example/a?b=1&c=2", "join")), "<https://meet.example/a?b=1&amp;c=2|join>"),
        (line(Link("https://x.example/|<!here>", "a|<b>")), "<https://x.example/%7C%3C!here%3E|a|&lt;b&gt;>"),
        (line(Link("javascript:alert(1)", "join")), "join"),
        (line(Link("https://x.example/" + "a" * 3000, "join")), "join"),
        (line(Channel("C012ABC", "inc-1")), "<#C012ABC>"),
        (line(Channel("", "inc-<1>")), "#inc-&lt;1&gt;"),
        (line("bell\x07 escape\x1b[31m\r\nnext"), "bell escape[31m\nnext"),
    ],
)
def test_a_line_is_rendered_as_mrkdwn(spans: Line, shown: str) -> None:
    """Outside text is escaped, marked spans become Slack's own."""
    assert render(spans) == shown


def test_a_line_is_plain_text_for_terminals() -> None:
    """Times are UTC, people have names, and control characters steer nothing."""
    spans = line(Strong("By "), Person("U1AA"), " at ", Time(AT), " in ", Channel("C1AA", "inc"), "\x1b[31m")
    assert plain(spans, {"U1AA": "dana"}) == "By @dana at 2024-12-18 15:45:00 UTC in #inc[31m"
    assert plain(line(Person("U1AA"), " ", Link("https://x.example", "call"))) == "@U1AA call (https://x.example)"


def test_a_moment_can_carry_its_day() -> None:
    """The day is worded by the reader's own Slack; the fallback always has the date then."""
    assert moment(AT, DAY) == "<!date^1734536700^{date_short_pretty} at {time}|2024-12-18 15:45 UTC>"
    assert "ago" not in CLOCK + DAY


@given(WILD, st.integers(min_value=1, max_value=60))
def test_cutting_keeps_to_the_limit_and_to_whole_entities(text: str, limit: int) -> None:
    """What is left is a beginning of the text, and every ampersand in it starts a whole entity."""
    short = cut(escape(text), limit)
    assert size(short) <= limit
    assert "&" not in ENTITY.sub("", short)
    assert escape(text).startswith(short.removesuffix("…")) or short == escape(text)


@given(WILD, st.integers(min_value=8, max_value=60))
def test_splitting_loses_no_word(text: str, limit: int) -> None:
    """Pieces keep to the limit, break no entity, and hold everything but the blanks at their ends."""
    parts = pieces(escape(text), limit)
    assert all(0 < size(part) <= limit and "&" not in ENTITY.sub("", part) for part in parts)
    assert "".join("".join(parts).split()) == "".join(escape(text).split())


def test_splitting_breaks_at_lines_then_at_words() -> None:
    """A reader finds whole lines, and whole words where a line is too long."""
    assert pieces("one two three\nfour five", 16) == ["one two three", "four five"]
    assert pieces("one two three four", 16) == ["one two three", "four"]


def test_a_token_is_never_broken() -> None:
    """A date token holds a blank; neither cutting nor splitting may use it."""
    text = "x" * 30 + f" {moment(AT, DAY)} and on"
    token = moment(AT, DAY)
    assert all("<" not in part or token in part for part in pieces(text, 110))
    assert cut(text, 60) == "x" * 30 + " …"


@given(st.lists(st.integers(min_value=0, max_value=300), max_size=8), st.integers(min_value=50, max_value=500))
def test_a_shared_budget_cuts_the_longest_only(lengths: list[int], budget: int) -> None:
    """Together they keep to the budget, and whoever is cut is as long as the longest that is left."""
    shared = share(["x" * n for n in lengths], budget)
    assert sum(map(size, shared)) <= budget
    short = [len(after) for n, after in zip(lengths, shared, strict=True) if len(after) < n]
    assert all(cap == max(map(len, shared)) for cap in short)
    assert sum(lengths) > budget or not short


def test_outside_text_becomes_one_short_line() -> None:
    """Cards show one line of each fact, escaped before it is cut."""
    assert brief("  a\n\n b\t<c>  ", 100) == "a b &lt;c&gt;"
    assert brief("&" * 10, 12) == "&amp;&amp;…"


def test_emphasis_stands_at_the_words() -> None:
    """Slack shows no bold where the star is followed by a blank."""
    assert emphasised(" Impact: ") == " *Impact:* "


def test_links_keep_their_address_in_one_word() -> None:
    """A blank or line end would end the token early."""
    assert link("https://x.example/a b\nc", "go") == "<https://x.example/a%20bc|go>"
