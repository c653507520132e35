"""The headers that repeat a request over HTTP: a gateway may decide by them, so they must say what the body says."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

from mastra.mcp.protocol import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MODERN,
    PARSE_ERROR,
    UNSUPPORTED_VERSION,
    RpcError,
    request_of,
    revision_of,
    unsupported,
)

VERSION = b"mcp-protocol-version"
METHOD = b"mcp-method"
NAME = b"mcp-name"

# The parameter that `mcp-name` repeats.
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_STATUSES = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    UNSUPPORTED_VERSION: 400,
    METHOD_NOT_FOUND: 404,
}


def status_of(answer: dict[str, Any]) -> int:
    """The HTTP status of an answer."""
    error = answer.get("error")
    return 200 if error is None else _STATUSES.get(error["code"], 200)


def check_headers(headers: Iterable[tuple[bytes, bytes]], message: Any, *, legacy: bool) -> None:
    """`RpcError` when the headers say something else than the body, or a revision that is not spoken here."""
    found: dict[bytes, str] = {}
    for key, value in headers:
        if key in (VERSION, METHOD, NAME):
            if key in found:
                # Whoever reads the first would see something else than who reads the last.
                raise RpcError(HEADER_MISMATCH, f"{key.decode()} header appears more than once")
            found[key] = value.decode("latin-1")
    method, params = request_of(message)
    said, revision = found.get(VERSION), revision_of(params)
    if revision is None and said != MODERN:
        if legacy:
            return
        if said is not None or method == "initialize":
            raise unsupported(params.get("protocolVersion", said) if method == "initialize" else said)
        return
    if said != revision:
        raise RpcError(HEADER_MISMATCH, "mcp-protocol-version header does not match the request's own version")
    if found.get(METHOD) != method:
        raise RpcError(HEADER_MISMATCH, "mcp-method header does not match the request's method")
    name = params.get(_NAMED.get(method, ""))
    if name is not None and _plain(found.get(NAME)) != name:
        raise RpcError(HEADER_MISMATCH, f"mcp-name header does not match the request's {_NAMED[method]!r}")


def _plain(value: str | None) -> str | None:
    """A header's text; `=?base64?...?=` carries what a header cannot."""
    if value is None or not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode()
    except (binascii.Error, ValueError):
        return None
