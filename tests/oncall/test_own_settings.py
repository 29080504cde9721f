"""`/incident me`: how I am reached, and what I set of it for myself."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.parsing.me import changed
from escalation.config.company import Company, Directory
from escalation.config.notify import By, NotifyStep, Via
from escalation.errors import Refused
from escalation.messages.methods import Reached, methods_lines
from escalation.notify.methods import methods_of
from escalation.notify.preferences import Preferences, parse_quiet
from escalation.oncall.overrides import set_preferences
from escalation.oncall.reminders import DueShift, due_reminders
from escalation.oncall.schedule import OncallState, next_shift
from escalation.text import text
from tests.support.bot import Office
from tests.support.company import example
from tests.support.story import START, kars
from tests.support.waiting import eventually


@pytest.fixture
def office(office: Office) -> Office:
    """With all that reaches people set up."""
    office.world.service.set_up = frozenset(Via)
    return office


def test_the_answer_says_how_i_am_reached_and_what_i_set(office: Office) -> None:
    """The steps by urgency, quiet hours and the next shift; what is set holds after a restart, and for Home."""
    dana = office.person("dana")
    dana.command("me")
    said = dana.told("How you are reached")
    assert "Nothing here wakes you" in said  # this company's people have no phone
    assert "Slack at once" in said
    dana.command("me quiet 22:00-07:00 Europe/Berlin")
    dana.told("22:00-07:00 (Europe/Berlin)")
    dana.command("me urgent push, 90s sms")
    own = eventually(
        lambda: next((p for p in office.world.store.oncall_state().preferences.values() if p.notify.urgent), None)
    )
    assert own
    assert own.notify.urgent == (
        NotifyStep(by=(By.PUSH,)),
        NotifyStep(after=timedelta(seconds=90), by=(By.SMS,)),
    )
    assert own.quiet == parse_quiet("22:00-07:00", "Europe/Berlin")
    assert "22:00-07:00 (Europe/Berlin)" in eventually(
        lambda: shown if "How you are reached" in (shown := str(dana.home()["view"])) else ""
    )


def test_each_of_my_methods_can_be_tested(office: Office) -> None:
    """A button for each stands below the answer and on Home; a command does the same, and a method I lack is named."""
    dana = office.person("dana")
    assert "me_test-slack" in eventually(lambda: shown if "me_test-" in (shown := str(dana.home()["view"])) else "")
    dana.command("me test slack")
    dana.told("The test by Slack")
    [trial] = office.world.store.oncall_state().trials
    assert (trial.by, trial.state, trial.member) == (By.SLACK, "asked", dana.id)
    dana.command("me test slack")
    dana.told("wait a minute")
    dana.command("me test pigeon")
    dana.told("Name one of your methods")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("quiet nights", "'nights' are no hours; write them like 22:00-07:00"),
        ("quiet 07:00-07:00", "quiet hours begin when they end"),
        ("quiet 22:00-07:00 Mars/Olympus", "Mars/Olympus"),
        ("urgent 1m pigeon", "'pigeon' is no contact method"),
        ("urgent 1m slack", "every page stands in Slack at once"),
        ("shift soon", "'soon' is not a duration"),
        ("louder", "Set one thing"),
        ("quiet", "Set one thing"),
    ],
)
def test_what_is_not_understood_says_how_to_write_it(typed: str, words: str) -> None:
    """Nothing is set by halves, and the answer shows the right form."""
    with pytest.raises(Refused) as refused:
        changed(Preferences(), typed, "UTC")
    assert words.lower() in str(refused.value).lower()


@pytest.mark.parametrize(
    ("has", "typed", "words"),
    [
        ({Via.SMS, Via.CALL, Via.MAIL}, "urgent mail", "Nothing in your order for urgent pages wakes you"),
        ({Via.SMS, Via.CALL, Via.MAIL}, "urgent mail, 1m sms", ""),
        ({Via.MAIL}, "urgent mail, 1m sms", "Nothing here wakes you. An admin can add ntfy or phone under people.dana"),
    ],
)
def test_whoever_would_sleep_through_is_told(has: set[Via], typed: str, words: str) -> None:
    """As soon as they set it, and whenever they look."""
    own, set_up = changed(Preferences(), typed, "UTC"), frozenset({Via.SMS, Via.CALL, Via.MAIL, Via.NTFY})
    entry = {"slack": "UDANA"} | {"email": "dana@example.com"} | ({"phone": "+4915112345678"} if Via.SMS in has else {})
    here = Company.model_validate({"policy": "kars", "people": {"dana": entry}})
    methods = methods_of(here, "dana", Directory(), own, set_up)
    said = text(methods_lines("dana", Reached(methods, frozenset(has), set_up, own, None)))
    assert words in said
    assert bool(words) == ("wakes you" in said)


def test_what_was_set_is_read_again() -> None:
    """Stored as JSON with everything else of on call, a first step at once included."""
    own = changed(Preferences(), "urgent push mail, 1m sms, 3m call", "UTC")
    state = set_preferences(OncallState(), "dana", changed(own, "shift 1d", "UTC"))
    assert OncallState.model_validate_json(state.model_dump_json()) == state


@pytest.mark.parametrize(
    ("at", "over"),
    [
        ("21:59", "21:59"),
        ("22:00", "07:00"),
        ("23:30", "07:00"),
        ("06:59", "07:00"),
        ("07:00", "07:00"),
        ("12:00", "12:00"),
    ],
)
def test_quiet_hours_go_over_midnight(at: str, over: str) -> None:
    """The evening they begin and the morning they end, to the minute."""
    hour, minute = map(int, at.split(":"))
    end = parse_quiet("22:00-07:00", "UTC").over_at(datetime(2026, 11, 28, hour, minute, tzinfo=UTC))
    assert f"{end:%H:%M}" == over
    assert end.day == (29 if hour >= 22 else 28)


def test_the_next_shift_is_announced_once_in_time() -> None:
    """A day before their next shift starts, and to nobody who did not ask."""
    company = example()
    following = next_shift("primary", company, OncallState(), START)
    assert following
    key = following.people[0]
    state = set_preferences(OncallState(), key, Preferences(shift_reminder=timedelta(days=1)))

    def due(at: datetime) -> list[str]:
        found = due_reminders(company, kars(), state, Directory(), at)
        return [o.to for o in found if isinstance(o, DueShift)]

    starts = following.starts
    assert due(starts - timedelta(days=1, seconds=1)) == []
    assert due(starts - timedelta(days=1)) == due(starts - timedelta(seconds=1)) == [key]
    assert due(starts) == []
