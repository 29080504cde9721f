"""The page of a Slack List (/lists/{team}/{id}): its table, who may see it; rows, and all of it, can be deleted."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.records import SlackList
from sandbox.requests import arguments
from sandbox.runtime import runtime_of
from sandbox.state import Workspace
from sandbox.webapi.documents.lists import drop, words

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 1.5rem auto; padding: 0 1rem; }
div { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .6rem; border-bottom: 1px solid #8886; vertical-align: top; }
small { opacity: .75; } button { font: inherit; }
"""


async def show(request: Request) -> Response:
    workspace = runtime_of(request).workspace
    row = workspace.lists.get(request.path_params["id"])
    return HTMLResponse(page(workspace, row)) if row else PlainTextResponse("This list was deleted.", 404)


async def delete(request: Request) -> Response:
    """Delete the row that a form or a JSON body names; the whole list when it names none."""
    runtime = runtime_of(request)
    workspace, key = runtime.workspace, request.path_params["id"]
    row = workspace.lists.get(key)
    if row is None:
        return PlainTextResponse("This list was deleted.", 404)
    named = (await arguments(request)).get("row")
    if named is None:
        del workspace.lists[key]
    else:
        drop(workspace, row, str(named))
    runtime.settle()
    return RedirectResponse(request.url.path, 303)


async def raw(request: Request) -> Response:
    """Each list with its access and its rows, by the keys of its columns, for assertions."""
    workspace = runtime_of(request).workspace
    return JSONResponse({"lists": [as_table(workspace, row) for row in workspace.lists.values()]})


def as_table(workspace: Workspace, row: SlackList) -> dict[str, object]:
    keys = {column["id"]: column["key"] for column in row.columns}
    rows = [
        {"id": key} | {keys[column]: words(value) for column, value in cells.items()} for key, cells in row.rows.items()
    ]
    return {"id": row.id, "title": row.title, "access": _readers(workspace, row), "rows": rows}


def _readers(workspace: Workspace, row: SlackList) -> dict[str, str]:
    channels = {key: f"#{channel.name}" for key, channel in workspace.channels.items()}
    names = channels | {key: person.real_name for key, person in workspace.users.items()}
    return {names[key]: level for key, level in row.access.items() if key in names}


def page(workspace: Workspace, row: SlackList) -> str:
    """The table, with a button on each row for whoever would delete it in Slack."""
    title, columns = escape(row.title), row.columns
    readers = ", ".join(f"{name} ({level})" for name, level in _readers(workspace, row).items())
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    heading = "".join(f"<th>{escape(column['name'])}</th>" for column in columns)
    body = "".join(_row(workspace, columns, key, cells) for key, cells in row.rows.items())
    return (
        f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body><main><h1>{title}</h1>'
        f"<p><small>List. Who may see it: {escape(readers) or 'the app alone'}</small></p>"
        f"<div><table><thead><tr>{heading}<th></th></tr></thead><tbody>{body}</tbody></table></div>"
        '<form method="post"><button>Delete the list</button></form></main></body></html>'
    )


def _row(workspace: Workspace, columns: list[dict[str, object]], key: str, cells: dict[str, dict[str, object]]) -> str:
    shown = []
    for column in columns:
        said = words(cells[str(column["id"])]) if str(column["id"]) in cells else ""
        known = workspace.users.get(said) if column["type"] == "user" else None
        shown.append(f"<td>{escape(known.real_name if known else said)}</td>")
    button = f'<form method="post"><button name="row" value="{escape(key)}">Delete</button></form>'
    return f"<tr>{''.join(shown)}<td>{button}</td></tr>"


ROUTES = [
    Route("/lists/{team:str}/{id:str}", show),
    Route("/lists/{team:str}/{id:str}", delete, methods=["POST"]),
    Route("/control/lists", raw),
]
