"""Run the month of both companies: `python -m benchmarks.month FOLDER [--only kars|beauty] [--no-pictures]`."""

import argparse
import json
import logging
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from benchmarks.month import company, documents, pictures
from benchmarks.month.check import compare
from benchmarks.month.company import Place
from benchmarks.month.script import MONTH, ORDINARY, YEAR, schedule
from benchmarks.month.stage import stage

BEGINS = datetime(YEAR, 2, 26, 8, tzinfo=UTC)
PLACES = {"kars": company.kars, "beauty": company.beauty}


def run(place: Place, folder: Path, *, ordinary: int = ORDINARY, days: int = 31, pictured: bool = True) -> list[str]:
    """Live through a company's month, write and picture what comes of it; returns what is wrong."""
    began, zone = time.monotonic(), ZoneInfo(place.zone)
    since = datetime(YEAR, MONTH, 1, tzinfo=zone).astimezone(UTC)
    last = date(YEAR, MONTH, 1) + timedelta(days=days)
    until = datetime(last.year, last.month, last.day, tzinfo=zone).astimezone(UTC)
    with stage(place, folder, BEGINS) as at_work:
        schedule(at_work, ordinary=ordinary)
        at_work.play(until + timedelta(hours=12))  # in which the reports of the period are sent
        documents.write(at_work, since, until)
        said, wrong = compare(at_work, since, until)
        print(f"{place.name}: lived through in {time.monotonic() - began:.0f} s", *said, sep="\n  ")
        if pictured:
            wide = pictures.take(at_work, f"{YEAR}-{MONTH:02d}")
            wrong += [f"{name} is wider than its screen" for name in wide]
            print(f"  {len(list((folder / 'pictures').glob('*.png')))} pictures")
    print(*(f"  WRONG: {text}" for text in wrong), sep="\n")
    (folder / "wrong.json").write_text(json.dumps(wrong, indent=1))
    return wrong


def main() -> int:
    """Run what the arguments say; 1 when a figure differs or a page does not fit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.month", description=__doc__)
    parser.add_argument("folder", type=lambda text: Path(text).resolve())  # the company's Redis works in a folder of it
    parser.add_argument("--only", choices=PLACES)
    parser.add_argument("--no-pictures", action="store_true")
    parser.add_argument("--days", type=int, default=31)
    parser.add_argument("--ordinary", type=int, default=ORDINARY)
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    wrong = []
    for name, place in PLACES.items():
        if asked.only in (None, name):
            shown = {"ordinary": asked.ordinary, "days": asked.days, "pictured": not asked.no_pictures}
            wrong += run(place(), asked.folder / name, **shown)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
