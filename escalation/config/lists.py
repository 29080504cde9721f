"""People and systems outside the response that are told by themselves: lists by mail or channel, and webhooks."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints, model_validator

from escalation.config.actions import web_address
from escalation.config.rules.communications import ListName, Means
from escalation.values import Channel, Frozen, MailAddress, as_list

WEBHOOKS = "webhooks"
"""Name of the channel that carries what goes to them."""
BY_WEBHOOK = (Means.SUPPORT_PORTAL, Means.SOCIAL_MEDIA)


class Recipients(Frozen):
    """A list: mail addresses, a channel of the workspace, or both."""

    mail: Annotated[tuple[MailAddress, ...], BeforeValidator(as_list)] = ()
    channel: Channel | None = None

    @model_validator(mode="after")
    def _reaches_somebody(self) -> "Recipients":
        if not (self.mail or self.channel):
            raise ValueError("a list needs mail addresses or a channel")
        return self


class Webhook(Frozen):
    """A signed webhook of a system that publishes what it is sent; `secret_env` names the secret's variable."""

    url: Annotated[str, AfterValidator(web_address)]
    secret_env: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]


Lists = dict[ListName, Recipients]


def by_webhook(webhooks: dict[Means, Webhook]) -> dict[Means, Webhook]:
    """Return the webhooks; ValueError for a means that none can carry."""
    if other := next((means for means in webhooks if means not in BY_WEBHOOK), None):
        raise ValueError(f"{other} has no webhook; {' and '.join(BY_WEBHOOK)} may have one")
    return webhooks


Webhooks = Annotated[dict[Means, Webhook], AfterValidator(by_webhook)]
