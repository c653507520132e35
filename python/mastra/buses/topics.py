"""What every bus checks before it accepts an event."""

from __future__ import annotations

import re
from typing import Any

from mastra.errors import InvalidInput
from mastra.types.json import dumps, find_unserialisable, loads

_TOPIC = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@+=~/\-]{0,199}")
MAX_EVENT = 1_000_000


def check_topic(topic: object) -> str:
    """`topic` when it can be a topic's name."""
    if isinstance(topic, str) and _TOPIC.fullmatch(topic):
        return topic
    raise InvalidInput(
        f"{str(topic)[:40]!r} is not a topic.",
        hint="Use 1 to 200 letters, digits or _.:@+=~/- and begin with a letter.",
    )


def check_data(data: object) -> dict[str, Any]:
    """A copy of `data` when it is a JSON object that is not too large."""
    if not isinstance(data, dict):
        raise InvalidInput(f"An event is an object, not a {type(data).__name__}.")
    found = find_unserialisable(data)
    if found is not None:
        raise InvalidInput(f"The event cannot be sent: {found[0]}: {found[1]}.")
    text = dumps(data)
    if len(text) > MAX_EVENT:
        raise InvalidInput(f"The event has {len(text)} characters; {MAX_EVENT} is the most.")
    copied: dict[str, Any] = loads(text)
    return copied


def number_of(cursor: str) -> int:
    """A cursor that is a number."""
    if cursor.isascii() and cursor.isdigit() and len(cursor) < 19:
        return int(cursor)
    raise InvalidInput(f"{cursor[:40]!r} is not a cursor of this bus.", hint='Use one that publish gave, or "0".')
