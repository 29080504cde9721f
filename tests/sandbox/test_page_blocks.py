"""Blocks on the page of the local workspace: containers, external selects, link buttons, dates."""

from playwright.sync_api import Page, expect

from tests.sandbox.page import (
    FORM,
    IN_A_BROWSER,
    App,
    Json,
    button,
    field_block,
    message,
    mrkdwn,
    open_form,
    option,
    plain,
    submissions,
)
from tests.support.waiting import eventually
from tests.support.workspace import GENERAL

pytestmark = IN_A_BROWSER


FOLDED: Json = {
    "type": "container",
    "block_id": "details",
    "title": plain("Details"),
    "is_collapsible": True,
    "default_collapsed": True,
    "child_blocks": [
        {"type": "section", "block_id": "more", "text": mrkdwn("*Team:* backend"), "accessory": button("edit", "Edit")}
    ],
}


def test_a_container_unfolds_and_stays_so_when_its_message_is_edited(app: App, page: Page) -> None:
    """What a collapsible container holds is hidden until somebody opens it; its buttons reach the app."""
    row = message(page, ts := app.post(GENERAL, "card", FOLDED))
    expect(row.get_by_text("Team:")).to_be_hidden()
    row.get_by_text("Details").click()
    row.get_by_role("button", name="Edit").click()
    app.call("chat.update", channel=GENERAL, ts=ts, text="card", blocks=[FOLDED, {"type": "divider"}])
    expect(row.locator("hr")).to_have_count(1)
    expect(row.get_by_text("Team:")).to_be_visible()
    eventually(lambda: presses(app) == ["edit"])


def presses(app: App) -> list[str]:
    return [payload["actions"][0]["action_id"] for payload in app.seen if payload.get("type") == "block_actions"]


SERVICES = [option(f"service-{n:03}") for n in range(120)]


def test_an_external_select_asks_the_app_for_options(app: App, page: Page) -> None:
    """With no least length it offers at once; what is typed narrows the offer, and the choice is submitted."""
    asked: list[str] = []

    def offer(payload: Json) -> Json:
        asked.append(payload["value"])
        return {"options": [row for row in SERVICES if payload["value"].lower() in row["value"]][:100]}

    app.on["block_suggestion"] = offer
    select = {"type": "external_select", "action_id": "v", "min_query_length": 0}
    open_form(app, page, {**FORM, "blocks": [field_block("service", select)]})
    expect(page.locator(".offers button")).to_have_count(100)
    page.fill("[data-block-id=service] input", "E-117")
    expect(page.locator(".offers button")).to_have_count(1)
    page.locator(".offers button").click()
    expect(page.locator("[data-block-id=service] input")).to_have_value("Service-117")
    page.click("dialog [type=submit]")
    expect(page.locator("dialog[open]")).to_have_count(0)
    value = submissions(app)[0]["view"]["state"]["values"]["service"]["v"]
    assert value == {"type": "external_select", "selected_option": option("service-117")}
    assert asked == ["", "E-117"]


def test_an_external_select_in_a_message_tells_what_was_chosen(app: App, page: Page) -> None:
    """It asks after three characters; an app that does not answer is said so, and the choice arrives as an action."""
    select = {"type": "external_select", "action_id": "service"}
    row = message(page, app.post(GENERAL, "card", {"type": "actions", "block_id": "a", "elements": [select]}))
    row.get_by_role("combobox").fill("pa")
    expect(row.locator(".offers")).to_be_hidden()
    app.on["block_suggestion"] = lambda _: {"options": "none"}
    row.get_by_role("combobox").fill("pay")
    expect(row.locator(".offers")).to_have_text("Could not load the options.")
    app.on["block_suggestion"] = lambda _: {
        "option_groups": [{"label": plain("Money"), "options": [option("payments")]}]
    }
    row.get_by_role("combobox").fill("payment")
    expect(row.locator(".offers b")).to_have_text("Money")
    with page.expect_response("**/ui/action"):
        page.keyboard.press("Enter")
    (action,) = [p["actions"][0] for p in app.seen if p.get("type") == "block_actions"]
    assert (action["type"], action["selected_option"]) == ("external_select", option("payments"))


def test_a_link_button_opens_its_address_and_tells_the_app(app: App, page: Page) -> None:
    """The address opens in a tab of its own, and the press arrives as an action all the same."""
    link = button("open-room", "Open room", url=f"{app.url}/#c={GENERAL}")
    row = message(page, app.post(GENERAL, "card", {"type": "actions", "block_id": "a", "elements": [link]}))
    with page.context.expect_page() as opened:
        row.get_by_role("button", name="Open room").click()
    assert f"c={GENERAL}" in opened.value.url
    eventually(
        lambda: [p["actions"][0]["action_id"] for p in app.seen if p.get("type") == "block_actions"] == ["open-room"]
    )


def test_dates_read_as_people_say_them(app: App, page: Page) -> None:
    """A date of today, tomorrow or yesterday is named so, with the reader's own time."""
    now = page.evaluate("Math.floor(new Date(new Date().setHours(12, 5, 0, 0)) / 1000)")
    tokens = (f"<!date^{now + 86_400 * days}^{{date_short_pretty}} at {{time}}|then>" for days in (-1, 0, 1, 400))
    row = message(page, app.post(GENERAL, " / ".join(tokens)))
    yesterday, today, tomorrow, later = row.locator(".text").inner_text().split(" / ")
    assert (yesterday, today, tomorrow) == ("yesterday at 12:05 PM", "today at 12:05 PM", "tomorrow at 12:05 PM")
    assert later.endswith("at 12:05 PM")
    assert later[0].isupper()
