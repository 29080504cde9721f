"""What a button carries: the move, the incident, and the tiers that its card showed as paged."""

from dataclasses import dataclass

from escalation.events import Move
from escalation.incident import Incident

MORE = "more"  # the action id of the overflow menu, whose options carry presses too


@dataclass(frozen=True)
class Press:
    """One press of a button on a card. Encoded it stays under the 150 characters of an option's value."""

    move: Move
    incident: str
    seen: tuple[int, ...] = ()

    def encode(self) -> str:
        return f"{self.move}|{self.incident}|{','.join(map(str, self.seen))}"

    @classmethod
    def of(cls, move: Move, incident: Incident) -> "Press":
        return cls(move, incident.id, incident.tiers_paged)

    @classmethod
    def decode(cls, value: str) -> "Press":
        """ValueError when the value is not one of ours."""
        move, incident, seen = value.split("|")
        return cls(Move(move), incident, tuple(int(t) for t in seen.split(",") if t))
