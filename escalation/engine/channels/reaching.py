"""Reaching a person who is paged: the steps of their contact methods, and what became of each send.

The first step goes with the page; each later one is a checkpoint, moot once the page ended. A method that fails is
replaced by the next step at once, and so is Slack, for an urgent page, while it makes no sound for its person. Which
channel took what is kept on the page, and never goes back.
"""

from datetime import datetime

from escalation.config.notify import Via
from escalation.engine.change import Change
from escalation.incident.effects import PageBy, StopPage
from escalation.incident.events.outcomes import PageStatus
from escalation.incident.reach import Reach, ReachState
from escalation.incident.state.checkpoints import Checkpoint, CheckpointKind
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.pages import Page, PageState
from escalation.notify.methods import Step


def begin(change: Change, page: Page, skip: frozenset[Via] = frozenset()) -> None:
    """Send the first step of a page, or of its repeat, and set the checkpoints of the later ones.

    `skip` are channels to leave out of the first step.
    """
    page = page.model_copy(update={"silent_until": change.roster.silences.until(page.person, change.now)})
    change.replace_page(page)
    if change.incident.drill:
        return
    at_once, later = _steps(change, page)
    for via in at_once:
        if via not in skip:
            send(change, page.n, via)
    for step, due in later:
        change.arm(CheckpointKind.STEP, due, " ".join((str(page.n), *step.by)))


def begin_anew(change: Change) -> None:
    """Take the steps of all open pages from the start, by another severity's rule; what carried a page rings once.

    What repeats by itself until it is answered stops, where the page is not urgent any more.
    """
    change.disarm(CheckpointKind.STEP)
    for page in change.incident.pages:
        if page.state is PageState.OPEN:
            if not change.incident.policy.is_urgent(page.tier):
                _silence(change, page)
            begin(change, page, skip=frozenset(reach.via for reach in page.reached))


def _steps(change: Change, page: Page) -> tuple[list[Via], list[tuple[Step, datetime]]]:
    """The channels to use at once, and the later steps with their times. Quiet hours hold what is not urgent."""
    incident, methods = change.incident, change.roster.methods_of(page.person)
    urgent = incident.policy.is_urgent(page.tier)
    at_once = [] if methods.said else [via for via in incident.ways.page if not via.is_service]
    later: list[tuple[Step, datetime]] = []
    for step in methods.steps(urgent):
        due = change.now + incident.scaled(step.after)
        if methods.quiet and not urgent:
            due = methods.quiet.over_at(due)
        if due > change.now:
            later.append((step, due))
        else:
            at_once += [via for via in step.by if via not in at_once]
    if urgent and page.silent_until and later:
        step, _ = later.pop(0)
        at_once += [via for via in step.by if via not in at_once]
    return at_once, [(step, due) for step, due in later if not set(step.by) <= set(at_once)]


def take_step(change: Change, checkpoint: Checkpoint) -> None:
    """Take a later step of a page."""
    number, *channels = checkpoint.about.split()
    for via in channels:
        send(change, int(number), Via(via))


def send(change: Change, number: int, via: Via) -> None:
    """Send a page by a channel beside Slack."""
    page = change.incident.page(number)
    if via.once and any(reach.via is via for reach in page.reached):  # once for a page, however often it is repeated
        return
    effect = change.add_effect(PageBy, page=number, nth=page.sent, via=via)
    _keep(change, page, Reach(effect=effect.id, via=via, at=change.now))


def note_accepted(change: Change, effect: PageBy) -> None:
    """Record that a channel accepted a page. One that ended while it was on its way rings no longer than that."""
    if not _advance(change, effect.page, effect.id, ReachState.ACCEPTED):
        return
    page = change.incident.page(effect.page)
    if not (page.state is PageState.OPEN and change.incident.open):
        _silence(change, page)


def refused(change: Change, effect: PageBy, why: str) -> None:
    """Record that a method cannot reach its person; the next step is taken now."""
    _fail(change, effect.page, effect.id, why)


def not_sent(change: Change, effect: PageBy, why: str) -> None:
    """Record that a page was not sent by a channel; unless it had ended anyway, the next step is taken now."""
    if change.incident.page_to_send(effect):
        _fail(change, effect.page, effect.id, why)


def held_up(change: Change, effect: PageBy) -> None:
    """Take the next step now: a channel refuses us, and is tried again meanwhile. No other tier is paged for it."""
    if change.incident.page_to_send(effect):
        _take_next(change, effect.page)


def status(change: Change, event: PageStatus) -> None:
    """Record news of a page. A failure replaces the method by the next step, unless it is known already."""
    found = next((page for page in change.incident.pages if page.reach(event.effect)), None)
    if found is None:
        return
    if event.status is ReachState.FAILED:
        _fail(change, found.n, event.effect, event.why)
    else:
        _advance(change, found.n, event.effect, event.status)


def stop_alarms(change: Change) -> None:
    """Stop what repeats by itself of the pages that this event ended. Who answered by it has stopped it already."""
    was_open = {page.n for page in change.before.pages if page.state is PageState.OPEN} if change.before.open else set()
    for page in change.incident.pages:
        if page.n in was_open and not (page.state is PageState.OPEN and change.incident.open):
            _silence(change, page)


def _silence(change: Change, page: Page) -> None:
    """Stop the alarms of a page that repeat by themselves; one is stopped once."""
    stopped = {e.sent for e in change.incident.effects if isinstance(e, StopPage)}
    for reach in page.reached:
        rings = reach.via.repeats and reach.state in (ReachState.ACCEPTED, ReachState.DELIVERED)
        if rings and reach.effect not in stopped:
            change.add_effect(StopPage, sent=reach.effect, via=reach.via)


def answered(change: Change, page: Page) -> Page:
    """Return a page that was answered through a channel, with that on its record."""
    via = page.how.via if page.how else None
    latest = next((r for r in reversed(page.reached) if r.via is via), None)
    if latest is None:
        return page
    done = latest.model_copy(update={"state": ReachState.ANSWERED, "at": change.now})
    return _with(page, done)


def _advance(change: Change, number: int, effect_id: str, state: ReachState, why: str = "") -> bool:
    """Move a send to a later state; False if it is there already, or further."""
    page = change.incident.page(number)
    reach = page.reach(effect_id)
    if reach is None or state.rank <= reach.state.rank:
        return False
    _keep(change, page, reach.model_copy(update={"state": state, "at": change.now, "why": why}))
    change.advance_face(pages=False)
    return True


def _fail(change: Change, number: int, effect_id: str, why: str) -> None:
    if not _advance(change, number, effect_id, ReachState.FAILED, why):
        return
    page = change.incident.page(number)
    reach = page.reach(effect_id)
    via = str(reach.via) if reach else ""
    fields = {"via": "page_by", "channel": via}
    change.say(change.note(EntryKind.REFUSED, people=(page.person,), why=why, fields=fields))
    if page.state is PageState.OPEN and change.incident.open:
        _take_next(change, number)


def _take_next(change: Change, number: int) -> None:
    """Take the soonest waiting step of a page now."""
    waiting = [c for c in change.incident.checkpoints if c.kind is CheckpointKind.STEP and page_of(c) == number]
    if waiting:
        soonest = min(waiting, key=lambda c: c.due)
        change.remove(soonest)
        take_step(change, soonest)


def page_of(checkpoint: Checkpoint) -> int:
    """Number of the page that a step is about."""
    return int(checkpoint.about.split()[0])


def _keep(change: Change, page: Page, reach: Reach) -> None:
    change.replace_page(_with(page, reach))


def _with(page: Page, reach: Reach) -> Page:
    others = [r for r in page.reached if r.effect != reach.effect]
    known = [r.effect for r in page.reached]
    place = known.index(reach.effect) if reach.effect in known else len(known)
    return page.model_copy(update={"reached": (*others[:place], reach, *others[place:])})
