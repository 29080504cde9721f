"""The Home tab and the shortcuts."""

import pytest
from slack_sdk import WebClient

from bot.render.blockkit import section
from bot.render.lists import fitted
from escalation.incident.events.moves import Acknowledge
from escalation.incident.state.facts import Detection
from escalation.oncall.schedule import on_call_at
from tests.support.bot import Json, Office, Person, control
from tests.support.company import user
from tests.support.waiting import eventually


def home(person: Person, words: str) -> str:
    """The Home tab, once it contains these words."""

    def look() -> str:
        shown = str(person.home()["view"])
        return shown if words in shown else ""

    return eventually(look)


def test_home_shows_the_open_incidents_and_who_is_on_call(office: Office) -> None:
    """What is open and whom to ask, at a glance."""
    incident = office.declare(title="Checkout <down>")
    shown = home(office.person("mei"), incident.id)
    assert "Checkout &lt;down&gt;" in shown
    assert "you are paged" in shown
    assert "Next handover" in shown
    office.world.service.handle(incident.id, Acknowledge(by=user("mei")))
    home(office.person("mei"), f"👀 <@{user('mei')}>")


def test_home_says_what_somebody_owes_and_when(office: Office) -> None:
    """The progress update that is due, of the incident that they command; nobody else owes it."""
    incident = office.declare(severity="P0")
    office.world.service.handle(incident.id, Acknowledge(by=user("dana")))
    shown = home(office.person("dana"), "What you owe")
    assert "post a progress update by <!date" in shown
    assert "What you owe" not in home(office.person("bruno"), "Open incidents")
    office.world.clock.push(hours=3)
    office.world.service.fire_checkpoints([incident.id])
    assert "post a progress update, *due since <!date" in home(office.person("dana"), "due since")


def test_home_shows_ones_own_time_on_call(office: Office) -> None:
    """The shift of now and the last 30 days, to those in the configuration; nothing of it to others."""
    company, state, now = office.world.company, office.world.store.oncall_state(), office.world.clock()
    (key,) = on_call_at("primary", company, state, now)
    shown = home(office.person(key), "You are on call in primary")
    assert "Your last 30 days: " in shown
    assert " on call, of them " in shown
    other = next(name for name in company.people if name not in company.rotations["primary"].people)
    assert "Your last 30 days: not on call, and no pages." in home(office.person(other), "Your last 30 days")


@pytest.mark.parametrize("count", [99, 100, 101, 400])
def test_home_is_never_longer_than_slack_takes(count: int) -> None:
    """A hundred blocks; where something is left out, the last of them says where it is."""
    view = fitted([section("x", f"b-{n}") for n in range(count)])
    assert len(view["blocks"]) == min(count, 100)
    assert ("Not everything fits here" in str(view["blocks"][-1])) == (count > 100)


def test_home_of_a_guest_is_empty(office: Office) -> None:
    """Guests see no incidents anywhere."""
    incident = office.declare()
    assert incident.id not in home(office.person("gus"), "Guests cannot")


def test_the_button_at_home_declares(office: Office) -> None:
    """It opens the same form; the answer stands in the form, as there is no channel to answer in."""
    dana = office.person("dana")
    home(dana, "Declare incident")
    view = dana.home()["view"]
    action = {"block_id": "go", "action_id": "declare_incident", "type": "button"}
    dana._post("action", container={"type": "view", "view_id": view["id"]}, action=action)
    dana.submit(dana.modal("Declare"), title="T", severity="P2")
    assert office.incident().id in str(dana.modal("Declared"))


def test_the_global_shortcut_declares(office: Office) -> None:
    """The same form as from the command."""
    dana = office.person("dana")
    assert dana.shortcut("declare_incident") == {"ok": True}
    dana.submit(dana.modal("Declare an incident"), title="T", severity="P2")
    assert dana.modal("Declared")
    assert office.incident().facts.title == "T"


def from_message(office: Office, text: str) -> Json:
    ts = office.person("omar").say(text)
    dana = office.person("dana")
    dana.shortcut("declare_from_message", channel=dana.channel("general"), message_ts=ts)
    return dana.modal("Declare an incident")


def test_a_message_becomes_the_description(office: Office) -> None:
    """With a link back to it, and without Slack's escapes."""
    view = from_message(office, "users <see> 500s & @dana")
    description = next(b for b in view["blocks"] if b["block_id"] == "description")
    assert description["element"]["initial_value"].startswith("users <see> 500s & @")
    office.person("dana").submit(view, title="500s", severity="P1")
    facts = office.incident().facts
    assert facts.description.startswith("users <see> 500s & @")
    assert facts.source_link.startswith("http")
    office.person("dana").told("Declared")


def test_a_message_of_attachments_fills_title_and_description(office: Office) -> None:
    """Everything readable is in the description; the first line, cut to the limit, is the title."""
    slack = WebClient(office.workspace.bot_token, base_url=office.workspace.api_url)
    dana = office.person("dana")
    attachments = [{"title": "[FIRING] 5xx " + "x" * 300, "text": "checkout 12%", "fallback": "no"}]
    ts = slack.chat_postMessage(channel=dana.channel("general"), text="", attachments=attachments)["ts"]
    dana.shortcut("declare_from_message", channel=dana.channel("general"), message_ts=ts)
    fields = {b["block_id"]: b.get("element") for b in dana.modal("Declare an incident")["blocks"]}
    title = fields["title"]["initial_value"]
    assert (title[:5], title[-1], len(title)) == ("5xx x", "…", 200)
    assert fields["description"]["initial_value"].endswith("x\ncheckout 12%")


def test_a_bot_message_was_detected_by_monitoring(office: Office) -> None:
    """An incident declared from a bot's message says that a monitoring alert detected it, other than a person's."""
    slack = WebClient(office.workspace.bot_token, base_url=office.workspace.api_url)
    dana = office.person("dana")
    ts = slack.chat_postMessage(channel=dana.channel("general"), text="[FIRING] 5xx")["ts"]
    dana.shortcut("declare_from_message", channel=dana.channel("general"), message_ts=ts)
    dana.submit(dana.modal("Declare an incident"), severity="P1")
    assert (office.incident().facts.title, office.incident().facts.detection) == ("5xx", Detection.MONITORING)
    dana.submit(from_message(office, "500s"), severity="P2")
    second = next(i for i in office.world.store.recent() if i.severity == "P2")
    assert second.facts.detection is Detection.MANUAL


def test_a_message_without_a_link_is_declared_all_the_same(office: Office) -> None:
    """Slack gives no permalink where the app is not; the words are what matters."""
    control(office.workspace, "faults", method="chat.getPermalink", kind="error", error="channel_not_found", times=1)
    office.person("dana").submit(from_message(office, "500s"), title="500s", severity="P1")
    assert office.incident().facts.source_link == ""
