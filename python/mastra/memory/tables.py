"""The tables of memory, and what of strangers' text cannot be stored and is replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mastra.types.records import Table

THREADS = Table(
    "threads",
    ("resourceId+createdAt", "resourceId+updatedAt", "createdAt", "updatedAt"),
)
# `order` is the time and the place in the thread in one text, so that messages of one millisecond keep their order.
MESSAGES = Table("messages", ("threadId+order", "resourceId+order"))
WORKING_MEMORY = Table("working_memory", ("resourceId",))
# Work that a write left for later, written in the same batch: embeddings to make, vectors to delete.
DUE = Table("memory_due", ("kind+at",))

ROLES = frozenset({"user", "assistant", "system", "tool", "signal"})

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def are_parts(parts: Any) -> bool:
    """Whether it is a list of the parts of a message."""
    return isinstance(parts, list) and all(
        isinstance(part, Mapping) and isinstance(part.get("type"), str) for part in parts
    )


def cleaned(value: Any) -> Any:
    """`value` with NUL characters and lone surrogates in its texts replaced.

    A model or a tool may produce them and no database takes them; losing the message would be worse.
    """
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {cleaned(key): cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(item) for item in value]
    return value
