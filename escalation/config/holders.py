"""Holders of a role, each as one text: a person, a rotation, the next in a rotation, or a user group."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

from escalation.values import Frozen, PersonKey, as_list


class Holder(Frozen):
    """Holder of a role: a person's key, `rotation NAME`, `rotation NAME next`, or a user group `S012ABC`."""

    person: PersonKey | None = None
    rotation: str | None = None
    next: bool = False
    group: str | None = None

    def __str__(self) -> str:
        if self.rotation:
            return f"rotation {self.rotation}" + (" next" if self.next else "")
        return self.person or self.group or ""


def parse_holder(text: Any) -> Holder:
    """Parse one holder; ValueError says what is allowed."""
    if isinstance(text, Holder):
        return text
    match str(text).split():
        case ["rotation", name]:
            return Holder(rotation=name)
        case ["rotation", name, "next"]:
            return Holder(rotation=name, next=True)
        case [word] if word[:1] == "S" and word.isalnum() and word.upper() == word:
            return Holder(group=word)
        case [word]:
            return Holder(person=word)
    raise ValueError(f"'{text}' is not a person, 'rotation NAME', 'rotation NAME next' or a user group id")


def _one_rotation(holders: tuple[Holder, ...]) -> tuple[Holder, ...]:
    """Refuse two rotations in one role: both would be on call, each without knowing of the other's swaps."""
    names = list(dict.fromkeys(h.rotation for h in holders if h.rotation))
    if len(names) > 1:
        raise ValueError(
            f"rotation {names[1]} is the second rotation of this role, after {names[0]}; "
            "make one rotation of both, or give the second its own role"
        )
    return holders


Holders = Annotated[
    tuple[Annotated[Holder, BeforeValidator(parse_holder), PlainSerializer(str, return_type=str)], ...],
    BeforeValidator(as_list),
    AfterValidator(_one_rotation),
]
