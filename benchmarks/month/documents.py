"""What a month leaves behind, written into files by Tocsin's own commands: record, reports, pay, reviews, mails."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from benchmarks.month.stage import Stage
from escalation.incident.model import Incident
from tocsin.cli import main

Json = dict[str, Any]


@dataclass(frozen=True)
class Commands:
    """Tocsin's command line over a company's running store."""

    stage: Stage

    def run(self, *words: str) -> str:
        """What a command prints. AssertionError with it when it fails."""
        folder = self.stage.folder
        env = {"TOCSIN_DATA": str(folder / "data"), "TOCSIN_CONFIG": str(folder / "tocsin.yml"), "REDIS_URL": None}
        done = CliRunner(env=env).invoke(main, list(words))
        assert done.exit_code == 0, f"tocsin {' '.join(words)}: {done.output}{done.exception or ''}"
        return done.stdout

    def data(self, *words: str) -> Json:
        """What a command prints as JSON."""
        return dict(json.loads(self.run(*words, "--json")))


def write(stage: Stage, since: datetime, until: datetime) -> None:
    """Write them all."""
    tocsin, folder = Commands(stage), stage.folder
    (record := folder / "record.jsonl").unlink(missing_ok=True)
    tocsin.run("export", "--all", "--to", str(record))
    period = ("--from", f"{since:%Y-%m-%dT%H:%M:%SZ}", "--to", f"{until:%Y-%m-%dT%H:%M:%SZ}")
    for name, words in {
        "report.txt": ("report", *period, "--mean"),
        "report.json": ("report", *period, "--json"),
        "report.csv": ("report", *period, "--csv"),
        "pay.txt": ("pay", *period),
        "pay.csv": ("pay", *period, "--csv"),
        "pay.json": ("pay", *period, "--json"),
    }.items():
        (folder / name).write_text(tocsin.run(*words), encoding="utf-8")
    _reviews(tocsin, folder / "reviews")
    _mails(stage, folder / "mails")


def to_review(stage: Stage) -> list[Incident]:
    """Every incident whose policy wants a review, the oldest first; private ones are for their responders alone."""
    return [i for i in reversed(stage.store.recent(1000)) if i.review_by and not i.private]


def _reviews(tocsin: Commands, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for incident in to_review(tocsin.stage):
        for form, end in (("markdown", "md"), ("html", "html"), ("confluence", "confluence.xml")):
            text = tocsin.run("review", incident.id, "--format", form)
            (folder / f"{incident.id}.{end}").write_text(text, encoding="utf-8")


def _mails(stage: Stage, folder: Path) -> None:
    """Each mail as it came, and the HTML of those that have one."""
    folder.mkdir(exist_ok=True)
    addresses = dict.fromkeys(to for to, _ in stage.mail.taken)
    for address in addresses:
        for n, mail in enumerate(stage.mail.to(address)):
            name = f"{address.partition('@')[0]}-{n:03d}"
            (folder / f"{name}.eml").write_bytes(mail.as_bytes())
            if html := mail.get_body(("html",)):
                (folder / f"{name}.html").write_text(html.get_content(), encoding="utf-8")
