"""Alertmanager's receiver for incident.io, which sends its webhook's body and respects 429.

https://prometheus.io/docs/alerting/latest/configuration/#incidentio_config
"""

from bot.alerts.metrics.alertmanager import parse_group
from bot.alerts.source import Received, Source
from escalation.alerts.alert import Parsed

NAME = "incidentio"


def parse(received: Received) -> Parsed:
    """Read a body. Raises Unreadable."""
    return parse_group(received.document(), NAME)


SOURCE = Source(NAME, "Alertmanager", parse, max_bytes=512 * 1024)
