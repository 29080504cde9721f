"""The whole program on a stage: the real bot in the local workspace, the workers' work, and a clock that is pushed.

Nothing of ours is replaced but the clock; what is asserted is what people see in Slack.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.render.button_value import MORE
from escalation.config.company import Company
from escalation.engine.checkpoints import alarms
from escalation.incident.events.moves import Move
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.facts import Status
from tests.support.bot import BotAtWork, Json, Person, everything, patient_workspace, running_bot
from tests.support.clock import PushedClock
from tests.support.company import example, user
from tests.support.story import START
from tests.support.waiting import eventually
from tests.support.worker import Works, redis_of, works


@dataclass
class Stage:
    """One bot, one worker, one workspace; at minute 0 nothing has happened."""

    works: Works
    bot: BotAtWork

    @property
    def incident(self) -> Incident:
        (incident,) = self.works.store.recent()
        return incident

    def entries(self, kind: EntryKind) -> list[Entry]:
        """The timeline's entries of a kind."""
        return [entry for entry in self.incident.timeline if entry.kind is kind]

    @property
    def minute(self) -> float:
        return (self.works.clock.now - START) / timedelta(minutes=1)

    def person(self, key: str) -> Person:
        return self.bot.person(key)

    # Time ------------------------------------------------------------------------------------------------------------

    def until(self, minute: float) -> None:
        """Push the clock, stopping at each alarm, and let the workers do what falls due there."""
        self.works.run()
        target = START + timedelta(minutes=minute)
        while (due := min(alarms(self.incident).values(), default=None)) is not None and due <= target:
            self.works.clock.now = max(due, self.works.clock.now)
            self.works.run()
        self.works.clock.now = target
        self.works.run()

    # People ----------------------------------------------------------------------------------------------------------

    def declare(self, by: str = "paula", severity: str = "P0", **fields: Any) -> Incident:
        """Type the command, fill the form, submit it, and let the workers work."""
        self.person(by).command("declare Checkout is down")
        view = self.person(by).modal("Declare")
        if fields.keys() - {b["block_id"] for b in view["blocks"]}:
            view = self.person(by).more_details(view)
        answer = self.person(by).submit(view, severity=severity, impact="Nobody can pay", **fields)
        assert answer.get("ok"), answer
        self.works.run()
        return self.incident

    def press(self, by: str, move: Move, **fields: Any) -> Incident:
        """Press a move's button on the newest card that this person sees, fill the form that it opens, and go on."""
        before, who = self.incident.stamp, self.person(by)
        card = self.card_of(by, move)
        buttons = {e["action_id"] for b in card["blocks"] for e in b.get("elements", []) if "action_id" in e}
        action = f"{move}-form" if fields and move is Move.CANCEL and self.incident.open else move  # else at one press
        if action in buttons:
            who.press(card, action, card["channel"])
        else:
            who.press(card, MORE, card["channel"])
            who.choose(who.modal("More actions"), action)
        if fields:
            form = eventually(lambda: view if fields.keys() <= fields_of(view := who.modal()) else None)
            answer = who.submit(form, **fields)
            assert answer.get("ok"), answer
        eventually(lambda: self.incident.stamp != before)
        self.works.run()
        return self.incident

    def command(self, by: str, text: str, channel: str = "general") -> Incident:
        """Type a command that acts at once."""
        before = self.incident.stamp
        self.person(by).command(text, channel)
        eventually(lambda: self.incident.stamp != before)
        self.works.run()
        return self.incident

    # What stands in Slack --------------------------------------------------------------------------------------------

    def state(self) -> Json:
        return dict(self.works.look("control/state"))

    def messages(self, channel: str) -> list[Json]:
        return [{**m, "channel": channel} for m in self.state()["messages"].get(channel, [])]

    def directs(self, key: str) -> list[Json]:
        """The app's direct messages to a person, oldest first."""
        (channel,) = [c["id"] for c in self.state()["channels"] if c.get("user") == user(key)] or [""]
        return self.messages(channel)

    def pages(self, key: str) -> list[str]:
        """What stood in the pages that a person got: one that was repeated was deleted, and is counted all the same."""
        (channel,) = [c["id"] for c in self.state()["channels"] if c.get("user") == user(key)] or [""]
        posts = (c["args"] for c in self.works.calls("chat.postMessage") if c.get("ok", True))
        return [everything(p) for p in posts if p["channel"] == channel and "You're being paged" in p["text"]]

    def card(self) -> Json:
        """The card with the thread, as it reads now."""
        copy = self.incident.card()
        assert copy
        return next(m for m in self.messages(copy.channel) if m["ts"] == copy.ts)

    def card_of(self, key: str, move: Move = Move.ACKNOWLEDGE) -> Json:
        """What somebody would press for a move: their newest page where it is offered there, else the card."""
        offering = [m for m in self.directs(key) if f"'value': '{move}|" in str(m.get("blocks"))]
        return offering[-1] if offering else self.card()

    def thread(self) -> str:
        """Everything that was said under the card."""
        card = self.card()
        replies = (m for m in self.messages(card["channel"]) if m.get("thread_ts") == card["ts"] != m["ts"])
        return "\n".join(everything(m) for m in replies)

    def room(self) -> Json:
        """The war room."""
        room = self.incident.room
        assert room
        return next(c for c in self.state()["channels"] if c["id"] == room.channel)

    def said_in(self, channel: str) -> str:
        return "\n".join(everything(m) for m in self.messages(channel))

    def settled(self, status: Status) -> None:
        """It ended so, nothing is left to do, and no message stands twice."""
        assert self.incident.status is status
        assert self.incident.effects == ()
        marks = [m["metadata"]["event_payload"]["delivery"] for m in self._marked()]
        assert len(marks) == len(set(marks))

    def _marked(self) -> Iterator[Json]:
        for messages in self.state()["messages"].values():
            yield from (m for m in messages if m.get("metadata"))


def fields_of(view: Json) -> set[str]:
    """The fields of a form that can be filled in."""
    return {block["block_id"] for block in view["blocks"] if block["type"] == "input"}


def company_of_that_week() -> Company:
    """The example company, with Dana on call and Omar as her backup when the clock starts."""
    company = example()
    rotation = company.rotations["primary"].model_copy(update={"first_shift": START.date()})
    return company.model_copy(update={"rotations": {"primary": rotation}})


@contextmanager
def stage(*, http: bool = False) -> Iterator[Stage]:
    """Slack's side stands at the real time, which signatures are checked against; ours is pushed."""
    with patient_workspace() as workspace, redis_of("valkey") as redis:
        parts = works(redis, workspace, PushedClock(), company_of_that_week())
        with running_bot(workspace, parts.service, http=http) as bot:
            eventually(lambda: len(parts.store.directory().names) > 5)
            yield Stage(parts, bot)
