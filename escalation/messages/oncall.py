"""Words of recurring reminders: test pages, handovers, activities, and notices of overrides and absences. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import takewhile
from urllib.parse import urlencode

from escalation.config.company import Company, Directory
from escalation.config.policy import HandoverRules
from escalation.incident.model import Incident
from escalation.messages.entries.notices import MARKS
from escalation.messages.template import WORDING, Wording
from escalation.oncall.activities import CADENCE
from escalation.oncall.handovers import ShiftChange, call_length
from escalation.oncall.reminders import (
    DueActivity,
    DueAsleep,
    DueEdit,
    DueGroupFault,
    DueLeft,
    DueRelease,
    DueRestOffer,
    DueRestUnmet,
    DueShift,
    DueTestPage,
    DueUnanswered,
)
from escalation.oncall.rest import ANSWER_WITHIN
from escalation.oncall.schedule import Away, MovedShift, Notice, Override, RestDebt
from escalation.text import Line, Lines, Link, Person, Span, Strong, Time, Verbatim, agree, line, people
from escalation.times import spoken_duration
from escalation.values import PersonId

MAX_LISTED = 20
HOUR = 60  # minutes
COVERED = "The next person in the rotation covers their shifts."
# https://github.com/InteractionDesignFoundation/add-event-to-calendar-docs: Google documents it nowhere itself
CALENDAR = "https://calendar.google.com/calendar/render"


class Announcer:
    """Writer of the on-call messages, with people as the workspace knows them."""

    def __init__(self, company: Company, directory: Directory, wording: Wording = WORDING) -> None:
        self._company = company
        self._directory = directory
        self._wording = wording

    # Handovers -------------------------------------------------------------------------------------------------------

    def test_page(self, reminder: DueTestPage, rules: HandoverRules) -> Lines:
        """Render a test page for the incoming person."""
        change, within = reminder.change, spoken_duration(rules.answer_within)
        stay = agree(change.outgoing, "stays", "stay")
        stays = line("Until then, ", *self._people(change.outgoing), f" {stay} on call beside you.")
        return (
            line(Strong("📟 Test page: "), f"you are on call in {change.rotation} from ", _day(change.at), "."),
            line(f"Press the button within {within}, so that everybody knows that a page reaches you."),
            *((stays,) if change.outgoing else ()),
        )

    def unanswered(self, reminder: DueUnanswered) -> Lines:
        """Render the warning about an unanswered test page."""
        test = reminder.test
        who = Person(self._member(test.person))
        how = "has not answered the test page" if test.ts else "cannot be reached in Slack: the test page failed"
        verb = "stays" if len(reminder.outgoing) == 1 else "stay"
        until = f" {verb} on call beside them until they answer."
        stays = (line(*self._people(reminder.outgoing), until),) if reminder.outgoing else ()
        return (
            line(Strong("⚠️ Test page: "), who, f" {how} of ", _day(test.sent_at), "."),
            line("They are to be on call in ", Strong(test.rotation), " from ", _day(test.shift_start), "."),
            *stays,
            line("Call them, or take the shift: ", f"/incident oncall take {test.rotation}"),
        )

    def released(self, reminder: DueRelease) -> Lines:
        """Render the late answer to a test page."""
        test, answered = reminder.test, reminder.due
        who = Person(self._member(test.person))
        head = line(Strong("✅ Test page: "), who, " has answered, at ", _day(answered), ".")
        if not reminder.outgoing:
            return (head,)
        others = self._people(reminder.outgoing)
        if answered >= test.shift_start:
            return (head, line(*others, f" is released: {test.rotation} is with ", who, " alone now."))
        return (head, line(*others, f" hands {test.rotation} over at ", _day(test.shift_start), ", as planned."))

    def handover(self, change: ShiftChange, rules: HandoverRules, incidents: Iterable[Incident]) -> Lines:
        """Render the handover by its template, then the agenda, below which people add what Tocsin does not know."""
        length = call_length(self._company, rules, change.rotation)
        starts = self._company.calendar.next_opening(change.at)
        meeting = self._company.meeting_url
        lines = self._wording.lines(
            "handover",
            rotation=change.rotation,
            outgoing=self._people(change.outgoing) if change.outgoing else "",
            incoming=self._people(change.incoming),
            starts=_day(change.at),
            ends=_day(change.ends) if change.ends else "an open end",
            call=line(
                f"{spoken_duration(length)}, ", _day(starts), " (", self._invitation(change, starts, length), ")"
            ),
            meeting=Link(meeting, "join the call") if meeting else "",
            open_incidents=_incident_lines(incidents),
        )
        return (*lines, *_agenda(rules))

    def _invitation(self, change: ShiftChange, starts: datetime, length: timedelta) -> Link:
        stretch = "/".join(f"{at:%Y%m%dT%H%M%SZ}" for at in (starts, starts + length))
        fields = {"action": "TEMPLATE", "text": f"On-call handover: {change.rotation}", "dates": stretch}
        if self._company.meeting_url:
            fields["location"] = self._company.meeting_url
        return Link(f"{CALENDAR}?{urlencode(fields)}", "add to calendar")

    # The rest --------------------------------------------------------------------------------------------------------

    def activity(self, reminder: DueActivity, incidents: Iterable[Incident]) -> Lines:
        """Render the reminder of a recurring activity, with the open incidents that it lists."""
        activity = reminder.activity
        matching = [i for i in incidents if i.severity in activity.lists]
        lines = self._wording.lines(
            "activity",
            name=activity.title,
            cadence=CADENCE[activity.every],
            people=self._people(reminder.people) if reminder.people else "",
            about=activity.what,
            checklist=_incident_lines(matching),
        )
        severities = " or ".join(activity.lists)
        return (*lines, line(f"No {severities} is open.")) if activity.lists and not matching else lines

    def asleep(self, reminder: DueAsleep) -> Lines:
        """Render who cannot be woken this week, for which urgent tiers, and why; one line for each person."""
        tiers: dict[str, list[str]] = {}
        for gap in reminder.gaps:
            name = f"{gap.severity} tier {gap.tier} ({gap.name})"
            tiers.setdefault(gap.person or "", []).append(name)
        whys = {gap.person or "": gap.why.partition(": ")[2] for gap in reminder.gaps}
        listed = list(tiers.items())[:MAX_LISTED]
        more = len(tiers) - len(listed)
        return (
            line(Strong("😴 Nothing wakes them: "), "this week urgent pages reach these people by Slack or mail only."),
            *(
                line("• ", Person(self._member(key)), f": {', '.join(dict.fromkeys(of))}; {whys[key]}")
                for key, of in listed
            ),
            *((line(f"• and {more} more"),) if more else ()),
            line("/incident me shows how one is reached."),
        )

    def notice(self, notice: Notice) -> Lines:
        """Render who did what, from when until when, and why; one line for each override or absence."""
        return tuple(self._piece(notice, piece) for piece in notice.pieces)

    def group_fault(self, reminder: DueGroupFault) -> Lines:
        """Render why a user group does not follow its rotation."""
        fault = reminder.fault
        left_out = (line(*self._people(fault.people), ": not in it."),) if fault.people else ()
        head = Strong(f"⚠️ User group @{fault.group} is not up to date with rotation {reminder.rotation}: ")
        return (line(head, f"{fault.problem}."), *left_out)

    def edit(self, reminder: DueEdit) -> Lines:
        """Render an edit of a rotation: who stays until the handover, and whose shifts change after it."""
        kept = reminder.kept
        stays = () if kept.ends is None else (" until the handover at ", _day(kept.ends))
        return (
            line(
                Strong(f"📅 Rotation {kept.rotation} was edited. "),
                *self._people(kept.people),
                f" {agree(kept.people, 'stays', 'stay')} on call",
                *stays,
                ".",
            ),
            *(
                line("From ", _day(c.at), ": ", *self._people(c.after), " instead of ", *self._people(c.before), ".")
                for c in reminder.changes
            ),
        )

    def left(self, reminder: DueLeft) -> Lines:
        """Render that somebody is not on call any more, since they or the rotation left the configuration."""
        left, now = reminder.left, self._people(reminder.instead_on_call)
        what = f"Override {left.number} does not count any more" if left.number else "A shift ended early"
        gone = f"rotation {left.rotation}" if left.rotation not in self._company.rotations else left.person
        by = (", by ", Person(left.by)) if left.by else ()
        when = "now" if left.starts <= reminder.due else "then"
        again = f"/incident oncall override {left.rotation} @person from … to …"
        return (
            line(Strong(f"⚠️ {what}: "), f"{gone} is not in the configuration."),
            line(f"It was {left.person}'s, in {left.rotation}", *_stretch(left.starts, left.ends), *by, "."),
            line(f"On call {when}: ", *now, f". To arrange it anew: {again}"),
        )

    def shift(self, reminder: DueShift) -> Lines:
        """Render somebody's own reminder of their next shift."""
        change = reminder.change
        until = (" until ", _day(change.ends)) if change.ends else ()
        return (
            line(Strong("📅 Your next shift: "), Strong(change.rotation), ", from ", _day(change.at), *until, "."),
            line("Is your phone ready? /incident me shows how you are reached."),
        )

    def rest_offer(self, reminder: DueRestOffer) -> Lines:
        """Render the question whether somebody takes over from a person who is to rest."""
        debt = reminder.debt
        hours = f"{reminder.ask.minutes // 60} h" if reminder.ask.minutes >= HOUR else f"{reminder.ask.minutes} min"
        before = tuple(ask.person for ask in takewhile(lambda ask: ask.person != reminder.ask.person, debt.asked))
        asked = line("Asked before you: ", *self._people(before), ". You were on call for ")
        why = asked if before else line("Of those who can, you were on call least: ")
        within = spoken_duration(ANSWER_WITHIN)
        return (
            line(Strong("🛌 Can you take over? "), *self._tired(debt)),
            line(
                f"You would be on call in {debt.rotation}",
                *_stretch(max(debt.starts, reminder.due), debt.ends),
                ", so that they can rest.",
            ),
            line(*why, f"{hours} in the last 30 days."),
            line(f"If you say nothing for {within}, the next is asked as well."),
        )

    def rest_unmet(self, reminder: DueRestUnmet) -> Lines:
        """Render that nobody took over from a person who is to rest: for them, or for those who lead them."""
        debt, rotation = reminder.debt, reminder.debt.rotation
        hours = -(-(debt.ends - reminder.due) // timedelta(hours=1))
        asked = tuple(ask.person for ask in debt.asked)
        others = line("Asked: ", *self._people(asked), ".") if asked else line("Nobody else of the rotation is there.")
        if reminder.to == debt.person:
            known = line(*self._people(reminder.leads), " knows.") if reminder.leads else line("The channel knows.")
            head = Strong("🛌 Nobody could take over this morning. ")
            return (line(head, f"You stay on call in {rotation} until ", _day(debt.ends), "."), others, known)
        return (
            line(Strong("⚠️ Rest: nobody took over. "), *self._tired(debt)),
            line(f"They stay on call in {rotation} until ", _day(debt.ends), ". ", *others),
            line("Find somebody: ", f"/incident oncall override {rotation} @person for {hours}h"),
        )

    def _tired(self, debt: RestDebt) -> Line:
        return line(Person(self._member(debt.person)), " was paged at night and worked until ", Time(debt.worked), ".")

    def personal_notice(self, notice: Notice, person: str) -> Lines:
        """Render what a change means for one person (by key): when they are on call or away, and who did it."""
        lines = [self._moved(moved, person) for moved in notice.moved if moved.concerns(person)]
        away = [p for p in notice.pieces if isinstance(p, Away) and p.person == person]
        gone = notice.did == "cancelled"
        heads = [
            line(Strong("📅 You are no longer away" if gone else "📅 You are away"), *_stretch(p.starts, p.ends), ".")
            for p in away
        ]
        more = (line(f"and {len(lines) - MAX_LISTED} more shifts"),) if len(lines) > MAX_LISTED else ()
        why = "" if gone else next((p.why for p in notice.pieces if p.why), "")  # that of what is cancelled
        signed = line(f"{_DID[notice.did].capitalize()} ", Person(notice.by), f": {why}" if why else "", ".")
        return (*heads, *lines[:MAX_LISTED], *more, signed)

    def _moved(self, moved: MovedShift, person: str) -> Line:
        stretch = _stretch(moved.starts, moved.ends)
        if person in moved.people:
            instead = (", instead of ", *self._people(moved.former)) if moved.former else ()
            return line(Strong(f"📅 You are on call in {moved.rotation}"), *stretch, *instead, ".")
        take = agree(moved.people, "takes", "take")
        now = (*self._people(moved.people), f" {take} over") if moved.people else ("nobody is",)
        return line(Strong(f"📅 You are no longer on call in {moved.rotation}"), *stretch, ": ", *now, ".")

    def _piece(self, notice: Notice, piece: Override | Away) -> Line:
        cancelled = notice.did == "cancelled"
        state = f" is on call in {piece.rotation}" if isinstance(piece, Override) else " is away"
        signed: tuple[Span, ...] = (f" ({_DID[notice.did]} ", Person(notice.by), ")")
        why = (f": {piece.why}",) if piece.why else ()
        covered = () if cancelled or isinstance(piece, Override) else (". " + COVERED,)
        head = Strong("↩️ Cancelled: " if cancelled else "📅 On call: ")
        who = Person(self._member(piece.person))
        return line(head, who, state, *_stretch(piece.starts, piece.ends), *signed, *why, *covered)

    def _people(self, keys: tuple[str, ...]) -> Line:
        return people(tuple(self._member(key) for key in keys))

    def _member(self, key: str) -> PersonId:
        return self._company.member(key, self._directory) if key in self._company.people else key


_DID = {
    "took": "shift taken by",
    "override": "override by",
    "swapped": "swapped by",
    "away": "set by",
    "cancelled": "cancelled by",
}


def _agenda(rules: HandoverRules) -> Iterator[Line]:
    if rules.agenda:
        yield line(Strong("Agenda:"))
        yield from (line(f"• {point}") for point in rules.agenda)
        yield line(
            "Write planned maintenance and known issues into this thread; credentials only as their vault's path."
        )


def _incident_lines(incidents: Iterable[Incident]) -> Lines:
    """List the incidents that a channel may read, one line each."""
    public = [i for i in incidents if not i.private and not i.drill]
    lines = [
        line(f"{MARKS[i.severity]} {i.severity} ", Verbatim(i.facts.title), f" ({i.id})") for i in public[:MAX_LISTED]
    ]
    more = (line(f"and {len(public) - MAX_LISTED} more"),) if len(public) > MAX_LISTED else ()
    return (*lines, *more)


def _stretch(starts: datetime, ends: datetime) -> Line:
    return (" from ", _day(starts), " until ", _day(ends))


def _day(at: datetime) -> Time:
    return Time(at, clock=False)
