"""Places on the page of the local workspace: sidebar, Home, the app's messages, toasts and the first steps."""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.sandbox.page import IN_A_BROWSER, PHONE, App, Json, meanwhile, plain, say
from tests.support.http import web
from tests.support.waiting import eventually
from tests.support.workspace import DANA, GENERAL, OMAR

pytestmark = IN_A_BROWSER


def home_view(words: str) -> Json:
    return {"type": "home", "blocks": [{"type": "header", "text": plain(words)}]}


def test_home_shows_the_latest_view_however_late_the_answer_comes(app: App, page: Page) -> None:
    """What the app publishes while somebody opens Home is newer than what opening it answers."""

    def publish(payload: Json) -> None:
        if payload["event"]["type"] == "app_home_opened":
            app.call("views.publish", user_id=DANA, view=home_view("new"))

    def late(route: Route) -> None:
        answer = route.fetch()
        page.wait_for_timeout(500)
        route.fulfill(response=answer)

    app.call("views.publish", user_id=DANA, view=home_view("old"))
    app.on["event_callback"] = publish
    page.route("**/ui/home", late)
    page.click('[data-channel-name="Tocsin"]')
    with page.expect_response("**/ui/home"):
        page.click("[data-tab=home]")
    expect(page.locator("#home .header")).to_have_text("new")
    page.wait_for_timeout(200)
    expect(page.locator("#home .header")).to_have_text("new")


def test_home_shows_what_was_published_before_the_page_could_hear_of_it(app: App, page: Page) -> None:
    """The line for events is made after Home was opened, and made anew after it was lost: Home is read again then."""
    published: list[str] = []

    def publish(payload: Json) -> None:
        if payload["event"]["type"] == "app_home_opened":
            app.call("views.publish", user_id=DANA, view=home_view("new"))
            published.append("new")

    held = Held(page, "**/ui/events*")
    app.on["event_callback"] = publish
    page.goto("about:blank")
    page.goto(f"{app.url}/#as={DANA}&c=app&tab=home")
    expect(page.locator("#home")).to_contain_text("has not published")
    meanwhile(page, lambda: published and held.routes)
    held.release()
    expect(page.locator("#home .header")).to_have_text("new")


class Held:
    """Requests of the page that are held back, until they are released."""

    def __init__(self, page: Page, pattern: str) -> None:
        self.routes: list[Route] = []
        self._pattern, self._released = pattern, False
        page.route(pattern, self._take)

    def _take(self, route: Route) -> None:
        if self._released:
            route.continue_()
        else:
            self.routes.append(route)

    def one(self, page: Page) -> None:
        """Let the oldest go, and wait for its answer."""
        with page.expect_response(self._pattern):
            self.routes.pop(0).continue_()

    def release(self) -> None:
        self._released = True
        for route in self.routes:
            route.continue_()


def test_a_message_is_announced_once_and_not_to_whom_it_is_shown(app: App, page: Page) -> None:
    """Two that come close together are read at once; who went there while they were read sees them already."""
    direct = app.dm(DANA)
    held = Held(page, f"**/ui/messages*channel={direct}")
    for n in (1, 2):
        app.post(direct, f"You are paged {n}")
        meanwhile(page, lambda n=n: len(held.routes) == n)  # type: ignore[misc]  # the loop's own
    held.one(page)
    held.one(page)
    expect(page.locator(".toast")).to_have_text(["TocsinYou are paged 2"])
    app.post(direct, "You are paged 3")
    meanwhile(page, lambda: held.routes)
    page.click('[data-channel-name="Tocsin"]')
    expect(page.locator("#channel-name")).to_contain_text("Tocsin")
    held.one(page)
    held.release()
    expect(page.locator("#messages")).to_contain_text("You are paged 3")
    expect(page.locator(".toast", has_text="paged 3")).to_have_count(0)


def test_the_sidebar_keeps_its_entries_while_things_happen(app: App, page: Page) -> None:
    """An entry that stays is the same node after other channels came, changed and went, so no click is lost."""
    entry = page.locator("[data-channel-name=random]").element_handle()
    room = app.call("conversations.create", name="inc-014-database")["channel"]["id"]
    app.call("conversations.invite", channel=room, users=DANA)
    expect(page.locator("[data-channel-name=inc-014-database]")).to_be_visible()
    app.call("chat.postMessage", channel=room, text=f"<@{DANA}> look")
    expect(page.locator("[data-channel-name=inc-014-database] .count")).to_have_text("1")
    app.call("conversations.archive", channel=room)
    expect(page.locator("section", has_text="Archived").locator("[data-channel-name]")).to_have_count(1)
    assert entry.evaluate("node => node.isConnected")
    entry.click()
    expect(page.locator("#channel-name")).to_contain_text("random")


def test_a_stream_of_messages_takes_no_click_from_the_sidebar(app: App, page: Page) -> None:
    """Channels are opened one after the other while the app posts all the time."""
    page.evaluate(
        """([url, token]) => { window.stream = setInterval(() => fetch(`${url}/api/chat.postMessage`, { method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
          body: JSON.stringify({ channel: "general", text: "<!channel> more" }) }), 30); }""",
        [app.url, app.bot_token],
    )
    for name in ("random", "Tocsin", "random", "general", "random"):
        page.click(f'[data-channel-name="{name}"]')
        expect(page.locator("#channel-name")).to_contain_text(name)
    page.evaluate("clearInterval(window.stream)")


@pytest.mark.parametrize("tab_is_on", [True, False])
def test_somebody_never_written_to_can_begin(app: App, page: Page, tab_is_on: bool) -> None:
    """The app's Messages tab has a word and a composer before the first message; turned off, it says so."""
    app.on["event_callback"] = lambda payload: None
    if not tab_is_on:
        web.post(f"{app.url}/control/app", json={"messages_tab": False})
    page.click('[data-channel-name="Tocsin"]')
    expect(page.locator("#messages")).to_contain_text("very beginning of your direct messages with Tocsin")
    if not tab_is_on:
        expect(page.locator("#archived")).to_have_text("Sending messages to this app has been turned off.")
        expect(page.locator("#composer")).to_be_hidden()
        return
    say(page, "help")
    expect(page.locator("#messages .message")).to_contain_text("help")
    expect(page.locator("#messages .empty")).to_have_count(0)
    eventually(lambda: [told(p) for p in app.seen if p.get("type") == "event_callback"] == [("message", "im", "help")])


def told(payload: Json) -> tuple[str, str, str]:
    event = payload["event"]
    return event["type"], event["channel_type"], event["text"]


def test_a_command_can_be_the_first_word_to_the_app(app: App, page: Page) -> None:
    """A slash command typed where nothing was said yet reaches the app from the direct message that it opens."""
    page.click('[data-channel-name="Tocsin"]')
    with page.expect_response("**/ui/command"):
        say(page, "/incident list")
    (command,) = [p for p in app.seen if p.get("command") == "/incident"]
    assert (command["text"], command["channel_name"]) == ("list", "directmessage")


def test_toasts_leave_header_and_tabs_free_on_a_phone(app: App, page: Page) -> None:
    """However many come, one is shown, below the tabs, and an empty shelf takes no click."""
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    direct = app.dm(DANA)
    for n in range(4):
        app.post(direct, f"You are paged {n}")
    expect(page.locator(".toast", has_text="paged 3")).to_have_count(1)
    expect(page.locator(".toast")).to_have_count(1)
    for place in ("#to-sidebar", "#channel-header", "#composer"):
        page.locator(place).click(trial=True)
    page.locator(".toast").click()
    expect(page.locator("#channel-name")).to_contain_text("Tocsin")
    page.click("[data-tab=messages]")
    expect(page.locator(".toast")).to_have_count(0)
    top = page.evaluate("document.elementFromPoint(innerWidth - 40, 100).closest('#toasts')")
    assert top is None


def test_the_first_steps_end_with_the_first_message_of_the_app(app: App, page: Page) -> None:
    """The hint is small on a phone, and speaks of a first incident only while the app wrote nothing."""
    hint = page.locator("#hint")
    expect(hint).to_contain_text("/incident declare")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    box = hint.bounding_box()
    assert box
    assert box["height"] < 48
    app.post(GENERAL, "INC-1 was declared")
    expect(hint).to_be_hidden()
    page.reload()
    expect(page.locator("#messages .message").last).to_contain_text("INC-1")
    expect(hint).to_be_hidden()


def test_a_dismissed_hint_is_remembered(app: App, page: Page) -> None:
    """It is gone after a reload, and for whoever acts next."""
    page.locator("#hint").get_by_label("Dismiss").click()
    page.reload()
    expect(page.locator("#channel-name")).to_contain_text("general")
    expect(page.locator("#hint")).to_be_hidden()
    page.goto(f"{app.url}/#as={OMAR}&c={GENERAL}")
    expect(page.locator("#switcher")).to_contain_text("Omar Haddad")
    expect(page.locator("#hint")).to_be_hidden()
