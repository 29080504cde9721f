"""The whole program as a newcomer meets it: `tocsin run`, and everything else through the page in a real browser.

Screenshots of each station are left in `ci-output/`.
"""

import contextlib
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, Error, Locator, Page, expect, sync_playwright

from escalation.config.policy import Severity
from escalation.incident.effects import is_page
from escalation.incident.model import Incident
from escalation.incident.state.posted import CopyKind
from escalation.storage.store import Store
from tests.sandbox.page import CHROMIUM, DESK, FLAGS, PHONE, SEEN_WITHIN
from tests.scenarios.test_run import Instance
from tests.support import http
from tests.support.waiting import ACKNOWLEDGED_WITHIN, eventually
from tocsin.commands.incidents import oncall_data
from tocsin.config import loader
from tocsin.config.settings import EXAMPLE_CONFIG
from tocsin.doctor.redis_checks import PARTS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs the system's Chromium"),
]

SHOTS = Path(__file__).parents[2] / "ci-output"
WITHIN = SEEN_WITHIN
PATIENCE = 5_000  # milliseconds after which a person presses once more
INSISTS = 2 * WITHIN / 1000  # seconds; each try waits twice
PEOPLE = {
    "dana": "U0DANA0001", "omar": "U0OMAR0001", "mei": "U0MEI00001", "lena": "U0LENA0001", "bruno": "U0BRUNO001",
    "erik": "U0ERIK0001", "carla": "U0CARLA001", "victor": "U0VICTOR01", "paula": "U0PAULA001",
}  # fmt: skip
DECLARE = "/incident declare Checkout is down"


@dataclass
class Visitor:
    """Somebody at the page: what they do there, and what they see."""

    page: Page
    story: str
    shots: int = 0

    def becomes(self, key: str) -> None:
        if self.page.locator("#to-sidebar").is_visible():
            self.page.click("#to-sidebar")
        self.page.click("#switcher")
        self.page.click(f'[data-user="{PEOPLE[key]}"]')
        expect(self.page.locator(f'#switcher[data-acting="{PEOPLE[key]}"]')).to_have_count(1)

    def opens(self, channel: str) -> None:
        """A channel by the beginning of its name."""
        if self.page.locator("#to-sidebar").is_visible():
            self.page.click("#to-sidebar")
        self.page.locator(f'[data-channel-name^="{channel}"]').first.click()

    def types(self, text: str) -> None:
        self.page.fill("#composer", text)
        self.page.press("#composer", "Enter")

    def fills(self, **fields: str) -> None:
        for block_id, words in fields.items():
            self.page.fill(f"dialog [data-block-id={block_id}]", words)

    def submits(self, **more: Any) -> None:
        self.page.click("dialog [type=submit]", **more)

    def confirms(self) -> None:
        """Agree to what a button asks before it acts."""
        self.page.locator("dialog.confirm button").last.click()

    def declares(self, command: str = DECLARE, severity: str = "P0") -> None:
        """Through the form, up to the moment when it closes."""
        self.types(command)
        self.page.select_option("dialog [data-block-id=severity]", severity)
        self.sees(self.form, "Pages at once")
        self.fills(impact="Nobody can pay")
        self.submits()
        self.is_rid_of(self.form)

    def sees(self, where: Locator, *texts: str | re.Pattern[str]) -> None:
        for text in texts:
            expect(where).to_contain_text(text, timeout=WITHIN)

    def is_rid_of(self, what: Locator) -> None:
        expect(what).to_have_count(0, timeout=WITHIN)

    def keeps(self, name: str) -> None:
        """A screenshot for people."""
        self.shots += 1
        SHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{self.story}-{self.shots:02d}-{name}.png")

    @property
    def form(self) -> Locator:
        return self.page.locator("#modal[open]")

    @property
    def card(self) -> Locator:
        """The newest card of the open channel."""
        return self.page.locator('#messages .message:has([data-block="card"])').last

    @property
    def newest_page(self) -> Locator:
        """The newest page of the open direct messages."""
        return self.page.locator('#messages .message:has([data-block="page"])').last

    @property
    def thread(self) -> Locator:
        return self.page.locator("#replies")

    @property
    def last(self) -> Locator:
        return self.page.locator("#messages .message").last


def button(where: Locator, label: str) -> Locator:
    return where.get_by_role("button", name=label, exact=True)


def fits(page: Page) -> bool:
    """Nothing can be pushed sideways: neither the page nor what is in it."""
    return bool(
        page.evaluate(
            """[...document.querySelectorAll("html, #messages, #replies, dialog[open] .body")]
            .filter(box => box.checkVisibility()).every(box => box.scrollWidth <= box.clientWidth)"""
        )
    )


@contextmanager
def program(folder: Path, speed: float) -> Iterator[Instance]:
    """`tocsin run`, ready."""
    instance = Instance(folder)
    (folder / ".env").write_text(f"TOCSIN_SPEED={speed:g}\n")
    process = instance.start()
    try:
        eventually(lambda: instance.ready() and set(instance.parts()) == set(PARTS), "not all parts came up")
        is_patient(instance, ACKNOWLEDGED_WITHIN)
        yield instance
    finally:
        process.terminate()
        process.wait(timeout=WITHIN / 1000)


def is_patient(instance: Instance, seconds: float | None) -> None:
    """How long the workspace waits for answers and forms; without a number as long as Slack, which is three seconds."""
    asked = {"ack_seconds": seconds, "trigger_seconds": seconds}
    http.web.post(f"http://127.0.0.1:{instance.page}/control/app", json=asked).raise_for_status()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def visiting(browser: Browser, instance: Instance, story: str, **screen: Any) -> Iterator[Visitor]:
    context = browser.new_context(timezone_id="UTC", locale="en-US", **({"viewport": DESK} | screen))
    page = context.new_page()
    page.set_default_timeout(WITHIN)
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(f"http://127.0.0.1:{instance.page}/")
    page.wait_for_selector("#switcher[data-acting]", state="attached")
    visitor = Visitor(page, story)
    try:
        yield visitor
        assert not failures
    finally:
        visitor.keeps("end")
        context.close()


def on_call() -> str:
    """Who is on call in the example company this week."""
    return str(oncall_data(loader.load(EXAMPLE_CONFIG).company, datetime.now(UTC))["roles"]["on_call"][0])


# A P0 from its declaration to its resolution -------------------------------------------------------------------------


def test_a_p0_is_declared_handled_and_resolved(browser: Browser, tmp_path: Path) -> None:
    """What the README tells a newcomer to try, click by click, at the speed that it has there."""
    with program(tmp_path, 60) as instance, visiting(browser, instance, "p0") as visitor:
        visitor.sees(visitor.page.locator("#hint"), DECLARE)
        visitor.keeps("first-visit")
        visitor.becomes("paula")
        visitor.declares()
        visitor.sees(visitor.last, "Only visible to you", "Declared:")
        visitor.keeps("declared")
        visitor.opens("incidents")
        visitor.sees(visitor.card, "P0 Critical · Investigating", "Checkout is down", "Impact: Nobody can pay")
        visitor.sees(visitor.card, "Nobody has acknowledged", "Next escalations", "Clocks run 60x faster")
        visitor.keeps("card")
        acknowledge(visitor)
        find_and_fix(visitor)
        resolve(visitor)


def acknowledge(visitor: Visitor) -> None:
    """From the on-call engineer's direct messages."""
    engineer = visitor.page.locator(f'[data-waiting="{PEOPLE[on_call()]}"]')
    engineer.click()
    # A later tier may have paged the same person again by now.
    why = re.compile("Why: (a P0 was declared|nobody acknowledged)")
    visitor.sees(visitor.newest_page, "You're being paged", why, "Impact: Nobody can pay")
    visitor.keeps("page")
    # At this speed the page is repeated every few seconds, and only its newest copy has buttons.
    insist(
        lambda: button(visitor.newest_page, "Acknowledge").click(timeout=PATIENCE),
        lambda **more: expect(visitor.newest_page).to_contain_text("You have it", **more),
    )
    visitor.is_rid_of(button(visitor.page.locator("#messages"), "Acknowledge"))
    visitor.keeps("page-acknowledged")
    visitor.opens("incidents")
    visitor.sees(visitor.card, "Acknowledged by", "Assigned:")
    visitor.is_rid_of(button(visitor.card, "Acknowledge"))
    visitor.card.locator(".replies").click()
    visitor.sees(visitor.thread, "P0 INCIDENT - CRITICAL", "Tier 1 (Responders) paged", "Acknowledged by")
    visitor.keeps("thread")


def find_and_fix(visitor: Visitor) -> None:
    """Root cause, fix, update: on the card, with what each leaves in the thread."""
    button(visitor.card, "Root cause found").click()
    visitor.fills(cause="The gateway's certificate expired")
    visitor.keeps("root-cause")
    visitor.submits()
    visitor.sees(visitor.card, "Root cause identified", "Root cause: The gateway's certificate expired")
    button(visitor.card, "Start fix").click()
    visitor.confirms()
    visitor.sees(visitor.card, "P0 Critical · Fixing")
    button(visitor.card, "Fix applied").click()
    visitor.confirms()
    visitor.sees(visitor.card, "P0 Critical · Monitoring", "Escalations are paused while the fix is monitored")
    visitor.is_rid_of(button(visitor.card, "Start fix"))
    button(visitor.card, "Post update").click()
    visitor.fills(progress="The new certificate is in place", next_steps="Watch the error rate")
    visitor.keeps("update")
    visitor.submits()
    visitor.sees(visitor.thread, "Root cause found by", "Fix started by", "Fix applied by", "P0 INCIDENT UPDATE")
    visitor.sees(visitor.thread, "Progress: The new certificate is in place")


def resolve(visitor: Visitor) -> None:
    """Once the fix was watched, Tocsin asks whether it held; the answer is the resolution notice."""
    visitor.opens("inc-")
    question = visitor.page.locator("#messages .message", has_text="Is it stable?").last
    visitor.sees(question, "Monitored for 30 minutes")
    visitor.keeps("did-it-hold")
    button(question, "Resolve").click()
    visitor.fills(
        summary="An expired certificate",
        resolution="Renewed it",
        verification="Payments pass",
        next_steps="Renew by cron",
    )
    visitor.keeps("resolve")
    visitor.submits()
    visitor.opens("incidents")
    visitor.sees(
        visitor.last,
        "P0 INCIDENT RESOLVED", "Resolution time: today", re.compile(r"Duration: \d"), "Severity: P0 - Critical",
        "Summary: An expired certificate", "Resolution: Renewed it", "Verification: Payments pass",
        "Impact: Nobody can pay", "Post-incident review: due by", "Next steps: Renew by cron",
        "Resolved by",
    )  # fmt: skip
    visitor.sees(visitor.card, "P0 Critical · Resolved", "Summary: An expired certificate")
    expect(visitor.card.locator(".actions button")).to_have_text(
        ["Review done", "Reopen", "Plan review"], timeout=WITHIN
    )
    visitor.keeps("resolved")
    visitor.opens("Tocsin")
    visitor.sees(visitor.newest_page, "Resolved")
    visitor.page.click("[data-tab=home]")
    visitor.sees(visitor.page.locator("#home"), "No open incidents", "On call")
    visitor.keeps("home")


# Nobody answers ------------------------------------------------------------------------------------------------------


def test_a_p0_that_nobody_touches_escalates_to_the_cto(browser: Browser, tmp_path: Path) -> None:
    """Two hours, at speed 300 half a minute: the CTO is paged, told why, and resolves it from the menu."""
    with program(tmp_path, 300) as instance, visiting(browser, instance, "escalation") as visitor:
        visitor.becomes("paula")
        visitor.declares()
        visitor.opens("incidents")
        visitor.sees(visitor.card, "Next escalations")
        visitor.becomes("carla")
        visitor.opens("Tocsin")
        visitor.sees(visitor.newest_page, "tier 4", re.compile(r"Why: it is not resolved after \d hours"))
        visitor.keeps("cto")
        visitor.opens("incidents")
        insist(lambda: from_the_menu(visitor, "Resolve"), expect(visitor.form.get_by_text("Summary")).to_be_visible)
        visitor.fills(summary="Restarted", resolution="By hand")
        visitor.submits()
        visitor.is_rid_of(visitor.form)
        visitor.opens("incidents")
        visitor.sees(visitor.last, "P0 INCIDENT RESOLVED", "Resolved by @Carla Mendes")
        visitor.page.locator("#messages .replies").first.click()
        visitor.sees(visitor.thread, *(f"Tier {n} (" for n in (1, 2, 3, 4)))


def from_the_menu(visitor: Visitor, label: str) -> None:
    """At this speed a newer copy of the card may take the place of the one whose menu is open: once more, then."""
    if not visitor.form.is_visible():
        button(visitor.card, "More").click(timeout=PATIENCE)
    move = label.lower().replace(" ", "_").removeprefix("post_")
    visitor.form.locator(f'[data-block="more-{move}"] button').click(timeout=PATIENCE)


# Forms and phones ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """At the policy's own pace nothing falls due while somebody looks."""
    with program(tmp_path_factory.mktemp("calm"), 1) as instance:
        yield instance


TITLES = [
    ("", "Please complete this required field."),
    ("   ", "Please fill this in."),
    ("x" * 201, "This has 201 characters; the limit is 200."),
]


def test_a_wrong_title_is_said_at_its_field(browser: Browser, calm: Instance) -> None:
    """Empty, blank, too long: the form stays, the words are at the field, and what was filled in is kept."""
    with visiting(browser, calm, "form") as visitor:
        visitor.types("/incident declare")
        visitor.page.select_option("dialog [data-block-id=severity]", "P2")
        visitor.fills(impact="Some wait")
        for title, complaint in TITLES:
            visitor.fills(title=title)
            visitor.submits()
            expect(visitor.form.locator("[data-block=title] .error")).to_have_text(complaint, timeout=WITHIN)
            expect(visitor.form.locator(".wrong")).to_have_count(1)
        visitor.keeps("too-long")
        expect(visitor.form.locator("[data-block-id=impact]")).to_have_value("Some wait")
        visitor.fills(title="Search is slow")
        visitor.submits()
        visitor.is_rid_of(visitor.form)
        visitor.sees(visitor.last, "Declared:", "P2 Search is slow")


def test_a_card_is_read_and_answered_on_a_phone(browser: Browser, calm: Instance) -> None:
    """390 px wide: form, card, thread and page fit, and every button of the card is within reach."""
    with visiting(browser, calm, "phone", viewport=PHONE, has_touch=True, device_scale_factor=2) as visitor:
        visitor.becomes("paula")
        visitor.types("/incident declare Checkout is down: card payments fail for everyone")
        visitor.page.select_option("dialog [data-block-id=severity]", "P0")
        visitor.sees(visitor.form, "Pages at once")
        assert fits(visitor.page)
        visitor.keeps("form")
        visitor.submits()
        visitor.is_rid_of(visitor.form)
        visitor.opens("incidents")
        visitor.sees(visitor.card, "P0 Critical · Investigating", "Next escalations")
        assert fits(visitor.page)
        within_reach(visitor.card.locator(".actions button"))
        visitor.keeps("card")
        visitor.card.locator(".replies").click()
        visitor.sees(visitor.thread, "Tier 1 (Responders) paged")
        assert fits(visitor.page)
        visitor.keeps("thread")
        visitor.page.click("#thread-close")
        visitor.becomes("lena")
        visitor.opens("Tocsin")
        visitor.sees(visitor.newest_page, "You're being paged", "Why: a P0 was declared")
        assert fits(visitor.page)
        visitor.keeps("page")
        for label in ("Acknowledge", "Can't take it: page the next"):
            expect(button(visitor.newest_page, label)).to_be_in_viewport(ratio=1)
        expect(visitor.newest_page.get_by_text("Open room")).to_be_in_viewport(ratio=1)
        expect(visitor.newest_page.get_by_text("Why: a P0 was declared")).to_be_in_viewport()
        button(visitor.newest_page, "Acknowledge").tap()
        visitor.sees(visitor.newest_page, "You have it")
        expect(visitor.newest_page.get_by_text("You have it")).to_be_in_viewport()
        visitor.keeps("page-acknowledged")


def test_a_press_survives_a_change_of_its_card(browser: Browser, calm: Instance) -> None:
    """The card is refreshed between the press of a button and its release: the press counts, the card follows."""
    with visiting(browser, calm, "press") as visitor:
        visitor.becomes("paula")
        visitor.declares("/incident declare Login is slow", "P1")
        visitor.opens("incidents")
        visitor.sees(visitor.card, "Login is slow", re.compile(r"\d repl"))
        (incident,) = re.findall(r"INC-\d+-\d+", visitor.card.locator(".context").inner_text())
        button(visitor.card, "More").hover()
        visitor.page.mouse.down()
        said_by(calm, "omar", f"ack {incident}")
        eventually(lambda: f"Acknowledged* by <@{PEOPLE['omar']}>" in workspace_of(calm).text)
        visitor.page.mouse.up()
        expect(visitor.form).to_be_visible(timeout=WITHIN)
        visitor.sees(visitor.card, "Acknowledged by @Omar Haddad")
        visitor.page.keyboard.press("Escape")
        visitor.is_rid_of(visitor.form)


def test_a_form_that_changes_takes_the_press_and_keeps_what_was_wrong(browser: Browser, calm: Instance) -> None:
    """A severity is explained while *Declare* is held down: it counts, and the complaint outlives the next change."""
    with visiting(browser, calm, "held") as visitor:
        visitor.types("/incident declare")
        severity = visitor.form.locator("[data-block-id=severity]")
        complaint = visitor.form.locator("[data-block=title] .error")
        visitor.form.locator("[type=submit]").hover()
        visitor.page.mouse.down()
        severity.select_option("P2")
        eventually(lambda: "it becomes a ticket" in forms_of(calm, "dana").text)
        visitor.page.mouse.up()
        visitor.sees(complaint, "Please complete this required field.")
        visitor.sees(visitor.form, "it becomes a ticket")
        severity.select_option("P1")
        visitor.sees(visitor.form, "Acknowledge within 1 hour")
        visitor.sees(complaint, "Please complete this required field.")
        visitor.page.keyboard.press("Escape")
        visitor.is_rid_of(visitor.form)


def said_by(instance: Instance, key: str, command: str) -> None:
    asked = {"as": PEOPLE[key], "channel": "C0GENERAL1", "command": "/incident", "text": command}
    assert http.web.post(f"http://127.0.0.1:{instance.page}/ui/command", json=asked).json()["ok"]


def forms_of(instance: Instance, key: str) -> httpx2.Response:
    return http.web.get(f"http://127.0.0.1:{instance.page}/ui/views", params={"as": PEOPLE[key]})


def workspace_of(instance: Instance) -> httpx2.Response:
    return http.web.get(f"http://127.0.0.1:{instance.page}/control/state")


def within_reach(buttons: Locator) -> None:
    """Each is large enough for a thumb and inside of the screen; a card that is being drawn anew is looked at again."""
    size = "all => all.map(one => one.getBoundingClientRect()).map(at => [at.height, at.right])"

    def reached() -> bool:
        places = buttons.evaluate_all(size)
        return len(places) >= 4 and all(height >= 30 and right <= PHONE["width"] for height, right in places)

    eventually(reached, "a button is too small, or off the screen")


# kill -9 -------------------------------------------------------------------------------------------------------------


def test_kill_9_of_every_part_loses_and_doubles_nothing(browser: Browser, tmp_path: Path) -> None:
    """While a P0 escalates; its reporter goes on after each, and everybody is paged once for each tier."""
    with program(tmp_path, 240) as instance, visiting(browser, instance, "kill") as visitor:
        visitor.becomes("paula")
        visitor.declares()
        visitor.opens("incidents")
        visitor.page.locator("#messages .replies").click()
        is_patient(instance, None)  # what died answers nothing more
        for part in (*PARTS, "valkey", "workspace"):
            os.kill(process_of(instance, part), signal.SIGKILL)
            post_update(visitor, f"Still here after the death of {part}")
        visitor.keeps("all-were-killed")
        visitor.sees(visitor.thread, "Tier 4 (CTO and executives) paged")
        nothing_lost_nothing_doubled(*snapshot(instance))


def process_of(instance: Instance, part: str) -> int:
    if part == "valkey":
        return int(instance.redis().info("server")["process_id"])
    if part == "workspace":
        return next(pid for pid in children(instance.started[-1].pid) if command(pid)[0] == b"tocsin workspace")
    return eventually(lambda: instance.parts().get(part), f"no sign of life of {part}")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # it has ended meanwhile
        return [b""]


def post_update(visitor: Visitor, progress: str) -> None:
    """As a person would: what does not answer is pressed once more; the update is then in the thread, once."""
    form = visitor.form.locator("[data-block-id=progress]")
    insist(lambda: from_the_menu(visitor, "Post update"), expect(form).to_be_visible)
    visitor.fills(progress=progress)
    insist(lambda: visitor.submits(timeout=PATIENCE), expect(visitor.form).to_be_hidden)
    expect(visitor.thread.get_by_text(f"Progress: {progress}")).to_have_count(1, timeout=WITHIN)


def insist(press: Callable[[], None], until: Callable[..., None]) -> None:
    """Press again until it shows; what comes late, when it cannot be pressed any more, has come all the same."""
    deadline = time.monotonic() + INSISTS
    while True:
        with contextlib.suppress(Error):
            press()
        try:
            return until(timeout=PATIENCE)
        except AssertionError:
            assert time.monotonic() < deadline, "however often it was pressed, it never showed"


def snapshot(instance: Instance) -> tuple[Incident, dict[str, Any]]:
    """The incident once all it had to say has arrived, and the workspace of the same moment."""
    store = Store(instance.redis(), lambda *_: None)
    found: list[tuple[Incident, dict[str, Any]]] = []

    def settled() -> bool:
        (incident,) = store.open_incidents()
        found[:] = [(incident, workspace_of(instance).json())]
        waiting = [e for e in incident.effects if e.kind in ("page", "say", "tell", "card")]
        return not waiting and store.open_incidents() == (incident,)

    eventually(settled, "something was never delivered")
    return found[0]


def nothing_lost_nothing_doubled(incident: Incident, state: dict[str, Any]) -> None:
    """What stands in the workspace, against what the incident says was sent."""
    said = [(c, m) for c, messages in state["messages"].items() for m in messages if m.get("metadata")]
    deliveries = Counter(m["metadata"]["event_payload"]["delivery"] for _, m in said)
    assert max(deliveries.values()) == 1, deliveries.most_common(3)
    direct = {c["id"] for c in state["channels"] if c["is_im"]}
    delivery = {(c, m["ts"]): m["metadata"]["event_payload"]["delivery"] for c, m in said}
    pages = {place for place, name in delivery.items() if place[0] in direct and is_page(name)}
    known = {(c.channel, c.ts) for c in incident.copies if c.kind is CopyKind.DIRECT}
    assert pages <= known  # the others are former pages, deleted for their repeats
    assert {c.page for c in incident.copies if (c.channel, c.ts) in pages} == {p.n for p in incident.pages}
    assert {c.page for c in incident.copies if c.page} == {p.n for p in incident.pages}
    assert {(p.tier, p.person) for p in incident.pages} == set(expected_pages())
    assert max(Counter((p.tier, p.person, p.why) for p in incident.pages).values()) == 1
    card = incident.card()
    assert card
    thread = "\n".join(m["text"] for c, m in said if c == card.channel and m.get("thread_ts") == card.ts)
    assert re.findall(r"Tier (\d) \([^)]*\) paged", thread)[:4] == ["1", "2", "3", "4"]


def expected_pages() -> Iterator[tuple[int, str]]:
    """(tier, person) for every tier of a P0, as the example company stands this week."""
    loaded = loader.load(EXAMPLE_CONFIG)
    holders = oncall_data(loaded.company, datetime.now(UTC))["roles"]
    for n, tier in enumerate(loaded.policy.severities[Severity("P0")].tiers, 1):
        yield from {(n, PEOPLE[key]) for role in tier.roles for key in holders[role]}
