"""The page of a canvas (/docs/{team}/{id}): what it shows, who may write in it, and its Markdown to edit."""

from html import escape

from markdown_it import MarkdownIt
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.records import Canvas
from sandbox.requests import arguments
from sandbox.runtime import runtime_of
from sandbox.state import Workspace
from sandbox.webapi.documents.canvases import put, text_of

# Without images: one would be asked of another host.
READER = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 1.5rem auto; padding: 0 1rem; }
li { overflow-wrap: anywhere; } small { opacity: .75; }
textarea { width: 100%; min-height: 24rem; box-sizing: border-box; font: 13px/1.45 ui-monospace, monospace; }
button { font: inherit; padding: .4rem 1rem; margin-top: .5rem; }
"""


async def show(request: Request) -> Response:
    workspace = runtime_of(request).workspace
    row = workspace.canvases.get(request.path_params["id"])
    return HTMLResponse(page(workspace, row)) if row else PlainTextResponse("This canvas was deleted.", 404)


async def edit(request: Request) -> Response:
    """Take the Markdown of the page's form, or of a JSON body {content}; without content the canvas is deleted."""
    runtime = runtime_of(request)
    workspace, key = runtime.workspace, request.path_params["id"]
    row = workspace.canvases.get(key)
    if row is None:
        return PlainTextResponse("This canvas was deleted.", 404)
    said = (await arguments(request)).get("content")
    if said is None:
        del workspace.canvases[key]
    else:
        put(workspace, row, str(said))
    runtime.settle()
    return RedirectResponse(request.url.path, 303)


async def raw(request: Request) -> Response:
    row = runtime_of(request).workspace.canvases.get(request.path_params["id"])
    return PlainTextResponse(text_of(row)) if row else PlainTextResponse("not found", 404)


def page(workspace: Workspace, row: Canvas) -> str:
    """The document, and a form beneath it for those who would type into it in Slack."""
    channels = [f"#{workspace.channels[key].name}" for key in row.channels if key in workspace.channels]
    people = [workspace.users[key].real_name for key in row.users if key in workspace.users]
    who = ", ".join([*channels, *people]) or "the app alone"
    title, markdown = escape(row.title), text_of(row)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    form = f'<textarea name="content" aria-label="The canvas as Markdown">\n{escape(markdown)}</textarea>'
    return (
        f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body><main><h1>{title}</h1>'
        f"<p><small>Canvas. Who may write: {escape(who)}</small></p>{READER.render(markdown)}"
        f'<details><summary>Edit</summary><form method="post">{form}<button>Save</button></form></details>'
        "</main></body></html>"
    )


ROUTES = [
    Route("/docs/{team:str}/{id:str}", show),
    Route("/docs/{team:str}/{id:str}", edit, methods=["POST"]),
    Route("/docs/{team:str}/{id:str}/markdown", raw),
]
