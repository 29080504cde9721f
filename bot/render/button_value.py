"""Value of a button: the move, the incident, the tiers that its card showed as paged, and the move's argument."""

from dataclasses import dataclass

from escalation.incident.events.moves import Move
from escalation.incident.model import Incident

MORE = "more"  # the action id of the button that lists the other moves; older cards have a menu of them instead


@dataclass(frozen=True)
class ButtonValue:
    """Value of a button. Encoded it stays under the 150 characters of an option's value.

    `about` is the move's argument: `3:approved` (a communication's number and the answer to it), `scribe` (a
    role of the response), or `scribe:U012ABCDEF` (such a role, offered to that member; with `:declined`, refused).
    """

    move: Move
    incident: str
    seen: tuple[int, ...] = ()
    about: str = ""

    def encode(self) -> str:
        """Encode the value as a string."""
        about = f"|{self.about}" if self.about else ""
        return f"{self.move}|{self.incident}|{','.join(map(str, self.seen))}{about}"

    @classmethod
    def of(cls, move: Move, incident: Incident, about: str = "") -> "ButtonValue":
        """Build the value for a button under an incident as it stands."""
        return cls(move, incident.id, incident.tiers_paged, about)

    @classmethod
    def decode(cls, value: str) -> "ButtonValue":
        """Decode a value; old messages have no `about`. Raises ValueError for one that is not ours."""
        move, incident, seen, *about = value.split("|", 3)
        return cls(Move(move), incident, tuple(int(t) for t in seen.split(",") if t), about[0] if about else "")
