"""One incident as people live through it. A story is a generator that yields how long until its next act."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from benchmarks.month.stage import Acts, Stage
from escalation.incident.events.moves import (
    Acknowledge,
    Answer,
    AnswerCommunication,
    FixApplied,
    MoveEvent,
    PlanReview,
    PostUpdate,
    Resolve,
    Reviewed,
    RootCause,
    StartFix,
    StateTimes,
)
from escalation.incident.model import Incident
from escalation.incident.state.communications import OwedState
from escalation.incident.state.entries import EntryKind
from escalation.reviews.action_items import ActionItem, ItemState, closed
from escalation.storage.action_items import ActionItems
from escalation.storage.reviews import Reviews

# Minutes by severity: until somebody acknowledges, finds the cause, and the fix is applied; medians.
PACE = {"P0": (3, 14, 22), "P1": (9, 35, 50), "P2": (55, 120, 240), "P3": (150, 600, 1500)}
CAUSES = (
    "The connection pool was exhausted after the release",
    "A certificate had expired",
    "An index was missing for the new query",
    "The vendor's gateway answered with errors",
    "A default in the configuration had changed",
    "The disk of one host was full",
)
FIXES = ("Rolled the release back", "Raised the limit", "Renewed the certificate", "Restarted the workers")
WORDS = {
    "summary": "For {minutes} minutes {impact}. {cause}.",
    "root_cause": "1. {cause}.\n2. Nothing warned us of it before.\n3. The dashboard shows averages, which hid it.",
    "impact": "{impact}. Support answered 12 tickets.",
    "resolution": "{fix}; we watched it for half an hour.",
    "went_well": "The cause was found quickly, and the room knew at each moment who did what.",
    "improve": "- The alert came after the first customers.\n- Two people looked at the same logs without knowing it.",
    "preventive": "An alert on what was exhausted, and a test that would have shown it.",
    "process": "Releases of that service wait for the smoke test.",
    "actions": "Agreed in the meeting, with owners and days.",
    "lessons": "A default that differs from production is a change, even if nobody made one.",
}
ITEMS = ("Alert before the limit is reached", "Write down the rollback", "Test the failover", "Remove the old key")


@dataclass
class Telling:
    """What a story needs: the stage, its chance, and the incident once it is declared."""

    stage: Stage
    chance: random.Random
    id: str = ""
    who: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def incident(self) -> Incident:
        return self.stage.store.get(self.id)

    def do(self, event: MoveEvent) -> Incident:
        return self.stage.do(self.id, event)

    def about(self, minutes: float) -> timedelta:
        """About so long: people are never as punctual as a machine."""
        return timedelta(seconds=round(60 * minutes * self.chance.lognormvariate(0, 0.35), 3))

    def at_work(self) -> timedelta:
        """How long until somebody is at work: hardly, within the hours; else until the next opening and a coffee."""
        now = self.stage.clock.now
        return self.stage.loaded.company.calendar.next_opening(now) - now + self.about(20)

    # Parts of stories ------------------------------------------------------------------------------------------------

    def declared(self, by: str, severity: str, **facts: object) -> None:
        self.id = self.stage.declare(by, severity, **facts).id
        pages = self.incident.pages
        self.who = pages[0].person if pages else self.stage.member(self.chance.choice(self.stage.place.responders))

    def acknowledged(self, minutes: float | None = None) -> Acts:
        """Somebody acknowledges after about so long; what pages nobody waits for the office."""
        incident = self.incident
        if minutes is None and incident.severity in ("P2", "P3"):
            yield self.at_work()
        yield self.about(PACE[incident.severity][0] if minutes is None else minutes)
        if self.incident.pages and not self.who:
            self.who = self.incident.pages[0].person
        self.do(Acknowledge(by=self.who))

    def worked_on(self, cause: str = "", category: str = "") -> Acts:
        """Cause, fix, updates on the way: until the fix is applied."""
        _, to_cause, to_fix = PACE[self.incident.severity]
        yield from self.wait(self.about(to_cause))
        cause = cause or self.chance.choice(CAUSES)
        category = category or self.chance.choice(self.stage.place.categories)
        self.do(RootCause(by=self.who, cause=cause, category=category))
        self.notes.append(cause)
        yield self.about(3)
        self.do(StartFix(by=self.who, text="On it"))
        yield from self.wait(self.about(to_fix))
        self.do(FixApplied(by=self.who, text=self.chance.choice(FIXES)))

    def wait(self, length: timedelta) -> Acts:
        """Time passes; now and then somebody says how it stands, and publishes what people have to."""
        end = self.stage.clock.now + length
        while (left := end - self.stage.clock.now) > timedelta(minutes=27):
            yield min(left, self.about(25))
            if self.incident.severity in ("P0", "P1") and self.chance.random() < 0.8:
                self.do(PostUpdate(by=self.who, progress="Still looking; the error rate is stable", eta="in an hour"))
            self.published()
        yield max(left, timedelta(seconds=1))

    def published(self) -> None:
        """What waits for a person to publish it is published by hand, or declined."""
        for owed in self.incident.communications:
            if owed.state in (OwedState.WAITING, OwedState.OWED) and self.chance.random() < 0.85:
                said = Answer.PUBLISHED if owed.state is OwedState.OWED else Answer.DECLINED
                self.do(AnswerCommunication(by=self.who, n=owed.n, answer=said))

    def resolved(self, watch: float = 32) -> Acts:
        """Watched, then resolved; of what needs a review the review follows."""
        yield from self.wait(self.about(watch))
        incident = self.incident
        cause = self.notes[-1] if self.notes else "It went away"
        end = Resolve(
            by=self.who,
            summary=incident.facts.impact or incident.facts.title,
            resolution=cause,
            verification="Error rate at its usual level for half an hour",
            final_impact=incident.facts.impact,
            data_loss=bool(incident.facts.data_loss),
            category=incident.cause_category or self.chance.choice(self.stage.place.categories),
        )
        self.do(end)
        yield timedelta(minutes=4)
        self.published()
        self.times_stated()

    def times_stated(self) -> None:
        """Most say afterwards when the impact began, was detected and ended; some only a part, some are put right."""
        incident = self.incident
        luck = random.Random(f"{self.stage.place.name} times {incident.id}")  # noqa: S311  # not for secrets
        began = incident.declared_at - timedelta(seconds=round(luck.uniform(120, 1500), 3))
        detected = began + (incident.declared_at - began) * round(luck.random(), 3)
        ended = self.stage.clock.now - timedelta(seconds=round(luck.uniform(300, 1500), 3))
        said = {"began": began, "detected": detected, "ended": ended}
        again = any(entry.kind is EntryKind.TIMES for entry in incident.timeline)
        known = ["ended"] if again else [name for name in said if luck.random() < 0.8]
        if known:
            self.do(StateTimes(by=self.who, **{name: said[name] for name in known}))
        if "began" in known and luck.random() < 0.3:
            self.do(StateTimes(by=self.who, began=began - timedelta(seconds=90.25)))

    def reviewed(self, after: float = 20, *, held: bool = True) -> Acts:
        """The review, if one is needed: words, action items, and after so many hours it is held."""
        if self.incident.review_by is None:
            return
        yield timedelta(hours=after)
        yield self.at_work()
        incident = self.incident
        owner = (incident.review_work and incident.review_work.owner) or self.who
        minutes = round((incident.closed_at - incident.declared_at).total_seconds() / 60) if incident.closed_at else 0
        impact = incident.facts.impact or incident.facts.title
        facts = {"minutes": minutes, "impact": impact[:1].lower() + impact[1:], "cause": self.notes[-1], "fix": "Done"}
        rule = incident.policy.review
        sections = {s: WORDS[s].format(**facts) for s in (rule.sections if rule else ()) if s in WORDS}
        Reviews(self.stage.store.redis).write(self.id, dict(sections), owner, self.stage.clock.now)
        for _ in range(self.chance.randint(1, 3)):
            yield from self.noted(owner)
        if self.chance.random() < 0.3:
            self.do(PlanReview(by=owner, no_meeting="We met at the standup"))
        if held:
            yield self.about(90)
            self.do(Reviewed(by=owner, text="Held, and the action items are agreed on"))

    def noted(self, by: str, days: int | None = None) -> Acts:
        """An action item; most are commitments, some are done in time, some late, some are dropped."""
        due = self.stage.local().date() + timedelta(days=days or self.chance.randint(4, 16))
        owner = self.stage.member(self.chance.choice(self.stage.place.responders))
        now, idea, text = self.stage.clock.now, self.chance.random() < 0.2, self.chance.choice(ITEMS)
        service = self.incident.facts.service

        def make(item: str) -> ActionItem:
            mine = {} if idea else {"owner": owner, "due": due}
            return ActionItem(item, text, by, now, service=service, private=self.incident.private, **mine)  # type: ignore[arg-type]

        made = ActionItems(self.stage.store.redis).add(self.id, make)
        yield timedelta(minutes=2)
        if not idea and (fate := self.chance.random()) < 0.65:
            self.stage.later(timedelta(days=self.chance.randint(1, 14)), lambda: self._close(made, owner, fate))

    def _close(self, item: ActionItem, by: str, fate: float) -> None:
        state, why = (ItemState.DROPPED, "The old service goes away") if fate < 0.08 else (ItemState.DONE, "")
        now: Callable[[], datetime] = self.stage.clock
        ActionItems(self.stage.store.redis).change(item.id, lambda i: closed(i, state, by, now(), why))
