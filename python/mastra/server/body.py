"""Reading a request body: bounded in bytes, in time and in depth, and strict about JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from mastra.errors import InvalidInput
from mastra.server.call import header
from mastra.server.problems import Refused, invalid
from mastra.types.json import find_unserialisable, loads

if TYPE_CHECKING:
    from mastra.server.options import ServerOptions

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
TOO_LARGE = {"error": "Request body too large"}


async def read_body(
    receive: Receive,
    headers: Sequence[tuple[bytes, bytes]],
    limit: int,
    options: ServerOptions,
    *,
    files: bool = False,
) -> Any:
    """The parsed body; None when there is none. A form is read where `files` are taken."""
    length = header(headers, b"content-length")
    if length:
        if not length.isdecimal():
            raise Refused(400, {"error": "Invalid content-length"})
        if int(length) > limit:
            raise Refused(413, TOO_LARGE)
    try:
        raw = await _read(receive, limit, options.body_s)
    except TimeoutError:
        raise Refused(408, {"error": "The request body did not arrive in time"}) from None
    if not raw:
        return None
    kind = header(headers, b"content-type")
    if kind.startswith("multipart/form-data"):
        if not files:
            raise Refused(415, {"error": "Send JSON; files travel as base64 texts"})
        from mastra.server.multipart import parse_form  # noqa: PLC0415 - only routes that take files need it

        return parse_form(raw, kind)
    return parse_json(raw, options.max_depth)


async def _read(receive: Receive, limit: int, seconds: float) -> bytes:
    message = await receive()
    if message["type"] == "http.disconnect":
        return b""
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(body) > limit:
            raise Refused(413, TOO_LARGE)
        return body
    parts, size = [body], len(body)
    async with asyncio.timeout(seconds):
        while message.get("more_body", False):
            message = await receive()
            if message["type"] == "http.disconnect":
                return b""
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise Refused(413, TOO_LARGE)
            parts.append(part)
    return b"".join(parts)


def parse_json(raw: bytes, max_depth: int) -> Any:
    """Strict JSON of a body, with the protocol's answer when it is none."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _bad("The body is not UTF-8") from None
    try:
        value = loads(text)
    except json.JSONDecodeError as error:
        end = error.pos >= len(text.rstrip())
        raise _bad("Unexpected end of JSON input" if end else f"Unexpected token at position {error.pos}") from None
    except InvalidInput as error:
        raise _bad(error.message) from None
    except ValueError as error:
        raise _bad(str(error)) from None
    # Counting brackets is a thousand times cheaper than walking the value, and nearly always enough.
    if raw.count(b"{") + raw.count(b"[") > max_depth and _deeper(value, max_depth):
        raise _bad(f"nested deeper than {max_depth}")
    if b"\\u" in raw and (found := find_unserialisable(value)) is not None:
        raise _bad(f"{found[0]}: {found[1]}")
    return value


def _bad(message: str) -> Refused:
    return invalid("request body", [{"field": "body", "message": message}])


def _deeper(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            item
            for holder in level
            for item in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(item, dict | list)
        ] if all(isinstance(holder, dict | list) for holder in level) else []  # fmt: skip
        if not level:
            return False
    return True
