"""The page of the local workspace in a real browser, with a small app that talks to it as an app talks to Slack."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from playwright.sync_api import APIResponse, Page, Route, expect

from tests.sandbox.page import (
    FORM,
    IN_A_BROWSER,
    PHONE,
    App,
    Json,
    button,
    field_block,
    meanwhile,
    message,
    mrkdwn,
    open_form,
    option,
    plain,
    say,
    submissions,
)
from tests.support.waiting import eventually
from tests.support.workspace import DANA, GENERAL, OMAR, ONCALL

pytestmark = IN_A_BROWSER


CARD = (
    {"type": "header", "text": plain("Checkout is down")},
    {
        "type": "section",
        "text": mrkdwn(f"*P0* declared by <@{DANA}>, paged <@{OMAR}> :fire:"),
        "fields": [mrkdwn("*Status*\nDeclared"), mrkdwn("*Due*\n<!date^0^{date_num} {time}|then>")],
    },
    {"type": "divider"},
    {
        "type": "actions",
        "block_id": "answers",
        "elements": [
            button("ack", "Acknowledge", style="primary"),
            button("escalate", "Escalate", confirm={
                "title": plain("Sure?"), "text": plain("Lena is paged."), "confirm": plain("Yes"), "deny": plain("No"),
            }),
            {"type": "static_select", "action_id": "severity", "options": [option("p0"), option("p1")],
             "placeholder": plain("Severity")},
            {"type": "overflow", "action_id": "more", "options": [option("resolve"), option("cancel")]},
        ],
    },
    {"type": "context", "elements": [mrkdwn("Policy `kars`")]},
)  # fmt: skip


def fill_form(page: Page) -> None:
    page.select_option("[data-block-id=level]", "p1")
    for block_id, label in (("tags", "Db"), ("tell", "Omar Haddad")):
        page.locator(f"[data-block-id={block_id}] summary").click()
        page.locator(f"[data-block-id={block_id}]").get_by_text(label, exact=True).click()
    page.get_by_label("User", exact=True).check()
    page.get_by_label("Loss", exact=True).check()
    page.select_option("[data-block-id=lead]", OMAR)
    page.select_option("[data-block-id=place]", GENERAL)
    for block_id, value in (
        ("day", "2026-11-21"), ("hour", "09:30"), ("since", "2026-11-21T09:30"), ("count", "7"), ("link", "https://example.com"),
    ):  # fmt: skip
        page.fill(f"[data-block-id={block_id}]", value)


FILLED = {
    "title": {"type": "plain_text_input", "value": "Checkout"},
    "details": {"type": "plain_text_input", "value": None},
    "level": {"type": "static_select", "selected_option": option("p1")},
    "tags": {"type": "multi_static_select", "selected_options": [option("db")]},
    "how": {"type": "radio_buttons", "selected_option": option("user")},
    "flags": {"type": "checkboxes", "selected_options": [option("loss")]},
    "lead": {"type": "users_select", "selected_user": OMAR},
    "tell": {"type": "multi_users_select", "selected_users": [OMAR]},
    "place": {"type": "conversations_select", "selected_conversation": GENERAL},
    "day": {"type": "datepicker", "selected_date": "2026-11-21"},
    "hour": {"type": "timepicker", "selected_time": "09:30"},
    "since": {"type": "datetimepicker", "selected_date_time": 1795253400},
    "count": {"type": "number_input", "value": "7"},
    "link": {"type": "url_text_input", "value": "https://example.com"},
}


def test_blocks_are_drawn_as_they_arrive(app: App, page: Page) -> None:
    """A card posted by the app appears without a reload, with every block and the reader's own time zone."""
    row = message(page, app.post(GENERAL, "Checkout is down", *CARD))
    expect(row.locator(".block.header")).to_have_text("Checkout is down")
    expect(row.locator(".badge")).to_have_text("APP")
    expect(row.locator(".mention.me")).to_have_text("@Dana Ruiz")
    expect(row.locator(".mention:not(.me)")).to_have_text("@Omar Haddad")
    expect(row.locator("time[data-unix]")).to_have_text("1970-01-01 12:00 AM")
    expect(row.locator(".section")).to_contain_text("🔥")
    expect(row.get_by_role("button", name="Acknowledge")).to_have_class("button primary")
    expect(row.locator(".context code")).to_have_text("kars")


MRKDWN = [
    ("a *b* _c_ ~d~ `*e*`", "a <strong>b</strong> <em>c</em> <s>d</s> <code>*e*</code>"),
    ("snake_case_name 2*3*4", "snake_case_name 2*3*4"),
    ("*a <https://x.example/b_c*d|L>*", '<strong>a <a href="https://x.example/b_c*d">L</a></strong>'),
    ("_due <!date^0^{date_num}|x>_", "<em>due <time>1970-01-01</time></em>"),
    ("a\n&gt; b\n&gt; c\nd", "a<blockquote>b<br>c</blockquote>d"),
    ("x ```a < b\n*c*``` y", "x <pre>a &lt; b\n*c*</pre> y"),
    ("&lt;!here&gt; &amp;amp;", "&lt;!here&gt; &amp;amp;"),
    ("<!here>", '<span class="mention loud">@here</span>'),
    ("<javascript:alert(1)|x>", "<span>&lt;javascript:alert(1)&gt;</span>"),
    (":bell: :no_such: 10:20:30", "🔔 :no_such: 10:20:30"),
    ("<!subteam^S1|@ops> <#C1|gone>", '<span class="mention">@ops</span> <span class="mention">#gone</span>'),
    ("<!date^0^{date_long} · {date}|x>", "<time>Thursday, January 1st, 1970 · January 1st, 1970</time>"),
    ("<!date^nonsense^{date}|then>", "then"),
]
DRAW = """async text => {
  const { mrkdwn } = await import("/static/mrkdwn.js");
  const box = document.createElement("div");
  box.append(mrkdwn(text, { me: "U1", user: () => undefined, channel: () => undefined, group: () => undefined }));
  for (const node of box.querySelectorAll("*"))
    for (const name of node.getAttributeNames())
      if (!["href", "class"].includes(name)) node.removeAttribute(name);
  return box.innerHTML;
}"""


def test_mrkdwn(page: Page) -> None:
    """Slack's markup becomes the elements it stands for, and nothing else does."""
    assert [page.evaluate(DRAW, text) for text, _ in MRKDWN] == [html for _, html in MRKDWN]


def test_text_that_looks_like_markup_stays_text(app: App, page: Page) -> None:
    """Neither a person's nor the app's text can become an element of the page."""
    evil = '<img src=x onerror="window.owned=1"><script>window.owned=1</script>'
    say(page, evil)
    expect(page.locator("#messages .message").last).to_contain_text(evil)
    row = message(
        page,
        app.post(GENERAL, evil, {"type": "header", "text": plain(evil)}, {"type": "section", "text": mrkdwn(evil)}),
    )
    expect(row.locator(".header")).to_have_text(evil)
    expect(row.locator(".section")).to_contain_text("onerror")
    assert page.evaluate("window.owned") is None
    assert page.locator("#messages :is(img, script)").count() == 0


def test_a_modal_goes_to_the_app_and_an_error_comes_back_to_its_field(app: App, page: Page) -> None:
    """The form sends Slack's state; a refused field says why and keeps what was entered; the second try closes it."""
    errors = {"title": "Say what is broken."}
    app.on["view_submission"] = lambda _: (
        {"response_action": "errors", "errors": errors} if len(submissions(app)) == 1 else None
    )
    open_form(app, page)
    page.click("dialog [type=submit]")
    expect(page.locator("dialog .wrong")).to_have_count(12)
    assert not submissions(app)
    fill_form(page)
    page.click("dialog [type=submit]")
    expect(page.locator("dialog .block[data-block=title] .error")).to_have_text(errors["title"])
    expect(page.locator("[data-block-id=title]")).to_be_focused()
    values = submissions(app)[0]["view"]["state"]["values"]
    assert {block_id: value["v"] for block_id, value in values.items()} == FILLED
    page.fill("[data-block-id=title]", "Checkout answers 500")
    page.click("dialog [type=submit]")
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert submissions(app)[1]["view"]["state"]["values"]["title"]["v"]["value"] == "Checkout answers 500"


def test_an_answer_to_a_form_that_is_closed_by_then_breaks_nothing(app: App, page: Page) -> None:
    """The app finds something wrong in what was sent; the form was closed before the answer could be shown."""
    held: list[tuple[Route, APIResponse]] = []
    app.on["view_submission"] = lambda _: {"response_action": "errors", "errors": {"words": "Say more."}}
    words = field_block("words", {"type": "plain_text_input", "action_id": "v", "initial_value": "down"})
    open_form(app, page, {**FORM, "blocks": [words]})
    page.route("**/ui/submit", lambda route: held.append((route, route.fetch())))
    page.click("dialog [type=submit]")
    meanwhile(page, lambda: held)
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    route, answer = held[0]
    with page.expect_response("**/ui/submit"):
        route.fulfill(response=answer)
    say(page, "all the same")
    expect(page.locator("#messages .message").last).to_contain_text("all the same")


def test_an_updated_view_keeps_what_was_entered(app: App, page: Page) -> None:
    """A view that changes under the person's hands keeps their words; Escape closes it and tells the app."""
    asks = {"type": "static_select", "action_id": "v", "options": [option("p0"), option("p1")]}
    words = field_block("words", {"type": "plain_text_input", "action_id": "v"})
    view = {**FORM, "blocks": [words, field_block("level", asks, dispatch_action=True)]}
    more = {**view, "blocks": [*view["blocks"], {"type": "section", "text": plain("P1: a main feature is broken")}]}

    def explain(payload: Json) -> None:
        app.call("views.update", view_id=payload["view"]["id"], view=more)

    app.on["block_actions"] = explain
    open_form(app, page, view)
    page.fill("[data-block-id=words]", "half a sen")
    page.select_option("[data-block-id=level]", "p1")
    expect(page.locator("dialog .section")).to_contain_text("P1:")
    expect(page.locator("[data-block-id=words]")).to_have_value("half a sen")
    expect(page.locator("[data-block-id=level]")).to_have_value("p1")
    with page.expect_response("**/ui/close"):
        page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    eventually(lambda: "view_closed" in [payload.get("type") for payload in app.seen])


def test_a_pushed_view_leads_back(app: App, page: Page) -> None:
    """A view on top of another has a way back, and the one below still holds what was entered."""
    words = field_block("words", {"type": "plain_text_input", "action_id": "v"})
    lower = {**FORM, "blocks": [words]}
    upper = {**FORM, "title": plain("More"), "blocks": [{"type": "section", "text": plain("details")}]}
    app.on["view_submission"] = lambda _: {"response_action": "push", "view": upper}
    open_form(app, page, lower)
    page.fill("[data-block-id=words]", "down since ten")
    page.click("dialog [type=submit]")
    expect(page.locator("dialog h2")).to_have_text("More")
    page.get_by_role("button", name="Back", exact=True).click()
    expect(page.locator("dialog h2")).to_have_text("Declare")
    expect(page.locator("[data-block-id=words]")).to_have_value("down since ten")


def tells(page: Page) -> AbstractContextManager[object]:
    """What is done in the block is told to the app by its end, and so before the next."""
    return page.expect_response("**/ui/action")


def test_buttons_menus_and_selects_reach_the_app(app: App, page: Page) -> None:
    """Each control of a card reports its action; a confirm dialog that is denied reports nothing."""
    row = message(page, app.post(GENERAL, "card", *CARD))
    with tells(page):
        row.locator("[data-action-id=ack]").click()
    with tells(page):
        row.locator("[data-action-id=severity]").select_option("p1")
    row.locator("[data-action-id=more]").click()
    with tells(page):
        page.get_by_role("menuitem", name="Resolve").click()
    confirmation = page.locator("dialog.confirm")
    row.locator("[data-action-id=escalate]").click()
    confirmation.get_by_role("button", name="No").click()
    row.locator("[data-action-id=escalate]").click()
    with tells(page):
        confirmation.get_by_role("button", name="Yes").click()
    actions = [payload["actions"][0] for payload in app.seen if payload.get("type") == "block_actions"]
    assert [action["action_id"] for action in actions] == ["ack", "severity", "more", "escalate"]
    assert actions[0]["value"] == "v1"
    assert actions[1]["selected_option"] == option("p1")


def test_choices_in_a_message_reach_the_app_and_outlive_its_edits(app: App, page: Page) -> None:
    """Boxes, lists and dates of a message are told with all the others' values; an edit leaves them as chosen."""
    boxes = {"type": "checkboxes", "action_id": "v", "options": [option("logs"), option("graph")]}
    radio = {"type": "radio_buttons", "action_id": "how", "options": [option("alert"), option("user")]}
    blocks: list[Json] = [
        {"type": "section", "block_id": "tasks", "text": mrkdwn("Tasks"), "accessory": boxes},
        {"type": "section", "block_id": "team", "text": mrkdwn("Team"), "accessory": element("multi_users_select")},
        {"type": "actions", "block_id": "more", "elements": [radio, element("users_select"), element("datepicker")]},
    ]
    row = message(page, ts := app.post(GENERAL, "card", *blocks))
    acts: list[Callable[[], object]] = [
        row.get_by_label("Logs").check,
        row.get_by_label("Graph").check,
        row.get_by_label("Alert").check,
        lambda: row.locator("[data-action-id=users_select]").select_option(OMAR),
        lambda: row.locator("[data-action-id=datepicker]").fill("2026-11-21"),
        row.locator("[data-block-id=team]").get_by_text("Omar Haddad", exact=True).click,
    ]
    row.locator("summary").click()
    for act in acts:
        with tells(page):
            act()
    app.call("chat.update", channel=GENERAL, ts=ts, text="card", blocks=[*blocks, {"type": "divider"}])
    expect(row.locator("hr")).to_have_count(1)
    expect(row.get_by_label("Graph")).to_be_checked()
    told = [payload for payload in app.seen if payload.get("type") == "block_actions"]
    assert told[1]["actions"][0]["selected_options"] == [option("logs"), option("graph")]
    assert told[-1]["state"]["values"] == {
        "tasks": {"v": {"type": "checkboxes", "selected_options": [option("logs"), option("graph")]}},
        "team": {"multi_users_select": {"type": "multi_users_select", "selected_users": [OMAR]}},
        "more": {
            "how": {"type": "radio_buttons", "selected_option": option("alert")},
            "users_select": {"type": "users_select", "selected_user": OMAR},
            "datepicker": {"type": "datepicker", "selected_date": "2026-11-21"},
        },
    }


def element(kind: str) -> Json:
    return {"type": kind, "action_id": kind}


def test_user_groups_show_who_is_in_them(app: App, page: Page) -> None:
    """A mention of a group names its members on hover and stands out to them; the list of people says it too."""
    group = message(page, app.post(GENERAL, f"<!subteam^{ONCALL}> look")).locator(".mention.me")
    expect(group).to_have_text("@oncall-engineer")
    expect(group).to_have_attribute("title", "Dana Ruiz")
    page.click("#switcher")
    expect(page.locator(f'[data-user="{DANA}"]')).to_contain_text("Site reliability engineer · @oncall-engineer")
    expect(page.locator(f'[data-user="{OMAR}"]')).not_to_contain_text("@")


def test_a_thread_opens_beside_the_channel_and_follows_replies(app: App, page: Page) -> None:
    """The reply count opens the thread; replies from both sides appear in it, and only there."""
    ts = app.post(GENERAL, "Checkout is down")
    app.post(GENERAL, "first reply", thread_ts=ts)
    message(page, ts).locator(".replies").click()
    expect(page.locator("#thread .message")).to_have_count(2)
    page.fill("#thread-composer", "on it")
    page.press("#thread-composer", "Enter")
    expect(page.locator("#thread .message").last).to_contain_text("on it")
    expect(message(page, ts).locator(".replies")).to_contain_text("2 replies")
    expect(page.locator("#messages")).not_to_contain_text("on it")
    page.click("#thread-close")
    expect(page.locator("#thread")).to_be_hidden()


def test_each_person_sees_their_own_side(app: App, page: Page) -> None:
    """A page to Omar shows under the switcher; acting as him keeps the channel and his message opens from its badge."""
    app.call("chat.postEphemeral", channel=GENERAL, user=DANA, text="for Dana alone")
    expect(page.locator("#messages .ephemeral")).to_contain_text("Only visible to you")
    app.post(app.dm(OMAR), "You are paged")
    waiting = page.locator(f'[data-waiting="{OMAR}"]')
    expect(waiting).to_contain_text("1")
    page.click("#switcher")
    page.click(f'[data-user="{OMAR}"]')
    expect(page.locator("#switcher")).to_contain_text("Omar Haddad")
    expect(page.locator("#channel-name")).to_contain_text("general")
    expect(page.locator("#messages")).not_to_contain_text("for Dana alone")
    tocsin = page.locator('[data-channel-name="Tocsin"]')
    expect(tocsin.locator(".count")).to_have_text("1")
    tocsin.click()
    expect(page.locator("#messages")).to_contain_text("You are paged")
    expect(tocsin.locator(".count")).to_have_count(0)
    page.reload()
    expect(page.locator("#messages")).to_contain_text("You are paged")
    assert f"as={OMAR}" in page.url


def test_a_direct_message_is_announced(app: App, page: Page) -> None:
    """A message from the app to the acting person shows as a toast that leads to it."""
    app.post(app.dm(DANA), "You are *paged*\n\nCheckout is down\n&gt; act now")
    page.locator("#toasts .toast", has_text="You are paged · Checkout is down · act now").click()
    expect(page.locator("#channel-name")).to_contain_text("Tocsin")


def test_the_home_tab_shows_what_is_published(app: App, page: Page) -> None:
    """Looking at the Home tab tells the app, and what it publishes appears there at once."""
    home = {"type": "home", "blocks": [{"type": "header", "text": plain("Open incidents")}]}

    def publish(payload: Json) -> None:
        if payload["event"]["type"] == "app_home_opened":
            app.call("views.publish", user_id=payload["event"]["user"], view=home)

    app.on["event_callback"] = publish
    page.click('[data-channel-name="Tocsin"]')
    page.click("[data-tab=home]")
    expect(page.locator("#home .header")).to_have_text("Open incidents")


def test_shortcuts_reach_the_app_and_a_wrong_command_is_answered(app: App, page: Page) -> None:
    """Global and message shortcuts arrive as such; a command that nobody knows is answered as Slackbot would."""
    page.click('[data-channel-name="general"]')
    page.click("[aria-label=Shortcuts]")
    with page.expect_response("**/ui/shortcut"):
        page.click("[data-shortcut=declare_incident]")
    row = message(page, app.post(GENERAL, "is this an incident?"))
    row.hover()
    row.get_by_label("More actions").click()
    with page.expect_response("**/ui/shortcut"):
        page.click("[data-shortcut=declare_from_message]")
    expect(page.locator(".menu")).to_have_count(0)
    say(page, "/nonsense")
    expect(page.locator("#toasts")).to_contain_text("/nonsense")
    kinds = [payload.get("type") for payload in app.seen]
    assert "shortcut" in kinds
    assert "message_action" in kinds


def test_a_link_leads_to_its_message_and_an_archive_is_read_only(app: App, page: Page) -> None:
    """A permalink lights up its message; an archived channel has no composer."""
    room = app.call("conversations.create", name="inc-1")["channel"]["id"]
    app.call("conversations.invite", channel=room, users=DANA)
    ts = app.post(room, "the card")
    for n in range(30):
        app.post(room, f"line {n}")
    reply = app.post(room, "a reply", thread_ts=ts)
    app.call("conversations.archive", channel=room)
    link = app.call("chat.getPermalink", channel=room, message_ts=ts)["permalink"]
    page.goto(link)
    expect(message(page, ts)).to_be_in_viewport()
    expect(page.locator("#archived")).to_contain_text("archived channel")
    expect(page.locator("#composer")).to_be_hidden()
    page.goto(app.call("chat.getPermalink", channel=room, message_ts=reply)["permalink"])
    expect(page.locator(f'#thread [data-ts="{reply}"]')).to_be_in_viewport()
    expect(page.locator("#thread-composer")).to_be_hidden()


def test_who_writes_sees_what_comes_of_it(app: App, page: Page) -> None:
    """Whoever had scrolled up is at the bottom again; who only reads is left where they are."""
    posted = [app.post(GENERAL, f"line {n}") for n in range(40)]
    expect(message(page, posted[-1])).to_be_in_viewport()
    message(page, posted[0]).scroll_into_view_if_needed()
    expect(message(page, app.post(GENERAL, "one more"))).to_have_count(1)
    expect(message(page, posted[0])).to_be_in_viewport()
    say(page, "my own")
    expect(page.locator("#messages .message").last).to_contain_text("my own")
    expect(page.locator("#messages .message").last).to_be_in_viewport()


def test_a_channel_that_changes_while_it_is_pressed_opens_all_the_same(app: App, page: Page) -> None:
    """Somebody writes there between the press and the release: it is drawn anew afterwards."""
    random = page.locator("[data-channel-name=random]")
    channel = random.get_attribute("data-channel")
    app.call("conversations.join", channel=channel)
    random.hover()
    page.mouse.down()
    with page.expect_response("**/ui/state*"):
        app.call("chat.postMessage", channel=channel, text=f"<@{DANA}> look")
    page.wait_for_timeout(200)
    page.mouse.up()
    expect(page.locator("#channel-name")).to_contain_text("random")
    expect(random.locator(".count")).to_have_count(0)


def test_a_phone_scrolls_one_way_only(app: App, page: Page) -> None:
    """At 390 px channel, people, thread and modal fit the width, and each can be left again."""
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    ts = app.post(GENERAL, "card", *CARD)
    app.post(GENERAL, "https://example.com/" + "long" * 60, thread_ts=ts)
    app.call("conversations.setTopic", channel=GENERAL, topic="a topic that goes on and on " * 6)
    expect(message(page, ts).locator(".replies")).to_be_visible()
    assert fits(page)
    message(page, ts).locator(".replies").click()
    expect(page.locator("#thread .message")).to_have_count(2)
    assert fits(page)
    page.click("#thread-close")
    page.click("#to-sidebar")
    expect(page.locator("#switcher")).to_be_visible()
    assert fits(page)
    page.click("[data-channel-name=general]")
    open_form(app, page)
    assert fits(page)


def test_a_confirmation_is_a_small_box_on_a_phone(app: App, page: Page) -> None:
    """It is as high as its words, and leaves the screen behind it to be seen."""
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    message(page, app.post(GENERAL, "card", *CARD)).locator("[data-action-id=escalate]").click()
    box = page.locator("dialog.confirm").bounding_box()
    assert box
    assert box["height"] < PHONE["height"] / 2
    assert fits(page)


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"))
