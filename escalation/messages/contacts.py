"""Emergency contacts: whom to phone when Slack is not enough. Pure."""

from collections.abc import Iterable, Iterator

from escalation.config.company import Company, Contact
from escalation.text import Line, Link, Span, Strong, line, people
from escalation.values import PersonId

NONE = "No emergency contacts are configured: they stand under `contacts` in the configuration."


def contacts(company: Company, on_call: dict[str, tuple[PersonId, ...]]) -> tuple[Line, ...]:
    """Lines of contacts, group by group; `on_call` maps each rotation to who is on call now."""
    configured = company.contacts
    vendors = ((_vendor(key, vendor), _used_by(key, company)) for key, vendor in configured.vendors.items())
    lines = (
        *([line(Strong("Hotline: "), *_contact(configured.hotline))] if configured.hotline else []),
        *_group("Technical", [*_primaries(on_call), *map(_contact, configured.technical)]),
        *_group("Business", map(_contact, configured.business)),
        *_group("Vendors", ((*reached, *services) for reached, services in vendors)),
    )
    return lines or ((NONE,),)


def _primaries(on_call: dict[str, tuple[PersonId, ...]]) -> Iterator[Line]:
    """Lines about who is on call; a rotation is named where there are several."""
    for name, on_call_people in on_call.items():
        which = f" ({name})" if len(on_call) > 1 else ""
        yield line(f"Primary on call{which}: ", *people(on_call_people))


def _group(title: str, rows: Iterable[Line]) -> Iterator[Line]:
    lines = [line("• ", *row) for row in rows]
    yield from ([line(Strong(title)), *lines] if lines else [])


def _vendor(key: str, vendor: Contact) -> Line:
    """Line about a vendor; one without a name is called by its key."""
    return _contact(vendor if vendor.name else vendor.model_copy(update={"name": key}))


def _used_by(vendor: str, company: Company) -> Line:
    service_names = [name for name, service in company.services.items() if service.vendor == vendor]
    return (f" (for {', '.join(service_names)})",) if service_names else ()


def _contact(contact: Contact) -> Line:
    """Line with all that is configured of a contact."""
    link = Link(contact.url, contact.url) if contact.url else None
    fields: tuple[Span | None, ...] = (contact.name, contact.phone, contact.email, contact.slack, link, contact.note)
    spans: list[Span] = []
    for field in fields:
        spans += ([" · "] if spans and field else []) + ([field] if field else [])
    return tuple(spans)
