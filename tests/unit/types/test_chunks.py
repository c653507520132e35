from __future__ import annotations

import pytest

from mastra.types.chunks import Chunk


@pytest.mark.parametrize(
    ("chunk", "wire"),
    [
        (
            Chunk("text-delta", {"text": "hi"}, "r1"),
            {"type": "text-delta", "runId": "r1", "from": "AGENT", "payload": {"text": "hi"}},
        ),
        (
            Chunk("object", {"a": 1}, "r1"),
            {"type": "object", "runId": "r1", "from": "AGENT", "object": {"a": 1}},
        ),
        (
            Chunk("workflow-start", {}, "r2", "WORKFLOW", {"k": 1}),
            {"type": "workflow-start", "runId": "r2", "from": "WORKFLOW", "payload": {}, "metadata": {"k": 1}},
        ),
        (Chunk("data-progress", {"data": 5}, ""), {"type": "data-progress", "data": 5}),
    ],
)
def test_a_chunk_is_its_wire_form_and_back(chunk: Chunk, wire: dict[str, object]) -> None:
    assert chunk.to_wire() == wire
    assert Chunk.from_wire(wire) == chunk
