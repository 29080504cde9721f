"""State carried in a modal's `private_metadata`. Only we read and write it."""

import json
import uuid
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class FormState:
    """`key` makes a doubled submit harmless; `response_url` is where an answer to the person may go (30 minutes).

    `status` is what the modal showed; `link` leads to the message that an incident is declared from. With a
    `drill_speed` what is declared is a drill.
    """

    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    incident: str = ""
    status: str = ""
    response_url: str = ""
    link: str = ""
    drill_speed: float | None = None

    def encode(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value})

    @classmethod
    def decode(cls, metadata: str) -> "FormState":
        return cls(**json.loads(metadata))
