"""Every message that people read, of both policies, on one page: `python -m tests.messages.rendered PAGE.md`.

Whole incidents are played against the local workspace with a pushed clock: each severity untouched, and each worked on
in every way; then commands, forms and Home by the bot. What was sent is shown once, in the words that were sent.
"""

import contextlib
import itertools
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from escalation.config.notify import OtherWays, Via
from escalation.config.policy import Severity
from escalation.engine.checkpoints import alarms
from escalation.incident.events import moves
from escalation.incident.events.moves import Answer, Move, MoveEvent
from escalation.incident.state.facts import Facts
from escalation.incident.state.leads import Lead
from escalation.service import IncidentService
from sandbox.server import running
from tests.support.bot import Json
from tests.support.clock import PushedClock
from tests.support.company import example, user
from tests.support.outside_services import mail_server
from tests.support.stage import Stage, stage
from tests.support.story import shipped
from tests.support.worker import Works, redis_of, through, works
from workers.channels.smtp import MailClient

SENDS = ("chat.postMessage", "chat.update", "chat.postEphemeral", "conversations.setTopic")
VIEWS = ("views.open", "views.update", "views.push", "views.publish")
ALL_WAYS = OtherWays(page=(Via.MAIL,), slack_down=(Via.MAIL,), after=timedelta(seconds=30))
VARIABLE = re.compile(r"(<[@#][^>]*>|@\w+)([, and]+(<[@#][^>]*>|@\w+))*|[\d.:]+( [AP]M)?|INC-[\d-]+|P#")
DATE = re.compile(r"<!date\^\d+\^[^|>]*\|([^>]*)>")
DANA, OMAR, MEI, PAULA = (user(key) for key in ("dana", "omar", "mei", "paula"))
Step = tuple[float, MoveEvent]


@dataclass
class Page:
    """The page as it grows: a heading for each story, below it what it says that no earlier one said."""

    lines: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def heading(self, text: str) -> None:
        """Begin a story."""
        self.lines += ["", f"## {text}", ""]

    def add(self, where: str, *texts: str) -> None:
        """Add a message that has a line of its own; lines that stand above (but for names and numbers) become …."""
        lines = [line for text in texts for line in DATE.sub(r"\1", text).splitlines() if line.strip()]
        marks = [VARIABLE.sub("#", line) for line in lines]
        if new := {mark for mark in marks if mark not in self.seen}:
            self.seen |= new
            shown = [line if mark in new else "…" for line, mark in zip(lines, marks, strict=True)]
            self.lines += [f"**{where}**", "", *(f"> {line}" for line, _ in itertools.groupby(shown)), ""]


def readable(node: Any) -> Iterator[str]:
    """What can be read of Block Kit, in order: texts as they are, buttons and options in brackets."""
    if isinstance(node, list):
        for part in node:
            yield from readable(part)
    elif isinstance(node, dict):
        words = node.get("text")
        if isinstance(words, str):
            yield words
        elif node.get("type") in ("button", "workflow_button") or "value" in node:
            yield f"[{' / '.join(readable(words))}]"
        else:
            yield from readable(words)
        for key in ("title", "label", "hint", "placeholder", "fields", "element", "elements", "accessory", "options",
                    "description", "confirm", "deny", "blocks", "child_blocks", "submit", "close"):  # fmt: skip
            yield from readable(node.get(key))


# Stories of the workers ------------------------------------------------------------------------------------------


def worked_on(severity: str) -> list[Step]:
    """Everything that people can do to an incident, up to its review and its second life."""
    other = "P1" if severity == "P0" else "P0"
    return [
        (3, moves.Acknowledge(by=DANA)),
        (4, moves.Acknowledge(by=OMAR)),
        (5, moves.TakeLead(by=OMAR, lead=Lead.COMMANDER)),
        (6, moves.TakeLead(by=OMAR, lead=Lead.COMMUNICATIONS, to=MEI)),
        (7, moves.PostUpdate(by=OMAR, progress="The pool is exhausted", next_steps="Restart", eta="16:30")),
        (8, moves.AnswerCommunication(by=MEI, n=1, answer=Answer.PUBLISHED)),
        (9, moves.PagePeople(by=OMAR, people=(user("bruno"),), why="Knows the pool")),
        (10, moves.Escalate(by=OMAR, why="Needs more hands")),
        (11, moves.Workaround(by=OMAR, text="Rolled back to 4.1")),
        (12, moves.RootCause(by=OMAR, cause="Connections leaked")),
        (13, moves.Edit(by=OMAR, impact="Nobody can pay with cards", outage=True)),
        (14, moves.StartFix(by=OMAR)),
        (20, moves.FixApplied(by=OMAR)),
        (25, moves.FixFailed(by=OMAR, text="Errors again")),
        (26, moves.Schedule(by=OMAR, when="sprint 12")),
        (30, moves.ChangeSeverity(by=OMAR, policy=shipped("kars").severities[Severity(other)], why="Worse")),
        (40, moves.FixApplied(by=OMAR)),
        (75, moves.Verify(by=OMAR, text="Payments go through")),
        (80, moves.Resolve(by=OMAR, summary="Leaked connections", resolution="Larger pool", next_steps="Review")),
        (85, moves.StateTimes(by=OMAR, began=PushedClock().now, ended=PushedClock().now + timedelta(minutes=70))),
        (90, moves.Reopen(by=DANA, why="It is back")),
        (95, moves.Resolve(by=DANA, summary="Leaked connections", resolution="Patched")),
        (3000, moves.Reviewed(by=DANA, text="Six follow-ups")),
    ]


def play(page: Page, name: str, severity: str, script: list[Step], until: float, policy: str, **facts: Any) -> None:
    """Play one incident; the steps that its policy refuses are left out."""
    page.heading(f"{policy} {severity}: {name}")
    clock = PushedClock()
    with redis_of("valkey") as redis, running() as workspace, mail_server() as smtp:
        company = example().model_copy(update={"other_ways": ALL_WAYS})
        parts = works(redis, workspace, clock, company)
        parts.service = IncidentService(parts.store, company, shipped(policy), clock)
        context = through(parts.context, mail=MailClient(smtp.url, "tocsin@example.com"))
        parts.context = replace(context, service=parts.service)
        said = Facts(**({"title": "Checkout is down", "impact": "Nobody can pay", "service": "checkout"} | facts))
        incident = parts.service.declare(PAULA, Severity(severity), said, "")
        for minute, event in [*script, (until, None)]:
            push_to(parts, incident.id, minute)
            if event is not None:
                with contextlib.suppress(Exception):  # refused by this policy in this state: not part of its story
                    parts.service.handle(incident.id, event)
        parts.run()
        show_calls(page, parts.look("control/calls")["calls"], parts.channels())
        for mail in smtp.mails:
            page.add(f"mail: {mail.subject}", mail.body)


def push_to(parts: Works, incident_id: str, minute: float) -> None:
    """Let the workers work until then, stopping at each alarm."""
    parts.run()
    start = parts.store.get(incident_id).declared_at
    target = start + timedelta(minutes=minute)
    while (due := min(alarms(parts.store.get(incident_id)).values(), default=None)) is not None and due <= target:
        parts.clock.now = max(due, parts.clock.now)
        parts.run()
    parts.clock.now = max(target, parts.clock.now)


def show_calls(page: Page, calls: list[Json], channels: list[Json]) -> None:
    """Show what each call would let people read."""
    names = {channel["id"]: f"#{channel['name']}" for channel in channels}
    for call in calls:
        arguments = call["args"]
        channel = str(arguments.get("channel", ""))
        where = names.get(channel, "direct message" if channel.startswith("D") else channel)
        if call["method"] in SENDS and not call["error"]:
            thread = ", in a thread" if arguments.get("thread_ts") else ""
            kind = call["method"].removeprefix("chat.").removeprefix("conversations.")
            text = str(arguments.get("text") or arguments.get("topic") or "")
            page.add(f"{where}{thread} ({kind})", text, *readable(arguments.get("blocks")))
        elif call["method"] in VIEWS:
            view = arguments["view"]
            page.add(f"{view['type']} ({call['method']})", *readable(view))


# A tour of the bot -----------------------------------------------------------------------------------------------

TYPED = (
    "", "help", "help all", "list", "list all", "list closed", "list mine", "show 001", "show 999", "show", "tickets",
    "contacts", "slo", "oncall", "oncall take", "oncall override @mei from now to 2030-01-01 09:00",
    "oncall swap @omar @mei", "oncall away @omar from 2030-01-01 to 2030-01-05", "oncall cancel 1", "oncal", "nonsense",
    "ack", "ack INC-19990101-001", "update", "severity P9", "severity P2 not so bad", "page @nobody",
    "page devops_lead Please look", "page executives", "lead commander", "lead communications @mei", "snooze 30m",
    "decline", "simulate P0", "simulate P2 --ack-after 20m", "simulate banana", "drill", "security", "resolve",
    "reopen", "cancel", "edit outage", "schedule", "verify", "reviewed",
)  # fmt: skip
FORMS = (Move.UPDATE, Move.SEVERITY, Move.PAGE, Move.EDIT, Move.LEAD, Move.SECURITY, Move.RESOLVE, Move.CANCEL)


def tour(page: Page) -> None:
    """Type every command and open every form while one incident is open."""
    page.heading("Commands, forms and Home")
    with stage() as play:
        dana = play.person("dana")
        play.declare(by="dana", service="checkout")
        play.until(6)
        for text in TYPED:
            dana.command(text)
        dana.home()
        for move in FORMS:
            with contextlib.suppress(Exception):  # not offered on this card
                dana.press(play.card(), move, play.card()["channel"])
        play.works.run()
        wait_for_quiet(play)
        for message in dana.messages():
            if message.get("ephemeral"):
                page.add("only the person sees", *(list(readable(message.get("blocks"))) or [message.get("text", "")]))
        show_calls(page, play.works.look("control/calls")["calls"], play.works.channels())


def wait_for_quiet(play: Stage) -> None:
    """Wait until no further answer arrives."""
    before, still = -1, 0
    while still < 5:
        now = len(play.works.look("control/calls")["calls"]) + len(play.person("dana").whispers())
        still, before = (still + 1 if now == before else 0), now
        time.sleep(0.2)


def by_severity(page: Page, policy: str, severity: str) -> None:
    """Play a severity untouched, then worked on in every way."""
    play(page, "nobody acts", severity, [], 1500, policy, outage=True)
    play(page, "worked on in every way", severity, worked_on(severity), 6000, policy)


def private_and_cancelled(page: Page, policy: str) -> None:
    """Play what is private later, private from the start, and cancelled."""
    security: list[Step] = [(5, moves.MarkSecurity(by=DANA, why="Leaked keys")), (20, moves.Acknowledge(by=DANA))]
    play(page, "marked as security later", "P0", security, 200, policy, data_loss=True)
    play(page, "security from the start", "P1", security[1:], 200, policy, security=True)
    play(page, "cancelled", "P0", [(3, moves.Cancel(by=DANA, why="A test alert"))], 60, policy)


def chapters() -> dict[str, Callable[[Page], None]]:
    """Return the chapters of the page by name; each adds to a page, and can be rendered alone."""
    listed: dict[str, Callable[[Page], None]] = {"commands": tour}
    for policy in ("kars", "beauty"):
        for severity in ("P0", "P1", "P2", "P3"):
            listed[f"{policy}-{severity}"] = partial(by_severity, policy=policy, severity=severity)
        listed[f"{policy}-private"] = partial(private_and_cancelled, policy=policy)
    return listed


def rendered() -> str:
    """Render the page in Markdown."""
    page = Page()
    page.lines.append("# Every message of both policies")
    for chapter in chapters().values():
        chapter(page)
    return "\n".join(page.lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(rendered())
