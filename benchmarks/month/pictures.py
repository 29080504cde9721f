"""Pictures of what people see of a month, at the size of a telephone and of a desk, by day and by night."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.month.documents import to_review
from benchmarks.month.stage import Stage
from escalation.storage.answers.person_links import INCIDENTS, REPORTS, PersonLinks
from tests.sandbox.page import CHROMIUM, FLAGS
from tests.support.waiting import eventually

SIZES = {"phone": 390, "desk": 1280}  # wide
SCHEMES = ("light", "dark")
TALL = 7000  # of a window in which a whole message of Slack is seen
HEIGHT = {"phone": 844, "desk": 900}


@dataclass
class Camera:
    """Takes pictures in one size and scheme, and notes what is wider than its screen."""

    browser: Browser
    folder: Path
    size: str
    scheme: str
    zone: str
    wide: list[str]

    @contextmanager
    def page(self, height: int = 0) -> Iterator[Page]:
        """A window of its own."""
        viewport = {"width": SIZES[self.size], "height": height or HEIGHT[self.size]}
        scheme = {"color_scheme": self.scheme}
        context = self.browser.new_context(viewport=viewport, timezone_id=self.zone, **scheme)  # type: ignore[arg-type]
        yield context.new_page()
        context.close()

    def name(self, what: str) -> str:
        return f"{what}-{self.size}-{self.scheme}.png"

    def whole(self, shown: Page, what: str) -> None:
        """A picture of a whole page."""
        if shown.evaluate("document.documentElement.scrollWidth") > SIZES[self.size]:
            self.wide.append(self.name(what))
        shown.screenshot(path=self.folder / self.name(what), full_page=True)


def take(stage: Stage, period: str) -> list[str]:
    """Take them all; returns the names of those that are wider than their screen."""
    folder, zone, wide = stage.folder / "pictures", stage.place.zone, list[str]()
    folder.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for size in SIZES:
            for scheme in SCHEMES:
                camera = Camera(browser, folder, size, scheme, zone, wide)
                _pages(camera, stage, period)
                _files(camera, stage)
            _slack(Camera(browser, folder, size, "light", zone, wide), stage)
        browser.close()
    return wide


def _pages(camera: Camera, stage: Stage, period: str) -> None:
    """The web pages for colleagues, in one person's session."""
    url, now = stage.service.public_url, stage.clock.now
    manager = stage.member(stage.place.manager)
    reviewed = to_review(stage)
    longest = max(reviewed, key=lambda i: len(i.timeline))
    pages = {
        "report": f"{REPORTS}?period={period}",
        "report-p0": f"{REPORTS}?period={period}&severity=P0",
        "report-nothing": f"{REPORTS}?period=2026-01",
        "incidents": f"{INCIDENTS}?state=all",
        "incident-longest": INCIDENTS + longest.id,
        "incident-first": INCIDENTS + reviewed[0].id,
    }
    with camera.page() as shown:
        shown.goto(PersonLinks(stage.store.redis).link(url, REPORTS, manager, now))
        for name, path in pages.items():
            shown.goto(url + path)
            camera.whole(shown, name)


def _files(camera: Camera, stage: Stage) -> None:
    """Reviews and reports' mails as files."""
    longest = max(to_review(stage), key=lambda i: len(i.timeline))
    files = {"review-longest": f"reviews/{longest.id}.html", "review-first": f"reviews/{to_review(stage)[0].id}.html"}
    mails = sorted(stage.folder.glob("mails/cto-*.html"))
    files |= {f"mail-report-{n}": f"mails/{file.name}" for n, file in enumerate(mails)}
    if (stage.folder / "status" / "index.html").exists():
        files |= {"status": "status/index.html", "status-history": "status/history/index.html"}
    with camera.page() as shown:
        for name, file in files.items():
            shown.goto((stage.folder / file).as_uri())
            camera.whole(shown, name)


def _slack(camera: Camera, stage: Stage) -> None:
    """Home, reports, cards, the handover and a canvas, as the local workspace shows them."""
    state = stage.look("control/state")
    channels = {c["name"]: c["id"] for c in state["channels"] if c.get("name") and not c.get("is_im")}
    wanted = {
        "daily": ("incidents", "Daily incident report"),
        "weekly": ("engineering", "Weekly incident report"),
        "monthly": ("engineering", "Monthly incident report, March"),
        "quarterly": ("engineering", "Incident response effectiveness, quarter 1"),
        "card": ("incidents", "Resolved"),
    }
    with camera.page(TALL) as shown:
        manager = stage.member(stage.place.manager)
        for name, (channel, words) in wanted.items():
            there = state["messages"].get(channels[channel], [])
            found = [m for m in there if words in m["text"] and m.get("thread_ts", m["ts"]) == m["ts"]]
            for n, message in enumerate(found[-2:]):
                shown.goto(f"{stage.workspace.url}/#as={manager}&c={channels[channel]}")
                box = shown.locator(f'#messages [data-ts="{message["ts"]}"]')
                box.wait_for()
                box.screenshot(path=camera.folder / camera.name(f"slack-{name}-{n}"))
    _answers(camera, stage, channels)
    for who in (stage.place.manager, stage.place.responders[0], stage.loaded.company.rotations["primary"].people[0]):
        with camera.page(2600) as shown:
            shown.goto(f"{stage.workspace.url}/#as={stage.member(who)}&c=app&tab=home")
            shown.locator("text=My contact methods").or_(shown.locator("text=You")).first.wait_for()
            shown.wait_for_timeout(1000)
            shown.screenshot(path=camera.folder / camera.name(f"slack-home-{who}"))


def _answers(camera: Camera, stage: Stage, channels: dict[str, str]) -> None:
    """What commands answer to the manager, and the canvas that one of them made."""
    manager, longest = stage.person(stage.place.manager), max(to_review(stage), key=lambda i: len(i.timeline))
    random = channels["random"]
    commands = {"report": "report last month", "oncall": "oncall", "actions": "actions", "list": "list closed"}
    commands |= {"review": f"review {longest.id}", "canvas": f"review {longest.id} canvas"}
    answers = {}
    for name, command in commands.items():
        before = {m["ts"] for m in manager.messages("random")}
        manager.command(command, "random")
        answers[name] = eventually(
            lambda: next((m for m in manager.messages("random") if m["ts"] not in before), None)  # noqa: B023  # at once
        )
    with camera.page(TALL) as shown:
        for name, message in answers.items():
            shown.goto(f"{stage.workspace.url}/#as={manager.id}&c={random}")
            box = shown.locator(f'#messages [data-ts="{message["ts"]}"]')
            box.wait_for()
            box.screenshot(path=camera.folder / camera.name(f"slack-answer-{name}"))
        if link := re.search(r"/docs/[A-Z0-9]+/[A-Z0-9]+", str(answers["canvas"])):
            shown.goto(stage.workspace.url + link[0])
            shown.screenshot(path=camera.folder / camera.name("slack-canvas"), full_page=True)
