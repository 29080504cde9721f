"""`tocsin forget`: nothing of a person is left in the store, in Slack's messages of ours or in exports made later."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from escalation.config.company import Directory
from escalation.figures.observation import decode
from escalation.incident.events.moves import Acknowledge, PostUpdate, Resolve, RootCause
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.notify.preferences import Preferences
from escalation.oncall.cover import Cover
from escalation.oncall.overrides import add_absence, add_notice, add_override, set_preferences
from escalation.oncall.schedule import OncallState
from escalation.oncall.silences import Silence, Silences
from escalation.pay.report import PayReport, PayRow
from escalation.records.chain import check
from escalation.records.forgetting import Forgotten, without, words_of
from escalation.reviews.action_items import ActionItem
from escalation.status_page.publications import Publication, PublicStatus
from escalation.storage import archive
from escalation.storage.action_items import ActionItems
from escalation.storage.indexes import FIGURES
from escalation.storage.oncall.cover import ENDED
from escalation.storage.oncall.pay import FinalPays
from escalation.storage.public.log import PublicLog
from escalation.storage.public.subscribers import Subscribers
from escalation.storage.reviews import Reviews
from escalation.storage.reviews.canvases import Base, Canvas, Canvases
from escalation.storage.search.documents import Search
from escalation.values import FORMER_COLLEAGUE
from tests.support.bot import everything
from tests.support.worker import SlackByClock, Works, redis_of, valkey, works_anew
from tocsin.cli import main
from tocsin.config.settings import Environment
from workers.recurring.keeping.posted import PostedRounds
from workers.recurring.reminders import Reminders

DANA, OMAR = "U0DANA0001", "U0OMAR0001"
MAIL, NUMBER = "dana@example.com", "+4915112345678"
WORDS = ("zebrafish", "aardvark", "pangolin", "wombat", "quokka", "ibex", "tapir")
CONFIG = f"""
policy: kars
people:
  dana: {{email: {MAIL}, name: Dana Example, phone: "{NUMBER}", github: danahub}}
  omar: {{slack: {OMAR}}}
roles: {{on_call: rotation primary, backup: rotation primary next, devops_lead: omar, backend_lead: omar,
  security_team: omar, engineering_manager: omar, executives: omar, service_lead: omar, engineering_team: omar,
  cto: omar, ceo: omar, stakeholders: omar}}
rotations: {{primary: {{people: [omar, dana], every: 52w, first_shift: ON_CALL_SINCE}}}}
"""


@pytest.fixture
def parts(slack_by_clock: SlackByClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Works]:
    """A workspace, a store and a configuration, in which Omar is on call."""
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    configure(tmp_path, omar_since=datetime.now(UTC) - timedelta(weeks=10))
    monkeypatch.setenv("TOCSIN_CONFIG", str(tmp_path / "tocsin.yml"))
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{valkey().port}")
    with redis_of("valkey") as redis:
        yield works_anew(redis, *slack_by_clock)


def configure(folder: Path, omar_since: datetime) -> None:
    (folder / "tocsin.yml").write_text(CONFIG.replace("ON_CALL_SINCE", f"{omar_since:%Y-%m-%d}"))


def tocsin(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def lived_through(parts: Works) -> Incident:
    """An incident in which Dana did much, closed and told in Slack; and everything else that is kept of her."""
    store, redis = parts.store, parts.redis
    directory = Directory(people={MAIL: DANA}, names={DANA: "Dana Example", OMAR: "Omar"}, groups={"S1": (DANA, OMAR)})
    store.save_directory(directory)
    one = parts.declare(by=DANA, title="Checkout zebrafish", description=f"Omar told <@{DANA}> so")
    parts.run()
    handle = parts.service.handle
    handle(one.id, Acknowledge(by=DANA))
    handle(one.id, PostUpdate(by=DANA, progress="The aardvark is loose", next_steps="Catch the pangolin"))
    parts.run_for(2)
    handle(one.id, RootCause(by=OMAR, cause=f"Dana Example (<@{DANA}>, {MAIL}, {NUMBER}) deployed too early"))
    handle(one.id, Resolve(by=DANA, summary="The wombat is over", resolution="Fed it"))
    parts.run_for(20)
    now = parts.clock()
    Reviews(redis).write(one.id, {"lessons": "A quokka too many"}, DANA, now)
    Reviews(redis).write(one.id, {"causes": "Ask @Dana"}, OMAR, now)
    bases = {
        "lessons": Base.of("A quokka too many, she wrote", "A quokka too many"),
        "causes": Base.of("Ask @Dana", "Ask @Dana"),
    }
    Canvases(redis).save(one.id, Canvas("F1", "https://example.slack.com/docs/F1", base=bases))
    rows = (PayRow(person="dana", rotation="primary", minutes=90), PayRow(person="omar", rotation="primary"))
    FinalPays(redis).keep(PayReport(start=now - timedelta(days=30), end=now, rows=rows), now)
    redis.zadd(ENDED, {Cover(rotation="primary", people=("dana",), starts=now, ends=now).model_dump_json(): 1.0})
    with Search(store) as index:
        assert index.search("zebrafish")
    ActionItems(redis).add(one.id, lambda n: ActionItem(n, "Fence the ibex", DANA, now, owner=DANA, due=now.date()))
    company = parts.service.company
    ends = now + timedelta(days=2)
    store.update_oncall_state(lambda s: add_absence(s, company, "dana", now, ends, now, DANA, "tapir hunting"))
    store.update_oncall_state(lambda s: set_preferences(s, "dana", Preferences(shift_reminder=timedelta(hours=1))))
    store.save_silences(Silences(people={DANA: Silence(starts=now, ends=ends)}))
    redis.set(f"tocsin:codes:{DANA}", "12", ex=600)
    subscribe(redis)
    draft = {"at": now, "knew_at": now, "status": PublicStatus.INVESTIGATING, "name": "Payments"}
    PublicLog(redis).append(one.id, Publication(n=0, incident="", ours="e1", body="Ask Dana Example", **draft))
    PublicLog(redis).append(one.id, Publication(n=0, incident="", ours="e2", body="We look into it", **draft))
    return parts.now(one)


def subscribe(redis: Redis) -> None:
    subscribers = Subscribers(redis)
    subscribers.ask(MAIL.title(), "host")
    confirmation = subscribers.next_confirmation(datetime.now(UTC))
    assert confirmation
    assert subscribers.confirm(confirmation.token, 0)


def swept(redis: Redis) -> str:
    """Every byte of the store, packed incidents unpacked too, in small letters."""
    raw = [str(archive.record_of(redis, str(key, "utf-8"))) for key in redis.scan_iter("*")]
    return "\n".join([*raw, *archive.export(redis)]).lower()


def test_no_byte_of_a_person_is_left_and_everything_else_is(parts: Works) -> None:
    """Ids, names, addresses and words are gone from every key; figures are the same, both chains are valid."""
    before = lived_through(parts)
    figures = decode(parts.redis.hget(FIGURES, before.id) or b"")
    found = swept(parts.redis)
    assert all(word in found for word in (DANA.lower(), MAIL, "dana example", *WORDS))
    result = tocsin("forget", "@dana")
    assert result.exit_code == 0, result.output
    left = swept(parts.redis)
    assert [w for w in (DANA.lower(), "dana", MAIL, NUMBER, "danahub", *WORDS) if w in left] == []
    assert "deployed too early" in left  # what others wrote stands, without her
    after = parts.store.get(before.id)
    assert [(e.n, e.at, e.kind) for e in after.timeline[: len(before.timeline)]] == [
        (e.n, e.at, e.kind) for e in before.timeline
    ]
    assert EntryKind.REDACTED in [e.kind for e in after.timeline[len(before.timeline) :]]
    again = decode(parts.redis.hget(FIGURES, before.id) or b"")
    assert again == decode(
        json.dumps(json.loads(json.dumps(figures.__dict__, default=str).replace(DANA, "former:1"))).encode()
    )
    verified = tocsin("verify", "--figures")
    assert verified.exit_code == 0, verified.output
    assert [p.body for p in PublicLog(parts.redis).publications()] == ["We look into it"]


def test_our_own_messages_in_slack_are_shown_without_them(parts: Works) -> None:
    """Cards, thread and room: updated, in the same place."""
    lived_through(parts)
    ours = [m for m in parts.messages() if m.get("bot_id")]
    assert any("zebrafish" in everything(m) for m in ours)
    assert tocsin("forget", MAIL).exit_code == 0
    parts.clock.now = datetime.now(UTC) + timedelta(seconds=2)  # the command goes by the server's clock
    parts.run_for(20, step=2)
    ours = [m for m in parts.messages() if m.get("bot_id") and not m.get("subtype")]  # else Slack's own words
    left = [everything(m) for m in ours if "set the channel topic" not in m["text"]]
    public = "\n".join(left)
    assert "former colleague 1" in public
    assert [text for text in left if any(w in text for w in ("zebrafish", "aardvark", "pangolin", "wombat"))] == []
    assert f"<@{DANA}>" not in public


def noticed(parts: Works) -> dict[str, Any]:
    """A notice about Dana's shift, in the channel: no incident has it."""

    def change(state: OncallState, at: datetime) -> OncallState:
        company, tomorrow = parts.service.company, at + timedelta(days=1)
        after = add_override(state, company, "primary", "dana", tomorrow, tomorrow + timedelta(hours=8), at, OMAR)
        return add_notice(state, after, "override", OMAR, at, company)

    parts.service.update_oncall(change)
    assert Reminders(parts.context).send_due(parts.clock())
    return posted(parts)


def posted(parts: Works) -> dict[str, Any]:
    return next(
        m for m in parts.messages() if "is on call in primary" in m["text"] and not m["channel"].startswith("D")
    )


def test_posts_outside_incidents_are_updated_in_slack_too(parts: Works) -> None:
    """Handovers, notices, reports: in the same place, as soon as Tocsin runs."""
    lived_through(parts)
    assert DANA in everything(noticed(parts))
    told = tocsin("forget", "@dana").output
    assert "So was 1 post in channels" in told
    PostedRounds(parts.context, lambda: False).run()
    assert DANA not in everything(posted(parts))
    assert "a former colleague is on call in primary" in posted(parts)["text"]
    before = len(parts.calls("chat.update"))
    PostedRounds(parts.context, lambda: False).run()
    assert len(parts.calls("chat.update")) == before


def test_a_post_that_slack_does_not_let_us_update_is_told_until_it_is_gone(parts: Works) -> None:
    """With its link; a passing failure is only tried again."""
    lived_through(parts)
    ts = noticed(parts)["ts"]
    assert tocsin("forget", "@dana").exit_code == 0
    for error, told in (("internal_error", 0), ("cant_update_message", 1)):
        parts.fault("chat.update", "error", error=error)
        PostedRounds(parts.context, lambda: False).run()
        found = [p for p in parts.store.problems.current() if p.key.startswith("posted:")]
        assert len(found) == told
        assert all(f"/p{ts.replace('.', '')}" in p.text for p in found)
    parts.fault("chat.update", "error", error="message_not_found")
    PostedRounds(parts.context, lambda: False).run()
    assert not [p for p in parts.store.problems.current() if p.key.startswith("posted:")]


def test_what_left_earlier_is_listed(parts: Works) -> None:
    """And that the configuration names them still."""
    lived_through(parts)
    told = tocsin("forget", "@dana").output
    assert "Cannot be taken back:\n" in told
    assert "exports and backups" in told
    assert "the canvas https://example.slack.com/docs/F1" in told
    assert "Your configuration still names dana" in told


def test_a_dry_run_says_all_and_changes_nothing(parts: Works) -> None:
    """The same incidents and publications as the run itself."""
    incident = lived_through(parts)
    before = swept(parts.redis)
    told = tocsin("forget", DANA, "--dry-run")
    assert told.exit_code == 0
    assert f"incidents: {incident.id}" in told.output
    assert "named them, withdrawn: 1" in told.output
    assert "subscriptions to the status page: 1" in told.output
    data = json.loads(tocsin("forget", DANA, "--dry-run", "--json").output)
    assert (data["dry_run"], data["incidents"], data["publications_withdrawn"]) == (True, [incident.id], [1])
    assert data["still_configured"] == ["dana"]
    assert swept(parts.redis) == before


def test_somebody_on_call_now_is_refused(parts: Works, tmp_path: Path) -> None:
    """With what to do first; after it they are forgotten."""
    lived_through(parts)
    configure(tmp_path, omar_since=datetime.now(UTC) - timedelta(weeks=70))
    before = swept(parts.redis)
    refused = tocsin("forget", "@dana")
    assert refused.exit_code == 1
    assert "on call in primary now" in refused.output
    assert "/incident oncall override primary @somebody" in refused.output
    assert swept(parts.redis) == before


def test_somebody_at_work_on_an_open_incident_is_refused(parts: Works) -> None:
    """Their pages and roles would go to nobody."""
    one = parts.declare()
    parts.service.handle(one.id, Acknowledge(by=DANA))
    refused = tocsin("forget", DANA)
    assert refused.exit_code == 1
    assert f"{one.id} is open" in refused.output


def test_an_unknown_name_is_said_so(parts: Works) -> None:
    """Exit code 1, nothing is changed."""
    result = tocsin("forget", "nobody@example.com")
    assert (result.exit_code, result.output) == (1, "Nothing is kept of nobody@example.com.\n")


def test_forgetting_twice_keeps_the_chain(parts: Works) -> None:
    """A second person in the same entries: what stood there first stays withheld."""
    one = lived_through(parts)
    for who in ("@dana", OMAR):
        assert tocsin("forget", who).exit_code in (0, 1)
    document = json.loads(dict(parts.store.documents())[one.id])
    chain, fault = check(document)
    assert chain
    assert fault is None
    place = next(iter(chain.withheld))
    n, name = int(place.split(".")[0]), place.split(".")[1]
    changed: Any = document["timeline"][n - 1]
    changed[name] = ["UEVE00001"] if isinstance(changed[name], list) else "UEVE00001"
    _, fault = check(document)
    assert fault
    assert fault.entry == n


PERSON = Forgotten("former:1", frozenset({DANA}), frozenset({"dana"}), frozenset({MAIL}), frozenset({"Dana Example"}))


@pytest.mark.parametrize(
    ("record", "after"),
    [
        ({"people": [DANA, OMAR]}, {"people": ["former:1", OMAR]}),
        ({"leads": {"scribe": DANA}, DANA: 1}, {"leads": {"scribe": "former:1"}, "former:1": 1}),
        ({"to": f"{OMAR} {DANA}"}, {"to": f"{OMAR} former:1"}),
        ({"text": f"<@{DANA}>, @dana, not Danair"}, {"text": f"{FORMER_COLLEAGUE}, {FORMER_COLLEAGUE}, not Danair"}),
        ({"by": DANA, "text": "mine", "state": "open"}, {"by": "former:1", "text": "(removed)", "state": "open"}),
        ({"by": OMAR, "text": "his"}, {"by": OMAR, "text": "his"}),
        ({"by": OMAR, "text": f"mail {MAIL.upper()}"}, {"by": OMAR, "text": "mail (removed)"}),
    ],
)  # fmt: skip
def test_records_without_a_person(record: Any, after: Any) -> None:
    """Ids become the pseudonym, names what they were; their words go, other people's stay."""
    assert without(PERSON, record, words_of(PERSON, record)) == after
