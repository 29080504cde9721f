"""The two companies: the shipped examples, with what a month of theirs needs beside, and what breaks there."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
Json = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """A company: its configuration, its people as Slack knows them (key, name, title, zone), and what breaks.

    `breaks`: severity -> (service, title, impact). `responders` take what is no on-call engineer's.
    """

    name: str
    config: Json
    people: tuple[tuple[str, str, str, str], ...]
    breaks: dict[str, tuple[tuple[str, str, str], ...]]
    responders: tuple[str, ...]
    manager: str
    rotation: str = "primary"
    categories: tuple[str, ...] = (
        "Database issues",
        "Application bugs",
        "Infrastructure problems",
        "External service failures",
        "Configuration errors",
    )

    @property
    def zone(self) -> str:
        """Zone of the company."""
        return str(self.config["timezone"])


def _example(path: str, **changes: Any) -> Json:
    return dict(yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))) | changes


BERLIN, TOKYO, BANGKOK, LISBON = "Europe/Berlin", "Asia/Tokyo", "Asia/Bangkok", "Europe/Lisbon"


def kars() -> Place:
    """The company of the shipped example: in Berlin, whose clocks go forward that month, and in Tokyo."""
    known = _example("tocsin/example.yml")
    people = known["people"] | {"mei": known["people"]["mei"] | {"office": "tokyo"}}
    reports = [
        {"every": "day", "at": "09:15"},
        {"every": "week", "channel": "engineering"},
        {"every": "month", "channel": "engineering", "mail": ["cto@example.com"], "mean": True},
        {"every": "quarter", "channel": "engineering", "mail": ["cto@example.com"]},
    ]
    changes = {
        "timezone": BERLIN,
        "people": people,
        "offices": {"tokyo": {"timezone": TOKYO, "holidays": "JP"}},
        "rotations": {
            "primary": {
                "people": ["dana", "omar", "mei"],
                "handover": "Monday 09:00",
                "timezone": BERLIN,
                "first_shift": "2026-02-23",
            }
        },
        "calendar": {"timezone": BERLIN, "hours": "09:00-17:00", "days": "Monday-Friday", "holidays": "DE-BE"},
        "reports": reports,
        "lists": {"stakeholders": {"mail": ["stakeholders@example.com"]}},
        "status_page": {"title": "Example Shop status", "components": ["checkout", "api"]},
        "alerts": {"severities": {"critical": "P1", "warning": "P2"}},
        "pay": {
            "currency": "EUR",
            "weekly_stipend": 250,
            "hour": 1,
            "working_hours": 0,
            "night": 2.5,
            "weekend": 5,
            "holiday": 10,
            "overtime": 45,
            "callout_minimum": "30m",
            "time_off": {"P0": "4h"},
        },
        "rest": "11h",
    }
    return Place("kars", known | changes, KARS_PEOPLE, KARS_BREAKS, ("omar", "lena", "mei", "bruno"), "erik")


def beauty() -> Place:
    """The company of docs/examples: in Bangkok, with somebody on call who lives in Lisbon."""
    known = _example("docs/examples/beauty.yml")
    reports = [
        {"every": "day", "at": "09:15"},
        {"every": "week", "channel": "engineering"},
        {"every": "month", "channel": "engineering", "mail": ["cto@beauty-ai-precision.com"], "mean": True},
        {"every": "quarter", "channel": "engineering", "mail": ["cto@beauty-ai-precision.com"], "mean": True},
    ]
    changes = {
        "people": known["people"] | {"ben": known["people"]["ben"] | {"office": "lisbon"}},
        "offices": {"lisbon": {"timezone": LISBON, "holidays": "PT"}},
        "rotations": {"primary": known["rotations"]["primary"] | {"first_shift": "2026-02-23"}},
        "reports": reports,
        "lists": {"stakeholders": {"mail": ["leads@beauty-ai-precision.com"]}},
        "alerts": {"severities": {"critical": "P1", "warning": "P2"}},
        "pay": {
            "currency": "THB",
            "weekly_stipend": 7000,
            "hour": 20,
            "night": 60,
            "weekend": 80,
            "holiday": 160,
            "overtime": 900,
            "callout_minimum": "1h",
            "decimals": 0,
        },
    }
    return Place("beauty", known | changes, BEAUTY_PEOPLE, BEAUTY_BREAKS, ("anong", "ben", "devops", "dba"), "manager")


KARS_PEOPLE = (
    ("dana", "Dana Ruiz", "Site reliability engineer", BERLIN),
    ("omar", "Omar Haddad", "Backend engineer", BERLIN),
    ("mei", "Mei Tanaka", "Platform engineer", TOKYO),
    ("lena", "Lena Fischer", "DevOps lead", BERLIN),
    ("bruno", "Bruno Costa", "Backend lead", BERLIN),
    ("sofia", "Sofia Lindqvist", "Security", BERLIN),
    ("sam", "Sam Njoroge", "Security", BERLIN),
    ("erik", "Erik Olsen", "Engineering manager", BERLIN),
    ("carla", "Carla Mendes", "CTO", BERLIN),
    ("victor", "Victor Lam", "CEO", BERLIN),
    ("paula", "Paula Weiss", "Product manager", BERLIN),
)
BEAUTY_PEOPLE = (
    ("anong", "Anong Srisai", "Machine learning engineer", BANGKOK),
    ("ben", "Benedict Alexander Featherstonehaugh-Wongsawat", "Platform engineer", LISBON),
    ("chai", "Chai Boonmee", "Machine learning engineer", BANGKOK),
    ("engineering.manager", "Malee Chaiyasit", "Engineering manager", BANGKOK),
    ("devops", "Niran Suk", "DevOps lead", BANGKOK),
    ("dba", "Ploy Rattanakorn", "Database administrator", BANGKOK),
    ("cto", "Somchai Prasert", "CTO", BANGKOK),
    ("ceo", "Kanya Thongchai", "CEO", BANGKOK),
    ("product", "Dao Wattana", "Product manager", BANGKOK),
    ("customersuccess", "Fah Intharat", "Customer success", BANGKOK),
)
KARS_BREAKS = {
    "P0": (
        ("checkout", "Payments fail with 502 for everybody", "Nobody can pay"),
        ("api", "Authentication is down", "Nobody can log in"),
        ("platform", "The database does not accept connections", "Every page shows an error"),
    ),
    "P1": (
        ("checkout", "Card payments are declined for some banks", "One payment in five fails"),
        ("api", "Asset registration returns errors", "New assets cannot be registered"),
        ("api", "Logins fail for accounts with MFA", "About 4 % of users are locked out"),
        ("platform", "E-mail notifications are not delivered", "Password resets do not arrive"),
        ("platform", "Database queries take ten seconds", "The admin area times out"),
    ),
    "P2": (
        ("checkout", "Vouchers are applied twice", "Some orders are too cheap"),
        ("api", "CSV export fails for large lists", "Exports over 10,000 rows are empty"),
        ("api", "Search answers slowly", "Results take six seconds"),
        ("platform", "Nightly builds wait for a runner", "Releases are late"),
        ("", "The intranet's calendar shows the wrong week", "Meetings are missed"),
    ),
    "P3": (
        ("checkout", "Typo in the receipt's footer", ""),
        ("api", "The help page links to an old version", ""),
        ("platform", "Dashboards show UTC instead of local time", ""),
    ),
}
BEAUTY_BREAKS = {
    "P0": (
        ("app", "The application is completely down", "Nobody can open the application"),
        ("database", "The database is unavailable", "No treatment plan can be read"),
        ("payments", "Payments fail for all clinics", "Clinics cannot bill"),
    ),
    "P1": (
        ("analysis", "Skin analysis takes forty seconds", "Clinics wait for each picture"),
        ("analysis", "The model returns empty results", "One analysis in eight is empty"),
        ("app", "More than 5 % of requests fail", "Clinics see errors when saving"),
        ("database", "Customer records open slowly", "Opening a record takes nine seconds"),
    ),
    "P2": (
        ("app", "Appointment reminders go out late", "Some clients are reminded after their visit"),
        ("analysis", "The queue of pictures grows", "Results come after an hour"),
        ("database", "Disk of the replica is at 85 %", ""),
        ("payments", "Receipts are missing their tax number", "Accounting asks for corrections"),
    ),
    "P3": (
        ("app", "A button of the booking form is misaligned on small telephones in landscape", ""),
        ("analysis", "Deprecated API of the camera library is used", ""),
        ("database", "A backup of a test database failed", ""),
    ),
}
