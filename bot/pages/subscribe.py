"""Pages of the subscription to the status page: the form, to confirm, and to leave. Plain HTML, without script.

Opening a link changes nothing, since mail scanners open every one: a button does.
"""

from html import escape

from starlette.responses import HTMLResponse

from bot.pages.layout import page as layout

_BACK = '<p><a href="{up}">Status now</a></p>'


def form(title: str, problem: str = "", status: int = 200) -> HTMLResponse:
    """Ask for an address; `problem` says what was wrong with the last one."""
    said = f"<p role=alert><strong>{escape(problem)}</strong></p>" if problem else ""
    body = (
        f"<h1>Updates of {escape(title)} by mail</h1>{said}"
        "<p>You get a mail to confirm this, and then one for each update. Every mail ends it with one click.</p>"
        "<form method=post><label>Mail address<br>"
        "<input type=email name=address autocomplete=email required maxlength=254 inputmode=email></label>"
        "<button class=go>Subscribe</button></form>"
    )
    return layout(f"Subscribe to {title}", body + _BACK.format(up="./"), status)


def not_offered(title: str) -> HTMLResponse:
    """Say that there is no mail here, and what tells of updates instead."""
    words = (
        "<h1>No updates by mail here</h1>"
        '<p>Follow the <a href="feed.atom">Atom feed</a> instead: any feed reader shows each update.</p>'
    )
    return layout(f"Updates of {title}", words + _BACK.format(up="./"))


def asked(title: str) -> HTMLResponse:
    """Say the same to everybody: nobody finds out here who has subscribed."""
    words = "<h1>Look into your mail</h1><p>If the address can get mail, a link to confirm is on its way to it.</p>"
    return layout(f"Subscribe to {title}", words + _BACK.format(up="./"))


def too_many(title: str) -> HTMLResponse:
    """Refuse for now."""
    words = "<h1>Too many requests</h1><p>Nothing was sent. Try again in ten minutes.</p>"
    return layout(f"Subscribe to {title}", words + _BACK.format(up="./"), 429)


def confirm(title: str) -> HTMLResponse:
    """Ask for the press that confirms."""
    words = f"<h1>Updates of {escape(title)} by mail</h1><form method=post><button class=go>Confirm</button></form>"
    return layout(f"Subscribe to {title}", words + _BACK.format(up="../"))


def confirmed(title: str) -> HTMLResponse:
    """Say that it is confirmed."""
    words = "<h1>You are subscribed</h1><p>Each update comes to you by mail, and each mail ends it with one click.</p>"
    return layout(f"Subscribed to {title}", words + _BACK.format(up="../"))


def expired(title: str) -> HTMLResponse:
    """Say that the link is not good any more."""
    words = '<h1>This link is used or too old</h1><p><a href="../subscribe">Ask for a new one</a>.</p>'
    return layout(f"Subscribe to {title}", words + _BACK.format(up="../"), 404)


def leave(title: str) -> HTMLResponse:
    """Ask for the press that ends it."""
    words = (
        f"<h1>Get no more mail of {escape(title)}?</h1><form method=post><button class=go>Unsubscribe</button></form>"
    )
    return layout(f"Unsubscribe from {title}", words + _BACK.format(up="../"))


def left(title: str) -> HTMLResponse:
    """Say that it is ended, whether it was or not: a click too many is no error."""
    words = "<h1>You get no more mail</h1><p>Your address is deleted.</p>"
    return layout(f"Unsubscribed from {title}", words + _BACK.format(up="../"))


def unavailable(title: str) -> HTMLResponse:
    """Say that nothing was recorded."""
    words = "<h1>Nothing was recorded</h1><p>Try again in a moment.</p>"
    return layout(title, words, 503)
