"""Layout of every page: readable on a phone at night, without script, font or cookie."""

from html import escape

from starlette.responses import HTMLResponse

STYLE = """
:root{color-scheme:light dark;--back:#fff;--text:#1a1a1a;--soft:#5c5c5c;--line:#d8d8d8;--go:#0b6b3a;--bad:#a31515}
@media(prefers-color-scheme:dark){:root{--back:#14161a;--text:#f1f1f1;--soft:#a9adb5;--line:#363a42;--go:#2f9e63;
--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:34rem;padding:1.25rem 1rem 3rem;background:var(--back);color:var(--text);
font:1.0625rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.375rem;line-height:1.3;margin:0 0 .75rem}
p{margin:0 0 .75rem}.soft{color:var(--soft)}
form{margin:1.5rem 0;display:grid;gap:.75rem}
a{color:inherit}input{font:inherit;width:100%;min-height:3rem;padding:.5rem .75rem;border-radius:.5rem;
border:1px solid var(--soft);background:transparent;color:var(--text)}
button{font:inherit;font-weight:600;min-height:3.5rem;padding:.75rem 1rem;border-radius:.5rem;width:100%;
border:1px solid var(--line);background:transparent;color:var(--text)}
button.go{background:#0b6b3a;border-color:#0b6b3a;color:#fff}
button:focus-visible,input:focus-visible,a:focus-visible{outline:3px solid #4c8dff;outline-offset:2px}
.sev{display:inline-block;padding:.125rem .5rem;border-radius:.25rem;background:#a31515;color:#fff;font-weight:700}
"""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}


def page(title: str, body: str, status: int = 200) -> HTMLResponse:
    """Build a page; `body` is HTML, whose texts were escaped."""
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    )
    return HTMLResponse(html, status_code=status, headers=HEADERS)
