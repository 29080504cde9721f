"""Messages to a team's channel, or to the incidents channel for want of one."""

from datetime import timedelta

from tests.support.worker import Works


def test_a_reminder_outside_the_thread_names_its_incident_and_links_its_card(parts: Works) -> None:
    """Whoever reads "nobody acknowledged" in a channel sees at once of what, and gets there with one click."""
    incident = parts.declare("P2", title="Search is slow")
    parts.run()
    parts.clock.now += timedelta(days=2)
    parts.run()
    card = parts.now(incident).card()
    outside = [
        m for m in parts.messages() if m.get("thread_ts") in (None, m["ts"]) and (not card or m["ts"] != card.ts)
    ]
    said = [m for m in outside if "Who can take it" in str(m) or "Nobody has taken" in str(m)]
    assert said
    assert card
    assert all(incident.id in str(m["blocks"]) and "Search is slow" in str(m["blocks"]) for m in said)
    assert all(f"archives/{card.channel}/p" in str(m["blocks"]) for m in said)
