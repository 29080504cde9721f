"""Guests, strangers, bots, private incidents and narrowed permissions, as people meet them in Slack."""

import pytest
from slack_sdk.errors import SlackApiError
from structlog.testing import capture_logs

from bot.slack.members import KNOWN_FOR, MEMBERS_FOR, Members, kind_of
from escalation.errors import Refused
from escalation.incident.events.moves import MarkSecurity, PagePeople
from escalation.incident.model import Incident
from escalation.incident.permissions import Kind
from tests.support.bot import Json, Office, Person, calls, control, open_office
from tests.support.company import user
from tests.support.waiting import eventually

SECRET = "zebrafish"


@pytest.mark.parametrize("typed", ["", "list", "declare X", "show", "ack", "oncall", "security", "frobnicate"])
def test_a_guest_may_not(office: Office, typed: str) -> None:
    """Gus is a guest of the workspace: he is told so, nothing opens, and the audit has a line with ids only."""
    incident = office.declare(title=SECRET)
    with capture_logs() as logs:
        office.person("gus").command(typed)
        told = office.person("gus").told("Guests cannot")
    assert SECRET not in told
    assert not office.person("gus").modals()
    assert office.incident().stamp == incident.stamp
    audited = [line for line in logs if line["event"] == "refused"]
    assert audited[0]["person"] == user("gus")
    assert SECRET not in str(logs)


def test_a_guest_presses_a_button(office: Office) -> None:
    """The same answer, to the guest alone."""
    card = office.post_card(office.declare())
    shown = {**card["message"], "ts": card["ts"]}
    office.person("gus").press(shown, "acknowledge", card["channel"])
    office.person("gus").told("Guests cannot")
    assert not office.incident().acknowledgement
    assert not office.person("dana").whispers()


def test_a_guest_uses_a_shortcut(office: Office) -> None:
    """Where Slack gives no place to answer, the answer comes as a direct message."""
    office.person("gus").shortcut("declare_incident")
    eventually(lambda: "Guests cannot" in str(calls(office.workspace, "chat.postMessage")))
    assert not office.person("gus").modals()


# Private incidents -----------------------------------------------------------------------------------------------


def private(office: Office, *members: str) -> Incident:
    """Marked as security by Sofia, with its room open for these people."""
    incident = office.declare(by="sofia", severity="P3", title=SECRET)
    marked = office.world.service.handle(incident.id, MarkSecurity(by=user("sofia")))
    return office.room(marked, *members)


@pytest.mark.parametrize(
    "typed", ["show {id}", "ack {id}", "update {id}", "update {id} hello", "cancel {id}", "resolve {id}"]
)
def test_a_private_incident_is_closed_to_others(office: Office, typed: str) -> None:
    """Bruno was not paged and is not in its room: no word of it reaches him."""
    incident = private(office, "sofia", "erik")
    bruno = office.person("bruno")
    bruno.command(typed.format(id=incident.id))
    assert SECRET not in bruno.told("This incident is private")
    assert not bruno.modals()
    assert office.incident().stamp == incident.stamp


def test_a_private_incident_is_open_to_its_room_and_the_paged(office: Office) -> None:
    """Erik was invited; Sam was paged but is not in the room yet."""
    incident = private(office, "sofia", "erik")
    assert user("sam") in {p.person for p in incident.pages}
    for key in ("erik", "sam"):
        office.person(key).command(f"show {incident.id}")
        office.person(key).told(SECRET)


def test_lists_and_home_hide_it(office: Office) -> None:
    """To others it does not even count as the one open incident."""
    private(office, "sofia", "erik")
    bruno, erik = office.person("bruno"), office.person("erik")
    bruno.command("list")
    bruno.told("No open incidents")
    bruno.command("ack")
    bruno.told("No incident is open.")
    erik.command("list")
    erik.told(SECRET)
    assert SECRET not in str(home(bruno))
    assert SECRET in str(home(erik))


def home(person: Person) -> Json:
    person.home()
    return eventually(lambda: person.home()["view"])


def test_who_leaves_the_room_is_out(office: Office) -> None:
    """Membership is asked of Slack, and believed for a few seconds only."""
    incident = private(office, "sofia", "erik")
    people = office.bot.bot.access.members
    erik = office.person("erik")
    erik.command(f"show {incident.id}")
    erik.told(SECRET)
    clock = PushedSeconds()
    people._clock = clock
    clock.now += KNOWN_FOR + MEMBERS_FOR
    control(office.workspace, "faults", method="conversations.members", kind="error", error="internal_error", times=9)
    erik.command(f"ack {incident.id}")
    erik.told("This incident is private")


class PushedSeconds:
    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


# Narrowed permissions --------------------------------------------------------------------------------------------


def test_permissions_of_the_configuration_narrow() -> None:
    """Only the engineering manager resolves here; the others learn who that is, before they write anything."""
    with open_office(permissions={"resolve": "engineering_manager", "declare": ["on_call"]}) as office:
        office.declare()
        dana = office.person("dana")
        dana.command("resolve")
        assert f"<@{user('erik')}>" in dana.told("Only the engineering manager")
        assert not dana.modals()
        dana.command("declare X")
        dana.told("Only the on call")
        office.person("erik").command("resolve")
        assert office.person("erik").modal("Resolve")


# Who is who ------------------------------------------------------------------------------------------------------

OWN = "T0OWN"


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({}, Kind.MEMBER),
        ({"is_restricted": True}, Kind.GUEST),
        ({"is_ultra_restricted": True}, Kind.GUEST),
        ({"is_bot": True}, Kind.BOT),
        ({"id": "USLACKBOT"}, Kind.BOT),
        ({"is_stranger": True}, Kind.STRANGER),
        ({"deleted": True}, Kind.STRANGER),
        ({"team_id": "T0OTHER"}, Kind.STRANGER),
        ({"team_id": "E0ORG", "enterprise_user": {"teams": [OWN]}}, Kind.MEMBER),
    ],
)
def test_what_slack_says_of_a_user(facts: Json, kind: Kind) -> None:
    """Member, guest, bot or stranger, by the flags of users.info."""
    assert kind_of({"id": "U1", "team_id": OWN, **facts}, OWN) is kind


class Slack:
    """Answers users.info as it is told to, and counts."""

    def __init__(self) -> None:
        self.asked = 0
        self.error = ""
        self.facts: Json = {}

    async def auth_test(self) -> Json:
        return {"team_id": OWN}

    async def users_info(self, user: str) -> Json:
        self.asked += 1
        if self.error:
            raise SlackApiError("refused", {"error": self.error})  # type: ignore[no-untyped-call]  # slack_sdk has it untyped
        return {"user": {"id": user, "team_id": OWN} | self.facts}


async def test_slack_is_asked_once_in_five_minutes() -> None:
    """What is known of a person is kept for a while, and then asked again."""
    slack, clock = Slack(), PushedSeconds()
    people = Members(slack, lambda: (), clock)  # type: ignore[arg-type]
    for _ in range(3):
        assert (await people.actor("U1", OWN)).kind is Kind.MEMBER
    assert slack.asked == 1
    clock.now += KNOWN_FOR
    await people.actor("U1", OWN)
    assert slack.asked == 2


@pytest.mark.parametrize(
    ("person", "error", "kind"),
    [
        ("UDANA", "internal_error", Kind.MEMBER),
        ("UDANA", "user_not_found", Kind.STRANGER),
        ("UNEW", "user_not_found", Kind.STRANGER),
        ("UNEW", "internal_error", None),
    ],
)
async def test_while_slack_does_not_say(person: str, error: str, kind: Kind | None) -> None:
    """Who the configuration names is let in, who is unknown has to try again, whom Slack does not know stays out."""
    slack = Slack()
    slack.error = error
    people = Members(slack, lambda: {"UDANA"}, PushedSeconds())  # type: ignore[arg-type]
    if kind is None:
        with pytest.raises(Refused, match="Slack did not say"):
            await people.actor(person, OWN)
    else:
        assert (await people.actor(person, OWN)).kind is kind


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"team_id": "T0OTHER", "enterprise_user": {"teams": ["T0OTHER", OWN]}}, Kind.MEMBER),
        ({"team_id": "E0ORG", "enterprise_user": {"teams": [OWN]}}, Kind.MEMBER),
        ({"team_id": "T0OTHER", "enterprise_user": {"teams": ["T0OTHER"]}}, Kind.STRANGER),
        ({"team_id": "T0OTHER"}, Kind.STRANGER),
        ({"team_id": "T0OTHER", "is_stranger": True}, Kind.STRANGER),
    ],
)
async def test_a_payload_from_another_workspace_is_asked_about(facts: Json, kind: Kind) -> None:
    """A colleague of the same Enterprise Grid belongs here, whichever workspace they clicked in; others do not."""
    slack = Slack()
    slack.facts = facts
    people = Members(slack, lambda: {"U1"}, PushedSeconds())  # type: ignore[arg-type]
    assert (await people.actor("U1", "T0OTHER")).kind is kind


def test_a_guest_who_was_paged_can_answer(office: Office) -> None:
    """Whoever can be paged can acknowledge; of other incidents they see nothing."""
    incident = office.declare()
    page = PagePeople(by=user("dana"), people=(user("gus"),))
    office.world.service.handle(incident.id, page)
    card = office.post_card(office.incident(), person="gus")
    office.person("gus").press({**card["message"], "ts": card["ts"]}, "acknowledge", card["channel"])
    eventually(lambda: office.incident().acknowledgement)
    office.person("gus").command("list")
    office.person("gus").told("Guests cannot")
