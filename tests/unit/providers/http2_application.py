"""An application for an HTTP/2 server: it answers as a model does; `/cut` ends without its end, `/endless` never ends.

`/facts` tells what was seen: protocol versions, clients, and how many left early.
"""

from __future__ import annotations

import json
from typing import Any

from mastra.testing.contracts.model import PIECES
from mastra.testing.wire_samples import WIRE_FORMATS

WIRE = WIRE_FORMATS["openai-chat"]
FACTS: dict[str, Any] = {"versions": [], "clients": [], "left": 0}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """One request."""
    if scope["type"] != "http":
        return
    path = scope["path"]
    if path != "/facts":
        FACTS["versions"].append(scope["http_version"])
        FACTS["clients"].append(list(scope["client"]))
    while (await receive()).get("more_body"):
        pass
    kind = "application/json" if path == "/facts" else WIRE.content_type
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind.encode())]})
    if path == "/facts":
        await send({"type": "http.response.body", "body": json.dumps(FACTS).encode(), "more_body": False})
        return
    events = WIRE.text(PIECES)
    cut = path.startswith(("/cut", "/endless"))
    for event in events[: -WIRE.terminal] if cut else events:
        await send({"type": "http.response.body", "body": WIRE.encode_one(event), "more_body": True})
    if path.startswith("/endless"):
        while (await receive())["type"] != "http.disconnect":
            pass
        FACTS["left"] += 1
        return
    await send({"type": "http.response.body", "body": b"", "more_body": False})
