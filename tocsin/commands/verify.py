"""`tocsin verify`: show that the record was not changed, and that the figures follow from it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from escalation.figures.report import MEASURES
from escalation.storage.public.log import PublicLog
from escalation.storage.store import Store
from tocsin.commands.incidents import NEEDS, open_store
from tocsin.commands.terminal import as_json, print_json
from tocsin.config.settings import load

EVER = datetime.fromtimestamp(0, UTC)
CLOSED = ("resolved", "cancelled")
OUTSIDE = ("customers", "social")


@click.command()
@click.option("--figures", is_flag=True, help="Recompute the times of every incident from its timeline, and compare.")
@as_json
def verify(figures: bool, as_json: bool) -> None:
    """Verify the chain of the public log, and with --figures the figures. Exit code 1 for anything that differs."""
    store = open_store(load(NEEDS))
    broken = PublicLog(store.redis).broken()
    differing = list(_differing(store)) if figures else []
    if as_json:
        print_json({"public_log": {"broken": broken}, "figures": differing if figures else None})
    else:
        click.echo(f"Public log: {f'changed at {broken}' if broken else 'nothing was changed'}.")
        if figures:
            click.echo("\n".join(differing) or "Figures: every time follows from its timeline, to the millisecond.")
    raise SystemExit(1 if broken or differing else 0)


def _differing(store: Store) -> Iterator[str]:
    """Lines about times that differ from what the timeline says by a millisecond or more."""
    for seen in store.observations(EVER):
        document = json.loads(store.get(seen.id).model_dump_json(include={"status", "timeline", "communications"}))
        again = recomputed(document)
        for measure in MEASURES:
            found, expected = measure.of(seen), again[measure.key]
            if _shown(found) != _shown(expected):
                yield f"{seen.id}: {measure.title} is {_shown(found)}, by its timeline {_shown(expected)}"


def _shown(time: float | str | None) -> str:
    return "left out" if time is None or isinstance(time, str) else f"{time:.3f} s"


def recomputed(document: dict[str, Any]) -> dict[str, float | None]:
    """Times of an exported incident in seconds, from its timeline alone; None where there is none.

    It shares nothing with escalation.figures: the two check each other.
    """
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for entry in document["timeline"]:
        at = datetime.fromisoformat(entry["at"]).timestamp()
        first.setdefault(entry["kind"], at)
        last[entry["kind"]] = at
    over = document["status"] == "resolved"
    resolved = last.get("resolved") if over else None
    fix = last.get("fix_applied")
    means = {str(c["n"]): c["through"] for c in document["communications"] if c["plan"]["audience"] in OUTSIDE}
    told = (
        datetime.fromisoformat(e["at"]).timestamp()
        for e in document["timeline"]
        if (n := e["fields"].get("n")) in means and _says_it(e["kind"], e["fields"], means[n])
    )
    ends = {
        "mtta": (first.get("paged"), first.get("acknowledged")),
        "root_cause": (first["declared"], first.get("root_cause")),
        "fix": (first["declared"], fix if resolved is not None and fix is not None and fix <= resolved else None),
        "tell": (first["declared"], next(told, None)),
        "mttr": (first["declared"], resolved),
    }
    return {key: _between(*pair) if document["status"] in CLOSED else None for key, pair in ends.items()}


def _says_it(kind: str, fields: dict[str, str], means: list[str]) -> bool:
    """True if somebody outside heard by this entry: sent by us, by hand, or by one of its means that needs nobody."""
    if kind not in ("communication", "communicated"):
        return kind == "sent"
    answer, left_to_people = fields.get("answer", ""), fields["through"].replace(", ", ",").split(",")
    needs_nobody = any(m.replace("_", " ") not in left_to_people for m in means)
    return answer == "published" or (
        needs_nobody and (answer == "approved" or fields.get("state", "waiting") != "waiting")
    )


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None or end < start else end - start
