"""Working copy of one decision: collects changed fields, timeline entries, effects and checkpoints."""

from datetime import datetime
from typing import Any

from escalation.config.rules.checkpoints import Moment
from escalation.engine import checkpoints
from escalation.incident.effects import Effect, Invite, OpenRoom, Place, Say, Tell, effect_id
from escalation.incident.model import Incident
from escalation.incident.places import PLACES, Where
from escalation.incident.state.checkpoints import Checkpoint, CheckpointKind
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.former import REMEMBERED, Former
from escalation.incident.state.pages import Page
from escalation.oncall.roster import Roster
from escalation.values import PersonId

MOST_IN_ONE = 7  # further entries of one post: beyond that, after an outage, another post follows


class Change:
    """Changes of one event to one incident at one instant."""

    def __init__(self, incident: Incident, now: datetime, roster: Roster) -> None:
        self.before = incident
        self.incident = incident
        self.now = now
        self.roster = roster
        self.pages_changed = False  # the messages of pages read otherwise, too

    def set(self, **fields: Any) -> None:
        """Replace fields of the incident."""
        self.incident = self.incident.model_copy(update=fields)

    def advance_face(self, *, pages: bool = True) -> None:
        """Advance the incident's face: readers can see a change, and the cards are refreshed, those of pages as well.

        Slack takes 50 updates a minute: `pages` is False for what only the other cards show.
        """
        self.set(face=self.before.face + 1)
        self.pages_changed = self.pages_changed or pages

    def note(self, kind: EntryKind, **fields: Any) -> Entry:
        """Add a timeline entry."""
        entry = Entry(n=len(self.incident.timeline) + 1, at=self.now, kind=kind, **fields)
        self.set(timeline=(*self.incident.timeline, entry))
        self.advance_face()
        return entry

    def remember(self) -> None:
        """Keep what this decision replaced, for the entries made before it."""
        if not self.before.timeline:
            return
        pairs = ((name, getattr(self.before, name), getattr(self.incident, name)) for name in REMEMBERED)
        replaced = {name: old for name, old, new in pairs if old is not new and old != new}
        if len(self.before.pages) != len(self.incident.pages):
            replaced["paged"] = len(self.before.pages)
        if replaced:
            self.set(past=(*self.incident.past, Former(until=len(self.before.timeline), **replaced)))

    def number(self) -> int:
        """Return a number that this incident never used before."""
        self.set(made=self.incident.made + 1)
        return self.incident.made

    def replace_page(self, page: Page) -> None:
        """Replace a page by its new state. Whether readers see a difference is the caller's to say."""
        self.set(pages=tuple(page if p.n == page.n else p for p in self.incident.pages))

    # Effects -----------------------------------------------------------------------------------------------------

    def add_effect(self, kind: type[Any], lane: str = "", *, after: str = "", **fields: Any) -> Effect:
        """Add an effect. Those of one lane are sent in the order in which they were added."""
        number, lanes = self.incident.made + 1, self.incident.lanes
        name = effect_id(self.incident.id, number, kind)
        effect: Effect = kind(id=name, at=self.now, after=after or lanes.get(lane, ""), **fields)
        lanes = {**lanes, lane: name} if lane else lanes
        self.set(made=number, lanes=lanes, effects=(*self.incident.effects, effect))
        return effect

    def replace_effect(self, effect: Effect) -> None:
        """Add an effect with a fixed id, in place of an older one."""
        self.set(effects=(*(e for e in self.incident.effects if e.id != effect.id), effect))

    def drop_effects(self, *ids: str) -> None:
        """Remove effects that are done or dropped, and end their troubles. Those that waited for them are ready now.

        One that was under way when it was put behind another is done out of turn: what follows it waits for that other.
        """
        before = {e.id: e.after for e in self.incident.effects}
        left_over = [e for e in self.incident.effects if e.id not in ids]
        pending = {e.id for e in left_over}

        def moved_up(effect: Effect) -> Effect:
            after = effect.after
            while after in before and after not in pending:
                after = before[after]
            ready = {} if after in pending else {"at": self.now}
            return effect.model_copy(update={"after": after if after in pending else "", **ready})

        self.set(effects=tuple(moved_up(e) if e.after in ids else e for e in left_over))
        left = {effect: why for effect, why in self.incident.troubles.items() if effect not in ids}
        if left != self.incident.troubles:
            self.set(troubles=left)
            self.advance_face()

    def say(self, entry: Entry, *places: Where, broadcast: bool = False) -> None:
        """Post a timeline entry in these places (by default those of its kind); what happens at once is one post.

        The thread of a private incident is in its room: an entry for the room is broadcast from it.
        """
        wanted = places or PLACES[entry.kind]
        if self.incident.private:
            shown = {Place.ROOM, "work"} & set(wanted)
            if shown or Place.THREAD in wanted:
                self._say(entry, Place.THREAD, broadcast or bool(shown))
            return
        for place in wanted:
            if place == "work":
                self._say(entry, Place.ROOM if self.has_room() else Place.THREAD)
            elif place is not Place.ROOM:
                self._say(entry, Place(place), broadcast and place is Place.THREAD)
            elif self.has_room() and not (self._room_is_new() and entry.kind is not EntryKind.PHASE):
                self._say(entry, Place.ROOM)

    def _say(self, entry: Entry, place: Place, broadcast: bool = False) -> None:
        """Post an entry, together with what this event has said there already."""
        if place in (Place.THREAD, Place.ROOM):
            known = {e.id for e in self.before.effects}
            said = (e for e in self.incident.effects if isinstance(e, Say) and e.place is place and e.id not in known)
            if (earlier := next(said, None)) and len(earlier.more) < MOST_IN_ONE:
                more = (*earlier.more, entry.n)
                joined = earlier.model_copy(update={"more": more, "broadcast": earlier.broadcast or broadcast})
                self.set(effects=tuple(joined if e.id == earlier.id else e for e in self.incident.effects))
                return
        self.add_effect(Say, place, entry=entry.n, place=place, broadcast=broadcast)

    def _room_is_new(self) -> bool:
        """True if this event opens the room: what led to it stands on the card there."""
        known = {e.id for e in self.before.effects}
        return any(isinstance(e, OpenRoom) and not e.withdrawn and e.id not in known for e in self.incident.effects)

    def notify(self, entry: Entry, *people: PersonId) -> None:
        """Send a timeline entry to people directly. Those of a private incident are invited to its room."""
        for person in people:
            self.add_effect(Tell, entry=entry.n, person=person)
            self.let_in(person)

    def let_in(self, person: PersonId) -> None:
        """Invite somebody who is told of a private incident to its room."""
        if self.incident.private and self.has_room() and person not in self.incident.people():
            self.add_effect(Invite, "room", people=(person,))

    def has_room(self) -> bool:
        """True if a room is open, or being opened."""
        return bool(self.incident.room and not self.incident.room.lost) or any(
            isinstance(e, OpenRoom) and not e.withdrawn for e in self.incident.effects
        )

    # Checkpoints -------------------------------------------------------------------------------------------------

    def arm(self, kind: CheckpointKind, due: datetime, about: str = "") -> None:
        """Set a checkpoint that the policy does not plan."""
        # The underscore keeps it apart from a planned checkpoint that a policy calls `update`: slugs have none.
        checkpoint = Checkpoint(id=f"{kind}_{self.number()}", kind=kind, due=due, about=about)
        self.set(checkpoints=(*self.incident.checkpoints, checkpoint))

    def arm_planned(self, moment: Moment, start: datetime) -> None:
        """Set the policy's checkpoints that count from that moment, in place of those set before for it."""
        fresh = checkpoints.planned(self.incident, moment, start)
        ids = {c.id for c in fresh}
        self.set(checkpoints=(*(c for c in self.incident.checkpoints if c.id not in ids), *fresh))

    def disarm_planned(self, moment: Moment) -> None:
        """Remove the policy's checkpoints that count from that moment: it is undone."""
        ids = {c.id for c in checkpoints.planned(self.incident, moment, self.now)}
        self.set(checkpoints=tuple(c for c in self.incident.checkpoints if c.id not in ids))

    def disarm(self, *kinds: CheckpointKind) -> None:
        """Remove every checkpoint of these kinds."""
        self.set(checkpoints=tuple(c for c in self.incident.checkpoints if c.kind not in kinds))

    def disarm_about(self, kind: CheckpointKind, *about: str) -> None:
        """Remove the checkpoints of a kind that are about one of these."""
        left = (c for c in self.incident.checkpoints if c.kind is not kind or c.about not in about)
        self.set(checkpoints=tuple(left))

    def remove(self, checkpoint: Checkpoint) -> None:
        """Remove one checkpoint."""
        self.set(checkpoints=tuple(c for c in self.incident.checkpoints if c.id != checkpoint.id))

    def prune(self) -> None:
        """Remove the checkpoints that have become moot."""
        left = tuple(c for c in self.incident.checkpoints if not checkpoints.moot(c, self.incident))
        if len(left) != len(self.incident.checkpoints):
            self.set(checkpoints=left)
