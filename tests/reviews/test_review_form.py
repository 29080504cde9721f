"""`/incident review`: the draft in Slack, and the form in which people write."""

from typing import Any

from escalation.incident.events.moves import Resolve
from escalation.incident.model import Incident
from escalation.storage.reviews import Reviews
from tests.support.bot import Office
from tests.support.company import user


def closed(office: Office, **facts: Any) -> Incident:
    incident = office.declare(severity="P0", **facts)
    return office.world.service.handle(incident.id, Resolve(by=user("dana"), summary="s", resolution="r"))


def test_the_review_is_written_in_slack(office: Office) -> None:
    """The answer says what is on record and what nobody wrote; the form saves it, and the answer then names who did."""
    incident = closed(office)
    dana = office.person("dana")
    dana.command("review")
    assert "nobody has written yet" in dana.told(f"Review of {incident.id}")
    dana.command(f"review {incident.id} write")
    dana.submit(dana.modal("Post-incident review"), lessons="Watch the pool")
    assert "Still to be written" in dana.told("Saved in the review")
    assert Reviews(office.world.redis).written(incident.id)["lessons"].text == "Watch the pool"
    dana.command(f"review {incident.id}")
    assert user("dana") in dana.told("written by")


def test_a_review_is_named_by_its_number(office: Office) -> None:
    """Words that it does not know are refused: they opened another incident's review."""
    first, second = closed(office), closed(office)
    dana = office.person("dana")
    dana.command("review 1")
    dana.told(f"Review of {first.id}")
    dana.command("review 1 write")
    assert first.id in str(dana.modal("Post-incident review"))
    dana.command(f"review {second.id} as a poem")
    dana.told("There is no `/incident review as a poem`. Use `/incident review`")


def test_a_section_that_somebody_else_changed_is_not_overwritten(office: Office) -> None:
    """The form stays open with what was typed, and says who wrote."""
    incident = closed(office)
    dana, reviews = office.person("dana"), Reviews(office.world.redis)
    dana.command(f"review {incident.id} write")
    view = dana.modal("Post-incident review")
    reviews.write(incident.id, {"lessons": "First"}, user("omar"), office.world.clock.now)
    errors = dana.submit(view, lessons="Second")["errors"]
    assert "changed this since you opened the form" in errors["lessons"]
    assert reviews.written(incident.id)["lessons"].text == "First"


def test_a_private_review_is_for_its_responders(office: Office) -> None:
    """Others are refused, without a word of it."""
    incident = closed(office, security=True, title="Stolen keys")
    paula = office.person("paula")
    paula.command(f"review {incident.id}")
    assert "Stolen keys" not in paula.told("This incident is private.")
