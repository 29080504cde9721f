"""The benchmark works: a tiny run of it, whose figures mean nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import likeness
from benchmarks.figures import measured
from benchmarks.load import TABLE
from benchmarks.numbers import percentile, size_of, time_of, times

ROOT = Path(__file__).parents[2]
LONG = 1800  # seconds; it ends what would never end


@pytest.mark.slow
def test_a_tiny_run_fills_the_table(tmp_path: Path) -> None:
    """Every part of it runs; what stands around the table stays."""
    page = tmp_path / "performance.md"
    page.write_text("before\n<!-- measured -->\nold\n<!-- /measured -->\nafter\n")
    command = [sys.executable, "-m", "benchmarks.load", "--tiny", "--no-peers", "--into", str(page)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=LONG)
    text = page.read_text()
    assert text.startswith("before\n<!-- measured -->\n| | Tocsin |")
    assert text.endswith("<!-- /measured -->\nafter\n")
    assert "old" not in text
    for what in (
        "decided and committed",
        "`tocsin run`",
        "Redis's data",
        "press Acknowledge",
        "`/incident list`",
        "readers",
        "subscribers",
        "critical alert",
    ):
        assert what in text


def test_a_report_is_measured_beside_a_floor() -> None:
    """Every form of it, over a few incidents."""
    assert set(measured(50)) == {"floor", "report", "slack", "mail", "page"}


def test_likeness_is_measured_beside_floors() -> None:
    """Likeness, search, filtered lists and what a commit pays for them, over a few incidents."""
    found = likeness.measured(50, tries=3)
    assert {"likeness", "search", "a filtered list"} < set(found)
    assert all(len(ours) == len(floor) == 3 for ours, floor in found.values())


@pytest.mark.slow
def test_lost_replies_lose_no_page_and_double_none_that_goes_once() -> None:
    """SMS, call, push and mail, half of whose replies are cut: nothing is lost, and a mail's repeat has its id."""
    command = [sys.executable, "-m", "benchmarks.reach", "--people", "9", "--incidents", "3", "--check"]
    done = subprocess.run(command, cwd=ROOT, check=False, timeout=LONG, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| email, at least once | 9 | 0 | " in done.stdout


@pytest.mark.slow
def test_the_first_days_of_the_scripted_month_are_recounted_to_the_millisecond(tmp_path: Path) -> None:
    """Incidents, reviews, mails and pay of both companies; no figure differs from the recount of the record."""
    command = [sys.executable, "-m", "benchmarks.month", str(tmp_path), "--days", "4", "--ordinary", "12"]
    done = subprocess.run(
        [*command, "--no-pictures"], cwd=ROOT, check=False, timeout=LONG, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for company in ("kars", "beauty"):
        assert f"{company}: lived through" in done.stdout
        assert list((tmp_path / company / "reviews").glob("INC-202603*.html"))
    assert done.stdout.count("Figures: every time follows from its timeline, to the millisecond.") == 2


@pytest.mark.slow
def test_pages_are_measured_amid_reports() -> None:
    """Bursts with and without people who read, and what they read meanwhile."""
    command = [sys.executable, "-m", "benchmarks.afterwards", "--tiny"]
    done = subprocess.run(command, cwd=ROOT, check=True, timeout=LONG, capture_output=True, text=True)
    assert "| … the P0's page is at Slack | " in done.stdout
    assert "× /reports/" in done.stdout
    assert "× report 30d" in done.stdout


def test_the_page_has_a_place_for_the_table() -> None:
    """Where `make bench` writes it."""
    assert len(TABLE.findall((ROOT / "docs" / "performance.md").read_text())) == 1


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (time_of(0.00421), "4.21 ms"),
        (time_of(1.3123), "1.31 s"),
        (size_of(12_345), "12.3 kB"),
        (size_of(45_600_000), "45.6 MB"),
        (times(3.0, 1.5), "2"),
        (times(3.0, 0.0), "–"),
        (str(percentile(range(1, 101), 0.99)), "99"),
        (str(percentile([7.0], 0.99)), "7.0"),
    ],
)
def test_figures_are_written_so_that_people_can_read_them(shown: str, expected: str) -> None:
    """Three figures are enough."""
    assert shown == expected
