"""Reading requests: JSON bodies, forms, query strings; and the errors people's endpoints answer with."""

import json
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from sandbox.records import Json


class BadRequest(Exception):
    """Answered as {"ok": false, "error": ...} with this status."""

    def __init__(self, error: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.status = status


async def json_object(request: Request) -> Json:
    """The JSON object in a body; an empty body is {}."""
    raw = await request.body()
    try:
        body = json.loads(raw) if raw.strip() else {}
    except ValueError:
        raise BadRequest("the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object")
    return body


async def arguments(request: Request) -> Json:
    """A Web API call's arguments, from wherever they stand: query, form or JSON. A JSON body must be an object."""
    args: dict[str, Any] = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    raw = await request.body()
    if kind == "application/json":
        return {**args, **(await json_object(request))}
    if kind == "multipart/form-data":
        return {**args, **_multipart(request.headers["content-type"], raw)}
    return {**args, **dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))}


def _multipart(content_type: str, raw: bytes) -> dict[str, str]:
    return {name: data.decode("utf-8", "replace") for name, data in parts(content_type, raw).items()}


def parts(content_type: str, raw: bytes) -> dict[str, bytes]:
    """The parts of a multipart form by name."""
    mail = BytesParser().parsebytes(f"content-type: {content_type}\r\n\r\n".encode() + raw)
    found: dict[str, bytes] = {}
    for part in mail.get_payload() if mail.is_multipart() else []:
        name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr] # messages, as multipart says
        found[str(name)] = part.get_payload(decode=True) or b""  # type: ignore[union-attr,assignment] # the same
    return found
