"""ETAs as people write them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.times import eta_instant

NOW = datetime(2024, 12, 18, 15, 0, tzinfo=UTC)  # 16:00 in Berlin


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("16:30", 30), ("by 16:30", 30), ("at 16:30.", 30), ("ETA: ~16:30", 30), ("4:30 pm", 30), ("5pm", 60),
        ("in half an hour", 30), ("half an hour", 30), ("in about 20 minutes", 20), ("20 min", 20), ("1h30m", 90),
        ("an hour", 60), ("1.5 hours", 90), ("two hours", 120), ("1 hour and 15 minutes", 75), ("within 45 mins", 45),
        ("15:00", 23 * 60), ("tomorrow 09:00", 17 * 60), ("2024-12-18 18:00", 120),
    ],
)  # fmt: skip
def test_an_eta_becomes_a_time(text: str, minutes: int) -> None:
    """A time of day is the next one in the company's zone; a length counts from now."""
    assert eta_instant(text, "Europe/Berlin", NOW) == NOW + timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "unknown", "soon", "when the vendor answers", "0 minutes", "25:00", "tomorrow"])
def test_other_words_stay_words(text: str) -> None:
    """What names no time is not guessed at."""
    assert eta_instant(text, "Europe/Berlin", NOW) is None


def test_a_length_follows_the_pace_of_the_clocks() -> None:
    """In a drill at ten times the pace, half an hour is three minutes."""
    assert eta_instant("30 minutes", "UTC", NOW, speed=10) == NOW + timedelta(minutes=3)


@given(st.text(max_size=40) | st.from_regex(r"(in |by |~)*[0-9.,:]{1,12} ?(h|m|min|pm|days)?", fullmatch=True))
def test_nothing_that_people_type_breaks_it(text: str) -> None:
    """It is a time to come, or no time."""
    found = eta_instant(text, "Europe/Berlin", NOW)
    assert found is None or found.tzinfo is not None
