"""Screenshots of a P0 at phone size, from the page to the resolution: `python -m benchmarks.screenshots [folder]`.

The real program with the local workspace, clicked through as people would. It asserts nothing: somebody looks at the
pictures. A step that cannot be taken is named, and the walk goes on.
"""

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from playwright.sync_api import Error, Page, sync_playwright

from tests.sandbox.page import CHROMIUM, FLAGS, PHONE
from tests.scenarios.test_browser import SHOTS, Visitor, button, on_call, program

SPEED = 30.0  # half an hour of the policy is a minute: long enough to look, short enough to see reminders
PATIENCE = 8_000  # milliseconds


class Walk:
    """A visitor who goes on whatever happens, and takes a picture at each station."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.visitor = Visitor(page, "phone-p0")
        self.page, self.folder, self.taken = page, folder, 0
        self.failed: list[str] = []

    def look(self, name: str) -> None:
        """Take a picture of the screen."""
        self.page.wait_for_timeout(900)
        self.taken += 1
        self.page.screenshot(path=self.folder / f"{self.taken:02d}-{name}.png")

    def step(self, name: str, *deeds: Callable[[], object]) -> None:
        """Do something and take a picture of what comes of it."""
        try:
            for deed in deeds:
                deed()
        except (Error, AssertionError) as error:
            self.failed.append(f"{self.taken + 1:02d}-{name}: {str(error).splitlines()[0]}")
            self.page.keyboard.press("Escape")
        self.look(name)

    def press(self, label: str) -> None:
        """Press a button of the newest message that has it, else the entry of a card's menu."""
        found = button(self.page.locator("#messages"), label)
        if found.count():
            found.last.click(timeout=PATIENCE)
            return self.confirm()
        for menu in self.visitor.card.get_by_label("More actions", exact=True).all():
            menu.click(timeout=PATIENCE)
            entry = self.page.get_by_role("menuitem", name=label)
            if entry.count():
                return entry.click(timeout=PATIENCE)
            self.page.keyboard.press("Escape")
        raise AssertionError(f"there is no {label}")

    def confirm(self) -> None:
        """Agree, where the button asks first."""
        self.page.wait_for_timeout(300)
        asked = self.page.locator("dialog.confirm")
        if asked.count():
            self.look("confirm")
            asked.locator("button").last.click(timeout=PATIENCE)

    def send(self) -> None:
        """Fill in what the form requires and send it."""
        dialog = self.page.locator("#modal[open]")
        dialog.wait_for(timeout=PATIENCE)
        for field in dialog.locator("[data-required=yes]:is(input, textarea)").all():
            if not field.input_value():
                field.fill("The gateway's certificate expired", timeout=PATIENCE)
        for choice in dialog.locator("select[data-required=yes]").all():
            if not choice.input_value():
                choice.select_option(index=1, timeout=PATIENCE)
        self.visitor.submits()
        dialog.wait_for(state="hidden", timeout=PATIENCE)

    def up(self) -> None:
        """Scroll to the top of the newest card."""
        self.visitor.card.evaluate("node => node.scrollIntoView({ block: 'start' })", timeout=PATIENCE)


def declare(walk: Walk) -> None:
    """Somebody types a P0, and sees where it went."""
    visitor = walk.visitor
    walk.step("first-visit", lambda: visitor.becomes("paula"), lambda: visitor.opens("general"))
    walk.step("incident", lambda: visitor.types("/incident"))
    walk.step("declare", lambda: visitor.types("/incident declare P0 Checkout is down: card payments fail"))
    walk.step("declared", walk.send)
    walk.step("card", lambda: visitor.opens("incidents"), walk.up)
    walk.step("card-end", lambda: walk.page.locator("#messages").evaluate("node => node.scrollTo(0, 1e6)"))


def answer(walk: Walk) -> None:
    """The on-call engineer is paged and acknowledges; the room; a page again to somebody who did not."""
    visitor = walk.visitor
    walk.step("page", lambda: visitor.becomes(on_call()), lambda: visitor.opens("Tocsin"))
    walk.step("acknowledged", lambda: walk.press("Acknowledge"))
    walk.step("room", lambda: visitor.opens("inc-"))
    walk.step("room-top", lambda: walk.page.locator("#messages").evaluate("node => node.scrollTo(0, 0)"))
    walk.step("other-page", lambda: visitor.becomes("lena"), lambda: visitor.opens("Tocsin"))
    thread = walk.page.locator("#messages .replies").last
    walk.step("thread", lambda: visitor.opens("incidents"), lambda: thread.click(timeout=PATIENCE))
    walk.step("card-acknowledged", lambda: walk.page.click("#thread-close", timeout=PATIENCE), walk.up)


def repair(walk: Walk) -> None:
    """Cause, fix, update, resolution."""
    for label in ("Root cause found", "Start fix", "Post update", "Fix applied", "Resolve"):
        name = label.lower().replace(" ", "-")
        walk.step(name, partial(walk.press, label))
        if walk.page.locator("#modal[open]").count():
            walk.step(f"{name}-sent", walk.send)
    closed = walk.visitor.card.get_by_text("P0 Critical · Resolved")
    walk.step("card-resolved", lambda: closed.wait_for(timeout=PATIENCE), walk.up)
    walk.step("page-resolved", lambda: walk.visitor.opens("Tocsin"))


def overview(walk: Walk) -> None:
    """What one finds on Home and by command."""
    walk.step("home", lambda: walk.page.click("[data-tab=home]", timeout=PATIENCE))
    walk.step("random", lambda: walk.visitor.opens("random"))
    for text in ("list", "list closed", "oncall", "help"):
        walk.step(text.replace(" ", "-"), partial(walk.visitor.types, f"/incident {text}"))
    walk.step("sidebar", lambda: walk.page.click("#to-sidebar", timeout=PATIENCE))


def main() -> int:
    """Walk through, and say which steps could not be taken."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SHOTS / "phone"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="tocsin-screenshots-") as data,
        program(Path(data), SPEED) as instance,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        screen = {"viewport": PHONE, "has_touch": True, "device_scale_factor": 1.5}
        page = browser.new_context(timezone_id="UTC", locale="en-US", **screen).new_page()  # type: ignore[arg-type]
        page.set_default_timeout(PATIENCE)
        page.goto(f"http://127.0.0.1:{instance.page}/")
        page.wait_for_selector("#switcher[data-acting]", state="attached")
        walk = Walk(page, folder)
        for part in (declare, answer, repair, overview):
            part(walk)
        browser.close()
    print(f"{walk.taken} pictures in {folder}", *walk.failed, sep="\n  ")
    return 1 if walk.failed else 0


if __name__ == "__main__":
    sys.exit(main())
