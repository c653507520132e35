"""The rows of MCP in the route table; what they answer is asked over the wire in tests/wire/test_mcp.py."""

from __future__ import annotations

import pytest

from mastra.server.routes import mcp
from mastra.server.table import load


@pytest.mark.parametrize("key", list(mcp.ROUTES))
def test_every_handler_has_its_row(key):
    method, _, path = key.partition(" ")
    found = load().match("POST" if method == "ALL" else method, path.strip("/"))
    assert found is not None
    assert found[0].handler is mcp.ROUTES[key]


def test_reading_and_running_need_different_permissions():
    rows = {row.key: row for row in load()}
    assert rows["POST /mcp/:serverId/tools/:toolId/execute"].permissions == ("mcp:execute",)
    assert rows["GET /mcp/:serverId/tools"].permissions == ("mcp:read",)
