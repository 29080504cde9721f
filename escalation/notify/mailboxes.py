"""Our own mail addresses: where mail comes from, and where answers to it go. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from escalation.values import INCIDENT_ID

_BOUNCE, _PAGE_BOUNCE = "bounce-", "b-"  # of a subscriber's mail, and of a page's: that token is long


@dataclass(frozen=True)
class Mailboxes:
    """`sender` is the address that mail comes from, `reply_to` the one that takes answers; empty where there is none.

    Each page has an address of its own for answers, which holds its token: `reply+TOKEN@example.com`.
    """

    sender: str = ""
    reply_to: str = ""

    def reply_address(self, token: str) -> str:
        """Return the address that answers the page of a token; empty where none takes answers."""
        name, _, domain = self.reply_to.partition("@")
        return f"{name}+{token}@{domain}" if domain else ""

    def bounce_address(self, subscriber: str) -> str:
        """Return the address to which a subscriber's mail bounces; empty where we take no mail."""
        return self.reply_address(f"{_BOUNCE}{subscriber}") if self.reply_to else ""

    def page_bounce_address(self, token: str) -> str:
        """Return the address to which the mail of a page bounces; empty: to its sender.

        It has to be of the sender's organisation: another domain there would fail SPF, which DMARC wants aligned
        (https://www.rfc-editor.org/rfc/rfc7489#section-3.1.2), and a page must not end among the spam.
        """
        own, other = self.domain, self.reply_to.rpartition("@")[2].lower()
        is_ours = own == other or own.endswith(f".{other}") or other.endswith(f".{own}")
        return self.reply_address(f"{_PAGE_BOUNCE}{token}") if own and other and is_ours else ""

    def bounced_page(self, recipients: Iterable[str]) -> str:
        """Return the token of the page whose mail came back to such an address; empty for any other mail."""
        token = self.token_of(recipients)
        return token.removeprefix(_PAGE_BOUNCE) if token.startswith(_PAGE_BOUNCE) else ""

    def bounced(self, recipients: Iterable[str]) -> str:
        """Return the subscriber whose mail came back to such an address; empty for any other mail."""
        token = self.token_of(recipients)
        return token.removeprefix(_BOUNCE) if token.startswith(_BOUNCE) else ""

    def token_of(self, recipients: Iterable[str]) -> str:
        """Return the token in the address that a mail was sent to; empty if it has none."""
        name, _, domain = self.reply_to.lower().partition("@")
        for recipient in recipients:
            local, _, at = recipient.strip().lower().rpartition("@")
            if domain and at == domain and local.startswith(f"{name}+"):
                return local.removeprefix(f"{name}+")
        return ""

    def is_own(self, address: str) -> bool:
        """Check whether an address is one of ours, like that of a mail which came back."""
        own = {a.lower() for a in (self.sender, self.reply_to) if a}
        name, at, domain = address.lower().partition("@")
        return f"{name.partition('+')[0]}{at}{domain}" in own or address.lower() in own

    def incident_of(self, message_id: str) -> str:
        """Return the incident that a mail of ours with that Message-ID was about; empty for another's mail."""
        name, _, domain = message_id.rpartition("@")
        found = re.match(INCIDENT_ID, name)
        return found[0] if found and domain.lower() == self.domain else ""

    @property
    def domain(self) -> str:
        """The domain of our Message-IDs."""
        return self.sender.rpartition("@")[2].lower()
