"""Paging and escalation: whom to page now, how to go on when a tier is empty, and what ends a page.

Open pages follow their roles: who holds one is asked again whenever something happens to an incident.
"""

from collections.abc import Iterable
from datetime import datetime

from escalation.config.notify import Via
from escalation.config.policy import SeverityPolicy
from escalation.engine import warroom
from escalation.engine.change import Change
from escalation.engine.channels import reaching, services
from escalation.errors import Refused
from escalation.incident.effects import SendPage
from escalation.incident.events.moves import Decline, Escalate
from escalation.incident.model import Incident
from escalation.incident.reach import How
from escalation.incident.responders import holders, in_roles
from escalation.incident.state.checkpoints import Checkpoint, CheckpointKind
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.pages import Page, PageState
from escalation.text import Line, Time, line
from escalation.times import spoken_duration
from escalation.values import PersonId


def page_tiers(
    change: Change, tiers: Iterable[int], why: str, by: PersonId = "", skip: frozenset[PersonId] = frozenset()
) -> None:
    """Page each of these tiers, but none twice: an empty one has paged the next already."""
    done: set[int] = set()
    for tier in tiers:
        if tier not in done:
            reached = page_tier(change, tier, why, by, skip)
            top = reached if reached >= tier else len(change.incident.policy.tiers)  # below: all above are empty
            done.update(range(tier, top + 1))


def page_tier(change: Change, tier: int, why: str, by: PersonId = "", skip: frozenset[PersonId] = frozenset()) -> int:
    """Page everybody on a tier; returns the tier reached. An empty one is reported, and the next is paged now.

    `skip` leaves out those who know already (who clicked, who is engaged): their tier does not count as empty.
    """
    policy = change.incident.policy
    if tier > len(policy.tiers):
        below = next_tier(change.incident)  # the top was paged for a reason of its own, skipping those in between
        if below is not None:
            return page_tier(change, below, f"{why}, and nobody is above", by, skip)
        _nobody_left(change, why)
        return tier
    _count_as_paged(change, tier)
    found = holders(change.incident, change.roster, tier)
    people = tuple(p for p in found if p not in skip)
    name = policy.tiers[tier - 1].name
    if found and not people:
        return tier
    if not people:
        fields = {"tier": str(tier), "name": name}
        change.say(change.note(EntryKind.SKIPPED, why=why, by=by, fields=fields))
        return page_tier(change, tier + 1, f"{why}, and tier {tier} ({name}) has nobody to page", by, skip)
    change.set(nobody_left=False)
    _page(change, people, tier, why, by)
    if policy.tiers[tier - 1].room:
        warroom.open_room(change)
    return tier


def _count_as_paged(change: Change, tier: int) -> None:
    change.set(tiers_paged=tuple(sorted({*change.incident.tiers_paged, tier})))


def page_people(
    change: Change, people: tuple[PersonId, ...], why: str, by: PersonId = "", roles: tuple[str, ...] = ()
) -> None:
    """Page people by name, or as holders of these roles: tier 0."""
    _page(change, people, 0, why, by, roles)


def _page(
    change: Change,
    people: tuple[PersonId, ...],
    tier: int,
    why: str,
    by: PersonId,
    roles: tuple[str, ...] = (),
) -> None:
    incident = change.incident
    name = incident.policy.tiers[tier - 1].name if tier else ""
    fields = {
        "tier": str(tier),
        "name": name,
        "empty_roles": ", ".join(incident.policy.role_name(r) for r in _empty_roles(change, tier)),
        "assigned": "" if tier else " ".join(p for p in people if p in incident.assigned),
    }
    entry = change.note(EntryKind.PAGED, why=why, by=by, people=people, fields=fields)
    for person in people:
        send_page(change, person, tier, why, roles_of(change, person, tier, roles))
    warroom.invite(change, people)
    change.say(entry)


def send_page(
    change: Change, person: PersonId, tier: int, why: str, roles: tuple[str, ...], moved_from: PersonId = ""
) -> None:
    """Page one person; an older open page of theirs is replaced, so that they do not have two."""
    pages = tuple(
        p.model_copy(update={"state": PageState.REPLACED}) if p.person == person and p.state is PageState.OPEN else p
        for p in change.incident.pages
    )
    page = Page(
        n=len(pages) + 1,
        tier=tier,
        rung=tier_name(change.incident.policy, tier),
        person=person,
        role=", ".join(change.incident.policy.role_name(r) for r in roles),
        roles=roles,
        moved_from=moved_from,
        why=why,
        at=change.now,
    )
    change.set(pages=(*pages, page))
    change.add_effect(SendPage, page=page.n)
    reaching.begin(change, page)
    services.begin(change)
    arm_repeat(change, page)
    if change.incident.ways.slack_down and not change.incident.drill:
        change.arm(CheckpointKind.FALLBACK, change.now + change.incident.ways.after, str(page.n))


def tier_name(policy: SeverityPolicy, tier: int) -> str:
    """Name a tier as `tier 4, Executives`; empty for a page by name."""
    return f"tier {tier}, {policy.tiers[tier - 1].name}" if tier else ""


def _fall_back_by(change: Change, page: Page, ways: tuple[Via, ...]) -> None:
    """Page by these channels what none of them has carried yet, unless it is a drill."""
    if change.incident.drill:
        return
    used = {reach.via for reach in page.reached}
    for via in (v for v in Via if v in ways and not v.is_service and v not in used):
        reaching.send(change, page.n, via)
    services.add(change, ways)


def fall_back(change: Change, fired: tuple[Checkpoint, ...]) -> None:
    """Page by other channels what Slack has not taken in time, and say so in the thread when Slack is back."""
    ways = change.incident.ways
    pages = tuple(change.incident.page(int(c.about)) for c in fired)
    for page in pages:
        _fall_back_by(change, page, tuple(w for w in ways.slack_down if w not in ways.page))
    fields = {"ways": ", ".join(ways.slack_down), "after": spoken_duration(ways.after)}
    people = tuple(dict.fromkeys(p.person for p in pages))
    change.say(change.note(EntryKind.OTHERWISE, people=people, why="Slack did not take the page", fields=fields))


def taken_by(change: Change, number: int, via: Via) -> None:
    """Note that another channel took a page. Readers care while Slack has not taken it."""
    page = change.incident.page(number)
    taken = page.model_copy(update={"taken_by": tuple(dict.fromkeys((*page.taken_by, via)))})
    change.replace_page(taken)
    if not change.incident.in_slack(page):
        change.advance_face()


def arm_repeat(change: Change, page: Page, at_latest: datetime | None = None) -> None:
    """Set the checkpoint that repeats a page, while the policy has repeats left for it."""
    repeat = change.incident.policy.repeats_of(page.tier)
    if repeat and page.sent <= repeat.times:
        due = change.now + change.incident.scaled(repeat.every)
        change.arm(CheckpointKind.REPEAT, min(due, at_latest or due), str(page.n))


def repeat_pages(change: Change, fired: tuple[Checkpoint, ...]) -> None:
    """Send unanswered pages again, with one line in the thread for all of them."""
    numbers = [int(c.about) for c in fired]
    pages = {n: change.incident.page(n).model_copy(update={"sent": change.incident.page(n).sent + 1}) for n in numbers}
    change.set(pages=tuple(pages.get(p.n, p) for p in change.incident.pages))
    for page in pages.values():
        change.add_effect(SendPage, page=page.n, nth=page.sent)
        reaching.begin(change, page)
        services.begin(change)
        arm_repeat(change, page)
    people = tuple(p.person for p in pages.values())
    change.say(change.note(EntryKind.REPEATED, people=people, why="the page was not acknowledged"))


def post_page_anew(change: Change, n: int) -> None:
    """Post an unanswered page once more, because its message was deleted: it is no repeat."""
    incident = change.incident
    waits = any(isinstance(e, SendPage) and e.page == n for e in incident.effects)
    if incident.open and incident.page(n).state is PageState.OPEN and not waits:
        change.add_effect(SendPage, page=n, nth=incident.page(n).sent)


def answer_page(change: Change, person: PersonId) -> None:
    """Mark a person's open page as answered: any sign of life of theirs answers it."""
    page = change.incident.open_page_of(person)
    if page:
        end_page(change, page, PageState.ANSWERED)


def cover_pages(change: Change, person: PersonId) -> None:
    """End the other open pages, now that somebody has acknowledged: their people are told who has it.

    Only an acknowledgement by somebody who was paged counts. Pages by name, and those of a tier whose rule says so,
    are for their person alone: they go on until that person answers.
    """
    incident = change.incident
    if all(p.person != person for p in incident.pages):
        return
    for page in incident.pages:
        if page.state is PageState.OPEN and page.person != person and ends_with_acknowledgement(incident, page):
            end_page(change, page, PageState.COVERED, (person,))


def ends_with_acknowledgement(incident: Incident, page: Page) -> bool:
    """True if a page ends once somebody else has acknowledged."""
    repeat = incident.policy.repeats_of(page.tier)
    return page.tier > 0 and (repeat is None or repeat.until == "acknowledged")


def end_page(
    change: Change, page: Page, state: PageState, to: tuple[PersonId, ...] = (), how: How | None = None
) -> None:
    """End a page: it is sent no more. `to`: who has it, or is paged, in place of its person. `how` it was answered."""
    ended = page.model_copy(update={"state": state, "to": to, "how": how or page.how})
    set_page(change, reaching.answered(change, ended) if how else ended)


def set_page(change: Change, page: Page) -> None:
    """Replace a page by its new state."""
    change.replace_page(page)
    change.advance_face()


def escalate_past(change: Change, page: Page, why: str) -> None:
    """Escalate past a page that was refused because of its person: page the next tier at once."""
    end_page(change, page, PageState.REFUSED)
    change.set(gone=tuple(dict.fromkeys((*change.incident.gone, page.person))))
    entry = change.note(EntryKind.REFUSED, people=(page.person,), why=why, fields={"tier": str(page.tier)})
    change.say(entry)
    following = page.tier + 1
    known = change.incident.nobody_left or following in change.incident.tiers_paged
    if page.tier and not known and not _top_tier_reached(change.incident, page.tier):
        page_tier(change, following, "a page of the tier before could not reach its person")


def _top_tier_reached(incident: Incident, tier: int) -> bool:
    """True if the top tier was paged and somebody else on it was reached: there is no need to escalate."""
    reached = (PageState.OPEN, PageState.ANSWERED, PageState.COVERED)
    return tier == len(incident.policy.tiers) and any(p.tier == tier and p.state in reached for p in incident.pages)


def next_tier(incident: Incident) -> int | None:
    """Return the tier that Escalate pages: the next above the highest paged, else one left out below, else None."""
    unpaged = [t for t in range(1, len(incident.policy.tiers) + 1) if t not in incident.tiers_paged]
    highest = max(incident.tiers_paged, default=0)
    return next((t for t in unpaged if t > highest), unpaged[0] if unpaged else None)


def next_tier_without(change: Change, people: frozenset[PersonId]) -> int | None:
    """Return the next tier to page if these people need no page: a tier that only they are on counts as paged."""
    while (tier := next_tier(change.incident)) is not None:
        on_it = frozenset(holders(change.incident, change.roster, tier))
        if not on_it or on_it - people:
            return tier
        _count_as_paged(change, tier)
        if change.incident.policy.tiers[tier - 1].room:
            warroom.open_room(change)
    return None


def roles_of(change: Change, person: PersonId, tier: int, roles: tuple[str, ...]) -> tuple[str, ...]:
    """Return the roles that a person is paged for: those they hold of the tier's, or of `roles` for a page by name."""
    if tier:
        roles = change.incident.policy.tiers[tier - 1].roles_for(change.incident.facts.security)
    return tuple(r for r in roles if person in in_roles(change.incident, change.roster, (r,)))


def _empty_roles(change: Change, tier: int) -> tuple[str, ...]:
    """Return the roles of a tier that nobody holds; a page by name has none."""
    if not tier:
        return ()
    roles = change.incident.policy.tiers[tier - 1].roles_for(change.incident.facts.security)
    return tuple(r for r in roles if not in_roles(change.incident, change.roster, (r,)))


def _nobody_left(change: Change, why: str) -> None:
    """Note that nobody is left to page. Empty tiers are tried again at their own time: somebody may be on call then."""
    incident = change.incident
    reached = {p.tier for p in incident.pages if p.tier and p.at >= incident.clock_from}
    change.set(nobody_left=True, tiers_paged=tuple(sorted(reached)))
    change.say(change.note(EntryKind.NOBODY_LEFT, why=why))


def escalate(change: Change, event: Escalate) -> None:
    """Page the next tier; Refused for a card that shows fewer tiers than were paged since: one click, one tier."""
    incident = change.incident
    if event.seen is not None and not set(incident.tiers_paged) <= set(event.seen):
        latest = incident.latest(EntryKind.PAGED)
        at = latest.at if latest else incident.declared_at
        raise Refused(line("Already escalated, at ", Time(at), ". See the card."))
    tier = next_tier_without(change, frozenset({event.by}))
    if tier is None and change.incident.tiers_paged != incident.tiers_paged:
        tier = max(change.incident.tiers_paged)  # only the person who clicked is on it: they are engaged now
        change.say(change.note(EntryKind.ESCALATED, by=event.by, why=event.why, fields={"tier": str(tier)}))
        return
    if tier is None:
        raise Refused("Every tier has been paged. Use *Page someone* to page people by name.")
    change.note(EntryKind.ESCALATED, by=event.by, why=event.why, fields={"tier": str(tier)})
    why = f"escalated manually: {event.why}" if event.why else "escalated manually"
    page_tier(change, tier, why, by=event.by, skip=frozenset({event.by}))


def decline(change: Change, event: Decline) -> None:
    """Decline one's own page: the next tier is paged at once, unless somebody has acknowledged already.

    Refused for somebody whose page is not open.
    """
    incident = change.incident
    page = incident.open_page_of(event.by)
    if page is None:
        raise Refused(_nothing_to_decline(incident, event.by))
    role = f"the {page.role}" if page.role else "somebody who was paged"
    why = f"{role} cannot take it" + (f": {event.why}" if event.why else "")
    declined = frozenset(p.person for p in _pages_of_this_round(incident) if p.state is PageState.DECLINED)
    unavailable = declined | {event.by}
    needed = incident.acknowledgement is None
    tier = next_tier_without(change, unavailable) if needed else None
    still_paged = tuple(p.person for p in incident.pages if p.state is PageState.OPEN and p.n != page.n)
    following = "next" if tier else "acknowledged" if not needed else "still paged" if still_paged else "nobody"
    entry = change.note(
        EntryKind.DECLINED,
        by=event.by,
        text=event.why,
        people=still_paged if following == "still paged" else incident.assigned if not needed else (),
        fields={"role": page.role, "following": following, **({"how": event.how} if event.how else {})},
    )
    end_page(change, page, PageState.DECLINED, incident.assigned if not needed else (), event.how)
    change.say(entry)
    if tier:
        page_tier(change, tier, why, skip=unavailable)
        paged = tuple(p.person for p in change.incident.pages[len(incident.pages) :])
        end_page(change, change.incident.page(page.n), PageState.DECLINED, paged)
    elif following == "nobody":
        _nobody_left(change, why)


def _pages_of_this_round(incident: Incident) -> tuple[Page, ...]:
    """Return the pages since the incident was declared, reopened or raised."""
    return tuple(p for p in incident.pages if p.at >= incident.clock_from)


def _nothing_to_decline(incident: Incident, person: PersonId) -> Line:
    if person in incident.assigned:
        return line("You have it: you acknowledged it. Escalate, or page somebody by name, to hand it on.")
    if any(p.person == person for p in incident.pages):
        return line("Your page has ended already: nobody waits for your answer.")
    return line("You were not paged for it, so there is nothing to decline.")


# Roles that change hands -----------------------------------------------------------------------------------------


def follow_roles(change: Change, by: PersonId = "") -> None:
    """Move the open pages of roles that changed hands, and say who is responsible for an acknowledged incident now.

    A role that nobody holds stays with who had it: a page to somebody who just left beats none.
    """
    if not change.incident.open:
        return
    for page in change.incident.pages:
        if page.state is PageState.OPEN and (lost := _lost_roles(change, page)):
            _move_page(change, page, lost, by)
        elif page.state is PageState.ANSWERED and page.person in change.incident.assigned:
            _move_responsibility(change, page, by)


def _lost_roles(change: Change, page: Page) -> tuple[str, ...]:
    """Return the roles of a page that others hold now. A person who was not found in Slack yet cannot be compared."""
    if not page.person[:1].isupper():
        return ()
    return tuple(r for r in page.roles if (held_by := _held_by(change, r)) and page.person not in held_by)


def _held_by(change: Change, *roles: str) -> tuple[PersonId, ...]:
    return in_roles(change.incident, change.roster, roles)


def _move_page(change: Change, page: Page, lost: tuple[str, ...], by: PersonId) -> None:
    """Page the new holders of these roles, unless they are paged already; its person keeps it for any other role."""
    successors = _held_by(change, *lost)
    names = _role_names(change, lost)
    entry = change.note(
        EntryKind.MOVED,
        by=by,
        people=successors,
        fields={"role": names, "from": page.person, "acknowledged": ""},
    )
    if kept := tuple(r for r in page.roles if r not in lost):
        set_page(change, page.model_copy(update={"roles": kept, "role": _role_names(change, kept)}))
    else:
        end_page(change, page, PageState.MOVED, successors)
    for person in successors:
        if not _is_paged(change, person):
            send_page(change, person, page.tier, page.why, lost, moved_from=page.person)
    warroom.invite(change, successors)
    change.say(entry)
    change.notify(entry, page.person)


def _is_paged(change: Change, person: PersonId) -> bool:
    """True if a person's latest page is open, or was answered since the clocks started."""
    latest = next((p for p in reversed(change.incident.pages) if p.person == person), None)
    if latest is None:
        return False
    answered = latest.state is PageState.ANSWERED and latest.at >= change.incident.clock_from
    return latest.state is PageState.OPEN or answered


def _move_responsibility(change: Change, page: Page, by: PersonId) -> None:
    """Say that reminders go to others now, because the roles for which somebody acknowledged are theirs."""
    lost = _lost_roles(change, page)
    successors = _held_by(change, *lost) if lost and len(lost) == len(page.roles) else ()
    if successors == page.to or any(
        p.state is PageState.OPEN and p.person == page.person for p in change.incident.pages
    ):
        return
    set_page(change, page.model_copy(update={"to": successors}))
    if not successors:
        return
    fields = {"role": _role_names(change, lost), "from": page.person, "acknowledged": "yes"}
    entry = change.note(EntryKind.MOVED, by=by, people=successors, fields=fields)
    change.say(entry)
    change.notify(entry, *(p for p in successors if p not in change.incident.assigned))
    warroom.invite(change, successors)


def _role_names(change: Change, roles: Iterable[str]) -> str:
    return ", ".join(change.incident.policy.role_name(r) for r in roles)
