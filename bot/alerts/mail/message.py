"""A mail as we keep it: who wrote what, and what the mail service found out about its sender. Attachments are names."""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator

from escalation.text import clean
from escalation.values import Frozen

MAX_TEXT = 20_000  # characters
MAX_REFERENCES = 40
MAX_NAMES = 20  # of attachments and recipients each
_ANGLE = re.compile(r"<([^<>]*)>")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_ADDRESS = re.compile(r"[^\s@<>(),;:\"]+@[^\s@<>(),;:\"]+")


def _cut(length: int) -> AfterValidator:
    return AfterValidator(lambda raw: clean(raw.encode("utf-8", "replace").decode()).strip()[:length])


Line = Annotated[str, _cut(500)]
Text = Annotated[str, _cut(MAX_TEXT)]


class Check(StrEnum):
    """Result of a check of the sender: of the server (SPF), of a signature (DKIM), of both with the domain (DMARC)."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    NONE = "none"


class Standing(StrEnum):
    """Whether a mail is from the address that it names. `unverified`: nothing proves it, and nothing speaks against."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    FORGED = "forged"


class InboundMail(Frozen):
    """One mail. `sender` is the address of From, empty unless there is exactly one; `envelope` is that of the bounce.

    `signed_by` are the domains whose signatures hold, `dkim` what became of all of them. `automatic` says why no person
    wrote it; `undelivered`: it reports that a mail was not delivered, of which `diagnosis` says why and `returned` the
    id and where it was to be answered; `marked` says what the mail service calls it, like a virus.
    """

    id: Line = ""
    references: tuple[Line, ...] = ()
    sender: Line = ""
    envelope: Line = ""
    recipients: tuple[Line, ...] = ()
    subject: Line = ""
    text: Text = ""
    attachments: tuple[Line, ...] = ()
    spf: Check = Check.NONE
    dkim: Check = Check.NONE
    dmarc: Check = Check.NONE
    signed_by: tuple[Line, ...] = ()
    automatic: Line = ""
    undelivered: bool = False
    diagnosis: Line = ""
    returned: tuple[Line, ...] = ()
    marked: Line = ""

    @property
    def standing(self) -> Standing:
        """Judge the sender as DMARC does (https://www.rfc-editor.org/rfc/rfc7489#section-3.1), policy or none."""
        if Check.NONE is not self.dmarc:
            return Standing.VERIFIED if self.dmarc is Check.PASS else Standing.FORGED
        domain = domain_of(self.sender)
        if any(_aligned(domain, other) for other in self.signed_by):
            return Standing.VERIFIED
        if self.spf is Check.PASS and _aligned(domain, domain_of(self.envelope)):
            return Standing.VERIFIED
        return Standing.FORGED if Check.FAIL in (self.spf, self.dkim) else Standing.UNVERIFIED

    @property
    def proves_another(self) -> bool:
        """True if the checks name another domain than the sender's: a forger's, or that of a mailing service."""
        return self.standing is Standing.UNVERIFIED and bool(self.signed_by or self.spf is Check.PASS)


def domain_of(address: str) -> str:
    """Return the domain of an address; empty for what is none."""
    return address.rpartition("@")[2].strip().rstrip(".").lower() if "@" in address else ""


def _aligned(domain: str, other: str) -> bool:
    """Check whether two domains are one organisation's: the same, or one below the other."""
    other = other.lower().rstrip(".")
    return bool(domain and other) and (
        domain == other or domain.endswith(f".{other}") or (other.endswith(f".{domain}") and "." in domain)
    )


def address_of(header: str) -> str:
    """Return the address in a From header, in lower case; empty if it names none, or several.

    Mail services decode names before they pass them on, so a name may look like an address: then it is none.
    """
    plain = _QUOTED.sub("", header)
    found = {address.lower() for address in _ADDRESS.findall(plain)}
    angles = [inner.strip().lower() for inner in _ANGLE.findall(plain)]
    if len(angles) > 1 or len(found) != 1:
        return ""
    (address,) = found
    return address if not angles or angles == [address] else ""
