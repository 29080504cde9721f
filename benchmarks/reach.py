"""Pages by SMS, call, push and mail: how soon a vendor has them, and what lost replies and killed workers do to them.

`python -m benchmarks.reach [--people N] [--incidents N]` runs the real workers against stand-ins of the vendors and
prints two tables. The first run is calm. In the second every vendor cuts half of its replies after it took the message,
the mail server after DATA, and every three seconds a process of the workers is killed, until the last incident is
declared. `--check` ends with 1 unless what docs/reaching.md promises was kept.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.numbers import percentile, time_of
from benchmarks.rig import Rig, http, rig, wait_until
from escalation.config.holders import Holder
from escalation.config.notify import Via
from escalation.config.policy import Severity
from escalation.incident.model import Incident
from escalation.incident.state.facts import Facts
from escalation.processes import PARTS
from escalation.service import IncidentService
from escalation.storage.store import Store
from tests.support.outside_services import MailServer, serving
from tests.support.vendors import push, twilio
from tests.support.vendors.push import NtfyStandIn, PushoverStandIn
from tests.support.vendors.server import Answer, Asked, Vendor, running
from tests.support.vendors.twilio import TwilioStandIn
from tocsin.config import loader
from workers.queue import outbox

ONCE = (Via.SMS, Via.CALL, Via.NTFY)  # what docs/reaching.md promises; the others are at least once
CHANNELS = (*ONCE, Via.PUSHOVER, Via.MAIL)
LOST = 0.5  # share of the replies that are cut
KILLED_EVERY = 3.0  # seconds
PATIENCE = 120.0  # seconds until everything has arrived
APART = 2.0  # seconds between two incidents
TIER = 3  # people whom one incident pages, as the first policy's first tier


@dataclass
class Desk:
    """The vendors, and when each took what for whom."""

    sms: TwilioStandIn
    pushover: PushoverStandIn
    ntfy: NtfyStandIn
    mail: MailServer
    taken: dict[Via, list[tuple[float, str, str]]] = field(default_factory=lambda: {via: [] for via in CHANNELS})

    def note(self, via: Via, to: str, words: str) -> None:
        """Note a message: now, its address, and what tells its incident."""
        self.taken[via].append((time.time(), to, words))

    def environment(self) -> dict[str, str]:
        """What sets the channels up."""
        return {
            "TWILIO_ACCOUNT_SID": twilio.SID,
            "TWILIO_AUTH_TOKEN": twilio.TOKEN,
            "TWILIO_FROM": twilio.NUMBER,
            "TWILIO_API_URL": self.sms.url,
            "PUSHOVER_TOKEN": push.APP_TOKEN,
            "PUSHOVER_API_URL": self.pushover.url,
            "NTFY_URL": self.ntfy.url,
            "NTFY_TOKEN": push.NTFY_TOKEN,
            "SMTP_URL": self.mail.url,
            "SMTP_FROM": "tocsin@example.com",
        }


@contextmanager
def desk(dice: random.Random | None) -> Iterator[Desk]:
    """Run the vendors during the block; with dice they cut replies."""
    with ExitStack() as stack:
        twilio, pushover = (
            stack.enter_context(running(TwilioStandIn())),
            stack.enter_context(running(PushoverStandIn())),
        )
        ntfy = stack.enter_context(running(NtfyStandIn()))
        mail = MailServer()
        stack.enter_context(mail)
        stack.enter_context(serving(mail))
        made = Desk(twilio, pushover, ntfy, mail)
        for vendor in (twilio, pushover, ntfy):
            _watch(made, vendor, dice)
        mail.loses = lambda taken: dice is not None and dice.random() < LOST
        yield made


def _watch(made: Desk, vendor: Vendor, dice: random.Random | None) -> None:
    """Note what a vendor takes, and have it cut the reply to half of that."""
    answer = vendor.answer

    def watched(asked: Asked) -> Answer:
        status, body = answer(asked)
        if asked.method == "POST" and status < 300 and not asked.path.endswith("/cancel.json"):
            _note(made, vendor, asked)
            vendor.lose = int(dice is not None and dice.random() < LOST)
        return status, body

    vendor.answer = watched  # type: ignore[method-assign]  # a stand-in that is watched


def _note(made: Desk, vendor: Vendor, asked: Asked) -> None:
    if vendor is made.ntfy:
        made.note(Via.NTFY, asked.json["topic"], asked.json["sequence_id"])
    elif vendor is made.pushover:
        made.note(Via.PUSHOVER, asked.form["user"].rstrip("0"), asked.form.get("tags", ""))
    elif asked.path.endswith("/Calls.json"):
        made.note(Via.CALL, asked.form["To"], asked.form["Twiml"])
    else:
        made.note(Via.SMS, asked.form["To"], asked.form["Body"])


def member(n: int) -> str:
    """Member id of the nth person."""
    return f"U0PERSON{n:03}"


def company(folder: Path, people: int) -> Path:
    """Write a configuration whose people are all on call, and have every method at once."""
    path = folder / "reach.yml"
    entries = {
        f"p{n}": {
            "slack": member(n),
            "phone": f"+49151{n:08}",
            "pushover": f"p{n}x".ljust(30, "0"),
            "ntfy": f"p{n}",
            "mail": f"p{n}@example.com",
        }
        for n in range(people)
    }
    steps = [{"by": ["slack", "push", "mail", "sms", "call"]}]
    roles = {"on_call": list(entries)}  # each incident pages some of them: `declared`
    path.write_text(yaml.safe_dump({"policy": "kars", "people": entries, "roles": roles, "notify": {"urgent": steps}}))
    return path


def declared(scene: Rig, path: Path, incidents: int) -> list[tuple[float, Incident]]:
    """Declare incidents one after the other; each with when that began."""
    store, loaded = Store(scene.redis, outbox.post), loader.load(path)
    made, everybody = [], list(loaded.company.people)
    for n in range(incidents):
        tier = [Holder(person=everybody[(n * TIER + i) % len(everybody)]) for i in range(TIER)]
        company = loaded.company.model_copy(update={"roles": {"on_call": tuple(tier)}})
        service = IncidentService(store, company, loaded.policy, store.now, set_up=frozenset(CHANNELS))
        began = time.time()
        made.append((began, service.declare(member(0), Severity.P0, Facts(title=f"Reach {n}"))))
        time.sleep(APART)
    return made


@contextmanager
def killing(scene: Rig, dice: random.Random) -> Iterator[Counter[str]]:
    """Kill a process of the workers every two seconds during the block."""
    killed, stop = Counter[str](), threading.Event()

    def run() -> None:
        while not stop.wait(KILLED_EVERY):
            alive = scene.alive()
            name = dice.choice([part for part in PARTS if part in alive] or [""])
            if name:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(alive[name], signal.SIGKILL)
                    killed[name] += 1

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()


def run(people: int, incidents: int, dice: random.Random | None) -> tuple[Desk, list[tuple[float, Incident]], int]:
    """Page everybody of all incidents by every method; returns the vendors, the incidents, and the kills."""
    with tempfile.TemporaryDirectory() as folder, desk(dice) as made:
        path = company(Path(folder), people)
        with rig(workers=2, extra=made.environment() | {"TOCSIN_CONFIG": str(path)}) as scene:
            http(f"{scene.workspace}/control/limits", {"on": False})
            for n in range(people):
                http(f"{scene.workspace}/control/users", {"name": f"p{n}", "id": member(n)})
            with killing(scene, dice) if dice else contextlib.nullcontext(Counter[str]()) as killed:
                known = declared(scene, path, incidents)
            store = Store(scene.redis, outbox.post)
            try:
                wait_until(lambda: not _pending(store, known), "every page", every=0.5, within=PATIENCE)
            except TimeoutError:
                print("still on their way:", _pending(store, known), file=sys.stderr)
            for mail in made.mail.mails:
                made.note(Via.MAIL, str(mail.message["To"]), str(mail.message["Message-ID"]))
        return made, known, sum(killed.values())


def _pending(store: Store, known: list[tuple[float, Incident]]) -> list[str]:
    """What is on its way beside Slack."""
    vias = set(map(str, CHANNELS))
    return [e.id + " " + e.carried_by for _, i in known for e in store.get(i.id).effects if e.carried_by in vias]


def counted(made: Desk, known: list[tuple[float, Incident]], via: Via) -> tuple[int, int, int]:
    """How many messages were wanted of a channel, never came, and came more than once."""
    wanted = TIER * len(known)
    per: Counter[tuple[str, str]] = Counter()
    for _, to, words in made.taken[via]:
        per[to, _incident(words, known)] += 1
    shown = dict.fromkeys(per, 1) if via is Via.NTFY else per  # the same sequence_id is shown once
    return wanted, wanted - len(shown), sum(n - 1 for n in shown.values())


def _incident(words: str, known: list[tuple[float, Incident]]) -> str:
    """Which incident a message is about; a call spells its title."""
    return next((i.id for _, i in known if i.id in words or f"{i.facts.title}." in words), "")


def broken(made: Desk, known: list[tuple[float, Incident]]) -> list[str]:
    """Name what docs/reaching.md promises of lost replies and was not kept."""
    found = []
    for via in CHANNELS:
        _, lost, doubled = counted(made, known, via)
        found += [f"{via.words}: {lost} lost"] if lost else []
        found += [f"{via.words}: {doubled} doubled"] if doubled and via in ONCE else []
    mails = {(to, words) for _, to, words in made.taken[Via.MAIL]}
    if len(mails) != len({(to, _incident(words, known)) for to, words in mails}):
        found.append("email: a repeat has another Message-ID")
    return found


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--incidents", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="end with 1 unless every promise was kept")
    asked: Any = parser.parse_args()
    made, known, _ = run(asked.people, asked.incidents, None)
    began = {incident.id: at for at, incident in known}
    took = [at - began[_incident(words, known)] for at, _, words in made.taken[Via.SMS]]
    print("| until Twilio has the SMS | p50 | p99 | max |\n| --- | ---: | ---: | ---: |")
    spread = " | ".join(time_of(percentile(took, share)) for share in (0.5, 0.99, 1.0))
    print(f"| {len(took)} pages, {TIER} at one instant | {spread} |\n")
    made, known, killed = run(asked.people, asked.incidents, random.Random(asked.seed))  # noqa: S311 - to be repeated
    print(f"| half of the replies cut, {killed} processes killed | wanted | lost | doubled |")
    print("| --- | ---: | ---: | ---: |")
    for via in CHANNELS:
        wanted, lost, doubled = counted(made, known, via)
        print(f"| {via.words}, {'once' if via in ONCE else 'at least once'} | {wanted} | {lost} | {doubled} |")
    if asked.check and (failures := broken(made, known)):
        sys.exit("; ".join(failures))


if __name__ == "__main__":
    main()
