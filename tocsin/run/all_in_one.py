"""`tocsin run`: start and supervise all processes on this machine, after a check of their ports; print the banner."""

import http.client
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import click

from escalation.processes import PARTS
from tocsin.config.addresses import Address
from tocsin.config.loader import Loaded
from tocsin.config.settings import Settings
from tocsin.errors import Refusal
from tocsin.run import embedded, lifeline, logs, wiring
from tocsin.run.redis import redis_name
from tocsin.run.supervisor import Child, Supervisor

PORT_WAIT = 3.0  # seconds: by then the processes of a killed instance have freed their ports
BANNER_WAIT = 20.0  # seconds


def run_all(settings: Settings, loaded: Loaded) -> None:
    """Run all processes until Ctrl-C. FolderTaken when another instance uses the folder, Refusal for a taken port."""
    wiring.check_channels(settings, loaded)
    with embedded.folder_lock(settings.data, "tocsin.lock"):
        _check_ports(settings)
        supervisor = Supervisor(tuple(children(settings, loaded)), preload=_import_packages)
        supervisor.end_on_signals()
        supervisor.run()
    click.echo("Everything has ended. The next start goes on where it was.")


def run_worker(settings: Settings, loaded: Loaded) -> None:
    """Run one ticker, one sweep and one RQ worker for each queue, until told to end."""
    logs.setup("worker", settings.log_level, settings.secrets())
    wiring.check_channels(settings, loaded)
    wiring.import_worker()
    parts = tuple(Child(f"worker {part}", partial(wiring.worker_part, settings, loaded, part)) for part in PARTS)
    # Less than the grace period of the supervisor above it.
    supervisor = Supervisor(parts, grace=8.0)
    supervisor.end_on_signals()
    supervisor.run()


def children(settings: Settings, loaded: Loaded) -> Iterator[Child]:
    """Children of the supervisor, by rank. They log warnings only by default, so that the banner stays readable."""
    quiet = replace(settings, log_level=settings.log_level or "WARNING")
    data, sandbox = settings.data, settings.sandbox_listen
    if settings.redis_url is None:
        yield Child("valkey", partial(embedded.serve, data), 0, partial(embedded.running, data))
    if settings.local:
        yield Child("workspace", partial(wiring.local_workspace, quiet), 0, partial(_accepts_connections, sandbox))
    yield Child("bot", partial(wiring.bot, quiet, loaded), 1)
    for n in range(settings.workers):
        yield Child(f"worker {n + 1}", partial(run_worker, quiet, loaded), 1)
    yield Child("banner", partial(_print_banner, settings), 2, restart=False)


def _import_packages() -> None:
    wiring.import_worker()
    wiring.import_bot()


def banner(settings: Settings) -> str:
    """Text printed at the start: what to open, what to try first, how to stop."""
    speed = f"{settings.speed:g} times as fast as the policy says" if settings.speed != 1 else "as the policy says"
    local = (
        "",
        f"  Open   {settings.sandbox_listen.url}",
        "         A whole Slack workspace, on this machine only. Choose at the top whom you act as.",
        "  Try    /incident declare Checkout is down",
        "         Then switch to whoever is paged, and acknowledge. Or do not, and see who is paged next.",
    )
    return "\n".join(
        (
            "",
            "Tocsin is running.",
            *(local if settings.local else (f"  Slack  {settings.api_url}",)),
            "",
            f"  Clocks run {speed} (TOCSIN_SPEED).",
            f"  State  {redis_name(settings)}",
            f"  Health {settings.listen.url}/readyz",
            "  Ctrl-C ends everything; nothing is lost, and the next start goes on where it was.",
            "",
        )
    )


def _print_banner(settings: Settings) -> None:
    """Print the banner once the bot is ready, or after BANNER_WAIT with a pointer to what is not."""
    lifeline.exit_with_supervisor()
    deadline = time.monotonic() + BANNER_WAIT
    while not (ready := _is_ready(settings.listen)) and time.monotonic() < deadline:
        time.sleep(0.05)
    if not ready:
        click.echo(f"\nNot everything is ready yet; {settings.listen.url}/readyz says what is missing.")
    click.echo(banner(settings))


def _check_ports(settings: Settings) -> None:
    """Wait for the ports to be free. Refusal when one is not after PORT_WAIT."""
    wanted = {"TOCSIN_LISTEN": settings.listen}
    if settings.local:
        wanted["TOCSIN_SANDBOX_LISTEN"] = settings.sandbox_listen
    deadline = time.monotonic() + PORT_WAIT
    for variable, address in wanted.items():
        while not _is_free(address):
            if time.monotonic() > deadline:
                raise Refusal(f"{address} is taken by another program. End it, or set {variable} to another host:port.")
            time.sleep(0.1)


def _is_free(address: Address) -> bool:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError:
            return False
    return True


def _accepts_connections(address: Address) -> bool:
    try:
        socket.create_connection((address.host, address.port), timeout=1).close()
    except OSError:
        return False
    return True


def _is_ready(address: Address) -> bool:
    """True if the bot's /readyz answers 200. No proxy is used: it is this machine."""
    host = "127.0.0.1" if address.host == "0.0.0.0" else address.host  # noqa: S104 - read, not bound
    connection = http.client.HTTPConnection(host, address.port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
