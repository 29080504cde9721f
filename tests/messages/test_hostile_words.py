"""Whatever people type, and wherever it is shown, it stays words: no mention, no link, no control character.

Each text of an incident is replaced, the names of people and the words of the configuration too; then everything that
we can say of it is rendered, and read as Slack would read it.
"""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.deps import BotDeps
from bot.handlers.reply import short_message
from bot.moves.catalog import FORMS, move_modal
from bot.moves.declare import Draft, declare_modal
from bot.moves.form import FormContext
from bot.moves.form_state import FormState
from bot.render import messages as blocks
from bot.render import oncall, replies
from bot.render.blockkit import Message
from bot.render.card import card as card_of
from bot.render.card import redacted
from bot.render.lists import Page, fitted, home, listing, overview, tickets, which
from bot.render.mrkdwn import literal, size
from bot.render.pages import page as page_of
from escalation.config.company import Company, Directory
from escalation.config.rules.communications import Audience
from escalation.incident.communications import pending
from escalation.incident.events.moves import Move
from escalation.incident.model import Incident
from escalation.incident.state.communications import Stage
from escalation.incident.state.entries import EntryKind
from escalation.messages.mail import IncidentPage, alert_summary, page_mail, stakeholder_mail
from escalation.messages.oncall import Announcer
from escalation.messages.template import Wording
from escalation.oncall.handovers import ShiftChange
from escalation.oncall.roster import Roster
from escalation.oncall.schedule import Notice, Override
from escalation.text import Person, line
from escalation.values import machine
from tests.support.block_kit_schema import problems
from tests.support.company import example_company
from tests.support.incidents import ahead, with_entry
from tests.support.profiles import examples, few_of
from tests.support.story import START, kars

BAIT = [
    *("<!channel>", "<!here>", "<!everyone>", "<@U0EVIL0001>", "<#C0EVIL0001>", "<!subteam^S0EVIL001>"),
    *("<https://evil.example|here>", "<!date^1^{date}|evil>", "&lt;!channel&gt;", "&amp;lt;", "&", "<", ">", "|"),
    *("*", "`", "```", "_", "~", "\n", "\r\n", "\x00", "\x1b[31m", "\u202e", "\u2066", "\u2028", "😀", "é", "{{", "%}"),
    *("U0EVIL0001>", "@channel", " ", "\U000f0000", "\ud7ff"),
]
HOSTILE = st.one_of(
    st.lists(st.sampled_from(BAIT), min_size=1, max_size=60).map("".join),
    st.sampled_from(BAIT).map(lambda bait: bait * 800),
    st.just("😀" * 4000),
)
# Parts of the state that are no words: instants, numbers, names of ours.
FIXED = frozenset(
    (
        *("id", "stamp", "kind", "severity", "status", "state", "at", "due", "declared_at", "clock_from", "sla_from"),
        *("tickets", "vendor"),
        *("meeting", "missing", "written", "links", "runbook"),
        *(
            "closed_at",
            "alerted_by",
            "eta_at",
            "sent_at",
            "began",
            "detected",
            "ended",
            "redrawn_at",
            "started",
            "until",
            "next_update",
            "from",
            "to",
            "stage",
            "audience",
            "n",
            "tier",
            "number",
            "lead",
        ),
        *("eta_at", "redrawn_at", "started"),
        *(
            "answer",
            "plan",
            "checkpoint",
            "offer",
            "paged",
            "ticket",
            "missed",
            "detection",
            "meeting_url",
            "data_loss",
        ),
        *("source_link", "effects", "checkpoints", "copies", "lanes", "calendar", "ways", "keys", "policy", "actions"),
        *("communications", "public_means", "promised", "since", "snoozed_until", "what", "following"),
        *("via", "effect", "how", "notify"),
        *(
            "invitations",
            "invited",
            "about",
            "starts",
            "mail_lists",
            "list_channels",
            "webhooks",
            "deadline",
            "reached",
            "refused",
        ),
    )
)
LIMITS = {"title": 200}
SPAN = re.compile(r"<([^<>]*)>")
OURS = re.compile(
    r"!date\^\d+\^\{[a-z_]+\}[a-z_{} ]*\|[0-9: UTC-]+|[@#][A-Z0-9]+|https://(meet\.|calendar\.google\.com/)[^|]*\|[^|]*"
)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
ENTITY = re.compile(r"&(?:amp|lt|gt);")


def spoiled(value: Any, words: str, name: str = "") -> Any:
    """The same with every text in it replaced."""
    if isinstance(value, dict):
        return {k: v if k in FIXED else spoiled(v, words, name if name in PEOPLE else k) for k, v in value.items()}
    if isinstance(value, list):
        return [spoiled(v, words, name) for v in value]
    if isinstance(value, str):
        return words[: LIMITS.get(name, 80 if name in PEOPLE else 9999)].strip() or "x"
    return value


PEOPLE = (
    *("by", "person", "people", "reporter", "assigned", "leads", "offers", "told", "snoozed_by", "moved_from", "gone"),
    "owner",
)


def spoil(incident: Incident, words: str) -> Incident:
    return Incident.model_validate(spoiled(incident.model_dump(mode="json"), words))


def spoiled_company(words: str) -> Company:
    """Names, notes and the company's own wording."""
    company = example_company()
    people = {key: p.model_copy(update={"name": words[:80]}) for key, p in company.people.items()}
    return company.model_copy(update={"people": people})


# Everything that can be said --------------------------------------------------------------------------------------


def messages(incident: Incident, names: dict[str, str]) -> Iterator[Message]:
    coming = ahead(incident)
    yield from (card_of(incident, coming, names=names), card_of(incident, coming, buttons=False))
    yield from (redacted(incident), listing(Page.of([incident] * 25)), tickets(Page.of([incident] * 40)))
    yield from (replies.moved(incident, 0, coming), replies.declared(incident, coming))
    yield from (overview([incident] * 12), which("ack", "words", [incident] * 5))
    also = (incident,) * 12
    yield from (page_of(incident, page.n, coming, names=names, also=also) for page in incident.pages)
    for entry in incident.timeline:
        yield from (blocks.for_thread(incident, entry), blocks.for_person(incident, entry))
        yield blocks.mark_late(blocks.for_thread(incident, entry), entry.at)
        if entry.kind is EntryKind.COMMUNICATION:
            yield from (blocks.for_audience(incident, each) for each in stages(entry))


def stages(entry: Any) -> Iterator[Any]:
    """The entry as it would stand for every audience and stage: so every template is used."""
    for audience in Audience:
        for stage in (Stage.FIRST, Stage.UPDATE, Stage.RESTORED, *([Stage.FOLLOW_UP] if audience.outside else [])):
            yield entry.model_copy(update={"fields": {**entry.fields, "audience": audience, "stage": stage}})


def routine(company: Company, incident: Incident, words: str) -> Iterator[Message]:
    """What is said about on call."""
    announcer, rules = Announcer(company, Directory(), Wording()), kars().handover
    assert rules
    change = ShiftChange(
        rotation="primary", at=START, outgoing=("dana",), incoming=(words[:80], "omar"), ends=START + timedelta(days=7)
    )
    override = Override(id=1, rotation=words, person=words[:80], starts=START, ends=START, by=words[:80], why=words)
    notice = Notice(did="override", pieces=(override,), by=words[:80], at=START)
    yield oncall.handover(announcer.handover(change, rules, [incident] * 30), rules.checklist, "c1")
    yield oncall.lines_message(announcer.notice(notice), "notice")
    yield short_message(line(words), line(Person(words)))


def views(incident: Incident, company: Company, words: str) -> Iterator[Any]:
    context = FormContext(
        incident, kars(), {"on_call": f"role {words}"}, Roster(), (incident,), ("checkout", "api"), words
    )
    nothing_to_show = {Move.COMMUNICATE: not pending(incident), Move.PUBLISH: not incident.open, Move.RUN: True}
    for move in FORMS.keys() - {move for move, empty in nothing_to_show.items() if empty}:
        yield "modal_view", move_modal(move, context, FormState())
    nothing: Any = None
    parts = BotDeps("xoxb-none", nothing, nothing, nothing, company, kars(), "")
    yield "modal_view", declare_modal(parts, FormState(), Draft(words[:200], "P1", words[:2900]))
    yield "home_view", fitted(home([incident] * 70, [line(words)], "UONCALL"))


# Read as Slack reads it -------------------------------------------------------------------------------------------


def texts(value: Any) -> Iterator[tuple[str, str]]:
    """(kind, text) of every text object."""
    if isinstance(value, dict):
        if value.get("type") in ("mrkdwn", "plain_text") and isinstance(value.get("text"), str):
            yield value["type"], value["text"]
        yield from (t for inner in value.values() for t in texts(inner))
    elif isinstance(value, list):
        yield from (t for inner in value for t in texts(inner))


@lru_cache(maxsize=4096)
def only_words(text: str) -> None:
    """No span but our own, no half an entity, nothing that nobody sees."""
    assert not [span for span in SPAN.findall(text) if not OURS.fullmatch(span)], text
    assert "EVIL" not in "".join(SPAN.findall(text))
    rest = SPAN.sub("", text)
    assert not set("<>") & set(rest), text
    assert "&" not in ENTITY.sub("", rest), text
    assert not CONTROL.search(text)


def fit(message: Message) -> None:
    """Slack would take it, and nothing in it is live that was typed."""
    assert size(message.text) <= 4000
    only_words(message.text)
    for kind, text in texts(message.blocks):
        if kind == "mrkdwn":
            only_words(text)
        assert not CONTROL.search(text)
    assert len(message.blocks) <= 50
    assert not [problem for block in message.blocks for problem in problems(block)]


@pytest.mark.parametrize("kind", few_of(EntryKind))
@settings(max_examples=examples(4), deadline=None, suppress_health_check=list(HealthCheck))
@given(words=HOSTILE)
def test_words_stay_words_wherever_they_are_shown(kind: EntryKind, words: str) -> None:
    """Cards, pages, threads, lists, answers, handovers, forms and Home, for every kind of entry."""
    incident, company = spoil(with_entry(kind), words), spoiled_company(words)
    names = {"UONCALL": words, "UBACKUP": words}
    for message in (*messages(incident, names), *routine(company, incident, words)):
        fit(message)
    only_words(blocks.topic(incident))
    assert size(blocks.topic(incident)) <= 250
    for of, view in views(incident, company, words):
        assert not problems(view, of)
        for text in (t for how, t in texts(view) if how == "mrkdwn"):
            only_words(text)


@settings(max_examples=examples(20), deadline=None)
@given(words=HOSTILE)
def test_words_stay_words_outside_of_slack(words: str) -> None:
    """A mail has one line as its subject and nothing that steers a terminal; an event of a paging service is short."""
    incident = spoil(with_entry(EntryKind.COMMUNICATION), words)
    entry = next(e for e in incident.timeline if e.kind is EntryKind.COMMUNICATION)
    letters = [page_mail([IncidentPage(incident, page)], {"UONCALL": words}) for page in incident.pages]
    letters += [stakeholder_mail(incident, each, Wording(), {}) for each in stages(entry)]
    for letter in letters:
        assert not CONTROL.search(letter.body + letter.subject)
        assert "\n" not in letter.subject
    assert not CONTROL.search(alert_summary(incident))
    assert len(alert_summary(incident)) <= 1024


@settings(max_examples=examples(20), deadline=None)
@given(words=HOSTILE)
def test_a_companys_own_template_makes_no_markup_of_values(words: str) -> None:
    """Only what stands in the template itself is formatted; a template cannot reach anything but its fields."""
    own = "*{{ title }}* <!channel> {{ impact | upper }}\n{% for s in [title, service] %}- {{ s }}\n{% endfor %}"
    incident = spoil(with_entry(EntryKind.COMMUNICATION), words)
    entry = next(e for e in incident.timeline if e.kind is EntryKind.COMMUNICATION)
    fit(blocks.for_audience(incident, entry, Wording({"stakeholder_notice": own})))


@pytest.mark.parametrize(
    "source",
    [
        "{{ title.__class__.__mro__ }}",
        "{{ ''.__class__ }}",
        "{{ title | attr('__class__') }}",
        "{{ self }}",
        "{{ cycler }}",
        "{{ lipsum() }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% set x = 1 %}{{ x }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ 9 ** 999999999 }}",
        "{{ 'a' * 999999999 }}",
        "{% for a in range(9999999) %}{% for b in range(9999999) %}x{% endfor %}{% endfor %}",
        "{{ ''.join }}",
        "{{ config }}",
        "{{ request }}",
    ],
)
def test_a_template_can_only_show_its_fields(source: str) -> None:
    """It is refused with a reason, and the shipped words go out instead."""
    heard: list[str] = []
    wording = Wording({"initial_alert": source}, lambda name, why: heard.append(why))
    shown = wording.lines("initial_alert", title="T")
    assert shown == Wording().lines("initial_alert", title="T")
    assert heard
    assert "root:" not in json.dumps(str(shown))


def test_every_move_has_been_looked_at() -> None:
    """Each that asks for words has its form in the test above; the others ask for none."""
    wordless = {Move.ACKNOWLEDGE, Move.DECLINE, Move.START_FIX, Move.FIX_APPLIED, Move.ESCALATE, Move.SNOOZE}
    assert {*FORMS} | wordless == {*Move}


MARKUP = ["_it_", "~s~", "`code`", "*b*", "```x```", "_*both*_", "a _b_ c", "(_b_)", "~~s~~"]


@pytest.mark.parametrize("markup", MARKUP)
@pytest.mark.parametrize("kind", few_of(EntryKind))
def test_a_title_is_shown_as_it_was_written(kind: EntryKind, markup: str) -> None:
    """On cards, pages, lists, the thread and in forms nothing in a title is markup; a `_` in a word stays."""
    incident = with_entry(kind)
    facts = incident.facts.model_copy(update={"title": f"{markup} check_out is down"})
    incident = incident.model_copy(update={"facts": facts, "past": ()})
    said = [text for m in messages(incident, {}) for text in (m.text, *(t for _, t in texts(m.blocks)))]
    for _, view in views(incident, example_company(), "x"):
        said += [text for kind_of_text, text in texts(view) if kind_of_text == "mrkdwn"]
    named = [text for text in said if "is down" in text]
    assert named
    assert all("check_out" in text for text in named)
    assert not [text for text in named if markup in text]


@pytest.mark.parametrize("markup", MARKUP)
@pytest.mark.parametrize("field", ["impact", "description", "service"])
def test_what_is_known_of_an_incident_is_shown_as_it_was_written(field: str, markup: str) -> None:
    """On cards, pages, lists and in the thread: an alert's `*` is a `*`, wherever it stands."""
    incident = with_entry(EntryKind.COMMUNICATION)
    facts = incident.facts.model_copy(update={field: f"{markup} check_out zigzags"})
    incident = incident.model_copy(update={"facts": facts, "past": ()})
    said = [text for m in messages(incident, {}) for text in (m.text, *(t for _, t in texts(m.blocks)))]
    named = [text for text in said if "zigzags" in text]
    assert named
    assert all("check_out" in text for text in named)
    assert not [text for text in named if markup in text]


@pytest.mark.parametrize("markup", MARKUP)
@pytest.mark.parametrize("kind", [EntryKind.ALERTS, EntryKind.MAIL, EntryKind.ACKNOWLEDGED])
def test_names_and_what_machines_say_are_shown_as_they_were_written(kind: EntryKind, markup: str) -> None:
    """Who did it, whatever they call themselves, and the titles of alerts."""
    incident, words = with_entry(kind), f"{markup} check_out zigzags"
    entry = next(e for e in incident.timeline if e.kind is kind)
    began = {"fields": {**entry.fields, "began": words}} if kind is EntryKind.ALERTS else {}
    mailed = {"text": words} if kind is EntryKind.MAIL else {}
    entry = entry.model_copy(update={"by": machine(words), **began, **mailed})
    shown = blocks.for_thread(incident, entry)
    said = [text for text in (shown.text, *(t for _, t in texts(shown.blocks))) if "zigzags" in text]
    assert said
    assert not [text for text in said if markup in text]


def test_an_address_in_a_title_stays_one() -> None:
    """Slack makes a link of it: no character of it is changed."""
    assert literal("_see_ https://example.com/_next/a~b_ *now*") == "ˍseeˍ https://example.com/_next/a~b_ ∗now∗"
    assert literal("(https://example.com/a_/_b?c=~d)") == "(https://example.com/a_/_b?c=~d)"
