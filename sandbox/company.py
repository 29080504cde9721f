"""The people, channels and user groups a new workspace starts with. Their ids never change."""

from sandbox.records import Channel, Person, Usergroup

TEAM_ID = "T0EXAMPLE1"
TEAM_NAME = "Example Co"
TEAM_DOMAIN = "example"

# key, real name, title
PEOPLE = (
    ("dana", "Dana Ruiz", "Site reliability engineer"),
    ("omar", "Omar Haddad", "Backend engineer"),
    ("mei", "Mei Tanaka", "Platform engineer"),
    ("lena", "Lena Fischer", "DevOps lead"),
    ("bruno", "Bruno Costa", "Backend lead"),
    ("sofia", "Sofia Lindqvist", "Security"),
    ("sam", "Sam Njoroge", "Security"),
    ("erik", "Erik Olsen", "Engineering manager"),
    ("carla", "Carla Mendes", "CTO"),
    ("victor", "Victor Lam", "CEO"),
    ("paula", "Paula Weiss", "Product manager"),
    ("gus", "Gus Novak", "Contractor"),
    ("frank", "Frank Moor", "Former backend engineer"),
)
GUESTS = frozenset({"gus"})
LEAVERS = frozenset({"frank"})
COLORS = ("#2f6f5e", "#8a4f7d", "#2b6cb0", "#b7791f", "#9b2c2c", "#4c51bf", "#2c7a7b", "#975a16")


def stable_id(prefix: str, name: str) -> str:
    """Ten characters from a name, such as U0DANA0001."""
    key = "".join(letter for letter in name.upper() if letter.isascii() and letter.isalnum())[:7]
    return f"{prefix}0{key:0<7}1"


def person(position: int, key: str, real_name: str, title: str) -> Person:
    return Person(
        id=stable_id("U", key),
        name=key,
        real_name=real_name,
        title=title,
        email=f"{key}@example.com",
        is_guest=key in GUESTS,
        deleted=key in LEAVERS,
        avatar_color=COLORS[position % len(COLORS)],
    )


def people() -> list[Person]:
    """Everyone, the contractor (a guest) and the one who left (deactivated) included."""
    return [person(position, *row) for position, row in enumerate(PEOPLE)]


def channels(everyone: list[Person], created: int) -> list[Channel]:
    """#general with everyone who is still there; the others, some for what an app has to say, without guests."""
    active = [p for p in everyone if not p.deleted]
    full = [p for p in active if not p.is_guest]
    rooms = (
        ("general", "Company-wide announcements", active),
        ("random", "Anything else", full),
        ("stakeholders", "What stakeholders are told", full),
        ("team-backend", "The backend team", full),
        ("team-devops", "The DevOps team", full),
    )
    return [
        Channel(
            id=stable_id("C", name),
            name=name,
            kind="public",
            creator=everyone[0].id,
            created=created,
            members=tuple(p.id for p in members),
            purpose=purpose,
        )
        for name, purpose, members in rooms
    ]


def usergroups(everyone: list[Person], created: int) -> list[Usergroup]:
    """@oncall-engineer, with the first person in it."""
    return [
        Usergroup(
            id=stable_id("S", "oncall-engineer"),
            name="On-call engineer",
            handle="oncall-engineer",
            description="Who is on call",
            users=(everyone[0].id,),
            created=created,
            updated=created,
        )
    ]
