"""`tocsin retention`: remove what the configuration keeps no longer, or say what that would be."""

from dataclasses import asdict

import click

from escalation.records.retention import Retention, spoken_period
from escalation.storage.keeping import retention
from escalation.storage.keeping.audit import entries
from escalation.storage.keeping.retention import Due
from escalation.storage.store import Store
from tocsin.commands.incidents import NEEDS, open_store
from tocsin.commands.terminal import as_json, print_json, print_table
from tocsin.config import loader
from tocsin.config.settings import load


@click.command("retention")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--log", "log", is_flag=True, help="Only list what was removed so far, when and why: the audit log.")
@as_json
def retention_(dry_run: bool, log: bool, as_json: bool) -> None:
    """Remove what is older than `retention` in the configuration allows. Tocsin does so by itself once a day."""
    settings = load(NEEDS)
    rules, store = loader.load(settings.config).company.retention, open_store(settings)
    if log:
        _show_log(store, as_json)
        return
    now = store.now()
    found = retention.due(store, rules, now) if dry_run else retention.remove(store, rules, now)
    if as_json:
        print_json({"dry_run": dry_run, **asdict(found)})
    else:
        click.echo("\n".join(_lines(rules, found, dry_run)))


def _show_log(store: Store, as_json: bool) -> None:
    noted = entries(store.redis)
    if as_json:
        print_json(noted)
    elif not noted:
        click.echo("Nothing was removed yet.")
    else:
        print_table(("at", "did", "what"), [(entry["at"], entry["did"], entry["what"]) for entry in noted])


def _lines(rules: Retention, found: Due, dry_run: bool) -> list[str]:
    verb = "Would remove" if dry_run else "Removed"
    counts = {"closed": len(found.incidents)} | {kind: getattr(found, kind) for kind in _KINDS if kind != "closed"}
    lines = []
    for kind, what in _KINDS.items():
        period = getattr(rules, kind)
        lines.append(
            f"{verb} {counts[kind]} {what} older than {spoken_period(period)}."
            if period
            else f"Kept for ever: {what} (`retention.{kind}` is not set)."
        )
    lines += [f"  {incident_id}" for incident_id in found.incidents]
    return lines + [f"Kept: {incident_id}, {why}." for incident_id, why in found.kept.items()]


_KINDS = {
    "closed": "closed incidents",
    "alerts": "outcomes of alerts",
    "audit": "entries of the audit log",
    "oncall": "stretches of who was on call",
    "pay": "final pay reports",
}
