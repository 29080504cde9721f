"""The emergency contacts: whom to call when Slack is not enough. Pure."""

from collections.abc import Iterable, Iterator

from escalation.config.company import Company, Contact
from escalation.text import Line, Link, Span, Strong, line, people
from escalation.values import PersonId

NONE = "No emergency contacts are configured: they stand under `contacts` in the configuration."


def contacts(company: Company, on_call: dict[str, tuple[PersonId, ...]]) -> tuple[Line, ...]:
    """Lines of each group that has somebody; `on_call` maps each rotation to who holds it now."""
    known = company.contacts
    vendors = ((_named(key, vendor), _services(key, company)) for key, vendor in known.vendors.items())
    lines = (
        *([line(Strong("Hotline: "), *_reached(known.hotline))] if known.hotline else []),
        *_group("Technical", [*_on_call(on_call), *map(_reached, known.technical)]),
        *_group("Business", map(_reached, known.business)),
        *_group("Vendors", ((*reached, *services) for reached, services in vendors)),
    )
    return lines or ((NONE,),)


def _on_call(on_call: dict[str, tuple[PersonId, ...]]) -> Iterator[Line]:
    """The rotation is named where there are several."""
    for name, holding in on_call.items():
        which = f" ({name})" if len(on_call) > 1 else ""
        yield line(f"Primary on call{which}: ", *people(holding))


def _group(title: str, rows: Iterable[Line]) -> Iterator[Line]:
    lines = [line("• ", *row) for row in rows]
    yield from ([line(Strong(title)), *lines] if lines else [])


def _named(key: str, vendor: Contact) -> Line:
    """A vendor that was given no name is called by its key."""
    return _reached(vendor if vendor.name else vendor.model_copy(update={"name": key}))


def _services(vendor: str, company: Company) -> Line:
    using = [name for name, service in company.services.items() if service.vendor == vendor]
    return (f" (for {', '.join(using)})",) if using else ()


def _reached(contact: Contact) -> Line:
    """Everything that is known of a contact, on one line."""
    link = Link(contact.url, contact.url) if contact.url else None
    ways: tuple[Span | None, ...] = (contact.name, contact.phone, contact.email, contact.slack, link, contact.note)
    spans: list[Span] = []
    for way in ways:
        spans += ([" · "] if spans and way else []) + ([way] if way else [])
    return tuple(spans)
