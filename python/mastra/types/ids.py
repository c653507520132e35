"""Identifiers: how new ones are made and which ones are accepted from outside."""

from __future__ import annotations

import os
import re
import time

from mastra.errors import InvalidId

MAX_LENGTH = 128
_PATTERN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@+=~\-]{0,127}")


def new_id() -> str:
    """A random UUID (version 4) as text; cheaper than the `uuid` module, which is not needed for it."""
    raw = bytearray(os.urandom(16))
    raw[6] = (raw[6] & 0x0F) | 0x40
    raw[8] = (raw[8] & 0x3F) | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_ordered_id() -> str:
    """A UUID of version 7: it begins with the time, so rows that are written together stand together in an index."""
    raw = bytearray((time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10))
    raw[6] = (raw[6] & 0x0F) | 0x70
    raw[8] = (raw[8] & 0x3F) | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def check_id(value: object, what: str = "id") -> str:
    """`value` when it is an acceptable identifier; else an `InvalidId` that names the thing.

    Accepted: 1 to 128 characters of letters, digits and `_.:@+=~-`, the first a letter, a digit or `_`.
    """
    if isinstance(value, str) and _PATTERN.fullmatch(value):
        return value
    shown = f"{value[:40]!r}" if isinstance(value, str) else f"a {type(value).__name__}"
    raise InvalidId(
        f"{shown} is not a valid {what}.",
        hint=f"Use 1 to {MAX_LENGTH} letters, digits or _.:@+=~- and start with a letter, digit or _.",
    )
