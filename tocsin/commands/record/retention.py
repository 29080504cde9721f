"""`tocsin retention`: remove what the configuration keeps no longer, or say what that would be."""

import click

from escalation.records.retention import Retention, spoken_period
from escalation.storage.keeping import retention
from escalation.storage.keeping.retention import Due
from tocsin.commands.incidents import NEEDS, open_store
from tocsin.config import loader
from tocsin.config.settings import load


@click.command("retention")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
def retention_(dry_run: bool) -> None:
    """Remove what is older than `retention` in the configuration allows. Tocsin does so by itself once a day."""
    settings = load(NEEDS)
    rules, store = loader.load(settings.config).company.retention, open_store(settings)
    now = store.now()
    found = retention.due(store, rules, now) if dry_run else retention.remove(store, rules, now)
    click.echo("\n".join(_lines(rules, found, dry_run)))


def _lines(rules: Retention, found: Due, dry_run: bool) -> list[str]:
    verb = "Would remove" if dry_run else "Removed"
    counts = {"closed": len(found.incidents), "alerts": found.alerts, "audit": found.audit}
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


_KINDS = {"closed": "closed incidents", "alerts": "outcomes of alerts", "audit": "entries of the audit log"}
