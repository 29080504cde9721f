"""Command line. Exit codes: 0 success, 1 a check failed or a command was refused, 2 wrong usage."""

import click

from escalation.processes import PARTS, Part
from tocsin.commands import incidents
from tocsin.commands.actions import actions
from tocsin.commands.alerts import alerts
from tocsin.commands.check import check
from tocsin.commands.import_ import import_
from tocsin.commands.init import init
from tocsin.commands.oncall.pay import pay
from tocsin.commands.record.forget import forget
from tocsin.commands.record.retention import retention_
from tocsin.commands.record.verify import verify
from tocsin.commands.report import report
from tocsin.commands.review import review
from tocsin.commands.schema import schema
from tocsin.commands.slo import slo
from tocsin.commands.terminal import Commands
from tocsin.commands.trials.replay import replay_
from tocsin.commands.trials.simulate import simulate_
from tocsin.config import loader
from tocsin.config.settings import Settings, load
from tocsin.doctor.command import doctor
from tocsin.mcp.command import mcp
from tocsin.run import all_in_one, logs, wiring
from tocsin.watchdog.command import watchdog


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tocsin")
def main() -> None:
    """Incident escalation for Slack. `tocsin run` starts everything; without Slack tokens, in a local workspace."""


@main.command()
def run() -> None:
    """Run everything on this machine, until Ctrl-C."""
    settings = load()
    logs.setup("run", settings.log_level or "WARNING", settings.secrets())
    all_in_one.run_all(settings, loader.load(settings.config))


@main.command()
def bot() -> None:
    """Run the Slack side and the web app. Any number, on any machines."""
    settings = prepare("bot")
    wiring.bot(settings, loader.load(settings.config))


@main.command()
@click.option("--part", type=click.Choice(PARTS), help="Run only this part, without a supervisor.")
def worker(part: Part | None) -> None:
    """Run ticker, sweep and RQ workers, supervised. Any number, on any machines."""
    settings = prepare("worker")
    loaded = loader.load(settings.config)
    if part is None:
        all_in_one.run_worker(settings, loaded)
    else:
        wiring.check_channels(settings, loaded)
        wiring.worker_part(settings, loaded, part)


@main.command()
def sandbox() -> None:
    """Run only the local Slack workspace."""
    wiring.local_workspace(prepare("workspace", needs=("TOCSIN_SANDBOX_LISTEN", "TOCSIN_DATA", "LOG_LEVEL")))


def prepare(process: str, needs: tuple[str, ...] | None = None) -> Settings:
    """Read the settings and set up the logs."""
    settings = load(needs)
    logs.setup(process, settings.log_level, settings.secrets())
    return settings


for command in (
    init,
    check,
    import_,
    schema,
    doctor,
    incidents.list_,
    incidents.show,
    incidents.export,
    incidents.oncall,
    incidents.search,
    simulate_,
    replay_,
    slo,
    forget,
    retention_,
    alerts,
    report,
    pay,
    review,
    actions,
    verify,
    mcp,
    watchdog,
):
    main.add_command(command)
