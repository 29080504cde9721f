"""What people type, what help says of it, and what the buttons are called: derived from one table of rows."""

import pytest

from bot.render.replies import help_reply
from bot.vocabulary import COMMANDS, HELP, LABELS, MOVES, VERBS
from escalation.incident.events.moves import Move

TYPED = {
    "ack": "acknowledge acked acknowledged claim",
    "decline": "cant can't can\u2019t cannot pass",
    "root-cause": "root_cause rootcause cause identified identify rca",
    "workaround": "rollback mitigate mitigated mitigation",
    "schedule": "",
    "fix": "start-fix fixing",
    "fix-applied": "fix_applied fixed deployed monitoring monitor",
    "fix-failed": "fix_failed not-fixed",
    "verify": "verified",
    "update": "post-update status-update progress",
    "escalate": "",
    "page": "call",
    "run": "execute",
    "severity": "sev priority change-severity",
    "resolve": "resolved close closed done end finish finished solved",
    "reopen": "reopened re-open",
    "times": "impact-times timestamps",
    "plan-review": "review-owner review-meeting plan_review",
    "reviewed": "review-done",
    "cancel": "false-alarm cancelled canceled dismiss",
    "lead": "role roles assign-role",
    "edit": "correct edit-details rename",
    "security": "private",
    "snooze": "remind later",
    "communications": "comms communicate",
    "publish": "status-page statuspage",
    "help": "? commands",
    "declare": "new start create trigger",
    "maintenance": "maint planned-maintenance",
    "list": "ls incidents",
    "search": "find grep",
    "show": "status info view details",
    "web": "browser",
    "tickets": "backlog ticket",
    "contacts": "contact",
    "alerts": "alert",
    "slo": "",
    "report": "figures mtta mttr",
    "oncall": "on-call on_call who rota",
    "me": "contact-methods preferences",
    "drill": "exercise",
    "review": "retro retrospective postmortem post-mortem",
    "action": "todo follow-up",
    "actions": "todos follow-ups action-items",
    "simulate": "dry-run preview",
}
# In the order of a card's overflow menu; people are told these names elsewhere.
BUTTONS = (
    "Acknowledge, Can't take it, Root cause found, Workaround in place, Schedule, Start fix, Fix applied, Fix failed, "
    "Fix verified, Post update, Escalate, Page someone, Run action, Change severity, Resolve, Reopen, State times, "
    "Plan review, Review done, False alarm, Assign role, Edit details, Mark as security, Snooze, "
    "Communications, Publish"
)
HELPED = """\
The ID may be left out in a war room, and while only one incident is open. Alone, its number is enough: `ack 14`.
*Declare and look*
`/incident declare [P0] [title]` declare an incident
`/incident list [all, closed or mine] [filters]` list incidents
`/incident search words [severity:P0 service:checkout owner:me from:2026-11 to:2026-11-30 open closed]` find incidents
`/incident show [ID or number]` show the card of one
`/incident web [ID]` incidents in the browser: a link for you alone
`/incident tickets [team] [filters]` list the open tickets
`/incident oncall`, or `oncall take`, `swap`, `override`, `away`, `cancel` see or change who is on call
`/incident me` how you are reached; `me quiet 22:00-07:00`, `me shift 1d`, `me urgent push, 1m sms, 3m call`
`/incident contacts` phone numbers and vendors
`/incident alerts [ID, held or filters]` what monitoring sent, and what waits
`/incident slo [7d]` how punctual pages were
`/incident report [7d or 2026-11] [service]` MTTA, MTTR and promises kept
*Work on it*
`/incident ack [ID]` take it
`/incident decline [ID] [why]` can't take the page: the next is paged
`/incident root-cause [ID] [cause]` record the root cause
`/incident workaround [ID] [what]` record a workaround
`/incident fix [ID]` start a fix
`/incident fix applied [ID]` monitor the fix
`/incident fix-failed [ID] [what you see]` report a failed fix
`/incident update [ID] [progress]` post a progress update
`/incident communications [ID]` what is still to be published, with drafts
`/incident run [ID] [action]` run an action in your systems
`/incident publish [ID] [component=state …] [words]` update or correct the status page, with a preview
`/incident maintenance`, or `maintenance list`, `maintenance cancel M1` announce planned maintenance on the status page
`/incident snooze [ID] 30m` snooze reminders, never a page
`/incident schedule [ID] [when]` plan the work on a ticket
`/incident verify [ID] [what was checked]` confirm a ticket's fix
`/incident resolve [ID]` close it as resolved
`/incident reopen [ID] [why]` open it again
`/incident times [ID] [began 14:02, detected 14:05, ended 15:10]` when the impact began, was detected and ended
`/incident review [ID]` the post-incident review; `review ID write` or `canvas` to write it
`/incident plan-review [ID] [@owner, later, or no meeting why]` owner and meeting of the post-incident review
`/incident reviewed [ID]` mark the post-incident review as done
`/incident action [ID] what @owner friday` note an action item, or an idea
`/incident actions [all or mine, filters; or done, drop, take, promise, reopen and ID]` action items
`/incident cancel [ID] [why, or duplicate of INC-…]` false alarm or duplicate
*People*
`/incident escalate [ID] [why]` page the next tier
`/incident page [ID] @person, @group or role … [why]` page people
`/incident lead [ID] [commander, communications or scribe] [@person]` assign a role
*Correct it*
`/incident severity [ID] P1 [why]` change the severity
`/incident edit [ID]`, or `edit [ID] outage`, `major-impact`, `data-loss` correct the details
`/incident security [ID] [why]` treat it as a security incident: makes it private
*Practise*
`/incident drill P0 [speed]` practise: people are really paged, every message says DRILL
`/incident simulate P0` show what would happen; nothing is sent"""


@pytest.mark.parametrize("move", list(Move))
def test_every_move_has_its_words(move: Move) -> None:
    """A label for its button, and a verb."""
    rows = [c for c in COMMANDS if c.move is move]
    assert len(rows) == 1, f"bot/vocabulary.py wants one Command for Move.{move.name}, and has {len(rows)}"
    assert rows[0].label, f"bot/vocabulary.py: the Command of Move.{move.name} wants a label for its button"
    assert rows[0].verb, f"bot/vocabulary.py: the Command of Move.{move.name} wants a verb"


@pytest.mark.parametrize("verb", sorted(VERBS.keys() - {"help"}))
def test_help_says_each_thing_once(verb: str) -> None:
    """Nothing that can be typed is left out of `/incident help`, or said in two places."""
    (said,) = (c.help for c in COMMANDS if c.verb == verb)
    assert said.startswith("`"), f"bot/vocabulary.py: {verb} wants a help text that begins with what is typed"
    found = sum(HELP.count(begins + said.removeprefix("`")) for begins in ("`", "`/incident "))
    assert found == 1, f"bot/vocabulary.py: {verb} stands {found} times in the sections of the help"


def test_the_help_reads_as_it_did() -> None:
    """To the byte; a new command changes it here too."""
    assert HELP == HELPED
    assert all(part in str(help_reply(HELP).blocks) for part in HELPED.split("\n"))


def test_what_can_be_typed_is_what_people_know() -> None:
    """Each verb first among its words; no word means two things."""
    assert {verb: (verb, *also.split()) for verb, also in TYPED.items()} == VERBS
    words = [word for row in VERBS.values() for word in row]
    assert len(words) == len(set(words))


def test_moves_are_typed_under_one_verb() -> None:
    """Every move can be typed."""
    assert sorted(MOVES.values()) == sorted(Move)
    assert (MOVES["fix"], MOVES["ack"], MOVES["root-cause"]) == (Move.START_FIX, Move.ACKNOWLEDGE, Move.ROOT_CAUSE)


def test_labels_are_those_of_the_interface() -> None:
    """In this order they fill the menus."""
    assert ", ".join(LABELS.values()) == BUTTONS
    assert list(LABELS)[-1] is Move.PUBLISH
