"""`/incident me`: how somebody is reached, and what they set of it for themselves."""

from datetime import datetime, timedelta

from bot.deps import BotDeps
from escalation.config.notify import By, NotifyStep, Via
from escalation.errors import Refused
from escalation.messages.methods import Reached, methods_lines
from escalation.notify.methods import addresses, methods_of
from escalation.notify.preferences import Preferences, parse_quiet, parse_steps
from escalation.oncall import trials
from escalation.oncall.overrides import set_preferences
from escalation.oncall.schedule import OncallState, upcoming_shifts
from escalation.text import Line
from escalation.times import parse_duration
from escalation.values import PersonId

LOOK_AHEAD = timedelta(days=92)  # for somebody's next shift
USAGE = (
    "Set one thing: `me quiet 22:00-07:00` or `me quiet off`; `me shift 1d` or `me shift off`; "
    "`me urgent push, 1m sms, 3m call`, `me normal 10m mail`, or `me urgent default`; `me test sms` tries a method."
)


def own_settings(deps: BotDeps, member: PersonId, text: str) -> tuple[Line, ...]:
    """Set what `text` says, if anything, and return how somebody is reached. Raises Refused."""
    key = deps.company.key_of(member, deps.store.directory()) or member
    what, _, method = text.strip().partition(" ")
    if what.lower() == "test":
        ask_for_test(deps, member, method)
    elif text.strip():
        own = deps.store.oncall_state().preferences.get(key) or Preferences()
        wanted = changed(own, text, deps.company.timezone)
        deps.store.update_oncall_state(lambda before: set_preferences(before, key, wanted))
    return lines_of(deps, member, deps.store.oncall_state(), deps.service.clock())


def ask_for_test(deps: BotDeps, member: PersonId, method: str) -> None:
    """Ask for a test of one of somebody's methods. Refused for one that they do not have."""
    known = {by: by.words for by in testable(deps, member)}
    wanted = _METHODS.get(method.strip().lower(), method.strip().lower())
    if wanted not in known:
        raise Refused(f"Name one of your methods: {', '.join(f'`me test {by}`' for by in known)}.")
    key = deps.company.key_of(member, deps.store.directory()) or member
    deps.store.update_oncall_state(lambda before: trials.ask(before, key, member, By(wanted), deps.service.clock()))
    deps.store.request_upkeep()


def testable(deps: BotDeps, member: PersonId) -> tuple[By, ...]:
    """Return the methods of somebody's that are set up, Slack first."""
    has = addresses(deps.company, member, deps.store.directory())
    return (By.SLACK, *(By(via) for via in Via if via in has and via in deps.service.set_up))


_METHODS = {"email": "mail", "phone": "call", "text": "sms"}


def lines_of(deps: BotDeps, member: PersonId, state: OncallState, now: datetime) -> tuple[Line, ...]:
    """Say how somebody is reached, and when they are on call next."""
    directory = deps.store.directory()
    key = deps.company.key_of(member, directory) or member
    own = state.preferences.get(key) or Preferences()
    reached = Reached(
        methods=methods_of(deps.company, member, directory, own, deps.service.set_up),
        has=frozenset(addresses(deps.company, member, directory)),
        set_up=frozenset(deps.service.set_up),
        own=own,
        shift=_next_shift(deps, key, state, now),
    )
    tested = trials.latest_of(state, key)
    return (*methods_lines(key, reached), *(trials.result(tested[by]) for by in By if by in tested))


def _next_shift(deps: BotDeps, key: str, state: OncallState, now: datetime) -> tuple[str, datetime] | None:
    """The rotation and start of somebody's next shift; None if there is none soon."""
    found = [
        (shift.starts, name)
        for name in deps.company.rotations
        for shift in upcoming_shifts(name, deps.company, state, now, now + LOOK_AHEAD)
        if key in shift.people and shift.starts > now
    ]
    return min(found)[::-1] if found else None


def changed(own: Preferences, text: str, zone: str) -> Preferences:
    """Return somebody's preferences with one thing set anew. Refused says how to write it."""
    what, _, value = text.strip().partition(" ")
    value, off = value.strip(), value.strip().lower() in ("off", "none", "default")
    try:
        match what.lower():
            case "quiet" if value:
                return own.model_copy(update={"quiet": None if off else parse_quiet(value, zone)})
            case "shift" if value:
                return own.model_copy(update={"shift_reminder": None if off else parse_duration(value)})
            case "urgent" | "normal" if value:
                steps: tuple[NotifyStep, ...] | None = None if off else parse_steps(value)
                notify = own.notify.model_copy(update={what.lower(): steps})
                return own.model_copy(update={"notify": notify})
    except ValueError as error:
        problem = str(error).split("Value error, ")[-1].split(" [type=")[0]
        raise Refused(f"{problem[:1].upper()}{problem[1:]}.") from None
    raise Refused(USAGE)
