"""On call in Slack: what is typed, what is pressed, and what is refused in words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slack_sdk import WebClient

from bot.parsing.oncall import OncallCommand, apply_command
from bot.render import oncall
from bot.render.mrkdwn import plain
from bot.render.oncall import ANSWER, TAKE, TICK, UNDO, AnswerValue, ShiftValue
from escalation.config.company import Company, Directory
from escalation.errors import Refused
from escalation.messages.oncall import Announcer
from escalation.oncall import overrides, schedule
from escalation.oncall.overrides import undo_of
from escalation.oncall.reminders import DueNotice, due_reminders
from escalation.oncall.schedule import Away, OncallState, Override, on_call_at, shift_at
from tests.support.bot import Office, Person
from tests.support.company import user
from tests.support.story import START, kars
from tests.support.waiting import eventually

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday; Dana's week
MEMBERS = {"dana": "UDANA", "omar": "UOMAR", "mei": "UMEI"}


def company(*, second: bool = False, handover: str = "Monday 09:00", zone: str = "UTC") -> Company:
    primary = {"people": list(MEMBERS), "first_shift": "2026-11-23", "handover": handover, "timezone": zone}
    return Company.model_validate(
        {
            "policy": "kars",
            "people": {key: {"slack": member} for key, member in MEMBERS.items()},
            "rotations": {"primary": primary} | ({"database": primary} if second else {}),
        }
    )


def after(text: str, by: str = "UDANA", state: OncallState | None = None, **of: Any) -> OncallState:
    return apply_command(OncallCommand(text, by, company(**of), Directory()), state or OncallState(), NOW)


def spans(state: OncallState) -> list[str]:
    """`omar 11-24 18:00 > 11-25 09:00` for each override and absence."""
    pieces: tuple[Override | Away, ...] = (*state.overrides, *state.away)
    return [f"{p.person} {p.starts:%m-%d %H:%M} > {p.ends:%m-%d %H:%M}" for p in pieces]


@pytest.mark.parametrize(
    ("typed", "arranged"),
    [
        ("override <@UOMAR|omar> from 2026-11-25 18:00 to 2026-11-26 09:00", "omar 11-25 18:00 > 11-26 09:00"),
        ("override primary @omar from today 18:00 until tomorrow", "omar 11-24 18:00 > 11-25 00:00"),
        ("override omar tomorrow 18:00 to 22:00 because dentist", "omar 11-25 18:00 > 11-25 22:00"),
        ("override mei from 22:00 to 06:00", "mei 11-24 22:00 > 11-25 06:00"),
        ("override mei from now to 06:00", "mei 11-24 12:00 > 11-25 06:00"),
        ("override mei from now to 18:00", "mei 11-24 12:00 > 11-24 18:00"),
        ("override mei from 2026-11-30 22:00 to 06:00", "mei 11-30 22:00 > 12-01 06:00"),
        ("override mei friday 09:00 to 09:00", "mei 11-27 09:00 > 11-28 09:00"),
        ("away 22:00 to 06:00", "dana 11-24 22:00 > 11-25 06:00"),
        ("override mei from now to friday 09:00", "mei 11-24 12:00 > 11-27 09:00"),
        ("OVERRIDE mei from friday to monday 09:00", "mei 11-27 00:00 > 11-30 09:00"),
        ("away 2026-12-24 to 2027-01-02", "dana 12-24 00:00 > 01-03 00:00"),
        ("away <@UMEI> from 2026-12-24 to 2026-12-24 because of a wedding", "mei 12-24 00:00 > 12-25 00:00"),
        ("away tomorrow", "dana 11-25 00:00 > 11-26 00:00"),
        ("away @omar today 13:00 to 17:00", "omar 11-24 13:00 > 11-24 17:00"),
        ("away today", "dana 11-24 00:00 > 11-25 00:00"),
        ("override mei for 8h", "mei 11-24 12:00 > 11-24 20:00"),
        ("override mei for 2 hours from tomorrow 9am", "mei 11-25 09:00 > 11-25 11:00"),
        ("override mei tomorrow 9am for 8h", "mei 11-25 09:00 > 11-25 17:00"),
        ("override mei until 18:00", "mei 11-24 12:00 > 11-24 18:00"),
        ("override mei from in 2h to 6pm", "mei 11-24 14:00 > 11-24 18:00"),
        ("override mei tomorrow 9am to 5pm", "mei 11-25 09:00 > 11-25 17:00"),
        ("override mei next friday to next monday 9am", "mei 12-04 00:00 > 12-07 09:00"),
        ("override mei 1 Dec 9:00 to 3 Dec 9am", "mei 12-01 09:00 > 12-03 09:00"),
        ("override Mei Fri 10pm until 6am", "mei 11-27 22:00 > 11-28 06:00"),
        ("away for 3 days", "dana 11-24 00:00 > 11-27 00:00"),
        ("away 24 Dec to 2 Jan", "dana 12-24 00:00 > 01-03 00:00"),
        ("away @mei next friday", "mei 12-04 00:00 > 12-05 00:00"),
        ("away tomorrow 1pm to 5pm", "dana 11-25 13:00 > 11-25 17:00"),
    ],
)
def test_what_is_typed(typed: str, arranged: str) -> None:
    """Times are the rotation's, or the company's for an absence; a notice of it is kept for the others."""
    state = after(typed)
    assert spans(state) == [arranged]
    (notice,) = state.notices
    assert (notice.by, notice.at, len(notice.pieces)) == ("UDANA", NOW, 1)
    if "because" in typed:
        assert notice.pieces[0].why in ("dentist", "of a wedding")


def test_taking_the_shift() -> None:
    """From now on until it ends."""
    state = after("take because Dana is ill", "UOMAR")
    assert spans(state) == ["omar 11-24 12:00 > 11-30 09:00"]
    assert on_call_at("primary", company(), state, NOW) == ("omar",)
    assert state.notices[0].did == "took"


@pytest.mark.parametrize(
    "typed",
    ["swap 2026-11-23 with 2026-11-30", "swap primary with <@UOMAR>", "swap today with @omar", "swap with omar"],
)
def test_swapping(typed: str) -> None:
    """A day stands for the shift that begins on it, or holds then; a person for their next one."""
    state = after(typed)
    assert spans(state) == ["omar 11-24 12:00 > 11-30 09:00", "dana 11-30 09:00 > 12-07 09:00"]
    assert len(state.notices[0].pieces) == 2


def test_times_are_the_rotations() -> None:
    """Six in the evening in New York is eleven at night in UTC."""
    state = after("override omar from today 18:00 to tomorrow 09:00", zone="America/New_York")
    assert spans(state) == ["omar 11-24 23:00 > 11-25 14:00"]


def test_taking_it_back() -> None:
    """By its number."""
    before = after("override omar from today 18:00 to tomorrow")
    state = after("cancel #1", "UMEI", before)
    assert spans(state) == []
    assert [n.did for n in state.notices] == ["override", "cancelled"]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("overide omar from today 18:00 to tomorrow", "Did you mean `override`?"),
        ("nonsense", "Unknown command `oncall nonsense`"),
        ("override from today to tomorrow", "Who? "),
        ("override @zoe from today to tomorrow", "@zoe isn't set up in Tocsin"),
        ("override <@UZOE|zoe> from today to tomorrow", "@UZOE isn't set up in Tocsin"),
        ("override <@UOMAR> <@UMEI> from today to tomorrow", "Name one person"),
        ("override <!subteam^S123|@team> from today to tomorrow", "Name one person"),
        ("override omar", "Give a start and an end"),
        ("override omar from yesterday to tomorrow", "'yesterday' is not a time"),
        ("override omar from 2027-02-29 to 2027-03-01", "there is no 2027-02-29"),
        ("override omar from 2026-11-20 to 2026-11-21", "entirely in the past"),
        ("override omar from 2026-12-20 to 2026-12-01", "ends before it begins"),
        ("override primry omar from today to tomorrow", "no rotation called 'primry'; did you mean 'primary'?"),
        ("take databse", "no rotation called 'databse'"),
        ("take", "Dana"),
        ("swap 2026-11-23", "Which two shifts"),
        ("swap 2026-11-24 with 2026-11-26", "already"),
        ("cancel", "Which one?"),
        ("cancel 7", "no override or absence number 7"),
        ("away", "Give a start and an end"),
        ("away 13:00", "Give a start and an end"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(typed: str, words: str) -> None:
    """With what would be right."""
    with pytest.raises(Refused) as refused:
        after(typed)
    assert words.lower() in plain(refused.value.words).lower()


def test_of_two_rotations_one_is_named() -> None:
    """There is no guessing."""
    with pytest.raises(Refused, match="Name it first: database, primary"):
        after("take", "UOMAR", second=True)
    assert after("take database", "UOMAR", second=True).overrides[0].rotation == "database"


def test_whoever_the_configuration_does_not_list_is_told_the_remedy() -> None:
    """They could not be paged."""
    with pytest.raises(Refused, match="You aren't set up in Tocsin"):
        after("take", "UZOE")


def test_a_day_on_which_two_shifts_begin_needs_a_time() -> None:
    """Shifts of twelve hours."""
    people = {key: {"slack": member} for key, member in MEMBERS.items()}
    rotation = {"people": ["dana", "omar"], "every": "12h", "handover": "Monday 08:00"}
    of = Company.model_validate({"policy": "kars", "people": people, "rotations": {"primary": rotation}})
    with pytest.raises(Refused, match="2 shifts begin on that day"):
        apply_command(
            OncallCommand("swap 2026-11-25 with 2026-11-26 20:00", "UDANA", of, Directory()), OncallState(), NOW
        )
    swapped = apply_command(
        OncallCommand("swap 2026-11-25 08:00 with 2026-11-25 20:00", "UDANA", of, Directory()), OncallState(), NOW
    )
    assert [s[5:] for s in spans(swapped)] == ["11-25 08:00 > 11-25 20:00", "11-25 20:00 > 11-26 08:00"]


# In Slack --------------------------------------------------------------------------------------------------------


def holding(office: Office) -> tuple[str, ...]:
    behind = office.world
    return on_call_at("primary", behind.company, behind.store.oncall_state(), behind.clock.now)


@pytest.mark.parametrize("typed", ["override @erik from 22:00 to 06:00", "away from 22:00 to 06:00"])
def test_bare_times_are_repeated_with_their_dates(office: Office, typed: str) -> None:
    """The end is the next morning, and the answer says so."""
    dana = office.person("dana")
    dana.command(f"oncall {typed}")
    said = dana.told("until")
    state = office.world.store.oncall_state()
    pieces: tuple[Override | Away, ...] = (*state.overrides, *state.away)
    (piece,) = pieces
    assert piece.ends - piece.starts == timedelta(hours=8)
    for at in (piece.starts, piece.ends):
        assert f"<!date^{int(at.timestamp())}^{{date" in said


def test_an_override_by_command(office: Office) -> None:
    """The answer says who is on call from when until when; the board shows it with its number."""
    paula = office.person("paula")
    ends = START + timedelta(days=1)
    paula.command(f"oncall override @erik from now to {ends:%Y-%m-%d %H:%M} because Dana is ill")
    said = paula.told("override by")
    assert f"<@{user('erik')}> is on call in primary" in said
    assert "Dana is ill" in said
    assert holding(office) == ("erik",)
    paula.command("oncall")
    assert "Take this shift" in paula.told("Override 1:")


@pytest.mark.parametrize(
    ("typed", "by", "told"),
    [
        ("take", "UOMAR", {"dana": "You are no longer on call", "omar": "You are on call"}),
        ("override mei from now to 18:00", "UOMAR", {"dana": "You are no longer on call", "mei": "You are on call"}),
        ("override dana from now to 18:00", "UOMAR", {}),
        ("swap with @omar", "UDANA", {"dana": "You are no longer on call", "omar": "You are on call"}),
        ("away @dana today", "UOMAR", {"dana": "You are away", "omar": "You are on call"}),
        ("away @mei today", "UOMAR", {"mei": "You are away"}),
    ],
)
def test_whoever_it_concerns_is_told_directly(typed: str, by: str, told: dict[str, str]) -> None:
    """Everybody whose time on call begins or ends by a change, but the one who made it: what, when, and by whom."""
    state, of = after(typed, by), company()
    (notice,) = state.notices
    assert set(notice.concerned()) == told.keys()
    due = due_reminders(of, kars(), state, Directory(), NOW)
    by_key = {member: key for key, member in MEMBERS.items()}[by]
    assert {r.to for r in due if isinstance(r, DueNotice) and r.to} == told.keys() - {by_key}
    for person, words in told.items():
        said = "\n".join(map(plain, Announcer(of, Directory()).personal_notice(notice, person)))
        assert words in said
        assert f"by @{by}" in said
        assert "2026-11-24" in said


def test_a_cancellation_is_told_to_the_same_people() -> None:
    """What was given is taken, what was taken is given back."""
    cancelled = after("cancel 1", "UMEI", after("override mei from now to 18:00", "UOMAR"))
    notice = cancelled.notices[-1]
    assert set(notice.concerned()) == {"dana", "mei"}
    words = "\n".join(map(plain, Announcer(company(), Directory()).personal_notice(notice, "dana")))
    assert "You are on call in primary from 2026-11-24 12:00" in words
    assert "Cancelled by @UMEI" in words


def test_a_notice_is_undone_by_whom_it_concerns(office: Office) -> None:
    """The notice then says so, and loses its button."""
    behind, erik = office.world, office.person("erik")
    paula = office.person("paula")
    paula.command("oncall override @erik from now to tomorrow 09:00")
    paula.told("override by")
    notice = behind.store.oncall_state().notices[-1]
    words = Announcer(behind.company, Directory()).personal_notice(notice, "erik")
    message = posted(office, "erik", oncall.personal_notice(words, undo_of(notice)))
    erik.press(message, UNDO, message["channel"])
    eventually(lambda: "*Cancelled* by" in text_of(office, "erik", message["ts"]))
    assert not behind.store.oncall_state().overrides
    assert UNDO not in text_of(office, "erik", message["ts"])
    assert set(behind.store.oncall_state().notices[-1].concerned()) >= {"erik"}


def test_a_shift_that_was_taken_by_command_is_given_back_with_undo(office: Office) -> None:
    """The answer to `oncall take` carries *Undo*: whoever took the shift by mistake gives it back with one press."""
    erik, before = office.person("erik"), holding(office)
    erik.command("oncall take")
    erik.told("is on call in primary")
    assert holding(office) == ("erik",)
    answer = next(m for m in erik.messages() if UNDO in str(m.get("blocks")))
    erik.press(answer, UNDO, erik.channel("general"))
    eventually(lambda: holding(office) == before)
    erik.told("cancelled by")


def test_guests_arrange_nothing(office: Office) -> None:
    """They may not declare either."""
    office.person("gus").command("oncall take")
    office.person("gus").told("Guests cannot")
    assert not office.world.store.oncall_state().overrides


def test_a_shift_is_taken_by_its_button(office: Office) -> None:
    """Under the board; a press on an old one takes nothing else."""
    behind, erik = office.world, office.person("erik")
    shift = shift_at("primary", behind.company, OncallState(), behind.clock.now)
    press(erik, TAKE, ShiftValue("primary", shift.starts).encode())
    eventually(lambda: holding(office) == ("erik",))
    press(office.person("sofia"), TAKE, ShiftValue("primary", shift.starts).encode())
    eventually(lambda: "That shift has ended or changed" in str(office.person("sofia").messages("tocsin")))
    assert holding(office) == ("erik",)


def press(person: Person, action_id: str, value: str) -> None:
    """On the Home tab, where the answer goes to direct messages."""
    view = eventually(lambda: person.home()["view"])
    action = {"block_id": "oncall-take", "action_id": action_id, "type": "button", "value": value}
    person._post("action", container={"type": "view", "view_id": view["id"]}, action=action)


def posted(office: Office, person: str, message: Any) -> dict[str, Any]:
    """A message of the app's in somebody's direct messages."""
    client = WebClient(office.workspace.bot_token, base_url=office.workspace.api_url)
    channel = client.conversations_open(users=user(person))["channel"]["id"]
    sent = client.chat_postMessage(channel=channel, text=message.text, blocks=message.blocks)
    return {"channel": channel, **sent["message"]}


def text_of(office: Office, person: str, ts: str) -> str:
    messages = office.person(person).messages("tocsin")
    return str(next(m for m in messages if m["ts"] == ts))


def test_a_test_page_is_answered_by_whom_it_is_for(office: Office) -> None:
    """The button goes, and what is left says when that was."""
    behind = office.world
    starts = shift_at("primary", behind.company, OncallState(), behind.clock.now).ends
    assert starts
    page = schedule.TestPage(rotation="primary", shift_start=starts, person="omar", sent_at=behind.clock.now)
    behind.service.update_oncall(lambda state, now: overrides.record_test_page(state, page))
    message = posted(office, "omar", oncall.test_page([("Are you there?",)], AnswerValue("primary", starts, "omar")))
    office.person("omar").press(message, ANSWER, message["channel"])
    eventually(lambda: behind.store.oncall_state().tests[0].answered_at)
    eventually(lambda: "You answered the test page" in text_of(office, "omar", message["ts"]))
    assert ANSWER not in text_of(office, "omar", message["ts"])


def test_a_test_page_of_somebody_else_is_not_answered(office: Office) -> None:
    """Its value says whom it is for, not whoever presses."""
    behind = office.world
    page = schedule.TestPage(rotation="primary", shift_start=START, person="omar", sent_at=START)
    behind.service.update_oncall(lambda state, now: overrides.record_test_page(state, page))
    message = posted(office, "mei", oncall.test_page([("Are you there?",)], AnswerValue("primary", START, "omar")))
    office.person("mei").press(message, ANSWER, message["channel"])
    office.person("mei").told("for somebody else", "tocsin")
    assert behind.store.oncall_state().tests[0].answered_at is None


def test_boxes_are_ticked_one_by_one(office: Office) -> None:
    """Who ticked what stands under it; what one person ticks, another does not untick."""
    message = posted(office, "dana", oncall.handover([("Handover",)], ["Access", "Runbook"], "primary-1"))
    tick(office, "dana", message, 0)
    eventually(lambda: f"<@{user('dana')}>" in text_of(office, "dana", message["ts"]))
    tick(office, "dana", message, 1)  # as that person still saw it
    eventually(lambda: text_of(office, "dana", message["ts"]).count(f"<@{user('dana')}>") >= 4)
    tick(office, "dana", message, 0, on=False)
    eventually(lambda: office.world.redis.hkeys("tocsin:ticks:primary-1") == [b"1"])


def tick(office: Office, person: str, message: dict[str, Any], n: int, *, on: bool = True) -> None:
    element = next(b for b in message["blocks"] if b["block_id"] == f"{TICK}-{n}")["elements"][0]
    action = {
        "block_id": f"{TICK}-{n}",
        "action_id": element["action_id"],
        "type": "checkboxes",
        "selected_options": element["options"] if on else [],
    }
    container = {"type": "message", "channel": message["channel"], "message_ts": message["ts"]}
    answer = office.person(person)._post("action", container=container, action=action)
    assert answer.get("ok"), answer


def test_help(office: Office) -> None:
    """One line for each thing that can be arranged."""
    office.person("dana").command("oncall help")
    office.person("dana").told("oncall override [rotation]")
