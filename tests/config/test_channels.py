"""Channels of the workspace that a configuration names."""

from collections.abc import Iterator

from escalation.config.company import HEARD, Company
from tocsin.commands import schema

EVERY = {
    "policy": "kars",
    "people": {"dana": {"slack": "UDANA"}},
    "workspace": {
        "incidents_channel": "c-incidents",
        "stakeholders_channel": "c-stakeholders",
        "oncall_channel": "c-oncall",
        "deploys_channel": "c-deploys",
    },
    "teams": {"backend": {"channel": "c-backend"}},
    "rotations": {"primary": {"people": ["dana"], "handover_channel": "c-handovers"}},
    "lists": {"executives": {"channel": "c-executives"}},
    "canary": {"channel": "c-canary"},
    "reports": [{"every": "week", "mail": "a@example.com"}, {"every": "month", "channel": "c-reports"}],
}


def keys_for_channels() -> Iterator[tuple[str, str]]:
    """Every key of the published schema that is called a channel, with the class it belongs to."""
    for name, body in schema.schema_of("config")["$defs"].items():
        yield from ((name, key) for key in body.get("properties", {}) if key.endswith("channel"))


def test_no_key_that_names_a_channel_is_forgotten() -> None:
    """Whatever the configuration calls a channel is looked up in the workspace, by the key that sets it."""
    found = Company.model_validate(EVERY).channels()
    assert len(found) == len(set(keys_for_channels())), "set the new key in EVERY, and give it the type `Channel`"
    assert {f"c-{key.replace('_channel', '')}" for _, key in keys_for_channels() if key != "channel"} <= {
        name.replace("handovers", "handover") for name in found.values()
    }
    assert found["teams.backend.channel"] == "c-backend"
    assert found["rotations.primary.handover_channel"] == "c-handovers"
    assert found["reports.1.channel"] == "c-reports"
    assert set(HEARD) <= set(found)


def test_a_channel_that_is_not_set_is_not_looked_for() -> None:
    """Only those with a default are left."""
    assert set(Company.model_validate({"policy": "kars"}).channels()) == {
        "workspace.incidents_channel",
        "workspace.stakeholders_channel",
    }
