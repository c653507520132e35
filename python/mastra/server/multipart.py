"""Forms with files (`multipart/form-data`), read whole: bounded by the body's limit, strict about their shape."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from mastra.errors import InvalidInput
from mastra.server.problems import invalid
from mastra.types.json import loads

MOST_PARTS = 100
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
_FIELD = re.compile(r';\s*(name|filename)="((?:[^"\\\r\n]|\\.)*)"')


class Upload(NamedTuple):
    """A file of a form."""

    body: bytes
    media_type: str
    filename: str


def parse_form(raw: bytes, content_type: str) -> dict[str, Any]:
    """The fields of a form: an `Upload` for each file, and texts; the same name twice keeps the last.

    A text that is a JSON object is read as one: forms have no other way to carry it.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise _bad("The form has no boundary")
    mark = b"--" + (found[1] or found[2]).encode("latin-1")
    # The first boundary may stand at the very beginning; all others begin a line.
    pieces = (b"\r\n" + raw).split(b"\r\n" + mark)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise _bad("The form is not whole")
    if len(pieces) - 2 > MOST_PARTS:
        raise _bad(f"The form has more than {MOST_PARTS} parts")
    fields: dict[str, Any] = {}
    for piece in pieces[1:-1]:
        name, value = _part(piece)
        fields[name] = value
    return fields


def _part(piece: bytes) -> tuple[str, Any]:
    head, separator, body = piece.partition(b"\r\n\r\n")
    if not separator or not head.startswith(b"\r\n"):
        raise _bad("A part of the form has no head")
    named: dict[str, str] = {}
    media_type = ""
    for line in head[2:].decode("utf-8", "replace").split("\r\n"):
        key, _, value = line.partition(":")
        if key.strip().lower() == "content-disposition":
            named = dict(_FIELD.findall(value))
        elif key.strip().lower() == "content-type":
            media_type = value.strip()
    if "name" not in named:
        raise _bad("A part of the form has no name")
    if "filename" in named or media_type:
        return named["name"], Upload(body, media_type or "application/octet-stream", named.get("filename", ""))
    try:
        text = body.decode("utf-8")
        return named["name"], loads(text) if text.startswith("{") else text
    except UnicodeDecodeError:
        raise _bad(f"The field {named['name'][:80]!r} is not UTF-8") from None
    except (ValueError, InvalidInput):
        raise _bad(f"The field {named['name'][:80]!r} is not JSON") from None


def _bad(message: str) -> Exception:
    return invalid("request body", [{"field": "body", "message": message}])
