"""Every form of /incident, typed by people of a local workspace."""

import re
from datetime import timedelta
from functools import partial

import pytest
from slack_sdk import WebClient
from structlog.testing import capture_logs

from bot.vocabulary import VERBS
from escalation.config.policy import Severity
from escalation.incident.events.moves import Cancel, FixApplied, Resolve
from escalation.incident.impact import impact_times
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Status
from escalation.messages.contacts import NONE, contacts
from sandbox.server import RunningWorkspace
from tests.support.bot import Json, Office, Person, calls, control, everything, running_bot, world
from tests.support.company import example_company, example_data, user
from tests.support.waiting import eventually


def _named(incident: Incident, incident_id: str) -> Incident:
    return incident.model_copy(update={"id": incident_id})


def resolved(office: Office) -> Incident:
    incident = office.declare()
    return office.world.service.handle(incident.id, Resolve(by=user("dana"), summary="s", resolution="r"))


@pytest.mark.parametrize(
    ("typed", "answer", "kind"),
    [
        ("ack", "Acknowledged", EntryKind.ACKNOWLEDGED),
        ("root-cause the disk is <full> & hot", "Root cause found", EntryKind.ROOT_CAUSE),
        ("fix", "Fix started", EntryKind.FIX_STARTED),
        ("fix restarting the pods", "Fix started", EntryKind.FIX_STARTED),
        ("fix applied", "Fix applied", EntryKind.FIX_APPLIED),
        ("fix-applied restarted", "Fix applied", EntryKind.FIX_APPLIED),
        ("update half of them work again", "INCIDENT UPDATE", EntryKind.UPDATE),
        ("severity P1 only some users", "P0 → P1", EntryKind.SEVERITY),
        ("severity p2 fewer still", "P0 → P2", EntryKind.SEVERITY),
        ("escalate nobody answers", "paged", EntryKind.PAGED),
        ("page @erik please look", "Paged directly", EntryKind.PAGED),
        ("page executives now", "Paged directly", EntryKind.PAGED),
        ("page engineering_manager", "Paged directly", EntryKind.PAGED),
        ("workaround the old page works", "Workaround in place", EntryKind.WORKAROUND),
        ("edit outage", "Corrected", EntryKind.EDITED),
        ("lead commander", "incident commander", EntryKind.LEADING),
        ("lead scribe @omar", "asks", EntryKind.LEADING),
        ("security a leak", "", EntryKind.SECURITY),
        ("cancel monitoring was wrong", "false alarm", EntryKind.CANCELLED),
    ],
)
def test_a_move_with_its_words_is_made_at_once(office: Office, typed: str, answer: str, kind: EntryKind) -> None:
    """While one incident is open it need not be named; the answer says what came of it."""
    office.declare()
    dana = office.person("dana")
    assert dana.command(typed) == {"ok": True}
    dana.told(answer)
    entry = office.incident().latest(kind)
    assert entry is not None
    assert entry.by == user("dana")


def user_group(office: Office, handle: str, *members: str) -> WebClient:
    """Make a user group in the workspace; gives the client, to change it."""
    slack = WebClient(office.workspace.bot_token, base_url=office.workspace.api_url)
    made = slack.usergroups_create(name=handle, handle=handle)["usergroup"]
    slack.usergroups_users_update(usergroup=made["id"], users=[user(m) for m in members])
    return slack


@pytest.mark.parametrize("typed", ["@sofia @dbas disk full", "@dbas, @sofia: disk full", "sofia and @dbas disk full"])
def test_a_user_group_that_holds_no_role_is_asked_of_slack(office: Office, typed: str) -> None:
    """Its members are paged beside whoever else was named, and the reason is what follows the names."""
    user_group(office, "dbas", "mei", "erik")
    office.declare()
    office.person("dana").command(f"page {typed}")
    office.person("dana").told("Paged directly")
    pages = [p for p in office.incident().pages if p.tier == 0]
    assert {p.person for p in pages} == {user("sofia"), user("mei"), user("erik")}
    assert {p.why for p in pages} == {"paged directly: disk full"}


def test_several_roles_are_paged(office: Office) -> None:
    """Each name before the reason counts, a role as much as a person."""
    office.declare()
    office.person("dana").command("page executives engineering_manager, erik disk full")
    office.person("dana").told("Paged directly")
    pages = [p for p in office.incident().pages if p.tier == 0]
    roster = office.world.service.roster(office.world.clock())
    expected = {*roster.of("executives"), *roster.of("engineering_manager"), user("erik")}
    assert {p.person for p in pages} == expected
    assert pages[0].why == "paged directly: disk full"


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("@nobody @erik disk full", "Nobody here is called 'nobody'"),
        ("@erik @nobody disk full", "Nobody here is called 'nobody'"),
        ("@erik ann@x.example disk full", "Nobody here is called 'ann@x.example'"),
        ("@erik @empty disk full", "The user group @empty has no members"),
        ("@erik @gone disk full", "Slack did not say who is in the user group @gone"),
    ],
)
def test_a_name_that_stands_for_nobody_is_said(office: Office, typed: str, named: str) -> None:
    """Whoever could be found is paged, the rest is named, and the reason is whole."""
    slack = user_group(office, "gone", "mei")
    slack.usergroups_create(name="empty", handle="empty")
    if "@gone" in typed:
        control(
            office.workspace, "faults", method="usergroups.users.list", kind="error", error="internal_error", times=9
        )
    office.declare()
    office.person("dana").command(f"page {typed}")
    office.person("dana").told(named)
    pages = [p for p in office.incident().pages if p.tier == 0]
    assert {p.person for p in pages} == {user("erik")}
    assert pages[0].why == "paged directly: disk full"


@pytest.mark.parametrize("typed", ["page executives disk full", "escalate", "severity P0 it is down"])
def test_a_role_held_by_a_user_group_pages_whoever_is_in_it_now(patient: RunningWorkspace, typed: str) -> None:
    """Slack is asked when they are paged, not some minutes before."""
    control(patient, "reset")
    slack = WebClient(patient.bot_token, base_url=patient.api_url)
    group = slack.usergroups_create(name="chiefs", handle="chiefs")["usergroup"]["id"]
    slack.usergroups_users_update(usergroup=group, users=[user("erik")])
    roles = {**example_data()["roles"], "executives": [group], "on_call": [group], "engineering_manager": [group]}
    behind = world(roles=roles)
    with running_bot(patient, behind.service) as bot:
        eventually(lambda: behind.store.directory().groups == {group: (user("erik"),)})
        office = Office(patient, behind, bot)
        office.declare(severity="P1" if typed.startswith("severity") else "P0")
        slack.usergroups_users_update(usergroup=group, users=[user("mei")])
        office.person("dana").command(typed)
        eventually(lambda: user("mei") in {p.person for p in office.incident().pages})


def test_the_address_of_a_profile_is_taken_where_the_configuration_has_none(patient: RunningWorkspace) -> None:
    """A page by mail reaches people who are known by their member id only."""
    control(patient, "reset")
    people = {**{key: {"slack": user(key)} for key in example_data()["people"]}, "erik": {"email": "erik@example.com"}}
    behind = world(people=people)
    with running_bot(patient, behind.service):
        known = eventually(lambda: behind.store.directory() if behind.store.directory().mails else None)
    assert behind.company.mail_of(user("dana"), known) == "dana@example.com"
    assert behind.company.mail_of(user("erik"), known) == "erik@example.com"
    assert user("erik") not in known.mails


def test_words_are_stored_as_they_were_meant(office: Office) -> None:
    """Slack's escapes are undone once; the answer escapes them again."""
    office.declare()
    office.person("dana").command("root-cause <the> disk & the @omar thing")
    office.person("dana").told("Root cause")
    cause = office.incident().root_cause
    assert cause is not None
    assert cause.text == "<the> disk & the @omar thing"


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("root-cause", "Root cause found"),
        ("fix-failed", "Fix failed"),
        ("update", "Post update"),
        ("severity", "Change severity"),
        ("severity P1", "Change severity"),
        ("workaround", "Workaround in place"),
        ("edit", "Edit details"),
        ("lead", "Incident roles"),
        ("page", "Page someone"),
        ("security", "Mark as security"),
        ("times", "State times"),
        ("resolve", "Resolve incident"),
        ("cancel", "Cancel incident"),
    ],
)
def test_without_words_the_form_opens(office: Office, typed: str, title: str) -> None:
    """A move that needs words asks for them."""
    incident = office.declare()
    office.world.service.handle(incident.id, FixApplied(by=user("omar")))
    office.person("dana").command(typed)
    assert incident.id in str(office.person("dana").modal(title))


def test_a_ticket_is_scheduled_fixed_and_verified(office: Office) -> None:
    """From the command line; the list of tickets says where it stands."""
    incident = office.declare(severity="P2", service="checkout")
    dana = office.person("dana")
    dana.command("schedule")
    assert dana.modal("Schedule")
    dana.command("schedule sprint 7")
    dana.told("Scheduled")
    office.person("omar").command("tickets backend")
    assert incident.id in office.person("omar").told("scheduled for sprint 7")
    office.world.service.handle(incident.id, FixApplied(by=user("dana")))
    dana.command("verify the page loads")
    dana.told("Fix verified")
    office.person("mei").command("tickets")
    assert "*backend*" in office.person("mei").told("verified")


def test_times_of_the_impact_are_stated_by_command_and_form(office: Office) -> None:
    """Of the open incident, else of the one whose review is due; what cannot be read says how to write it."""
    dana, incident = office.person("dana"), office.declare()
    dana.command("times began 20m ago, detected 3m ago")
    dana.told("impact began")
    now = office.world.service.clock()
    assert impact_times(office.incident()) == {
        "began": now - timedelta(minutes=20),
        "detected": now - timedelta(minutes=3),
    }
    for typed, said in (
        ("ended tomorrow 9am", "still to come"),
        ("ended 2h ago", "cannot end before"),
        ("long ago", "Write `began 14:02`"),
        ("began yesterday", "names no time of day"),
    ):
        dana.command(f"times {typed}")
        dana.told(said)
    office.world.service.handle(incident.id, Resolve(by=user("omar"), summary="s", resolution="r"))
    dana.command("times")
    view = dana.modal("State times")
    assert incident.id in str(view)
    assert re.search(r"Declared <!date.*.*, resolved <!date.*Times to detect", str(view))
    ended = int(now.timestamp()) - 60
    assert dana.submit(view, ended=ended) == {"ok": True}
    assert impact_times(office.incident())["ended"].timestamp() == ended


def test_a_review_is_reported_once(office: Office) -> None:
    """`reviewed` finds the one that waits for it."""
    office.person("dana").command("reviewed")
    office.person("dana").told("No post-incident review is due")
    resolved(office)
    office.person("dana").command("reviewed we alert on the pool now")
    office.person("dana").told("Post-incident review done")
    assert office.incident().reviewed


def test_reopen_takes_the_one_that_was_closed(office: Office) -> None:
    """With words at once, without words by its form."""
    resolved(office)
    office.person("dana").command("reopen")
    assert office.person("dana").modal("Reopen")
    office.person("omar").command("reopen it is back")
    office.person("omar").told("Reopened")
    assert office.incident().status is Status.INVESTIGATING


def test_a_duplicate_has_to_exist(office: Office) -> None:
    """The other incident is looked up; an incident is no duplicate of itself."""
    first, second = office.declare(), office.declare(title="Again")
    dana = office.person("dana")
    dana.command(f"cancel {second.id} duplicate of INC-20240101-009")
    dana.told("There is no incident INC-20240101-009")
    dana.command(f"cancel {second.id} duplicate of {second.id}")
    dana.told("duplicate of itself")
    dana.command(f"cancel {second.id} duplicate of {first.id.lower()}")
    dana.told(f"duplicate of {first.id}")
    assert office.incident(second.id).status is Status.CANCELLED


# Which incident --------------------------------------------------------------------------------------------------


def test_an_id_is_read_in_any_case(office: Office) -> None:
    """inc-... is INC-..."""
    incident = office.declare()
    office.declare(title="Another")
    office.person("dana").command(f"ack {incident.id.lower()}")
    office.person("dana").told("Acknowledged")
    assert office.incident(incident.id).acknowledgement


def test_an_id_that_does_not_exist_is_named(office: Office) -> None:
    """Nobody wonders which id was wrong."""
    office.person("dana").command("ack inc-20200101-001")
    assert "There is no incident INC-20200101-001." in office.person("dana").told("no incident")


@pytest.mark.parametrize(
    "typed", ["1", "001", "#1", "INC-1", "1218-001", "inc-001-zebras-are-loose", "inc-20241218-001"]
)
def test_show_finds_an_incident_by_its_number(office: Office, typed: str) -> None:
    """As people write it: the number, with the day, or the name of its room."""
    incident = office.declare(title="Zebras are loose")
    office.declare(title="Another")
    office.person("dana").command(f"show {typed}")
    assert incident.id in office.person("dana").told("Zebras are loose")


def test_an_unknown_number_is_named(office: Office) -> None:
    """With the nearest one, whether an incident is open or not."""
    dana = office.person("dana")
    dana.command("show 77")
    dana.told("There is no incident 77.")
    office.declare()
    dana.command("show 004")
    dana.told("There is no incident 004. Did you mean INC-20241218-001?")
    dana.command("show 2026")
    dana.told("There is no incident 2026.")


def test_a_number_finds_an_incident_however_old(office: Office) -> None:
    """Of several with one number the latest is meant; and the latest fifty are not all there are."""
    incident = office.declare(title="Zebras are loose")
    store, clock = office.world.store, office.world.clock
    clock.push(minutes=24 * 60)
    for n in range(2, 60):
        newer = incident.model_copy(update={"id": f"INC-20241219-{n:03}", "declared_at": clock()})
        store.declare("20241219", "", partial(_named, newer))
    dana = office.person("dana")
    dana.command("show 1218-1")
    assert incident.id in dana.told("Zebras are loose")
    dana.command("show 1")
    dana.told("INC-20241219-001")


def test_a_number_alone_names_the_incident_of_a_move(office: Office) -> None:
    """`ack 2` takes the second one; of it `root-cause 2` asks the cause, and `2` is no cause itself."""
    office.declare(title="One")
    second = office.declare(title="Two")
    dana = office.person("dana")
    dana.command("ack 2")
    dana.told("Acknowledged")
    assert office.incident(second.id).acknowledgement
    dana.command("root-cause 2")
    form = dana.modal("Root cause")
    assert second.id in str(form["blocks"][0])
    assert not office.incident(second.id).root_cause
    dana.command("update 77")
    dana.told("There is no incident 77.")


def test_a_duplicate_may_be_named_by_its_number(office: Office) -> None:
    """It is cancelled as a duplicate, not as a false alarm whose reason names another incident."""
    first, second = office.declare(title="One"), office.declare(title="Two")
    dana = office.person("dana")
    dana.command(f"cancel {second.id} duplicate of 77")
    dana.told("There is no incident 77.")
    assert office.incident(second.id).open
    dana.command(f"cancel {second.id} duplicate of 1, the same <disk> & shelf")
    dana.told(f"duplicate of {first.id}")
    told = office.incident(second.id).latest(EntryKind.CANCELLED)
    assert told
    assert (told.fields["duplicate_of"], told.why) == (first.id, "the same <disk> & shelf")


def test_a_declaration_takes_the_severity_from_the_command(office: Office) -> None:
    """The form opens with it chosen, and the rest as the title."""
    office.person("dana").command("declare p1: Checkout is slow")
    values = str(office.person("dana").modal("Declare an incident"))
    assert "'initial_value': 'Checkout is slow'" in values
    assert "'initial_option': {'text': {'type': 'plain_text', 'text': 'P1 - " in values


def test_with_several_open_there_is_a_list_to_choose_from(office: Office) -> None:
    """Nothing is done to any of them, until one is chosen: then what was typed is done."""
    first, second = office.declare(), office.declare(title="Login <fails>", severity="P2")
    dana = office.person("dana")
    dana.command("root-cause a <full> disk")
    told = dana.told("Which incident?")
    assert told.index(first.id) < told.index(second.id)
    assert "Login &lt;fails&gt;" in told
    assert not office.incident(first.id).root_cause
    dana.press(next(m for m in dana.messages() if "which-go" in str(m)), "say-1", dana.channel("general"))
    dana.told("Root cause found")
    cause = office.incident(second.id).root_cause
    assert cause is not None
    assert cause.text == "a <full> disk"
    assert not office.incident(first.id).root_cause


def test_with_none_open_it_says_so(office: Office) -> None:
    """A move without an incident to make it on is answered in words."""
    office.person("dana").command("ack")
    office.person("dana").told("No incident is open")


def test_in_its_war_room_an_incident_need_not_be_named(office: Office) -> None:
    """Although others are open."""
    incident = office.room(office.declare(), "dana")
    office.declare(title="Another")
    assert incident.room
    office.person("dana").command("ack", channel=incident.room.name)
    office.person("dana").told("Acknowledged", channel=incident.room.name)
    assert office.incident(incident.id).acknowledgement


# Looking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["", "help"])
def test_the_overview_begins_with_what_is_open(office: Office, typed: str) -> None:
    """Then buttons and five commands; each button does what its command would."""
    incident = office.declare()
    dana = office.person("dana")
    dana.command(typed)
    told = dana.told("`/incident declare")
    assert told.index(incident.id) < told.index("`/incident declare")
    shown = next(m for m in dana.messages() if "say-oncall" in str(m))
    pressed = {"say-oncall": "Next handover", "say-list": "Open incidents (1)", "say-help": "`/incident simulate P0`"}
    for action, words in pressed.items():
        dana.press(shown, action, dana.channel("general"))
        dana.told(words)
    dana.press(shown, "declare_incident", dana.channel("general"))
    assert dana.modal("Declare an incident")


def test_help_all_has_every_command_and_help_of_one_that_one(office: Office) -> None:
    """What can be typed is found without leaving Slack."""
    dana = office.person("dana")
    dana.command("help all")
    told = dana.told("/incident simulate")
    for verb in set(VERBS) - {"", "help"}:
        assert verb.replace("fix-applied", "fix applied") in told
    dana.command("help acknowledge")
    eventually(lambda: any(w == "`/incident ack [ID]` take it\n`/incident ack [ID]` take it" for w in dana.whispers()))


def test_a_direct_message_is_answered_with_the_overview(office: Office) -> None:
    """Whatever it says: who writes to the bot learns what is open, and what can be done."""
    incident = office.declare()
    dana = office.person("dana")
    slack = WebClient(office.workspace.bot_token, base_url=office.workspace.api_url)
    slack.chat_postMessage(channel=dana.id, text="a page")
    dana.say("help", "tocsin")
    answer = eventually(lambda: next((m for m in dana.messages("tocsin") if "say-oncall" in str(m)), None))
    assert incident.id in everything(answer)
    assert not answer.get("ephemeral")


def test_show_finds_an_incident_by_its_room(office: Office) -> None:
    """A mention of the war room's channel stands for its incident, typed anywhere."""
    incident = office.declare()
    office.room(incident, "dana")
    office.declare(severity="P3", title="Another")
    room = office.incident(incident.id).room
    assert room
    office.person("dana").command(f"show #{room.name}")
    assert incident.id in office.person("dana").told("Checkout is down")


def test_list_and_show(office: Office) -> None:
    """A list of the open ones; the card of one, with its buttons, to the one who asked."""
    incident = office.declare(title="Checkout <down>")
    dana = office.person("dana")
    dana.command("list")
    assert incident.id in dana.told("Checkout &lt;down&gt;")
    dana.command("show")
    card = eventually(lambda: next((m for m in dana.messages() if "'action_id': 'acknowledge'" in str(m)), None))
    assert card["ephemeral"]
    dana.press(card, "acknowledge", dana.channel("general"))
    assert eventually(lambda: office.incident().acknowledgement).by == user("dana")


def test_list_begins_with_the_worst_and_takes_a_word(office: Office) -> None:
    """Open ones by severity; `all`, `closed` and `mine` choose; any other word is refused."""
    closed = resolved(office)
    minor, major = office.declare(title="Minor", severity="P2"), office.declare(title="Major", severity="P0")
    dana, erik = office.person("dana"), office.person("erik")
    for typed, said, shown in (
        ("list", "Open incidents (2)", [major.id, minor.id]),
        ("list all", "All incidents", [major.id, minor.id, closed.id]),
        ("list closed", "Closed incidents", [closed.id]),
    ):
        dana.command(typed)
        assert re.findall(r"INC-\d+-\d+", dana.told(said)) == shown
    erik.command("list mine")
    erik.told("You are not involved in any open incident")
    dana.command("list everything")
    dana.told("There is no `/incident list everything`. Use")


@pytest.mark.parametrize("kind", ["closed", "all"])
def test_every_incident_there_was_can_be_paged_to(office: Office, kind: str) -> None:
    """`Next` goes on in the same message until the oldest; what one may not see is left out and leaves no gap."""
    incident, store = resolved(office), office.world.store
    for n in range(2, 74):
        facts = incident.facts.model_copy(update={"security": n % 3 == 0})
        made = incident.model_copy(update={"facts": facts, "reporter": user("erik"), "pages": ()})
        store.declare("20241218", "", partial(_named, made))
    dana = office.person("dana")
    dana.command(f"list {kind}")
    seen: list[str] = []
    for _ in range(9):
        listed = eventually(partial(_new_page, dana, tuple(seen)))
        seen += re.findall(r"INC-\d+-\d+", everything(listed).split("\n", 1)[1])
        if "say-next" not in str(listed):
            break
        dana.press(listed, "say-next", dana.channel("general"))
    assert seen == [f"INC-20241218-{n:03}" for n in range(73, 0, -1) if n % 3]
    assert len([m for m in dana.messages() if "list-go" in str(m)]) == 1


def _new_page(person: Person, seen: tuple[str, ...]) -> Json | None:
    """The list as it stands, once it shows something new."""
    listed = next((m for m in person.messages() if "list-go" in str(m)), None)
    return listed if listed and not any(i in str(listed["blocks"][0]) for i in seen[-1:]) else None


def test_oncall_names_who_the_backup_and_the_handover(office: Office) -> None:
    """2024-12-18 is in Mei's week; Dana takes over on Monday."""
    office.person("omar").command("oncall")
    told = office.person("omar").told("backup")
    assert f"<@{user('mei')}>, backup <@{user('dana')}>" in told
    assert "Next handover" in told


def test_contacts_name_whom_to_call(office: Office) -> None:
    """The hotline, the person on call among the technical ones, the vendors with what depends on them."""
    office.person("omar").command("contacts")
    told = office.person("omar").told("*Hotline:* ")
    assert f"*Technical*\n• Primary on call: <@{user('mei')}>\n• Lena Fischer · +1 555 0110 · DevOps" in told
    assert "https://support.stripe.com" in told
    assert "(for checkout)" in told


def test_contacts_may_be_missing() -> None:
    """Then it says where they would stand."""
    company = example_company(contacts={}, rotations={}, roles={}, services={})
    assert contacts(company, {}) == ((NONE,),)


def test_a_simulation_sends_nothing(office: Office) -> None:
    """It tells whom a P0 would page; nothing is declared."""
    office.person("dana").command("simulate P0 ack-after 20m")
    office.person("dana").told("Nothing is sent")
    assert not office.world.store.recent()


def test_an_unknown_command_gets_a_suggestion(office: Office) -> None:
    """A typing mistake is met with what was probably meant."""
    office.person("dana").command("resovle")
    told = office.person("dana").told("Unknown command `resovle`.")
    assert "Did you mean `/incident resolve`? `/incident help all` lists every command." in told


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("severity P7 because", "There is no severity P7"),
        ("page nobodyknows now", "Nobody here is called 'nobodyknows'"),
        ("page exectives", "did you mean 'executives'"),
        ("update " + "x" * 3001, "This has 3,001 characters; the limit is 3,000."),
        ("fix-failed it is back", "No fix has been started yet"),
        ("schedule tomorrow", "A P0 is handled now, not scheduled"),
        ("schedule", "A P0 is handled now, not scheduled"),
        ("verify", "No fix has been applied yet"),
        ("edit security", "`no outage` undoes it"),
        ("lead captain", "There is no incident role 'captain'"),
        ("reviewed", "No post-incident review is due"),
        ("tickets bakend", "did you mean 'backend'"),
        ("drill P7", "Which severity?"),
        ("simulate P7", "is not a severity"),
        ("reopen", "No incident was closed recently"),
    ],
)
def test_what_cannot_be_done_is_said(office: Office, typed: str, words: str) -> None:
    """Kindly, with the reason, and nothing changes."""
    before = office.declare()
    office.person("dana").command(typed)
    office.person("dana").told(words)
    assert office.incident().stamp == before.stamp


# Slack's own troubles --------------------------------------------------------------------------------------------


def test_a_redelivered_command_counts_once(office: Office) -> None:
    """Two envelopes with one trigger are one wish."""
    incident = office.declare()
    office.person("dana").command("escalate")
    office.person("dana").told("paged")
    control(office.workspace, "redeliver", n=1)
    office.person("dana").command("ack")
    office.person("dana").told("cknowledged")
    assert office.incident(incident.id).tiers_paged == (1, 2)


def test_an_expired_trigger_is_told(office: Office) -> None:
    """The form cannot open any more: the person is asked to use the command again."""
    control(office.workspace, "faults", method="views.open", kind="error", error="expired_trigger_id", times=1)
    office.person("dana").command("declare Checkout")
    office.person("dana").told("Use the command")
    office.person("dana").command("declare Checkout")
    assert office.person("dana").modal("Declare")


def test_a_command_is_acknowledged_even_when_slack_is_slow(office: Office) -> None:
    """Slack hears at once that the command came, though it answers none of our own calls."""
    office.person("dana").command("help")
    office.person("dana").told("/incident declare")  # Bolt asks Slack who we are at the first command, and only then
    control(office.workspace, "faults", method="*", kind="hang", times=None)
    assert office.person("omar").command("help") == {"ok": True}


@pytest.mark.slow
def test_what_nobody_foresaw_is_told_and_logged_without_words(office: Office) -> None:
    """The log has the kind and the place of an error, and none of its text; whoever runs Tocsin has it as a problem."""
    office.world.redis.set("tocsin:incident:INC-20240101-001", '{"title": "zebrafish"}')
    with capture_logs() as logs:
        office.person("dana").command("show INC-20240101-001")
        office.person("dana").told("Something went wrong")
    (line,) = [entry for entry in logs if entry["event"] == "unhandled error"]
    assert line["where"]
    [problem] = eventually(office.world.store.problems.current)
    assert problem.key == "bug:a person's request"
    assert "zebrafish" not in f"{logs} {problem}"


def test_nothing_is_said_in_public(office: Office) -> None:
    """Every answer is for the one who asked: the bot itself posts nothing."""
    office.declare()
    for typed in ("", "list", "show", "ack", "oncall", "frob"):
        office.person("dana").command(typed)
    office.person("dana").told("Unknown command `frob`")
    assert not [m for m in office.person("omar").messages() if not m.get("subtype")]
    assert not calls(office.workspace, "chat.postMessage")


def test_cancelled_incidents_are_not_listed(office: Office) -> None:
    """The list holds what somebody still has to do something about."""
    incident = office.declare(severity="P3")
    assert incident.severity is Severity.P3
    office.world.service.handle(incident.id, Cancel(by=user("dana")))
    office.person("dana").command("list")
    office.person("dana").told("No open incidents")
