"""files.*: uploading in three steps (an address, the bytes, sharing)."""

import base64
from typing import Any

from sandbox import posting, shapes, text
from sandbox.records import Channel, Json, Upload
from sandbox.requests import parts
from sandbox.state import Workspace
from sandbox.webapi.chat import thread
from sandbox.webapi.registry import Call, SlackError, method, writable

LARGEST = 10_000_000


@method("files.getUploadURLExternal", "tier4", "files:write", ["filename", "length"])
def upload_address(call: Call) -> Json:
    length = call.number("length", 0)
    if length <= 0:
        raise SlackError("invalid_arguments")
    if length > LARGEST:
        raise SlackError("file_upload_size_restricted")
    key = call.workspace.fresh_id("F")
    row = Upload(id=key, name=call.text("filename"), length=length, created=int(call.workspace.now()))
    call.workspace.uploads[key] = row
    return {"upload_url": f"{call.workspace.base_url}/upload/{key}", "file_id": key}


def receive(workspace: Workspace, key: str, content_type: str, raw: bytes) -> int | None:
    """Take a file's bytes, bare or as a form; gives how many, None when no such upload was opened."""
    row = workspace.uploads.get(key)
    if row is None:
        return None
    if content_type.startswith("multipart/form-data"):
        raw = next(iter(parts(content_type, raw).values()), b"")
    content = base64.b64encode(raw).decode()
    workspace.uploads[key] = row.changed(content=content, length=len(raw), uploaded=True)
    return len(raw)


def named_files(call: Call) -> list[Upload]:
    """The uploaded files that this call shares, with their titles."""
    files: Any = call.structure("files", "invalid_arguments")
    if not isinstance(files, list) or not files:
        raise SlackError("invalid_arguments")
    rows = [(call.workspace.uploads.get(str(entry.get("id"))), entry.get("title")) for entry in files]
    found = [row.changed(title=title or row.name, shared=True) for row, title in rows if row and row.uploaded]
    if len(found) != len(files):
        raise SlackError("file_not_found")
    return found


def channels_of(call: Call) -> list[Channel]:
    keys = call.words("channels") or call.words("channel_id")
    rows = [call.workspace.channels.get(key) for key in keys]
    visible = [row for row in rows if row is not None and call.workspace.can_see(call.user, row)]
    if len(visible) != len(keys):
        raise SlackError("channel_not_found")
    if any(call.user not in row.members for row in visible):
        raise SlackError("not_in_channel")
    return [writable(row) for row in visible]


@method("files.completeUploadExternal", "tier4", "files:write", ["files"])
def complete(call: Call) -> Json:
    files, workspace = named_files(call), call.workspace
    rooms = [(channel, thread(call, channel)) for channel in channels_of(call)]
    workspace.uploads.update({row.id: row for row in files})
    words, keys = text.from_app(call.text("initial_comment")), tuple(row.id for row in files)
    for channel, parent in rooms:
        posting.post(workspace, channel, call.user, text=words, files=keys, thread_ts=parent, subtype="file_share")
    return {"files": [shapes.file(workspace, row) for row in files]}
