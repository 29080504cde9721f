"""The public version of a review: what was published on the status page, and the section that is written for it."""

from collections.abc import Iterator

from bot.render.reviews.markdown import escaped
from escalation.config.rules.reviews import ReviewSection
from escalation.errors import Refused
from escalation.reviews.model import Review
from escalation.status_page.standing import PublicIncident
from escalation.status_page.words import IMPACTS, STATES, STATUSES, instant
from escalation.times import spoken_duration


def public_review(review: Review, published: PublicIncident | None) -> str:
    """The document, as Markdown: no title, name or entry of ours. Raises Refused where nothing is for the public.

    Words of people are only those of the section `public`, which a policy has that lists it in `review.sections`.
    """
    if review.private:
        raise Refused("A private incident has no public review.")
    words = next((s.written.text for s in review.sections if s.key == ReviewSection.PUBLIC and not s.left), "").strip()
    if published is None and not words:
        raise Refused(
            "Nothing of this incident was worded for the public: no update was published, "
            "and no section `public` was written."
        )
    blocks = [
        *(_published(published) if published else ["# Incident report"]),
        *(["## What happened", words] if words else []),
    ]
    return "\n\n".join(blocks) + "\n"


def _published(incident: PublicIncident) -> Iterator[str]:
    first, latest = incident.updates[0], incident.latest
    yield f"# {escaped(incident.name)}"
    began, told = instant(first.knew_at), instant(first.at)
    yield f"{IMPACTS[incident.impact]}. It began at {began}; the first word was at {told}."
    if not incident.open:
        lasted = spoken_duration(latest.at - first.knew_at)
        yield f"Its end was told at {instant(latest.at)}, after {lasted}."
    if first.components:
        yield "\n".join(f"- {escaped(name)}: {STATES[state]}" for name, state in first.components.items())
    yield "## What we said"
    for update in incident.updates:
        yield f"**{STATUSES[update.status]}**, {instant(update.at)}"
        yield escaped(update.body)
        for each in incident.corrections.get(update.n, ()):
            yield f"Corrected at {instant(each.at)}. It was: {escaped(each.was.body)}"
