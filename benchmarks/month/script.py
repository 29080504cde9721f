"""The month: stories with a point of their own, ordinary ones between them, and what happens on call."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from benchmarks.month.stage import Acts, Stage
from benchmarks.month.telling import Telling
from escalation.config.policy import Severity
from escalation.incident.events.moves import (
    Acknowledge,
    Cancel,
    ChangeSeverity,
    Decline,
    FixApplied,
    FixFailed,
    MarkSecurity,
    Reopen,
    Schedule,
    TakeLead,
    Workaround,
)
from escalation.incident.state.facts import Detection, Facts
from escalation.incident.state.leads import Lead
from escalation.oncall.overrides import add_absence, add_override, swap_shifts

YEAR, MONTH = 2026, 3  # the clocks of Europe go forward on the 29th; the month ends the first quarter
ORDINARY = 42
Story = Callable[[Telling], Acts]


def schedule(stage: Stage, *, ordinary: int = ORDINARY) -> None:
    """Have every story begin at its time, and everything that happens on call."""
    zone = ZoneInfo(stage.place.zone)
    for number, (day, hour, minute, story) in enumerate(SPECIAL):
        chance = random.Random(f"{stage.place.name} {number}")  # noqa: S311  # not for secrets
        at = datetime(YEAR, MONTH, 1, hour, minute, number, tzinfo=zone) + timedelta(days=day - 1)
        stage.begin(at, story(Telling(stage, chance)))
    chance = random.Random(stage.place.name)  # noqa: S311  # not for secrets
    for number in range(ordinary):
        day, hour = chance.randint(1, 31), chance.choice((*range(9, 18), *range(9, 18), *range(24)))
        severity = chance.choices(("P0", "P1", "P2", "P3"), (1, 5, 8, 4))[0]
        service, title, impact = chance.choice(stage.place.breaks[severity])
        at = datetime(YEAR, MONTH, day, hour, chance.randint(0, 59), chance.randint(0, 59), number * 1000, zone)
        facts = {"title": title, "impact": impact, "service": service}
        own = Telling(stage, random.Random(f"{stage.place.name} ordinary {number}"))  # noqa: S311  # the same
        stage.begin(at, ordinarily(own, severity, facts))
    for day, act in ((6, an_absence), (10, an_override), (17, a_swap)):
        stage.begin(datetime(YEAR, MONTH, day, 11, tzinfo=zone), act(stage))


def ordinarily(t: Telling, severity: str, facts: dict[str, str], **more: object) -> Acts:
    """Acknowledged, understood, fixed, watched, resolved, reviewed."""
    reporter = t.stage.member(t.chance.choice(t.stage.place.responders))
    t.declared(reporter, severity, **facts, **more)
    yield from t.acknowledged()
    if severity == "P3":
        t.do(Schedule(by=t.who, when="the next sprint"))
    yield from t.worked_on()
    yield from t.resolved()
    yield from t.reviewed()


def breaks(t: Telling, severity: str, n: int = 0) -> dict[str, str]:
    """What breaks in a story: the n-th of a severity."""
    service, title, impact = t.stage.place.breaks[severity][n]
    return {"title": title, "impact": impact, "service": service}


# Stories -------------------------------------------------------------------------------------------------------------


def a_night(t: Telling) -> Acts:
    """A P0 at night, acknowledged in time, with customers told; reviewed in time."""
    facts = breaks(t, "P0")
    public = "Payments are not possible at the moment. We are working on it."
    t.declared(t.stage.on_call(), "P0", **facts, outage=True, public_wording=public, detection=Detection.MONITORING)
    yield from t.acknowledged(3)
    yield from t.worked_on("A release halved the connection pool", t.stage.place.categories[4])
    yield from t.resolved()
    yield from t.reviewed(8)


def unanswered_at_night(t: Telling) -> Acts:
    """A P0 that nobody acknowledges for most of an hour: it escalates to the top."""
    t.declared(t.stage.member(t.stage.place.manager), "P0", **breaks(t, "P0", 2), major_impact=True)
    yield timedelta(minutes=52)
    t.who = t.stage.member(t.stage.place.manager)
    t.do(Acknowledge(by=t.who))
    yield from t.worked_on("The disk of the primary was full", t.stage.place.categories[0])
    yield from t.resolved()
    yield from t.reviewed(30)


def long(t: Telling) -> Acts:
    """A P1 of more than seven hours: the first fix fails, a workaround helps, the review is late."""
    t.declared(t.stage.member(t.stage.place.responders[0]), "P1", **breaks(t, "P1", 1), outage=True)
    yield from t.acknowledged(12)
    yield from t.worked_on("The vendor's gateway answered with errors", t.stage.place.categories[3])
    yield t.about(10)
    t.do(FixFailed(by=t.who, text="One request in ten still fails"))
    yield from t.wait(timedelta(hours=2))
    t.do(Workaround(by=t.who, text="Traffic goes through the second provider"))
    yield from t.wait(timedelta(hours=3, minutes=40))
    t.do(FixApplied(by=t.who, text="The vendor rolled back"))
    yield from t.resolved()
    yield from t.reviewed(70)


def reopened(t: Telling) -> Acts:
    """It comes back an hour after it was resolved."""
    t.declared(t.stage.on_call(), "P1", **breaks(t, "P1", 2))
    yield from t.acknowledged(7)
    yield from t.worked_on("A cache kept the old key", t.stage.place.categories[1])
    yield from t.resolved()
    yield timedelta(minutes=61)
    t.do(Reopen(by=t.who, why="The errors are back"))
    yield t.about(6)
    t.do(Acknowledge(by=t.who))
    yield from t.wait(timedelta(minutes=35))
    t.do(FixApplied(by=t.who, text="Cleared the cache of every host"))
    yield from t.resolved()
    yield from t.reviewed()


def first_of_two(t: Telling) -> Acts:
    yield from ordinarily(t, "P1", breaks(t, "P1", 0))


def recurrence(t: Telling) -> Acts:
    """The same service and category again within thirty days: it needs a review, whatever its severity."""
    t.declared(t.stage.member(t.stage.place.responders[1]), "P2", **breaks(t, "P1", 1), description="As last week")
    yield from t.acknowledged()
    yield from t.worked_on("The vendor's gateway answered with errors again", t.stage.place.categories[3])
    yield from t.resolved()
    yield from t.reviewed()


def security(t: Telling) -> Acts:
    """A security incident, private from its beginning."""
    facts = {"title": "A former colleague's token was used", "impact": "Read access to one repository"}
    t.declared(t.stage.member("devops" if t.stage.place.name == "beauty" else "sofia"), "P0", **facts, security=True)
    yield from t.acknowledged(4)
    yield from t.worked_on("The token was never revoked", t.stage.place.categories[4])
    yield from t.resolved()
    yield from t.reviewed()


def becomes_security(t: Telling) -> Acts:
    """It turns out to be one later on."""
    t.declared(t.stage.on_call(), "P2", **breaks(t, "P2", 1))
    yield from t.acknowledged()
    yield t.about(30)
    t.do(MarkSecurity(by=t.who, why="The file was read from outside"))
    yield from t.worked_on("A link without a check of rights", t.stage.place.categories[1])
    yield from t.resolved()
    yield from t.reviewed(held=False)


def false_alarm(t: Telling) -> Acts:
    t.declared(t.stage.member(t.stage.place.responders[2]), "P1", **breaks(t, "P1", 3))
    yield from t.acknowledged(5)
    yield t.about(12)
    t.do(Cancel(by=t.who, why="The dashboard was wrong"))


def duplicate(t: Telling) -> Acts:
    """Declared while another one of the same is open."""
    t.declared(t.stage.member(t.stage.place.responders[3]), "P1", **breaks(t, "P1", 1))
    yield timedelta(minutes=9)
    others = [i for i in t.stage.store.open_incidents() if i.id != t.id and i.facts.service == t.incident.facts.service]
    t.do(Cancel(by=t.who, duplicate_of=others[0].id if others else "", why="" if others else "Nothing was wrong"))


def alerted(t: Telling, *, real: bool) -> Acts:
    """An alert declares it; it ends by itself, and it was real or not."""
    service = t.stage.place.breaks["P1"][0][0]
    before = {i.id for i in t.stage.store.open_incidents()}
    t.stage.alert("HighErrorRate", service, "critical" if real else "warning")
    new = [i for i in t.stage.store.open_incidents() if i.id not in before]
    if not new:
        return
    t.id, pages = new[0].id, new[0].pages
    t.who = pages[0].person if pages else t.stage.on_call()
    yield from t.acknowledged(8)
    if real:
        yield from t.worked_on()
    t.stage.alert("HighErrorRate", service, "critical" if real else "warning", firing=False)
    yield t.about(5)
    if not real:
        t.do(Cancel(by=t.who, why="The threshold is too low"))
        return
    yield from t.resolved()
    yield from t.reviewed()


def takeover(t: Telling) -> Acts:
    """Whoever is paged declines, another one acknowledges, and a third takes the lead."""
    t.declared(t.stage.member(t.stage.place.manager), "P1", **breaks(t, "P1", 1))
    yield t.about(4)
    t.do(Decline(by=t.who, why="On a train without a laptop"))
    t.who = t.stage.on_call("backup") if t.stage.place.name == "kars" else t.stage.member(t.stage.place.manager)
    yield from t.acknowledged(6)
    yield t.about(15)
    t.do(TakeLead(by=t.stage.member(t.stage.place.responders[1]), lead=Lead.COMMANDER))
    yield from t.worked_on()
    yield from t.resolved()
    yield from t.reviewed()


def made_worse(t: Telling) -> Acts:
    """Declared as a P2, and a P0 half an hour later."""
    t.declared(t.stage.on_call(), "P2", **breaks(t, "P2", 0))
    yield from t.acknowledged(20)
    yield t.about(30)
    worse = t.stage.service.severity(Severity("P0"))
    t.do(ChangeSeverity(by=t.who, policy=worse, why="Everybody is affected"))
    yield t.about(4)
    yield from t.worked_on()
    yield from t.resolved()
    yield from t.reviewed()


def lost_data(t: Telling) -> Acts:
    """A P2 with data loss needs a review as well; nobody holds it."""
    t.declared(t.stage.member(t.stage.place.responders[1]), "P2", **breaks(t, "P2", 2), data_loss=True)
    yield from t.acknowledged()
    yield from t.worked_on("A migration dropped a column", t.stage.place.categories[0])
    yield from t.resolved()


def drill(t: Telling) -> Acts:
    by, facts = t.stage.member(t.stage.place.manager), Facts(title="The region is lost")
    made = t.stage.service.declare(by, Severity("P0"), facts, key="drill", drill_speed=1.0)
    t.id, t.who = made.id, made.pages[0].person
    yield from t.acknowledged(2)
    yield from t.worked_on()
    yield from t.resolved()


def never_resolved(t: Telling) -> Acts:
    """A P2 that is still open when the month is over, acknowledged late."""
    t.declared(t.stage.member(t.stage.place.responders[0]), "P2", **breaks(t, "P2", 3))
    yield timedelta(hours=30)
    t.do(Acknowledge(by=t.who))


def untouched(t: Telling) -> Acts:
    """A P1 on the last evening that nobody has acknowledged yet."""
    t.declared(t.stage.member(t.stage.place.responders[1]), "P1", **breaks(t, "P1", 3))
    yield from ()


SPECIAL: tuple[tuple[int, int, int, Story], ...] = (
    (3, 2, 40, a_night),
    (4, 10, 15, first_of_two),
    (5, 14, 5, partial(alerted, real=True)),
    (9, 8, 50, takeover),
    (10, 11, 10, long),
    (10, 13, 30, duplicate),
    (11, 3, 20, unanswered_at_night),
    (12, 15, 0, false_alarm),
    (13, 10, 30, drill),
    (16, 9, 20, security),
    (17, 22, 45, partial(alerted, real=False)),
    (18, 16, 30, recurrence),
    (20, 4, 10, partial(alerted, real=False)),
    (21, 12, 0, reopened),
    (24, 10, 0, made_worse),
    (25, 9, 40, becomes_security),
    (26, 11, 30, lost_data),
    (29, 1, 50, a_night),  # the clocks go forward while it is open
    (30, 13, 0, never_resolved),
    (31, 19, 30, untouched),
)


# On call -------------------------------------------------------------------------------------------------------------


def an_override(stage: Stage) -> Acts:
    """Somebody takes an evening for somebody else."""
    rotation, people = stage.place.rotation, stage.loaded.company.rotations[stage.place.rotation].people
    start = stage.clock.now + timedelta(hours=7, minutes=30)
    company, person = stage.loaded.company, people[0]
    stage.service.update_oncall(
        lambda before, now: add_override(
            before, company, rotation, person, start, start + timedelta(hours=5, minutes=20), now, why="A concert"
        )
    )
    yield from ()


def a_swap(stage: Stage) -> Acts:
    """Two swap what is left of this week and the next one."""
    company, now = stage.loaded.company, stage.clock.now
    stage.service.update_oncall(
        lambda before, at: swap_shifts(before, company, stage.place.rotation, now, now + timedelta(days=7), at)
    )
    yield from ()


def an_absence(stage: Stage) -> Acts:
    """Somebody is away for two days of their shift, and the next one covers."""
    people = stage.loaded.company.rotations[stage.place.rotation].people
    start = stage.clock.now + timedelta(days=6)
    stage.service.update_oncall(
        lambda before, now: add_absence(
            before, stage.loaded.company, people[2], start, start + timedelta(days=2), now, why="Flu"
        )
    )
    yield from ()
