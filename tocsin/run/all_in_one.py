"""`tocsin run`: everything in one go. Which processes there are, whether their ports are free, and the banner."""

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

PORT_WAIT = 3.0  # seconds: what a killed instance left behind is gone by then
BANNER_WAIT = 20.0  # seconds


def everything(settings: Settings, loaded: Loaded) -> None:
    """Run until Ctrl-C. FolderTaken when another instance runs on the folder, Refusal when a port is taken."""
    wiring.check_channels(settings, loaded)
    with embedded.claimed(settings.data, "tocsin.lock"):
        _ports_are_free(settings)
        supervisor = Supervisor(tuple(children(settings, loaded)), meanwhile=_import_rooms)
        supervisor.end_on_signals()
        supervisor.run()
    click.echo("Everything has ended. The next start goes on where it was.")


def workers(settings: Settings, loaded: Loaded) -> None:
    """One ticker, one sweep and one RQ worker for each queue, until told to end."""
    logs.setup("worker", settings.log_level, settings.secrets())
    wiring.check_channels(settings, loaded)
    wiring.import_worker()
    parts = tuple(Child(f"worker {part}", partial(wiring.worker_part, settings, loaded, part)) for part in PARTS)
    # It ends before the supervisor above it loses patience.
    supervisor = Supervisor(parts, grace=8.0)
    supervisor.end_on_signals()
    supervisor.run()


def children(settings: Settings, loaded: Loaded) -> Iterator[Child]:
    """What runs, the foundations first. It speaks up only when something is wrong: the banner is to stay readable."""
    quiet = replace(settings, log_level=settings.log_level or "WARNING")
    data, page = settings.data, settings.sandbox_listen
    if settings.redis_url is None:
        yield Child("valkey", partial(embedded.serve, data), 0, partial(embedded.running, data))
    if settings.local:
        yield Child("workspace", partial(wiring.local_workspace, quiet), 0, partial(_answers, page))
    yield Child("bot", partial(wiring.bot, quiet, loaded), 1)
    for n in range(settings.workers):
        yield Child(f"worker {n + 1}", partial(workers, quiet, loaded), 1)
    yield Child("banner", partial(_announce, settings), 2, lasts=False)


def _import_rooms() -> None:
    wiring.import_worker()
    wiring.import_bot()


def banner(settings: Settings) -> str:
    """What to open, what to try first, how to end."""
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


def _announce(settings: Settings) -> None:
    """Say it once the bot is able to work; after a while say it anyway, with what is not ready."""
    lifeline.hold()
    deadline = time.monotonic() + BANNER_WAIT
    while not (ready := _is_ready(settings.listen)) and time.monotonic() < deadline:
        time.sleep(0.05)
    if not ready:
        click.echo(f"\nNot everything is ready yet; {settings.listen.url}/readyz says what is missing.")
    click.echo(banner(settings))


def _ports_are_free(settings: Settings) -> None:
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


def _answers(address: Address) -> bool:
    try:
        socket.create_connection((address.host, address.port), timeout=1).close()
    except OSError:
        return False
    return True


def _is_ready(address: Address) -> bool:
    """Asked without any proxy: it is this machine."""
    host = "127.0.0.1" if address.host == "0.0.0.0" else address.host  # noqa: S104 - read, not bound
    connection = http.client.HTTPConnection(host, address.port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
