"""What people type, what help says of it, and what the buttons are called: derived from one table of rows."""

import pytest

from bot.render.replies import help_and_open
from bot.vocabulary import COMMANDS, HELP, LABELS, MOVES, VERBS
from escalation.incident.events import Move

TYPED = {
    "help": "?",
    "declare": "new start",
    "list": "ls",
    "show": "status",
    "ack": "acknowledge",
    "root-cause": "root_cause rootcause cause",
    "fix": "start-fix fixing",
    "fix-applied": "fix_applied fixed",
    "fix-failed": "fix_failed",
    "workaround": "rollback",
    "schedule": "",
    "verify": "verified",
    "update": "",
    "edit": "correct",
    "lead": "",
    "severity": "sev",
    "escalate": "",
    "page": "",
    "security": "",
    "resolve": "resolved close closed done",
    "reviewed": "review",
    "reopen": "",
    "cancel": "false-alarm",
    "oncall": "on-call",
    "tickets": "backlog",
    "contacts": "contact",
    "drill": "",
    "simulate": "",
    "slo": "",
}
# In the order of a card's overflow menu; people are told these names elsewhere.
BUTTONS = (
    "Acknowledge, Root cause found, Workaround in place, Schedule, Start fix, Fix applied, Fix did not hold, "
    "Fix verified, Post update, Escalate, Page someone, Change severity, Resolve, Reopen, Review held, False alarm, "
    "Take or hand over a role, Edit the details, Mark as security, Answer a communication"
)
HELPED = """\
*`/incident` declares and runs incidents.* The id may be left out in a war room, and while one incident is open.
*Declare and look*
`/incident declare [P0] [title]` opens the form
`/incident list [all, closed or mine]` · `show [ID]` · `tickets [team]` · `contacts` · `slo [7d]`
`/incident oncall` · `oncall take`, `swap`, `override`, `away` or `cancel`
*Work on it*
`/incident ack [ID]` you are on it
`/incident root-cause [ID] [cause]` · `workaround [ID] [what]` · `fix [ID]` · `fix applied [ID]` · `fix-failed [ID] [what you see]`
`/incident update [ID] [progress]` · `schedule [ID] [when]` · `verify [ID] [what was looked at]`
`/incident resolve [ID]` · `reopen [ID]` · `reviewed [ID]` · `cancel [ID] [why, or duplicate of INC-…]`
*People*
`/incident escalate [ID] [why]` · `page [ID] @person or role [why]`
`/incident lead [ID] [commander, communications or scribe] [@person]`
*Correct it*
`/incident severity [ID] P1 [why]` · `edit [ID]`, or `edit [ID] outage`, `major-impact`, `data-loss`
`/incident security [ID] [why]` makes it private
*Practise*
`/incident drill P0 [speed]` pages people and says that it is an exercise · `simulate P0` tells what would happen"""  # noqa: E501 - lines that people read


@pytest.mark.parametrize("move", list(Move))
def test_every_move_has_its_words(move: Move) -> None:
    """A label for its button, and a verb unless only a button makes it."""
    rows = [c for c in COMMANDS if c.move is move]
    assert len(rows) == 1, f"bot/vocabulary.py wants one Command for Move.{move.name}, and has {len(rows)}"
    assert rows[0].label, f"bot/vocabulary.py: the Command of Move.{move.name} wants a label for its button"
    assert rows[0].verb or move is Move.COMMUNICATE, f"bot/vocabulary.py: the Command of Move.{move.name} wants a verb"


@pytest.mark.parametrize("verb", sorted(VERBS.keys() - {"help"}))
def test_help_says_each_thing_once(verb: str) -> None:
    """Nothing that can be typed is left out of `/incident help`, or said in two places."""
    (said,) = (c.help for c in COMMANDS if c.verb == verb)
    assert said.startswith("`"), f"bot/vocabulary.py: {verb} wants a help text that begins with what is typed"
    found = sum(HELP.count(begins + said.removeprefix("`")) for begins in ("`", "`/incident "))
    assert found == 1, f"bot/vocabulary.py: {verb} stands {found} times in the sections of the help"


def test_the_help_reads_as_it_did() -> None:
    """To the byte; a new command changes it here too."""
    assert help_and_open([]).text == HELP == HELPED


def test_what_can_be_typed_is_what_people_know() -> None:
    """Each verb first among its words; no word means two things."""
    assert {verb: (verb, *also.split()) for verb, also in TYPED.items()} == VERBS
    words = [word for row in VERBS.values() for word in row]
    assert len(words) == len(set(words))


def test_moves_are_typed_under_one_verb() -> None:
    """All but the answer to a communication, which has a button under its message."""
    assert sorted(MOVES.values()) == sorted({*Move} - {Move.COMMUNICATE})
    assert (MOVES["fix"], MOVES["ack"], MOVES["root-cause"]) == (Move.START_FIX, Move.ACKNOWLEDGE, Move.ROOT_CAUSE)


def test_labels_are_those_of_the_interface() -> None:
    """In this order they fill the menus."""
    assert ", ".join(LABELS.values()) == BUTTONS
    assert list(LABELS)[-1] is Move.COMMUNICATE
