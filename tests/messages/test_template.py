"""Messages by template: what people type stays text, a template may do little, a message always goes out."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation.messages.catalog import OUTSIDE, SHIPPED, TEMPLATES, Value
from escalation.messages.template import Wording, check
from escalation.text import Channel, Line, Lines, Link, Person, Strong, Time, clean, text
from tests.support.profiles import examples

PLACEHOLDERS = st.integers(0xF0000, 0xF0010).map(chr)
NASTY = st.sampled_from(
    ["*bold*", "{{ id }}", "{% if", "<@UEVIL99>", "<https://x|y>", "\n*Title:* x", "* ", "_", "\r\n"]
)
TYPED = st.lists(st.one_of(st.text(max_size=20), NASTY, PLACEHOLDERS), max_size=6).map(lambda said: "x" + "".join(said))


def samples(name: str) -> dict[str, Value]:
    return {field: known.sample for field, known in TEMPLATES[name].items()}


def shape(lines: Lines) -> list[list[str]]:
    return [[type(span).__name__ for span in spans] for spans in lines]


def own(name: str, source: str, **fields: Value) -> Lines:
    """What a company's template says; a template that is not used fails the test."""

    def broken(name: str, why: str) -> None:
        pytest.fail(why)

    return Wording({name: source}, broken).lines(name, **fields)


# What is shipped --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_shipped_message_is_sound(name: str) -> None:
    """It passes the check that a company's own passes, and says something."""
    assert check(name, SHIPPED[name]) is None
    assert text(Wording().lines(name, **samples(name))).strip()


@pytest.mark.parametrize("name", TEMPLATES)
@given(st.data())
@settings(max_examples=examples(20), deadline=None)
def test_what_people_type_stays_text(name: str, data: st.DataObject) -> None:
    """Whatever is typed into a field: no line, label, link or mention comes of it."""
    plain = samples(name)
    typed = {f: data.draw(TYPED) if isinstance(v, str) else v for f, v in plain.items()}
    said = Wording().lines(name, **typed)
    assert shape(said) == shape(Wording().lines(name, **plain))


@given(TYPED, TYPED)
@settings(deadline=None)
def test_a_value_is_one_span_with_its_own_newlines(title: str, impact: str) -> None:
    """It comes out as it went in."""
    said = own("initial_alert", "*Title:* {{ title }}\n{{ impact }}!", title=title, impact=impact)
    assert said == ((Strong("Title: "), title), (impact, "!"))


@pytest.mark.parametrize("name", ["social_post", "social_restored"])
def test_a_social_post_is_short(name: str) -> None:
    """Its text keeps to 280 characters however long the wording is."""
    longest = {f: "word " * 200 if isinstance(v, str) else v for f, v in samples(name).items()}
    post, *_ = Wording().lines(name, **longest)
    assert len(text((post,))) <= 280


@pytest.mark.parametrize("name", sorted(OUTSIDE))
@pytest.mark.parametrize("field", ["id", "title", "description", "impact", "summary", "by", "detection"])
def test_what_goes_outside_never_has_what_was_said_inside(name: str, field: str) -> None:
    """Title, description, impact, causes and names are no fields there; the error says so."""
    assert f"never has {{{{ {field} }}}}" in (check(name, f"{{{{ {field} }}}}") or "")
    with pytest.raises(TypeError, match=field):
        Wording().lines(name, **{field: "inside"})


def test_what_goes_outside_has_these_fields_only() -> None:
    """A new field of a public message is a decision."""
    offered = {field for name in OUTSIDE for field in TEMPLATES[name]}
    assert len(OUTSIDE) == 6
    assert offered == {
        *("severity_name", "service", "public_wording", "status"),
        *("since", "next_update", "resolved_at", "duration"),
    }


@pytest.mark.parametrize("name", ["stakeholder_notice", "stakeholder_update", "stakeholder_restored"])
def test_stakeholders_hear_nothing_technical(name: str) -> None:
    """Neither description nor causes nor how it was noticed."""
    assert not {"description", "detection", "progress", "summary", "resolution"} & TEMPLATES[name].keys()


# What a company may write ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("*{{ severity }} down*: {{ title }}", [(Strong("P0 down"), ": ", "Shop")]),
        ("2 * 3 * 4 and a*b*c", [("2 * 3 * 4 and a*b*c",)]),
        ("*by {{ declared_by }} now* yes", [(Strong("by "), Person("U1"), Strong(" now "), "yes")]),
        ("{{ assigned }}", [(Person("U1"), " and ", Person("U2"))]),
        ("{{ eta_ }}", None),
        ("{% if title %} {{ title }}{% endif %}\nb", [(" ", "Shop"), ("b",)]),
        ("{% if title %}x{% endif %}\nb", [("x",), ("b",)]),
        ("{% if title %}{# why #}\nb{% endif %}", [("b",)]),
        ("a {# why #}\nb", [("a ",), ("b",)]),
        ("a\n\n\n\nb\n\n", [("a",), (), ("b",)]),
        ("a\n{{ impact }}\nb", [("a",), ("b",)]),
        ("{% if impact %}\n{{ impact }}\n{% endif %}\nb", [("b",)]),
        ("{{ impact | default('none') | upper }}", [("NONE",)]),
        ("{{ '*x*' }}", [("*x*",)]),
        ("{{ 'one two three' | cut(8) }}", [("one…",)]),
    ],
)
def test_what_a_template_says(source: str, lines: list[Line] | None) -> None:
    """Labels, blank lines, conditions and filters; tags alone on a line leave no line behind."""
    assigned = (Person("U1"), " and ", Person("U2"))
    fields: dict[str, Value] = {"title": "Shop", "severity": "P0", "declared_by": Person("U1"), "assigned": assigned}
    if lines is None:
        assert check("initial_alert", source)
    else:
        assert own("initial_alert", source, **fields) == tuple(lines)


def test_a_list_is_gone_through() -> None:
    """Each of its lines keeps its spans."""
    steps = (("Read ", Link("https://x.example", "it")), ("Close",))
    said = own("activity", "{% for step in checklist %}\n• {{ step }}\n{% endfor %}", checklist=steps)
    assert said == (("• ", "Read ", Link("https://x.example", "it")), ("• ", "Close"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("a\n{{ titel }}", "line 2: there is no field {{ titel }} (did you mean title?); there are mark, id,"),
        ("{% if false %}\n{{ titel }}{% endif %}", "line 2: there is no field {{ titel }}"),
        ("a\n{{ title", "line 2: unexpected end of template"),
        ("{% if title %}", "line 1: Unexpected end of template"),
        ("{{ title | uper }}", "line 1: there is no filter uper (did you mean upper?); there are default,"),
        ("a\n{{ assigned | upper }}", "line 2: a filter for text meets a person"),
        ("{% if false %}{{ title | foo }}{% endif %}", "line 1: there is no filter foo"),
        ("{{ none }}", "line 1: this cannot be shown"),
        ("", "it says nothing"),
        ("{{ impact if false else '' }}", "it says nothing"),
        ("x" * 16_001, "more than 16,000 characters"),
        ("\U000f0000", "private use"),
        ("{{" + "(" * 8000, "recursion"),
        ("{% for c in description %}" + "x" * 9000 + "{% endfor %}", "longer than 64,000 characters"),
    ],
)
def test_a_mistake_is_said_with_its_line(source: str, said: str) -> None:
    """What is wrong, where, and what would be right."""
    assert said in (check("initial_alert", source) or "")


def test_a_mistake_in_the_name_is_said() -> None:
    """The nearest name is offered."""
    assert "did you mean public_notice?" in (check("publik_notice", "x") or "")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ title.__class__ }}",
        "{{ title['__class__'] }}",
        "{{ title | attr('__class__') }}",
        "{{ '{0.__class__}'.format(title) }}",
        "{{ '%s' | format(title) }}",
        "{{ self.__init__ }}",
        "{{ _out.clear() }}",
        "{{ lipsum() }}",
        "{{ range(9) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ 'a' * 10**9 }}",
        "{{ 9**9**9 }}",
        "{{ title % 3 }}",
        "{% for a in title %}{% for b in title %}{% endfor %}{% endfor %}",
        "{% for a in title recursive %}{{ loop(title) }}{% endfor %}",
        "{% set x %}{{ title }}{% endset %}{{ x }}",
        "{% macro m() %}{% endmacro %}",
        "{% filter upper %}{{ title }}{% endfilter %}",
        "{% include '/etc/passwd' %}",
        "{% import 'x' as x %}",
        "{% extends 'x' %}",
        "{% block b %}{% endblock %}",
        "{% autoescape true %}x{% endautoescape %}",
    ],
)
def test_what_no_message_needs_is_refused(source: str) -> None:
    """Nothing inside a value can be reached, nothing called, captured, multiplied or read from elsewhere."""
    assert "line 1: " in (check("initial_alert", source) or "")


@given(
    st.lists(
        st.sampled_from(["{{", "}}", "{%", "%}", "{#", "if", " title ", "for", "in", "|", "*", "'", "\n", "-", "end"])
    )
)
@settings(deadline=None)
def test_the_check_never_breaks(parts: list[str]) -> None:
    """Whatever stands in the file, it answers; what it lets through can be said."""
    source = "".join(parts)
    if check("initial_alert", source) is None:
        assert own("initial_alert", source, **samples("initial_alert"))


# A message always goes out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("{{ title }}", "never has {{ title }}"),
        ("{{ since | upper }}", "a filter for text"),
        ("{% if status == 'x' %}y{% endif %}", "it says nothing"),
        ("{{ status", "line 1: unexpected end"),
    ],
)
def test_words_that_do_not_work_give_way_to_the_shipped_ones(source: str, why: str) -> None:
    """And why is said once for each message."""
    heard: list[tuple[str, str]] = []
    wording = Wording({"public_notice": source}, lambda name, said: heard.append((name, said)))
    fields = samples("public_notice")
    assert wording.lines("public_notice", **fields) == Wording().lines("public_notice", **fields)
    ((name, said),) = heard
    assert name == "public_notice"
    assert why in said


def test_words_that_fail_only_with_today_s_facts_give_way_too() -> None:
    """A template that passed the check may still say nothing, or too much, with other values."""
    heard: list[str] = []
    wording = Wording({"public_notice": "{{ public_wording }}"}, lambda name, why: heard.append(why))
    assert wording.lines("public_notice", service="Shop")[0] == (Strong("We are looking into a problem with Shop."),)
    wording.lines("public_notice", public_wording="x" * 64_001)
    assert heard == ["it says nothing", "it is longer than 64,000 characters"]


def test_a_long_text_is_still_said_by_the_shipped_words() -> None:
    """Cutting is the medium's business."""
    assert "x" * 70_000 in text(Wording().lines("initial_alert", description="x" * 70_000))


# Plain text --------------------------------------------------------------------------------------------------------


def test_lines_as_plain_text() -> None:
    """For mail and the status page: names, UTC, the address behind a label, nothing invisible."""
    at = datetime(2024, 12, 18, 16, 30, tzinfo=timezone(timedelta(hours=1)))
    lines: Lines = (
        (Strong("Since "), Time(at), " by ", Person("U1"), " and ", Person("U2")),
        (),
        (Link("https://x.example", "page"), " ", Channel("C1", "incidents"), " a\u202eb\x1b\r\nc"),
    )
    said = "Since 2024-12-18 15:30 UTC by Dana and U2\n\npage (https://x.example) #incidents ab\nc"
    assert text(lines, {"U1": "Dana"}) == said
    assert text(((Time(at.astimezone(UTC)),),)) == "2024-12-18 15:30 UTC"


@given(st.text())
def test_cleaning_keeps_what_can_be_seen(said: str) -> None:
    """Twice is once."""
    assert clean(clean(said)) == clean(said)
