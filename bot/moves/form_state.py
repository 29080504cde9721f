"""State carried in a modal's `private_metadata`."""

import json
import uuid
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class FormState:
    """State of a form, which only we read and write.

    `key` makes a repeated submission idempotent; `response_url` takes an answer to the person (for 30 minutes);
    `status` is the one that the modal showed; `link` leads to the message that an incident is declared from, or an
    action item noted; `item` is the action item to change. With a `drill_speed`, a drill is declared. `previewed` is
    the digest of the values that a preview was shown of.
    """

    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    incident: str = ""
    status: str = ""
    response_url: str = ""
    link: str = ""
    item: str = ""
    drill_speed: float | None = None
    previewed: str = ""

    def encode(self) -> str:
        """Encode the state as JSON, without empty fields."""
        return json.dumps({name: value for name, value in asdict(self).items() if value})

    @classmethod
    def decode(cls, metadata: str) -> "FormState":
        """Decode a modal's metadata."""
        return cls(**json.loads(metadata))
